/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture_file.h: a large file that is written piece by piece beside the old one, which it replaces only when it is whole and
 * synced. In: bytes. Out: the new file, or the old one untouched.
 */
#ifndef PLUMB_CAPTURE_FILE_H
#define PLUMB_CAPTURE_FILE_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include "fsio.h"

struct capture_file {
	const struct fsio *io;	/* borrowed */
	const char *path;	/* borrowed */
	char temp[PATH_MAX];
	int fd;
	uint64_t at;
	size_t held;
	char data[65536];
};

/* Each opened file is ended by exactly one commit or abandon. */
int capture_file_open(const struct fsio *io, const char *path, struct capture_file **ret);
int capture_file_put(struct capture_file *f, const void *data, size_t size);
int capture_file_commit(struct capture_file *f);	/* frees f, also when it fails */
void capture_file_abandon(struct capture_file *f);	/* frees f; NULL is allowed */

#endif
