/* SPDX-License-Identifier: Apache-2.0 */
/*
 * appraisal.h: one piece of evidence against a node's row, inside the caller's transaction: ledger, drift, cases, verdict, transition;
 * and all of it put into the store. In: evidence whose sender, nonce and quote were checked. Out: result, row, what is to be cosigned.
 */
#ifndef PLUMB_APPRAISAL_H
#define PLUMB_APPRAISAL_H

#include "evidence.h"
#include "transition.h"

struct appraisal_in {			/* all borrowed */
	struct transition t;
	struct documents *documents;
	const struct evidence *evidence;
	const struct quote_info *quote;	/* NULL: provisional */
	bool event_signed;
	struct digest body;		/* SHA-256 of the whole body */
};

/*
 * row as it was read in this transaction. 0: *ret_result and ret_why; when it changed anything the caller syncs the verifier's log and
 * commits, else it rolls back (ret_changed). < 0: could not check; roll back. -EBADMSG: a line is none, to be refused.
 */
int appraisal_run(const struct appraisal_in *in, struct store_node *row, enum plumb_result *ret_result, bool *ret_changed, struct why *ret_why);
/* Sums open cases again without new evidence; quiet. appraise: a person settled something, so the appraisal may change too. */
int appraisal_derive(const struct transition *t, struct documents *d, struct store_node *row, bool appraise, const struct transition_cause *c);

#endif
