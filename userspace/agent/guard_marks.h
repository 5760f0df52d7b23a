/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guard_marks.h: marks what is the agent's own, for the guard: its program, settings, state, ledger, and the control files of its cgroup.
 * In: paths. Out: marks in the kernel; numbers of cgroups; which path an inode has. Directories are held open, so that their marks last.
 */
#ifndef PLUMB_GUARD_MARKS_H
#define PLUMB_GUARD_MARKS_H

#include <stdbool.h>
#include <stdint.h>

#define GUARD_MARKS_MAX 512	/* directories and single files */
#define GUARD_MARKS_DEPTH 8

struct guard_marks;

struct guard_marks_options {
	int (*mark)(void *ctx, int fd, uint32_t mark);			/* as loader_mark() */
	int (*cgroup)(void *ctx, uint64_t id);	/* one whose freezing stops the agent */
	void *ctx;
};

int guard_marks_open(const struct guard_marks_options *o, struct guard_marks **ret);
struct guard_marks *guard_marks_free(struct guard_marks *m);
/* A file, or a directory with all below it. 0 or -errno: then not all of it is marked. */
int guard_marks_add(struct guard_marks *m, const char *path);
/*
 * root: where a hierarchy is mounted; path: "/a/b" below it. The control files of that cgroup and of those above; what a kernel does not have is
 * left out. v2: its number is told, too; those of v1's hierarchies are not told apart.
 */
int guard_marks_cgroup(struct guard_marks *m, const char *root, const char *path, bool v2);
const char *guard_marks_path(const struct guard_marks *m, uint32_t dev, uint64_t ino);	/* of what was added; NULL: unknown. Borrowed */

#endif
