/* SPDX-License-Identifier: Apache-2.0 */
#include "capture_mounts.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "fsio.h"
#include "mountinfo.h"

struct mount {
	char *point, *value;
};

struct mounts {
	struct mount *all;
	uint32_t n, room;
};

static void forget(struct mounts *m)
{
	for (uint32_t i = 0; i < m->n; i++) {
		free(m->all[i].point);
		free(m->all[i].value);
	}
	free(m->all);
}

/* Of several at one point the last one is on top, and it is what is seen there. */
static int put(struct mounts *m, const char *point, const char *value)
{
	struct mount *grown = m->all, *e;

	if (m->n == m->room) {
		grown = reallocarray(m->all, m->room * 2 + 64, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		m->all = grown;
		m->room = m->room * 2 + 64;
	}
	e = &m->all[m->n++];
	*e = (struct mount){.point = strdup(point), .value = strdup(value)};
	return e->point && e->value ? 0 : -ENOMEM;
}

static int read_line(struct mounts *m, const char *line, size_t size, struct why *ret_why)
{
	CLEANUP_FREE struct mountinfo_entry *e = malloc(sizeof(*e));
	CLEANUP(buf_done) struct buf value = {0};
	int r = e ? mountinfo_parse(line, size, e, ret_why) : -ENOMEM;

	if (r >= 0)
		r = mountinfo_value(e, &value);
	return r < 0 ? r : put(m, e->point, (char *)value.data);
}

static int read_table(struct mounts *m, const char *proc, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf text = {0};
	char path[PATH_MAX];
	const char *at, *end;
	int r;

	snprintf(path, sizeof(path), "%s/self/mountinfo", proc ? proc : "/proc");
	r = fsio_read_file(fsio_system(), path, MOUNTINFO_MAX_SIZE, &text);
	if (r < 0)
		return why_set(ret_why, r, "%.200s: %s: what is mounted over --file is not known",
			       path, strerror(-r));
	at = (char *)text.data;
	end = at + text.size;
	while (at < end && r >= 0) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));

		r = read_line(m, at, (size_t)((lf ? lf : end) - at), ret_why);
		at = lf ? lf + 1 : end;
	}
	return r;
}

static const char *mounted_at(const struct mounts *m, const char *point)
{
	for (uint32_t i = m->n; i > 0; i--)
		if (strcmp(m->all[i - 1].point, point) == 0)
			return m->all[i - 1].value;
	return NULL;
}

static int list(struct capture_set *set, const char *point, const char *value)
{
	CLEANUP(buf_done) struct buf key = {0};

	buf_printf(&key, "mount:%s", point);
	return buf_status(&key) < 0 ? buf_status(&key)
				    : capture_set_add_text(set, (char *)key.data, value);
}

static int list_below(struct capture_set *set, const struct mounts *m, const char *path)
{
	size_t n = strlen(path);
	int r = 0;

	for (uint32_t i = 0; i < m->n && r >= 0; i++) {
		const char *point = m->all[i].point;

		if (strncmp(point, path, n) == 0 && point[n] == '/')
			r = list(set, point, mounted_at(m, point));
	}
	return r;
}

/* A mount over /etc covers /etc/ssh, too. One that is there already is left open: its device need not have the same name at the next boot. */
static int list_above(struct capture_set *set, const struct mounts *m, const char *path)
{
	CLEANUP_FREE char *above = strdup(path);
	char *slash;
	int r = above ? 0 : -ENOMEM;

	while (r >= 0 && (slash = strrchr(above, '/')) && slash != above) {
		*slash = '\0';
		if (!mounted_at(m, above))
			r = list(set, above, "absent");
	}
	return r;
}

int capture_mounts(struct capture_set *set, const char *proc, const char *const *paths,
		   uint32_t n_paths, struct why *ret_why)
{
	struct mounts m = {.n = 0};
	int r = read_table(&m, proc, ret_why);

	for (uint32_t i = 0; i < n_paths && r >= 0; i++) {
		const char *there = mounted_at(&m, paths[i]);

		if (strcmp(paths[i], "/") == 0)
			continue;
		r = list(set, paths[i], there ? there : "absent");
		if (r >= 0)
			r = list_below(set, &m, paths[i]);
		if (r >= 0)
			r = list_above(set, &m, paths[i]);
	}
	forget(&m);
	return r;
}
