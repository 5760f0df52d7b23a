/* SPDX-License-Identifier: Apache-2.0 */
#include "marks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cleanup.h"
#include "path_table.h"

#define HANDLE_MAX 128 /* MAX_HANDLE_SZ */
#define HANDLE_FID_FLAG \
	0x200 /* AT_HANDLE_FID, 6.5: also where handles cannot be opened, as on overlayfs */

/* What an event says of an inode: file system, type, handle. */
struct fid {
	uint8_t fsid[sizeof(fsid_t)];
	int32_t type;
	uint32_t size;
	uint8_t handle[HANDLE_MAX];
};

struct marks {
	int fd;
	uint32_t max;
	struct path_table *tables
		[1 +
		 MARKS_LAYERS]; /* paths with their fids; NULL: nothing was marked below an overlay yet */
};

static size_t fid_size(const struct fid *f)
{
	return offsetof(struct fid, handle) + f->size;
}

int marks_open(int fanotify_fd, uint32_t max, struct marks **ret)
{
	struct marks *m = calloc(1, sizeof(*m));
	int r = m ? path_table_open(max, 0, &m->tables[0]) : -ENOMEM;

	if (r < 0) {
		free(m);
		return r;
	}
	m->fd = fanotify_fd;
	m->max = max;
	*ret = m;
	return 0;
}

struct marks *marks_free(struct marks *m)
{
	if (!m)
		return NULL;
	for (uint32_t k = 0; k <= MARKS_LAYERS; k++)
		path_table_free(m->tables[k]);
	free(m);
	return NULL;
}

static int fid_of(int fd, struct fid *ret)
{
	_Alignas(struct file_handle) uint8_t room[sizeof(struct file_handle) + HANDLE_MAX] = {0};
	struct file_handle *h = (struct file_handle *)room;
	struct statfs fs;
	int mount;

	h->handle_bytes = HANDLE_MAX;
	if (name_to_handle_at(fd, "", h, &mount, AT_EMPTY_PATH | HANDLE_FID_FLAG) < 0) {
		if (errno != EINVAL)
			return -errno;
		h->handle_bytes = HANDLE_MAX;
		if (name_to_handle_at(fd, "", h, &mount, AT_EMPTY_PATH) < 0)
			return -errno;
	}
	if (fstatfs(fd, &fs) < 0)
		return -errno;
	memset(ret, 0, sizeof(*ret));
	memcpy(ret->fsid, &fs.f_fsid, sizeof(ret->fsid));
	ret->type = h->handle_type;
	ret->size = h->handle_bytes;
	memcpy(ret->handle, h->f_handle, h->handle_bytes);
	return 0;
}

static int put(struct path_table *t, const char *path, int fd)
{
	uint32_t i = path_table_find(t, path);
	struct fid f = {0};
	int64_t at;
	int r = fid_of(fd, &f);

	if (r < 0)
		return r;
	if (i != PATH_TABLE_NONE)
		path_table_drop(t, i);
	at = path_table_put(t, path, &f, fid_size(&f));
	return at < 0 ? (int)at : 0;
}

int marks_add(struct marks *m, const char *path, uint64_t mask)
{
	CLEANUP_CLOSE int fd = -1;

	if (path_table_find(m->tables[0], path) == PATH_TABLE_NONE && marks_n(m) >= m->max)
		return -ENOSPC;
	if (fanotify_mark(m->fd, FAN_MARK_ADD | FAN_MARK_DONT_FOLLOW, mask, AT_FDCWD, path) < 0)
		return -errno;
	/* Should another file take the name right now, its directory's event has it marked anew: directories are marked first. */
	fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : put(m->tables[0], path, fd);
}

int marks_add_layer(struct marks *m, const char *path, int fd, uint32_t layer, uint64_t mask)
{
	struct path_table **t = &m->tables[1 + layer];
	char proc[64];
	int r;

	if (layer >= MARKS_LAYERS)
		return -EINVAL;
	r = *t ? 0 : path_table_open(m->max, 0, t);
	if (r < 0)
		return r;
	if (path_table_find(*t, path) == PATH_TABLE_NONE && marks_n(m) >= m->max)
		return -ENOSPC;
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	if (fanotify_mark(m->fd, FAN_MARK_ADD, mask, AT_FDCWD, proc) < 0)
		return -errno;
	return put(*t, path, fd);
}

static uint32_t paths_in(struct path_table *t, const struct fid *f, const char **ret, uint32_t max)
{
	uint32_t n = 0;

	for (uint32_t i = path_table_first(t, f, fid_size(f)); i != PATH_TABLE_NONE && n < max;
	     i = path_table_next(t, i))
		ret[n++] = path_table_path(t, i);
	return n;
}

uint32_t marks_paths(const struct marks *m, const struct marks_fid *fid, const char **ret,
		     uint32_t max, bool *ret_layer)
{
	struct fid f = {.type = fid->type, .size = (uint32_t)fid->size};
	uint32_t n = 0;

	*ret_layer = false;
	if (fid->fsid_size != sizeof(f.fsid) || fid->size > sizeof(f.handle))
		return 0;
	memcpy(f.fsid, fid->fsid, sizeof(f.fsid));
	memcpy(f.handle, fid->handle, fid->size);
	for (uint32_t k = 0; k <= MARKS_LAYERS; k++) {
		uint32_t more = m->tables[k] ? paths_in(m->tables[k], &f, ret + n, max - n) : 0;

		*ret_layer |= k > 0 && more > 0;
		n += more;
	}
	return n;
}

static void drop(void *ctx, uint32_t i)
{
	path_table_drop(ctx, i);
}

void marks_drop(struct marks *m, const char *path)
{
	for (uint32_t k = 0; k <= MARKS_LAYERS; k++) {
		uint32_t i = m->tables[k] ? path_table_find(m->tables[k], path) : PATH_TABLE_NONE;

		if (i != PATH_TABLE_NONE)
			path_table_drop(m->tables[k], i);
	}
}

void marks_drop_below(struct marks *m, const char *path)
{
	for (uint32_t k = 0; k <= MARKS_LAYERS; k++)
		if (m->tables[k])
			path_table_each_below(m->tables[k], path, drop, m->tables[k]);
}

uint32_t marks_n(const struct marks *m)
{
	uint32_t n = 0;

	for (uint32_t k = 0; k <= MARKS_LAYERS; k++)
		n += m->tables[k] ? path_table_n(m->tables[k]) : 0;
	return n;
}
