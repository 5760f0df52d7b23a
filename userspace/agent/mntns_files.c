/* SPDX-License-Identifier: Apache-2.0 */
#include "mntns_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "claims.h"
#include "claims_names.h"
#include "cleanup.h"
#include "hash_pieces.h"
#include "served.h"
#include "served_walk.h"

struct seen {
	const char *path; /* the set's own */
	char *value; /* NULL: not measured, or nothing to tell */
	char pid[24];
	ino_t ns;
};

struct mntns_files {
	struct claims_source s;
	const struct file_set *files;
	uint32_t n, next;
	struct seen seen[MNTNS_FILES_MAX];
};

int mntns_files_open(const struct claims_source *s, const struct file_set *files,
		     struct mntns_files **ret)
{
	struct mntns_files *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->s = *s;
	m->files = files;
	*ret = m;
	return 0;
}

struct mntns_files *mntns_files_free(struct mntns_files *m)
{
	if (!m)
		return NULL;
	for (uint32_t i = 0; i < m->n; i++) {
		free(m->seen[i].value);
		free((char *)m->seen[i].path);
	}
	free(m);
	return NULL;
}

static bool below(const char *path, const char *above)
{
	size_t n = strcmp(above, "/") == 0 ? 0 : strlen(above);

	return strncmp(path, above, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

static bool has(const struct mntns_files *m, const char *path, ino_t ns)
{
	for (uint32_t i = 0; i < m->n; i++)
		if (m->seen[i].ns == ns && strcmp(m->seen[i].path, path) == 0)
			return true;
	return false;
}

int mntns_files_add(struct mntns_files *m, const char *point, const char *pid, ino_t ns)
{
	for (uint32_t i = 0; i < file_set_n(m->files); i++) {
		const char *path = file_set_path_at(m->files, i);
		struct seen *s = &m->seen[m->n];

		if (!below(path, point) || has(m, path, ns))
			continue;
		if (m->n == MNTNS_FILES_MAX)
			return -E2BIG;
		s->path = strdup(path);
		if (!s->path)
			return -ENOMEM;
		snprintf(s->pid, sizeof(s->pid), "%.20s", pid);
		s->ns = ns;
		m->n++;
	}
	return 0;
}

static int path_of(const struct mntns_files *m, const struct seen *s, const char *what, char *ret,
		   size_t size)
{
	char name[PATH_MAX + 64];

	snprintf(name, sizeof(name), "%s/%s", s->pid, what);
	return claims_source_path(&m->s, CLAIMS_PROC, name, ret, size);
}

/* Is that number still of a process in there? */
static bool is_there(const struct mntns_files *m, const struct seen *s)
{
	char path[PATH_MAX];
	struct stat st;

	return path_of(m, s, "ns/mnt", path, sizeof(path)) >= 0 && stat(path, &st) == 0 &&
	       st.st_ino == s->ns;
}

static int measure_regular(struct mntns_files *m, int link, struct buf *ret)
{
	struct hash_cache *cache = file_set_hash_cache(m->files);
	CLEANUP_CLOSE int fd = served_open(link);
	struct digest digest;
	struct stat st;
	int r = fd < 0 ? fd : hash_cache_fd(cache, fd, &digest, &st);

	if (r == -ESTALE)
		r = hash_cache_fd(cache, fd, &digest, &st);
	return r < 0 ? claims_unreadable(-r, ret) : claims_file_value(&st, &digest, NULL, ret);
}

static int measure_link(struct mntns_files *m, int link, struct buf *ret)
{
	char target[PATH_MAX] = "";
	struct stat st;

	if (fstat(link, &st) < 0)
		return claims_unreadable(errno, ret);
	if (S_ISREG(st.st_mode))
		return st.st_size >= (off_t)HASH_PIECES_MIN
			       ? claims_unknown("it is too large to be read", ret)
			       : measure_regular(m, link, ret);
	if (S_ISLNK(st.st_mode) && readlinkat(link, "", target, sizeof(target) - 1) < 0)
		return claims_unreadable(errno, ret);
	return claims_file_value(&st, NULL, S_ISLNK(st.st_mode) ? target : NULL, ret);
}

/*
 * Whoever has mounts of his own may serve what stands there, and not answer. 0, nothing is written: there is no such file, or no such process.
 */
static int measure_there(struct mntns_files *m, const struct seen *s, struct buf *ret)
{
	uint32_t pid = (uint32_t)strtoul(s->pid, NULL, 10);
	char path[PATH_MAX];
	int r = path_of(m, s, "root", path, sizeof(path));
	CLEANUP_CLOSE int root = r < 0 ? r : open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct served_walk w = {m->s.proc, pid, root};
	CLEANUP_CLOSE int link = root < 0 ? -ENOENT : served_walk(&w, s->path, false);

	r = link < 0 ? link : served_check(m->s.proc, pid, link, NULL);
	if (r == -EREMOTE)
		return claims_unknown(SERVED_WHY, ret);
	return r < 0 ? 0 : measure_link(m, link, ret);
}

static int measure(struct mntns_files *m, struct seen *s)
{
	CLEANUP(buf_done) struct buf now = {0};
	const char *ours = file_set_value(m->files, s->path);
	int r = is_there(m, s) ? measure_there(m, s, &now) : 0;

	if (r >= 0)
		r = buf_status(&now);
	if (r < 0 || now.size == 0 || !is_there(m, s) ||
	    (ours && strcmp((char *)now.data, ours) == 0))
		return r;
	s->value = buf_take(&now);
	return s->value ? 0 : -ENOMEM;
}

int mntns_files_step(struct mntns_files *m)
{
	int r;

	if (m->next == m->n)
		return 0;
	r = measure(m, &m->seen[m->next++]);
	return r < 0 ? r : 1;
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct seen *)a)->path, ((const struct seen *)b)->path);
}

/* All that is seen of one path, from i on. */
static int put_path(struct mntns_files *m, uint32_t *i)
{
	CLEANUP(claims_names_clear) struct claims_names values = {0};
	CLEANUP(buf_done) struct buf value = {0};
	const char *path = m->seen[*i].path;
	char key[LINE_MAX_KEY + 16];
	int r = 0;

	for (; *i < m->n && strcmp(m->seen[*i].path, path) == 0; (*i)++)
		if (m->seen[*i].value && r >= 0)
			r = claims_names_add(&values, m->seen[*i].value, strlen(m->seen[*i].value));
	claims_names_sort(&values);
	if (r >= 0)
		r = claims_names_text(&values, &value);
	if (r < 0 || value.size == 0 || strcmp((char *)value.data, "none") == 0)
		return r;
	snprintf(key, sizeof(key), "mountns:file:%s", path);
	return claims_source_put(&m->s, key, 0, &value);
}

int mntns_files_put(struct mntns_files *m)
{
	int r = 0, told = 0;

	if (m->n > 1)
		qsort(m->seen, m->n, sizeof(m->seen[0]), compare);
	for (uint32_t i = 0; i < m->n && r >= 0;) {
		r = put_path(m, &i);
		told += r > 0;
	}
	return r < 0 ? r : told;
}
