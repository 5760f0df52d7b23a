/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts.h: mounts that cover, lie below or carry a watched path.
 * In: /proc/self/mountinfo, polled. Out: lines of type mount (at the start: claims), a wanted rescan of the files.
 */
#ifndef PLUMB_MOUNTS_H
#define PLUMB_MOUNTS_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include "file_set.h"
#include "measure.h"

#define MOUNTS_MAX_SIZE (16u << 20)	/* bytes of mountinfo that are read */

struct mounts;

struct mounts_options {
	struct file_set *files;		/* borrowed */
	const struct clock *clock;	/* borrowed */
	const char *path;		/* NULL: /proc/self/mountinfo */
	/* Who mounted at point, or unmounted, just now; 0 or -errno. NULL: nobody knows. Strings live until the line is told. */
	int (*mounter)(void *ctx, const char *point, bool umount, struct line_actor *ret);
	void *ctx;
};

int mounts_open(struct event_base *base, const struct mounts_options *o, const struct measure_sink *sink, struct mounts **ret,
		struct why *ret_why);
struct mounts *mounts_free(struct mounts *m);
int mounts_check(struct mounts *m);	/* reads again now; number of lines told, or -errno */

/* One line of mountinfo, octal escapes undone. Strings are in the entry itself. */
struct mounts_entry {
	uint32_t id, parent_id, major, minor;
	char root[4096];
	char point[4096];
	char fstype[64];	/* cut there: FUSE lets whoever mounts put any name behind its own */
	char source[4096];	/* cut there, and no more than mount(2) takes */
	const char *super;	/* the file system's own options, borrowed from text: escapes are still in them */
	size_t super_size;
};

/* size without LF. 0, or -EBADMSG with why. */
int mounts_parse(const char *text, size_t size, struct mounts_entry *ret, struct why *ret_why);

#endif
