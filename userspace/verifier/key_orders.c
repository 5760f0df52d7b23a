/* SPDX-License-Identifier: Apache-2.0 */
#include "key_orders.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "jsonl.h"
#include "log.h"
#include "node.h"
#include "order_desk.h"

#define SETTING "order_key_told"

struct ids {
	char (*all)[65];
	uint32_t n, max;
};

static int add(void *ctx, const struct store_node *n)
{
	struct ids *i = ctx;
	void *more;

	if (node_is_gone(n->life) || n->life == PLUMB_LIFE_PROVISIONING)
		return 0;
	if (i->n == i->max) {
		i->max = i->max ? i->max * 2 : 64;
		more = realloc(i->all, i->max * sizeof(*i->all));
		if (!more)
			return -ENOMEM;
		i->all = more;
	}
	memcpy(i->all[i->n++], n->id, 65);
	return 0;
}

static int order_one(const struct verifier *v, const char *id, const struct buf *spki)
{
	struct order o = {.kind = ORDER_KEY, .reason = "another key signs orders and verdicts"};
	struct store_node n = {.incarnation = 0};
	int r = v->store->ops->node_get(v->store->ctx, id, &n);

	if (r >= 0 && spki->size > sizeof(o.key))
		r = -E2BIG;
	if (r >= 0) {
		memcpy(o.key, spki->data, spki->size);
		o.key_size = spki->size;
		r = order_desk_give(v, &n, &o, NULL);
	}
	if (r >= 0)
		r = v->store->ops->node_put(v->store->ctx, &n);
	store_node_done(&n);
	return r;
}

static int log_it(const struct verifier *v, const char *id)
{
	CLEANUP(buf_done) struct buf b = {0};
	static const struct digest none;
	struct jsonl j = {.buf = &b};
	uint64_t seq;

	jsonl_str(&j, "operator", "");
	jsonl_str(&j, "action", "order_key");
	jsonl_str(&j, "node", "");
	jsonl_str(&j, "reason", id);
	jsonl_hex(&j, "envelope", none.bytes, DIGEST_SIZE);
	jsonl_str(&j, "result", "every node is ordered to take another key");
	return buf_status(&b) < 0 ? buf_status(&b)
				  : vlog_add(v->vlog, PLUMB_TYPE_ACTION, (char *)b.data, &seq);
}

static int give(const struct verifier *v, const char *id)
{
	CLEANUP(buf_done) struct buf spki = {0};
	const struct store *s = v->store;
	struct ids ids = {.n = 0};
	int r = sign_key_spki(v->verdict_key, &spki);

	if (r >= 0)
		r = s->ops->node_each(s->ctx, add, &ids);
	for (uint32_t i = 0; r >= 0 && i < ids.n; i++)
		r = order_one(v, ids.all[i], &spki);
	if (r >= 0)
		r = s->ops->setting_put(s->ctx, SETTING, id);
	if (r >= 0)
		r = log_it(v, id);
	if (r >= 0)
		r = vlog_sync(v->vlog);
	if (r >= 0)
		log_notice("order_key=%s nodes=%u next=\"each takes it with its next evidence\"",
			   id, ids.n);
	free(ids.all);
	return r < 0 ? r : 1;
}

int key_orders_give(const struct verifier *v)
{
	CLEANUP(buf_done) struct buf told = {0};
	const struct store *s = v->store;
	struct digest id;
	char hex[DIGEST_HEX_SIZE];
	int r;

	if (!v->old_verdict_key)
		return 0;
	r = sign_key_id(v->verdict_key, &id);
	if (r < 0)
		return r;
	digest_hex(&id, hex);
	r = s->ops->setting_get(s->ctx, SETTING, &told);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r >= 0 && told.size == strlen(hex) && memcmp(told.data, hex, told.size) == 0)
		return 0;
	r = s->ops->begin(s->ctx);
	if (r < 0)
		return r;
	r = give(v, hex);
	if (r >= 0)
		r = s->ops->commit(s->ctx) < 0 ? -EIO : r;
	if (r < 0)
		s->ops->rollback(s->ctx);
	return r;
}
