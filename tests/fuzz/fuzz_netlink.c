/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_netlink.c: datagrams as a netlink socket gives them, down to the attributes of each message. */
#include <errno.h>
#include <stdlib.h>

#include "../../userspace/agent/netlink_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void attributes(struct buf_view v, int depth)
{
	struct buf_reader r = buf_reader_of(v.data, v.size);
	struct netlink_read_attribute a;
	struct why why = {""};
	char text[16];
	uint32_t n;
	int k = 1;

	while (k > 0) {
		k = netlink_read_attribute(&r, &a, &why);
		if (k > 0 && (a.data.data < v.data || a.data.size > v.size))
			abort();
		if (k > 0 && depth < 4)
			attributes(a.data, depth + 1);
		if (k > 0 && netlink_read_u32(a.data, &n) == 0 && a.data.size != 4)
			abort();
		if (k > 0)
			(void)netlink_read_text(a.data, text, sizeof(text));
	}
	if (k < 0 && (k != -EBADMSG || why.text[0] == '\0'))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf_reader r = buf_reader_of(data, size);
	struct netlink_read_message m;
	struct why why = {""};
	int k = 1;

	while (k > 0) {
		k = netlink_read_message(&r, &m, &why);
		if (k > 0)
			attributes(m.body, 0);
	}
	if (k < 0 && (k != -EBADMSG || why.text[0] == '\0'))
		abort();
	return 0;
}
