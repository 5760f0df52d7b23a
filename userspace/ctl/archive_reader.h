/* SPDX-License-Identifier: Apache-2.0 */
/*
 * archive_reader.h: reads tar archives, plain or packed with gzip or zstd, one entry after the other; also one that lies in another. It alone
 * sees libarchive; nothing is ever unpacked to disk. In: a file, foreign bytes. Out: entries and their bytes, with bounds; or why not.
 */
#ifndef PLUMB_ARCHIVE_READER_H
#define PLUMB_ARCHIVE_READER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "digest.h"
#include "why.h"

#define ARCHIVE_READER_MAX_FILE (16ull << 30)	/* bytes of one entry */
#define ARCHIVE_READER_MAX_TOTAL (128ull << 30)	/* bytes of all, unpacked: what packs better than that is a trap */

enum archive_reader_kind { ARCHIVE_READER_TAR, ARCHIVE_READER_BYTES /* one entry: what is packed */ };

struct archive_reader;

struct archive_reader_entry {	/* borrowed until the next call */
	const char *path;	/* as it stands there: may be absolute, or lead upwards */
	mode_t mode;		/* with its type; 0: a hard link */
	uint32_t uid, gid;
	uint64_t size;
	const char *target;	/* of a symbolic link */
	const char *hard_link;	/* path of the entry that it is another name of */
};

int archive_reader_open(int fd, enum archive_reader_kind kind, struct archive_reader **ret, struct why *ret_why);	/* fd borrowed */
/* Of the entry that outer stands at. digest: all bytes of that entry go into it, too; may be NULL. Both borrowed. */
int archive_reader_open_in(struct archive_reader *outer, enum archive_reader_kind kind, struct digest_stream *digest,
			   struct archive_reader **ret, struct why *ret_why);
struct archive_reader *archive_reader_free(struct archive_reader *r);

/* 1: an entry, 0: the end, -EBADMSG and others with why. */
int archive_reader_next(struct archive_reader *r, struct archive_reader_entry *ret, struct why *ret_why);
/* The entry's bytes. 0 with *ret_size 0 at their end. */
int archive_reader_read(struct archive_reader *r, void *data, size_t size, size_t *ret_size, struct why *ret_why);
/* What is left behind the last entry of an archive in another one, so that the digest is that of all. */
int archive_reader_rest(struct archive_reader *r, struct why *ret_why);

#endif
