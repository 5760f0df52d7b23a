/* SPDX-License-Identifier: Apache-2.0 */
/*
 * row_times.h: the times in rows of nodes and of their open cases, moved where UTC is not what it was. In: the clock, by how much it jumped. Out:
 * rows, in a transaction of its own.
 */
#ifndef PLUMB_ROW_TIMES_H
#define PLUMB_ROW_TIMES_H

#include <stdbool.h>
#include <stdint.h>
#include "verifier.h"

/* Who asked to be enrolled anew is silent until he is admitted and heard; a stranger who waits for his approval is nobody yet. */
bool row_times_waited_for(const struct store_node *n);
/* 0 stays 0, and what would come before the beginning of time becomes 1. */
void row_times_move_one(uint64_t *at, int64_t by_ns);
int row_times_move(const struct verifier *v, int64_t by_ns);
/*
 * At a start: how far UTC lies before what was written with it, 0: not at all. It was set back while nobody was there to see it, and by no less than that.
 */
int row_times_behind(const struct verifier *v, uint64_t *ret_ns);
/* Whoever was due meanwhile could not know that nobody listened. */
int row_times_begin_anew(const struct verifier *v);

#endif
