/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_match.h: each exec that audit tells has to be among those that the kernel programs told. Which execs audit tells, its rules say, which
 * are somebody else's: so one that only the programs saw means nothing.
 * In: execs of both, losses of the programs, and a tick. Out: the claim "sensor:audit_divergence", in words what audit alone saw, at most one
 * line a second; "absent" when it is over; and whether audit tells of execs at all. On the loop's thread.
 *
 * A pair is an exec of one process from each side, in its order. The kernel writes the programs' record first, and audit's carries the time at
 * which the call began; so the other one is no older than that and there already. Nobody is called alone before the programs' ring was emptied
 * after him. A loss of theirs ends the comparison until it was emptied.
 */
#ifndef PLUMB_AUDIT_MATCH_H
#define PLUMB_AUDIT_MATCH_H

#include <stdbool.h>
#include "clock.h"
#include "measure.h"
#include "proctab.h"

#define AUDIT_MATCH_SEEN 16384u		/* execs of the programs that are remembered */
#define AUDIT_MATCH_WAIT 4096u		/* execs of audit that wait for theirs; more are told as not compared */
#define AUDIT_MATCH_QUIET_MS 10000u	/* without a new one it is over */
#define AUDIT_MATCH_SILENT_MS 3600000u	/* audit tells of none although there are some: no rule asks for them any more */

struct audit_match;

struct audit_match_options {
	struct proctab *proctab;	/* borrowed */
	const struct clock *clock;	/* borrowed */
	const char *proc;		/* NULL: /proc; borrowed */
	uint32_t window_ms;		/* 0: 1000 */
	/* Takes what waits in the programs' ring, losses too, as far as a turn goes. True: nothing waits there. Calls bpf and lost. */
	bool (*empty)(void *ctx);
	/* Whether execs that audit tells are compared, and why not; when it changes. */
	void (*state)(void *ctx, bool compared, const char *why);
	void *ctx;
};

int audit_match_open(const struct audit_match_options *o, const struct measure_sink *sink, struct audit_match **ret);	/* copied */
struct audit_match *audit_match_free(struct audit_match *m);

/* at_ns: boot time. The comparison begins with the first. */
void audit_match_bpf(struct audit_match *m, uint32_t pid, uint64_t at_ns);
void audit_match_lost(struct audit_match *m);	/* some of the programs' */
void audit_match_exec(struct audit_match *m, uint32_t pid, uint64_t utc_ns);
void audit_match_tick(struct audit_match *m);	/* several times a window */

#endif
