/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kseq.h: which numbers of one CPU's records are missing. Pure.
 * In: the numbers as they come out of the ring. Out: how many will not come any more. A program that is preempted between taking its
 * number and its place in the ring lets a later number pass, so what is missing is told only when it had time to come.
 */
#ifndef PLUMB_KSEQ_H
#define PLUMB_KSEQ_H

#include <stdbool.h>
#include <stdint.h>

#define KSEQ_MAX_HOLES 16	/* stretches that are waited for; one more, and the oldest is given up */
#define KSEQ_TICKS 2		/* turns of kseq_tick() that a number may take to come */

struct kseq {
	uint64_t last;		/* highest number seen */
	struct {
		uint64_t from, to;	/* both missing */
		uint32_t age;
	} holes[KSEQ_MAX_HOLES];	/* oldest first */
	uint32_t n_holes;
	uint64_t given_up;		/* taken by kseq_lost() */
};

/* false: this number came before, or is none. ret_hole: numbers were passed over just now. */
bool kseq_see(struct kseq *k, uint64_t number, bool *ret_hole);
void kseq_tick(struct kseq *k);		/* time has passed */
uint64_t kseq_lost(struct kseq *k);	/* how many were given up since the last call */

#endif
