/* SPDX-License-Identifier: Apache-2.0 */
#include "capture_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int capture_file_open(const struct fsio *io, const char *path, struct capture_file **ret)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
	struct capture_file *f = calloc(1, sizeof(*f));
	int r = 0;

	if (!f)
		return -ENOMEM;
	f->io = io;
	f->path = path;
	if (snprintf(f->temp, sizeof(f->temp), "%s.new", path) >= (int)sizeof(f->temp))
		r = -ENAMETOOLONG;
	/* What a crash left behind goes first: it could lend the new file its mode and owner. */
	f->fd = r < 0 ? r : fsio_open(io, f->temp, flags, 0644);
	if (f->fd == -EEXIST) {
		r = fsio_unlink(io, f->temp);
		f->fd = r < 0 ? r : fsio_open(io, f->temp, flags, 0644);
	}
	if (f->fd < 0) {
		r = f->fd;
		free(f);
		return r;
	}
	*ret = f;
	return 0;
}

static int flush(struct capture_file *f)
{
	int r = fsio_write_all(f->io, f->fd, f->data, f->held, f->at);

	if (r < 0)
		return r;
	f->at += f->held;
	f->held = 0;
	return 0;
}

int capture_file_put(struct capture_file *f, const void *data, size_t size)
{
	const char *p = data;

	while (size > 0) {
		size_t n = sizeof(f->data) - f->held;

		n = n < size ? n : size;
		memcpy(f->data + f->held, p, n);
		f->held += n;
		p += n;
		size -= n;
		if (f->held == sizeof(f->data)) {
			int r = flush(f);

			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int sync_parent(struct capture_file *f)
{
	char *slash = strrchr(f->temp, '/');

	if (!slash)
		return fsio_sync_dir(f->io, ".");
	slash[slash == f->temp] = 0;
	return fsio_sync_dir(f->io, f->temp);
}

int capture_file_commit(struct capture_file *f)
{
	int r = flush(f), closed;

	if (r >= 0)
		r = fsio_sync(f->io, f->fd);
	closed = fsio_close(f->io, f->fd);
	if (r >= 0)
		r = closed;
	if (r >= 0)
		r = f->io->ops->rename(f->io->ctx, f->temp, f->path);
	if (r < 0)
		fsio_unlink(f->io, f->temp);
	else
		r = sync_parent(f);
	free(f);
	return r;
}

void capture_file_abandon(struct capture_file *f)
{
	if (!f)
		return;
	fsio_close(f->io, f->fd);
	fsio_unlink(f->io, f->temp);
	free(f);
}
