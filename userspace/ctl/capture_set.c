/* SPDX-License-Identifier: Apache-2.0 */
#include "capture_set.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "capture_root.h"
#include "claims.h"
#include "cleanup.h"
#include "digest.h"

#define TRIES 3 /* at a file that is written while it is read */

struct entry {
	uint32_t text; /* in the arena: path NUL [target NUL], or key NUL value NUL */
	uint32_t kind;
	uint32_t mode, uid, gid;
	uint64_t size;
	bool hashed;
	struct digest digest;
};

struct capture_set {
	int root;
	struct buf arena;
	struct entry *entries;
	uint32_t *order;
	uint64_t n, room;
};

int capture_set_open(int root, struct capture_set **ret)
{
	struct capture_set *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->root = root;
	*ret = s;
	return 0;
}

struct capture_set *capture_set_free(struct capture_set *s)
{
	if (!s)
		return NULL;
	buf_done(&s->arena);
	free(s->entries);
	free(s->order);
	free(s);
	return NULL;
}

uint64_t capture_set_n(const struct capture_set *s)
{
	return s->n;
}

static int add(struct capture_set *s, struct entry e, const char *text, const char *more)
{
	if (s->n == CAPTURE_SET_MAX)
		return -E2BIG;
	if (s->n == s->room) {
		uint64_t room = s->room ? s->room + s->room / 2 : 1024;
		struct entry *entries = reallocarray(s->entries, room, sizeof(*entries));

		if (!entries)
			return -ENOMEM;
		s->entries = entries;
		s->room = room;
	}
	e.text = (uint32_t)s->arena.size;
	buf_put(&s->arena, text, strlen(text) + 1);
	if (more)
		buf_put(&s->arena, more, strlen(more) + 1);
	if (buf_status(&s->arena) < 0)
		return buf_status(&s->arena);
	s->entries[s->n++] = e;
	return 0;
}

int capture_set_add_path(struct capture_set *s, enum capture_set_kind kind, const char *path,
			 const struct stat *st, const char *target)
{
	const struct entry e = {
		.kind = kind,
		.mode = st->st_mode,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.size = (uint64_t)st->st_size,
	};

	return add(s, e, path, S_ISLNK(st->st_mode) ? (target ? target : "") : NULL);
}

int capture_set_add_hashed(struct capture_set *s, enum capture_set_kind kind, const char *path,
			   const struct stat *st, const char *target, const struct digest *digest)
{
	int r = capture_set_add_path(s, kind, path, st, target);

	if (r >= 0) {
		s->entries[s->n - 1].hashed = true;
		s->entries[s->n - 1].digest = *digest;
	}
	return r;
}

int capture_set_add_absent(struct capture_set *s, const char *path)
{
	return add(s, (struct entry){.kind = CAPTURE_SET_FILE, .mode = 0}, path, NULL);
}

int capture_set_add_text(struct capture_set *s, const char *key, const char *value)
{
	return add(s, (struct entry){.kind = CAPTURE_SET_TEXT}, key, value);
}

/* Hashing. */

struct hashing {
	struct capture_set *s;
	const struct capture_set_progress *progress;
	atomic_uint_fast64_t next, n_done;
	atomic_int error;
	pthread_mutex_t lock; /* guards why */
	struct why *why;
};

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static int hash_path(int root, const char *path, struct digest *ret, struct stat *ret_st)
{
	/* O_NONBLOCK: should it have become a pipe, nothing hangs on it. */
	CLEANUP_CLOSE int fd =
		capture_root_at(root, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct stat before, after;

	if (fd < 0)
		return fd;
	for (int i = 0; i < TRIES; i++) {
		int r = fstat(fd, &before) < 0 ? -errno : 0;

		if (r >= 0 && !S_ISREG(before.st_mode))
			r = -ESTALE;
		if (r >= 0)
			r = digest_fd(fd, 0, ret, NULL);
		if (r >= 0 && fstat(fd, &after) < 0)
			r = -errno;
		if (r < 0)
			return r;
		if (same(&before, &after)) {
			*ret_st = after;
			return 0;
		}
	}
	return -ESTALE;
}

static int hash_entry(struct capture_set *s, struct entry *e)
{
	const char *path = (const char *)s->arena.data + e->text;
	struct stat st = {.st_size = 0};
	int r;

	if (e->hashed || e->kind == CAPTURE_SET_TEXT || !S_ISREG(e->mode))
		return 0;
	r = hash_path(s->root, path, &e->digest, &st);
	if (r == -ENOENT || r == -ENOTDIR) {
		e->kind = CAPTURE_SET_GONE;
		return 0;
	}
	if (r < 0)
		return r;
	e->mode = st.st_mode;
	e->uid = st.st_uid;
	e->gid = st.st_gid;
	e->size = (uint64_t)st.st_size;
	return 0;
}

static void fail(struct hashing *h, const struct entry *e, int error)
{
	const char *path = (const char *)h->s->arena.data + e->text;
	int none = 0;

	if (!atomic_compare_exchange_strong(&h->error, &none, error))
		return;
	pthread_mutex_lock(&h->lock);
	why_set(h->why, error, "%.200s: %s", path,
		error == -ESTALE ? "changes while it is read; try again" : strerror(-error));
	pthread_mutex_unlock(&h->lock);
}

static void work(struct hashing *h, bool tells)
{
	while (atomic_load(&h->error) == 0) {
		uint64_t i = atomic_fetch_add(&h->next, 1);
		int r;

		if (i >= h->s->n)
			return;
		r = hash_entry(h->s, &h->s->entries[i]);
		if (r < 0)
			fail(h, &h->s->entries[i], r);
		i = atomic_fetch_add(&h->n_done, 1) + 1;
		if (tells && h->progress && h->progress->fn)
			h->progress->fn(h->progress->ctx, i, h->s->n);
	}
}

static void *worker(void *ctx)
{
	work(ctx, false);
	return NULL;
}

int capture_set_hash(struct capture_set *s, uint32_t n_threads,
		     const struct capture_set_progress *progress, struct why *ret_why)
{
	struct hashing h = {.s = s, .progress = progress, .why = ret_why};
	pthread_t threads[CAPTURE_SET_MAX_THREADS];
	long n_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	uint32_t n = n_threads ? n_threads : (uint32_t)(n_cpus > 0 ? n_cpus : 1), started = 0;

	pthread_mutex_init(&h.lock, NULL);
	/* The caller's thread is one of them. A thread that cannot be had only makes it slower. */
	while (started + 1 < n && started < CAPTURE_SET_MAX_THREADS &&
	       pthread_create(&threads[started], NULL, worker, &h) == 0)
		started++;
	work(&h, true);
	for (uint32_t i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	pthread_mutex_destroy(&h.lock);
	return atomic_load(&h.error);
}

/* Order. */

static const char *text_of(const struct capture_set *s, const struct entry *e)
{
	return (const char *)s->arena.data + e->text;
}

/* The beginnings of all keys of a kind; those of texts are their own. */
static const char *start_of(const struct capture_set *s, const struct entry *e)
{
	return e->kind == CAPTURE_SET_EXEC   ? "exec:"
	       : e->kind == CAPTURE_SET_LOAD ? "load:"
	       : e->kind == CAPTURE_SET_CODE ? "code:"
	       : e->kind == CAPTURE_SET_FILE ? "file:"
	       : e->kind == CAPTURE_SET_TEXT ? text_of(s, e)
					     : "";
}

static bool is_digest(enum capture_set_kind kind)
{
	return kind == CAPTURE_SET_EXEC || kind == CAPTURE_SET_LOAD || kind == CAPTURE_SET_CODE;
}

/* By key, as the baseline's bytes compare; 0 for the same key. */
static int compare_keys(const struct capture_set *s, const struct entry *x, const struct entry *y)
{
	if (x->kind != y->kind || x->kind == CAPTURE_SET_GONE)
		return strcmp(start_of(s, x), start_of(s, y));
	if (is_digest(x->kind))
		return memcmp(x->digest.bytes, y->digest.bytes, DIGEST_SIZE);
	return strcmp(text_of(s, x), text_of(s, y));
}

static int compare(const void *a, const void *b, void *ctx)
{
	const struct capture_set *s = ctx;
	const struct entry *x = &s->entries[*(const uint32_t *)a],
			   *y = &s->entries[*(const uint32_t *)b];
	int c = compare_keys(s, x, y);

	return c ? c : strcmp(text_of(s, x), text_of(s, y));
}

static int sort(struct capture_set *s)
{
	uint32_t *order = reallocarray(s->order, s->n + 1, sizeof(*order));

	if (!order)
		return -ENOMEM;
	s->order = order;
	for (uint64_t i = 0; i < s->n; i++)
		order[i] = (uint32_t)i;
	qsort_r(order, s->n, sizeof(*order), compare, s);
	return 0;
}

static int file_value(const struct entry *e, const char *path, struct buf *ret)
{
	const struct stat st = {
		.st_mode = e->mode, .st_uid = e->uid, .st_gid = e->gid, .st_size = (off_t)e->size};

	if (e->mode == 0)
		return claims_absent(ret);
	return claims_file_value(&st, S_ISREG(e->mode) ? &e->digest : NULL,
				 S_ISLNK(e->mode) ? path + strlen(path) + 1 : NULL, ret);
}

static int give(const struct capture_set *s, const struct entry *e, struct buf *key,
		struct buf *value, int (*fn)(void *ctx, const char *key, const char *value),
		void *ctx)
{
	const char *text = text_of(s, e);
	int r;

	if (e->kind == CAPTURE_SET_TEXT)
		return fn(ctx, text, text + strlen(text) + 1);
	buf_clear(key);
	buf_clear(value);
	if (is_digest(e->kind)) {
		buf_puts(key, start_of(s, e));
		r = claims_exec_value(&e->digest, key);
		return r < 0 ? r : fn(ctx, (char *)key->data, text);
	}
	buf_printf(key, "file:%s", text);
	r = file_value(e, text, value);
	if (r >= 0)
		r = buf_status(key);
	return r < 0 ? r : fn(ctx, (char *)key->data, (char *)value->data);
}

int capture_set_each(struct capture_set *s,
		     int (*fn)(void *ctx, const char *key, const char *value), void *ctx)
{
	CLEANUP(buf_done) struct buf key = {0}, value = {0};
	const struct entry *before = NULL;
	int r = sort(s);

	for (uint64_t i = 0; i < s->n && r >= 0; i++) {
		const struct entry *e = &s->entries[s->order[i]];

		if (e->kind == CAPTURE_SET_GONE || (before && compare_keys(s, before, e) == 0))
			continue;
		before = e;
		r = give(s, e, &key, &value, fn, ctx);
		if (r > 0)
			return r;
	}
	return r;
}
