/* SPDX-License-Identifier: Apache-2.0 */
#include "action_release.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "order_desk.h"

/* Which are closed by it. */
struct closing {
	const struct action_release_word *w;
	uint64_t *ids;
	uint32_t n, max;
	bool holding_only;
};

static bool is_named(const struct action_release_word *w, uint64_t id)
{
	for (uint32_t i = 0; i < w->n_cases; i++)
		if (w->cases[i] == id)
			return true;
	return w->n_cases == 0;
}

static int on_closing(void *ctx, const struct store_case *k)
{
	struct closing *c = ctx;
	uint64_t *more;

	if (!is_named(c->w, k->id) ||
	    (c->holding_only && (!k->armed || k->action < PLUMB_ACTION_HOLD)))
		return 0;
	if (c->n == c->max) {
		c->max = c->max ? c->max * 2 : 32;
		more = realloc(c->ids, c->max * sizeof(*more));
		if (!more)
			return -ENOMEM;
		c->ids = more;
	}
	c->ids[c->n++] = k->id;
	return 0;
}

int action_release_cases(const struct action_release_word *w, const struct store_node *n,
			 bool holding_only, const char *verb, uint32_t *ret_n)
{
	const struct store *s = w->desk->v->store;
	struct closing c = {.w = w, .holding_only = holding_only};
	struct store_case *k = malloc(sizeof(*k));
	char why[256];
	int r = k ? s->ops->case_each(s->ctx, n->id, true, on_closing, &c) : -ENOMEM;

	snprintf(why, sizeof(why), "%s by %.60s: %.150s", verb, w->by, w->reason);
	for (uint32_t i = 0; r >= 0 && i < c.n; i++) {
		r = s->ops->case_get(s->ctx, c.ids[i], k);
		if (r < 0)
			break;
		verdict_close(k, clock_utc_ns(w->desk->v->clock), why);
		snprintf(k->ack_by, sizeof(k->ack_by), "%s", w->by);
		r = s->ops->case_put(s->ctx, k);
	}
	*ret_n = c.n;
	free(c.ids);
	free(k);
	return r < 0 ? r : 0;
}

int action_release_node(const struct action_release_word *w, struct store_node *n, uint32_t *ret_n)
{
	char cause[200];
	const struct transition_cause c = {
		.text = cause, .operator_name = w->by, .reason = w->reason};
	int r;

	snprintf(cause, sizeof(cause), "released by %.60s: %.100s", w->by, w->reason);
	r = transition_apply(w->t, n, NODE_RELEASED, &c);
	if (r >= 0)
		r = action_release_cases(w, n, true, "released", ret_n);
	if (r >= 0)
		r = intake_derive(w->desk->intake, n, cause, w->by, w->reason);
	return r < 0 ? r : 0;
}

int action_release_unheld(const struct action_release_word *w, struct store_node *n, char *ret_text,
			  size_t size)
{
	struct order o = {.kind = ORDER_RELEASE};
	uint64_t number;
	int r;

	snprintf(o.reason, sizeof(o.reason), "%.60s: %.190s", w->by, w->reason);
	r = order_desk_give(w->desk->v, n, &o, &number);
	if (r < 0)
		return r;
	snprintf(ret_text, size,
		 "%.100s is not held, so there is nothing to release here; if it is isolated, it "
		 "ends that (order %" PRIu64 ")",
		 n->label, number);
	return 0;
}
