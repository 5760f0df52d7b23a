/* SPDX-License-Identifier: Apache-2.0 */
#include "verdict.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"

#define NOBODY "unknown"
#define WARNING 32
#define CONTRAINDICATED 96
#define BIT(finding) (1u << (finding))
/* Findings whose text only says how long, how far or since when: another text is no other finding. */
#define MEASURES                                                      \
	(BIT(PLUMB_FINDING_SILENT) | BIT(PLUMB_FINDING_UNCONFIRMED) | \
	 BIT(PLUMB_FINDING_BASELINE) | BIT(PLUMB_FINDING_CLOCK) | BIT(PLUMB_FINDING_JUDGE_SKEW))
/* Findings that are a state, which each evidence says anew: when it no longer does, they are over. The others are deeds. */
#define STATES                                                                       \
	(MEASURES | BIT(PLUMB_FINDING_BOOT_LOG) | BIT(PLUMB_FINDING_BOOT_MISMATCH) | \
	 BIT(PLUMB_FINDING_BOOT_EVENT))

static const char *const claim_names[] = {
	"instance-identity", "configuration",  "executables",	 "file-system",
	"hardware",	     "runtime-opaque", "storage-opaque", "sourced-data",
};
_Static_assert(ARRAY_SIZE(claim_names) == VERDICT_N_CLAIMS, "a name for each claim");

/* What a finding means that no rule of the policy names: "could not look" is never good. */
static const struct meaning {
	enum plumb_severity severity;
	enum verdict_claim claim;
	int value;
} meanings[] = {
	[PLUMB_FINDING_UNANCHORED] = {PLUMB_SEVERITY_MEDIUM, VERDICT_EXECUTABLES, 33},
	[PLUMB_FINDING_FOREIGN] = {PLUMB_SEVERITY_MEDIUM, VERDICT_EXECUTABLES, 33},
	[PLUMB_FINDING_FORK] = {PLUMB_SEVERITY_CRITICAL, VERDICT_INSTANCE_IDENTITY, 96},
	[PLUMB_FINDING_GAP] = {PLUMB_SEVERITY_MEDIUM, VERDICT_EXECUTABLES, 33},
	[PLUMB_FINDING_LOSS] = {PLUMB_SEVERITY_MEDIUM, VERDICT_EXECUTABLES, 33},
	[PLUMB_FINDING_JUDGE_SKEW] = {PLUMB_SEVERITY_INFO, VERDICT_EXECUTABLES, 0},
	[PLUMB_FINDING_JUDGE_LIE] = {PLUMB_SEVERITY_HIGH, VERDICT_EXECUTABLES, 33},
	[PLUMB_FINDING_UNCONFIRMED] = {PLUMB_SEVERITY_MEDIUM, VERDICT_EXECUTABLES, 33},
	[PLUMB_FINDING_SILENT] = {PLUMB_SEVERITY_MEDIUM, VERDICT_EXECUTABLES, 33},
	[PLUMB_FINDING_COUNTERS] = {PLUMB_SEVERITY_HIGH, VERDICT_EXECUTABLES, 33},
	[PLUMB_FINDING_CLOCK] = {PLUMB_SEVERITY_LOW, VERDICT_EXECUTABLES, 0},
	[PLUMB_FINDING_BASELINE] = {PLUMB_SEVERITY_LOW, VERDICT_EXECUTABLES, 0},
	[PLUMB_FINDING_IMA] = {PLUMB_SEVERITY_HIGH, VERDICT_EXECUTABLES, 33},
	[PLUMB_FINDING_IMA_LIST] = {PLUMB_SEVERITY_HIGH, VERDICT_EXECUTABLES, 33},
	/* Where the policy measures what is read, logs that are written meanwhile are daily bread. */
	[PLUMB_FINDING_IMA_VIOLATION] = {PLUMB_SEVERITY_LOW, VERDICT_EXECUTABLES, 0},
	[PLUMB_FINDING_IMA_SIGNATURE] = {PLUMB_SEVERITY_HIGH, VERDICT_EXECUTABLES, 33},
	/* Many machines keep no log. Nothing good is said of how they booted, and what it is worth more is the policy's to say. */
	[PLUMB_FINDING_BOOT_LOG] = {PLUMB_SEVERITY_LOW, VERDICT_EXECUTABLES, 0},
	[PLUMB_FINDING_BOOT_MISMATCH] = {PLUMB_SEVERITY_HIGH, VERDICT_EXECUTABLES, 33},
	[PLUMB_FINDING_BOOT_EVENT] = {PLUMB_SEVERITY_MEDIUM, VERDICT_EXECUTABLES, 0},
	/* What it cannot know any more is what was decided about this node since. */
	[PLUMB_FINDING_ROLLBACK] = {PLUMB_SEVERITY_MEDIUM, VERDICT_EXECUTABLES, 33},
};

const char *verdict_claim_name(enum verdict_claim c)
{
	return (size_t)c < ARRAY_SIZE(claim_names) ? claim_names[c] : NULL;
}

/* One that this release does not know weighs as a gap does. */
static const struct meaning *meaning_of(enum plumb_finding f)
{
	if ((size_t)f >= ARRAY_SIZE(meanings) || meanings[f].severity == 0)
		f = PLUMB_FINDING_GAP;
	return &meanings[f];
}

int verdict_fit(char *ret, size_t room, const char *text)
{
	char hex[DIGEST_HEX_SIZE];
	size_t size = strlen(text), kept;
	struct digest d;
	int r;

	if (size < room) {
		memcpy(ret, text, size + 1);
		return 0;
	}
	r = digest_sha256(text, size, &d);
	if (r < 0)
		return r;
	digest_hex(&d, hex);
	kept = room - sizeof(hex) - strlen("... sha256:");
	/* Not in the middle of a UTF-8 character. */
	while (kept > 0 && ((unsigned char)text[kept] & 0xc0) == 0x80)
		kept--;
	snprintf(ret, room, "%.*s... sha256:%s", (int)kept, text, hex);
	return 0;
}

/* The actor of an exec is what it became, which the key names: people ask who started it. */
static int fit_who(char *ret, size_t room, const struct appraise_drift_item *i)
{
	CLEANUP(buf_done) struct buf b = {0};
	const struct line_actor *a = i->actor;
	const struct line_ancestor *above = NULL;

	if (!a || !a->known)
		return verdict_fit(ret, room, NOBODY);
	if (i->type == PLUMB_TYPE_EXEC && a->n_ancestors > 0)
		above = &a->ancestors[0];
	buf_printf(&b, "uid %u, ", a->uid);
	if (above)
		buf_printf(&b, "%s (%s/%u)", above->exe ? above->exe : "unknown program",
			   above->comm ? above->comm : "?", above->pid);
	else
		buf_printf(&b, "%s (%s/%u)", a->exe ? a->exe : "unknown program",
			   a->comm ? a->comm : "?", a->pid);
	/* What a person looks for next on the node, and in the cluster. */
	if (i->layer)
		buf_printf(&b, ", layer %s", i->layer);
	if (a->container)
		buf_printf(&b, ", container %s", a->container);
	if (a->pod)
		buf_printf(&b, ", pod %s", a->pod);
	return buf_status(&b) < 0 ? buf_status(&b) : verdict_fit(ret, room, (char *)b.data);
}

static const struct policy_rule *match(const struct policy *p, const struct appraise_drift_item *i)
{
	const struct line_actor *a = i->actor;
	bool known = a && a->known;
	const struct policy_subject s = {
		.type = i->finding ? PLUMB_TYPE_UNKNOWN : i->type,
		.finding = i->finding,
		.scope = i->scope,
		.key = i->key,
		.expected = i->expected,
		.found = i->found,
		.exe = known ? a->exe : NULL,
		.cgroup = known ? a->cgroup : NULL,
		.layer = i->layer,
		.announced_by = i->announced_by,
		.uid = known ? a->uid : 0,
		.actor_known = known,
	};

	return p ? policy_match(p, &s) : NULL;
}

void verdict_by_rule(struct store_case *c, const struct policy_rule *rule)
{
	if (!rule) {
		c->severity = c->finding ? meaning_of(c->finding)->severity : PLUMB_SEVERITY_INFO;
		c->action = PLUMB_ACTION_REPORT;
		/* A silence that is over needs no person, when no rule asks for one. */
		c->release = c->finding && (STATES & BIT(c->finding)) ? POLICY_RELEASE_CLAIM
								      : POLICY_RELEASE_ACK;
		return;
	}
	snprintf(c->rule, sizeof(c->rule), "%s", rule->id);
	c->severity = rule->severity;
	c->action = rule->action;
	c->armed = rule->mode == POLICY_MODE_ARMED;
	c->release = (uint8_t)rule->release;
	c->score = rule->score;
	c->grace_ms = rule->grace_ms;
}

int verdict_open(const struct policy *p, const struct appraise_drift_item *i,
		 const struct verdict_facts *f, struct store_case *ret)
{
	struct store_case c = {
		.incarnation = f->incarnation,
		.type = i->type,
		.finding = i->finding,
		.provisional = f->provisional,
		.first_seq = i->seq,
		.last_seq = i->seq,
		.count = 1,
		.opened_ns = f->now_ns,
		.last_ns = f->now_ns,
		.opened_reset = f->reset,
	};
	int r = verdict_fit(c.node, sizeof(c.node), f->node);

	verdict_by_rule(&c, match(p, i));
	if (r >= 0)
		r = verdict_fit(c.scope, sizeof(c.scope), i->scope);
	if (r >= 0)
		r = verdict_fit(c.key, sizeof(c.key), i->key);
	if (r >= 0)
		r = verdict_fit(c.expected, sizeof(c.expected), i->expected);
	if (r >= 0)
		r = verdict_fit(c.found, sizeof(c.found), i->found);
	if (r >= 0)
		r = fit_who(c.who, sizeof(c.who), i);
	if (r >= 0)
		*ret = c;
	return r;
}

/* What a person took back is what was found then: something else at the same place is as if it were new, and has its own grace. */
static void begin_anew(struct store_case *c, const struct store_case *again)
{
	c->ack_by[0] = 0;
	c->first_seq = again->first_seq;
	c->opened_ns = again->opened_ns;
	c->opened_reset = again->opened_reset;
	c->provisional = again->provisional;
}

static bool is_something_else(const struct store_case *c, const struct store_case *again)
{
	bool measures = c->finding && (MEASURES & BIT(c->finding));

	return !measures && strcmp(c->found, again->found) != 0;
}

void verdict_merge(struct store_case *c, const struct store_case *again)
{
	/* Numbers of lines begin anew with each incarnation. */
	if (again->incarnation > c->incarnation) {
		c->incarnation = again->incarnation;
		c->first_seq = again->first_seq;
		c->last_seq = 0;
	}
	if (again->incarnation == c->incarnation && again->last_seq > c->last_seq) {
		/* One that was taken back itself is none that is found: two become one. */
		if (c->ack_by[0] && !again->ack_by[0] && is_something_else(c, again))
			begin_anew(c, again);
		c->count += again->count;
		c->last_seq = again->last_seq;
		/* A state that is found again by nobody: who did it is still who did it. */
		if (terms_type_is_deed(c->type) || strcmp(again->who, NOBODY) != 0 ||
		    strcmp(c->found, again->found) != 0)
			memcpy(c->who, again->who, sizeof(c->who));
		memcpy(c->expected, again->expected, sizeof(c->expected));
		memcpy(c->found, again->found, sizeof(c->found));
	}
	c->last_ns = again->last_ns;
	c->provisional = c->provisional && again->provisional;
	/* The policy of now, also when the case is older than it. */
	c->severity = again->severity;
	c->action = again->action;
	/* What a person took back stays so. */
	c->armed = again->armed && !c->ack_by[0];
	c->release = again->release;
	c->score = again->score;
	c->grace_ms = again->grace_ms;
}

bool verdict_confirm(struct store_case *c, uint64_t size)
{
	if (!c->provisional || c->first_seq >= size)
		return false;
	c->provisional = false;
	return true;
}

bool verdict_settled_by(const struct store_case *c, const struct appraise_drift_item *good)
{
	char scope[sizeof(c->scope)], key[sizeof(c->key)];

	if (c->closed_ns || c->finding || c->release != POLICY_RELEASE_CLAIM ||
	    terms_type_is_deed(c->type) || good->judgement != PLUMB_JUDGE_OK || good->finding ||
	    good->seq <= c->last_seq)
		return false;
	return verdict_fit(scope, sizeof(scope), good->scope) >= 0 &&
	       verdict_fit(key, sizeof(key), good->key) >= 0 && strcmp(scope, c->scope) == 0 &&
	       strcmp(key, c->key) == 0;
}

bool verdict_settled_without(const struct store_case *c, uint32_t findings)
{
	return !c->closed_ns && c->finding && c->release == POLICY_RELEASE_CLAIM &&
	       (BIT(c->finding) & STATES) && !(BIT(c->finding) & findings);
}

bool verdict_settled_by_reboot(const struct store_case *c, uint32_t reset, bool boot_is_good)
{
	return !c->closed_ns && c->release == POLICY_RELEASE_REBOOT && boot_is_good &&
	       reset > c->opened_reset;
}

void verdict_close(struct store_case *c, uint64_t now_ns, const char *why)
{
	c->closed_ns = now_ns ? now_ns : 1;
	snprintf(c->closed_why, sizeof(c->closed_why), "%s", why);
}

void verdict_begin(struct verdict *v, const struct policy *p, uint64_t now_ns, bool judged,
		   bool forked)
{
	*v = (struct verdict){.policy = p, .now_ns = now_ns};
	v->claims[VERDICT_INSTANCE_IDENTITY] = forked ? 96 : 2;
	if (judged)
		v->claims[VERDICT_EXECUTABLES] = v->claims[VERDICT_CONFIGURATION] =
			v->claims[VERDICT_FILE_SYSTEM] = 2;
}

static const struct policy_rule *rule_of(const struct policy *p, const char *id)
{
	const struct policy_rule *rule;

	for (uint32_t i = 0; p && (rule = policy_rule(p, i)) != NULL; i++)
		if (strcmp(rule->id, id) == 0)
			return rule;
	return NULL;
}

/* What a boot log told, or that none did. */
static bool is_of_boot(const struct store_case *c)
{
	return c->finding ? c->finding == PLUMB_FINDING_BOOT_LOG ||
				    c->finding == PLUMB_FINDING_BOOT_MISMATCH ||
				    c->finding == PLUMB_FINDING_BOOT_EVENT
			  : strncmp(c->key, "measured:", strlen("measured:")) == 0;
}

/* The greater number is the worse one. Below a warning, drift is no reason to claim anything that was not claimed before. */
static void worsen(struct verdict *v, const struct store_case *c, enum verdict_claim claim,
		   int value)
{
	if (value > v->claims[claim] && (value >= WARNING || v->claims[claim] > 0))
		v->claims[claim] = value;
	if (value > v->boot[claim] && value >= WARNING && is_of_boot(c))
		v->boot[claim] = value;
}

static void add_claim(struct verdict *v, const struct store_case *c)
{
	const struct policy_rule *rule = c->rule[0] ? rule_of(v->policy, c->rule) : NULL;
	const struct meaning *m = c->finding ? meaning_of(c->finding) : NULL;

	if (rule) {
		for (size_t i = 0; i < VERDICT_N_CLAIMS; i++)
			if (strcmp(claim_names[i], rule->claim) == 0)
				worsen(v, c, (enum verdict_claim)i, rule->claim_value);
	} else if (m) {
		worsen(v, c, m->claim, m->value);
	} else if (c->rule[0] || !v->policy) {
		/* Its rule is no more, or there is no policy that could call it harmless. */
		worsen(v, c,
		       terms_type_is_deed(c->type) || c->type == PLUMB_TYPE_MODULE
			       ? VERDICT_EXECUTABLES
			       : VERDICT_CONFIGURATION,
		       WARNING);
	}
}

enum plumb_action verdict_at_most(enum plumb_finding f, enum plumb_action action)
{
	bool unknown = f == PLUMB_FINDING_SILENT || f == PLUMB_FINDING_UNCONFIRMED;

	return unknown && action > PLUMB_ACTION_HOLD ? PLUMB_ACTION_HOLD : action;
}

void verdict_add(struct verdict *v, const struct store_case *c)
{
	uint64_t from = c->opened_ns + c->grace_ms * 1000000;
	enum plumb_action action = PLUMB_ACTION_REPORT;

	if (c->closed_ns)
		return;
	v->n_open++;
	v->score += c->score;
	v->findings |= c->finding ? BIT(c->finding) : 0;
	add_claim(v, c);
	/* What has no grace acts whatever the clock says of when it was opened. */
	if (c->armed && (c->grace_ms == 0 || from <= v->now_ns))
		action = verdict_at_most(c->finding, c->action);
	else if (c->armed && (v->next_ns == 0 || from < v->next_ns))
		v->next_ns = from;
	/* What no quote covers yet keeps new work away, and moves nothing that is there. */
	if (c->provisional && action > PLUMB_ACTION_HOLD)
		action = PLUMB_ACTION_HOLD;
	if (action > v->action) {
		v->action = action;
		v->cause = c->id;
	}
}

void verdict_end(struct verdict *v)
{
	int worst = 0;

	for (size_t i = 0; i < VERDICT_N_CLAIMS; i++)
		if (v->claims[i] > worst)
			worst = v->claims[i];
	if (worst >= CONTRAINDICATED)
		v->appraisal = PLUMB_APPRAISAL_UNTRUSTED;
	else if (worst >= WARNING || v->claims[VERDICT_EXECUTABLES] < 2)
		v->appraisal = PLUMB_APPRAISAL_DEGRADED;
	else
		v->appraisal = PLUMB_APPRAISAL_TRUSTED;
}
