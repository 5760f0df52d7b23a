/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anchor_cut.h: the anchor records that a verifier still needs. In: the ledger's `anchors`, the quote base that it named. Out: records.
 * Remembers where the last cut was: what is before it is not read each time.
 */
#ifndef PLUMB_ANCHOR_CUT_H
#define PLUMB_ANCHOR_CUT_H

#include "evidence.h"
#include "fsio.h"

#define ANCHOR_CUT_MAX (16u << 20)	/* bytes; no body takes so many */

/* The register after the records before `at`. Zero-initialise. */
struct anchor_cut {
	uint64_t at;			/* 0: nothing is remembered */
	uint32_t reset, restart;
	struct digest value;
};

/*
 * Those since the base: after the last record that left its PCR value under its counts. All of them when there is no base, or it is not
 * here. -E2BIG: more than ANCHOR_CUT_MAX.
 */
int anchor_cut_read(const struct fsio *io, const char *ledger_dir, const struct evidence_nonce *base, struct anchor_cut *cut, struct buf *ret);

#endif
