/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture_mounts.h: what is mounted on, below and above watched paths, as the agent tells it. In: the table of mounts. Out: entries in a set:
 * of each path what is mounted there, or that nothing is; each mount below it; of each directory above it that nothing is mounted there, where
 * nothing is. Not of "/", whose device has another name on another machine, and nothing at all for it as a watched path.
 */
#ifndef PLUMB_CAPTURE_MOUNTS_H
#define PLUMB_CAPTURE_MOUNTS_H

#include <stdint.h>
#include "capture_set.h"
#include "why.h"

/* proc NULL: /proc. Paths are absolute and plain. A table that cannot be read is an error. */
int capture_mounts(struct capture_set *set, const char *proc, const char *const *paths, uint32_t n_paths, struct why *ret_why);

#endif
