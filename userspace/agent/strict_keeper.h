/* SPDX-License-Identifier: Apache-2.0 */
/*
 * strict_keeper.h: the process that holds programs back, a child of the agent: so that a stopped, hung or starved agent blocks nobody for
 * longer than the bound, and a dead one nobody at all (the kernel kills the keeper with it, and frees all when the group closes). In: the
 * kernel's questions, the agent's answers over a socket. Out: messages of strict_held.h. Runs nothing, writes nothing, opens by descriptor.
 */
#ifndef PLUMB_STRICT_KEEPER_H
#define PLUMB_STRICT_KEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "why.h"

struct strict_keeper_options {
	uint32_t wait_ms;
	bool closed;			/* at the time-out: denied, not allowed */
	const char *const *paths;	/* their file systems; none: all of the node that are its own */
	uint32_t n_paths;
};

/*
 * Makes the process, before there are threads. *ret_fd: the agent's end of the socket. It does nothing before STRICT_GO; on the end of the
 * socket it frees whoever waits and ends.
 */
int strict_keeper_start(const struct strict_keeper_options *o, pid_t *ret_pid, int *ret_fd, struct why *ret_why);

/* Types of file systems that are not marked of themselves: nothing runs from them, or to look at them may block on a server. */
bool strict_keeper_skips(const char *fstype);
/* Has an overlay with these options (mountinfo's last field) a layer on the mount at point? To open its files is to ask who serves that one. */
bool strict_keeper_has_layer(const char *options, size_t size, const char *point);

#endif
