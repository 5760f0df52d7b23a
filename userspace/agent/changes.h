/* SPDX-License-Identifier: Apache-2.0 */
/*
 * changes.h: what may have changed, gathered per path until it is quiet for a moment, then looked at once. Whoever says it, fanotify after a
 * deed or LSM before it, gets one line for one deed, with the exact actor if LSM named one.
 * In: notes of watch and watch_lsm. Out: file_set_check() of each path; markers are told what came to a watched path and what went.
 * What was told before the deed is looked at again a second and ten seconds later: nothing else tells when such a write ended.
 */
#ifndef PLUMB_CHANGES_H
#define PLUMB_CHANGES_H

#include <event2/event.h>
#include "file_set.h"
#include "measure.h"
#include "proctab.h"

#define CHANGES_MAX 4096	/* paths that settle; more are told as lost, and all files are measured anew */
#define CHANGES_LOOKS 2
#define CHANGES_MAX_HINTS 1024	/* that are looked at again; of more, the oldest is not: the rescan sees it */

struct changes;

enum changes_what {
	CHANGES_WRITE = 1u,
	CHANGES_ATTR = 2u,
	CHANGES_CREATE = 4u,
	CHANGES_DELETE = 8u,
	CHANGES_MOVED_FROM = 16u,
	CHANGES_MOVED_TO = 32u,
	CHANGES_ON_DIR = 64u,	/* path is a directory */
	CHANGES_BEFORE = 128u,	/* is about to be done, and may fail: told only when something is other than it was; but for attr */
	CHANGES_LAYER = 512u,	/* of an overlay's layer: what comes there may be a copy of what was below */
	CHANGES_BELOW = 2048u,	/* past an overlay, which may show its own size and times with these bytes: they are read */
};

struct changes_note {
	const char *src;	/* static: "fanotify", "lsm" */
	const char *path;	/* copied */
	const char *other;	/* the other end of a move, or NULL; copied */
	uint32_t what;		/* enum changes_what */
	uint32_t pid;
	uint64_t start_ns;	/* of the process; 0: the one that has pid now */
	uint64_t boot_ns;	/* when it was said; 0: not known */
};

/* Keeps the marks of what is watched. Borrowed paths. */
struct changes_marker {
	void (*mark)(void *ctx, const char *path);
	void (*drop)(void *ctx, const char *path, bool below);	/* below: and what lies below it */
	void *ctx;
};

struct changes_options {
	struct file_set *files;		/* borrowed */
	struct proctab *proctab;	/* borrowed */
	const struct clock *clock;	/* borrowed */
	uint32_t settle_ms;		/* 0: 20 */
	void (*first)(void *ctx);	/* before a look: notes of who is told earlier than fanotify are made now; NULL: nobody is */
	void *ctx;
	uint32_t again_ms[CHANGES_LOOKS];		/* when a hint is looked at again; 0: 1000, 10000 */
};

int changes_open(struct event_base *base, const struct changes_options *o, const struct measure_sink *sink, struct changes **ret);
struct changes *changes_free(struct changes *c);
void changes_note(struct changes *c, const struct changes_note *n);
/* Before a scan tells that path is another: whoever was told to change it, or what lies above it, so that it is told with him. anew: its content is read. */
void changes_before_scan(struct changes *c, const char *path, bool anew);
void changes_look(struct changes *c);	/* at all that settles, now */
bool changes_is_half_full(const struct changes *c);
void changes_lost(struct changes *c, const char *src, uint64_t n, const char *what);	/* told; all files are measured anew */
int changes_add_marker(struct changes *c, const struct changes_marker *m);	/* copied; -ENOSPC: more than two */
void changes_remove_marker(struct changes *c, void *ctx);

#endif
