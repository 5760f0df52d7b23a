/* SPDX-License-Identifier: Apache-2.0 */
#include "deserted.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "contain.h"
#include "log.h"
#include "transition.h"

#define MS 1000000ull

/* Whoever is held for anything but his silence is not let go by deleting an object: that takes a person. */
static int on_case(void *ctx, const struct store_case *k)
{
	bool *held = ctx;

	*held |= k->armed && k->action >= PLUMB_ACTION_HOLD && k->finding != PLUMB_FINDING_SILENT;
	return 0;
}

static bool is_long_silent(const struct store_node *n, uint64_t now_ns, uint64_t after_ms)
{
	uint64_t last_ns = n->last_evidence_ns ? n->last_evidence_ns : n->enrolled_ns;

	return (n->life == PLUMB_LIFE_ENROLLED || n->life == PLUMB_LIFE_ACTIVE) && !n->forked &&
	       n->freshness != PLUMB_FRESHNESS_FRESH && now_ns > last_ns + after_ms * MS;
}

/* In the caller's transaction. */
static int retire(const struct action_desk *d, struct store_node *n, uint64_t after_ms)
{
	const struct transition t = {.v = d->v, .contain = d->contain};
	const struct store *s = d->v->store;
	char text[200];
	const struct transition_cause c = {.text = text};
	bool held = false;
	int r = 0;

	if (!n->kube_name[0] || !is_long_silent(n, clock_utc_ns(d->v->clock), after_ms))
		return 0;
	r = s->ops->case_each(s->ctx, n->id, true, on_case, &held);
	if (r < 0 || held)
		return r < 0 ? r : 0;
	snprintf(text, sizeof(text),
		 "Kubernetes node %.100s was deleted, and nothing was heard for %" PRIu64 " s",
		 n->kube_name, after_ms / 1000);
	r = transition_apply(&t, n, NODE_RETIRED, &c);
	if (r > 0)
		r = s->ops->node_put(s->ctx, n);
	if (r >= 0)
		log_notice("node=%s retired=yes cause=\"%s\"", n->label, text);
	return r;
}

static int do_one(const struct action_desk *d, const char *id, uint64_t after_ms)
{
	const struct store *s = d->v->store;
	struct store_node n = {.incarnation = 0};
	int r = s->ops->begin(s->ctx);

	if (r < 0)
		return r;
	r = s->ops->node_get(s->ctx, id, &n);
	if (r >= 0)
		r = retire(d, &n, after_ms);
	store_node_done(&n);
	if (r >= 0)
		return s->ops->commit(s->ctx);
	s->ops->rollback(s->ctx);
	return r;
}

/* There was an object that was its own for certain, and there is none: seen so all the time, not once. */
static bool is_deserted(struct contain_entry *e, uint64_t boot_ns, uint64_t after_ms)
{
	if (e->listed || !e->kube_name[0] || !e->uid[0] || e->life == PLUMB_LIFE_RETIRED) {
		e->unlisted_ns = 0;
		return false;
	}
	if (e->unlisted_ns == 0)
		e->unlisted_ns = boot_ns ? boot_ns : 1;
	return boot_ns - e->unlisted_ns >= after_ms * MS;
}

int deserted_tick(const struct action_desk *d, bool watches, uint64_t after_ms)
{
	struct contain_book *b = d->contain ? contain_book(d->contain) : NULL;
	uint64_t boot_ns = clock_boot_ns(d->v->clock);
	bool retired = false;
	int r = 0;

	/* Nobody is gone because nobody looks. */
	if (!b || !watches || after_ms == 0)
		return 0;
	for (uint32_t i = 0; r >= 0 && i < contain_book_n(b); i++) {
		struct contain_entry *e = contain_book_at(b, i);

		if (!is_deserted(e, boot_ns, after_ms))
			continue;
		/* Whether it is or not: not again before as much time has passed. */
		e->unlisted_ns = 0;
		r = do_one(d, e->id, after_ms);
		retired |= r >= 0;
	}
	if (retired)
		contain_kick(d->contain);
	return r < 0 ? r : 0;
}
