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

/* Who asked to be enrolled anew is silent until he is admitted and heard; a stranger who waits for his approval is nobody yet. */
static bool waited_for(const struct store_node *n)
{
	bool anew = n->life == PLUMB_LIFE_PROVISIONING && n->freshness == PLUMB_FRESHNESS_SILENT;

	return (n->life == PLUMB_LIFE_ENROLLED || n->life == PLUMB_LIFE_ACTIVE || anew) &&
	       !n->forked;
}

/* Ids of nodes, or numbers of cases, found by reading; rows are not changed while they are being walked. */
struct list {
	void *items;
	size_t size; /* of one */
	uint32_t n, max;
};

static int list_add(struct list *l, const void *item)
{
	void *more;

	if (l->n == l->max) {
		l->max = l->max ? l->max * 2 : 16;
		more = realloc(l->items, l->max * l->size);
		if (!more)
			return -ENOMEM;
		l->items = more;
	}
	memcpy((char *)l->items + l->n++ * l->size, item, l->size);
	return 0;
}

static void *list_at(const struct list *l, uint32_t i)
{
	return (char *)l->items + i * l->size;
}

static void list_done(struct list *l)
{
	free(l->items);
}

/* How rows are moved to another time. */
struct shift {
	struct deadlines *d;
	bool start; /* else a jump by by_ns */
	int64_t by_ns;
	uint64_t now_ns;
	struct list ids;
};

static void move(uint64_t *at, int64_t by_ns)
{
	if (*at == 0)
		return;
	if (by_ns < 0 && *at <= (uint64_t)-by_ns)
		*at = 1;
	else
		*at += (uint64_t)by_ns;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Whoever was due meanwhile could not know that nobody listened; and nobody is waited for longer than at the first time. */
static void begin_anew(const struct shift *s, struct store_node *n)
{
	const struct verifier *v = s->d->v;
	uint64_t soonest = s->now_ns + v->silent_after_ms * MS;
	uint64_t latest = soonest;

	if (n->freshness == PLUMB_FRESHNESS_LEAVING && v->leaving_ms > v->silent_after_ms)
		latest = s->now_ns + v->leaving_ms * MS;
	if (n->deadline_ns < soonest)
		n->deadline_ns = soonest;
	n->deadline_ns = least(n->deadline_ns, latest);
	n->leaving_until_ns = least(n->leaving_until_ns, latest);
	n->prov_since_ns = least(n->prov_since_ns, s->now_ns);
	n->last_evidence_ns = least(n->last_evidence_ns, s->now_ns);
}

static int on_shift_node(void *ctx, const struct store_node *n)
{
	struct shift *s = ctx;

	return waited_for(n) && (n->deadline_ns || n->prov_size) ? list_add(&s->ids, n->id) : 0;
}

static int shift_nodes(struct shift *s)
{
	const struct deadlines *d = s->d;
	int r = ops(d)->node_each(store_ctx(d), on_shift_node, s);

	for (uint32_t i = 0; r >= 0 && i < s->ids.n; i++) {
		struct store_node n = {.incarnation = 0};

		r = ops(d)->node_get(store_ctx(d), list_at(&s->ids, i), &n);
		if (r < 0)
			return r;
		if (s->start) {
			begin_anew(s, &n);
		} else {
			move(&n.deadline_ns, s->by_ns);
			move(&n.leaving_until_ns, s->by_ns);
			move(&n.prov_since_ns, s->by_ns);
			move(&n.last_evidence_ns, s->by_ns);
		}
		r = ops(d)->node_put(store_ctx(d), &n);
		store_node_done(&n);
	}
	return r < 0 ? r : 0;
}

static int on_shift_case(void *ctx, const struct store_case *k)
{
	struct shift *s = ctx;
	bool waits = k->provisional || k->grace_ms;

	return waits && (!s->start || k->opened_ns > s->now_ns) ? list_add(&s->ids, &k->id) : 0;
}

static int shift_cases(struct shift *s)
{
	struct store_case *k = malloc(sizeof(*k));
	const struct deadlines *d = s->d;
	int r = k ? ops(d)->case_each(store_ctx(d), NULL, true, on_shift_case, s) : -ENOMEM;

	for (uint32_t i = 0; r >= 0 && i < s->ids.n; i++) {
		r = ops(d)->case_get(store_ctx(d), *(uint64_t *)list_at(&s->ids, i), k);
		if (r < 0)
			break;
		if (s->start)
			k->opened_ns = least(k->opened_ns, s->now_ns);
		else
			move(&k->opened_ns, s->by_ns);
		r = ops(d)->case_put(store_ctx(d), k);
	}
	free(k);
	return r < 0 ? r : 0;
}

static int shift(struct deadlines *d, bool start, int64_t by_ns)
{
	struct shift nodes = {d, start, by_ns, utc(d), {.size = 65}};
	struct shift cases = {d, start, by_ns, utc(d), {.size = sizeof(uint64_t)}};
	int r = ops(d)->begin(store_ctx(d));

	if (r < 0)
		return r;
	r = shift_nodes(&nodes);
	if (r >= 0)
		r = shift_cases(&cases);
	if (r >= 0)
		r = ops(d)->commit(store_ctx(d));
	else
		ops(d)->rollback(store_ctx(d));
	list_done(&nodes.ids);
	list_done(&cases.ids);
	return r;
}

/* Nobody was listened to until now. */
static int begin(struct deadlines *d)
{
	int r = shift(d, true, 0);

	if (r < 0)
		return r;
	d->lenient_ns = utc(d) + d->v->silent_after_ms * MS;
	d->seen_ns = clock_boot_ns(d->v->clock);
	d->next_ns = 0;
	return 0;
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
	r = begin(d);
	if (r < 0) {
		free(d);
		return r;
	}
	*ret = d;
	return 0;
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
	r = shift(d, false, by);
	if (r < 0)
		return r;
	log_warning("clock=jumped by=%" PRId64 "s next=\"all deadlines have moved with it\"",
		    by / 1000000000);
	d->offset_ns = offset;
	move(&d->looked_ns, by);
	move(&d->lenient_ns, by);
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
	struct list ids;
};

static int add_due(struct look *l, const char *id)
{
	char key[65] = "";

	/* Cases come in order of their numbers, so the same node again is often near the end. */
	for (uint32_t i = l->ids.n; i > 0; i--)
		if (strcmp(list_at(&l->ids, i - 1), id) == 0)
			return 0;
	snprintf(key, sizeof(key), "%s", id);
	return list_add(&l->ids, key);
}

/* Due when it ran out since the last look; else it is remembered when the next one is needed. */
static bool ran_out(struct look *l, uint64_t at_ns)
{
	if (l->now_ns > at_ns)
		return l->d->looked_ns <= at_ns;
	l->next_ns = least(l->next_ns, at_ns);
	return false;
}

static uint64_t unconfirmed_at(const struct deadlines *d, uint64_t since_ns)
{
	uint64_t at = since_ns + d->v->unconfirmed_after_ms * MS;

	return at < d->lenient_ns ? d->lenient_ns : at;
}

static bool told_unconfirmed(const struct store_node *n)
{
	return n->findings & 1u << PLUMB_FINDING_UNCONFIRMED;
}

static int on_node(void *ctx, const struct store_node *n)
{
	struct look *l = ctx;
	bool due = false;

	if (!waited_for(n))
		return 0;
	/* Not by looked_ns: whoever is overdue is, until he is called silent. */
	if (n->deadline_ns && n->freshness != PLUMB_FRESHNESS_SILENT) {
		due = l->now_ns > n->deadline_ns;
		if (!due)
			l->next_ns = least(l->next_ns, n->deadline_ns);
	}
	if (n->prov_size && !told_unconfirmed(n))
		due |= ran_out(l, unconfirmed_at(l->d, n->prov_since_ns));
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
	int r;

	if (told_unconfirmed(n))
		return 0;
	r = ops(d)->case_each(store_ctx(d), n->id, true, on_unconfirmed, &o);
	if (r < 0)
		return r;
	if (n->prov_size && now_ns > unconfirmed_at(d, n->prov_since_ns)) {
		o.found = true;
		o.seq = n->prov_size - 1;
	}
	if (!o.found)
		return 0;
	n->findings |= 1u << PLUMB_FINDING_UNCONFIRMED;
	return cases_finding(cases, PLUMB_FINDING_UNCONFIRMED, o.seq, "a quote over it in time",
			     "provisional drift that no quote has covered");
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

	if (r >= 0 && waited_for(&n)) {
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
		r = do_node(d, list_at(&l->ids, i), l->now_ns);
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
			  (char *)list_at(&l->ids, i), strerror(-r));
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
	list_done(&l.ids);
	return r < 0 ? r : 0;
}
