/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dump_due.h: when state is to be read again after a notification. Pure.
 * In: hints, and how long each reading took and whether it found something new. Out: how long to wait.
 *
 * A first change is read DUMP_DUE_QUIET_MS after its first notification. Where one change follows another (a proxy that writes its rules
 * every second) the readings become rarer up to DUMP_DUE_MAX_MS, and none takes more than a twentieth of one CPU: the last state is
 * always told, not each one before it.
 */
#ifndef PLUMB_DUMP_DUE_H
#define PLUMB_DUMP_DUE_H

#include <stdbool.h>
#include <stdint.h>

#define DUMP_DUE_QUIET_MS 200
#define DUMP_DUE_MIN_MS 1000
#define DUMP_DUE_MAX_MS 60000

struct dump_due {		/* zeros to begin with */
	uint64_t ended_ns;	/* boot time of the last reading's end; 0: none yet */
	uint64_t apart_ns;	/* between two readings, for now */
};

/* How long from now until the reading that a hint asks for. */
uint64_t dump_due_wait_ns(struct dump_due *d, uint64_t now_ns);
void dump_due_done(struct dump_due *d, uint64_t began_ns, uint64_t ended_ns, bool changed);

#endif
