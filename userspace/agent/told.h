/* SPDX-License-Identifier: Apache-2.0 */
/*
 * told.h: which executables a line was written of, and which drifts stand. In: measurements. Out: whether one is news. Bounded and plain.
 * Two runs are the same when no rule of a policy could tell them apart: scope, path, digest, uid and cgroup. What is forgotten costs one
 * more line, never one less; and one cgroup, however many programs it runs, takes at most half of the places from others.
 */
#ifndef PLUMB_TOLD_H
#define PLUMB_TOLD_H

#include <stdbool.h>
#include <stdint.h>
#include "line.h"

#define TOLD_WAYS 4u
#define TOLD_SETS 4096u		/* powers of two */
#define TOLD_DRIFTS 1024u

struct told_place {
	uint64_t run;	/* hash; 0: free */
	uint64_t unit;
};

struct told {
	uint64_t seed;	/* random, so that nobody can choose two programs that look the same here */
	struct told_place places[TOLD_SETS][TOLD_WAYS];
	uint64_t drifts[TOLD_DRIFTS];	/* hashes of (scope, key); 0: free */
	uint32_t turn;
};

/* A measurement, as hashes: of the program in its scope, of the run as a policy sees it, and of who shares room with whom. */
struct told_run {
	uint64_t program, run, unit;
};

int told_init(struct told *t);	/* -EIO: no random numbers */
void told_hash(const struct told *t, const struct line *l, struct told_run *ret);
bool told_knows(const struct told *t, const struct told_run *r);
void told_put(struct told *t, const struct told_run *r);	/* it was written */
void told_forget(struct told *t);	/* all runs: they are to be told again */
/*
 * Is this the end of a drift that was told? Then it is news as its beginning was: whoever waits whether a state stays wrong must hear
 * that it does not. A place that another key took means only that the end goes with the next evidence.
 */
bool told_ends_drift(struct told *t, const struct line *l, enum plumb_judgement judged);

#endif
