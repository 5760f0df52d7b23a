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

#define NONE UINT32_MAX
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

struct marked {
	char *path; /* NULL: the place is free */
	uint8_t *fid;
	uint32_t fid_size;
	uint32_t by_path, by_fid; /* next in the chains */
};

struct marks {
	int fd;
	uint32_t max, n, n_used, room, free;
	struct marked *marked;
	uint32_t *by_path, *by_fid;
};

static uint32_t hash_bytes(const void *data, size_t size)
{
	const uint8_t *p = data;
	uint32_t h = 2166136261u;

	while (size--)
		h = (h ^ *p++) * 16777619u;
	return h;
}

static size_t fid_size(const struct fid *f)
{
	return offsetof(struct fid, handle) + f->size;
}

static uint32_t *path_bucket(const struct marks *m, const char *path)
{
	return &m->by_path[hash_bytes(path, strlen(path)) % m->max];
}

static uint32_t *fid_bucket(const struct marks *m, const void *fid, size_t size)
{
	return &m->by_fid[hash_bytes(fid, size) % m->max];
}

int marks_open(int fanotify_fd, uint32_t max, struct marks **ret)
{
	struct marks *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->fd = fanotify_fd;
	m->max = max;
	m->free = NONE;
	m->by_path = malloc(max * sizeof(*m->by_path));
	m->by_fid = malloc(max * sizeof(*m->by_fid));
	if (!m->by_path || !m->by_fid) {
		marks_free(m);
		return -ENOMEM;
	}
	memset(m->by_path, 0xff, max * sizeof(*m->by_path));
	memset(m->by_fid, 0xff, max * sizeof(*m->by_fid));
	*ret = m;
	return 0;
}

struct marks *marks_free(struct marks *m)
{
	if (!m)
		return NULL;
	for (uint32_t i = 0; i < m->n_used; i++) {
		free(m->marked[i].path);
		free(m->marked[i].fid);
	}
	free(m->marked);
	free(m->by_path);
	free(m->by_fid);
	free(m);
	return NULL;
}

static uint32_t find_path(const struct marks *m, const char *path)
{
	uint32_t i = *path_bucket(m, path);

	while (i != NONE && strcmp(m->marked[i].path, path) != 0)
		i = m->marked[i].by_path;
	return i;
}

static void drop(struct marks *m, uint32_t i)
{
	struct marked *e = &m->marked[i];
	uint32_t *at = path_bucket(m, e->path);

	while (*at != i)
		at = &m->marked[*at].by_path;
	*at = e->by_path;
	at = fid_bucket(m, e->fid, e->fid_size);
	while (*at != i)
		at = &m->marked[*at].by_fid;
	*at = e->by_fid;
	free(e->path);
	free(e->fid);
	*e = (struct marked){.by_path = m->free};
	m->free = i;
	m->n--;
}

static int take_place(struct marks *m, uint32_t *ret)
{
	struct marked *grown;

	if (m->free != NONE) {
		*ret = m->free;
		m->free = m->marked[*ret].by_path;
		return 0;
	}
	if (m->n_used == m->max)
		return -ENOSPC;
	if (m->n_used == m->room) {
		uint32_t room = m->room ? m->room * 2 : 64;

		room = room > m->max ? m->max : room;
		grown = reallocarray(m->marked, room, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		m->marked = grown;
		m->room = room;
	}
	*ret = m->n_used++;
	return 0;
}

static int put(struct marks *m, const char *path, const struct fid *f)
{
	size_t size = fid_size(f);
	char *copy = strdup(path);
	uint8_t *fid = malloc(size);
	uint32_t i, *at;
	int r = copy && fid ? take_place(m, &i) : -ENOMEM;

	if (r < 0) {
		free(copy);
		free(fid);
		return r;
	}
	memcpy(fid, f, size);
	m->marked[i] = (struct marked){.path = copy, .fid = fid, .fid_size = (uint32_t)size};
	at = path_bucket(m, path);
	m->marked[i].by_path = *at;
	*at = i;
	at = fid_bucket(m, fid, size);
	m->marked[i].by_fid = *at;
	*at = i;
	m->n++;
	return 0;
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
	struct fid f = {0};
	uint32_t i;
	int r;

	i = find_path(m, path);
	if (i == NONE && m->n == m->max)
		return -ENOSPC;
	if (fanotify_mark(m->fd, FAN_MARK_ADD | FAN_MARK_DONT_FOLLOW, mask, AT_FDCWD, path) < 0)
		return -errno;
	/* Should another file take the name right now, its directory's event has it marked anew: directories are marked first. */
	r = fid_of(path, &f);
	if (r < 0)
		return r;
	if (i != NONE)
		drop(m, i);
	return put(m, path, &f);
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
	for (uint32_t i = *fid_bucket(m, &f, size); i != NONE && n < max; i = m->marked[i].by_fid) {
		if (m->marked[i].fid_size == size && memcmp(m->marked[i].fid, &f, size) == 0)
			ret[n++] = m->marked[i].path;
	}
	return n;
}

void marks_drop(struct marks *m, const char *path)
{
	uint32_t i = find_path(m, path);

	if (i != NONE)
		drop(m, i);
}

void marks_drop_below(struct marks *m, const char *path)
{
	size_t n = strlen(path);

	for (uint32_t i = 0; i < m->n_used; i++) {
		const char *p = m->marked[i].path;

		if (p && strncmp(p, path, n) == 0 && (p[n] == '\0' || p[n] == '/'))
			drop(m, i);
	}
}

uint32_t marks_n(const struct marks *m)
{
	return m->n;
}
