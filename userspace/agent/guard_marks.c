/* SPDX-License-Identifier: Apache-2.0 */
#include "guard_marks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cleanup.h"
#include "plumb/event.h"

struct held {
	int fd;
	uint32_t dev;
	uint64_t ino;
	char *path;
};

struct guard_marks {
	struct guard_marks_options o;
	struct held held[GUARD_MARKS_MAX];
	uint32_t n;
};

static uint32_t kernel_dev(dev_t dev)
{
	return major(dev) << 20 | minor(dev);
}

/* Takes fd. What is held stays so: it may be marked again, as when the agent is moved to and fro between cgroups. */
static int hold(struct guard_marks *m, int fd, const struct stat *st, const char *path)
{
	struct held *h = &m->held[m->n];

	if (guard_marks_path(m, kernel_dev(st->st_dev), st->st_ino)) {
		close(fd);
		return 0;
	}
	if (m->n < GUARD_MARKS_MAX) {
		*h = (struct held){fd, kernel_dev(st->st_dev), st->st_ino, strdup(path)};
		if (h->path) {
			m->n++;
			return 0;
		}
	}
	close(fd);
	return m->n == GUARD_MARKS_MAX ? -ENOSPC : -ENOMEM;
}

static int mark_one(struct guard_marks *m, const char *path, uint32_t mark, bool keep)
{
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC), r;
	struct stat st;

	if (fd < 0)
		return -errno;
	r = fstat(fd, &st) < 0 ? -errno : m->o.mark(m->o.ctx, fd, mark);
	if (r >= 0 && keep)
		return hold(m, fd, &st, path);
	close(fd);
	return r;
}

static int mark_tree(struct guard_marks *m, const char *path, int depth)
{
	int r = mark_one(m, path, PLUMB_MARK_GUARD | PLUMB_MARK_GUARD_DIR, true), one;
	struct dirent *e;
	DIR *d;

	/* First the directory: what comes into it meanwhile is marked by the kernel. */
	d = r < 0 ? NULL : opendir(path);
	if (!d)
		return r < 0 ? r : -errno;
	while ((e = readdir(d))) {
		char below[PATH_MAX];

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (snprintf(below, sizeof(below), "%s/%s", path, e->d_name) >= (int)sizeof(below))
			one = -ENAMETOOLONG;
		else if (e->d_type == DT_DIR)
			one = depth > 0 ? mark_tree(m, below, depth - 1) : -ELOOP;
		else
			one = mark_one(m, below, PLUMB_MARK_GUARD, false);
		/* One that is gone by now is nobody's. */
		if (one < 0 && one != -ENOENT && r >= 0)
			r = one;
	}
	closedir(d);
	return r;
}

int guard_marks_add(struct guard_marks *m, const char *path)
{
	char real[PATH_MAX], link[64];
	int fd = open(path, O_PATH | O_CLOEXEC), r = 0;
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		r = -errno;
	if (r >= 0 && S_ISDIR(st.st_mode)) {
		close(fd);
		return realpath(path, real) ? mark_tree(m, real, GUARD_MARKS_DEPTH) : -errno;
	}
	/* The file itself: the program that runs may lie in another mount namespace, where its name is another's here. */
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = r < 0 ? -1 : readlink(link, real, sizeof(real) - 1);
	if (n > 0)
		real[n] = '\0';
	if (r >= 0)
		r = n > 0 ? m->o.mark(m->o.ctx, fd, PLUMB_MARK_GUARD) : -EIO;
	if (r >= 0)
		return hold(m, fd, &st, real);
	close(fd);
	return r;
}

static int mark_controls(struct guard_marks *m, const char *dir)
{
	static const struct {
		const char *name;
		uint32_t mark;
	} files[] = {
		{"cgroup.freeze", PLUMB_MARK_GUARD_CGROUP},
		{"cgroup.kill", PLUMB_MARK_GUARD_CGROUP},
		{"cpu.max", PLUMB_MARK_GUARD_LIMIT},
		{"cpu.weight", PLUMB_MARK_GUARD_LIMIT},
		{"cpu.idle", PLUMB_MARK_GUARD_LIMIT},
		{"cpuset.cpus", PLUMB_MARK_GUARD_LIMIT},
		{"memory.max", PLUMB_MARK_GUARD_LIMIT},
		{"memory.high", PLUMB_MARK_GUARD_LIMIT},
		{"io.max", PLUMB_MARK_GUARD_LIMIT},
		{"pids.max", PLUMB_MARK_GUARD_LIMIT},
		/* Of v1. */
		{"freezer.state", PLUMB_MARK_GUARD_CGROUP},
		{"cpu.cfs_quota_us", PLUMB_MARK_GUARD_LIMIT},
		{"cpu.cfs_period_us", PLUMB_MARK_GUARD_LIMIT},
		{"cpu.shares", PLUMB_MARK_GUARD_LIMIT},
		{"memory.limit_in_bytes", PLUMB_MARK_GUARD_LIMIT},
		{"memory.memsw.limit_in_bytes", PLUMB_MARK_GUARD_LIMIT},
		{"blkio.throttle.read_bps_device", PLUMB_MARK_GUARD_LIMIT},
		{"blkio.throttle.write_bps_device", PLUMB_MARK_GUARD_LIMIT},
		{"blkio.throttle.read_iops_device", PLUMB_MARK_GUARD_LIMIT},
		{"blkio.throttle.write_iops_device", PLUMB_MARK_GUARD_LIMIT},
		{"devices.deny", PLUMB_MARK_GUARD_LIMIT},
	};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(files); i++) {
		char path[PATH_MAX];
		int one;

		if (snprintf(path, sizeof(path), "%s/%s", dir, files[i].name) >= (int)sizeof(path))
			return -ENAMETOOLONG;
		one = mark_one(m, path, files[i].mark, true);
		r = one == -ENOENT ? r : one;
	}
	return r;
}

int guard_marks_cgroup(struct guard_marks *m, const char *root, const char *path, bool v2)
{
	char dir[PATH_MAX];
	size_t top = strlen(root);
	struct stat st;
	int r = 0;

	if (snprintf(dir, sizeof(dir), "%s%s", root, path) >= (int)sizeof(dir))
		return -ENAMETOOLONG;
	while (r >= 0 && strlen(dir) > top + 1) {
		if (v2)
			r = stat(dir, &st) < 0 ? -errno : m->o.cgroup(m->o.ctx, st.st_ino);
		if (r >= 0)
			r = mark_controls(m, dir);
		*strrchr(dir, '/') = '\0';
	}
	return r;
}

const char *guard_marks_path(const struct guard_marks *m, uint32_t dev, uint64_t ino)
{
	for (uint32_t i = m->n; i > 0; i--)
		if (m->held[i - 1].ino == ino && m->held[i - 1].dev == dev)
			return m->held[i - 1].path;
	return NULL;
}

int guard_marks_open(const struct guard_marks_options *o, struct guard_marks **ret)
{
	struct guard_marks *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->o = *o;
	*ret = m;
	return 0;
}

struct guard_marks *guard_marks_free(struct guard_marks *m)
{
	if (!m)
		return NULL;
	for (uint32_t i = 0; i < m->n; i++) {
		close(m->held[i].fd);
		free(m->held[i].path);
	}
	free(m);
	return NULL;
}
