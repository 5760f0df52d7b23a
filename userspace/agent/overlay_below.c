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
#include <unistd.h>

#include "cleanup.h"
#include "fsio.h"
#include "overlay_layer.h"

struct overlay_below {
	char *source;
	struct buf mountinfo; /* empty: there is no overlay */
};

int overlay_below_open(const char *mountinfo, struct overlay_below **ret)
{
	struct overlay_below *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->source = strdup(mountinfo ? mountinfo : "/proc/self/mountinfo");
	if (!b->source) {
		free(b);
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
	free(b->source);
	free(b);
	return NULL;
}

int overlay_below_read(struct overlay_below *b)
{
	struct buf text = {0};
	int r = fsio_read_file(fsio_system(), b->source, OVERLAY_LAYER_MOUNTINFO_MAX, &text);
	bool any;

	if (r < 0) {
		buf_done(&text);
		return r;
	}
	any = text.size > 0 && memmem(text.data, text.size, " - overlay ", 11);
	buf_done(&b->mountinfo);
	if (any)
		b->mountinfo = text;
	else
		buf_done(&text);
	return any;
}

static int open_in(int dir, const char *path, uint64_t flags, uint64_t resolve)
{
	const struct open_how how = {.flags = flags | O_PATH | O_CLOEXEC, .resolve = resolve};

	return (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

/* Whoever may write to a layer may put links there: none is followed. */
static int open_layer(const char *layer, const char *inside)
{
	CLEANUP_CLOSE int dir = open_in(AT_FDCWD, layer, O_DIRECTORY, RESOLVE_NO_MAGICLINKS);

	if (dir < 0)
		return -errno;
	return inside[0] ? open_in(dir, inside, O_NOFOLLOW, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)
			 : fcntl(dir, F_DUPFD_CLOEXEC, 0);
}

/* One layer after the other, from the top, until it is known what lies there. */
struct looking {
	const struct overlay_layer_place *place;
	mode_t type;
	uint32_t n;
	void (*fn)(void *ctx, int fd, uint32_t layer);
	void *ctx;
};

/* Whether those below count as well. What is of another kind hides them: a whiteout. */
static bool look(struct looking *l, const char *layer)
{
	CLEANUP_CLOSE int fd = layer[0] == '/' ? open_layer(layer, l->place->inside) : -1;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return true;
	if ((st.st_mode & S_IFMT) != l->type)
		return false;
	l->fn(l->ctx, fd, l->n++);
	return S_ISDIR(l->type) && l->n < OVERLAY_BELOW_LAYERS;
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

uint32_t overlay_below_each(struct overlay_below *b, const char *path,
			    void (*fn)(void *ctx, int fd, uint32_t layer), void *ctx)
{
	CLEANUP_FREE struct overlay_layer_place *p = NULL;
	struct looking l = {.fn = fn, .ctx = ctx};
	char full[PATH_MAX];
	uint32_t dev;
	bool more;

	if (b->mountinfo.size == 0)
		return 0;
	dev = overlay_of(path, full, &l.type);
	p = dev ? malloc(sizeof(*p)) : NULL;
	if (!p || overlay_layer_find((const char *)b->mountinfo.data, b->mountinfo.size, dev, full,
				     p) < 0)
		return 0;
	l.place = p;
	more = !p->upper[0] || look(&l, p->upper);
	for (size_t at = 0; at < p->lowers.size && more;) {
		const char *lower = (const char *)p->lowers.data + at;

		more = look(&l, lower);
		at += strlen(lower) + 1;
	}
	buf_done(&p->lowers);
	return l.n;
}
