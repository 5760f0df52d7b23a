/* SPDX-License-Identifier: Apache-2.0 */
/*
 * archive_writer.h: writes a tar that is packed with zstd, plain files alone: no owners, one time for all. In: names, bytes. Out: a file that
 * takes its name when it is whole, or the old one untouched.
 */
#ifndef PLUMB_ARCHIVE_WRITER_H
#define PLUMB_ARCHIVE_WRITER_H

#include <stddef.h>
#include <stdint.h>
#include "why.h"

struct archive_writer;

int archive_writer_open(const char *path, uint64_t utc_ns, struct archive_writer **ret, struct why *ret_why);
int archive_writer_bytes(struct archive_writer *w, const char *name, const void *data, size_t size, struct why *ret_why);
int archive_writer_file(struct archive_writer *w, const char *name, const char *path, struct why *ret_why);
int archive_writer_commit(struct archive_writer *w, struct why *ret_why);	/* frees w, also when it fails */
void archive_writer_abandon(struct archive_writer *w);				/* frees w; NULL is allowed */

#endif
