/* SPDX-License-Identifier: Apache-2.0 */
/*
 * corroborate.h: what two sources say of the same execs, held against each other.
 * In: execs and losses of both, and a tick. Out: the claim "sensor:exec_divergence", in words what only one of them saw, at most one line a second;
 * "absent" when it is over. Runs on the loop's thread.
 *
 * A pair is an exec of one process from each side, in its order; times are not compared, for one is converted, and a tracer may stop a process
 * between the two. Nobody is called overdue before the other side was emptied after him, or told something later. A loss on either side
 * ends the comparison until both were emptied; that it was lost says whoever lost it.
 */
#ifndef PLUMB_CORROBORATE_H
#define PLUMB_CORROBORATE_H

#include "clock.h"
#include "measure.h"
#include "proctab.h"

#define CORROBORATE_MAX 16384u		/* execs that wait for their twin; more are told as not compared */
#define CORROBORATE_QUIET_MS 10000u	/* without a new one it is over */

enum corroborate_source { CORROBORATE_BPF = 0, CORROBORATE_CONNECTOR = 1 };

struct corroborate;

struct corroborate_options {
	struct proctab *proctab;	/* borrowed */
	const struct clock *clock;	/* borrowed */
	const char *proc;		/* NULL: /proc; borrowed */
	uint32_t window_ms;		/* 0: 1000 */
	/* Takes what waits at that source, losses too, as far as a turn goes. True: nothing waits there any more. Calls seen and lost. */
	bool (*empty)(void *ctx, enum corroborate_source source);
	void *ctx;
};

int corroborate_open(const struct corroborate_options *o, const struct measure_sink *sink, struct corroborate **ret);	/* copied */
struct corroborate *corroborate_free(struct corroborate *c);

/* start_ns 0: not known. at_ns: boot time. The comparison begins with the first that BPF tells. */
void corroborate_seen(struct corroborate *c, enum corroborate_source source, uint32_t pid, uint64_t start_ns, uint64_t at_ns);
/*
 * From now on BPF tells execs that may still fail: what it alone saw means nothing, and is not told. Not an option, for it is known only when the
 * programs are loaded, and they may not miss what the comparison begins with.
 */
void corroborate_early(struct corroborate *c);
void corroborate_lost(struct corroborate *c);	/* some of either side, or a clock jumped */
void corroborate_tick(struct corroborate *c);	/* several times a window */

#endif
