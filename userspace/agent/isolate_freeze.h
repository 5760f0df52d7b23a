/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isolate_freeze.h: freezes the pods of an isolated node, by cgroup v2. In: the cgroups that the settings name; none: those at the top that kubelet
 * makes (kubepods, kubepods.slice). Out: they and all below them stand still; which, into the state. Never one that holds the agent, process 1 or
 * what is not named.
 */
#ifndef PLUMB_ISOLATE_FREEZE_H
#define PLUMB_ISOLATE_FREEZE_H

#include "isolate_state.h"

struct isolate_freeze {
	const char *root;		/* where cgroup2 is mounted; NULL: nowhere. Borrowed */
	const char *const *named;	/* paths below it; borrowed */
	uint32_t n_named;
	uint32_t own;			/* the agent's process; 0: this one */
};

/* ctx: struct isolate_freeze. -ENOTSUP: no cgroup v2; -ENOENT: there is none of them; -EPERM: refused, it would stop the node. */
int isolate_freeze_begin(void *ctx, struct isolate_state *s, struct why *ret_why);
int isolate_freeze_end(void *ctx, const struct isolate_state *s, struct why *ret_why);	/* those of s; one that is gone is thawed */

#endif
