/* SPDX-License-Identifier: Apache-2.0 */
/*
 * announced.h: until when an operator's word says that a node may be away. In: the stops that were ordered, and which of them covered a gap. Out: a
 * time. Inside the caller's transaction.
 */
#ifndef PLUMB_ANNOUNCED_H
#define PLUMB_ANNOUNCED_H

#include "verifier.h"

/* *ret 0: no word does. One that covered a stop is spent: who came back from it is missed as ever. */
int announced_until(const struct verifier *v, const struct store_node *n, uint64_t now_ns, uint64_t *ret);

#endif
