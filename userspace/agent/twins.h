/* SPDX-License-Identifier: Apache-2.0 */
/*
 * twins.h: what one source told and the other may still tell, found by process id. In: sightings as they come.
 * Out: the earliest one of the other source that is the same deed, or the oldest that nobody confirmed. Bounded; nothing is allocated
 * after twins_open().
 */
#ifndef PLUMB_TWINS_H
#define PLUMB_TWINS_H

#include <stdbool.h>
#include <stdint.h>

#define TWINS_MAX 4096u	/* a power of two */

struct twin {
	uint32_t source;	/* twins are of different ones */
	uint32_t pid;
	uint32_t came;		/* when it arrived, as the caller counts */
	uint64_t start_ns;	/* 0: not known, and then any will do */
	uint64_t at_ns;		/* when it was done */
};

struct twins;

int twins_open(struct twins **ret);
struct twins *twins_free(struct twins *t);
bool twins_put(struct twins *t, const struct twin *twin);	/* copied; false: there is no room */
/* Removes the twin of this one: of the same process, done within window_ns of it, the earliest to arrive. False: there is none. */
bool twins_match(struct twins *t, const struct twin *twin, uint64_t window_ns);
const struct twin *twins_oldest(const struct twins *t);		/* to arrive; NULL: none is left. Borrowed until the next call */
void twins_drop_oldest(struct twins *t);
void twins_clear(struct twins *t);
uint32_t twins_n(const struct twins *t);

#endif
