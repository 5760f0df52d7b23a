/* SPDX-License-Identifier: Apache-2.0 */
#include "inode_marks.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "log.h"
#include "plumb/event.h"

#define NONE UINT32_MAX
#define DEVICES_MAX 64 /* that are told apart; files of more are found by the inode alone, too */

struct marked {
	char *path; /* NULL: the place is free */
	uint64_t ino;
	uint32_t dev, mark;
	int wd; /* of an inotify watch; -1: not held */
	uint32_t by_path, by_inode;
};

struct inode_marks {
	struct inode_marks_options o;
	int inotify; /* nobody reads it: see hold() */
	uint32_t n, n_used, room, free;
	uint32_t n_held, n_not_held, n_unmarked;
	struct marked *marked;
	uint32_t *by_path, *by_inode;
	uint32_t devices[DEVICES_MAX], n_devices;
};

static uint32_t *path_bucket(const struct inode_marks *m, const char *path)
{
	uint32_t h = 2166136261u;

	for (; *path; path++)
		h = (h ^ (uint8_t)*path) * 16777619u;
	return &m->by_path[h % m->o.max];
}

/* By the inode's number alone: see inode_marks_paths(). */
static uint32_t *inode_bucket(const struct inode_marks *m, uint64_t ino)
{
	uint64_t h = ino * 0x9e3779b97f4a7c15ull;

	return &m->by_inode[(h >> 32) % m->o.max];
}

static uint32_t find(const struct inode_marks *m, const char *path)
{
	uint32_t i = *path_bucket(m, path);

	while (i != NONE && strcmp(m->marked[i].path, path) != 0)
		i = m->marked[i].by_path;
	return i;
}

/* Two paths of one inode have one watch. */
static void let_go(struct inode_marks *m, struct marked *e)
{
	int wd = e->wd;

	if (wd < 0)
		return;
	e->wd = -1;
	m->n_held--;
	for (uint32_t i = *inode_bucket(m, e->ino); i != NONE; i = m->marked[i].by_inode)
		if (m->marked[i].wd == wd)
			return;
	(void)inotify_rm_watch(m->inotify, wd); /* it went with the inode, or with its mount */
}

static void drop(struct inode_marks *m, uint32_t i)
{
	struct marked *e = &m->marked[i];
	uint32_t *at = path_bucket(m, e->path);

	while (*at != i)
		at = &m->marked[*at].by_path;
	*at = e->by_path;
	at = inode_bucket(m, e->ino);
	while (*at != i)
		at = &m->marked[*at].by_inode;
	*at = e->by_inode;
	let_go(m, e);
	free(e->path);
	*e = (struct marked){.wd = -1, .by_path = m->free};
	m->free = i;
	m->n--;
}

static int take_place(struct inode_marks *m, uint32_t *ret)
{
	struct marked *grown;

	if (m->free != NONE) {
		*ret = m->free;
		m->free = m->marked[*ret].by_path;
		return 0;
	}
	if (m->n_used == m->o.max)
		return -ENOSPC;
	if (m->n_used == m->room) {
		uint32_t room = m->room ? m->room * 2 : 64;

		room = room > m->o.max ? m->o.max : room;
		grown = reallocarray(m->marked, room, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		m->marked = grown;
		m->room = room;
	}
	*ret = m->n_used++;
	return 0;
}

static void note_device(struct inode_marks *m, uint32_t dev)
{
	for (uint32_t i = 0; i < m->n_devices; i++)
		if (m->devices[i] == dev)
			return;
	if (m->n_devices < DEVICES_MAX)
		m->devices[m->n_devices++] = dev;
}

static bool knows_device(const struct inode_marks *m, uint32_t dev)
{
	for (uint32_t i = 0; i < m->n_devices; i++)
		if (m->devices[i] == dev)
			return true;
	return false;
}

static uint32_t mark_for(const struct inode_marks *m, const char *path, mode_t mode)
{
	if (!file_set_covers(m->o.files, path))
		return PLUMB_MARK_ANCESTOR;
	return S_ISDIR(mode) ? PLUMB_MARK_DIR | PLUMB_MARK_TREE : PLUMB_MARK_FILE;
}

/* The kernel keeps one mark an inode: what its other paths need stays in it. */
static uint32_t mark_with_others(const struct inode_marks *m, const struct marked *of)
{
	uint32_t mark = of->mark;

	for (uint32_t i = *inode_bucket(m, of->ino); i != NONE; i = m->marked[i].by_inode)
		if (m->marked[i].ino == of->ino && m->marked[i].dev == of->dev)
			mark |= m->marked[i].mark;
	return mark;
}

/* A directory that is watched; a file in one is found again through it. */
static bool must_be_held(const struct inode_marks *m, const struct marked *e)
{
	char above[PATH_MAX];
	char *slash;

	if (e->mark & PLUMB_MARK_DIR)
		return true;
	snprintf(above, sizeof(above), "%s", e->path);
	slash = strrchr(above, '/');
	if (slash)
		slash[slash == above] = '\0';
	return (e->mark & PLUMB_MARK_FILE) && !file_set_covers(m->o.files, above);
}

/*
 * A watch of inotify keeps an inode in memory as an open descriptor does, and yet lets its file system be unmounted. Its event is one
 * that hardly comes; the kernel bounds what waits.
 */
static void hold(struct inode_marks *m, struct marked *e, int fd)
{
	char path[64];

	if (!must_be_held(m, e))
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (m->n_held < m->o.max_held)
		e->wd = inotify_add_watch(m->inotify, path, IN_DELETE_SELF);
	if (e->wd >= 0)
		m->n_held++;
	else if (m->n_not_held++ == 0)
		log_warning("sensor=lsm not_held=\"%s\" held=%u next=\"its mark goes when the "
			    "kernel forgets the inode; fanotify and the rescan see it still\"",
			    e->path, m->n_held);
}

static int add(struct inode_marks *m, const char *path, int fd, const struct stat *st)
{
	uint32_t i = find(m, path), *bucket;
	struct marked *e;
	char *copy;
	int r;

	if (i != NONE)
		drop(m, i);
	copy = strdup(path);
	r = copy ? take_place(m, &i) : -ENOMEM;
	if (r < 0) {
		free(copy);
		return r;
	}
	e = &m->marked[i];
	*e = (struct marked){
		.path = copy,
		.ino = st->st_ino,
		.dev = major(st->st_dev) << 20 | minor(st->st_dev),
		.mark = mark_for(m, path, st->st_mode),
		.wd = -1,
	};
	r = m->o.mark(m->o.ctx, fd, mark_with_others(m, e));
	note_device(m, e->dev);
	bucket = path_bucket(m, path);
	e->by_path = *bucket;
	*bucket = i;
	bucket = inode_bucket(m, e->ino);
	e->by_inode = *bucket;
	*bucket = i;
	m->n++;
	if (r < 0) {
		drop(m, i);
		return r;
	}
	hold(m, e, fd);
	return 0;
}

int inode_marks_add(struct inode_marks *m, const char *path)
{
	int r, fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	r = fd < 0 || fstat(fd, &st) < 0 ? -errno : add(m, path, fd, &st);
	if (fd >= 0)
		close(fd);
	/* A file that went meanwhile has told so to its directory's mark. */
	if (r < 0 && r != -ENOENT && r != -ENOTDIR && m->n_unmarked++ == 0)
		log_warning("sensor=lsm unmarked=\"%s\" error=%s next=\"only fanotify and the "
			    "rescan see it\"",
			    path, strerrorname_np(-r));
	return r;
}

static void mark_ancestors(struct inode_marks *m, const char *root)
{
	char path[PATH_MAX];
	char *slash;

	snprintf(path, sizeof(path), "%s", root);
	for (slash = strrchr(path, '/'); slash && path[1]; slash = strrchr(path, '/')) {
		slash[slash == path] = '\0';
		if (!file_set_covers(m->o.files, path))
			(void)inode_marks_add(m, path);
	}
}

void inode_marks_all(struct inode_marks *m)
{
	for (uint32_t i = 0; i < file_set_n_roots(m->o.files); i++)
		mark_ancestors(m, file_set_root_at(m->o.files, i));
	for (uint32_t i = 0; i < file_set_n(m->o.files); i++)
		(void)inode_marks_add(m, file_set_path_at(m->o.files, i));
}

void inode_marks_drop(struct inode_marks *m, const char *path)
{
	uint32_t i = find(m, path);

	if (i != NONE)
		drop(m, i);
}

void inode_marks_drop_below(struct inode_marks *m, const char *path)
{
	size_t n = strlen(path);

	for (uint32_t i = 0; i < m->n_used; i++) {
		const char *p = m->marked[i].path;

		if (p && strncmp(p, path, n) == 0 && (p[n] == '\0' || p[n] == '/'))
			drop(m, i);
	}
}

uint32_t inode_marks_paths(const struct inode_marks *m, uint32_t dev, uint64_t ino,
			   const char **ret, uint32_t max)
{
	bool any = !knows_device(m, dev);
	uint32_t n = 0;

	for (uint32_t i = *inode_bucket(m, ino); i != NONE && n < max; i = m->marked[i].by_inode)
		if (m->marked[i].ino == ino && (any || m->marked[i].dev == dev))
			ret[n++] = m->marked[i].path;
	return n;
}

bool inode_marks_is_marked(const struct inode_marks *m, uint32_t dev, uint64_t ino)
{
	for (uint32_t i = *inode_bucket(m, ino); i != NONE; i = m->marked[i].by_inode)
		if (m->marked[i].ino == ino && m->marked[i].dev == dev &&
		    !(m->marked[i].mark & PLUMB_MARK_ANCESTOR))
			return true;
	return false;
}

int inode_marks_open(const struct inode_marks_options *o, struct inode_marks **ret)
{
	struct inode_marks *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->o = *o;
	m->o.max = o->max ? o->max : INODE_MARKS_MAX;
	m->o.max_held = o->max_held ? o->max_held : UINT32_MAX;
	m->free = NONE;
	m->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	m->by_path = malloc(m->o.max * sizeof(*m->by_path));
	m->by_inode = malloc(m->o.max * sizeof(*m->by_inode));
	if (!m->by_path || !m->by_inode) {
		inode_marks_free(m);
		return -ENOMEM;
	}
	memset(m->by_path, 0xff, m->o.max * sizeof(*m->by_path));
	memset(m->by_inode, 0xff, m->o.max * sizeof(*m->by_inode));
	*ret = m;
	return 0;
}

struct inode_marks *inode_marks_free(struct inode_marks *m)
{
	if (!m)
		return NULL;
	for (uint32_t i = 0; i < m->n_used; i++) {
		free(m->marked[i].path);
	}
	if (m->inotify >= 0)
		close(m->inotify);
	free(m->marked);
	free(m->by_path);
	free(m->by_inode);
	free(m);
	return NULL;
}

uint32_t inode_marks_n(const struct inode_marks *m)
{
	return m->n;
}

uint32_t inode_marks_n_held(const struct inode_marks *m)
{
	return m->n_held;
}

uint32_t inode_marks_n_not_held(const struct inode_marks *m)
{
	return m->n_not_held;
}

uint32_t inode_marks_n_unmarked(const struct inode_marks *m)
{
	return m->n_unmarked;
}
