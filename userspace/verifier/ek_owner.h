/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ek_owner.h: which node an endorsement key is. A node's id is the digest of its EK's whole public area, which can be written in more than one way
 * (a point with its leading zeros, or without); the key itself cannot. So what was admitted is kept by its key, and no key is two nodes. In: the
 * store (a blob a key). Out: whose key it is.
 */
#ifndef PLUMB_EK_OWNER_H
#define PLUMB_EK_OWNER_H

#include "store.h"

/* In the caller's transaction. 0: it is that node's, from here on if it was nobody's; 1: it is another's, *ret_owner says whose. -EKEYREJECTED: no key. */
int ek_owner_claim(const struct store *s, const struct buf *ek_public, const char *node, char ret_owner[65]);
/* Once a store, at the start: those who were enrolled before this was kept. Of two nodes with one key who is gone has it, so that it stays gone. */
int ek_owner_gather(const struct store *s);

#endif
