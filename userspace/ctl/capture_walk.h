/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture_walk.h: finds what a baseline is to have below a path. In: paths, as seen from a root. Out: entries of a capture_set, not hashed yet.
 */
#ifndef PLUMB_CAPTURE_WALK_H
#define PLUMB_CAPTURE_WALK_H

#include <stdbool.h>
#include "capture_set.h"
#include "why.h"

/* Programs: regular files with an x bit, on the same file system. Links in path itself are followed. */
int capture_walk_exec(struct capture_set *set, int root, const char *path, struct why *ret_why);
/* What may be mapped executable, or given to an interpreter: every regular file, else as above. */
int capture_walk_code(struct capture_set *set, int root, const char *path, struct why *ret_why);
/* What the kernel may take for itself: every regular file, on the same file system of this host. Links in path itself are followed. */
int capture_walk_load(struct capture_set *set, const char *path, struct why *ret_why);
/* As the agent watches it, on this host with its attributes: absolute and plain; links are links; what is not there must stay absent. ret_directory: its prefix is to be closed. */
int capture_walk_file(struct capture_set *set, int root, const char *path, bool *ret_directory, struct why *ret_why);
/* Absolute, without //, . and ..: 0, or -EINVAL with why. */
int capture_walk_plain(const char *path, struct why *ret_why);

#endif
