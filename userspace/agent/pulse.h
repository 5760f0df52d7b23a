/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pulse.h: was the loop held up, and by what? Pure.
 * In: clocks and what the scheduler says, once a tick. Out: for how long it did not run when it should have: because it was stopped or frozen,
 * had no CPU, or was at work. A sleep of the whole machine is none.
 */
#ifndef PLUMB_PULSE_H
#define PLUMB_PULSE_H

#include <stdbool.h>
#include <stdint.h>

struct pulse_reading {
	uint64_t boot_ns;	/* CLOCK_BOOTTIME */
	uint64_t mono_ns;	/* CLOCK_MONOTONIC: stands still while the machine sleeps */
	uint64_t cpu_ns;	/* that the loop's thread has used */
	uint64_t wait_ns;	/* that it was ready to run and did not */
	bool continued;		/* SIGCONT came since the last reading */
};

struct pulse {
	uint64_t tick_ns;	/* a reading is due so long after the last one */
	uint64_t limit_ns;	/* later than that by more is told */
	uint64_t busy_ns;	/* the same when it was our own work, or the node's */
	bool any;
	struct pulse_reading last;
};

struct pulse_hold {
	const char *how;	/* static: "stopped by a signal", "stopped or frozen", "without a CPU", "busy" */
	uint64_t held_ms, cpu_ms, wait_ms;
};

bool pulse_beat(struct pulse *p, const struct pulse_reading *now, struct pulse_hold *ret);	/* true: it was held up */
/* "<ns on the CPU> <ns waiting for it> <turns>" as in /proc/PID/schedstat; 0 or -EBADMSG. */
int pulse_schedstat(const char *text, uint64_t *ret_cpu_ns, uint64_t *ret_wait_ns);

#endif
