/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deeds_drain.h: has the pods of quarantined nodes leave, a round every few seconds, one node at a time, until all have left or the time is over.
 * In: the book, every second. Out: evictions; entries that are to be looked at, since NoExecute is their turn.
 */
#ifndef PLUMB_DEEDS_DRAIN_H
#define PLUMB_DEEDS_DRAIN_H

#include "contain_book.h"
#include "kube_evict.h"
#include "clock.h"

#define DEEDS_DRAIN_S 5			/* between two rounds of a node */

struct deeds_drain;

struct deeds_drain_options {		/* all borrowed */
	const struct kube_options *kube;
	const struct clock *clock;
	struct contain_book *book;
	bool force;			/* what has not left in time is deleted */
	void (*over)(void *ctx, struct contain_entry *e);	/* drained, or its time is over */
	void *ctx;
};

int deeds_drain_open(const struct deeds_drain_options *o, struct deeds_drain **ret, struct why *ret_why);
struct deeds_drain *deeds_drain_free(struct deeds_drain *d);
void deeds_drain_tick(struct deeds_drain *d);

#endif
