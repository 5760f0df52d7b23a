/* SPDX-License-Identifier: Apache-2.0 */
#include "state_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "owned_file.h"

static int path_of(const struct state_file *f, char ret[PATH_MAX])
{
	return snprintf(ret, PATH_MAX, "%s/%s", f->dir, f->name) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int state_file_load(const struct state_file *f, struct buf *ret, struct why *ret_why)
{
	size_t start = ret->size;
	char path[PATH_MAX];
	int r = path_of(f, path);

	if (r >= 0)
		r = owned_file_read_by(f->io, path, f->max, ret);
	if (r == -ENOENT || r == -ENOTDIR)
		return -ENOENT;
	/* Written with LF at the end, which a cut one has not. */
	if (r >= 0 && ret->size > start && ret->data[ret->size - 1] == '\n') {
		buf_cut(ret, ret->size - 1);
		return 0;
	}
	buf_cut(ret, start);
	return why_set(ret_why, -EBADMSG, "%.150s: %s", path,
		       r == -EACCES ? "it is no plain file, or others may write it"
		       : r < 0	    ? strerror(-r)
				    : "it is cut short");
}

int state_file_keep(const struct state_file *f, const struct buf *line)
{
	char path[PATH_MAX];
	int r = line->size > f->max ? -EFBIG : path_of(f, path);

	if (r >= 0)
		r = fsio_mkdir_all(f->io, f->dir, 0700);
	return r < 0 ? r : fsio_replace_file(f->io, path, line->data, line->size, 0600);
}

/* The directory is synced also when there is none: who removed it may have failed at just that. */
int state_file_remove(const struct state_file *f)
{
	char path[PATH_MAX];
	int r = path_of(f, path);

	if (r >= 0)
		r = fsio_unlink(f->io, path);
	if (r >= 0 || r == -ENOENT)
		r = fsio_sync_dir(f->io, f->dir);
	return r == -ENOENT || r == -ENOTDIR ? 0 : r;
}
