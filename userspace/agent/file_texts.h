/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_texts.h: what stood in those files whose lines are to be told when they change. In: paths that a person named, files that were just
 * measured. Out: the lines that are other than before, or in a few words why they cannot be told. In memory alone: a text on the disk
 * would be a second place for what is in it, and after a start nobody knows whether it is still the text before the change.
 */
#ifndef PLUMB_FILE_TEXTS_H
#define PLUMB_FILE_TEXTS_H

#include "buf.h"
#include "digest.h"
#include "redact.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#define FILE_TEXTS_MAX_BYTES \
	(8u << 20) /* of all texts; beyond it files have none, and that is said */
#define FILE_TEXTS_MAX_DIFF 3072 /* bytes that are told of one change */

struct file_texts;

struct file_texts_options {
	const char *const *paths;	/* copied */
	uint32_t n_paths;
	const struct redact *redact;	/* borrowed; what else is hidden; NULL: nothing */
	uint32_t max_bytes;		/* 0: FILE_TEXTS_MAX_BYTES */
};

int file_texts_open(const struct file_texts_options *o, struct file_texts **ret);
struct file_texts *file_texts_free(struct file_texts *t);
/*
 * Is path, or lies below, one of them? Of a directory only files that everybody may read: whoever wants the lines of a secret in
 * the ledger has to name its file.
 */
bool file_texts_wants(const struct file_texts *t, const char *path, const struct stat *st);
/*
 * path was measured through fd and has this digest: its text is kept, and appended to ret what is other than in the one before; a first text
 * appends nothing, unless the file was absent before. A text that does not have the digest is not told. Values that look like secrets are written as ***.
 */
int file_texts_take(struct file_texts *t, const char *path, int fd, const struct digest *digest,
		    bool was_absent, struct buf *ret);
int file_texts_gone(struct file_texts *t, const char *path,
		    struct buf *ret); /* it is absent now: all of its lines went */
void file_texts_forget(struct file_texts *t,
		       const char *path); /* it is something else now, or not to be told any more */
uint32_t file_texts_n_bytes(const struct file_texts *t);

#endif
