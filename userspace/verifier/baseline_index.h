/* SPDX-License-Identifier: Apache-2.0 */
/*
 * baseline_index.h: which baselines the verifier has: one JSON object a line in the store, what each file says of itself, oldest first.
 * In: what was put. Out: the same. Inside the caller's transaction.
 */
#ifndef PLUMB_BASELINE_INDEX_H
#define PLUMB_BASELINE_INDEX_H

#include "baseline.h"
#include "verifier.h"

int baseline_index_add(const struct verifier *v, const struct baseline_info *i);
/* fn returns 0 to go on. -EBADMSG: the index cannot be read, which is not "there is none". */
int baseline_index_each(const struct verifier *v, int (*fn)(void *ctx, const struct baseline_info *i), void *ctx);

#endif
