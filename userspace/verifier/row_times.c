/* SPDX-License-Identifier: Apache-2.0 */
#include "row_times.h"

#include <errno.h>
#include <stdlib.h>

#include "row_list.h"

#define MS 1000000ull

static const struct store_ops *ops(const struct verifier *v)
{
	return v->store->ops;
}

static void *store_ctx(const struct verifier *v)
{
	return v->store->ctx;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

bool row_times_waited_for(const struct store_node *n)
{
	bool anew = n->life == PLUMB_LIFE_PROVISIONING && n->freshness == PLUMB_FRESHNESS_SILENT;

	return (n->life == PLUMB_LIFE_ENROLLED || n->life == PLUMB_LIFE_ACTIVE || anew) &&
	       !n->forked;
}

static bool has_times(const struct store_node *n)
{
	return row_times_waited_for(n) && (n->deadline_ns || n->prov_size);
}

void row_times_move_one(uint64_t *at, int64_t by_ns)
{
	if (*at == 0)
		return;
	if (by_ns < 0 && *at <= (uint64_t)-by_ns)
		*at = 1;
	else
		*at += (uint64_t)by_ns;
}

/* One change of rows. */
struct change {
	const struct verifier *v;
	int64_t by_ns;
	uint64_t now_ns;
	struct row_list ids;
};

static int on_node(void *ctx, const struct store_node *n)
{
	struct change *c = ctx;

	return has_times(n) ? row_list_add(&c->ids, n->id) : 0;
}

static int each_node(struct change *c, void (*fn)(const struct change *c, struct store_node *n))
{
	int r;

	c->ids = (struct row_list){.size = sizeof(((struct store_node *)0)->id)};
	r = ops(c->v)->node_each(store_ctx(c->v), on_node, c);
	for (uint32_t i = 0; r >= 0 && i < c->ids.n; i++) {
		struct store_node n = {.incarnation = 0};

		r = ops(c->v)->node_get(store_ctx(c->v), row_list_at(&c->ids, i), &n);
		if (r < 0)
			break;
		fn(c, &n);
		r = ops(c->v)->node_put(store_ctx(c->v), &n);
		store_node_done(&n);
	}
	row_list_done(&c->ids);
	return r < 0 ? r : 0;
}

static void move_node(const struct change *c, struct store_node *n)
{
	row_times_move_one(&n->deadline_ns, c->by_ns);
	row_times_move_one(&n->leaving_until_ns, c->by_ns);
	row_times_move_one(&n->prov_since_ns, c->by_ns);
	row_times_move_one(&n->last_evidence_ns, c->by_ns);
	/* As the log has it, but for what lies ahead: the next start would take that for a clock that was set back again. */
	n->state_since_ns = least(n->state_since_ns, c->now_ns);
}

/* All that are open: one that asks for nothing now may be armed, and grace counts from when it drifted. */
static int on_case(void *ctx, const struct store_case *k)
{
	struct change *c = ctx;

	return row_list_add(&c->ids, &k->id);
}

static int move_cases(struct change *c)
{
	struct store_case *k = malloc(sizeof(*k));
	int r;

	c->ids = (struct row_list){.size = sizeof(k->id)};
	r = k ? ops(c->v)->case_each(store_ctx(c->v), NULL, true, on_case, c) : -ENOMEM;
	for (uint32_t i = 0; r >= 0 && i < c->ids.n; i++) {
		r = ops(c->v)->case_get(store_ctx(c->v), *(uint64_t *)row_list_at(&c->ids, i), k);
		if (r < 0)
			break;
		row_times_move_one(&k->opened_ns, c->by_ns);
		row_times_move_one(&k->last_ns, c->by_ns);
		r = ops(c->v)->case_put(store_ctx(c->v), k);
	}
	row_list_done(&c->ids);
	free(k);
	return r < 0 ? r : 0;
}

static int end(const struct verifier *v, int r)
{
	if (r >= 0)
		return ops(v)->commit(store_ctx(v));
	ops(v)->rollback(store_ctx(v));
	return r;
}

int row_times_move(const struct verifier *v, int64_t by_ns)
{
	struct change c = {.v = v, .by_ns = by_ns, .now_ns = clock_utc_ns(v->clock)};
	int r = ops(v)->begin(store_ctx(v));

	if (r < 0)
		return r;
	r = each_node(&c, move_node);
	if (r >= 0)
		r = move_cases(&c);
	return end(v, r);
}

static void later(uint64_t *newest, uint64_t at)
{
	*newest = at > *newest ? at : *newest;
}

static int on_node_time(void *ctx, const struct store_node *n)
{
	if (!has_times(n))
		return 0;
	later(ctx, n->last_evidence_ns);
	later(ctx, n->state_since_ns);
	return 0;
}

static int on_case_time(void *ctx, const struct store_case *k)
{
	later(ctx, k->opened_ns);
	later(ctx, k->last_ns);
	return 0;
}

int row_times_behind(const struct verifier *v, uint64_t *ret_ns)
{
	uint64_t newest = 0, now = clock_utc_ns(v->clock);
	int r = ops(v)->node_each(store_ctx(v), on_node_time, &newest);

	if (r >= 0)
		r = ops(v)->case_each(store_ctx(v), NULL, true, on_case_time, &newest);
	if (r < 0)
		return r;
	*ret_ns = newest > now ? newest - now : 0;
	return 0;
}

/* Nobody is waited for longer than at the first time. */
static void begin_node(const struct change *c, struct store_node *n)
{
	const struct verifier *v = c->v;
	uint64_t soonest = c->now_ns + v->silent_after_ms * MS;
	uint64_t latest = soonest;

	if (n->freshness == PLUMB_FRESHNESS_LEAVING && v->leaving_ms > v->silent_after_ms)
		latest = c->now_ns + v->leaving_ms * MS;
	if (n->deadline_ns < soonest)
		n->deadline_ns = soonest;
	n->deadline_ns = least(n->deadline_ns, latest);
	n->leaving_until_ns = least(n->leaving_until_ns, latest);
	n->prov_since_ns = least(n->prov_since_ns, c->now_ns);
	n->last_evidence_ns = least(n->last_evidence_ns, c->now_ns);
}

int row_times_begin_anew(const struct verifier *v)
{
	struct change c = {.v = v, .now_ns = clock_utc_ns(v->clock)};
	int r = ops(v)->begin(store_ctx(v));

	return r < 0 ? r : end(v, each_node(&c, begin_node));
}
