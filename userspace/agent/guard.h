/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guard.h: who did what to the agent itself, or tried, by what the kernel programs saw; and, where it is enforced, the door that an order opens.
 * In: guard records. Out: `guard` lines with the actor; claims sensor:guard and sensor:protect. The same deed of one process within ten
 * seconds is one line, and another that says how many more there were.
 */
#ifndef PLUMB_GUARD_H
#define PLUMB_GUARD_H

#include <event2/event.h>
#include "event_check.h"
#include "guard_marks.h"
#include "scan_claims.h"

struct guard;

struct guard_options {
	struct sensor_bpf *bpf;		/* borrowed, as all here; NULL: there are no kernel programs */
	struct scan_claims *claims;
	struct proctab *proctab;
	const struct cgroups *cgroups;
	const struct clock *clock;
	const char *const *paths;	/* files and directories that are the agent's own; NULL ends them; NULL: none */
	bool enforce;			/* what the programs were loaded with */
	const char *why_not;		/* enforcing was asked for, and is not done: why; "" or NULL else */
	uint32_t again_ms;		/* how long the same deed is one line; 0: 10000 */
};

int guard_open(struct event_base *base, const struct guard_options *o, const struct measure_sink *sink, struct guard **ret);
void guard_start(struct guard *g);	/* marks and tries itself; guard_take() is called meanwhile. Claims say what came of it */
struct guard *guard_free(struct guard *g);
void guard_take(struct guard *g, const union event_record *r);		/* of kind guard */
void guard_open_door(struct guard *g, uint64_t until_ns);	/* an order: nothing is denied until that boot time */

#endif
