/* SPDX-License-Identifier: Apache-2.0 */
#include "path_table.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define NONE PATH_TABLE_NONE

struct entry {
	char *path; /* and the key behind its NUL. NULL: the place is free */
	uint32_t path_size, key_size;
	uint32_t by_path, by_key; /* next in the chains; of a free place: the next free one */
};

struct path_table {
	uint32_t max, n, n_used, room, free;
	size_t extra_size;
	struct entry *entries;
	uint8_t *extra;
	uint32_t *paths, *keys;
};

static uint32_t hash_of(const void *data, size_t size)
{
	const uint8_t *p = data;
	uint32_t h = 2166136261u;

	while (size--)
		h = (h ^ *p++) * 16777619u;
	return h;
}

static uint32_t *path_bucket(const struct path_table *t, const char *path)
{
	return &t->paths[hash_of(path, strlen(path)) % t->max];
}

static uint32_t *key_bucket(const struct path_table *t, const void *key, size_t size)
{
	return &t->keys[hash_of(key, size) % t->max];
}

static const void *key_of(const struct entry *e)
{
	return e->path + e->path_size;
}

int path_table_open(uint32_t max, size_t extra_size, struct path_table **ret)
{
	struct path_table *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->max = max;
	t->extra_size = extra_size;
	t->free = NONE;
	t->paths = malloc(max * sizeof(*t->paths));
	t->keys = malloc(max * sizeof(*t->keys));
	if (!t->paths || !t->keys) {
		path_table_free(t);
		return -ENOMEM;
	}
	memset(t->paths, 0xff, max * sizeof(*t->paths));
	memset(t->keys, 0xff, max * sizeof(*t->keys));
	*ret = t;
	return 0;
}

struct path_table *path_table_free(struct path_table *t)
{
	if (!t)
		return NULL;
	for (uint32_t i = 0; i < t->n_used; i++)
		free(t->entries[i].path);
	free(t->entries);
	free(t->extra);
	free(t->paths);
	free(t->keys);
	free(t);
	return NULL;
}

static int grow(struct path_table *t)
{
	uint32_t room = t->room ? t->room * 2 : 64;
	struct entry *entries;
	uint8_t *extra;

	room = room > t->max ? t->max : room;
	entries = reallocarray(t->entries, room, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	t->entries = entries;
	extra = t->extra_size ? reallocarray(t->extra, room, t->extra_size) : NULL;
	if (t->extra_size && !extra)
		return -ENOMEM;
	t->extra = extra;
	t->room = room;
	return 0;
}

static int take_place(struct path_table *t, uint32_t *ret)
{
	if (t->free != NONE) {
		*ret = t->free;
		t->free = t->entries[*ret].by_path;
		return 0;
	}
	if (t->n_used == t->max)
		return -ENOSPC;
	if (t->n_used == t->room && grow(t) < 0)
		return -ENOMEM;
	*ret = t->n_used++;
	return 0;
}

int64_t path_table_put(struct path_table *t, const char *path, const void *key, size_t key_size)
{
	size_t path_size = strlen(path) + 1;
	char *copy = malloc(path_size + key_size);
	struct entry *e;
	uint32_t i, *at;
	int r = copy ? take_place(t, &i) : -ENOMEM;

	if (r < 0) {
		free(copy);
		return r;
	}
	memcpy(copy, path, path_size);
	memcpy(copy + path_size, key, key_size);
	e = &t->entries[i];
	e->path = copy;
	e->path_size = (uint32_t)path_size;
	e->key_size = (uint32_t)key_size;
	if (t->extra_size)
		memset(t->extra + i * t->extra_size, 0, t->extra_size);
	at = path_bucket(t, path);
	e->by_path = *at;
	*at = i;
	at = key_bucket(t, key, key_size);
	e->by_key = *at;
	*at = i;
	t->n++;
	return i;
}

void path_table_drop(struct path_table *t, uint32_t i)
{
	struct entry *e = &t->entries[i];
	uint32_t *at = path_bucket(t, e->path);

	while (*at != i)
		at = &t->entries[*at].by_path;
	*at = e->by_path;
	at = key_bucket(t, key_of(e), e->key_size);
	while (*at != i)
		at = &t->entries[*at].by_key;
	*at = e->by_key;
	free(e->path);
	*e = (struct entry){.by_path = t->free};
	t->free = i;
	t->n--;
}

uint32_t path_table_find(const struct path_table *t, const char *path)
{
	uint32_t i = *path_bucket(t, path);

	while (i != NONE && strcmp(t->entries[i].path, path) != 0)
		i = t->entries[i].by_path;
	return i;
}

static uint32_t skip_others(const struct path_table *t, uint32_t i, const void *key, size_t size)
{
	while (i != NONE &&
	       (t->entries[i].key_size != size || memcmp(key_of(&t->entries[i]), key, size) != 0))
		i = t->entries[i].by_key;
	return i;
}

uint32_t path_table_first(const struct path_table *t, const void *key, size_t key_size)
{
	return skip_others(t, *key_bucket(t, key, key_size), key, key_size);
}

uint32_t path_table_next(const struct path_table *t, uint32_t i)
{
	const struct entry *e = &t->entries[i];

	return skip_others(t, e->by_key, key_of(e), e->key_size);
}

const char *path_table_path(const struct path_table *t, uint32_t i)
{
	return i < t->n_used ? t->entries[i].path : NULL;
}

void *path_table_extra(const struct path_table *t, uint32_t i)
{
	return t->extra + i * t->extra_size;
}

uint32_t path_table_n(const struct path_table *t)
{
	return t->n;
}

uint32_t path_table_end(const struct path_table *t)
{
	return t->n_used;
}

void path_table_each_below(struct path_table *t, const char *path,
			   void (*drop)(void *ctx, uint32_t i), void *ctx)
{
	size_t n = strlen(path);

	for (uint32_t i = 0; i < t->n_used; i++) {
		const char *p = t->entries[i].path;

		if (p && strncmp(p, path, n) == 0 && (p[n] == '\0' || p[n] == '/'))
			drop(ctx, i);
	}
}
