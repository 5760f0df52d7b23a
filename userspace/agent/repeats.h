/* SPDX-License-Identifier: Apache-2.0 */
/*
 * repeats.h: how often programs ran that have a line already. In: runs. Out: members of a `repeats` line, of bounded length: the programs that
 * ran most, each scope in its turn; the rest is said as numbers. Bounded: one unit (told.h) has at most a quarter of the places.
 */
#ifndef PLUMB_REPEATS_H
#define PLUMB_REPEATS_H

#include <stdint.h>
#include "buf.h"
#include "told.h"

#define REPEATS_MAX 1024u	/* programs that are counted by name */
#define REPEATS_OF_UNIT (REPEATS_MAX / 4)
#define REPEATS_SCOPES 64u	/* scopes whose rest is told each by its name */
#define REPEATS_LINE_PROGRAMS 128u
#define REPEATS_LINE_SIZE 49152u	/* bytes of members */

struct repeats;

int repeats_open(struct repeats **ret);
struct repeats *repeats_free(struct repeats *r);
void repeats_count(struct repeats *r, const struct line *l, const struct told_run *run);	/* strings copied */
uint64_t repeats_n(const struct repeats *r);	/* runs since the last line */
/*
 * Appends {"runs":N,"programs":[{scope, key, found, n}…],"rest":[{scope, n}…],"rest_runs":N} without braces. All of it adds up: runs is
 * the sum of n in programs and rest, and of rest_runs. -ENOMEM.
 */
int repeats_members(const struct repeats *r, struct buf *ret);
void repeats_restart(struct repeats *r);	/* that line was written */

#endif
