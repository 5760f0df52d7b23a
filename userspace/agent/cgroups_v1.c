/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups_v1.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "container_path.h"
#include "mountinfo.h"

/* A line of /proc/PID/cgroup: "4:cpu,cpuacct:/a/b". */
struct place {
	const char *controllers; /* borrowed */
	size_t n_controllers;
	char path[CONTAINER_PATH_MAX];
};

/* 1: of v1; 0: v2's, or one that no controller is in; -EBADMSG. */
static int take_line(const char *text, size_t size, struct place *ret)
{
	const char *first = memchr(text, ':', size), *second;
	size_t n;

	second = first ? memchr(first + 1, ':', size - (size_t)(first + 1 - text)) : NULL;
	if (!second || first == text)
		return -EBADMSG;
	ret->controllers = first + 1;
	ret->n_controllers = (size_t)(second - first - 1);
	n = size - (size_t)(second + 1 - text);
	if (n == 0 || second[1] != '/' || n >= sizeof(ret->path) || memchr(second + 1, 0, n))
		return -EBADMSG;
	memcpy(ret->path, second + 1, n);
	ret->path[n] = '\0';
	return ret->n_controllers > 0 && memchr(ret->controllers, '=', ret->n_controllers) == NULL;
}

/* Is the first controller of the hierarchy a word of the mount's options? One controller is in one hierarchy. */
static bool is_of(const struct mountinfo_entry *m, const struct place *p)
{
	const char *comma = memchr(p->controllers, ',', p->n_controllers);
	size_t n = comma ? (size_t)(comma - p->controllers) : p->n_controllers;

	for (size_t at = 0; at < m->super_size;) {
		const char *end = memchr(m->super + at, ',', m->super_size - at);
		size_t word = (end ? (size_t)(end - m->super) : m->super_size) - at;

		if (word == n && memcmp(m->super + at, p->controllers, n) == 0)
			return true;
		at += word + 1;
	}
	return false;
}

/* What is left of path below root; NULL: it lies elsewhere. */
static const char *below(const char *path, const char *root)
{
	size_t n = strcmp(root, "/") == 0 ? 0 : strlen(root);

	if (strncmp(path, root, n) != 0 || (path[n] != '/' && path[n] != '\0'))
		return NULL;
	return path[n] ? path + n : "/";
}

/* The first mount that has it. ret->point and the result are as in fn. */
static const char *find(const char *mountinfo, size_t size, const struct place *p,
			struct mountinfo_entry *ret, int *ret_r)
{
	struct why why;

	for (size_t at = 0; at < size;) {
		const char *end = memchr(mountinfo + at, '\n', size - at), *path;
		size_t n = (end ? (size_t)(end - mountinfo) : size) - at;

		*ret_r = mountinfo_parse(mountinfo + at, n, ret, &why);
		if (*ret_r < 0)
			return NULL;
		path = strcmp(ret->fstype, "cgroup") == 0 && is_of(ret, p)
			       ? below(p->path, ret->root)
			       : NULL;
		if (path)
			return path;
		at += n + 1;
	}
	return NULL;
}

int cgroups_v1_each(const char *cgroup, size_t cgroup_size, const char *mountinfo,
		    size_t mountinfo_size,
		    void (*fn)(void *ctx, const char *root, const char *path), void *ctx)
{
	CLEANUP_FREE struct mountinfo_entry *m = malloc(sizeof(*m));
	CLEANUP_FREE struct place *p = malloc(sizeof(*p));
	int r = m && p ? 0 : -ENOMEM, given = 0;

	for (size_t at = 0; at < cgroup_size && r >= 0;) {
		const char *end = memchr(cgroup + at, '\n', cgroup_size - at), *path;
		size_t n = (end ? (size_t)(end - cgroup) : cgroup_size) - at;

		r = take_line(cgroup + at, n, p);
		path = r > 0 ? find(mountinfo, mountinfo_size, p, m, &r) : NULL;
		if (path) {
			fn(ctx, m->point, path);
			given++;
		}
		at += n + 1;
	}
	return r < 0 ? r : given;
}
