/* SPDX-License-Identifier: Apache-2.0 */
#include "served_walk.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cleanup.h"
#include "served.h"

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20
#endif

#define GO_ON INT_MIN /* none of the kernel's errors */
#define NAME_ONLY (O_PATH | O_NOFOLLOW | O_CLOEXEC)

/* A walk that goes name by name, for it may not leave it to the kernel whom it asks. */
struct steps {
	const struct served_walk *w;
	int dirs[SERVED_WALK_DEPTH]; /* below the root, each in the one before; closed by the walk */
	uint32_t n_dirs, n_links;
	uint64_t own; /* the last mount that was found to be the kernel's own */
	char rest[2 * PATH_MAX]; /* of the path */
};

static int look(int dir, const char *name, uint64_t flags, uint64_t resolve)
{
	const struct open_how how = {.flags = flags, .resolve = resolve | RESOLVE_NO_MAGICLINKS};
	int fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

static int here(const struct steps *s)
{
	return s->n_dirs > 0 ? s->dirs[s->n_dirs - 1] : s->w->root;
}

/* 0; -EREMOTE: its names are somebody else's to tell. */
static int is_own(struct steps *s, int fd)
{
	return served_check(s->w->proc, s->w->pid, fd, &s->own);
}

/*
 * One name in a directory. What a mount covers is held in memory, so to step on to a mount asks nobody: its server is asked for names in it.
 */
static int step(struct steps *s, const char *name)
{
	int fd = look(here(s), name, NAME_ONLY, RESOLVE_NO_XDEV | RESOLVE_CACHED);
	int r;

	if (fd != -EAGAIN && fd != -EINVAL && fd != -EXDEV)
		return fd;
	r = is_own(s, here(s));
	if (r < 0)
		return r;
	fd = look(here(s), name, NAME_ONLY, RESOLVE_NO_XDEV);
	return fd == -EXDEV ? look(here(s), name, NAME_ONLY, 0) : fd;
}

static void up_to(struct steps *s, uint32_t n)
{
	while (s->n_dirs > n)
		close(s->dirs[--s->n_dirs]);
}

/* What /proc/PID/exe and fd/N lead to is not what they say; "self" and "mounts" there are links like others. */
static bool is_magic(int link, const char *text)
{
	struct statfs fs;

	return fstatfs(link, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC &&
	       (!isalnum((unsigned char)text[0]) || strchr(text, ':'));
}

/* The link's text comes before what is left of the path. GO_ON: there. */
static int follow_link(struct steps *s, int link)
{
	char text[2 * PATH_MAX];
	int r = is_own(s, link);
	ssize_t n;

	if (r < 0)
		return r;
	if (++s->n_links > SERVED_WALK_LINKS)
		return -ELOOP;
	n = readlinkat(link, "", text, PATH_MAX);
	if (n <= 0 || n == PATH_MAX)
		return n < 0 ? -errno : -ENAMETOOLONG;
	if ((size_t)n + 1 + strlen(s->rest) >= sizeof(text))
		return -ENAMETOOLONG;
	text[n] = '\0';
	if (is_magic(link, text))
		return -ELOOP;
	text[n] = '/';
	memcpy(text + n + 1, s->rest, strlen(s->rest) + 1);
	memcpy(s->rest, text, strlen(text) + 1);
	if (text[0] == '/')
		up_to(s, 0);
	return GO_ON;
}

static int mode_of(int fd)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0)
		return -errno;
	return st.stx_mode & S_IFMT;
}

static bool is_dots(const char *name)
{
	return !name[0] || strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Nothing is looked up for these: the way back is known. */
static int take_dots(struct steps *s, const char *name, bool last)
{
	int fd;

	if (strcmp(name, "..") == 0 && s->n_dirs > 0)
		up_to(s, s->n_dirs - 1);
	if (!last)
		return GO_ON;
	fd = fcntl(here(s), F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

/* Takes the first name off s->rest. GO_ON; what the path names; -errno. */
static int take_name(struct steps *s, bool follow)
{
	const char *at = s->rest + strspn(s->rest, "/"), *after = at + strcspn(at, "/");
	bool last = after[strspn(after, "/")] == '\0';
	char name[NAME_MAX + 1];
	int fd, mode, r = GO_ON;

	if (after - at > NAME_MAX)
		return -ENAMETOOLONG;
	snprintf(name, sizeof(name), "%.*s", (int)(after - at), at);
	memmove(s->rest, after, strlen(after) + 1);
	if (is_dots(name))
		return take_dots(s, name, last);
	fd = step(s, name);
	if (fd < 0)
		return fd;
	mode = mode_of(fd);
	if (mode == S_IFLNK && (follow || !last)) {
		r = follow_link(s, fd);
	} else if (last) {
		return fd;
	} else if (mode < 0 || s->n_dirs == SERVED_WALK_DEPTH) {
		r = mode < 0 ? mode : -ENAMETOOLONG;
	} else {
		s->dirs[s->n_dirs++] = fd;
		return r;
	}
	close(fd);
	return r;
}

int served_walk_by_steps(const struct served_walk *w, const char *path, bool follow)
{
	CLEANUP_FREE struct steps *s = NULL;
	int r;

	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->w = w;
	memcpy(s->rest, path, strlen(path) + 1);
	do
		r = take_name(s, follow);
	while (r == GO_ON);
	up_to(s, 0);
	return r;
}

int served_walk(const struct served_walk *w, const char *path, bool follow)
{
	int fd = look(w->root, path, O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW),
		      RESOLVE_IN_ROOT | RESOLVE_CACHED);

	return fd == -EAGAIN || fd == -EINVAL ? served_walk_by_steps(w, path, follow) : fd;
}
