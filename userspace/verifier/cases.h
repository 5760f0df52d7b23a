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

#define CASES_MAX_NEW 1000u	/* of one node in one appraisal; what is beyond it becomes one case that says how many */
#define CASES_MAX_TOLD 16u
#define CASES_FLOOD_KEY "flood"

/* Zero but for the borrowed members; cases_done() afterwards. */
struct cases {
	const struct verifier *v;	/* borrowed, as the next two */
	const struct policy *policy;	/* NULL: none */
	const struct store_node *node;
	bool provisional;
	uint64_t now_ns;
	uint32_t n_new;			/* opened since */
	uint64_t n_flood;		/* not opened: there were too many */
	/* What was opened or confirmed, for the log. */
	uint32_t n_told;
	char *told[CASES_MAX_TOLD];	/* keys, owned */
	/* Open cases that something good again would settle; read once. */
	bool has_claims;
	struct cases_claim { uint64_t id; char *scope, *key; } *claims;
	uint32_t n_claims, max_claims;
};
void cases_done(struct cases *c);

/* Drift opens or merges; what is good again settles; the rest is passed over. */
int cases_item(struct cases *c, const struct appraise_drift_item *i);
int cases_finding(struct cases *c, enum plumb_finding f, uint64_t seq, const char *expected, const char *found);
/* After the last item: one case for what was too much. */
int cases_flood(struct cases *c, uint64_t seq);
/* After accepted evidence: confirms what the quote covers, and settles states that are over and what a reboot releases. */
int cases_accepted(struct cases *c, uint64_t confirmed_size, uint32_t findings, uint32_t reset, bool boot_is_good);
/* Re-derives mode, action and severity of every open case of a node (another policy, another arming). */
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
