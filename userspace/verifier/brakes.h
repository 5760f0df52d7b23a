/* SPDX-License-Identifier: Apache-2.0 */
/*
 * brakes.h: whether one more node may be contained now. An automation that is wrong, or is led to be, must not take the cluster down: never more
 * than a share at once, nor the last Ready node of the control plane, nor a whole zone. In: all nodes, one that is to be contained. Out: yes,
 * or what holds it back. Pure.
 */
#ifndef PLUMB_BRAKES_H
#define PLUMB_BRAKES_H

#include <stdbool.h>
#include <stdint.h>

enum brakes_why {
	BRAKES_OPEN = 0,
	BRAKES_DRY_RUN,
	BRAKES_PAUSED,
	BRAKES_SHARE,
	BRAKES_CONTROL_PLANE,
	BRAKES_ZONE,
	BRAKES_N,
};

struct brakes_settings {
	uint32_t max_percent;		/* of all nodes; one is always allowed */
	bool dry_run, paused;
};

struct brakes_node {
	const char *zone;		/* borrowed; "": none, or not known */
	bool control_plane, ready;
	bool contained;			/* it counts: something is done to it */
};

enum brakes_why brakes_judge(const struct brakes_settings *s, const struct brakes_node *all, uint32_t n, uint32_t candidate);
uint32_t brakes_limit(const struct brakes_settings *s, uint32_t n);
/* A node that goes up and down is let down once in so long only. lifted_ns: when it was last; 0: never. */
bool brakes_may_lift(uint64_t lifted_ns, uint64_t now_ns, uint64_t calm_ms);
const char *brakes_name(enum brakes_why w);	/* "share"; "" for OPEN */
enum brakes_why brakes_from_name(const char *name);	/* what is none: OPEN */
const char *brakes_text(enum brakes_why w);	/* a sentence's end: "held back: …" */

#endif
