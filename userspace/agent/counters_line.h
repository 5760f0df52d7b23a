/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counters_line.h: the members of a `counters` line. In: the counters of one CPU's kernel programs, and how many of its records arrived.
 * Out: JSON without braces. What was dropped is told by kind, too, once anything was.
 */
#ifndef PLUMB_COUNTERS_LINE_H
#define PLUMB_COUNTERS_LINE_H

#include <stdint.h>
#include "plumb/event.h"
#include "buf.h"

struct counters_line {
	uint64_t ksess;
	uint32_t cpu;
	uint64_t received, repeats;
	const struct plumb_counters *counters;	/* borrowed */
};

int counters_line_members(const struct counters_line *c, struct buf *ret);	/* appends */

#endif
