/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "isolate_net.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A peer that was read is the same when its text is read again; and whatever they are, the rules are JSON. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct isolate_net n = {.conntrack = size & 1};
	struct isolate_net_peer p, back;
	char text[128], again[ISOLATE_NET_TEXT];
	struct buf b = {0};
	struct why why;

	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (isolate_net_peer(text, &p, &why) < 0)
		return 0;
	isolate_net_peer_text(&p, again);
	if (isolate_net_peer(again, &back, &why) < 0 || memcmp(&p, &back, sizeof(p)) != 0 ||
	    isolate_net_add(&n, &p) < 0 || isolate_net_make(&n, &b) < 0 ||
	    memchr(b.data, '\n', b.size))
		__builtin_trap();
	buf_done(&b);
	return 0;
}
