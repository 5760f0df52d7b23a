/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evidence_keep.h: what of a piece of evidence is kept beside its lines, for whoever must prove it later: anchors and notes.
 * In: evidence that was appraised, inside the caller's transaction. Out: blobs.
 */
#ifndef PLUMB_EVIDENCE_KEEP_H
#define PLUMB_EVIDENCE_KEEP_H

#include "evidence.h"
#include "verifier.h"

/* Appended since the quote base; when there was none, they are all there are. */
int evidence_keep_anchors(const struct verifier *v, const struct store_node *row, const struct evidence *e, bool had_base);
int evidence_keep_notes(const struct verifier *v, const struct store_node *row, const struct evidence *e);

#endif
