/* SPDX-License-Identifier: Apache-2.0 */
/*
 * owned_file.h: reads a file only when it is a plain one that none but root, or who runs this, may write: what runtimes keep is believed so.
 * In: a path, which may be anything's. Out: a descriptor or the bytes. -EACCES: somebody else may have written it.
 */
#ifndef PLUMB_OWNED_FILE_H
#define PLUMB_OWNED_FILE_H

#include <stddef.h>
#include "buf.h"
#include "fsio.h"

int owned_file_open(const char *path);
int owned_file_read(const char *path, size_t max, struct buf *ret);	/* appends; -EFBIG */
int owned_file_read_by(const struct fsio *io, const char *path, size_t max, struct buf *ret);	/* the same, through a door to the disk */

#endif
