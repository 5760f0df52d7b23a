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
	c->claims = NULL;
	c->n_claims = c->n_told = 0;
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

static int merge(struct cases *c, const struct store_case *opened, struct store_case *found)
{
	bool confirmed = found->provisional && !opened->provisional;

	verdict_merge(found, opened);
	if (confirmed)
		tell(c, found->key);
	return ops(c)->case_put(store_ctx(c), found);
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
	if (r >= 0)
		return merge(c, opened, found);
	if (r != -ENOENT)
		return r;
	if (c->n_new >= CASES_MAX_NEW && strcmp(i->key, CASES_FLOOD_KEY) != 0) {
		c->n_flood++;
		return 0;
	}
	c->n_new++;
	tell(c, opened->key);
	return ops(c)->case_put(store_ctx(c), opened);
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

static int add_claim(void *ctx, const struct store_case *k)
{
	struct cases *c = ctx;
	struct cases_claim *more, *claim;

	if (k->finding || k->type == PLUMB_TYPE_EXEC || c->n_claims >= STORE_MAX_LIST)
		return 0;
	if (c->n_claims == c->max_claims) {
		c->max_claims = c->max_claims ? c->max_claims * 2 : 16;
		more = realloc(c->claims, c->max_claims * sizeof(*more));
		if (!more)
			return -ENOMEM;
		c->claims = more;
	}
	claim = &c->claims[c->n_claims];
	*claim = (struct cases_claim){k->id, strdup(k->scope), strdup(k->key)};
	c->n_claims++;
	return claim->scope && claim->key ? 0 : -ENOMEM;
}

/* Most lines are good, and most nodes have nothing open: the open ones are read once, not for each line. */
static int settle(struct cases *c, const struct appraise_drift_item *i)
{
	CLEANUP(free_case) struct store_case *k = NULL;
	int r = 0;

	if (!c->has_claims) {
		r = ops(c)->case_each(store_ctx(c), c->node->id, true, add_claim, c);
		c->has_claims = r >= 0;
	}
	for (uint32_t n = 0; r >= 0 && n < c->n_claims; n++) {
		/* Texts in rows may be cut: verdict_settled_by() knows how, and has the last word. */
		if (strncmp(c->claims[n].key, i->key, 64) != 0)
			continue;
		if (!k)
			k = malloc(sizeof(*k));
		if (!k)
			return -ENOMEM;
		r = ops(c)->case_get(store_ctx(c), c->claims[n].id, k);
		if (r < 0 || !verdict_settled_by(k, i))
			continue;
		verdict_close(k, c->now_ns, "it is as the baseline says again");
		r = ops(c)->case_put(store_ctx(c), k);
	}
	return r < 0 ? r : 0;
}

int cases_item(struct cases *c, const struct appraise_drift_item *i)
{
	if (i->judgement == PLUMB_JUDGE_DRIFT)
		return put(c, i);
	if (i->judgement == PLUMB_JUDGE_OK && !c->provisional)
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

int cases_flood(struct cases *c, uint64_t seq)
{
	char found[128];
	const struct appraise_drift_item i = {
		.seq = seq,
		.utc_ns = c->now_ns,
		.finding = PLUMB_FINDING_LOSS,
		.judgement = PLUMB_JUDGE_DRIFT,
		.scope = "host",
		.key = CASES_FLOOD_KEY,
		.expected = "at most 1000 new cases in one appraisal",
		.found = found,
	};

	if (c->n_flood == 0)
		return 0;
	snprintf(found, sizeof(found), "%" PRIu64 " more; they are in the ledger up to this line",
		 c->n_flood);
	return put(c, &i);
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

struct accepted {
	uint64_t size;
	uint32_t findings, reset;
	bool boot_is_good;
};

static int on_accepted(struct cases *c, struct store_case *k, const void *arg)
{
	const struct accepted *a = arg;
	int changed = verdict_confirm(k, a->size);

	if (changed)
		tell(c, k->key);
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

int cases_accepted(struct cases *c, uint64_t confirmed_size, uint32_t findings, uint32_t reset,
		   bool boot_is_good)
{
	const struct accepted a = {confirmed_size, findings, reset, boot_is_good};

	return each_open(c, on_accepted, &a);
}

/* The actor's cgroup is not in the row, so a rule that matched by it still answers by its name. */
static int on_rejudge(struct cases *c, struct store_case *k, const void *arg)
{
	const struct policy_rule *rule = NULL;

	(void)arg;
	for (uint32_t i = 0; c->policy && i < policy_n_rules(c->policy); i++)
		if (strcmp(policy_rule(c->policy, i)->id, k->rule) == 0)
			rule = policy_rule(c->policy, i);
	if (!rule) {
		const struct policy_subject s = {.type = k->finding ? PLUMB_TYPE_UNKNOWN : k->type,
						 .finding = k->finding,
						 .scope = k->scope,
						 .key = k->key,
						 .expected = k->expected,
						 .found = k->found};

		/* One that no rule named: a rule that needs no actor may name it now. */
		rule = c->policy && !k->rule[0] ? policy_match(c->policy, &s) : NULL;
	}
	if (!rule)
		return 0;
	snprintf(k->rule, sizeof(k->rule), "%s", rule->id);
	k->severity = rule->severity;
	k->action = rule->action;
	k->armed = rule->mode == POLICY_MODE_ARMED;
	k->release = (uint8_t)rule->release;
	k->score = rule->score;
	k->grace_ms = rule->grace_ms;
	return 1;
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
