/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ima_fold.h: what the entries of IMA's list leave in PCR 10 of the SHA-256 bank, entry by entry, as the kernel extends it (5.8 and later: each
 * bank with its own digest of the template's data; a violation with ff..ff). In: entries of imalog. Out: the PCR's value, digests. Pure.
 */
#ifndef PLUMB_IMA_FOLD_H
#define PLUMB_IMA_FOLD_H

#include "digest.h"
#include "imalog.h"
#include "quote.h"

#define IMA_FOLD_PCR 10u	/* CONFIG_IMA_MEASURE_PCR_IDX is what it is everywhere */

struct ima_folded {
	bool genuine;			/* the template digest is that of the data; of a violation it is neither */
	bool counted;			/* it is of IMA_FOLD_PCR, and *pcr has it now */
	struct digest data;		/* SHA-256 of the template's data */
};
/* pcr: before, then after. */
void ima_fold_entry(const struct imalog_entry *e, struct digest *pcr, struct ima_folded *ret);
/* What boot_aggregate of SHA-256 is: over PCR 0 to 9. */
int ima_fold_aggregate(const struct quote_pcrs *pcrs, struct digest *ret);

#endif
