/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch_lsm.h: what the LSM programs say of marked inodes, as paths: before it is done, with the exact actor, in every mount namespace.
 * In: file and mount records, as sensor_bpf hands them on. Out: notes to changes; for mounts in our namespace who made them (mounts asks),
 * for those in others a line of their own. fanotify goes on beside it: it tells when a write has been done.
 */
#ifndef PLUMB_WATCH_LSM_H
#define PLUMB_WATCH_LSM_H

#include <event2/event.h>
#include "changes.h"
#include "event_check.h"
#include "inode_marks.h"

struct watch_lsm;

struct watch_lsm_options {
	struct file_set *files;		/* borrowed */
	struct changes *changes;	/* borrowed */
	struct proctab *proctab;	/* borrowed */
	const struct clock *clock;	/* borrowed */
	int (*mark)(void *ctx, int fd, uint32_t mark);	/* as loader_mark() */
	uint64_t (*marks_failed)(void *ctx);
	uint64_t (*dropped)(void *ctx);	/* records of files that found no room in the ring, so far; NULL: not known */
	void (*flush)(void *ctx);	/* records that wait are taken, now: watch_lsm_take() is called from inside */
	void (*marked_late)(void *ctx);	/* a file that somebody may have open for writing, and no record told so: since before its mark, or it was dropped */
	/* A line of a mount elsewhere: who scans for those is to know of it, since what is gone by then only he can tell to be. NULL: nobody does */
	void (*told)(void *ctx, const char *key, const char *value);
	void *ctx;
	const char *root;		/* below which /run lies; NULL: "" */
	bool discover;			/* nobody else looks for new files when all is marked anew */
	uint32_t max;			/* paths; 0: INODE_MARKS_MAX */
};

/*
 * Marks all that is watched. *ret is set before the canary, an open of a marked file of our own, so that its record can be taken: -ENODATA
 * when none comes, and then, as after any error, *ret is NULL again.
 */
int watch_lsm_open(struct event_base *base, const struct watch_lsm_options *o, const struct measure_sink *sink, struct watch_lsm **ret,
		   struct why *ret_why);
struct watch_lsm *watch_lsm_free(struct watch_lsm *w);
void watch_lsm_take(struct watch_lsm *w, const union event_record *r);	/* of kind file or mount */
/*
 * Who mounted something at point, or took it away, just now. Waiting records are taken first. 0, or -ENOENT: also of what is taken away
 * before its own root was marked.
 */
int watch_lsm_mounter(struct watch_lsm *w, const char *point, bool umount, struct line_actor *ret);
const struct inode_marks *watch_lsm_marks(const struct watch_lsm *w);	/* borrowed */

#endif
