/* SPDX-License-Identifier: Apache-2.0 */
#include "power_fsio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"

#define BELOW(p, call, ...) (p)->below->ops->call((p)->below->ctx, __VA_ARGS__)

static struct power_name *name_of(struct power_fsio *p, const char *path)
{
	struct power_name *n;

	for (uint32_t i = 0; i < p->n_names; i++)
		if (strcmp(p->names[i].path, path) == 0)
			return &p->names[i];
	if (p->n_names == POWER_FSIO_MAX)
		abort();
	n = &p->names[p->n_names++];
	snprintf(n->path, sizeof(n->path), "%s", path);
	n->live = n->durable = -1;
	return n;
}

static int new_file(struct power_fsio *p)
{
	if (p->n_files == POWER_FSIO_MAX)
		abort();
	return (int)p->n_files++;
}

/* What stood there before this door was opened is on disk. */
static void adopt(struct power_fsio *p, struct power_name *n)
{
	struct stat st;

	if (n->live >= 0 || n->durable >= 0 || stat(n->path, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	n->live = n->durable = new_file(p);
	if (fsio_read_file(fsio_system(), n->path, 1 << 26, &p->files[n->live].synced) < 0)
		abort();
}

static int p_open(void *ctx, const char *path, int flags, mode_t mode)
{
	struct power_fsio *p = ctx;
	struct power_name *n = name_of(p, path);
	int fd;

	adopt(p, n);
	fd = BELOW(p, open, path, flags, mode);
	if (fd < 0)
		return fd;
	if (fd >= 1024)
		abort();
	if (n->live < 0 && flags & O_CREAT)
		n->live = new_file(p);
	p->of_fd[fd] = n->live;
	return fd;
}

static ssize_t p_pwrite(void *ctx, int fd, const void *data, size_t size, uint64_t at)
{
	struct power_fsio *p = ctx;

	return BELOW(p, pwrite, fd, data, size, at);
}

static ssize_t p_pread(void *ctx, int fd, void *data, size_t size, uint64_t at)
{
	struct power_fsio *p = ctx;

	return BELOW(p, pread, fd, data, size, at);
}

static int p_sync(void *ctx, int fd)
{
	struct power_fsio *p = ctx;
	int r = BELOW(p, sync, fd);
	char self[64];
	struct buf *b;

	if (r < 0 || p->of_fd[fd] < 0)
		return r;
	b = &p->files[p->of_fd[fd]].synced;
	buf_clear(b);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (fsio_read_file(fsio_system(), self, 1 << 26, b) < 0)
		abort();
	return 0;
}

static int p_truncate(void *ctx, int fd, uint64_t size)
{
	struct power_fsio *p = ctx;

	return BELOW(p, truncate, fd, size);
}

static int p_rename(void *ctx, const char *from, const char *to)
{
	struct power_fsio *p = ctx;
	struct power_name *a = name_of(p, from), *b = name_of(p, to);
	int r;

	adopt(p, a);
	adopt(p, b);
	r = BELOW(p, rename, from, to);
	if (r < 0)
		return r;
	b->live = a->live;
	a->live = -1;
	return 0;
}

static int p_unlink(void *ctx, const char *path)
{
	struct power_fsio *p = ctx;
	struct power_name *n = name_of(p, path);
	int r;

	adopt(p, n);
	r = BELOW(p, unlink, path);
	if (r >= 0)
		n->live = -1;
	return r;
}

static int p_mkdir(void *ctx, const char *path, mode_t mode)
{
	struct power_fsio *p = ctx;

	return BELOW(p, mkdir, path, mode);
}

static int p_sync_dir(void *ctx, const char *path)
{
	struct power_fsio *p = ctx;
	size_t size = strlen(path);
	int r = BELOW(p, sync_dir, path);

	for (uint32_t i = 0; i < p->n_names && r >= 0; i++) {
		struct power_name *n = &p->names[i];

		if (strncmp(n->path, path, size) == 0 && n->path[size] == '/' &&
		    !strchr(n->path + size + 1, '/'))
			n->durable = n->live;
	}
	return r;
}

static int p_close(void *ctx, int fd)
{
	struct power_fsio *p = ctx;

	return BELOW(p, close, fd);
}

void power_fsio_init(struct power_fsio *p, const struct fsio *below)
{
	static const struct fsio_ops ops = {
		p_open,	  p_pwrite, p_pread, p_sync,	 p_truncate,
		p_rename, p_unlink, p_mkdir, p_sync_dir, p_close,
	};

	memset(p, 0, sizeof(*p));
	p->io = (struct fsio){&ops, p};
	p->below = below;
}

void power_fsio_done(struct power_fsio *p)
{
	for (uint32_t i = 0; i < p->n_files; i++)
		buf_done(&p->files[i].synced);
}

static void put_file(const char *path, const struct buf *b, size_t size, const struct buf *end)
{
	size_t at = size / POWER_FSIO_BLOCK * POWER_FSIO_BLOCK;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		return; /* its directory was never there */
	if (write(fd, b->data, b->size) != (ssize_t)b->size ||
	    (size > b->size && ftruncate(fd, (off_t)size) < 0))
		abort();
	if (at >= b->size && at < end->size &&
	    pwrite(fd, end->data + at, end->size - at, (off_t)at) < 0)
		abort();
	close(fd);
}

void power_fsio_cut(struct power_fsio *p, enum power_cut how)
{
	for (uint32_t i = 0; i < p->n_names; i++) {
		struct power_name *n = &p->names[i];
		bool sizes = how == POWER_CUT_ZEROS || how == POWER_CUT_HOLE;
		int file = sizes ? n->live : n->durable;
		CLEANUP(buf_done) struct buf end = {0};
		struct stat st = {.st_size = 0};

		if (n->live < 0 && n->durable < 0)
			continue;
		if (how == POWER_CUT_REMOVED && n->live < 0)
			file = -1;
		if (sizes && stat(n->path, &st) < 0)
			continue;
		if (how == POWER_CUT_HOLE && strstr(n->path, "/events-") &&
		    fsio_read_file(fsio_system(), n->path, 1 << 26, &end) < 0)
			abort();
		unlink(n->path);
		if (file >= 0)
			put_file(n->path, &p->files[file].synced, (size_t)st.st_size, &end);
	}
}
