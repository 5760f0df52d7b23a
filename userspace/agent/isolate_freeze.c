/* SPDX-License-Identifier: Apache-2.0 */
#include "isolate_freeze.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroups.h"
#include "cleanup.h"

static bool is_within(const char *path, const char *top)
{
	size_t n = strlen(top);

	return strncmp(path, top, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

/* Would it stop a process that must go on? Who cannot be looked at might be in it. */
static bool holds(uint32_t pid, const char *top)
{
	char path[CONTAINER_PATH_MAX];

	return cgroups_v2_path(pid, path) < 0 || is_within(path, top);
}

static int write_state(const struct isolate_freeze *f, const char *cgroup, const char *value)
{
	char path[PATH_MAX];
	int fd, r = 0;

	if (snprintf(path, sizeof(path), "%s%s/cgroup.freeze", f->root, cgroup) >=
	    (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, value, 1) != 1)
		r = -errno;
	close(fd);
	return r;
}

/* By somebody else, who may have his reasons: it is not ours to thaw. */
static bool is_frozen(const struct isolate_freeze *f, const char *cgroup)
{
	char path[PATH_MAX], value = '0';
	int fd;

	if (snprintf(path, sizeof(path), "%s%s/cgroup.freeze", f->root, cgroup) >=
	    (int)sizeof(path))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, &value, 1) != 1)
		value = '0';
	close(fd);
	return value == '1';
}

static bool is_noted(const struct isolate_state *s, const char *cgroup)
{
	for (uint32_t i = 0; i < s->n_frozen; i++)
		if (strcmp(s->frozen[i], cgroup) == 0)
			return true;
	return false;
}

static int freeze(const struct isolate_freeze *f, const char *cgroup, struct isolate_state *s,
		  struct why *ret_why)
{
	uint32_t own = f->own ? f->own : (uint32_t)getpid();
	int r;

	if (cgroup[0] != '/' || strlen(cgroup) < 2 || cgroup[strlen(cgroup) - 1] == '/' ||
	    strstr(cgroup, "/..") || strlen(cgroup) >= ISOLATE_STATE_MAX_CGROUP)
		return why_set(ret_why, -EINVAL, "%.100s is no cgroup below the root", cgroup);
	if (holds(own, cgroup) || holds(1, cgroup))
		return why_set(ret_why, -EPERM, "%.100s holds the agent, or process 1", cgroup);
	if (!is_noted(s, cgroup) && s->n_frozen == ISOLATE_STATE_MAX_FROZEN)
		return why_set(ret_why, -E2BIG, "more than %u cgroups", ISOLATE_STATE_MAX_FROZEN);
	if (!is_noted(s, cgroup) && is_frozen(f, cgroup))
		return 0;
	r = write_state(f, cgroup, "1");
	if (r == -ENOENT)
		return r;
	if (r < 0)
		return why_set(ret_why, r, "%.100s: %s", cgroup, strerror(-r));
	if (!is_noted(s, cgroup))
		snprintf(s->frozen[s->n_frozen++], ISOLATE_STATE_MAX_CGROUP, "%s", cgroup);
	return 0;
}

int isolate_freeze_begin(void *ctx, struct isolate_state *s, struct why *ret_why)
{
	static const char *const usual[] = {"/kubepods.slice", "/kubepods"};
	const struct isolate_freeze *f = ctx;
	const char *const *names = f->n_named ? f->named : usual;
	uint32_t n = f->n_named ? f->n_named : ARRAY_SIZE(usual), n_done = 0;
	int r = 0, one;

	if (!f->root)
		return why_set(ret_why, -ENOTSUP, "there is no cgroup v2");
	for (uint32_t i = 0; i < n; i++) {
		one = freeze(f, names[i], s, ret_why);
		n_done += one >= 0;
		/* What is named must be there; of kubelet's names it has one. */
		if (one == -ENOENT && f->n_named)
			one = why_set(ret_why, one, "%.100s: there is no such cgroup", names[i]);
		r = one < 0 && (one != -ENOENT || f->n_named) ? one : r;
	}
	if (r >= 0 && n_done == 0)
		return why_set(ret_why, -ENOENT, "there are no pods' cgroups");
	return r;
}

int isolate_freeze_end(void *ctx, const struct isolate_state *s, struct why *ret_why)
{
	const struct isolate_freeze *f = ctx;
	int r = 0, one;

	if (!f->root && s->n_frozen > 0)
		return why_set(ret_why, -ENOTSUP, "there is no cgroup v2");
	for (uint32_t i = 0; i < s->n_frozen; i++) {
		one = write_state(f, s->frozen[i], "0");
		if (one < 0 && one != -ENOENT)
			r = why_set(ret_why, one, "%.100s: %s", s->frozen[i], strerror(-one));
	}
	return r;
}
