/* SPDX-License-Identifier: Apache-2.0 */
/*
 * marks.h: which inodes carry a fanotify mark, and what path each had when it was marked.
 * In: paths to mark; file handles from events. Out: paths. At most `max` marks; a mark dies with its inode, so a path that is
 * marked anew takes the place of what stood there before.
 */
#ifndef PLUMB_MARKS_H
#define PLUMB_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MARKS_LAYERS 4u	/* of an overlay, that are told apart */

struct marks;

int marks_open(int fanotify_fd, uint32_t max, struct marks **ret);	/* fd borrowed */
struct marks *marks_free(struct marks *m);

/* Marks the inode at path (links are not followed) for mask. 0, -ENOSPC: too many, -EOPNOTSUPP: no handles there, … */
int marks_add(struct marks *m, const char *path, uint64_t mask);

/* What layer (from 0) of an overlay has of path: fd, O_PATH. It has the same path, and counts as another mark. */
int marks_add_layer(struct marks *m, const char *path, int fd, uint32_t layer, uint64_t mask);

/* An inode as an event names it. All borrowed. */
struct marks_fid {
	const void *fsid;
	size_t fsid_size;
	int type;
	const void *handle;
	size_t size;
};

/* Paths of that inode (several: hard links), at most max; number found; whether it is one of an overlay's layer. Borrowed until the next add or drop. */
uint32_t marks_paths(const struct marks *m, const struct marks_fid *fid, const char **ret, uint32_t max, bool *ret_layer);
void marks_drop(struct marks *m, const char *path);		/* forgets path: it was moved or deleted */
void marks_drop_below(struct marks *m, const char *path);	/* and all below it; walks all marks */
uint32_t marks_n(const struct marks *m);

#endif
