/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deeds_mark.h: the annotation of a Node: its state as a JWT that the verdict key signed, with the object's uid in it, so that it proves nothing
 * on another one. Made once a change of state, and kept. In: a row, a uid. Out: text.
 */
#ifndef PLUMB_DEEDS_MARK_H
#define PLUMB_DEEDS_MARK_H

#include "sign.h"
#include "store.h"

/* "" when uid is. Kept in a transaction of its own when it had to be made. */
int deeds_mark_get(const struct store *store, const struct sign_key *key, const struct store_node *n, const char *uid, uint64_t now_ns,
		   struct buf *ret);

#endif
