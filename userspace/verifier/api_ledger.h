/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_ledger.h: a node's ledger as the verifier has it, with the logs of its boots (docs/wire.md, GET /v1/ledger): whole, or its head and
 * then its parts in pieces. In: store. Out: JSON Lines. Reads only.
 */
#ifndef PLUMB_API_LEDGER_H
#define PLUMB_API_LEDGER_H

#include "verifier.h"

/* *n becomes an incarnation before, as far as a ledger needs it. -ENOENT: it has no such one. */
int api_ledger_past(const struct verifier *v, struct store_node *n, uint64_t incarnation);
/* -E2BIG: it has more than WIRE_MAX_LEDGER bytes as a whole. */
int api_ledger_whole(const struct verifier *v, const struct store_node *n, struct buf *ret);
/* part: "head", or "events", "anchors", "notes" from the item of that number on. -EINVAL: there is no such part. */
int api_ledger_part(const struct verifier *v, const struct store_node *n, const char *part, uint64_t from, struct buf *ret);

#endif
