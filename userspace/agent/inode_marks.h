/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inode_marks.h: which inodes carry a mark for the LSM programs, and what path each had when it was marked.
 * In: the watched files; (device, inode) from records. Out: marks by way of loader, paths. Watched directories, and watched files that lie
 * in none, are held in memory (by inotify, which does not keep a file system from being unmounted, as a descriptor would); what lies in
 * a held directory is marked again by the kernel program when it is looked up. At most `max` paths, `max_held` of them held and as many as
 * fs.inotify.max_user_watches lets: what is beyond is not marked, or not held, and counted. Of a path on an overlay what its layers have
 * there is marked, too, and has the same path: overlay_below.h. So is what systemd takes paths from services with, since in those it lies where a
 * watched path may be: inaccessible.h.
 */
#ifndef PLUMB_INODE_MARKS_H
#define PLUMB_INODE_MARKS_H

#include <stdint.h>
#include "file_set.h"

#define INODE_MARKS_MAX (FILE_SET_MAX + 4096)	/* the watched, and the directories above them */

struct inode_marks;

struct inode_marks_options {
	const struct file_set *files;	/* borrowed */
	/* PLUMB_MARK_*; 0, 1: of a file that somebody may have open for writing untold, or -errno */
	int (*mark)(void *ctx, int fd, uint32_t mark);
	void *ctx;
	uint32_t max;		/* of paths; 0: INODE_MARKS_MAX */
	uint32_t max_held;	/* 0: no bound of ours */
	const char *mountinfo;	/* NULL: this process's own */
	const char *root;	/* below which inaccessible.h's /run lies; NULL: ""; borrowed */
};

int inode_marks_open(const struct inode_marks_options *o, struct inode_marks **ret);
struct inode_marks *inode_marks_free(struct inode_marks *m);	/* the marks themselves stay until the map goes */
/* All that is watched, and what lies above it, from the top down: nothing is exchanged unseen. Again: what stands there by now. */
void inode_marks_all(struct inode_marks *m);
int inode_marks_add(struct inode_marks *m, const char *path);	/* 0, -ENOENT, -ENOSPC, or what mark said */
void inode_marks_drop(struct inode_marks *m, const char *path);
void inode_marks_drop_below(struct inode_marks *m, const char *path);	/* path, too */

/*
 * Paths of an inode (several: hard links), at most max; number found. dev as the kernel has it (major << 20 | minor). A file system whose
 * files say another device than it has itself (btrfs) is found by the inode alone. Borrowed until the next add or drop.
 */
uint32_t inode_marks_paths(const struct inode_marks *m, uint32_t dev, uint64_t ino, const char **ret, uint32_t max);
/* Records that wait may still name the inode that a path had before it was added again: it is found until this is called, if nothing else has it. */
void inode_marks_forget_former(struct inode_marks *m);
bool inode_marks_is_layer(const struct inode_marks *m, uint32_t dev, uint64_t ino);	/* of an overlay that one of the paths lies on */
uint32_t inode_marks_n(const struct inode_marks *m);
uint32_t inode_marks_n_held(const struct inode_marks *m);
uint32_t inode_marks_n_not_held(const struct inode_marks *m);	/* that were to be: their marks may die with the inode */
uint32_t inode_marks_n_unmarked(const struct inode_marks *m);	/* tries that failed, so far */
uint64_t inode_marks_n_late(const struct inode_marks *m);	/* files of which mark said 1, so far */
bool inode_marks_is_marked(const struct inode_marks *m, uint32_t dev, uint64_t ino);	/* and watched itself */

#endif
