/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch.h: fanotify on the inodes of the watched files, their directories and the parents of these. Notification class only:
 * nothing on the node ever waits for it. In: a file_set. Out: a note to changes for each path that an event names, with the pid.
 * A queue overflow is told as lost, and a full rescan is asked for.
 */
#ifndef PLUMB_WATCH_H
#define PLUMB_WATCH_H

#include <event2/event.h>
#include "changes.h"
#include "file_set.h"

#define WATCH_MAX 100000	/* marks */

struct watch;

struct watch_options {
	struct file_set *files;		/* borrowed */
	struct changes *changes;	/* borrowed */
	uint32_t max;			/* marks; 0: WATCH_MAX */
	const char *mountinfo;		/* NULL: this process's own */
};

/* -EPERM, -ENOSYS, -ENOTSUP: no fanotify of this kind here. */
int watch_open(struct event_base *base, const struct watch_options *o, struct watch **ret, struct why *ret_why);
struct watch *watch_free(struct watch *w);
void watch_hear(struct watch *w);	/* takes what waits, as the loop would */
uint32_t watch_n_marks(const struct watch *w);
uint32_t watch_n_unmarked(const struct watch *w);	/* inodes that could not be marked (bound, file system without handles) */

#endif
