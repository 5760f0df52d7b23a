/* SPDX-License-Identifier: Apache-2.0 */
/*
 * served_walk.h: a path is looked up, and nobody is waited for. In: a directory that is somebody's root, a path below it. Out: an O_PATH descriptor of
 * what it names. What the kernel has in memory is taken from there (Linux 5.12), what lies on its own file systems is read from them.
 */
#ifndef PLUMB_SERVED_WALK_H
#define PLUMB_SERVED_WALK_H

#include <stdbool.h>
#include <stdint.h>

#define SERVED_WALK_DEPTH 64	/* directories, one in another */
#define SERVED_WALK_LINKS 40	/* that are followed, as by the kernel */

/* Whose mount table says who serves what: as served_check() has it. */
struct served_walk {
	const char *proc;
	uint32_t pid;
	int root;	/* borrowed: links and ".." do not lead out of it */
};

/*
 * follow: a link at the end as well. Descriptor; -EREMOTE: its server would have to be asked; -errno. What it lies on is not judged: served_check().
 * Before 5.12 a name on what somebody serves is always -EREMOTE.
 */
int served_walk(const struct served_walk *w, const char *path, bool follow);
/* What it does where the kernel has not all of it in memory, or cannot say so. */
int served_walk_by_steps(const struct served_walk *w, const char *path, bool follow);

#endif
