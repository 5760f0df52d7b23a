/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_ledger.h: a node's ledger as the verifier has it, with the logs of its boots (docs/wire.md, GET /v1/ledger). In: store. Out: JSON Lines. Reads only.
 */
#ifndef PLUMB_API_LEDGER_H
#define PLUMB_API_LEDGER_H

#include "verifier.h"

/* *n becomes an incarnation before, as far as a ledger needs it. -ENOENT: it has no such one. */
int api_ledger_past(const struct verifier *v, struct store_node *n, uint64_t incarnation);
int api_ledger(const struct verifier *v, const struct store_node *n, struct buf *ret);

#endif
