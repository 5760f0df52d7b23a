/* SPDX-License-Identifier: Apache-2.0 */
#include "cases.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

static const struct store_ops *ops(const struct cases *c)
{
	return c->v->store->ops;
}

static void *store_ctx(const struct cases *c)
{
	return c->v->store->ctx;
}

void cases_done(struct cases *c)
{
	for (uint32_t i = 0; i < c->n_claims; i++) {
		free(c->claims[i].scope);
		free(c->claims[i].key);
	}
	free(c->claims);
	for (uint32_t i = 0; i < c->n_told; i++)
		free(c->told[i]);
	for (uint32_t i = 0; i < c->n_floods; i++)
		free(c->floods[i]);
	free(c->floods);
	free(c->refound);
	c->claims = NULL;
	c->floods = NULL;
	c->refound = NULL;
	c->n_claims = c->n_told = c->n_floods = c->n_refound = 0;
}

static void tell(struct cases *c, const char *key)
{
	if (c->n_told == CASES_MAX_TOLD)
		return;
	c->told[c->n_told] = strdup(key);
	c->n_told += c->told[c->n_told] != NULL;
}

static void free_case(struct store_case **c)
{
	free(*c);
}

static bool is_claim_of(const struct cases *c, uint32_t n, const char *scope, const char *key)
{
	return n < c->n_claims && strcmp(c->claims[n].key, key) == 0 &&
	       strcmp(c->claims[n].scope, scope) == 0;
}

/* The first of these texts, or where it would stand. Sorted: as many lines as an evidence has room for may ask after as many open cases. */
static uint32_t find_claim(const struct cases *c, const char *scope, const char *key)
{
	uint32_t from = 0, to = c->n_claims;

	while (from < to) {
		uint32_t n = from + (to - from) / 2;
		int order = strcmp(c->claims[n].key, key);

		if (order == 0)
			order = strcmp(c->claims[n].scope, scope);
		if (order < 0)
			from = n + 1;
		else
			to = n;
	}
	return from;
}

static int add_claim(void *ctx, const struct store_case *k)
{
	struct cases *c = ctx;
	struct cases_claim *more, claim;
	uint32_t n;

	if (k->finding || terms_type_is_deed(k->type) || c->n_claims >= STORE_MAX_LIST)
		return 0;
	if (c->n_claims == c->max_claims) {
		c->max_claims = c->max_claims ? c->max_claims * 2 : 16;
		more = realloc(c->claims, c->max_claims * sizeof(*more));
		if (!more)
			return -ENOMEM;
		c->claims = more;
	}
	claim = (struct cases_claim){k->id, strdup(k->scope), strdup(k->key)};
	if (!claim.scope || !claim.key) {
		free(claim.scope);
		free(claim.key);
		return -ENOMEM;
	}
	n = find_claim(c, k->scope, k->key);
	/* Of those alike, which are one a rule, the older ones first. */
	while (is_claim_of(c, n, k->scope, k->key))
		n++;
	memmove(c->claims + n + 1, c->claims + n, (c->n_claims - n) * sizeof(claim));
	c->claims[n] = claim;
	c->n_claims++;
	return 0;
}

static bool is_bound(const struct cases *c, const struct store_case *k)
{
	return !k->provisional || k->incarnation != c->node->incarnation || k->first_seq < c->from;
}

static int add_refound(struct cases *c, uint64_t id)
{
	uint64_t *more;

	if (c->n_refound == c->max_refound) {
		c->max_refound = c->max_refound ? c->max_refound * 2 : 16;
		more = realloc(c->refound, c->max_refound * sizeof(*more));
		if (!more)
			return -ENOMEM;
		c->refound = more;
	}
	c->refound[c->n_refound++] = id;
	return 0;
}

static int merge(struct cases *c, const struct store_case *opened, struct store_case *found)
{
	bool confirmed = found->provisional && !opened->provisional;
	bool bound = is_bound(c, found), undone = found->ack_by[0], anew;

	if (!c->bound && bound)
		return 0;
	verdict_merge(found, opened);
	anew = undone && !found->ack_by[0];
	if ((!bound || anew) && c->bound && add_refound(c, found->id) < 0)
		return -ENOMEM;
	if (confirmed || anew)
		tell(c, found->key);
	return ops(c)->case_put(store_ctx(c), found);
}

/* 1: there are too many for another case of its own. */
static int is_too_much(struct cases *c)
{
	uint64_t most = c->bound ? CASES_MAX_OPEN : CASES_MAX_UNBOUND;
	int r = 0;

	if (!c->has_open) {
		r = ops(c)->case_count(store_ctx(c), c->node->id, &c->n_open);
		c->has_open = r >= 0;
	}
	if (r < 0)
		return r;
	return c->n_new >= CASES_MAX_NEW || c->n_open + c->n_new >= most;
}

/* One a rule, so that what asks for the most is not hidden behind a thousand that ask for little. */
static int add_flood(struct cases *c, struct store_case *opened)
{
	struct store_case **more;

	snprintf(opened->scope, sizeof(opened->scope), "host");
	snprintf(opened->key, sizeof(opened->key), CASES_FLOOD_KEY);
	for (uint32_t i = 0; i < c->n_floods; i++) {
		if (strcmp(c->floods[i]->rule, opened->rule) != 0)
			continue;
		verdict_merge(c->floods[i], opened);
		return 0;
	}
	more = realloc(c->floods, (c->n_floods + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	c->floods = more;
	c->floods[c->n_floods] = malloc(sizeof(**more));
	if (!c->floods[c->n_floods])
		return -ENOMEM;
	*c->floods[c->n_floods++] = *opened;
	return 0;
}

static int insert(struct cases *c, struct store_case *opened)
{
	int r = ops(c)->case_put(store_ctx(c), opened);

	if (r < 0)
		return r;
	c->n_new += !opened->finding;
	tell(c, opened->key);
	r = c->bound ? add_refound(c, opened->id) : 0;
	if (r < 0)
		return r;
	/* A later line of the same evidence may settle it. */
	return c->has_claims ? add_claim(c, opened) : 0;
}

static const struct policy_rule *rule_by_id(const struct cases *c, const char *id)
{
	for (uint32_t i = 0; c->policy && i < policy_n_rules(c->policy); i++)
		if (strcmp(policy_rule(c->policy, i)->id, id) == 0)
			return policy_rule(c->policy, i);
	return NULL;
}

/* The actor's cgroup and the layer are not in the row, so a rule that matched by it still answers by its name. */
static const struct policy_rule *rule_for(const struct cases *c, const struct store_case *k)
{
	const struct policy_subject s = {.type = k->finding ? PLUMB_TYPE_UNKNOWN : k->type,
					 .finding = k->finding,
					 .scope = k->scope,
					 .key = k->key,
					 .expected = k->expected,
					 .found = k->found};
	const struct policy_rule *rule = rule_by_id(c, k->rule);

	return rule || !c->policy ? rule : policy_match(c->policy, &s);
}

static int load_claims(struct cases *c)
{
	int r = c->has_claims ? 0
			      : ops(c)->case_each(store_ctx(c), c->node->id, true, add_claim, c);

	c->has_claims |= r >= 0;
	return r < 0 ? r : 0;
}

/*
 * A scan that finds again what was told already knows nobody and says nothing new: the case that knows who did it goes on, under the rule that
 * looked at him. Else each scan would take the kubelet's own renewal for somebody else's. What came unsigned is not believed for that, and where no
 * rule looked at him (any more), the one for strangers does.
 */
static int find_told(struct cases *c, const struct appraise_drift_item *i,
		     struct store_case *opened, struct store_case *ret)
{
	const struct policy_rule *rule;
	int r;

	if (i->finding || terms_type_is_deed(i->type) || (i->actor && i->actor->known))
		return -ENOENT;
	r = load_claims(c);
	for (uint32_t n = find_claim(c, opened->scope, opened->key);
	     r >= 0 && is_claim_of(c, n, opened->scope, opened->key); n++) {
		r = ops(c)->case_get(store_ctx(c), c->claims[n].id, ret);
		rule = r >= 0 ? rule_by_id(c, ret->rule) : NULL;
		if (!rule || ret->closed_ns || !is_bound(c, ret) ||
		    strcmp(ret->found, opened->found) != 0)
			continue;
		verdict_by_rule(opened, rule);
		return 0;
	}
	return r < 0 ? r : -ENOENT;
}

static int put_into(struct cases *c, const struct appraise_drift_item *i, struct store_case *opened,
		    struct store_case *found)
{
	const struct verdict_facts f = {.node = c->node->id,
					.incarnation = c->node->incarnation,
					.provisional = c->provisional,
					.now_ns = c->now_ns,
					.reset = c->node->base_reset};
	int r = verdict_open(c->policy, i, &f, opened);

	if (r < 0)
		return r;
	r = ops(c)->case_find(store_ctx(c), opened->node, opened->rule, opened->scope, opened->key,
			      found);
	if (r == -ENOENT)
		r = find_told(c, i, opened, found);
	if (r >= 0)
		return merge(c, opened, found);
	if (r != -ENOENT)
		return r;
	/* Findings are few, each of them has one case. */
	r = opened->finding ? 0 : is_too_much(c);
	if (r < 0)
		return r;
	return r > 0 ? add_flood(c, opened) : insert(c, opened);
}

/* Rows are big: never on the stack of a callback. */
static int put(struct cases *c, const struct appraise_drift_item *i)
{
	struct store_case *opened = malloc(sizeof(*opened)), *found = malloc(sizeof(*found));
	int r = opened && found ? put_into(c, i, opened, found) : -ENOMEM;

	free(opened);
	free(found);
	return r;
}

static int settle_one(struct cases *c, const struct appraise_drift_item *i, uint64_t id,
		      struct store_case *k)
{
	int r = ops(c)->case_get(store_ctx(c), id, k);

	if (r < 0)
		return r;
	/* The lines of another incarnation lie before all of this one. */
	if (k->incarnation != c->node->incarnation)
		k->last_seq = 0;
	if (!verdict_settled_by(k, i))
		return 0;
	verdict_close(k, c->now_ns, "it is as the baseline says again");
	return ops(c)->case_put(store_ctx(c), k);
}

/* k: scope and key are those of the line, as rows have them: so it is with each row that is read into it. */
static int settle_alike(struct cases *c, const struct appraise_drift_item *i, struct store_case *k)
{
	int r = 0;

	for (uint32_t n = find_claim(c, k->scope, k->key);
	     r >= 0 && is_claim_of(c, n, k->scope, k->key); n++)
		r = settle_one(c, i, c->claims[n].id, k);
	return r;
}

/*
 * Most lines are good, and most nodes have nothing open: the open ones are read once, not for each line. Their texts are compared as they are in
 * rows, in full: reading each row that begins alike would take minutes when root opened thousands of those.
 */
static int settle(struct cases *c, const struct appraise_drift_item *i)
{
	CLEANUP(free_case) struct store_case *k = NULL;
	int r = load_claims(c);

	if (r < 0 || c->n_claims == 0)
		return r;
	k = malloc(sizeof(*k));
	if (!k)
		return -ENOMEM;
	r = verdict_fit(k->scope, sizeof(k->scope), i->scope);
	if (r >= 0)
		r = verdict_fit(k->key, sizeof(k->key), i->key);
	if (r >= 0)
		r = settle_alike(c, i, k);
	return r < 0 ? r : 0;
}

int cases_item(struct cases *c, const struct appraise_drift_item *i)
{
	if (i->judgement == PLUMB_JUDGE_DRIFT)
		return put(c, i);
	if (i->judgement == PLUMB_JUDGE_OK && c->bound)
		return settle(c, i);
	return 0;
}

int cases_finding(struct cases *c, enum plumb_finding f, uint64_t seq, const char *expected,
		  const char *found)
{
	char key[64];
	const struct appraise_drift_item i = {
		.seq = seq,
		.utc_ns = c->now_ns,
		.finding = f,
		.judgement = PLUMB_JUDGE_DRIFT,
		.scope = "host",
		.key = key,
		.expected = expected,
		.found = found,
	};

	snprintf(key, sizeof(key), "finding:%s", terms_finding_name(f));
	return put(c, &i);
}

static int put_flood(struct cases *c, struct store_case *flood, struct store_case *found)
{
	int r;

	snprintf(flood->expected, sizeof(flood->expected),
		 "at most %u open cases, and %u new ones in one appraisal",
		 c->bound ? CASES_MAX_OPEN : CASES_MAX_UNBOUND, CASES_MAX_NEW);
	snprintf(flood->found, sizeof(flood->found),
		 "more; they are in the ledger from line %" PRIu64 " to %" PRIu64, flood->first_seq,
		 flood->last_seq);
	r = ops(c)->case_find(store_ctx(c), flood->node, flood->rule, flood->scope, flood->key,
			      found);
	if (r >= 0)
		return merge(c, flood, found);
	if (r != -ENOENT)
		return r;
	tell(c, flood->key);
	r = ops(c)->case_put(store_ctx(c), flood);
	return r < 0 || !c->bound ? r : add_refound(c, flood->id);
}

int cases_flood(struct cases *c)
{
	CLEANUP(free_case) struct store_case *found = NULL;
	int r = 0;

	if (c->n_floods == 0)
		return 0;
	found = malloc(sizeof(*found));
	if (!found)
		return -ENOMEM;
	for (uint32_t i = 0; r >= 0 && i < c->n_floods; i++)
		r = put_flood(c, c->floods[i], found);
	return r;
}

struct change {
	struct cases *c;
	uint64_t *ids;
	uint32_t n, max;
};

static int add_id(void *ctx, const struct store_case *k)
{
	struct change *ch = ctx;
	uint64_t *more;

	if (ch->n == ch->max) {
		ch->max = ch->max ? ch->max * 2 : 32;
		more = realloc(ch->ids, ch->max * sizeof(*more));
		if (!more)
			return -ENOMEM;
		ch->ids = more;
	}
	ch->ids[ch->n++] = k->id;
	return ch->n >= STORE_MAX_LIST ? 1 : 0;
}

/* Rows are not changed while they are being walked. */
static int each_open(struct cases *c,
		     int (*fn)(struct cases *c, struct store_case *k, const void *arg),
		     const void *arg)
{
	CLEANUP(free_case) struct store_case *k = malloc(sizeof(*k));
	struct change ch = {.c = c};
	int r = k ? ops(c)->case_each(store_ctx(c), c->node->id, true, add_id, &ch) : -ENOMEM;

	for (uint32_t i = 0; r >= 0 && i < ch.n; i++) {
		r = ops(c)->case_get(store_ctx(c), ch.ids[i], k);
		if (r >= 0)
			r = fn(c, k, arg);
		if (r > 0)
			r = ops(c)->case_put(store_ctx(c), k);
	}
	free(ch.ids);
	return r < 0 ? r : 0;
}

struct walk {
	const struct cases_accepted *accepted; /* NULL: bound, not accepted */
	uint64_t to;
};

/* Its line is new, and was not found to be what an unbound message said of it. */
static bool is_invented(const struct cases *c, const struct store_case *k, uint64_t to)
{
	if (is_bound(c, k) || k->first_seq >= to)
		return false;
	for (uint32_t i = 0; i < c->n_refound; i++)
		if (c->refound[i] == k->id)
			return false;
	return true;
}

/*
 * Told by lines that no quote had before (a finding's line is the one after): then it takes another boot. So does what an older ledger told which
 * ended before a quote had it: the first evidence of the next one says in which boot that was at the latest.
 */
static bool may_be_of_this_boot(const struct cases *c, const struct store_case *k,
				const struct cases_accepted *a)
{
	if (k->incarnation != c->node->incarnation)
		return k->provisional && a->from == 0;
	return k->last_seq >= a->from + (k->finding != 0);
}

static int on_bound(struct cases *c, struct store_case *k, const void *arg)
{
	const struct walk *w = arg;
	const struct cases_accepted *a = w->accepted;
	int changed = 0;

	if (is_invented(c, k, w->to)) {
		verdict_close(k, c->now_ns, "it came unsigned, and the ledger does not have it");
		return 1;
	}
	if (!a)
		return 0;
	/* Of an older ledger nothing more will be quoted. */
	if (k->incarnation == c->node->incarnation && verdict_confirm(k, a->size)) {
		tell(c, k->key);
		changed = 1;
	}
	if (a->reset > k->opened_reset && may_be_of_this_boot(c, k, a)) {
		k->opened_reset = a->reset;
		changed = 1;
	}
	if (verdict_settled_without(k, a->findings)) {
		verdict_close(k, c->now_ns, "it is over");
		return 1;
	}
	if (verdict_settled_by_reboot(k, a->reset, a->boot_is_good)) {
		verdict_close(k, c->now_ns, "the node was booted anew");
		return 1;
	}
	return changed;
}

int cases_bound(struct cases *c, uint64_t to)
{
	const struct walk w = {NULL, to};

	return each_open(c, on_bound, &w);
}

int cases_accepted(struct cases *c, const struct cases_accepted *a)
{
	const struct walk w = {a, a->size};

	return each_open(c, on_bound, &w);
}

/* Two cases of one key become one when the same rule answers for both from here on. */
static int join(struct cases *c, struct store_case *k)
{
	CLEANUP(free_case) struct store_case *other = malloc(sizeof(*other));
	char why[64];
	int r = other ? ops(c)->case_find(store_ctx(c), k->node, k->rule, k->scope, k->key, other)
		      : -ENOMEM;

	if (r == -ENOENT || (r >= 0 && other->id == k->id)) {
		k->armed = k->armed && !k->ack_by[0];
		return 1;
	}
	if (r < 0)
		return r;
	/* Taken back is what was taken back in both. */
	if (!k->ack_by[0])
		other->ack_by[0] = 0;
	verdict_merge(other, k);
	if (k->opened_ns < other->opened_ns)
		other->opened_ns = k->opened_ns;
	if (k->incarnation == other->incarnation && k->first_seq < other->first_seq)
		other->first_seq = k->first_seq;
	snprintf(why, sizeof(why), "it goes on as case %" PRIu64, other->id);
	verdict_close(k, c->now_ns, why);
	r = ops(c)->case_put(store_ctx(c), other);
	return r < 0 ? r : 1;
}

static int on_rejudge(struct cases *c, struct store_case *k, const void *arg)
{
	const struct policy_rule *rule = rule_for(c, k);

	(void)arg;
	if (!rule) {
		bool was_armed = k->armed;

		/* Nobody asks for it any more. That it drifted stays true. */
		k->armed = false;
		return was_armed;
	}
	verdict_by_rule(k, rule);
	return join(c, k);
}

int cases_rejudge(struct cases *c)
{
	return each_open(c, on_rejudge, NULL);
}

static int on_sum(void *ctx, const struct store_case *k)
{
	struct cases_sum *s = ctx;

	verdict_add(&s->verdict, k);
	s->proven = s->proven && !k->provisional;
	if (s->n_lines < VERDICT_EAR_MAX_LINES)
		s->lines[s->n_lines] = k->first_seq;
	s->n_lines++;
	if (s->verdict.cause == k->id && s->cause.id != k->id)
		s->cause = *k;
	return 0;
}

int cases_sum(const struct cases *c, bool judged, struct cases_sum *ret)
{
	int r;

	memset(ret, 0, sizeof(*ret));
	ret->proven = true;
	verdict_begin(&ret->verdict, c->policy, c->now_ns, judged, c->node->forked);
	r = ops(c)->case_each(store_ctx(c), c->node->id, true, on_sum, ret);
	if (r < 0)
		return r;
	verdict_end(&ret->verdict);
	return 0;
}
