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

#include "inaccessible.h"
#include "log.h"
#include "overlay_below.h"
#include "path_table.h"
#include "plumb/event.h"

#define NONE PATH_TABLE_NONE
#define DEVICES_MAX 64 /* that are told apart; files of more are found by the inode alone, too */
#define TABLES (1 + OVERLAY_BELOW_LAYERS)
#define FORMER_MAX 64 /* paths whose inode was exchanged since the last records were taken */

/* Of each path, beside its inode's number, by which alone it is found: see inode_marks_paths(). */
struct marked {
	uint64_t ino;
	uint32_t dev, mark;
	int wd; /* of an inotify watch; -1: not held */
};

/* What a path had been, when it was added again. */
struct former {
	char *path;
	uint64_t ino;
	uint32_t dev;
};

struct inode_marks {
	struct inode_marks_options o;
	int inotify; /* nobody reads it: see hold() */
	uint32_t n_held, n_not_held, n_unmarked;
	uint64_t n_late;
	/* What stands at a path; then, where that is an overlay, what the layers have there: those are NULL until there is one. */
	struct path_table *tables[TABLES];
	struct overlay_below *below;
	uint32_t devices[DEVICES_MAX], n_devices;
	struct former former[FORMER_MAX]; /* a ring */
	uint32_t n_former;
};

/* A place in a table. */
struct spot {
	struct path_table *table; /* NULL: none */
	uint32_t i;
};

static struct marked *at(struct spot s)
{
	return path_table_extra(s.table, s.i);
}

/* The first from table k on. */
static struct spot found_from(const struct inode_marks *m, uint32_t k, uint64_t ino)
{
	for (; k < TABLES && m->tables[k]; k++) {
		uint32_t i = path_table_first(m->tables[k], &ino, sizeof(ino));

		if (i != NONE)
			return (struct spot){m->tables[k], i};
	}
	return (struct spot){NULL, NONE};
}

static struct spot first_of(const struct inode_marks *m, uint64_t ino)
{
	return found_from(m, 0, ino);
}

static struct spot next_of(const struct inode_marks *m, uint64_t ino, struct spot s)
{
	uint32_t k = 0;

	s.i = path_table_next(s.table, s.i);
	if (s.i != NONE)
		return s;
	while (m->tables[k] != s.table)
		k++;
	return found_from(m, k + 1, ino);
}

/* Two paths of one inode have one watch. */
static void let_go(struct inode_marks *m, struct marked *e)
{
	int wd = e->wd;

	if (wd < 0)
		return;
	e->wd = -1;
	m->n_held--;
	for (struct spot s = first_of(m, e->ino); s.table; s = next_of(m, e->ino, s))
		if (at(s)->wd == wd)
			return;
	(void)inotify_rm_watch(m->inotify, wd); /* it went with the inode, or with its mount */
}

static void drop(struct inode_marks *m, struct spot s)
{
	let_go(m, at(s));
	path_table_drop(s.table, s.i);
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

/* Is a watched path in it that is no directory, or not there yet? Its coming is told by the directory alone. */
static bool has_single(const struct inode_marks *m, const char *dir)
{
	size_t n = strcmp(dir, "/") == 0 ? 0 : strlen(dir);
	struct stat st;

	for (uint32_t i = 0; i < file_set_n_roots(m->o.files); i++) {
		const char *root = file_set_root_at(m->o.files, i);

		if (strncmp(root, dir, n) == 0 && root[n] == '/' && !strchr(root + n + 1, '/') &&
		    (lstat(root, &st) < 0 || !S_ISDIR(st.st_mode)))
			return true;
	}
	return false;
}

static uint32_t mark_for(const struct inode_marks *m, const char *path, mode_t mode)
{
	bool covered = file_set_covers(m->o.files, path);

	/* Watched for what is put into it, and no file of the set. */
	if (!covered && inaccessible_is(path) && !S_ISDIR(mode))
		return PLUMB_MARK_ANCESTOR | PLUMB_MARK_FILE;
	if (!covered)
		return has_single(m, path) || inaccessible_is(path)
			       ? PLUMB_MARK_ANCESTOR | PLUMB_MARK_NAMES
			       : PLUMB_MARK_ANCESTOR;
	return S_ISDIR(mode) ? PLUMB_MARK_DIR | PLUMB_MARK_TREE : PLUMB_MARK_FILE;
}

/* The kernel keeps one mark an inode: what its other paths need stays in it. */
static uint32_t mark_with_others(const struct inode_marks *m, const struct marked *of)
{
	uint32_t mark = of->mark;

	for (struct spot s = first_of(m, of->ino); s.table; s = next_of(m, of->ino, s))
		if (at(s)->dev == of->dev)
			mark |= at(s)->mark;
	return mark;
}

/* A directory whose names are told; a file in a watched one is found again through it. */
static bool must_be_held(const struct inode_marks *m, const struct marked *e, const char *path)
{
	char above[PATH_MAX];
	char *slash;

	if (e->mark & (PLUMB_MARK_DIR | PLUMB_MARK_NAMES))
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

static void drop_path(struct inode_marks *m, uint32_t from, const char *path)
{
	for (uint32_t k = from; k < TABLES && m->tables[k]; k++) {
		struct spot s = {m->tables[k], path_table_find(m->tables[k], path)};

		if (s.i != NONE)
			drop(m, s);
	}
}

/* path has no place in table k. */
static int add(struct inode_marks *m, uint32_t k, const char *path, int fd)
{
	struct spot s = {m->tables[k], NONE};
	struct marked *e;
	struct stat st;
	uint64_t ino;
	int64_t put;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	ino = st.st_ino;
	put = path_table_put(s.table, path, &ino, sizeof(ino));
	if (put < 0)
		return (int)put;
	s.i = (uint32_t)put;
	e = at(s);
	*e = (struct marked){
		.ino = ino,
		.dev = major(st.st_dev) << 20 | minor(st.st_dev),
		.mark = mark_for(m, path, st.st_mode),
		.wd = -1,
	};
	/* Of a directory above, the layer that is written to may have nothing below it yet. */
	if (k > 0 && e->mark & PLUMB_MARK_ANCESTOR)
		e->mark |= PLUMB_MARK_NAMES;
	r = m->o.mark(m->o.ctx, fd, mark_with_others(m, e));
	note_device(m, e->dev);
	if (r < 0) {
		drop(m, s);
		return r;
	}
	m->n_late += r > 0;
	hold(m, e, path, fd);
	return 0;
}

/* A file that went meanwhile has told so to its directory's mark. */
static int tell_unmarked(struct inode_marks *m, const char *path, int r)
{
	if (r < 0 && r != -ENOENT && r != -ENOTDIR && m->n_unmarked++ == 0)
		log_warning("sensor=lsm unmarked=\"%s\" error=%s next=\"only fanotify and the "
			    "rescan see it\"",
			    path, strerrorname_np(-r));
	return r;
}

struct layered {
	struct inode_marks *m;
	const char *path;
};

static void on_layer(void *ctx, int fd, uint32_t layer)
{
	const struct layered *l = ctx;
	struct path_table **t = &l->m->tables[1 + layer];
	int r = *t ? 0 : path_table_open(l->m->o.max, sizeof(struct marked), t);

	(void)tell_unmarked(l->m, l->path, r < 0 ? r : add(l->m, 1 + layer, l->path, fd));
}

static void keep_former(struct inode_marks *m, const char *path, int fd)
{
	struct spot s = {m->tables[0], path_table_find(m->tables[0], path)};
	struct former *f = &m->former[m->n_former % FORMER_MAX];
	struct stat st;

	if (s.i == NONE || fstat(fd, &st) < 0 ||
	    (at(s)->ino == st.st_ino && at(s)->dev == (major(st.st_dev) << 20 | minor(st.st_dev))))
		return;
	free(f->path);
	*f = (struct former){strdup(path), at(s)->ino, at(s)->dev};
	m->n_former++;
}

void inode_marks_forget_former(struct inode_marks *m)
{
	for (uint32_t i = 0; i < FORMER_MAX; i++) {
		free(m->former[i].path);
		m->former[i] = (struct former){0};
	}
	m->n_former = 0;
}

static const char *former_path(const struct inode_marks *m, uint32_t dev, uint64_t ino)
{
	for (uint32_t i = 0; i < FORMER_MAX; i++)
		if (m->former[i].path && m->former[i].ino == ino && m->former[i].dev == dev)
			return m->former[i].path;
	return NULL;
}

int inode_marks_add(struct inode_marks *m, const char *path)
{
	struct layered l = {m, path};
	int r, fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return tell_unmarked(m, path, -errno);
	keep_former(m, path, fd);
	drop_path(m, 0, path);
	r = add(m, 0, path, fd);
	close(fd);
	/* Whoever writes past the overlay writes to these. */
	(void)overlay_below_each(m->below, path, on_layer, &l);
	return tell_unmarked(m, path, r);
}

static void mark_inaccessible(struct inode_marks *m)
{
	char real[PATH_MAX];

	for (uint32_t i = 0; inaccessible_at(i); i++) {
		const char *path = inaccessible_at(i);
		int r, fd;

		if (file_set_covers(m->o.files, path))
			continue;
		drop_path(m, 0, path);
		snprintf(real, sizeof(real), "%s%s", m->o.root ? m->o.root : "", path);
		fd = open(real, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		r = fd < 0 ? -errno : add(m, 0, path, fd);
		if (fd >= 0)
			close(fd);
		(void)tell_unmarked(m, path, r);
	}
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
	int r = overlay_below_read(m->below);

	if (r < 0)
		log_warning("sensor=lsm mountinfo=unreadable error=\"%s\" next=\"what is written "
			    "past an overlay is found by the rescan\"",
			    strerror(-r));
	for (uint32_t i = 0; i < file_set_n_roots(m->o.files); i++)
		mark_ancestors(m, file_set_root_at(m->o.files, i));
	mark_inaccessible(m);
	for (uint32_t i = 0; i < file_set_n(m->o.files); i++)
		(void)inode_marks_add(m, file_set_path_at(m->o.files, i));
}

void inode_marks_drop(struct inode_marks *m, const char *path)
{
	drop_path(m, 0, path);
}

struct dropping {
	struct inode_marks *m;
	struct path_table *table;
};

static void drop_one(void *ctx, uint32_t i)
{
	const struct dropping *d = ctx;

	drop(d->m, (struct spot){d->table, i});
}

void inode_marks_drop_below(struct inode_marks *m, const char *path)
{
	for (uint32_t k = 0; k < TABLES && m->tables[k]; k++) {
		struct dropping d = {m, m->tables[k]};

		path_table_each_below(d.table, path, drop_one, &d);
	}
}

bool inode_marks_is_layer(const struct inode_marks *m, uint32_t dev, uint64_t ino)
{
	for (struct spot s = found_from(m, 1, ino); s.table; s = next_of(m, ino, s))
		if (at(s)->dev == dev || !knows_device(m, dev))
			return true;
	return false;
}

uint32_t inode_marks_paths(const struct inode_marks *m, uint32_t dev, uint64_t ino,
			   const char **ret, uint32_t max)
{
	bool any = !knows_device(m, dev);
	uint32_t n = 0;

	for (struct spot s = first_of(m, ino); s.table && n < max; s = next_of(m, ino, s))
		if (any || at(s)->dev == dev)
			ret[n++] = path_table_path(s.table, s.i);
	if (n == 0 && max > 0 && former_path(m, dev, ino))
		ret[n++] = former_path(m, dev, ino);
	return n;
}

bool inode_marks_is_marked(const struct inode_marks *m, uint32_t dev, uint64_t ino)
{
	for (struct spot s = first_of(m, ino); s.table; s = next_of(m, ino, s))
		if (at(s)->dev == dev && !(at(s)->mark & PLUMB_MARK_ANCESTOR))
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
	if (path_table_open(m->o.max, sizeof(struct marked), &m->tables[0]) < 0 ||
	    overlay_below_open(o->mountinfo, NULL, &m->below) < 0) {
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
	for (uint32_t k = 0; k < TABLES; k++)
		path_table_free(m->tables[k]);
	overlay_below_free(m->below);
	inode_marks_forget_former(m);
	free(m);
	return NULL;
}

uint32_t inode_marks_n(const struct inode_marks *m)
{
	uint32_t n = 0;

	for (uint32_t k = 0; k < TABLES && m->tables[k]; k++)
		n += path_table_n(m->tables[k]);
	return n;
}

uint32_t inode_marks_n_held(const struct inode_marks *m)
{
	return m->n_held;
}

uint32_t inode_marks_n_not_held(const struct inode_marks *m)
{
	return m->n_not_held;
}

uint64_t inode_marks_n_late(const struct inode_marks *m)
{
	return m->n_late;
}

uint32_t inode_marks_n_unmarked(const struct inode_marks *m)
{
	return m->n_unmarked;
}
