/* SPDX-License-Identifier: Apache-2.0 */
#include "overlay_layer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "fsio.h"
#include "mountinfo.h"

#define SLOTS 1024 /* files remembered; another with the same slot takes it */
#define PLACES 64 /* overlays whose processes may be gone before they are looked at */
#define NS 1000000000ull

static const char image[] = "image", upper[] = "upper", unknown[] = "unknown";

struct slot {
	uint64_t ino, size, ctime_ns;
	uint32_t dev;
	const char *layer; /* NULL: free */
};

/* mountinfo of the last process that was seen there. */
struct place {
	uint32_t mnt_ns;
	char *mountinfo;
	size_t size;
};

struct overlay_layer {
	char *root;
	struct slot slots[SLOTS];
	struct place places[PLACES];
	uint32_t oldest;
};

/* Reading mountinfo. */

/* Undoes \ooo. ret has room for size + 1 bytes. Its length, or -EBADMSG. */
static int unescape(const char *text, size_t size, char *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < size; i++) {
		char c = text[i];

		if (c == '\\' && i + 3 < size && text[i + 1] >= '0' && text[i + 1] <= '3' &&
		    text[i + 2] >= '0' && text[i + 2] <= '7' && text[i + 3] >= '0' &&
		    text[i + 3] <= '7') {
			c = (char)((text[i + 1] - '0') << 6 | (text[i + 2] - '0') << 3 |
				   (text[i + 3] - '0'));
			i += 3;
		}
		if (c == 0)
			return -EBADMSG;
		ret[n++] = c;
	}
	ret[n] = 0;
	return (int)n;
}

static int add_lower(struct overlay_layer_place *p, const char *path, size_t size)
{
	if (size == 0)
		return 0; /* "::" stands before layers of data, which are those behind it */
	if (p->n_lowers == OVERLAY_LAYER_MAX)
		return -E2BIG;
	p->n_lowers++;
	buf_put(&p->lowers, path, size);
	buf_put(&p->lowers, "", 1);
	return buf_status(&p->lowers);
}

/* "/a:/b\:c": a backslash takes the next character as it is. Splits list, in place. */
static int add_lowers(struct overlay_layer_place *p, char *list)
{
	size_t n = 0;
	int r = 0;

	for (const char *at = list; *at && r >= 0; at++) {
		if (*at == '\\' && at[1])
			list[n++] = *++at;
		else if (*at != ':')
			list[n++] = *at;
		else {
			r = add_lower(p, list, n);
			n = 0;
		}
	}
	return r < 0 ? r : add_lower(p, list, n);
}

static int take_option(struct overlay_layer_place *p, const char *text, size_t size)
{
	static const char up[] = "upperdir=", low[] = "lowerdir=", more[] = "lowerdir+=";
	CLEANUP_FREE char *plain = size < OVERLAY_LAYER_MOUNTINFO_MAX ? malloc(size + 1) : NULL;
	int n = plain ? unescape(text, size, plain) : -ENOMEM;

	if (n < 0)
		return n;
	p->user |= strcmp(plain, "userxattr") == 0;
	if (strncmp(plain, low, strlen(low)) == 0)
		return add_lowers(p, plain + strlen(low));
	if (strncmp(plain, more, strlen(more)) == 0)
		return add_lower(p, plain + strlen(more), strlen(plain) - strlen(more));
	if (strncmp(plain, up, strlen(up)) != 0)
		return 0;
	return snprintf(p->upper, sizeof(p->upper), "%s", plain + strlen(up)) <
			       (int)sizeof(p->upper)
		       ? 0
		       : -EBADMSG;
}

static int take_options(struct overlay_layer_place *p, const char *text, size_t size)
{
	int r = 0;

	for (size_t at = 0; at < size && r >= 0;) {
		const char *end = memchr(text + at, ',', size - at);
		size_t n = end ? (size_t)(end - text) - at : size - at;

		r = take_option(p, text + at, n);
		at += n + 1;
	}
	/* Relative to where the mounter was then. */
	if (p->upper[0] != '/')
		p->upper[0] = 0;
	return r;
}

/* How much of path the mount's point is; 0: path does not lie below it. */
static size_t covers(const char *point, const char *path)
{
	size_t n = strcmp(point, "/") == 0 ? 0 : strlen(point);

	return strncmp(point, path, n) == 0 && path[n] == '/' ? n + 1 : 0;
}

static int take_mount(const struct mountinfo_entry *m, const char *path, size_t covered,
		      struct overlay_layer_place *ret)
{
	const char *front = strcmp(m->root, "/") == 0 ? "" : m->root + 1;

	buf_clear(&ret->lowers);
	ret->n_lowers = 0;
	ret->upper[0] = 0;
	ret->user = false;
	if (snprintf(ret->inside, sizeof(ret->inside), "%s%s%s", front, *front ? "/" : "",
		     path + covered) >= (int)sizeof(ret->inside))
		return -EBADMSG;
	return take_options(ret, m->super, m->super_size);
}

int overlay_layer_find(const char *mountinfo, size_t size, uint32_t dev, const char *path,
		       struct overlay_layer_place *ret)
{
	CLEANUP_FREE struct mountinfo_entry *m = malloc(sizeof(*m));
	size_t best = 0;
	int r = 0;

	memset(ret, 0, sizeof(*ret));
	if (!m)
		return -ENOMEM;
	for (size_t at = 0; at < size && r >= 0;) {
		const char *end = memchr(mountinfo + at, '\n', size - at);
		size_t n = end ? (size_t)(end - mountinfo) - at : size - at;
		struct why why;

		r = mountinfo_parse(mountinfo + at, n, m, &why);
		if (r >= 0 && strcmp(m->fstype, "overlay") == 0 &&
		    (m->major << 20 | m->minor) == dev && covers(m->point, path) >= best &&
		    covers(m->point, path) > 0) {
			/* Of two at one point the later one lies above. */
			best = covers(m->point, path);
			r = take_mount(m, path, best, ret);
		}
		at += n + 1;
	}
	if (r >= 0 && best == 0)
		r = -ENOENT;
	if (r < 0)
		buf_done(&ret->lowers);
	return r;
}

/* Looking. */

enum seen { SEEN_NONE, SEEN_SAME, SEEN_OTHER };

static int open_in(int dir, const char *path, uint64_t flags, uint64_t resolve)
{
	const struct open_how how = {.flags = flags | O_PATH | O_CLOEXEC, .resolve = resolve};

	return (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

/* A layer's directory may be written by the container while we look: nothing in it leads out of it. */
static enum seen look(int root, const char *layer, const char *inside,
		      const struct plumb_file *file)
{
	CLEANUP_CLOSE int dir =
		open_in(root, layer, O_DIRECTORY, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
	CLEANUP_CLOSE int fd = -1;
	struct stat st;

	if (dir < 0)
		return SEEN_OTHER;
	fd = open_in(dir, inside, O_NOFOLLOW, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? SEEN_NONE : SEEN_OTHER;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != file->file_size ||
	    (uint64_t)st.st_ctim.tv_sec * NS + (uint64_t)st.st_ctim.tv_nsec != file->ctime_ns)
		return SEEN_OTHER;
	return SEEN_SAME;
}

static const char *look_in_all(struct overlay_layer *o, const struct overlay_layer_place *p,
			       const struct plumb_file *file)
{
	CLEANUP_CLOSE int root = open(o->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	enum seen seen;

	if (root < 0)
		return unknown;
	/* Without an upper directory nothing can be written. */
	seen = p->upper[0] ? look(root, p->upper, p->inside, file) : SEEN_NONE;
	if (seen != SEEN_NONE)
		return seen == SEEN_SAME ? upper : unknown;
	/* One that is in no layer any more may have been in the upper one. */
	for (size_t at = 0; at < p->lowers.size;) {
		const char *lower = (const char *)p->lowers.data + at;

		seen = *lower == '/' ? look(root, lower, p->inside, file) : SEEN_OTHER;
		if (seen != SEEN_NONE)
			return seen == SEEN_SAME ? image : unknown;
		at += strlen(lower) + 1;
	}
	return unknown;
}

static struct place *place_of(struct overlay_layer *o, uint32_t mnt_ns)
{
	for (uint32_t i = 0; i < PLACES; i++)
		if (o->places[i].mnt_ns == mnt_ns)
			return &o->places[i];
	return NULL;
}

/* As the process sees it, or the last one of its mount namespace did. NULL: neither. */
static const struct place *read_place(struct overlay_layer *o, const struct plumb_task *t)
{
	CLEANUP(buf_done) struct buf text = {0};
	struct place *p = place_of(o, t->mnt_ns);
	char name[64];
	char *copy;

	snprintf(name, sizeof(name), "/proc/%u/mountinfo", t->pid);
	if (t->mnt_ns == 0 ||
	    fsio_read_file(fsio_system(), name, OVERLAY_LAYER_MOUNTINFO_MAX, &text) < 0 ||
	    text.size == 0)
		return p;
	copy = malloc(text.size);
	if (!copy)
		return p;
	memcpy(copy, text.data, text.size);
	if (!p) {
		p = &o->places[o->oldest];
		o->oldest = (o->oldest + 1) % PLACES;
	}
	free(p->mountinfo);
	p->mnt_ns = t->mnt_ns;
	p->mountinfo = copy;
	p->size = text.size;
	return p;
}

static const char *find_layer(struct overlay_layer *o, const struct plumb_event_exec *e)
{
	const struct place *seen = read_place(o, &e->task);
	CLEANUP_FREE struct overlay_layer_place *p = malloc(sizeof(*p));
	const char *layer;

	/* A record whose path lacks its front, or a process that was never seen. */
	if (!p || !seen || e->path[0] != '/' || e->event.flags & PLUMB_EVENT_PATH_CUT ||
	    overlay_layer_find(seen->mountinfo, seen->size, e->file.dev, e->path, p) < 0)
		return unknown;
	layer = look_in_all(o, p, &e->file);
	buf_done(&p->lowers);
	return layer;
}

const char *overlay_layer_of(struct overlay_layer *o, const struct plumb_event_exec *e)
{
	const struct plumb_file *f = &e->file;
	struct slot *s;

	if (f->fs_magic != OVERLAYFS_SUPER_MAGIC)
		return NULL;
	s = &o->slots[((f->ino ^ f->dev ^ f->ctime_ns) * 0x9e3779b97f4a7c15ull >> 32) % SLOTS];
	if (s->layer && s->ino == f->ino && s->dev == f->dev && s->size == f->file_size &&
	    s->ctime_ns == f->ctime_ns)
		return s->layer;
	*s = (struct slot){f->ino, f->file_size, f->ctime_ns, f->dev, find_layer(o, e)};
	/* What is not known now may be the next time. */
	if (s->layer == unknown) {
		s->layer = NULL;
		return unknown;
	}
	return s->layer;
}

int overlay_layer_open(const char *root, struct overlay_layer **ret)
{
	struct overlay_layer *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	if (!root)
		root = access("/proc/1/root/", X_OK) == 0 ? "/proc/1/root/" : "/";
	o->root = strdup(root);
	if (!o->root) {
		free(o);
		return -ENOMEM;
	}
	*ret = o;
	return 0;
}

struct overlay_layer *overlay_layer_free(struct overlay_layer *o)
{
	if (!o)
		return NULL;
	for (uint32_t i = 0; i < PLACES; i++)
		free(o->places[i].mountinfo);
	free(o->root);
	free(o);
	return NULL;
}
