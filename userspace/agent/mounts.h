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

#endif
