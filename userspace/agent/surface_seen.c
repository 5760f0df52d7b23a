/* SPDX-License-Identifier: Apache-2.0 */
#include "surface_seen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	uint64_t group; /* 0: not one of a group's objects */
	uint64_t told_ns;
	uint64_t start_ns;
	uint32_t pid;
	uint32_t times; /* since it was told */
	char *key, *found;
};

struct surface_seen {
	uint64_t window_ns;
	uint32_t n;
	uint64_t hashes[SURFACE_SEEN_MAX];
	struct entry entries[SURFACE_SEEN_MAX];
};

/* FNV-1a; texts are compared, so whoever makes two of one number gains nothing. */
static uint64_t hash_text(uint64_t h, const char *text)
{
	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 1099511628211u;
	return h ^ 0xff;
}

static uint64_t hash_deed(const char *key, const char *found)
{
	return hash_text(hash_text(14695981039346656037u, key), found);
}

int surface_seen_open(uint64_t window_ns, struct surface_seen **ret)
{
	struct surface_seen *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->window_ns = window_ns;
	*ret = s;
	return 0;
}

static void remove_at(struct surface_seen *s, uint32_t i)
{
	free(s->entries[i].key);
	free(s->entries[i].found);
	s->n--;
	s->entries[i] = s->entries[s->n];
	s->hashes[i] = s->hashes[s->n];
}

struct surface_seen *surface_seen_free(struct surface_seen *s)
{
	while (s && s->n > 0)
		remove_at(s, s->n - 1);
	free(s);
	return NULL;
}

static struct entry *find(struct surface_seen *s, const char *key, const char *found)
{
	uint64_t h = hash_deed(key, found);

	for (uint32_t i = 0; i < s->n; i++)
		if (s->hashes[i] == h && strcmp(s->entries[i].key, key) == 0 &&
		    strcmp(s->entries[i].found, found) == 0)
			return &s->entries[i];
	return NULL;
}

static uint32_t n_objects(const struct surface_seen *s, uint64_t group)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->n; i++)
		n += s->entries[i].group == group;
	return n;
}

static struct entry *add(struct surface_seen *s, const char *key, const char *found, uint64_t group)
{
	struct entry *e = &s->entries[s->n];

	*e = (struct entry){.group = group, .key = strdup(key), .found = strdup(found)};
	if (!e->key || !e->found) {
		free(e->key);
		free(e->found);
		return NULL;
	}
	s->hashes[s->n++] = hash_deed(key, found);
	return e;
}

/* Folded ones have no value of their own: there may be as many as objects. Two places are kept for what there is no room for. */
static struct entry *place(struct surface_seen *s, const struct surface_seen_deed *d, bool *ret_new)
{
	uint64_t group = hash_text(14695981039346656037u, d->folded) | 1;
	struct entry *e = find(s, d->key, d->found);

	*ret_new = false;
	if (e)
		return e;
	if (s->n < SURFACE_SEEN_MAX - 1 && n_objects(s, group) < SURFACE_SEEN_OBJECTS) {
		*ret_new = true;
		return add(s, d->key, d->found, group);
	}
	e = find(s, d->folded, "several");
	if (e)
		return e;
	*ret_new = true;
	if (s->n < SURFACE_SEEN_MAX - 1)
		return add(s, d->folded, "several", 0);
	e = find(s, SURFACE_SEEN_REST, "several");
	*ret_new = !e;
	return e ? e : s->n < SURFACE_SEEN_MAX ? add(s, SURFACE_SEEN_REST, "several", 0) : NULL;
}

static void give(struct entry *e, uint64_t now_ns, struct surface_seen_deed *ret)
{
	*ret = (struct surface_seen_deed){.key = e->key,
					  .found = e->found,
					  .pid = e->pid,
					  .start_ns = e->start_ns,
					  .times = e->times};
	e->times = 0;
	e->told_ns = now_ns;
}

int surface_seen_take(struct surface_seen *s, const struct surface_seen_deed *d, uint64_t now_ns,
		      struct surface_seen_deed *ret)
{
	bool is_new;
	struct entry *e = place(s, d, &is_new);

	/* Out of memory: told as it is, for it cannot be counted. */
	if (!e) {
		*ret = *d;
		return 1;
	}
	e->times = e->times + d->times < e->times ? UINT32_MAX : e->times + d->times;
	e->pid = d->pid;
	e->start_ns = d->start_ns;
	if (!is_new && now_ns - e->told_ns < s->window_ns)
		return 0;
	give(e, now_ns, ret);
	return 1;
}

int surface_seen_due(struct surface_seen *s, bool all, uint64_t now_ns,
		     struct surface_seen_deed *ret)
{
	for (uint32_t i = 0; i < s->n;) {
		bool over = now_ns - s->entries[i].told_ns >= s->window_ns;

		if (s->entries[i].times > 0 && (all || over)) {
			give(&s->entries[i], now_ns, ret);
			return 1;
		}
		if (over)
			remove_at(s, i);
		else
			i++;
	}
	return 0;
}

uint32_t surface_seen_n(const struct surface_seen *s)
{
	return s->n;
}
