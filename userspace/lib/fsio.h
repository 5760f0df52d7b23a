/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fsio.h: the door to the disk for everything that must survive: ledger, spool, keys, state.
 * In: paths and bytes. Out: 0 or -errno of the call that failed; short writes are completed or reported.
 * Tests and fault injection hand in a table of their own (fsio_system() is the real one).
 */
#ifndef PLUMB_FSIO_H
#define PLUMB_FSIO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "buf.h"

struct fsio_ops {
	int (*open)(void *ctx, const char *path, int flags, mode_t mode);	/* fd or -errno; O_CLOEXEC is added */
	ssize_t (*pwrite)(void *ctx, int fd, const void *data, size_t size, uint64_t at);	/* bytes or -errno; may be short */
	ssize_t (*pread)(void *ctx, int fd, void *data, size_t size, uint64_t at);
	int (*sync)(void *ctx, int fd);			/* fdatasync for data, also carries a grown size */
	int (*truncate)(void *ctx, int fd, uint64_t size);
	int (*rename)(void *ctx, const char *from, const char *to);
	int (*unlink)(void *ctx, const char *path);
	int (*mkdir)(void *ctx, const char *path, mode_t mode);
	int (*sync_dir)(void *ctx, const char *path);
	int (*close)(void *ctx, int fd);
};

struct fsio {
	const struct fsio_ops *ops;
	void *ctx;
};

const struct fsio *fsio_system(void);

int fsio_open(const struct fsio *io, const char *path, int flags, mode_t mode);
int fsio_write_all(const struct fsio *io, int fd, const void *data, size_t size, uint64_t at);	/* all or -errno (-EIO after no progress) */
int fsio_read_full(const struct fsio *io, int fd, void *data, size_t size, uint64_t at, size_t *ret_size);	/* until size or end */
int fsio_sync(const struct fsio *io, int fd);
int fsio_truncate(const struct fsio *io, int fd, uint64_t size);
int fsio_close(const struct fsio *io, int fd);
int fsio_mkdir_all(const struct fsio *io, const char *path, mode_t mode);	/* existing is fine */
/* Whole small files. read: over max is -EFBIG. replace: temporary file in the same directory, sync, rename, sync of the directory. */
int fsio_read_file(const struct fsio *io, const char *path, size_t max, struct buf *ret);	/* appends */
/*
 * Out of a directory that somebody else filled: to read, and only what is a plain file there. -EBADMSG: a link, which may lead anywhere, a FIFO, which
 * nobody writes, or the like. The directories on the way may be links.
 */
int fsio_open_plain(const struct fsio *io, const char *path);
int fsio_read_plain(const struct fsio *io, const char *path, size_t max, struct buf *ret);	/* as read_file */
int fsio_replace_file(const struct fsio *io, const char *path, const void *data, size_t size, mode_t mode);
int fsio_unlink(const struct fsio *io, const char *path);
int fsio_sync_dir(const struct fsio *io, const char *path);

#endif
