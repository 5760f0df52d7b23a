/* SPDX-License-Identifier: Apache-2.0 */
#include "fault_fsio.h"

static bool broken(struct fault_fsio *f)
{
	f->calls++;
	if (f->left < 0)
		return false;
	if (f->left == 0)
		return true;
	f->left--;
	return false;
}

#define REAL(call, ...) fsio_system()->ops->call(NULL, __VA_ARGS__)

static int f_open(void *ctx, const char *path, int flags, mode_t mode)
{
	struct fault_fsio *f = ctx;

	return broken(f) ? f->error : REAL(open, path, flags, mode);
}

static ssize_t f_pwrite(void *ctx, int fd, const void *data, size_t size, uint64_t at)
{
	struct fault_fsio *f = ctx;

	if (!broken(f))
		return REAL(pwrite, fd, data, size, at);
	if (f->half && size > 1)
		REAL(pwrite, fd, data, size / 2, at);
	f->half = false;
	return f->error;
}

static ssize_t f_pread(void *ctx, int fd, void *data, size_t size, uint64_t at)
{
	struct fault_fsio *f = ctx;

	return broken(f) ? f->error : REAL(pread, fd, data, size, at);
}

static int f_sync(void *ctx, int fd)
{
	struct fault_fsio *f = ctx;

	return broken(f) ? f->error : REAL(sync, fd);
}

static int f_truncate(void *ctx, int fd, uint64_t size)
{
	struct fault_fsio *f = ctx;

	return broken(f) ? f->error : REAL(truncate, fd, size);
}

static int f_rename(void *ctx, const char *from, const char *to)
{
	struct fault_fsio *f = ctx;

	return broken(f) ? f->error : REAL(rename, from, to);
}

static int f_unlink(void *ctx, const char *path)
{
	struct fault_fsio *f = ctx;

	return broken(f) ? f->error : REAL(unlink, path);
}

static int f_mkdir(void *ctx, const char *path, mode_t mode)
{
	struct fault_fsio *f = ctx;

	return broken(f) ? f->error : REAL(mkdir, path, mode);
}

static int f_sync_dir(void *ctx, const char *path)
{
	struct fault_fsio *f = ctx;

	return broken(f) ? f->error : REAL(sync_dir, path);
}

/* Descriptors are the process's: they go back also after the fault, so that tests do not run out. */
static int f_close(void *ctx, int fd)
{
	(void)ctx;
	return REAL(close, fd);
}

void fault_fsio_init(struct fault_fsio *f, long left, bool half, int error)
{
	static const struct fsio_ops ops = {
		f_open,	  f_pwrite, f_pread, f_sync,	 f_truncate,
		f_rename, f_unlink, f_mkdir, f_sync_dir, f_close,
	};

	*f = (struct fault_fsio){.io = {&ops, f}, .left = left, .half = half, .error = error};
}
