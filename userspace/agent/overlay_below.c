/* SPDX-License-Identifier: Apache-2.0 */
#include "overlay_below.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cleanup.h"
#include "fsio.h"
#include "mountinfo.h"
#include "overlay_layer.h"

struct overlay_below {
	char *source, *root;
	struct buf mountinfo;
	struct buf points; /* of overlays: path NUL path NUL …; empty: there are none */
};

int overlay_below_open(const char *mountinfo, const char *root, struct overlay_below **ret)
{
	struct overlay_below *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->source = strdup(mountinfo ? mountinfo : "/proc/self/mountinfo");
	b->root = strdup(root ? root : "/proc/1/root");
	if (!b->source || !b->root) {
		overlay_below_free(b);
		return -ENOMEM;
	}
	*ret = b;
	return 0;
}

struct overlay_below *overlay_below_free(struct overlay_below *b)
{
	if (!b)
		return NULL;
	buf_done(&b->mountinfo);
	buf_done(&b->points);
	free(b->source);
	free(b->root);
	free(b);
	return NULL;
}

static int take_points(const struct buf *text, struct buf *ret)
{
	CLEANUP_FREE struct mountinfo_entry *m = malloc(sizeof(*m));
	const char *at = text->size ? (const char *)text->data : "", *end = at + text->size;
	struct why why;
	int r = m ? 0 : -ENOMEM;

	while (at < end && r >= 0) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		size_t n = (size_t)((lf ? lf : end) - at);

		r = mountinfo_parse(at, n, m, &why);
		if (r >= 0 && strcmp(m->fstype, "overlay") == 0)
			buf_put(ret, m->point, strlen(m->point) + 1);
		at += n + 1;
	}
	return r < 0 ? r : buf_status(ret);
}

int overlay_below_read(struct overlay_below *b)
{
	struct buf text = {0}, points = {0};
	int r = fsio_read_file(fsio_system(), b->source, MOUNTINFO_MAX_SIZE, &text);

	if (r >= 0)
		r = take_points(&text, &points);
	if (r < 0) {
		buf_done(&text);
		buf_done(&points);
		return r;
	}
	buf_done(&b->mountinfo);
	buf_done(&b->points);
	b->mountinfo = text;
	b->points = points;
	return points.size > 0;
}

/* A node has a hundred overlays, of its containers, and files by the thousand that lie on none of them. */
static bool may_lie_on_one(const struct overlay_below *b, const char *path)
{
	for (size_t at = 0; at < b->points.size;) {
		const char *point = (const char *)b->points.data + at;
		size_t size = strlen(point), n = size > 1 ? size : 0;

		if (strncmp(path, point, n) == 0 && (path[n] == '/' || path[n] == '\0'))
			return true;
		at += size + 1;
	}
	return false;
}

static int open_in(int dir, const char *path, uint64_t flags, uint64_t resolve)
{
	const struct open_how how = {.flags = flags | O_PATH | O_CLOEXEC, .resolve = resolve};

	return (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

/*
 * The directory by its path here, or, where there is none, as process 1 has it: whoever mounted it gave the path as he has it himself, and an
 * agent in a container has other paths than its node.
 */
static int open_layer(const char *root_path, const char *layer)
{
	int dir = open_in(AT_FDCWD, layer, O_DIRECTORY, RESOLVE_NO_MAGICLINKS);
	CLEANUP_CLOSE int root = dir < 0 ? open(root_path, O_PATH | O_CLOEXEC) : -1;

	return root < 0 ? dir : open_in(root, layer, O_DIRECTORY, RESOLVE_IN_ROOT);
}

/* Whoever may write to a layer may put links there: none is followed. */
static int open_inside(int dir, const char *inside)
{
	return inside[0] ? open_in(dir, inside, O_NOFOLLOW, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)
			 : fcntl(dir, F_DUPFD_CLOEXEC, 0);
}

/* fd may be O_PATH. user: as root has not mounted it; where he has, anybody may have written such a name. 0 or -errno: there is none. */
static int get_own(int fd, bool user, const char *name, char ret[PATH_MAX])
{
	char path[64], full[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	snprintf(full, sizeof(full), "%s.overlay.%s", user ? "user" : "trusted", name);
	n = getxattr(path, full, ret, PATH_MAX - 1);
	if (n < 0)
		return -errno;
	ret[n] = '\0';
	return 0;
}

/*
 * Where the layers below have what dir has at inside: what was renamed through the overlay, itself or a directory above it, says by which
 * path it is found there.
 */
static int place_below(int dir, bool user, char inside[PATH_MAX])
{
	char above[PATH_MAX], below[PATH_MAX] = "", other[PATH_MAX];
	size_t at = 0, end;

	for (; inside[at]; at = end + (inside[end] == '/')) {
		const char *name = inside + at;
		size_t n = strcspn(name, "/"), had;

		end = at + n;
		snprintf(above, sizeof(above), "%.*s", (int)end, inside);
		CLEANUP_CLOSE int fd = open_inside(dir, above);

		/* Nor anything below it. */
		if (fd < 0) {
			n = strlen(name);
			end = at + n;
		} else if (get_own(fd, user, "redirect", other) == 0 && other[0]) {
			below[other[0] == '/' ? 0 : strlen(below)] = '\0';
			name = other + strspn(other, "/");
			n = strlen(name);
		}
		had = strlen(below);
		if (had + n + 2 > sizeof(below))
			return -ENAMETOOLONG;
		snprintf(below + had, sizeof(below) - had, "%s%.*s", had ? "/" : "", (int)n, name);
	}
	snprintf(inside, PATH_MAX, "%s", below);
	return 0;
}

/* One layer after the other, from the top, until it is known what lies there. */
struct looking {
	struct overlay_layer_place *place; /* inside: of the next one */
	const char *root;
	mode_t type;
	uint32_t n;
	bool missing; /* a layer's own directory cannot be had */
	void (*fn)(void *ctx, int fd, uint32_t layer);
	void *ctx;
};

/* Whether those below count as well. What is of another kind hides them: a whiteout. */
static bool look(struct looking *l, const char *layer)
{
	CLEANUP_CLOSE int dir = layer[0] == '/' ? open_layer(l->root, layer) : -1;
	CLEANUP_CLOSE int fd = dir < 0 ? -1 : open_inside(dir, l->place->inside);
	char value[PATH_MAX];
	struct stat st;

	l->missing |= dir < 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return dir < 0 || place_below(dir, l->place->user, l->place->inside) == 0;
	if ((st.st_mode & S_IFMT) != l->type)
		return false;
	l->fn(l->ctx, fd, l->n++);
	/* Copied up without its bytes, which still are those of the layer below. */
	if (!S_ISDIR(l->type) && get_own(fd, l->place->user, "metacopy", value) < 0)
		return false;
	return l->n < OVERLAY_BELOW_LAYERS &&
	       place_below(dir, l->place->user, l->place->inside) == 0;
}

/* The overlay's own device, which only its directories have for certain; and path as one of them is looked for. 0: it lies on none. */
static uint32_t overlay_of(const char *path, char ret[PATH_MAX], mode_t *ret_type)
{
	CLEANUP_CLOSE int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char above[PATH_MAX];
	struct statfs fs;
	struct stat st;

	if (fd < 0 || fstatfs(fd, &fs) < 0 || fs.f_type != OVERLAYFS_SUPER_MAGIC ||
	    fstat(fd, &st) < 0)
		return 0;
	*ret_type = st.st_mode & S_IFMT;
	/* With / behind it a mount's own directory lies in the mount. */
	if (snprintf(ret, PATH_MAX, "%s%s", path, S_ISDIR(st.st_mode) && path[1] ? "/" : "") >=
	    PATH_MAX)
		return 0;
	snprintf(above, sizeof(above), "%s", path);
	if (!S_ISDIR(st.st_mode)) {
		char *slash = strrchr(above, '/');

		if (!slash)
			return 0;
		slash[slash == above] = '\0';
		if (lstat(above, &st) < 0)
			return 0;
	}
	return major(st.st_dev) << 20 | minor(st.st_dev);
}

static void look_from_the_top(struct overlay_below *b, const char *path, struct looking *l)
{
	CLEANUP_FREE struct overlay_layer_place *p = NULL;
	char full[PATH_MAX];
	uint32_t dev;
	bool more;

	if (!may_lie_on_one(b, path))
		return;
	dev = overlay_of(path, full, &l->type);
	p = dev ? malloc(sizeof(*p)) : NULL;
	if (!p || overlay_layer_find((const char *)b->mountinfo.data, b->mountinfo.size, dev, full,
				     p) < 0)
		return;
	if (S_ISDIR(l->type) && p->inside[0])
		p->inside[strlen(p->inside) - 1] = '\0';
	l->place = p;
	l->root = b->root;
	more = !p->upper[0] || look(l, p->upper);
	for (size_t at = 0; at < p->lowers.size && more;) {
		const char *lower = (const char *)p->lowers.data + at;

		more = look(l, lower);
		at += strlen(lower) + 1;
	}
	buf_done(&p->lowers);
}

uint32_t overlay_below_each(struct overlay_below *b, const char *path,
			    void (*fn)(void *ctx, int fd, uint32_t layer), void *ctx)
{
	struct looking l = {.fn = fn, .ctx = ctx};

	look_from_the_top(b, path, &l);
	return l.n;
}

static void pass_over(void *ctx, int fd, uint32_t layer)
{
	(void)ctx;
	(void)fd;
	(void)layer;
}

bool overlay_below_reaches(struct overlay_below *b, const char *path)
{
	struct looking l = {.fn = pass_over};

	look_from_the_top(b, path, &l);
	return !l.missing;
}

const char *overlay_below_point(const struct overlay_below *b, const char *after)
{
	const char *first = (const char *)b->points.data;
	const char *next = after ? after + strlen(after) + 1 : first;

	return first && next < first + b->points.size ? next : NULL;
}
