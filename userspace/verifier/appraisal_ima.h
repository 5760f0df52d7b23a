/* SPDX-License-Identifier: Apache-2.0 */
/*
 * appraisal_ima.h: IMA's list in one piece of evidence: against PCR 10 of the quote, then against the ledger; and what both leave to the next,
 * in the store. In: accepted evidence whose lines are stored, inside the caller's transaction. Out: cases, findings.
 */
#ifndef PLUMB_APPRAISAL_IMA_H
#define PLUMB_APPRAISAL_IMA_H

#include "appraise_ima.h"
#include "cases.h"
#include "evidence.h"
#include "jsonl.h"
#include "verifier.h"

struct appraisal_ima_in {		/* all borrowed */
	const struct verifier *v;
	struct cases *cases;
	const struct evidence *evidence;
	uint32_t reset;			/* the TPM's count in its quote */
	const char *boot;		/* of its newest line */
	const struct digest *at_boot;	/* PCR 0 to 9 as the kernel found them; NULL: nobody knows */
	int (*lines)(void *ctx, uint64_t from, uint64_t to, appraise_ima_line_fn fn, void *fn_ctx);	/* as appraise_ima's */
	void *ctx;
};

/* *findings: bits are added. 0; -EBADMSG: the entries are none, and the evidence is to be refused, with why; other < 0: could not check. */
int appraisal_ima(const struct appraisal_ima_in *in, uint32_t *findings, struct why *ret_why);
/* Members of an open object: "ima", how far the list was judged, and "boot_aggregate", where that could not be checked. */
int appraisal_ima_view(const struct verifier *v, const struct store_node *n, struct jsonl *j);
/* From which entry on the next evidence is to bring them, and of which boot; "" and 0: none came yet. */
int appraisal_ima_wanted(const struct verifier *v, const char *node, uint64_t incarnation, char ret_boot[37], uint64_t *ret_from);

#endif
