/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cases.h: a node's cases in the store: opened, merged, confirmed and settled by what an appraisal found, and summed to a verdict.
 * In: items of the appraisal, inside the caller's transaction. Out: rows; the verdict over all open ones with the case that asks for most.
 */
#ifndef PLUMB_CASES_H
#define PLUMB_CASES_H

#include "appraise_drift.h"
#include "documents.h"
#include "verdict.h"
#include "verdict_ear.h"
#include "verifier.h"

#define CASES_MAX_NEW 1000u	/* of one node in one appraisal */
#define CASES_MAX_OPEN 5000u	/* of one node; what is beyond either becomes one case a rule, which asks for what the rule asks for */
#define CASES_MAX_UNBOUND 200u	/* as MAX_OPEN, for what is not bound: it must not take the room of what is */
#define CASES_MAX_TOLD 16u
#define CASES_FLOOD_KEY "flood"

/* Zero but for the borrowed members; cases_done() afterwards. */
struct cases {
	const struct verifier *v;	/* borrowed, as the next two */
	const struct policy *policy;	/* NULL: none */
	const struct store_node *node;
	bool provisional;		/* no quote covers it */
	bool bound;			/* the quote or the event key stands behind it; else whoever has the client key may have invented it */
	uint64_t from;			/* the first line that is new; all before it were bound */
	uint64_t now_ns;
	uint32_t n_new;			/* opened since */
	bool has_open;
	uint64_t n_open;		/* before that */
	struct store_case **floods;	/* one a rule: what was too much, not put yet */
	uint32_t n_floods;
	uint64_t *refound;		/* ids of cases that were unbound until bound lines had them */
	uint32_t n_refound, max_refound;
	/* What was opened or confirmed, for the log. */
	uint32_t n_told;
	char *told[CASES_MAX_TOLD];	/* keys, owned */
	/* Open cases that something good again would settle; read once, sorted by key and scope. */
	bool has_claims;
	struct cases_claim { uint64_t id; char *scope, *key; } *claims;
	uint32_t n_claims, max_claims;
};
void cases_done(struct cases *c);

/* Drift opens or merges; what is good again settles, when it is bound; the rest is passed over. Unbound, nothing adds to what is bound. */
int cases_item(struct cases *c, const struct appraise_drift_item *i);
int cases_finding(struct cases *c, enum plumb_finding f, uint64_t seq, const char *expected, const char *found);
/* After the last item: what was too much. */
int cases_flood(struct cases *c);
/* After the last item of bound lines below `to`: what was only ever told unbound and is not in them is closed. */
int cases_bound(struct cases *c, uint64_t to);
/* After accepted evidence: cases_bound, confirms what the quote covers, and settles states that are over and what a reboot releases. */
struct cases_accepted {
	uint64_t from;			/* the first line that no quote covered before this one */
	uint64_t size;			/* confirmed */
	uint32_t findings;		/* bits: states that go on */
	uint32_t reset;
	bool boot_is_good;
};
int cases_accepted(struct cases *c, const struct cases_accepted *a);
/* Judges every open case of a node anew (another policy, another arming). One whose rule is no more asks for nothing, and stays. */
int cases_rejudge(struct cases *c);

struct cases_sum {
	struct verdict verdict;
	struct store_case cause;	/* id 0: none asks for anything; else the case that asks for the most */
	bool proven;			/* no open case is provisional */
	uint64_t lines[VERDICT_EAR_MAX_LINES];
	uint32_t n_lines;		/* all, also beyond the room in lines */
};
int cases_sum(const struct cases *c, bool judged, struct cases_sum *ret);

#endif
