/* SPDX-License-Identifier: Apache-2.0 */
#include "code_link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "claims.h"
#include "cleanup.h"
#include "served.h"
#include "served_walk.h"

static void proc_path(const struct hash_cache *c, uint32_t pid, const char *name, char ret[512])
{
	snprintf(ret, 512, "%.400s/%u/%s", hash_cache_proc(c), pid, name);
}

static int open_root(const struct hash_cache *c, uint32_t pid)
{
	char path[512];
	int fd;

	proc_path(c, pid, "root", path);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* What the kernel knows: who serves the file, if anybody does, is not asked. */
static bool status_of(int fd, struct statx *ret)
{
	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO, ret) == 0;
}

static int link_text(const struct hash_cache *c, uint32_t pid, const char *name,
		     char ret[PLUMB_PATH_MAX])
{
	char at[512];
	ssize_t n;

	proc_path(c, pid, name, at);
	n = readlink(at, ret, PLUMB_PATH_MAX - 1);
	if (n < 0)
		return -errno;
	ret[n] = '\0';
	return 0;
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

/* Where it stands, below its own root: both are told as from our root, or, in another mount namespace, from that one's. */
static int stands_at(const struct hash_cache *c, uint32_t pid, char ret[PLUMB_PATH_MAX])
{
	char root[PLUMB_PATH_MAX], cwd[PLUMB_PATH_MAX];
	size_t above;
	int r = link_text(c, pid, "root", root);

	if (r >= 0)
		r = link_text(c, pid, "cwd", cwd);
	if (r < 0)
		return r;
	above = strcmp(root, "/") == 0 ? 0 : strlen(root);
	if (strncmp(cwd, root, above) != 0 || (cwd[above] != '/' && cwd[above] != '\0') ||
	    ends_with(cwd, " (deleted)"))
		return -EXDEV;
	memcpy(ret, cwd + above, strlen(cwd + above) + 1);
	return 0;
}

/* The file as an absolute path below the process's root. */
static int absolute(const struct hash_cache *c, uint32_t pid, const char *file, size_t size,
		    char ret[PLUMB_PATH_MAX])
{
	char cwd[PLUMB_PATH_MAX] = "";
	int r = 0;

	if (size == 0 || size >= PLUMB_PATH_MAX)
		return -ENAMETOOLONG;
	if (file[0] != '/')
		r = stands_at(c, pid, cwd);
	if (r < 0)
		return r;
	return snprintf(ret, PLUMB_PATH_MAX, "%s%s%.*s", cwd, file[0] == '/' ? "" : "/", (int)size,
			file) < PLUMB_PATH_MAX
		       ? 0
		       : -ENAMETOOLONG;
}

/* link is of O_PATH: what somebody serves is not opened. */
static int digest_in_words(struct hash_cache *c, const struct served_walk *w, int link,
			   struct buf *ret)
{
	int r = served_check(w->proc, w->pid, link, NULL);
	CLEANUP_CLOSE int fd = r < 0 ? r : served_open(link);
	struct digest d;
	struct stat st;

	r = fd < 0 ? fd : hash_cache_fd_sure(c, fd, &d, &st);
	if (r >= 0)
		return claims_exec_value(&d, ret);
	buf_printf(ret, "unmeasured %s", r == -EREMOTE ? SERVED_WHY : strerrorname_np(-r));
	return buf_status(ret);
}

static int where_it_leads(int fd, char ret[PLUMB_PATH_MAX])
{
	char at[64];
	ssize_t n;

	snprintf(at, sizeof(at), "/proc/self/fd/%d", fd);
	n = readlink(at, ret, PLUMB_PATH_MAX - 1);
	if (n < 0)
		return -errno;
	ret[n] = '\0';
	return 0;
}

/* Nobody can look any more: what is known of it is how it was called. */
static int not_seen(const char *file, size_t size, const char *why, struct code_link *ret)
{
	if (size == 0 || size >= PLUMB_PATH_MAX)
		return 0;
	snprintf(ret->path, sizeof(ret->path), "%.*s", (int)size, file);
	ret->cut = file[0] != '/';
	buf_printf(&ret->found, "unmeasured %s", why);
	return buf_status(&ret->found) < 0 ? buf_status(&ret->found) : 1;
}

static int read_at(struct hash_cache *c, const struct served_walk *w, const char *path, bool any,
		   struct code_link *ret)
{
	CLEANUP_CLOSE int link = served_walk(w, path, false);
	CLEANUP_CLOSE int file = -1;
	struct statx st;
	int r;

	/* Whether it is a link, its server knows. */
	if (link == -EREMOTE)
		return not_seen(path, strlen(path), SERVED_WHY, ret);
	if (link < 0 || !status_of(link, &st) || (!any && !S_ISLNK(st.stx_mode)))
		return 0;
	file = served_walk(w, path, true);
	if (file == -EREMOTE)
		return not_seen(path, strlen(path), SERVED_WHY, ret);
	if (file < 0 || !status_of(file, &st) || !S_ISREG(st.stx_mode))
		return 0;
	r = where_it_leads(file, ret->path);
	if (r >= 0)
		r = digest_in_words(c, w, file, &ret->found);
	return r < 0 ? r : 1;
}

void code_link_done(struct code_link *l)
{
	buf_done(&l->found);
}

int code_link_read(struct hash_cache *c, uint32_t pid, const char *file, size_t size, bool any,
		   struct code_link *ret)
{
	CLEANUP_CLOSE int root = open_root(c, pid);
	const struct served_walk w = {hash_cache_proc(c), pid, root};
	char path[PLUMB_PATH_MAX];
	int r = root < 0 ? root : absolute(c, pid, file, size, path);

	if (r == 0)
		return read_at(c, &w, path, any, ret);
	if (r == -EXDEV)
		return not_seen(file, size, "below another root", ret);
	return any ? not_seen(file, size, "gone before it was read", ret) : 0;
}
