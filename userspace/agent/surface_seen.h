/* SPDX-License-Identifier: Apache-2.0 */
/*
 * surface_seen.h: what was told of the kernel's surface, so that the same is told once in a while with how often, and not each time.
 * In: what is to be told, by whom. Out: now, or counted. Bounded: of one group (what and by which program) a few objects are told by name,
 * more of them as one; of a unit (a pod, a container, a service) that has its share, more of one kind as that kind's rest. Nothing is left
 * uncounted, no unit's deeds are condensed for another's, and the first of a kind in a unit is told by its name.
 */
#ifndef PLUMB_SURFACE_SEEN_H
#define PLUMB_SURFACE_SEEN_H

#include <stdbool.h>
#include <stdint.h>

#define SURFACE_SEEN_MAX 1024				/* that are remembered, of all */
#define SURFACE_SEEN_SHARE (SURFACE_SEEN_MAX / 8)	/* of one unit by name; less when there are more than eight */
#define SURFACE_SEEN_OBJECTS 16				/* of one group by name */

struct surface_seen;

struct surface_seen_deed {
	const char *unit;	/* who shares room */
	const char *key;	/* whole */
	const char *folded;	/* the key of its group */
	const char *rest;	/* the key of its kind, whichever program of the unit it was */
	const char *found;
	uint32_t pid;		/* who did it last */
	uint64_t start_ns;
	uint32_t times;		/* so often, at least 1 */
};

int surface_seen_open(uint64_t window_ns, struct surface_seen **ret);
struct surface_seen *surface_seen_free(struct surface_seen *s);
/*
 * 1: to be told now, as *ret says (times: since it was told last). 0: counted. *ret_gone is what is forgotten for it and to be told before; its
 * times are 0 when there is nothing to tell. Strings live until the next call. Of a deed that is given back only key, found, pid, start_ns and
 * times mean something.
 */
int surface_seen_take(struct surface_seen *s, const struct surface_seen_deed *d, uint64_t now_ns, struct surface_seen_deed *ret,
		      struct surface_seen_deed *ret_gone);
/*
 * The next one whose window is over and that was counted meanwhile; all: whether or not it is over. 1 with *ret, or 0. What was not done
 * again is forgotten.
 */
int surface_seen_due(struct surface_seen *s, bool all, uint64_t now_ns, struct surface_seen_deed *ret);
bool surface_seen_knows(struct surface_seen *s, const struct surface_seen_deed *d);	/* it was told by its name, and is remembered */
uint32_t surface_seen_n(const struct surface_seen *s);

#endif
