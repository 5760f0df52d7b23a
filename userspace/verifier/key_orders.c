/* SPDX-License-Identifier: Apache-2.0 */
#include "key_orders.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "jsonl.h"
#include "log.h"
#include "node.h"
#include "order_desk.h"
#include "record.h"

#define SETTING "order_key_told"
#define WITNESS_SETTING "witness_key_told"

struct ids {
	bool gone; /* those that are, too */
	char (*all)[65];
	uint32_t n, max;
};

/* A key that is another one from this start on. */
struct turn {
	enum order_kind kind;
	const char *reason;
	const char *setting; /* the key that was told last */
	struct buf spki;
};

static int add(void *ctx, const struct store_node *n)
{
	struct ids *i = ctx;
	void *more;

	/* Who waits is given the keys that there are when it is approved. */
	if ((node_is_gone(n->life) && !i->gone) || n->life == PLUMB_LIFE_PROVISIONING)
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

/* 1: the record that we keep of the node names the other key, too; 0: it did already, or there is none. */
static int change_record(struct store_node *n, const struct buf *spki)
{
	struct record record = {.incarnation = 0};
	struct buf text = {0};
	struct why why = {""};
	int r = n->record.size ? record_parse(n->record.data, n->record.size, &record, &why) : 0;

	if (r < 0)
		log_error("node=%s record=unread error=\"%s\" next=\"it keeps the witness's old "
			  "key\"",
			  n->id, why.text);
	if (r < 0 || n->record.size == 0)
		return 0;
	r = record_change_witness(&record, spki->data, spki->size, n->head_size);
	if (r > 0) {
		r = record_write(&record, &text);
		if (r >= 0) {
			buf_done(&n->record);
			n->record = text;
			text = (struct buf){0};
			r = 1;
		}
	}
	if (r == -E2BIG) {
		log_error("node=%s witnesses=%u next=\"it has to be enrolled anew: its record "
			  "holds no more keys\"",
			  n->id, RECORD_MAX_WITNESSES);
		r = 0;
	}
	buf_done(&text);
	record_done(&record);
	return r;
}

/* 1: it was ordered. */
static int order_one(const struct verifier *v, const char *id, const struct turn *turn)
{
	struct order o = {.kind = turn->kind};
	struct store_node n = {.incarnation = 0};
	int r = v->store->ops->node_get(v->store->ctx, id, &n);

	snprintf(o.reason, sizeof(o.reason), "%s", turn->reason);
	if (r >= 0 && turn->spki.size > sizeof(o.key))
		r = -E2BIG;
	if (r >= 0)
		r = turn->kind == ORDER_WITNESS_KEY ? change_record(&n, &turn->spki) : 1;
	if (r > 0) {
		memcpy(o.key, turn->spki.data, turn->spki.size);
		o.key_size = turn->spki.size;
		/* Who is gone takes none, but what it left is checked by the record, too. */
		r = node_is_gone(n.life) ? 0 : order_desk_give(v, &n, &o, NULL);
		if (r >= 0)
			r = v->store->ops->node_put(v->store->ctx, &n);
		r = r < 0 ? r : 1;
	}
	store_node_done(&n);
	return r;
}

static int log_it(const struct verifier *v, const struct turn *turn, const char *id)
{
	CLEANUP(buf_done) struct buf b = {0};
	static const struct digest none;
	struct jsonl j = {.buf = &b};
	uint64_t seq;

	jsonl_str(&j, "operator", "");
	jsonl_str(&j, "action", order_kind_name(turn->kind));
	jsonl_str(&j, "node", "");
	jsonl_str(&j, "reason", id);
	jsonl_hex(&j, "envelope", none.bytes, DIGEST_SIZE);
	jsonl_str(&j, "result", "every node is ordered to take another key");
	return buf_status(&b) < 0 ? buf_status(&b)
				  : vlog_add(v->vlog, PLUMB_TYPE_ACTION, (char *)b.data, &seq);
}

static int give(const struct verifier *v, const struct turn *turn, const char *id)
{
	const struct store *s = v->store;
	struct ids ids = {.gone = turn->kind == ORDER_WITNESS_KEY};
	uint32_t n = 0;
	int r = s->ops->node_each(s->ctx, add, &ids);

	for (uint32_t i = 0; r >= 0 && i < ids.n; i++) {
		r = order_one(v, ids.all[i], turn);
		n += r > 0;
	}
	free(ids.all);
	if (r >= 0)
		r = s->ops->setting_put(s->ctx, turn->setting, id);
	/* That it is the first start there was is nothing to tell. */
	if (r < 0 || n == 0)
		return r < 0 ? r : 0;
	r = log_it(v, turn, id);
	if (r >= 0)
		r = vlog_sync(v->vlog);
	if (r >= 0)
		log_notice("%s=%s nodes=%u next=\"each takes it with its next evidence\"",
			   order_kind_name(turn->kind), id, n);
	return r < 0 ? r : 1;
}

/* All or nothing, and once a key. */
static int take_turn(const struct verifier *v, const struct turn *turn, const struct sign_key *key)
{
	CLEANUP(buf_done) struct buf told = {0};
	const struct store *s = v->store;
	struct digest id;
	char hex[DIGEST_HEX_SIZE];
	int r = sign_key_id(key, &id);

	if (r < 0)
		return r;
	digest_hex(&id, hex);
	r = s->ops->setting_get(s->ctx, turn->setting, &told);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r >= 0 && told.size == strlen(hex) && memcmp(told.data, hex, told.size) == 0)
		return 0;
	r = s->ops->begin(s->ctx);
	if (r < 0)
		return r;
	r = give(v, turn, hex);
	if (r >= 0)
		r = s->ops->commit(s->ctx) < 0 ? -EIO : r;
	if (r < 0)
		s->ops->rollback(s->ctx);
	return r;
}

static int turn_to(const struct verifier *v, struct turn *turn, const struct sign_key *key)
{
	int r = sign_key_spki(key, &turn->spki);

	if (r >= 0)
		r = take_turn(v, turn, key);
	buf_done(&turn->spki);
	return r;
}

int key_orders_give(const struct verifier *v)
{
	struct turn order = {.kind = ORDER_KEY,
			     .reason = "another key signs orders and verdicts",
			     .setting = SETTING};
	struct turn witness = {.kind = ORDER_WITNESS_KEY,
			       .reason = "another key cosigns",
			       .setting = WITNESS_SETTING};
	int r = v->old_verdict_key ? turn_to(v, &order, v->verdict_key) : 0;
	int r2 = r < 0 ? r : turn_to(v, &witness, v->witness_key);

	return r2 < 0 ? r2 : r | r2;
}
