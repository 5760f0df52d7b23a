/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counters_check.h: do the kernel programs' counts agree with the ones before and with what arrived? Pure.
 * In: two readings of one CPU. Out: what is wrong with them. They are read while programs run, so only what no order of steps can give is wrong.
 */
#ifndef PLUMB_COUNTERS_CHECK_H
#define PLUMB_COUNTERS_CHECK_H

#include <stdint.h>
#include "plumb/event.h"

#define COUNTERS_CHECK_UNDER_WAY 64u	/* attempts of one CPU that may be between their number and their record, preempted */

/* received: taken from the ring before `now` was read. NULL: they may be right. Static. */
const char *counters_check(const struct plumb_counters *before, const struct plumb_counters *now, uint64_t received);

#endif
