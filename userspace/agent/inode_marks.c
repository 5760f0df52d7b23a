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
#include "path_table.h"
#include "plumb/event.h"

#define NONE PATH_TABLE_NONE
#define DEVICES_MAX 64 /* that are told apart; files of more are found by the inode alone, too */

/* Of each path, beside its inode's number, by which alone it is found: see inode_marks_paths(). */
struct marked {
	uint64_t ino;
	uint32_t dev, mark;
	int wd; /* of an inotify watch; -1: not held */
};

struct inode_marks {
	struct inode_marks_options o;
	int inotify; /* nobody reads it: see hold() */
	uint32_t n_held, n_not_held, n_unmarked;
	struct path_table *paths;
	uint32_t devices[DEVICES_MAX], n_devices;
};

static struct marked *at(const struct inode_marks *m, uint32_t i)
{
	return path_table_extra(m->paths, i);
}

static uint32_t first_of(const struct inode_marks *m, uint64_t ino)
{
	return path_table_first(m->paths, &ino, sizeof(ino));
}

/* Two paths of one inode have one watch. */
static void let_go(struct inode_marks *m, struct marked *e)
{
	int wd = e->wd;

	if (wd < 0)
		return;
	e->wd = -1;
	m->n_held--;
	for (uint32_t i = first_of(m, e->ino); i != NONE; i = path_table_next(m->paths, i))
		if (at(m, i)->wd == wd)
			return;
	(void)inotify_rm_watch(m->inotify, wd); /* it went with the inode, or with its mount */
}

static void drop(void *ctx, uint32_t i)
{
	struct inode_marks *m = ctx;

	let_go(m, at(m, i));
	path_table_drop(m->paths, i);
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

	for (uint32_t i = first_of(m, of->ino); i != NONE; i = path_table_next(m->paths, i))
		if (at(m, i)->dev == of->dev)
			mark |= at(m, i)->mark;
	return mark;
}

/* A directory that is watched; a file in one is found again through it. */
static bool must_be_held(const struct inode_marks *m, const struct marked *e, const char *path)
{
	char above[PATH_MAX];
	char *slash;

	if (e->mark & PLUMB_MARK_DIR)
		return true;
	snprintf(above, sizeof(above), "%s", path);
	slash = strrchr(above, '/');
	if (slash)
		slash[slash == above] = '\0';
	return (e->mark & PLUMB_MARK_FILE) && !file_set_covers(m->o.files, above);
}

/*
 * A watch of inotify keeps an inode in memory as an open descriptor does, and yet lets its file system be unmounted. Its event is one
 * that hardly comes; the kernel bounds what waits.
 */
static void hold(struct inode_marks *m, struct marked *e, const char *path, int fd)
{
	char proc[64];

	if (!must_be_held(m, e, path))
		return;
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	if (m->n_held < m->o.max_held)
		e->wd = inotify_add_watch(m->inotify, proc, IN_DELETE_SELF);
	if (e->wd >= 0)
		m->n_held++;
	else if (m->n_not_held++ == 0)
		log_warning("sensor=lsm not_held=\"%s\" held=%u next=\"its mark goes when the "
			    "kernel forgets the inode; fanotify and the rescan see it still\"",
			    path, m->n_held);
}

static int add(struct inode_marks *m, const char *path, int fd, const struct stat *st)
{
	const uint64_t ino = st->st_ino;
	uint32_t i = path_table_find(m->paths, path);
	struct marked *e;
	int64_t put;
	int r;

	if (i != NONE)
		drop(m, i);
	put = path_table_put(m->paths, path, &ino, sizeof(ino));
	if (put < 0)
		return (int)put;
	e = at(m, (uint32_t)put);
	*e = (struct marked){
		.ino = ino,
		.dev = major(st->st_dev) << 20 | minor(st->st_dev),
		.mark = mark_for(m, path, st->st_mode),
		.wd = -1,
	};
	r = m->o.mark(m->o.ctx, fd, mark_with_others(m, e));
	note_device(m, e->dev);
	if (r < 0) {
		drop(m, (uint32_t)put);
		return r;
	}
	hold(m, e, path, fd);
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
	uint32_t i = path_table_find(m->paths, path);

	if (i != NONE)
		drop(m, i);
}

void inode_marks_drop_below(struct inode_marks *m, const char *path)
{
	path_table_each_below(m->paths, path, drop, m);
}

uint32_t inode_marks_paths(const struct inode_marks *m, uint32_t dev, uint64_t ino,
			   const char **ret, uint32_t max)
{
	bool any = !knows_device(m, dev);
	uint32_t n = 0;

	for (uint32_t i = first_of(m, ino); i != NONE && n < max; i = path_table_next(m->paths, i))
		if (any || at(m, i)->dev == dev)
			ret[n++] = path_table_path(m->paths, i);
	return n;
}

bool inode_marks_is_marked(const struct inode_marks *m, uint32_t dev, uint64_t ino)
{
	for (uint32_t i = first_of(m, ino); i != NONE; i = path_table_next(m->paths, i))
		if (at(m, i)->dev == dev && !(at(m, i)->mark & PLUMB_MARK_ANCESTOR))
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
	m->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (path_table_open(m->o.max, sizeof(struct marked), &m->paths) < 0) {
		inode_marks_free(m);
		return -ENOMEM;
	}
	*ret = m;
	return 0;
}

struct inode_marks *inode_marks_free(struct inode_marks *m)
{
	if (!m)
		return NULL;
	if (m->inotify >= 0)
		close(m->inotify);
	path_table_free(m->paths);
	free(m);
	return NULL;
}

uint32_t inode_marks_n(const struct inode_marks *m)
{
	return path_table_n(m->paths);
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
