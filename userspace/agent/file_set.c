/* SPDX-License-Identifier: Apache-2.0 */
#include "file_set.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "claims.h"
#include "cleanup.h"
#include "file_value.h"
#include "log.h"

#define FILE_SET_DEPTH 64
#define NONE UINT32_MAX
#define LISTENERS_MAX 6

struct member {
	char *path;
	char *value; /* NULL: not measured yet */
	char *attrs; /* NULL: there are none */
	uint32_t chain;
	bool came; /* was not there when the set was opened */
	bool gone; /* came, and was told to be absent again: its place may be taken */
};

/* What one line says. */
struct told {
	const char *kind, *path, *found, *before, *diff;
	bool claim;
};

struct file_set {
	struct file_set_options o;
	struct measure_sink sink;
	struct member *members;
	uint32_t *buckets;
	uint32_t n, room, max;
	uint32_t n_gone, hand; /* where the last place was taken */
	char **roots;
	uint32_t n_roots;
	bool full_told;
	bool started; /* what is added from now on was not there before */
	struct {
		void (*want)(void *ctx);
		void *ctx;
	} listeners[LISTENERS_MAX];
};

static uint32_t hash_path(const char *path)
{
	uint32_t h = 2166136261u;

	for (; *path; path++)
		h = (h ^ (uint8_t)*path) * 16777619u;
	return h;
}

static uint32_t *bucket_of(const struct file_set *f, const char *path)
{
	return &f->buckets[hash_path(path) % f->max];
}

static struct member *find(const struct file_set *f, const char *path)
{
	for (uint32_t i = *bucket_of(f, path); i != NONE; i = f->members[i].chain) {
		if (strcmp(f->members[i].path, path) == 0)
			return &f->members[i];
	}
	return NULL;
}

static void set_gone(struct file_set *f, struct member *m, bool gone)
{
	f->n_gone += gone - m->gone;
	m->gone = gone;
}

/*
 * A full set forgets names that came and went (a volume's ..data directories, an editor's temporary files): without that, a node that
 * does nothing but its daily work would one day watch nothing new. What was there at the start stays.
 */
static uint32_t forget_one(struct file_set *f) /* n_gone is not 0 */
{
	uint32_t i = f->hand % f->n, *at;

	while (!f->members[i].gone)
		i = (i + 1) % f->n;
	at = bucket_of(f, f->members[i].path);
	while (*at != i)
		at = &f->members[*at].chain;
	*at = f->members[i].chain;
	set_gone(f, &f->members[i], false);
	free(f->members[i].path);
	free(f->members[i].value);
	free(f->members[i].attrs);
	f->hand = i + 1;
	return i;
}

static int make_room(struct file_set *f)
{
	uint32_t room = f->room ? f->room * 2 : 256;
	struct member *grown;

	if (f->n < f->room)
		return 0;
	room = room > f->max ? f->max : room;
	grown = reallocarray(f->members, room, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	f->members = grown;
	f->room = room;
	return 0;
}

/* 1 added, 0 was there, -ENOSPC, -ENOMEM. */
static int add(struct file_set *f, const char *path)
{
	CLEANUP_FREE char *copy = NULL, *value = NULL;
	uint32_t i, *bucket = bucket_of(f, path);
	int r;

	if (find(f, path))
		return 0;
	if (f->n == f->max && f->n_gone == 0)
		return -ENOSPC;
	copy = strdup(path);
	value = f->started ? strdup("absent") : NULL;
	r = f->n < f->max ? make_room(f) : 0;
	if (!copy || (f->started && !value) || r < 0)
		return -ENOMEM;
	i = f->n < f->max ? f->n++ : forget_one(f);
	f->members[i] =
		(struct member){.path = copy, .value = value, .chain = *bucket, .came = f->started};
	copy = value = NULL;
	*bucket = i;
	return 1;
}

/* A full set must be seen: from here on new files are not watched. */
static int add_told(struct file_set *f, const char *path)
{
	int r = add(f, path);

	if (r < 0) {
		if (!f->full_told)
			log_error(
				"files=%u path=\"%s\" error=%s next=\"not watched, told as lost\"",
				f->n, path, strerrorname_np(-r));
		f->full_told = true;
		f->sink.lost(f->sink.ctx, "fanotify", 1, "a file is not watched: the set is full");
	}
	return r;
}

static bool below(const char *path, const char *above)
{
	size_t n = strlen(above);

	return strncmp(path, above, n) == 0 &&
	       (path[n] == '\0' || path[n] == '/' || (n == 1 && above[0] == '/'));
}

bool file_set_covers(const struct file_set *f, const char *path)
{
	for (uint32_t i = 0; i < f->n_roots; i++) {
		if (below(path, f->roots[i]))
			return true;
	}
	return false;
}

bool file_set_touches(const struct file_set *f, const char *path)
{
	for (uint32_t i = 0; i < f->n_roots; i++) {
		if (below(path, f->roots[i]) || below(f->roots[i], path))
			return true;
	}
	return false;
}

static int discover_below(struct file_set *f, int dir_fd, const char *path, dev_t dev,
			  uint32_t depth);

static int discover_one(struct file_set *f, int at_fd, const char *name, const char *path,
			dev_t *dev, uint32_t depth)
{
	struct stat st;
	int fd, r, more = 0;

	if (fstatat(at_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	r = add_told(f, path);
	if (r < 0 || !S_ISDIR(st.st_mode) || (dev && st.st_dev != *dev))
		return r;
	fd = openat(at_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		more = discover_below(f, fd, path, st.st_dev, depth + 1);
	return more < 0 ? more : r + more;
}

static int discover_below(struct file_set *f, int dir_fd, const char *path, dev_t dev,
			  uint32_t depth)
{
	CLEANUP_FREE char *full = malloc(PATH_MAX);
	DIR *dir = fdopendir(dir_fd); /* takes dir_fd */
	int found = 0, r = 0;

	if (!dir || !full) {
		if (dir)
			closedir(dir);
		else
			close(dir_fd);
		return -ENOMEM;
	}
	for (struct dirent *e = readdir(dir); e && r != -ENOSPC; e = readdir(dir)) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (depth > FILE_SET_DEPTH ||
		    snprintf(full, PATH_MAX, "%s/%s", strcmp(path, "/") == 0 ? "" : path,
			     e->d_name) >= PATH_MAX) {
			f->sink.lost(f->sink.ctx, "fanotify", 1, "a path too long or too deep");
			continue;
		}
		r = discover_one(f, dirfd(dir), e->d_name, full, &dev, depth);
		found += r > 0 ? r : 0;
	}
	closedir(dir);
	return r == -ENOSPC ? r : found;
}

int file_set_discover(struct file_set *f, const char *path)
{
	if (!file_set_covers(f, path))
		return -ENOENT;
	return discover_one(f, AT_FDCWD, path, path, NULL, 0);
}

static int check_root(const char *path, struct why *ret_why)
{
	size_t n = strlen(path);

	if (path[0] != '/' || n >= PATH_MAX || (n > 1 && path[n - 1] == '/') ||
	    strstr(path, "//") || strstr(path, "/../") || strstr(path, "/./"))
		return why_set(ret_why, -EINVAL,
			       "watched path \"%s\": must be absolute and plain (no //, . or ..)",
			       path);
	return 0;
}

static int start(struct file_set *f, const struct file_set_options *o, struct why *ret_why)
{
	int r;

	f->buckets = malloc(f->max * sizeof(*f->buckets));
	f->roots = calloc(o->n_paths + 1, sizeof(*f->roots));
	if (!f->buckets || !f->roots)
		return -ENOMEM;
	for (uint32_t i = 0; i < f->max; i++)
		f->buckets[i] = NONE;
	for (uint32_t i = 0; i < o->n_paths; i++) {
		r = check_root(o->paths[i], ret_why);
		if (r < 0)
			return r;
		f->roots[i] = strdup(o->paths[i]);
		if (!f->roots[i])
			return -ENOMEM;
		f->n_roots = i + 1;
	}
	for (uint32_t i = 0; i < f->n_roots; i++) {
		r = add(f, f->roots[i]); /* also one that is absent */
		if (r >= 0)
			r = file_set_discover(f, f->roots[i]);
		if (r == -ENOSPC)
			return why_set(ret_why, r, "watched path \"%s\": more than %u files in all",
				       f->roots[i], f->max);
		if (r == -ENOMEM)
			return r;
	}
	return 0;
}

int file_set_open(const struct file_set_options *o, const struct measure_sink *sink,
		  struct file_set **ret, struct why *ret_why)
{
	struct file_set *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return -ENOMEM;
	f->o = *o;
	f->o.paths = NULL;
	f->sink = *sink;
	f->max = o->max ? o->max : FILE_SET_MAX;
	r = start(f, o, ret_why);
	if (r < 0) {
		file_set_free(f);
		return r;
	}
	f->started = true;
	*ret = f;
	return 0;
}

struct file_set *file_set_free(struct file_set *f)
{
	if (!f)
		return NULL;
	for (uint32_t i = 0; i < f->n; i++) {
		free(f->members[i].path);
		free(f->members[i].value);
		free(f->members[i].attrs);
	}
	for (uint32_t i = 0; i < f->n_roots; i++)
		free(f->roots[i]);
	free(f->members);
	free(f->buckets);
	free(f->roots);
	free(f);
	return NULL;
}

/* Of the first value what is written is a claim; of one that an event brought, who did it and what: before that nobody had looked. */
static bool is_claim(const struct member *m, const struct file_set_deed *deed)
{
	return !m->value && (!deed->actor || strcmp(deed->op, "rescan") == 0);
}

static void tell(struct file_set *f, const struct told *t, const struct file_set_deed *deed)
{
	char key[LINE_MAX_KEY];
	struct line l = {
		.utc_ns = clock_utc_ns(f->o.clock),
		.boot_ns = clock_boot_ns(f->o.clock),
		.src = deed->src,
		.type = t->claim ? PLUMB_TYPE_CLAIM : PLUMB_TYPE_FILE,
		.scope = deed->scope ? deed->scope : "host",
		.key = key,
		.found = t->found,
		.op = t->claim ? NULL : deed->op,
		.other = deed->other,
		.before = t->claim ? NULL : t->before,
		.diff = t->diff,
		.hash_src = strstr(t->found, " sha256:") ? "user" : NULL,
	};

	snprintf(key, sizeof(key), "%s:%s", t->kind, t->path);
	if (!t->claim) {
		l.has_actor = true; /* not known: "unknown" is said */
		if (deed->actor)
			l.actor = *deed->actor;
	}
	f->sink.measurement(f->sink.ctx, &l);
}

void file_set_tell_all(struct file_set *f)
{
	const struct file_set_deed deed = {.src = "scan", .op = "rescan"};

	for (uint32_t i = 0; i < f->n; i++) {
		const struct member *m = &f->members[i];
		struct told t = {"file", m->path, m->value, NULL, NULL, true};

		if (m->value)
			tell(f, &t, &deed);
		t = (struct told){"attr", m->path, m->attrs, NULL, NULL, true};
		if (m->attrs)
			tell(f, &t, &deed);
	}
}

/* Attributes: few files have any. Only what there is is kept, and only a change is told. */
static int take_attrs(struct file_set *f, struct member *m, struct buf *now, bool claim,
		      const struct file_set_deed *deed)
{
	const char *found = (const char *)now->data;
	bool none = strcmp(found, "absent") == 0;
	struct told t = {"attr", m->path, found, m->attrs ? m->attrs : "absent", NULL, claim};
	char *copy;

	if (m->attrs ? strcmp(m->attrs, found) == 0 : none)
		return 0;
	if (!m->value)
		t.before = NULL;
	tell(f, &t, deed);
	copy = none ? NULL : buf_take(now);
	if (!copy && !none)
		return -ENOMEM;
	free(m->attrs);
	m->attrs = copy;
	return 1;
}

/* 1: other than before; 0: same. */
static int take(struct file_set *f, struct member *m, struct file_value *now,
		const struct file_set_deed *deed)
{
	bool only_change = deed->only_change || strcmp(deed->op, "rescan") == 0;
	bool claim = is_claim(m, deed), first = m->value == NULL;
	const char *found = (const char *)now->value.data;
	bool changed = !first && strcmp(m->value, found) != 0;
	struct told t = {
		"file", m->path, found, m->value, now->diff.size ? (char *)now->diff.data : NULL,
		claim};
	char *copy;
	int r;

	/* A name that came and went before we looked left nothing to tell but itself; it is told all the same. */
	if (first || changed || !only_change)
		tell(f, &t, deed);
	r = take_attrs(f, m, &now->attrs, claim, deed);
	copy = r < 0 ? NULL : buf_take(&now->value);
	if (!copy)
		return -ENOMEM;
	free(m->value);
	m->value = copy;
	set_gone(f, m, m->came && strcmp(copy, "absent") == 0);
	return changed || (r > 0 && !first);
}

static bool was_absent(const struct member *m)
{
	return m->value && strcmp(m->value, "absent") == 0;
}

/* 1: other than before. Lines of a changed file are told by one comparison: it is none of them. */
static int differs(struct file_set *f, const struct member *m, bool anew)
{
	CLEANUP(file_value_done) struct file_value now = {.value = {0}};
	const struct file_value_how how = {.hash_cache = f->o.hash_cache, .anew = anew};
	int r;

	if (!m->value)
		return 1;
	r = file_value_measure(&how, m->path, &now);
	if (r < 0)
		return r;
	return strcmp(m->value, (const char *)now.value.data) != 0 ||
	       strcmp(m->attrs ? m->attrs : "absent", (const char *)now.attrs.data) != 0;
}

/* 1: path is to be measured; whoever knows who did it has told what he knows. */
static int ask(struct file_set *f, const struct member *m, const char *path,
	       const struct file_set_deed *deed)
{
	int r = differs(f, m, deed->anew);

	if (r > 0)
		deed->ask(deed->ctx, path, deed->anew);
	return r < 0 || r > 0 || !f->o.texts ? r : 1;
}

int file_set_check(struct file_set *f, const char *path, const struct file_set_deed *deed)
{
	CLEANUP(file_value_done) struct file_value now = {.value = {0}};
	struct file_value_how how = {
		.hash_cache = f->o.hash_cache, .texts = f->o.texts, .anew = deed->anew};
	struct member *m = find(f, path);
	int r;

	if (!m && !file_set_covers(f, path))
		return -ENOENT;
	if (!m) {
		r = add_told(f, path);
		if (r < 0)
			return r;
		m = find(f, path);
	}
	if (deed->ask) {
		r = ask(f, m, path, deed);
		if (r <= 0)
			return r;
		m = find(f, path); /* what was told may have moved it */
		if (!m)
			return 0;
		how.anew = deed->anew && !m->value; /* else it was just read */
	}
	how.was_absent = was_absent(m);
	r = file_value_measure(&how, path, &now);
	return r < 0 ? r : take(f, m, &now, deed);
}

const char *file_set_value(const struct file_set *f, const char *path)
{
	const struct member *m = find(f, path);

	return m ? m->value : NULL;
}

struct hash_cache *file_set_hash_cache(const struct file_set *f)
{
	return f->o.hash_cache;
}

uint64_t file_set_n_bytes(const struct file_set *f)
{
	return hash_cache_n_bytes(f->o.hash_cache);
}

uint32_t file_set_n(const struct file_set *f)
{
	return f->n;
}

const char *file_set_path_at(const struct file_set *f, uint32_t i)
{
	return i < f->n ? f->members[i].path : NULL;
}

uint32_t file_set_n_roots(const struct file_set *f)
{
	return f->n_roots;
}

const char *file_set_root_at(const struct file_set *f, uint32_t i)
{
	return i < f->n_roots ? f->roots[i] : NULL;
}

void file_set_want_scan(struct file_set *f)
{
	for (uint32_t i = 0; i < LISTENERS_MAX; i++) {
		if (f->listeners[i].want)
			f->listeners[i].want(f->listeners[i].ctx);
	}
}

int file_set_on_want(struct file_set *f, void (*want)(void *ctx), void *ctx)
{
	for (uint32_t i = 0; i < LISTENERS_MAX; i++) {
		if (want ? f->listeners[i].want != NULL : f->listeners[i].ctx != ctx)
			continue;
		f->listeners[i].want = want;
		f->listeners[i].ctx = want ? ctx : NULL;
		return 0;
	}
	return want ? -ENOSPC : 0;
}
