/* SPDX-License-Identifier: Apache-2.0 */
#include "capture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture_file.h"
#include "claims_host.h"
#include "cleanup.h"
#include "clock.h"
#include "digest.h"
#include "jsonl.h"
#include "plumb/wire.h"

/* Walking. Directories that are still to be read are a list of paths, so that depth costs no stack and width no memory. */

struct walk {
	struct capture_set *set;
	enum capture_set_kind kind;
	struct buf todo; /* path NUL path NUL … */
	dev_t device;
	struct why *why;
};

static int fail(struct walk *w, const char *path, int error)
{
	return why_set(w->why, error, "%.200s: %s", path, strerror(-error));
}

static int take(struct walk *w, const char *path, const struct stat *st)
{
	char target[PATH_MAX] = "";
	ssize_t n = 0;
	int r = 0;

	if (S_ISLNK(st->st_mode))
		n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return errno == ENOENT ? 0 : fail(w, path, -errno);
	target[n] = 0;
	if (w->kind == CAPTURE_SET_FILE || (S_ISREG(st->st_mode) && (st->st_mode & 0111)))
		r = capture_set_add_path(w->set, w->kind, path, st, target);
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
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		r = -errno;
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

static int walk(struct capture_set *set, enum capture_set_kind kind, const char *root,
		const struct stat *st, struct why *ret_why)
{
	struct walk w = {.set = set, .kind = kind, .device = st->st_dev, .why = ret_why};
	int r = take(&w, root, st);

	for (size_t at = 0; at < w.todo.size && r >= 0;) {
		/* The list moves while it grows. */
		CLEANUP_FREE char *path = strdup((char *)w.todo.data + at);

		if (!path)
			r = -ENOMEM;
		else
			r = read_directory(&w, path);
		at += path ? strlen(path) + 1 : 0;
	}
	buf_done(&w.todo);
	return r;
}

/* Programs count by their content, so the path may lead there by links: /bin is /usr/bin. */
static int walk_exec(struct capture_set *set, const char *root, struct why *ret_why)
{
	CLEANUP_FREE char *path = realpath(root, NULL);
	struct stat st;

	if (!path || lstat(path, &st) < 0)
		return why_set(ret_why, -errno, "%.200s: %s", root, strerror(errno));
	if (!S_ISDIR(st.st_mode) && !(S_ISREG(st.st_mode) && (st.st_mode & 0111)))
		return why_set(ret_why, -EINVAL, "%.200s: neither directory nor executable", root);
	return walk(set, CAPTURE_SET_EXEC, path, &st, ret_why);
}

/* Watched paths are taken as the agent takes them. ret_directory: its prefix is to be closed. */
static int walk_file(struct capture_set *set, const char *root, bool *ret_directory,
		     struct why *ret_why)
{
	size_t n = strlen(root);
	struct stat st;

	*ret_directory = false;
	if (root[0] != '/' || n >= PATH_MAX || (n > 1 && root[n - 1] == '/') ||
	    strstr(root, "//") || strstr(root, "/../") || strstr(root, "/./"))
		return why_set(ret_why, -EINVAL,
			       "%.200s: must be absolute and plain (no //, . or ..)", root);
	if (lstat(root, &st) == 0) {
		*ret_directory = S_ISDIR(st.st_mode);
		return walk(set, CAPTURE_SET_FILE, root, &st, ret_why);
	}
	if (errno != ENOENT && errno != ENOTDIR)
		return why_set(ret_why, -errno, "%.200s: %s", root, strerror(errno));
	return capture_set_add_absent(set, root);
}

/* Claims. */

struct claims {
	struct capture_set *set;
	bool only_modules;
};

static int put_claim(void *ctx, const char *key, const char *value)
{
	const struct claims *c = ctx;

	/* What could not be read now cannot be expected later. */
	if (strncmp(value, "unknown ", 8) == 0 ||
	    (c->only_modules && strncmp(key, "module:", 7) != 0 &&
	     strcmp(key, "boot:modules") != 0))
		return 0;
	return capture_set_add_text(c->set, key, value);
}

static int take_claims(struct capture_set *set, const struct capture_options *o,
		       struct why *ret_why)
{
	struct claims c = {.set = set};
	const struct claims_host host = {
		.proc = o->proc, .sys = o->sys, .put = put_claim, .ctx = &c};
	bool whole = false;
	int r = 0;

	if (o->claims)
		r = claims_host_boot(&host);
	if (r >= 0 && o->claims)
		r = claims_host_sysctls(&host);
	if (r >= 0 && o->claims)
		r = claims_host_microcode(&host);
	c.only_modules = true;
	if (r >= 0 && o->modules)
		r = claims_host_modules(&host, &whole);
	if (r >= 0 && o->modules && !whole)
		return why_set(ret_why, -ENOENT,
			       "the list of loaded kernel modules (/proc/modules) cannot be read: "
			       "run it on the node itself, "
			       "where /proc is not masked, or leave --modules out");
	return r < 0 ? why_set(ret_why, r, "claims: %s", strerror(-r)) : 0;
}

/* Writing. Entries are made twice, once for their digest and once for the file: they never lie in memory all at once. */

struct writing {
	struct buf line;
	struct digest_stream *digest;
	struct capture_file *file;
	uint64_t count;
};

static int write_entry(void *ctx, const char *key, const char *value)
{
	struct writing *w = ctx;
	struct jsonl j;
	int r;

	buf_clear(&w->line);
	jsonl_begin(&j, &w->line);
	jsonl_str(&j, "s", "host");
	jsonl_path(&j, "k", key);
	jsonl_path(&j, "x", value);
	jsonl_end(&j);
	buf_puts(&w->line, "\n");
	r = buf_status(&w->line);
	if (r < 0)
		return r;
	w->count++;
	return w->file ? capture_file_put(w->file, w->line.data, w->line.size)
		       : digest_stream_add(w->digest, w->line.data, w->line.size);
}

static int write_header(const struct capture_options *o, const bool *directories,
			const struct digest *body, uint64_t count, struct buf *ret)
{
	char now[CLOCK_TEXT_SIZE];
	struct jsonl j;

	clock_text(clock_utc_ns(clock_system()), now);
	jsonl_begin(&j, ret);
	jsonl_uint(&j, "v", 1);
	jsonl_str(&j, "name", o->name);
	jsonl_uint(&j, "version", o->version);
	jsonl_str(&j, "created", now);
	jsonl_uint(&j, "count", count);
	jsonl_hex(&j, "sha256", body->bytes, DIGEST_SIZE);
	jsonl_array(&j, "scopes");
	jsonl_str(&j, NULL, "host");
	jsonl_close(&j);
	jsonl_array(&j, "closed");
	if (o->n_exec)
		jsonl_str(&j, NULL, "exec:");
	for (uint32_t i = 0; i < o->n_files; i++) {
		CLEANUP(buf_done) struct buf prefix = {0};

		if (!directories[i])
			continue;
		buf_printf(&prefix, "file:%s%s", o->files[i],
			   strcmp(o->files[i], "/") == 0 ? "" : "/");
		if (buf_status(&prefix) < 0)
			return -ENOMEM;
		jsonl_str(&j, NULL, (char *)prefix.data);
	}
	if (o->modules)
		jsonl_str(&j, NULL, "module:");
	jsonl_close(&j);
	jsonl_end(&j);
	return buf_status(ret);
}

/* A DSSE envelope that nobody has signed yet, and LF. */
static int write_unsigned(const struct buf *header, struct buf *ret)
{
	struct jsonl j;

	jsonl_begin(&j, ret);
	jsonl_base64(&j, "payload", header->data, header->size);
	jsonl_str(&j, "payloadType", WIRE_DSSE_BASELINE);
	jsonl_array(&j, "signatures");
	jsonl_close(&j);
	jsonl_end(&j);
	buf_puts(ret, "\n");
	return buf_status(ret);
}

static int write_document(const struct fsio *io, const char *path, const struct buf *line,
			  struct capture_set *set, struct writing *w)
{
	int r = capture_file_open(io, path, &w->file);

	if (r < 0)
		return r;
	r = capture_file_put(w->file, line->data, line->size);
	if (r >= 0)
		r = capture_set_each(set, write_entry, w);
	if (r < 0)
		capture_file_abandon(w->file);
	else
		r = capture_file_commit(w->file);
	w->file = NULL;
	return r;
}

static int write_all(const struct fsio *io, const struct capture_options *o, const char *path,
		     const bool *directories, struct capture_set *set, uint64_t *ret_count,
		     struct why *ret_why)
{
	CLEANUP(buf_done) struct buf header = {0}, line = {0};
	struct writing w = {.count = 0};
	struct digest body;
	int r = digest_stream_open(&w.digest);

	if (r >= 0)
		r = capture_set_each(set, write_entry, &w);
	if (r >= 0)
		r = digest_stream_end(w.digest, &body);
	digest_stream_free(w.digest);
	*ret_count = w.count;
	if (r >= 0 && w.count == 0)
		r = why_set(ret_why, -ENOENT, "nothing was found to capture");
	else if (r >= 0) {
		r = write_header(o, directories, &body, w.count, &header);
		if (r >= 0)
			r = write_unsigned(&header, &line);
		if (r >= 0)
			r = write_document(io, path, &line, set, &w);
		if (r < 0)
			why_set(ret_why, r, "%.200s: %s", path, strerror(-r));
	}
	buf_done(&w.line);
	return r;
}

int capture_make(const struct fsio *io, const struct capture_options *o, const char *path,
		 uint64_t *ret_count, struct why *ret_why)
{
	CLEANUP_FREE bool *directories = calloc(o->n_files + 1, sizeof(*directories));
	struct capture_set *set = NULL;
	int r = directories ? capture_set_open(&set) : -ENOMEM;

	for (uint32_t i = 0; i < o->n_exec && r >= 0; i++)
		r = walk_exec(set, o->exec[i], ret_why);
	for (uint32_t i = 0; i < o->n_files && r >= 0; i++)
		r = walk_file(set, o->files[i], &directories[i], ret_why);
	if (r >= 0)
		r = take_claims(set, o, ret_why);
	if (r >= 0)
		r = capture_set_hash(set, o->n_threads, &o->progress, ret_why);
	if (r >= 0)
		r = write_all(io, o, path, directories, set, ret_count, ret_why);
	capture_set_free(set);
	return r;
}
