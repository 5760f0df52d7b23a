/* SPDX-License-Identifier: Apache-2.0 */
#include "release_order.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cleanup.h"
#include "dsse.h"
#include "plumb/wire.h"

static int check(const struct order *o, const struct release_order_for *f, struct why *ret_why)
{
	if (o->kind != ORDER_RELEASE)
		return why_set(ret_why, -EBADMSG, "it orders no release");
	if (strcmp(o->node, f->node) != 0)
		return why_set(ret_why, -EKEYREJECTED, "it is for another node");
	if (f->number == 0)
		return why_set(ret_why, -ESTALE, "this node is not isolated");
	if (o->number != f->number)
		return why_set(ret_why, -ESTALE,
			       "it releases isolation %" PRIu64 ", and %" PRIu64 " is in force",
			       o->number, f->number);
	return 0;
}

int release_order_open(const void *envelope, size_t size, const struct release_order_for *f,
		       struct order *ret, uint32_t *ret_key, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf payload = {0};
	struct order found;
	uint32_t key = 0;
	int r;

	if (size > RELEASE_ORDER_MAX)
		return why_set(ret_why, -EBADMSG, "it has more than %u bytes", RELEASE_ORDER_MAX);
	if (f->n_keys == 0)
		return why_set(ret_why, -EKEYREJECTED, "no operator's key is pinned here");
	r = dsse_open(envelope, size, RELEASE_ORDER_MAX, WIRE_DSSE_RELEASE, f->keys, f->n_keys,
		      &payload, &key, ret_why);
	if (r >= 0)
		r = order_parse(payload.data, payload.size, &found, ret_why);
	if (r >= 0)
		r = check(&found, f, ret_why);
	if (r < 0)
		return r;
	*ret = found;
	*ret_key = key;
	return 0;
}
