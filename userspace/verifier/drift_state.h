/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drift_state.h: what one evidence leaves to the next (appraise_drift.h), as the store keeps it beside a node's row. In: the row. Out: that state,
 * inside the caller's transaction.
 */
#ifndef PLUMB_DRIFT_STATE_H
#define PLUMB_DRIFT_STATE_H

#include "appraise_drift.h"
#include "store.h"

/* Nothing is kept yet: *ret stays as it was. The caller has appraise_drift_state_done() to call. */
int drift_state_load(const struct store *s, const struct store_node *n, struct appraise_drift_state *ret);
int drift_state_save(const struct store *s, const struct store_node *n, const struct appraise_drift_state *d);

#endif
