/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deadlines.h: the clock's part in a node's state: silent, unconfirmed, grace that is over. In: time, rows. Out: rows, cases, transitions,
 * in transactions of its own.
 *
 * Deadlines are UTC, so that they outlive a start; what they are held against is not. When UTC jumps against boot time they all move with
 * it, also when that was while nobody was there, and at a start those that ran out while nobody was there to be told begin anew: a node is never silent for the verifier's absence.
 */
#ifndef PLUMB_DEADLINES_H
#define PLUMB_DEADLINES_H

#include "documents.h"
#include "transition.h"

struct deadlines;

int deadlines_open(const struct transition *t, struct documents *documents, struct deadlines **ret);	/* all borrowed but t, which is copied */
struct deadlines *deadlines_free(struct deadlines *d);
/* UTC had been set back when it was opened, by no less than that: whoever keeps times beside the rows moves them, too. 0: it had not. */
uint64_t deadlines_behind_ns(const struct deadlines *d);
/* Before anything that sets a deadline: has UTC jumped, or the machine slept? Cheap when neither. */
int deadlines_clock(struct deadlines *d);
/* Cases are judged otherwise from here on: grace may end earlier than was known. */
void deadlines_changed(struct deadlines *d);
/*
 * Its TPM asks to be enrolled anew, and nobody but its own root vouches for that: nothing comes by its old identity any more, so it is silent
 * from here on, whatever it had announced. In the caller's transaction, which puts the row, before it is made that of another incarnation.
 */
int deadlines_asks_anew(struct deadlines *d, struct store_node *n);
/* Call every second. 0, or < 0: our own failure; what could not be done is done again. */
int deadlines_tick(struct deadlines *d);

#endif
