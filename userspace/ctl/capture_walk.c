/* SPDX-License-Identifier: Apache-2.0 */
#include "capture_walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "capture_root.h"
#include "claims.h"
#include "claims_attrs.h"
#include "cleanup.h"

/* Directories that are still to be read are a list of paths, so that depth costs no stack and width no memory. */

struct walk {
	struct capture_set *set;
	int root;
	enum capture_set_kind kind;
	struct buf todo; /* path NUL path NUL … */
	dev_t device;
	bool named; /* it is the path that was asked for itself */
	struct why *why;
};

static int fail(struct walk *w, const char *path, int error)
{
	return why_set(w->why, error, "%.200s: %s", path, strerror(-error));
}

static int read_link(const struct walk *w, const char *path, char ret[PATH_MAX])
{
	CLEANUP_CLOSE int fd = capture_root_at(w->root, path, O_PATH | O_NOFOLLOW);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = readlinkat(fd, "", ret, PATH_MAX - 1);
	if (n < 0)
		return -errno;
	ret[n] = 0;
	return 0;
}

/*
 * What a watched file has beside content, mode and owner: a key of its own, as the agent tells it, where there is any. The named path has
 * one in any case: below it the closed prefix says that there is to be none, and it closes nothing about itself.
 */
static int take_attrs(struct walk *w, const char *path, bool named)
{
	CLEANUP(buf_done) struct buf text = {0}, key = {0}, value = {0};
	int r = claims_attrs(-1, path, &text);

	if (r == -ENOENT || r == -ENOTDIR || (r >= 0 && text.size == 0 && !named))
		return 0;
	if (r >= 0)
		r = text.size > 0 ? claims_text_value((const char *)text.data, text.size, &value)
				  : claims_absent(&value);
	if (r >= 0)
		r = buf_status(&value);
	buf_printf(&key, "attr:%s", path);
	if (r >= 0)
		r = buf_status(&key);
	return r < 0 ? r
		     : capture_set_add_text(w->set, (const char *)key.data,
					    (const char *)value.data);
}

static int take(struct walk *w, const char *path, const struct stat *st)
{
	char target[PATH_MAX] = "";
	int r = S_ISLNK(st->st_mode) ? read_link(w, path, target) : 0;

	if (r < 0)
		return r == -ENOENT ? 0 : fail(w, path, r);
	if (w->kind == CAPTURE_SET_FILE ||
	    (S_ISREG(st->st_mode) && (w->kind != CAPTURE_SET_EXEC || (st->st_mode & 0111))))
		r = capture_set_add_path(w->set, w->kind, path, st, target);
	if (r >= 0 && w->kind == CAPTURE_SET_FILE && w->root == CAPTURE_ROOT_HOST)
		r = take_attrs(w, path, w->named);
	if (r >= 0 && S_ISDIR(st->st_mode) && st->st_dev == w->device) {
		buf_put(&w->todo, path, strlen(path) + 1);
		r = buf_status(&w->todo);
	}
	return r < 0 ? fail(w, path, r) : 0;
}

static int take_entry(struct walk *w, int dir_fd, const char *dir, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return 0;
	if (snprintf(path, sizeof(path), "%s/%s", strcmp(dir, "/") == 0 ? "" : dir, name) >=
	    (int)sizeof(path))
		return fail(w, dir, -ENAMETOOLONG);
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : fail(w, path, -errno);
	return take(w, path, &st);
}

static int read_directory(struct walk *w, const char *path)
{
	int fd = capture_root_at(w->root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW), r = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		r = fd < 0 ? fd : -errno;
		if (fd >= 0)
			close(fd);
		return r == -ENOENT ? 0 : fail(w, path, r);
	}
	while (r >= 0) {
		struct dirent *e;

		errno = 0;
		e = readdir(dir);
		if (!e)
			break;
		r = take_entry(w, fd, path, e->d_name);
	}
	if (r >= 0 && errno != 0)
		r = fail(w, path, -errno);
	closedir(dir);
	return r;
}

static int walk(struct walk *w, const char *top, const struct stat *st)
{
	int r;

	w->device = st->st_dev;
	w->named = true;
	r = take(w, top, st);
	w->named = false;

	for (size_t at = 0; at < w->todo.size && r >= 0;) {
		/* The list moves while it grows. */
		CLEANUP_FREE char *path = strdup((char *)w->todo.data + at);

		if (!path)
			r = -ENOMEM;
		else
			r = read_directory(w, path);
		at += path ? strlen(path) + 1 : 0;
	}
	buf_done(&w->todo);
	return r;
}

static int look(int root, const char *path, struct stat *ret)
{
	CLEANUP_CLOSE int fd = capture_root_at(root, path, O_PATH | O_NOFOLLOW);

	return fd < 0 ? fd : fstat(fd, ret) < 0 ? -errno : 0;
}

/* What counts by its content: the path may lead there by links, as /bin is /usr/bin. */
static int walk_digests(struct walk w, const char *path)
{
	char real[PATH_MAX];
	struct stat st;
	int r = capture_root_real(w.root, path, real);

	if (r >= 0)
		r = look(w.root, real, &st);
	if (r < 0)
		return fail(&w, path, r);
	if (!S_ISDIR(st.st_mode) &&
	    (!S_ISREG(st.st_mode) || (w.kind == CAPTURE_SET_EXEC && !(st.st_mode & 0111))))
		return why_set(w.why, -EINVAL, "%.200s: neither directory nor %s", path,
			       w.kind == CAPTURE_SET_EXEC ? "executable" : "file");
	return walk(&w, real, &st);
}

int capture_walk_exec(struct capture_set *set, int root, const char *path, struct why *ret_why)
{
	return walk_digests(
		(struct walk){.set = set, .root = root, .kind = CAPTURE_SET_EXEC, .why = ret_why},
		path);
}

int capture_walk_code(struct capture_set *set, int root, const char *path, struct why *ret_why)
{
	return walk_digests(
		(struct walk){.set = set, .root = root, .kind = CAPTURE_SET_CODE, .why = ret_why},
		path);
}

int capture_walk_load(struct capture_set *set, const char *path, struct why *ret_why)
{
	return walk_digests((struct walk){.set = set,
					  .root = CAPTURE_ROOT_HOST,
					  .kind = CAPTURE_SET_LOAD,
					  .why = ret_why},
			    path);
}

int capture_walk_plain(const char *path, struct why *ret_why)
{
	size_t n = strlen(path);

	if (path[0] != '/' || n >= PATH_MAX || (n > 1 && path[n - 1] == '/') ||
	    strstr(path, "//") || strstr(path, "/../") || strstr(path, "/./"))
		return why_set(ret_why, -EINVAL,
			       "%.200s: must be absolute and plain (no //, . or ..)", path);
	return 0;
}

int capture_walk_file(struct capture_set *set, int root, const char *path, bool *ret_directory,
		      struct why *ret_why)
{
	struct walk w = {.set = set, .root = root, .kind = CAPTURE_SET_FILE, .why = ret_why};
	struct stat st;
	int r = capture_walk_plain(path, ret_why);

	*ret_directory = false;
	if (r < 0)
		return r;
	r = look(root, path, &st);
	if (r == -ENOENT || r == -ENOTDIR)
		return capture_set_add_absent(set, path);
	if (r < 0)
		return fail(&w, path, r);
	*ret_directory = S_ISDIR(st.st_mode);
	return walk(&w, path, &st);
}
