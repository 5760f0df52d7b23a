/* SPDX-License-Identifier: Apache-2.0 */
#include "remedy_desk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "contain.h"
#include "log.h"
#include "remedy_hand.h"
#include "row_times.h"

#define MS 1000000ull
#define JUMP_NS 2000000000ll /* as the deadlines have it */
#define MAX_NEW 16u /* contained nodes that are looked at in one tick, in turn */
#define POLICY "policy"

struct remedy_desk {
	struct action_desk desk;
	struct transition t;
	uint64_t offset_ns; /* UTC less boot time; may wrap */
	bool started; /* what ran out while nobody was there has begun anew */
	uint32_t at; /* in the book of containment */
};

static const struct store *store_of(const struct action_desk *d)
{
	return d->v->store;
}

int remedy_desk_open(const struct action_desk *d, struct remedy_desk **ret)
{
	struct remedy_desk *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	o->desk = *d;
	o->t = (struct transition){.v = d->v, .contain = d->contain};
	o->offset_ns = clock_utc_ns(d->v->clock) - clock_boot_ns(d->v->clock);
	*ret = o;
	return 0;
}

struct remedy_desk *remedy_desk_free(struct remedy_desk *d)
{
	free(d);
	return NULL;
}

/* One move at a time, so that each has its line. 1: there was one, look again. */
static int look(struct remedy_hand *h, int *ret_read)
{
	const struct store *s = store_of(h->desk);
	bool worse;
	int r;

	if (node_is_gone(h->n->life))
		return remedy_hand_move(h, REMEDY_GONE, 0);
	if (!remedy_hand_contained(h->n))
		return remedy_hand_move(h, REMEDY_FREE, 0);
	r = remedy_book_read(s, h->n, &h->k);
	if (r < 0)
		return r;
	*ret_read |= r;
	r = remedy_book_seen(s, h->n, &h->k, &worse);
	if (r < 0)
		return r;
	if (worse)
		return remedy_hand_move(h, REMEDY_WORSE, 0);
	if (r > 0)
		return remedy_hand_move(h, REMEDY_SEEN, 0);
	if (h->k.m.until_ns && h->now_ns > h->k.m.until_ns)
		return remedy_hand_move(h, REMEDY_LATE, 0);
	if (!remedy_goes_itself(&h->k.m))
		return 0;
	r = remedy_book_braked(s, h->n);
	return r != 0 ? (r < 0 ? r : 0) : remedy_hand_move(h, REMEDY_GO, 0);
}

static int lead(struct remedy_hand *h, int read)
{
	int moved = 0, r = 0;

	do {
		r = look(h, &read);
		moved |= r > 0;
	} while (r > 0 && h->k.m.step < REMEDY_OVER);
	if (r >= 0 && read && !moved)
		r = remedy_book_put(store_of(h->desk), h->n->id, &h->k);
	return r < 0 ? r : read || moved;
}

static void hold(struct remedy_hand *h, const struct remedy_desk *d, struct store_node *n)
{
	*h = (struct remedy_hand){.desk = &d->desk,
				  .t = &d->t,
				  .n = n,
				  .by = POLICY,
				  .reason = "",
				  .now_ns = clock_utc_ns(d->desk.v->clock)};
}

/* 1: something changed. Its row is put whenever the record is: one that was changed meanwhile is stale, and nothing of this stands. */
static int do_node(const struct remedy_desk *d, const char *id,
		   int (*fn)(const struct remedy_desk *d, struct remedy_hand *h))
{
	const struct store *s = store_of(&d->desk);
	struct remedy_hand *h = malloc(sizeof(*h));
	struct store_node n = {.incarnation = 0};
	bool put;
	int r = h ? s->ops->begin(s->ctx) : -ENOMEM;

	if (r < 0) {
		free(h);
		return r;
	}
	r = s->ops->node_get(s->ctx, id, &n);
	hold(h, d, &n);
	if (r >= 0)
		r = fn(d, h);
	if (r > 0)
		r = s->ops->node_put(s->ctx, &n);
	store_node_done(&n);
	free(h);
	if (r < 0) {
		s->ops->rollback(s->ctx);
		return r;
	}
	put = r > 0;
	r = s->ops->commit(s->ctx);
	return r < 0 ? r : put;
}

static const struct policy_rule *rule_of(const struct policy *p, const char *id)
{
	for (uint32_t i = 0; p && id[0] && i < policy_n_rules(p); i++)
		if (strcmp(policy_rule(p, i)->id, id) == 0)
			return policy_rule(p, i);
	return NULL;
}

/* What the policy lets go by itself no longer, a plan of before does not either. 1: that is less now. */
static int narrow(const struct remedy_desk *d, struct remedy_hand *h)
{
	const struct policy_rule *rule = rule_of(documents_policy(d->desk.documents), h->k.rule);
	uint32_t itself = h->k.m.itself & (rule ? rule->remedy_itself : 0);

	if (itself == h->k.m.itself)
		return 0;
	h->k.m.itself = itself;
	log_notice(
		"node=%s remedy=%s rule=%s next=\"less of it goes by itself: the policy changed\"",
		h->n->label, remedy_book_step(&h->k), h->k.rule);
	return 1;
}

static int lead_one(const struct remedy_desk *d, struct remedy_hand *h)
{
	char reason[128];
	struct why why = {""};
	int r = remedy_book_get(store_of(&d->desk), h->n->id, &h->k, &why);

	if (r < 0)
		return r;
	if (h->k.m.step >= REMEDY_OVER && remedy_hand_contained(h->n) && !node_is_gone(h->n->life))
		return 0;
	if (h->k.m.step >= REMEDY_OVER) {
		r = remedy_book_remove(store_of(&d->desk), h->n->id);
		return r < 0 ? r : 1;
	}
	snprintf(reason, sizeof(reason), "by rule %s", h->k.rule);
	h->reason = h->k.rule[0] ? reason : "";
	return lead(h, narrow(d, h));
}

static void shift_one(struct remedy_record *k, int64_t by_ns)
{
	row_times_move_one(&k->m.since_ns, by_ns);
	row_times_move_one(&k->m.until_ns, by_ns);
	row_times_move_one(&k->began_ns, by_ns);
	row_times_move_one(&k->taken_ns, by_ns);
}

/* Found again is what was found since: that may not lie ahead, nor evidence that came after. */
static void begin_one_anew(const struct remedy_desk *d, struct remedy_record *k, uint64_t now_ns)
{
	uint64_t soonest = now_ns + d->desk.v->silent_after_ms * MS;

	shift_one(k, -(int64_t)intake_behind_ns(d->desk.intake));
	if (k->m.since_ns > now_ns)
		k->m.since_ns = now_ns;
	if (k->taken_ns > now_ns)
		k->taken_ns = now_ns;
	if (k->m.until_ns && k->m.until_ns < soonest)
		k->m.until_ns = soonest;
}

/* After a start nobody's time is over before he could have been heard; and UTC that jumped takes times with it. */
static int move_times(const struct remedy_desk *d, struct remedy_hand *h)
{
	uint64_t offset = h->now_ns - clock_boot_ns(d->desk.v->clock);
	struct why why = {""};
	int r = remedy_book_get(store_of(&d->desk), h->n->id, &h->k, &why);

	if (r < 0)
		return r;
	if (d->started)
		shift_one(&h->k, (int64_t)(offset - d->offset_ns));
	else
		begin_one_anew(d, &h->k, h->now_ns);
	r = remedy_book_put(store_of(&d->desk), h->n->id, &h->k);
	return r < 0 ? r : 1;
}

struct ids {
	char (*id)[65];
	uint32_t n, max;
};

static int on_blob(void *ctx, const char *name, const void *data, size_t size)
{
	struct ids *l = ctx;
	void *more;

	(void)data;
	(void)size;
	if (l->n == l->max) {
		l->max = l->max ? l->max * 2 : 16;
		more = realloc(l->id, l->max * sizeof(*l->id));
		if (!more)
			return -ENOMEM;
		l->id = more;
	}
	snprintf(l->id[l->n++], sizeof(*l->id), "%s", name);
	return 0;
}

/* 1: something changed. One that cannot be led does not stop the others. */
static int do_all(const struct remedy_desk *d,
		  int (*fn)(const struct remedy_desk *d, struct remedy_hand *h))
{
	const struct store *s = store_of(&d->desk);
	struct ids l = {.n = 0};
	int r = s->ops->blob_each(s->ctx, REMEDY_BOOK_BLOB, on_blob, &l), result = r < 0 ? r : 0;

	for (uint32_t i = 0; r >= 0 && i < l.n; i++) {
		int one = do_node(d, l.id[i], fn);

		if (one >= 0) {
			result = result == 0 ? one : result;
			continue;
		}
		log_error("node=%s remedy=unchecked error=\"%s\" next=\"tried again\"", l.id[i],
			  strerror(-one));
		result = one;
	}
	free(l.id);
	return result;
}

/* Which case asks for the most, and whether its rule has a plan. */
static int begin_one(const struct remedy_desk *d, struct remedy_hand *h)
{
	const struct policy *p = documents_policy(d->desk.documents);
	struct cases c = {
		.v = d->desk.v, .policy = p, .node = h->n, .bound = true, .now_ns = h->now_ns};
	struct cases_sum *s = malloc(sizeof(*s));
	const struct policy_rule *rule = NULL;
	int r = s ? 0 : -ENOMEM;

	if (r >= 0 && remedy_hand_contained(h->n) && !node_is_gone(h->n->life))
		r = cases_sum(&c, true, s);
	else if (r >= 0)
		s->cause.id = 0;
	if (r >= 0 && s->cause.id)
		rule = rule_of(p, s->cause.rule);
	if (r >= 0 && rule && rule->remedy) {
		h->k.case_id = s->cause.id;
		/* A line's number is one of its own incarnation. */
		h->k.read = s->cause.incarnation == h->n->incarnation ? s->cause.first_seq : 0;
		snprintf(h->k.rule, sizeof(h->k.rule), "%s", rule->id);
		h->reason = rule->title;
		r = remedy_hand_begin(h, rule->remedy, rule->remedy_itself, POLICY);
		r = r < 0 ? r : 1;
	} else if (r >= 0) {
		r = 0;
	}
	cases_done(&c);
	free(s);
	return r;
}

static bool has_plans(const struct policy *p)
{
	bool has = false;

	for (uint32_t i = 0; p && i < policy_n_rules(p); i++)
		has |= policy_rule(p, i)->remedy != 0;
	return has;
}

static int begin_some(struct remedy_desk *d)
{
	struct contain_book *b = d->desk.contain ? contain_book(d->desk.contain) : NULL;
	const struct store *s = store_of(&d->desk);
	uint32_t n = b ? contain_book_n(b) : 0, looked = 0;
	int r = 0;

	if (!has_plans(documents_policy(d->desk.documents)))
		return 0;

	for (uint32_t i = 0; r >= 0 && i < n && looked < MAX_NEW; i++, d->at++) {
		const struct contain_entry *e = contain_book_at(b, d->at % n);
		CLEANUP(buf_done) struct buf has = {0};

		/* What the brakes hold back is no incident yet. */
		if (!contain_book_wants(e) || !e->let)
			continue;
		looked++;
		r = s->ops->blob_get(s->ctx, REMEDY_BOOK_BLOB, e->id, &has);
		if (r == -ENOENT)
			r = do_node(d, e->id, begin_one);
	}
	return r < 0 ? r : 0;
}

static int follow_clock(struct remedy_desk *d)
{
	const struct clock *c = d->desk.v->clock;
	uint64_t offset = clock_utc_ns(c) - clock_boot_ns(c);
	int64_t by = (int64_t)(offset - d->offset_ns);
	int r;

	if (d->started && by > -JUMP_NS && by < JUMP_NS)
		return 0;
	r = do_all(d, move_times);
	/* Whoever could not be moved was told of; the others must not be moved twice. */
	d->started = true;
	d->offset_ns = offset;
	return r < 0 ? r : 0;
}

int remedy_desk_tick(struct remedy_desk *d)
{
	int r = follow_clock(d);

	if (r >= 0)
		r = begin_some(d);
	if (r >= 0)
		r = do_all(d, lead_one);
	if (r > 0)
		contain_kick(d->desk.contain);
	return r < 0 ? r : 0;
}

/* A person's plan, where no rule gave one: no more than what every return needs. */
static uint32_t own_plan(const struct store_node *n)
{
	return n->containment == PLUMB_CONTAIN_QUARANTINED
		       ? 1u << REMEDY_ISOLATE | 1u << REMEDY_SNAPSHOT
		       : 0;
}

static int get_or_begin(struct remedy_hand *h, bool stop, struct why *ret_why)
{
	struct why why = {""};
	int r = remedy_book_get(store_of(h->desk), h->n->id, &h->k, &why);

	if (r >= 0 && h->k.m.step >= REMEDY_OVER) {
		h->k = (struct remedy_record){.case_id = 0};
		r = -ENOENT;
	}
	if (r == -ENOENT && stop)
		return why_set(ret_why, 409, "%.100s has no remedy to stop", h->n->label);
	/* One that was freed a moment ago, and is still in the book, is not isolated anew, either. */
	if ((r == -ENOENT || (r >= 0 && !stop)) &&
	    (!remedy_hand_contained(h->n) || node_is_gone(h->n->life)))
		return why_set(ret_why, 409, "%.100s is not held; there is nothing to remedy",
			       h->n->label);
	if (r == -ENOENT) {
		h->k.read = h->n->base_size;
		r = remedy_hand_begin(h, own_plan(h->n), 0, h->by);
	}
	return r < 0 ? r : 0;
}

static void tell_person(const struct remedy_desk_word *w, const struct remedy_hand *h)
{
	char until[CLOCK_TEXT_SIZE];

	clock_text(h->k.m.until_ns, until);
	if (h->k.m.step >= REMEDY_OVER)
		snprintf(w->ret_text, w->size,
			 "the remedy of %.100s is over; its containment stays", h->n->label);
	else if (h->k.m.phase == REMEDY_RUNS)
		snprintf(w->ret_text, w->size, "%.100s: %s runs until %s: %s; then %s", h->n->label,
			 remedy_book_step(&h->k), until, remedy_advice(h->k.m.step),
			 remedy_late(&h->k.m));
	else
		snprintf(w->ret_text, w->size, "%.100s: %s is next: %s", h->n->label,
			 remedy_book_step(&h->k), remedy_advice(h->k.m.step));
	snprintf(w->ret_undo, w->size, "plumbctl node remedy %.100s stop --reason=…", h->n->label);
}

static int check_role(const struct remedy_desk_word *w, enum remedy_step step, struct why *ret_why)
{
	if (w->role >= remedy_role(step))
		return 0;
	return why_set(ret_why, 403, "%s takes the role %s",
		       policy_remedy_name((enum policy_remedy_step)step),
		       terms_role_name(remedy_role(step)));
}

/* Whoever chooses a later step says of each planned one before it as much as who skips it. */
static int check_passed(const struct remedy_desk_word *w, const struct remedy *m,
			enum remedy_step chosen, struct why *ret_why)
{
	for (int s = (int)m->step; s < (int)chosen; s++) {
		enum plumb_role role = remedy_role((enum remedy_step)s);

		if (!(m->plan & 1u << s) || w->role >= role)
			continue;
		return why_set(ret_why, 403, "%s passes over %s, and that takes the role %s",
			       w->value, policy_remedy_name((enum policy_remedy_step)s),
			       terms_role_name(role));
	}
	return 0;
}

/* A person may do the other steps: they add nothing to what contains it. */
static int check_brakes(const struct remedy_hand *h, enum remedy_step step, struct why *ret_why)
{
	int r = step == REMEDY_ISOLATE ? remedy_book_braked(store_of(h->desk), h->n) : 0;

	if (r <= 0)
		return r;
	return why_set(ret_why, 409, "the brakes hold that back: plumbctl contain show");
}

int remedy_desk_do(const struct remedy_desk_word *w, struct store_node *n, struct why *ret_why)
{
	bool skip = strcmp(w->value, "skip") == 0, stop = strcmp(w->value, "stop") == 0;
	enum remedy_step chosen = (enum remedy_step)policy_remedy_from_name(w->value);
	enum remedy_event e = skip	    ? REMEDY_SKIP
			      : stop	    ? REMEDY_STOP
			      : w->value[0] ? REMEDY_CHOOSE
					    : REMEDY_GO;
	struct remedy_hand h = {.desk = w->desk,
				.t = w->t,
				.n = n,
				.by = w->by,
				.reason = w->reason,
				.now_ns = clock_utc_ns(w->desk->v->clock)};
	int r;

	if (e == REMEDY_CHOOSE && !chosen)
		return why_set(ret_why, 400,
			       "there is no step %.40s; isolate, snapshot, files, keys, reboot, "
			       "provision, attest, release, skip, stop",
			       w->value);
	r = e == REMEDY_CHOOSE ? check_role(w, chosen, ret_why) : 0;
	if (r == 0)
		r = get_or_begin(&h, stop, ret_why);
	/* Whoever skips a step says as much as who does it. */
	if (r == 0 && !stop && e != REMEDY_CHOOSE)
		r = check_role(w, h.k.m.step, ret_why);
	if (r == 0 && e == REMEDY_CHOOSE)
		r = check_passed(w, &h.k.m, chosen, ret_why);
	if (r == 0 && !stop && !skip)
		r = check_brakes(&h, e == REMEDY_CHOOSE ? chosen : h.k.m.step, ret_why);
	if (r != 0)
		return r;
	r = remedy_hand_move(&h, e, chosen);
	if (r == -EPERM || r == 0)
		return why_set(ret_why, 409, "%.100s: %s %s; it cannot be %s now", n->label,
			       remedy_book_step(&h.k), remedy_phase_name(h.k.m.phase),
			       skip ? "skipped" : "started");
	if (r < 0)
		return r;
	tell_person(w, &h);
	return 0;
}
