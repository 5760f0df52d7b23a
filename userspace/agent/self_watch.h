/* SPDX-License-Identifier: Apache-2.0 */
/*
 * self_watch.h: the agent looks after itself, at every tier: was its loop held up, was the clock set, does the ring still bring what the kernel
 * puts into it, are its links still there, do the kernel's counts add up? In: clocks, the scheduler's figures, the ring. Out: `guard` lines,
 * losses, and claims of sensors. SIGCONT is to be blocked in all threads, so that a stop by a signal can be told. Who did it is not known here: guard has that where the kernel tells.
 */
#ifndef PLUMB_SELF_WATCH_H
#define PLUMB_SELF_WATCH_H

#include <event2/event.h>
#include "event_check.h"
#include "scan_claims.h"

struct self_watch;

struct self_watch_options {
	struct sensor_bpf *bpf;		/* borrowed; NULL: there are no kernel programs */
	struct scan_claims *claims;	/* borrowed */
	const struct clock *clock;	/* borrowed */
	uint64_t (*mono_ns)(void);	/* CLOCK_MONOTONIC; NULL: the system's */
	uint32_t tick_ms;		/* 0: 1000 */
	uint32_t held_ms;		/* longer late than that is told; 0: 3000 */
	uint32_t canary_ms;		/* the ring was quiet for so long, so something of our own is sent through it; 0: 10000 */
};

int self_watch_open(struct event_base *base, const struct self_watch_options *o, const struct measure_sink *sink, struct self_watch **ret);
struct self_watch *self_watch_free(struct self_watch *w);
void self_watch_take(struct self_watch *w, const union event_record *r);	/* of our own fork: the canary */

#endif
