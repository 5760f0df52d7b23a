/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_set.h: the watched files with the value that each had last, and the one place that measures them.
 * In: configured paths; "look again" from watch (an event is a hint) and scan_files. Out: lines to the sink.
 * A directory stands for all that lies below it on the same file system. Symbolic links are values, they are not followed.
 */
#ifndef PLUMB_FILE_SET_H
#define PLUMB_FILE_SET_H

#include <stdbool.h>
#include "clock.h"
#include "file_texts.h"
#include "hash_cache.h"
#include "measure.h"

#define FILE_SET_MAX 100000	/* files and directories; beyond it names that came and went are forgotten, then opening is refused, and later files are counted as lost */

struct file_set;

struct file_set_options {
	const char *const *paths;	/* absolute; copied */
	uint32_t n_paths;
	struct hash_cache *hash_cache;	/* borrowed */
	struct file_texts *texts;	/* borrowed; NULL: no lines of changed files are told */
	const struct clock *clock;	/* borrowed */
	uint32_t max;			/* 0: FILE_SET_MAX */
};

/* Finds the files, measures nothing yet. A configured path that does not exist is kept: "absent" is its value. */
int file_set_open(const struct file_set_options *o, const struct measure_sink *sink, struct file_set **ret, struct why *ret_why);
struct file_set *file_set_free(struct file_set *f);

struct file_set_deed {
	const char *src;	/* "fanotify", "lsm", "scan" */
	const char *op;		/* as in a line; "rescan": only a change is told */
	bool anew;		/* the content is read, although nothing says that it changed */
	const char *other;	/* the other path of a move, or NULL */
	const char *scope;	/* NULL: host */
	const struct line_actor *actor;	/* NULL: nobody is named (rescan) */
	bool only_change;	/* as "rescan", whatever op is */
	/* Called when path is other than before, and nothing is told yet: whoever knows who did it tells it now, by file_set_check(). path is the caller's own then. NULL: nobody knows */
	void (*ask)(void *ctx, const char *path, bool anew);
	void *ctx;
};

/*
 * Measures path and tells the sink: a first value as a claim, later ones, and a first one that an event brought, as type file; attributes
 * beside in a line of their own. 1: value is other than before, 0: same,
 * -ENOENT: path is not watched; -ENOSPC: the set is full.
 */
int file_set_check(struct file_set *f, const char *path, const struct file_set_deed *deed);
void file_set_tell_all(struct file_set *f);	/* every value that is known, again, as a claim: another baseline judges */
bool file_set_covers(const struct file_set *f, const char *path);	/* is, or lies below, a configured path */
bool file_set_touches(const struct file_set *f, const char *path);	/* covers, or is an ancestor of a configured path */
int file_set_discover(struct file_set *f, const char *path);	/* adds what lies at and below path; number added, or -errno */
const char *file_set_value(const struct file_set *f, const char *path);	/* last value, NULL: none; borrowed */

struct hash_cache *file_set_hash_cache(const struct file_set *f);	/* borrowed */
uint64_t file_set_n_bytes(const struct file_set *f);	/* of content that was read so far, by all who share the hash cache */

/* Walk by number, 0 … n - 1; numbers stay as they are while entries are added, but those of names that came and went. Borrowed. */
uint32_t file_set_n(const struct file_set *f);
const char *file_set_path_at(const struct file_set *f, uint32_t i);
uint32_t file_set_n_roots(const struct file_set *f);
const char *file_set_root_at(const struct file_set *f, uint32_t i);	/* configured paths */

/* A full rescan is wanted (events were lost, something was mounted): scan_files and watch listen. want NULL: ctx listens no more. */
void file_set_want_scan(struct file_set *f);
int file_set_on_want(struct file_set *f, void (*want)(void *ctx), void *ctx);	/* -ENOSPC: more than six */

#endif
