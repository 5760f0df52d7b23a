/* SPDX-License-Identifier: Apache-2.0 */
#include "fsio.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int sys_open(void *ctx, const char *path, int flags, mode_t mode)
{
	int fd = TEMP_FAILURE_RETRY(open(path, flags | O_CLOEXEC, mode));

	(void)ctx;
	return fd < 0 ? -errno : fd;
}

static ssize_t sys_pwrite(void *ctx, int fd, const void *data, size_t size, uint64_t at)
{
	ssize_t n = pwrite(fd, data, size, (off_t)at);

	(void)ctx;
	return n < 0 ? -errno : n;
}

static ssize_t sys_pread(void *ctx, int fd, void *data, size_t size, uint64_t at)
{
	ssize_t n = pread(fd, data, size, (off_t)at);

	(void)ctx;
	return n < 0 ? -errno : n;
}

static int sys_sync(void *ctx, int fd)
{
	(void)ctx;
	return TEMP_FAILURE_RETRY(fdatasync(fd)) < 0 ? -errno : 0;
}

static int sys_truncate(void *ctx, int fd, uint64_t size)
{
	(void)ctx;
	return TEMP_FAILURE_RETRY(ftruncate(fd, (off_t)size)) < 0 ? -errno : 0;
}

static int sys_rename(void *ctx, const char *from, const char *to)
{
	(void)ctx;
	return rename(from, to) < 0 ? -errno : 0;
}

static int sys_unlink(void *ctx, const char *path)
{
	(void)ctx;
	return unlink(path) < 0 ? -errno : 0;
}

static int sys_mkdir(void *ctx, const char *path, mode_t mode)
{
	(void)ctx;
	return mkdir(path, mode) < 0 ? -errno : 0;
}

static int sys_sync_dir(void *ctx, const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	(void)ctx;
	if (fd < 0)
		return -errno;
	r = TEMP_FAILURE_RETRY(fsync(fd)) < 0 ? -errno : 0;
	close(fd);
	return r;
}

static int sys_close(void *ctx, int fd)
{
	(void)ctx;
	return close(fd) < 0 ? -errno : 0;
}

const struct fsio *fsio_system(void)
{
	static const struct fsio_ops ops = {
		sys_open,   sys_pwrite, sys_pread, sys_sync,	 sys_truncate,
		sys_rename, sys_unlink, sys_mkdir, sys_sync_dir, sys_close,
	};
	static const struct fsio io = {&ops, NULL};

	return &io;
}

int fsio_open(const struct fsio *io, const char *path, int flags, mode_t mode)
{
	return io->ops->open(io->ctx, path, flags, mode);
}

int fsio_write_all(const struct fsio *io, int fd, const void *data, size_t size, uint64_t at)
{
	const uint8_t *p = data;

	while (size > 0) {
		ssize_t n = io->ops->pwrite(io->ctx, fd, p, size, at);

		if (n == -EINTR)
			continue;
		if (n < 0)
			return (int)n;
		/* Without progress it would never end; more than was asked is a door that lies. */
		if (n == 0 || (size_t)n > size)
			return -EIO;
		p += n;
		at += (uint64_t)n;
		size -= (size_t)n;
	}
	return 0;
}

int fsio_read_full(const struct fsio *io, int fd, void *data, size_t size, uint64_t at,
		   size_t *ret_size)
{
	uint8_t *p = data;
	size_t done = 0;

	while (done < size) {
		ssize_t n = io->ops->pread(io->ctx, fd, p + done, size - done, at + done);

		if (n == -EINTR)
			continue;
		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		if ((size_t)n > size - done)
			return -EIO;
		done += (size_t)n;
	}
	*ret_size = done;
	return 0;
}

int fsio_sync(const struct fsio *io, int fd)
{
	return io->ops->sync(io->ctx, fd);
}

int fsio_truncate(const struct fsio *io, int fd, uint64_t size)
{
	return io->ops->truncate(io->ctx, fd, size);
}

int fsio_close(const struct fsio *io, int fd)
{
	return io->ops->close(io->ctx, fd);
}

int fsio_unlink(const struct fsio *io, const char *path)
{
	return io->ops->unlink(io->ctx, path);
}

int fsio_sync_dir(const struct fsio *io, const char *path)
{
	return io->ops->sync_dir(io->ctx, path);
}

/* A new name outlives a power cut once its parent is synced. path is changed and changed back. */
static int make_dir(const struct fsio *io, char *path, mode_t mode)
{
	char *slash = strrchr(path, '/');
	int r = io->ops->mkdir(io->ctx, path, mode);

	if (r < 0)
		return r == -EEXIST ? 0 : r;
	if (!slash || slash == path)
		return fsio_sync_dir(io, slash ? "/" : ".");
	*slash = 0;
	r = fsio_sync_dir(io, path);
	*slash = '/';
	return r;
}

int fsio_mkdir_all(const struct fsio *io, const char *path, mode_t mode)
{
	char part[PATH_MAX];
	size_t size = strlen(path);
	int r = 0;

	if (size == 0 || size >= sizeof(part))
		return -ENAMETOOLONG;
	memcpy(part, path, size + 1);
	for (char *p = part + 1;; p++) {
		char c = *p;

		if (c && c != '/')
			continue;
		*p = 0;
		r = make_dir(io, part, mode);
		if (r < 0)
			return r;
		if (!c)
			return 0;
		*p = c;
	}
}

int fsio_open_plain(const struct fsio *io, const char *path)
{
	int fd = fsio_open(io, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0), r = 0;
	struct stat st;

	/* A link; a socket, or a device that is not there. */
	if (fd == -ELOOP || fd == -ENXIO || fd == -ENODEV)
		return -EBADMSG;
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if (!S_ISREG(st.st_mode))
		r = -EBADMSG;
	if (r < 0)
		fsio_close(io, fd);
	return r < 0 ? r : fd;
}

/* Takes fd. */
static int read_all(const struct fsio *io, int fd, size_t max, struct buf *ret)
{
	size_t start = ret->size, n = 0;
	int r = 0;

	if (fd < 0)
		return fd;
	do {
		uint8_t chunk[16384];

		r = fsio_read_full(io, fd, chunk, sizeof(chunk), ret->size - start, &n);
		if (r < 0)
			break;
		if (ret->size - start + n > max) {
			r = -EFBIG;
			break;
		}
		buf_put(ret, chunk, n);
		r = buf_status(ret);
	} while (r >= 0 && n > 0);
	fsio_close(io, fd);
	if (r < 0)
		buf_cut(ret, start);
	return r;
}

int fsio_read_file(const struct fsio *io, const char *path, size_t max, struct buf *ret)
{
	return read_all(io, fsio_open(io, path, O_RDONLY, 0), max, ret);
}

int fsio_read_plain(const struct fsio *io, const char *path, size_t max, struct buf *ret)
{
	return read_all(io, fsio_open_plain(io, path), max, ret);
}

/*
 * What a crash left behind goes first: truncated instead, it would lend the new file its mode and owner, and through a hard
 * link the new bytes would land in somebody else's file.
 */
static int open_new(const struct fsio *io, const char *path, mode_t mode)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
	int fd = fsio_open(io, path, flags, mode), r;

	if (fd != -EEXIST)
		return fd;
	r = fsio_unlink(io, path);
	return r < 0 ? r : fsio_open(io, path, flags, mode);
}

int fsio_replace_file(const struct fsio *io, const char *path, const void *data, size_t size,
		      mode_t mode)
{
	char temp[PATH_MAX], dir[PATH_MAX];
	char *slash;
	int fd, r, closed;

	if (snprintf(temp, sizeof(temp), "%s.new", path) >= (int)sizeof(temp))
		return -ENAMETOOLONG;
	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (slash)
		*(slash == dir ? slash + 1 : slash) = 0;
	fd = open_new(io, temp, mode);
	if (fd < 0)
		return fd;
	r = fsio_write_all(io, fd, data, size, 0);
	if (r >= 0)
		r = fsio_sync(io, fd);
	closed = fsio_close(io, fd);
	if (r >= 0)
		r = closed;
	if (r >= 0)
		r = io->ops->rename(io->ctx, temp, path);
	if (r < 0) {
		fsio_unlink(io, temp);
		return r;
	}
	return fsio_sync_dir(io, slash ? dir : ".");
}
