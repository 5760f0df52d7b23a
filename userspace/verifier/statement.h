/* SPDX-License-Identifier: Apache-2.0 */
/*
 * statement.h: what the verifier has on a node, signed, for people who must prove it later without it (docs/wire.md): the row with cases and
 * verdict, the orders, its record's digest, the head of its own log; and proofs of that log's lines. In: store, log. Out: JSON. Reads only.
 */
#ifndef PLUMB_STATEMENT_H
#define PLUMB_STATEMENT_H

#include "documents.h"
#include "verifier.h"

#define STATEMENT_MAX_ORDERS 4096u	/* the newest; "more" says that there are others */

/* A DSSE envelope, signed by the verdict key and, while it changes, by the old one. */
int statement_write(const struct verifier *v, const struct documents *d, const struct store_node *n, struct buf *ret);
/*
 * body: {"size":n,"lines":[n,…]}. {"v":1,"size":n,"proofs":[{"line":n,"hashes":[b64…]}…]}, in the same order. -EBADMSG with why: malformed,
 * or not in that tree.
 */
int statement_prove(const struct verifier *v, const void *body, size_t size, struct buf *ret, struct why *ret_why);

#endif
