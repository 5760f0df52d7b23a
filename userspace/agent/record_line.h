/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record_line.h: what each line of a kernel record begins with (numbers, actor, scope), and the digest of the record's file in words.
 * In: records that were checked, the tables of processes, containers and digests. Out: struct line, found texts. One thread.
 */
#ifndef PLUMB_RECORD_LINE_H
#define PLUMB_RECORD_LINE_H

#include "buf.h"
#include "clock.h"
#include "event_check.h"
#include "hash_cache.h"
#include "images.h"
#include "line.h"
#include "proctab.h"

/* All borrowed. */
struct record_line_tables {
	struct proctab *proctab;
	struct hash_cache *hash_cache;
	struct images *images;		/* may be NULL: containers stay what they are */
	const struct clock *clock;
};

/* Its strings are borrowed from the tables, until they change, and from scope. */
void record_line_begin(const struct record_line_tables *t, const struct plumb_event *e, const struct plumb_task *task,
		       char scope[CGROUPS_SCOPE_SIZE], struct line *ret);

/* By whom a digest was taken, and the found text; "unmeasured …" is none. Zero-initialise; may be filled again and again. */
struct record_line_digest {
	const char *src;		/* static */
	struct buf found;
};

void record_line_digest_done(struct record_line_digest *d);
void record_line_unmeasured(struct record_line_digest *d, const char *why);
/*
 * What the kernel took itself, else what the agent reads now; path NULL: its front is missing. A path in another mount namespace names
 * something else in ours: the file must be the very inode of the record. -ENOMEM.
 */
int record_line_digest(const struct record_line_tables *t, const struct plumb_task *task, const char *path, const struct plumb_file *file,
		       const struct plumb_hash *hash, struct record_line_digest *ret);

#endif
