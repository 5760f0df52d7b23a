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

struct cases {				/* all borrowed */
	const struct verifier *v;
	const struct policy *policy;	/* NULL: none */
	const struct store_node *node;
	bool provisional;
	uint64_t now_ns;
	uint32_t n_new;			/* opened since */
};

/* Drift opens or merges; what is good again settles; the rest is passed over. */
int cases_item(struct cases *c, const struct appraise_drift_item *i);
int cases_finding(struct cases *c, enum plumb_finding f, uint64_t seq, const char *expected, const char *found);
/* After accepted evidence: confirms what the quote covers, and settles states that are over and what a reboot releases. */
int cases_accepted(struct cases *c, uint64_t confirmed_size, uint32_t findings, uint32_t reset, bool boot_is_good);
/* Re-derives mode, action, severity of every open case of a node by another policy (policy put, armed). */
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
