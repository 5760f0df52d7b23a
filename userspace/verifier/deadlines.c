/* SPDX-License-Identifier: Apache-2.0 */
#include "deadlines.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "announced.h"
#include "appraisal.h"
#include "cleanup.h"
#include "log.h"
#include "row_list.h"
#include "row_times.h"

#define MS 1000000ull
#define JUMP_NS 2000000000ll /* less is a clock that is being set right slowly */
#define MAX_AWAY_MS 60000u /* between two looks at the clocks, one a second */
#define MAX_BATCH 64u /* nodes in one transaction */

struct deadlines {
	struct transition t;
	const struct verifier *v;
	struct documents *documents;
	uint64_t offset_ns; /* UTC less boot time, as it is believed; may wrap */
	uint64_t looked_ns; /* UTC of the last look: what ran out before it was dealt with */
	uint64_t next_ns; /* nothing runs out before; 0: look at once */
	uint64_t lenient_ns; /* after a start, nodes have until then to come back */
	uint64_t behind_ns; /* UTC at the start, behind what was written before; 0: not */
	uint64_t seen_ns; /* boot time at which the clocks were last looked at */
};

static const struct store_ops *ops(const struct deadlines *d)
{
	return d->v->store->ops;
}

static void *store_ctx(const struct deadlines *d)
{
	return d->v->store->ctx;
}

static uint64_t utc(const struct deadlines *d)
{
	return clock_utc_ns(d->v->clock);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Nobody was listened to until now. */
static int begin(struct deadlines *d)
{
	int r = row_times_begin_anew(d->v);

	if (r < 0)
		return r;
	d->lenient_ns = utc(d) + d->v->silent_after_ms * MS;
	d->seen_ns = clock_boot_ns(d->v->clock);
	d->next_ns = 0;
	return 0;
}

/* What jumped while nobody was there. */
static int find_behind(struct deadlines *d)
{
	int r = row_times_behind(d->v, &d->behind_ns);

	if (r < 0 || d->behind_ns == 0)
		return r;
	r = row_times_move(d->v, -(int64_t)d->behind_ns);
	if (r >= 0)
		log_warning("clock=behind by=%" PRIu64
			    "s next=\"all deadlines have moved with it\"",
			    d->behind_ns / 1000000000);
	return r;
}

int deadlines_open(const struct transition *t, struct documents *documents, struct deadlines **ret)
{
	struct deadlines *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	d->t = *t;
	d->v = t->v;
	d->documents = documents;
	d->offset_ns = utc(d) - clock_boot_ns(d->v->clock);
	r = find_behind(d);
	if (r >= 0)
		r = begin(d);
	if (r < 0) {
		free(d);
		return r;
	}
	*ret = d;
	return 0;
}

uint64_t deadlines_behind_ns(const struct deadlines *d)
{
	return d->behind_ns;
}

struct deadlines *deadlines_free(struct deadlines *d)
{
	free(d);
	return NULL;
}

static int follow_jump(struct deadlines *d)
{
	uint64_t offset = utc(d) - clock_boot_ns(d->v->clock);
	int64_t by = (int64_t)(offset - d->offset_ns);
	int r;

	if (by > -JUMP_NS && by < JUMP_NS)
		return 0;
	r = row_times_move(d->v, by);
	if (r < 0)
		return r;
	log_warning("clock=jumped by=%" PRId64 "s next=\"all deadlines have moved with it\"",
		    by / 1000000000);
	d->offset_ns = offset;
	row_times_move_one(&d->looked_ns, by);
	row_times_move_one(&d->lenient_ns, by);
	d->next_ns = 0;
	return 0;
}

int deadlines_clock(struct deadlines *d)
{
	uint64_t now = clock_boot_ns(d->v->clock), away = now - d->seen_ns;
	int r = follow_jump(d);

	/* A machine that slept, or a process that was stopped, is a verifier that was away. */
	if (r >= 0 && away > least(MAX_AWAY_MS, d->v->silent_after_ms / 2) * MS) {
		r = begin(d);
		if (r >= 0)
			log_warning("verifier=away for=%" PRIu64
				    "s next=\"nodes have their whole time again\"",
				    away / 1000000000);
	}
	if (r >= 0)
		d->seen_ns = now;
	return r;
}

void deadlines_changed(struct deadlines *d)
{
	d->next_ns = 0;
}

/* One look over all that waits. */
struct look {
	struct deadlines *d;
	uint64_t now_ns, next_ns;
	struct row_list ids;
};

static int add_due(struct look *l, const char *id)
{
	char key[65] = "";

	/* Cases come in order of their numbers, so the same node again is often near the end. */
	for (uint32_t i = l->ids.n; i > 0; i--)
		if (strcmp(row_list_at(&l->ids, i - 1), id) == 0)
			return 0;
	snprintf(key, sizeof(key), "%s", id);
	return row_list_add(&l->ids, key);
}

/* Due when it ran out since the last look; else it is remembered when the next one is needed. */
static bool ran_out(struct look *l, uint64_t at_ns)
{
	if (l->now_ns > at_ns)
		return l->d->looked_ns <= at_ns;
	l->next_ns = least(l->next_ns, at_ns);
	return false;
}

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* When provisional drift that was seen then should have been quoted. */
static uint64_t unconfirmed_at(const struct deadlines *d, uint64_t since_ns)
{
	return most(since_ns + d->v->unconfirmed_after_ms * MS, d->lenient_ns);
}

/* The same of lines that bind, whatever they tell. A backlog comes in many of them, each with its upload, before the quote over all. */
static uint64_t unquoted_at(const struct deadlines *d, uint64_t since_ns)
{
	uint64_t ms = most(d->v->silent_after_ms, d->v->unconfirmed_after_ms);

	return most(since_ns + ms * MS, d->lenient_ns);
}

static bool told_unconfirmed(const struct store_node *n)
{
	return n->findings & 1u << PLUMB_FINDING_UNCONFIRMED;
}

static int on_node(void *ctx, const struct store_node *n)
{
	struct look *l = ctx;
	bool due = false;

	if (!row_times_waited_for(n))
		return 0;
	/* Not by looked_ns: whoever is overdue is, until he is called silent. */
	if (n->deadline_ns && n->freshness != PLUMB_FRESHNESS_SILENT) {
		due = l->now_ns > n->deadline_ns;
		if (!due)
			l->next_ns = least(l->next_ns, n->deadline_ns);
	}
	if (n->prov_size && !told_unconfirmed(n))
		due |= ran_out(l, unquoted_at(l->d, n->prov_since_ns));
	return due ? add_due(l, n->id) : 0;
}

static int on_case(void *ctx, const struct store_case *k)
{
	struct look *l = ctx;
	bool due = false;

	if (k->provisional && !k->finding)
		due |= ran_out(l, unconfirmed_at(l->d, k->opened_ns));
	if (k->armed && k->grace_ms)
		due |= ran_out(l, k->opened_ns + k->grace_ms * MS);
	return due ? add_due(l, k->node) : 0;
}

/* What comes after this look cannot run out before that. */
static uint64_t soonest(const struct deadlines *d, uint64_t now_ns)
{
	const struct policy *p = documents_policy(d->documents);
	uint64_t ms = least(d->v->silent_after_ms, d->v->unconfirmed_after_ms);

	for (uint32_t i = 0; p && i < policy_n_rules(p); i++)
		if (policy_rule(p, i)->grace_ms)
			ms = least(ms, policy_rule(p, i)->grace_ms);
	return now_ns + ms * MS;
}

struct oldest {
	const struct deadlines *d;
	uint64_t now_ns;
	bool found;
	uint64_t seq;
};

static int on_unconfirmed(void *ctx, const struct store_case *k)
{
	struct oldest *o = ctx;

	if (k->provisional && !k->finding && o->now_ns > unconfirmed_at(o->d, k->opened_ns)) {
		o->found = true;
		o->seq = k->first_seq;
	}
	return 0;
}

/* Its machine was taken out of the cluster: silence is what comes of that, for as long as it is so (deserted.h). Not of one that is held. */
static bool is_deleted(const struct deadlines *d, const struct store_node *n)
{
	const struct contain_entry *e =
		d->t.contain ? contain_book_id(contain_book(d->t.contain), n->id) : NULL;

	/* What is only reported keeps no node in a cluster. */
	return e && e->unlisted_ns &&
	       (n->containment == PLUMB_CONTAIN_FREE || n->containment == PLUMB_CONTAIN_REPORT);
}

/* It could not say so itself any more: a machine that is taken away, or killed. 1: it may be away. */
static int may_leave(struct deadlines *d, struct store_node *n, uint64_t now_ns)
{
	struct transition_cause c = {.text = "an operator announced that it leaves"};
	uint64_t until_ns = 0;
	int r = announced_until(d->v, n, now_ns, &until_ns);

	if (r < 0 || (until_ns == 0 && !is_deleted(d, n)))
		return r < 0 ? r : 0;
	n->leaving_until_ns = n->deadline_ns = until_ns;
	/* Looked at again and again: an object that is back excuses nothing. */
	if (until_ns == 0) {
		c.text =
			"its Kubernetes node was deleted; it is retired when nothing more is heard";
		n->deadline_ns = now_ns + d->v->silent_after_ms * MS;
	}
	r = transition_apply(&d->t, n, NODE_ABSENCE, &c);
	return r < 0 ? r : 1;
}

static int tell_silent(struct store_node *n, struct cases *cases, const char *text)
{
	n->findings |= 1u << PLUMB_FINDING_SILENT;
	return cases_finding(cases, PLUMB_FINDING_SILENT, n->base_size,
			     "evidence before its deadline", text);
}

static int be_silent(struct deadlines *d, struct store_node *n, struct cases *cases,
		     uint64_t now_ns)
{
	char text[160];
	const struct transition_cause c = {.text = text,
					   .absence_over = n->leaving_until_ns == 0 ||
							   now_ns > n->leaving_until_ns};
	uint64_t since = n->last_evidence_ns ? n->last_evidence_ns : n->enrolled_ns;
	int r;

	snprintf(text, sizeof(text), "no evidence for %" PRIu64 " s",
		 now_ns > since ? (now_ns - since) / 1000000000 : 0);
	r = transition_apply(&d->t, n, NODE_OVERDUE, &c);
	return r <= 0 ? r : tell_silent(n, cases, text);
}

int deadlines_asks_anew(struct deadlines *d, struct store_node *n)
{
	static const char text[] = "it asks to be enrolled anew, without a token: until a person "
				   "admits it, nothing of it is known";
	struct cases cases = {.v = d->v,
			      .policy = documents_policy(d->documents),
			      .node = n,
			      .bound = true,
			      .now_ns = utc(d)};
	const struct transition_cause asks = {.text = text, .absence_over = true};
	const struct transition_cause sum = {.text = NULL};
	int r = transition_apply(&d->t, n, NODE_OVERDUE, &asks);

	/* Silent already, too: a person may have settled that. */
	if (r >= 0)
		r = tell_silent(n, &cases, text);
	if (r >= 0)
		r = appraisal_derive(&d->t, d->documents, n, false, &sum);
	cases_done(&cases);
	d->next_ns = 0;
	return r < 0 ? r : 0;
}

static int look_unconfirmed(struct deadlines *d, struct store_node *n, struct cases *cases,
			    uint64_t now_ns)
{
	struct oldest o = {.d = d, .now_ns = now_ns};
	const char *what = "provisional drift that no quote has covered";
	int r;

	if (told_unconfirmed(n))
		return 0;
	r = ops(d)->case_each(store_ctx(d), n->id, true, on_unconfirmed, &o);
	if (r < 0)
		return r;
	if (!o.found && n->prov_size && now_ns > unquoted_at(d, n->prov_since_ns)) {
		what = "signed lines that no quote has covered";
		o.found = true;
		o.seq = n->prov_size - 1;
	}
	if (!o.found)
		return 0;
	n->findings |= 1u << PLUMB_FINDING_UNCONFIRMED;
	return cases_finding(cases, PLUMB_FINDING_UNCONFIRMED, o.seq, "a quote over it in time",
			     what);
}

/* In the caller's transaction. */
static int do_node(struct deadlines *d, const char *id, uint64_t now_ns)
{
	struct store_node n = {.incarnation = 0};
	struct cases cases = {.v = d->v,
			      .policy = documents_policy(d->documents),
			      .node = &n,
			      .bound = true,
			      .now_ns = now_ns};
	const struct transition_cause c = {.text = NULL};
	int r = ops(d)->node_get(store_ctx(d), id, &n);

	if (r >= 0 && row_times_waited_for(&n)) {
		if (n.deadline_ns && now_ns > n.deadline_ns &&
		    n.freshness != PLUMB_FRESHNESS_SILENT) {
			r = may_leave(d, &n, now_ns);
			if (r == 0)
				r = be_silent(d, &n, &cases, now_ns);
		}
		if (r >= 0)
			r = look_unconfirmed(d, &n, &cases, now_ns);
		if (r >= 0)
			r = appraisal_derive(&d->t, d->documents, &n, false, &c);
		if (r >= 0)
			r = ops(d)->node_put(store_ctx(d), &n);
	}
	cases_done(&cases);
	store_node_done(&n);
	return r < 0 ? r : 0;
}

static int do_some(struct deadlines *d, const struct look *l, uint32_t from, uint32_t to)
{
	int r = ops(d)->begin(store_ctx(d));

	if (r < 0)
		return r;
	for (uint32_t i = from; r >= 0 && i < to; i++)
		r = do_node(d, row_list_at(&l->ids, i), l->now_ns);
	if (r >= 0)
		return ops(d)->commit(store_ctx(d));
	ops(d)->rollback(store_ctx(d));
	return r;
}

/* When one of a batch fails, the others must not wait for it. */
static int do_each(struct deadlines *d, const struct look *l, uint32_t from, uint32_t to)
{
	int r, result = 0;

	for (uint32_t i = from; i < to; i++) {
		r = do_some(d, l, i, i + 1);
		if (r >= 0)
			continue;
		log_error("node=%s deadline=unchecked error=\"%s\" next=\"tried again\"",
			  (char *)row_list_at(&l->ids, i), strerror(-r));
		result = r;
	}
	return result;
}

static int do_all(struct deadlines *d, const struct look *l)
{
	int r, result = 0;

	for (uint32_t from = 0; from < l->ids.n; from += MAX_BATCH) {
		uint32_t to = l->ids.n - from < MAX_BATCH ? l->ids.n : from + MAX_BATCH;

		if (do_some(d, l, from, to) >= 0)
			continue;
		r = do_each(d, l, from, to);
		if (r < 0)
			result = r;
	}
	return result;
}

int deadlines_tick(struct deadlines *d)
{
	struct look l = {.d = d, .now_ns = utc(d), .ids.size = 65};
	int r = deadlines_clock(d);

	if (r < 0 || (d->next_ns && l.now_ns <= d->next_ns))
		return r;
	l.next_ns = soonest(d, l.now_ns);
	r = ops(d)->node_each(store_ctx(d), on_node, &l);
	if (r >= 0)
		r = ops(d)->case_each(store_ctx(d), NULL, true, on_case, &l);
	if (r >= 0)
		r = do_all(d, &l);
	d->next_ns = r < 0 ? 0 : l.next_ns;
	if (r >= 0)
		d->looked_ns = l.now_ns;
	if (l.ids.n > 0)
		contain_kick(d->t.contain);
	row_list_done(&l.ids);
	return r < 0 ? r : 0;
}
