/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isolate_outcome.h: what came of isolating a node, or of freeing it. In: the ways that it was done by, and why others could not be. Out: JSON of an
 * `isolation` line, the text of an order's result.
 */
#ifndef PLUMB_ISOLATE_OUTCOME_H
#define PLUMB_ISOLATE_OUTCOME_H

#include "isolate_state.h"
#include <stdbool.h>
#include <stddef.h>

struct isolate_outcome {
	uint32_t done, cannot; /* enum isolate_way; both: in part */
	struct why why[ISOLATE_N_WAYS]; /* of those in cannot */
	bool unkept; /* the disk did not take it: a restart would end it, or bring it back */
};

uint32_t isolate_outcome_place(uint32_t way); /* in why */
void isolate_outcome_cannot(struct jsonl *j, const struct isolate_outcome *o); /* a member "cannot" */
/* "done: network", "in part: …; cannot: …", "refused: cannot …"; cut where it has no room. */
void isolate_outcome_result(const struct isolate_outcome *o, char *ret, size_t size);

#endif
