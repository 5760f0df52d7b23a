/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_net_claims.c: rtnetlink dumps, message by message, and the claims that follow from what could be read. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../userspace/agent/net_claims.h"
#include "line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int put(void *ctx, const char *key, const char *value)
{
	(void)ctx;
	if (strncmp(key, "net:", 4) != 0 || strlen(value) >= LINE_MAX_VALUE || value[0] == '\0')
		abort();
	return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct net_claims_sink sink = {put, NULL};
	struct buf_reader r = buf_reader_of(data, size);
	struct netlink_read_message m;
	struct net_claims *n;
	struct why why = {""};
	int k = 0;

	if (net_claims_open(&n) < 0)
		return 0;
	net_claims_begin(n);
	while (k >= 0 && netlink_read_message(&r, &m, &why) > 0) {
		why.text[0] = '\0';
		k = net_claims_add(n, &m, &why);
		(void)net_claims_concerns(n, &m);
		if (k < 0 && k != -ENOMEM && why.text[0] == '\0')
			abort();
	}
	if (net_claims_tell(n, &sink) < 2)
		abort();
	if (net_claims_unknown(n, "broken", &sink) < 2)
		abort();
	net_claims_free(n);
	return 0;
}
