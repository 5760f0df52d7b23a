/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ancestry.h: the ancestors of processes that have the same parent, found and put into words once. In: a parent's place in the table of
 * processes, and its list. Out: the list again while nobody in it has changed. Bounded: a newer one takes an older one's place.
 */
#ifndef PLUMB_ANCESTRY_H
#define PLUMB_ANCESTRY_H

#include <stdint.h>
#include "buf.h"
#include "line.h"

#define ANCESTRY_SLOTS 64u	/* a power of two */

struct ancestry {
	uint64_t now;		/* grows when what was put may not hold any more */
	struct ancestry_slot {
		uint32_t parent, n;
		uint64_t put;	/* 0: nothing is here */
		struct line_ancestor list[LINE_MAX_ANCESTORS];	/* strings borrowed */
		struct buf text;	/* as line_ancestors() writes it */
	} slots[ANCESTRY_SLOTS];
};

int ancestry_open(struct ancestry **ret);
struct ancestry *ancestry_free(struct ancestry *a);
void ancestry_changed(struct ancestry *a);	/* somebody in one of the lists: none of them holds any more */
/* Fills the ancestors of *ret. False: they are not here. */
bool ancestry_find(const struct ancestry *a, uint32_t parent, struct line_actor *ret);
void ancestry_put(struct ancestry *a, uint32_t parent, const struct line_actor *from);

#endif
