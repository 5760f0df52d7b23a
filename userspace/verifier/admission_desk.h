/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admission_desk.h: answers reviews by what is known of bound nodes, and keeps account: each refusal is a line of the log, and all are
 * counted. In: bodies of requests, on one thread. Out: an HTTP status and a body; counts, on any thread.
 */
#ifndef PLUMB_ADMISSION_DESK_H
#define PLUMB_ADMISSION_DESK_H

#include "admission.h"
#include "bound_nodes.h"

struct admission_desk;

struct admission_counts {
	uint64_t asked[ADMISSION_N_SUBJECTS]; /* by enum admission_subject */
	uint64_t refused, would_refuse; /* the latter in a dry run */
	uint64_t broken; /* what was no review */
};

/* Both borrowed. */
int admission_desk_open(struct bound_nodes *nodes, const struct admission_rules *rules,
			struct admission_desk **ret);
struct admission_desk *admission_desk_free(struct admission_desk *d);
int admission_desk_answer(struct admission_desk *d, const void *body, size_t size, struct buf *ret);
void admission_desk_counts(const struct admission_desk *d, struct admission_counts *ret);

#endif
