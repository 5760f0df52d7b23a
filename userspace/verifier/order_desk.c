/* SPDX-License-Identifier: Apache-2.0 */
#include "order_desk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "dsse.h"
#include "jsonl.h"
#include "line.h"
#include "plumb/wire.h"

#define MAX_ORDER 8192

static int give(const struct verifier *v, struct store_node *n, const struct order *what,
		uint64_t issued_ns, uint64_t *ret_number)
{
	CLEANUP(buf_done) struct buf payload = {0}, envelope = {0};
	const struct sign_key *const keys[] = {v->verdict_key, v->old_verdict_key};
	const struct store *s = v->store;
	struct order o = *what;
	int r;

	memcpy(o.node, n->id, sizeof(o.node));
	o.incarnation = n->incarnation;
	o.number = n->last_order + 1;
	o.head_size = n->head_size;
	o.head_root = n->head_root;
	o.issued_ns = issued_ns;
	if (o.life_ms == 0)
		o.life_ms = ORDER_DESK_LIFE_MS;
	r = order_write(&o, &payload);
	if (r >= 0)
		r = dsse_sign(WIRE_DSSE_ORDER, payload.data, payload.size, keys,
			      v->old_verdict_key ? 2 : 1, &envelope);
	if (r >= 0)
		r = s->ops->order_put(s->ctx, n->id, o.number, envelope.data, envelope.size);
	if (r < 0)
		return r;
	n->last_order = o.number;
	if (ret_number)
		*ret_number = o.number;
	return 0;
}

int order_desk_give(const struct verifier *v, struct store_node *n, const struct order *what,
		    uint64_t *ret_number)
{
	return give(v, n, what, clock_utc_ns(v->clock), ret_number);
}

struct look {
	const struct verifier *v;
	const struct store_node *n;
	struct evidence_answer *a;
	struct appraise_drift_restart *restarts;
	uint32_t max, n_restarts;
};

/* Our own orders, read back: one that cannot be read is told to nobody and hides nothing else. */
static int read_order(const void *envelope, size_t size, struct order *ret)
{
	CLEANUP(buf_done) struct buf payload = {0}, type = {0};
	struct why why;
	int r = dsse_peek(envelope, size, MAX_ORDER, &payload, &type, &why);

	return r < 0 ? r : order_parse(payload.data, payload.size, ret, &why);
}

static bool expires(enum order_kind k)
{
	return k == ORDER_CHALLENGE || k == ORDER_RESTART || k == ORDER_SCAN || k == ORDER_REKEY;
}

static int on_answer(void *ctx, uint64_t number, const void *envelope, size_t size)
{
	struct look *l = ctx;
	struct order o;

	(void)number;
	if (l->a->n_orders >= EVIDENCE_MAX_ORDERS)
		return 1;
	if (read_order(envelope, size, &o) < 0 || o.incarnation != l->n->incarnation)
		return 0;
	if (expires(o.kind) && clock_utc_ns(l->v->clock) > o.issued_ns + o.life_ms * 1000000)
		return 0;
	buf_put(&l->a->orders[l->a->n_orders], envelope, size);
	return buf_status(&l->a->orders[l->a->n_orders++]);
}

int order_desk_answer(const struct verifier *v, const struct store_node *n, uint64_t seen,
		      struct evidence_answer *a)
{
	struct look l = {.v = v, .n = n, .a = a};
	int r;

	if (seen >= n->last_order)
		return 0;
	r = v->store->ops->order_each(v->store->ctx, n->id, seen, on_answer, &l);
	return r < 0 ? r : 0;
}

static int on_restart(void *ctx, uint64_t number, const void *envelope, size_t size)
{
	struct look *l = ctx;
	struct order o;

	if (read_order(envelope, size, &o) < 0 || o.incarnation != l->n->incarnation ||
	    o.kind != ORDER_RESTART)
		return 0;
	/* Full: the oldest goes. They come in order of their numbers. */
	if (l->n_restarts == l->max) {
		memmove(l->restarts, l->restarts + 1, (l->max - 1) * sizeof(*l->restarts));
		l->n_restarts--;
	}
	l->restarts[l->n_restarts++] =
		(struct appraise_drift_restart){number, o.issued_ns, o.life_ms};
	return 0;
}

int order_desk_restarts(const struct verifier *v, const struct store_node *n,
			struct appraise_drift_restart *ret, uint32_t max, uint32_t *ret_n)
{
	struct look l = {.v = v, .n = n, .restarts = ret, .max = max};
	int r = max == 0 ? -EINVAL
			 : v->store->ops->order_each(v->store->ctx, n->id, 0, on_restart, &l);

	if (r < 0)
		return r;
	*ret_n = l.n_restarts;
	return 0;
}

struct newest {
	uint64_t incarnation, number, issued_ns;
};

static int on_baseline(void *ctx, uint64_t number, const void *envelope, size_t size)
{
	struct newest *n = ctx;
	struct order o;

	if (read_order(envelope, size, &o) >= 0 && o.kind == ORDER_BASELINE &&
	    o.incarnation == n->incarnation) {
		n->number = number;
		n->issued_ns = o.issued_ns;
	}
	return 0;
}

static int newest_baseline(const struct verifier *v, const struct store_node *n, struct newest *ret)
{
	*ret = (struct newest){.incarnation = n->incarnation};
	return v->store->ops->order_each(v->store->ctx, n->id, 0, on_baseline, ret);
}

int order_desk_under_way(const struct verifier *v, const struct store_node *n, uint64_t seen)
{
	struct newest newest;
	int r = newest_baseline(v, n, &newest);

	if (r < 0)
		return r;
	/* Each accepted evidence was answered with it. */
	return newest.number > seen &&
	       n->last_evidence_ns < newest.issued_ns + v->silent_after_ms * 1000000;
}

int order_desk_again(const struct verifier *v, struct store_node *n, uint64_t seen)
{
	const struct order o = {.kind = ORDER_BASELINE,
				.reason = "it does not judge by the baseline that it was given",
				.document = n->baseline,
				.version = n->baseline_version};
	uint64_t now = clock_utc_ns(v->clock);
	struct newest newest;
	int r = newest_baseline(v, n, &newest);

	if (r < 0)
		return r;
	if (newest.number > seen || (newest.number > 0 && now >= newest.issued_ns &&
				     now - newest.issued_ns < v->silent_after_ms * 1000000))
		return 0;
	r = order_desk_give(v, n, &o, NULL);
	return r < 0 ? r : 1;
}

static int on_isolating(void *ctx, uint64_t number, const void *envelope, size_t size)
{
	struct order *last = ctx, o;

	(void)number;
	if (read_order(envelope, size, &o) >= 0 &&
	    (o.kind == ORDER_QUARANTINE || o.kind == ORDER_RELEASE))
		*last = o;
	return 0;
}

/* kind 0: there is none. */
static int last_isolating(const struct verifier *v, const struct store_node *n, struct order *ret)
{
	*ret = (struct order){.number = 0};
	return v->store->ops->order_each(v->store->ctx, n->id, 0, on_isolating, ret);
}

int order_desk_isolates(const struct verifier *v, const struct store_node *n)
{
	struct order last;
	int r = last_isolating(v, n, &last);

	return r < 0 ? r : last.kind == ORDER_QUARANTINE;
}

struct taking {
	uint64_t number;
	bool taken;
};

static int on_taken(void *ctx, uint64_t seq, const char *text, size_t size)
{
	static const char sign[] = "\"type\":\"order\"";
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct taking *t = ctx;
	uint64_t number;
	struct line l;
	struct why why;

	(void)seq;
	if (!memmem(text, size, sign, sizeof(sign) - 1) ||
	    line_parse(text, size, &o, &l, &why) < 0 || l.type != PLUMB_TYPE_ORDER ||
	    jsonl_get_uint(o, "number", INT64_MAX, &number, NULL) < 0)
		return 0;
	t->taken |= number == t->number;
	return t->taken;
}

int order_desk_unreleased(const struct verifier *v, const struct store_node *n, struct order *ret)
{
	const struct store *s = v->store;
	struct order last;
	struct taking t;
	uint64_t from;
	int r = last_isolating(v, n, &last);

	if (r < 0 || last.kind != ORDER_RELEASE || last.incarnation != n->incarnation)
		return r < 0 ? r : 0;
	t = (struct taking){.number = last.number};
	/* Its line can only stand after what was known of its ledger by then. */
	from = last.head_size < n->frontier.size ? last.head_size : n->frontier.size;
	r = s->ops->lines_each(s->ctx, n->id, n->incarnation, from, n->frontier.size, on_taken, &t);
	if (r < 0 && r != -ENOENT)
		return r;
	*ret = last;
	return !t.taken;
}

struct numbered {
	uint64_t number;
	bool found;
	struct order o;
};

static int on_numbered(void *ctx, uint64_t number, const void *envelope, size_t size)
{
	struct numbered *s = ctx;

	s->found = number == s->number && read_order(envelope, size, &s->o) >= 0;
	return 1;
}

/* A later one of these takes the place of the one before. Keys do not: each is needed to believe what it signed. */
static bool takes_place_of(const struct order *later, const struct order *o)
{
	bool isolates = later->kind == ORDER_QUARANTINE || later->kind == ORDER_RELEASE;

	if (o->kind == ORDER_QUARANTINE || o->kind == ORDER_RELEASE)
		return isolates;
	return later->kind == o->kind && o->kind != ORDER_KEY && o->kind != ORDER_WITNESS_KEY;
}

struct after {
	const struct order *o;
	bool has_later;
};

static int on_after(void *ctx, uint64_t number, const void *envelope, size_t size)
{
	struct after *a = ctx;
	struct order later;

	(void)number;
	a->has_later = read_order(envelope, size, &later) >= 0 &&
		       later.incarnation == a->o->incarnation && takes_place_of(&later, a->o);
	return a->has_later;
}

/* 1: ours of that number is another one, which is still to be done. Only what is newer than the last word of the node: it cannot renew old ones. */
static int is_missed(const struct verifier *v, const struct store_node *n, const json_t *line,
		     struct order *ret)
{
	struct numbered s = {.found = false};
	struct after a = {.o = &s.o};
	char issued[CLOCK_TEXT_SIZE];
	const char *told;
	struct why why;
	int r;

	if (jsonl_get_uint(line, "number", INT64_MAX, &s.number, &why) < 0 || s.number == 0 ||
	    jsonl_get_str(line, "issued", sizeof(issued), &told, &why) < 0)
		return 0;
	r = v->store->ops->order_each(v->store->ctx, n->id, s.number - 1, on_numbered, &s);
	if (r < 0 || !s.found || s.o.incarnation != n->incarnation ||
	    s.o.issued_ns <= n->last_evidence_ns)
		return r < 0 ? r : 0;
	clock_text(s.o.issued_ns, issued);
	if (strcmp(told, issued) == 0)
		return 0;
	r = v->store->ops->order_each(v->store->ctx, n->id, s.number, on_after, &a);
	*ret = s.o;
	return r < 0 ? r : !a.has_later;
}

/*
 * It bears the evidence's own time, which becomes that of the node's last word, and ends when it would have ended: so that it cannot be renewed
 * once more, nor last longer, by a node that tells lies of it. 1: it was given.
 */
static int give_again(const struct verifier *v, struct store_node *n, struct order *o,
		      uint64_t now_ns)
{
	uint64_t end_ns = o->issued_ns + o->life_ms * 1000000, left_ms;
	int r;

	if (expires(o->kind)) {
		left_ms = end_ns > now_ns ? (end_ns - now_ns) / 1000000 : 0;
		if (left_ms == 0)
			return 0;
		/* Issued after that time: the clock was set back. */
		o->life_ms = left_ms < o->life_ms ? left_ms : o->life_ms;
	}
	r = give(v, n, o, now_ns, NULL);
	return r < 0 ? r : 1;
}

static bool is_later(const json_t *line, uint64_t *last)
{
	uint64_t number;

	if (jsonl_get_uint(line, "number", INT64_MAX, &number, NULL) < 0 || number <= *last)
		return false;
	*last = number;
	return true;
}

int order_desk_missed(const struct verifier *v, struct store_node *n, struct buf_view lines,
		      uint64_t now_ns, uint32_t *ret_n)
{
	static const char sign[] = "\"type\":\"order\"";
	const uint8_t *at = lines.data, *end = at + lines.size, *lf;
	uint64_t last = 0;
	int r = 0;

	*ret_n = 0;
	/* Each number once: in a ledger they only grow. And no more than an answer has room for: what a node says here is its root's. */
	for (; at < end && r >= 0 && *ret_n < EVIDENCE_MAX_ORDERS; at = lf + 1) {
		CLEANUP(jsonl_decref_p) json_t *o = NULL;
		struct order missed;
		struct line l;
		struct why why;

		lf = memchr(at, '\n', (size_t)(end - at));
		if (!lf)
			break;
		if (!memmem(at, (size_t)(lf - at), sign, sizeof(sign) - 1) ||
		    line_parse((const char *)at, (size_t)(lf - at), &o, &l, &why) < 0 ||
		    l.type != PLUMB_TYPE_ORDER || !is_later(o, &last))
			continue;
		r = is_missed(v, n, o, &missed);
		if (r > 0)
			r = give_again(v, n, &missed, now_ns);
		*ret_n += r > 0;
	}
	return r < 0 ? r : 0;
}
