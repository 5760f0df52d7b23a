/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rekey_permit.h: that a known machine may enrol anew with other keys, without a token: an approver's word, once, for a day. In: the store (a
 * blob a node), inside the caller's transaction. Out: whether, and by whom.
 */
#ifndef PLUMB_REKEY_PERMIT_H
#define PLUMB_REKEY_PERMIT_H

#include <stdint.h>
#include "store.h"

#define REKEY_PERMIT_LIFE_NS (24ull * 3600 * 1000000000)

int rekey_permit_give(const struct store *s, const char *node, const char *by, uint64_t until_ns);
/* 1: it was allowed, and is used up; *ret_by says by whom. 0: nobody allows it, or its time is over. */
int rekey_permit_take(const struct store *s, const char *node, uint64_t now_ns, char ret_by[128]);

#endif
