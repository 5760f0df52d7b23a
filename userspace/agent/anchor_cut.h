/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anchor_cut.h: the anchor records that a verifier still needs. In: the ledger's `anchors`, the quote base that it named. Out: records.
 */
#ifndef PLUMB_ANCHOR_CUT_H
#define PLUMB_ANCHOR_CUT_H

#include "evidence.h"
#include "fsio.h"

/* Those since the base: after the last record that left its PCR value under its counts. All of them when there is no base, or it is not here. */
int anchor_cut_read(const struct fsio *io, const char *ledger_dir, const struct evidence_nonce *base, struct buf *ret);

#endif
