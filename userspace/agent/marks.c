/* SPDX-License-Identifier: Apache-2.0 */
#include "marks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
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
	struct path_table *paths; /* each with its fid */
};

static size_t fid_size(const struct fid *f)
{
	return offsetof(struct fid, handle) + f->size;
}

int marks_open(int fanotify_fd, uint32_t max, struct marks **ret)
{
	struct marks *m = calloc(1, sizeof(*m));
	int r = m ? path_table_open(max, 0, &m->paths) : -ENOMEM;

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
	path_table_free(m->paths);
	free(m);
	return NULL;
}

static int fid_of(const char *path, struct fid *ret)
{
	_Alignas(struct file_handle) uint8_t room[sizeof(struct file_handle) + HANDLE_MAX] = {0};
	struct file_handle *h = (struct file_handle *)room;
	CLEANUP_CLOSE int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct statfs fs;
	int mount;

	if (fd < 0)
		return -errno;
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

int marks_add(struct marks *m, const char *path, uint64_t mask)
{
	uint32_t i = path_table_find(m->paths, path);
	struct fid f = {0};
	int64_t put;
	int r;

	if (i == PATH_TABLE_NONE && marks_n(m) == m->max)
		return -ENOSPC;
	if (fanotify_mark(m->fd, FAN_MARK_ADD | FAN_MARK_DONT_FOLLOW, mask, AT_FDCWD, path) < 0)
		return -errno;
	/* Should another file take the name right now, its directory's event has it marked anew: directories are marked first. */
	r = fid_of(path, &f);
	if (r < 0)
		return r;
	if (i != PATH_TABLE_NONE)
		path_table_drop(m->paths, i);
	put = path_table_put(m->paths, path, &f, fid_size(&f));
	return put < 0 ? (int)put : 0;
}

uint32_t marks_paths(const struct marks *m, const struct marks_fid *fid, const char **ret,
		     uint32_t max)
{
	struct fid f = {.type = fid->type, .size = (uint32_t)fid->size};
	uint32_t n = 0;
	size_t size;

	if (fid->fsid_size != sizeof(f.fsid) || fid->size > sizeof(f.handle))
		return 0;
	memcpy(f.fsid, fid->fsid, sizeof(f.fsid));
	memcpy(f.handle, fid->handle, fid->size);
	size = fid_size(&f);
	for (uint32_t i = path_table_first(m->paths, &f, size); i != PATH_TABLE_NONE && n < max;
	     i = path_table_next(m->paths, i))
		ret[n++] = path_table_path(m->paths, i);
	return n;
}

static void drop(void *ctx, uint32_t i)
{
	path_table_drop(((struct marks *)ctx)->paths, i);
}

void marks_drop(struct marks *m, const char *path)
{
	uint32_t i = path_table_find(m->paths, path);

	if (i != PATH_TABLE_NONE)
		drop(m, i);
}

void marks_drop_below(struct marks *m, const char *path)
{
	path_table_each_below(m->paths, path, drop, m);
}

uint32_t marks_n(const struct marks *m)
{
	return path_table_n(m->paths);
}
