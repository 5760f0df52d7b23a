/* SPDX-License-Identifier: Apache-2.0 */
#include "code_link.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "claims.h"
#include "cleanup.h"

static int open_dir(uint32_t pid, const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/%s", pid, name);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* An absolute link leads from the process's root, not from ours. */
static int open_in(int root, const char *path, uint64_t flags)
{
	const struct open_how how = {.flags = flags | O_CLOEXEC,
				     .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

static bool same_root(int root)
{
	struct stat ours, theirs;

	return stat("/", &ours) == 0 && fstat(root, &theirs) == 0 && ours.st_dev == theirs.st_dev &&
	       ours.st_ino == theirs.st_ino;
}

/* The file as an absolute path below the process's root. */
static int absolute(uint32_t pid, int root, const char *file, size_t size, char ret[PLUMB_PATH_MAX])
{
	char at[64], cwd[PLUMB_PATH_MAX] = "";
	ssize_t n;

	if (size == 0 || size >= PLUMB_PATH_MAX)
		return -ENAMETOOLONG;
	if (file[0] != '/') {
		if (!same_root(root))
			return -EXDEV;
		snprintf(at, sizeof(at), "/proc/%u/cwd", pid);
		n = readlink(at, cwd, sizeof(cwd) - 1);
		if (n < 0)
			return -errno;
		cwd[n] = '\0';
	}
	return snprintf(ret, PLUMB_PATH_MAX, "%s%s%.*s", cwd, file[0] == '/' ? "" : "/", (int)size,
			file) < PLUMB_PATH_MAX
		       ? 0
		       : -ENAMETOOLONG;
}

static int digest_in_words(struct hash_cache *c, int fd, struct buf *ret)
{
	struct digest d;
	struct stat st;
	int r = hash_cache_fd(c, fd, &d, &st);

	if (r >= 0)
		return claims_exec_value(&d, ret);
	buf_printf(ret, "unmeasured %s", strerrorname_np(-r));
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

static int read_at(struct hash_cache *c, int root, const char *path, bool any,
		   struct code_link *ret)
{
	CLEANUP_CLOSE int link = open_in(root, path, O_PATH | O_NOFOLLOW);
	CLEANUP_CLOSE int fd = -1;
	struct stat st;
	int r;

	if (link < 0 || fstat(link, &st) < 0 || (!any && !S_ISLNK(st.st_mode)))
		return 0;
	fd = open_in(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	r = where_it_leads(fd, ret->path);
	if (r >= 0)
		r = digest_in_words(c, fd, &ret->found);
	return r < 0 ? r : 1;
}

void code_link_done(struct code_link *l)
{
	buf_done(&l->found);
}

int code_link_read(struct hash_cache *c, uint32_t pid, const char *file, size_t size, bool any,
		   struct code_link *ret)
{
	CLEANUP_CLOSE int root = open_dir(pid, "root");
	char path[PLUMB_PATH_MAX];
	int r = root < 0 ? root : absolute(pid, root, file, size, path);

	if (r == 0)
		return read_at(c, root, path, any, ret);
	if (!any)
		return 0;
	return not_seen(file, size, r == -EXDEV ? "below another root" : "gone before it was read",
			ret);
}
