/* SPDX-License-Identifier: Apache-2.0 */
#include "surface_seen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	uint64_t group; /* 0: not one of a group's objects */
	uint64_t kind;
	uint64_t told_ns;
	uint64_t start_ns;
	uint32_t pid;
	uint32_t times; /* since it was told */
	uint32_t unit; /* place */
	bool is_rest;
	char *key, *found;
};

struct unit {
	uint64_t hash;
	char *name; /* NULL: the place is free */
	uint32_t n; /* entries */
};

struct surface_seen {
	uint64_t window_ns;
	uint32_t n, n_units;
	uint64_t hashes[SURFACE_SEEN_MAX];
	struct entry entries[SURFACE_SEEN_MAX];
	struct unit units[SURFACE_SEEN_MAX];
	struct entry gone; /* whose strings were given out last */
};

/* As what a deed is kept. */
struct as {
	const char *key, *found;
	uint64_t group;
	bool is_rest;
};

/* What there is already, as a deed is looked at. */
struct tally {
	uint32_t objects; /* of its group */
	uint32_t named, of_kind; /* of its unit */
	uint32_t rests; /* of all */
};

#define NO_UNIT SURFACE_SEEN_MAX
#define HASH_START 14695981039346656037u

/* FNV-1a; texts are compared, so whoever makes two of one number gains nothing. */
static uint64_t hash_text(uint64_t h, const char *text)
{
	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 1099511628211u;
	return h ^ 0xff;
}

static uint64_t hash_of(const char *text)
{
	return hash_text(HASH_START, text);
}

static uint64_t hash_deed(const char *key, const char *found)
{
	return hash_text(hash_of(key), found);
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

static uint32_t find_unit(const struct surface_seen *s, const char *name)
{
	uint64_t h = hash_of(name);

	for (uint32_t i = 0; i < SURFACE_SEEN_MAX; i++)
		if (s->units[i].name && s->units[i].hash == h &&
		    strcmp(s->units[i].name, name) == 0)
			return i;
	return NO_UNIT;
}

/* There is a place: each has an entry at least, and one entry is free. */
static uint32_t add_unit(struct surface_seen *s, const char *name)
{
	uint32_t i = 0;

	while (s->units[i].name)
		i++;
	s->units[i] = (struct unit){.hash = hash_of(name), .name = strdup(name)};
	if (!s->units[i].name)
		return NO_UNIT;
	s->n_units++;
	return i;
}

static void leave_unit(struct surface_seen *s, uint32_t i)
{
	struct unit *u = &s->units[i];

	if (u->n > 0 && --u->n > 0)
		return;
	free(u->name);
	*u = (struct unit){.name = NULL};
	s->n_units--;
}

static void forget_gone(struct surface_seen *s)
{
	free(s->gone.key);
	free(s->gone.found);
	s->gone = (struct entry){.key = NULL};
}

/* Its strings live on in s->gone. */
static void remove_at(struct surface_seen *s, uint32_t i)
{
	forget_gone(s);
	s->gone = s->entries[i];
	leave_unit(s, s->gone.unit);
	s->n--;
	s->entries[i] = s->entries[s->n];
	s->hashes[i] = s->hashes[s->n];
}

struct surface_seen *surface_seen_free(struct surface_seen *s)
{
	if (!s)
		return NULL;
	while (s->n > 0)
		remove_at(s, s->n - 1);
	forget_gone(s);
	free(s);
	return NULL;
}

static struct entry *find(struct surface_seen *s, uint32_t unit, const char *key, const char *found)
{
	uint64_t h = hash_deed(key, found);

	for (uint32_t i = 0; i < s->n; i++)
		if (s->hashes[i] == h && s->entries[i].unit == unit &&
		    strcmp(s->entries[i].key, key) == 0 && strcmp(s->entries[i].found, found) == 0)
			return &s->entries[i];
	return NULL;
}

static struct tally count(const struct surface_seen *s, uint32_t unit, uint64_t group,
			  uint64_t kind)
{
	struct tally t = {0};

	for (uint32_t i = 0; i < s->n; i++) {
		const struct entry *e = &s->entries[i];

		t.rests += e->is_rest;
		if (e->unit != unit)
			continue;
		t.objects += e->group == group;
		t.named += !e->is_rest;
		t.of_kind += e->kind == kind;
	}
	return t;
}

/* By name. Of many units each gets as much as all can have: or one would be forgotten for the other in turn, and told each time. */
static uint32_t share(const struct surface_seen *s, const struct tally *t, uint32_t unit)
{
	uint32_t units = s->n_units + (unit == NO_UNIT);
	uint32_t each = (SURFACE_SEEN_MAX - t->rests) / (units ? units : 1);

	return each < SURFACE_SEEN_SHARE ? each : SURFACE_SEEN_SHARE;
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

static bool goes_before(const struct entry *a, const struct entry *b)
{
	return a->is_rest == b->is_rest ? a->told_ns < b->told_ns : b->is_rest;
}

/* The oldest of whoever has most; what stands for many only when there is nothing else. */
static void make_room(struct surface_seen *s, struct surface_seen_deed *ret_gone)
{
	uint32_t most = 0, at = 0;

	for (uint32_t i = 0; i < SURFACE_SEEN_MAX; i++)
		if (s->units[i].n > s->units[most].n)
			most = i;
	while (s->entries[at].unit != most)
		at++;
	for (uint32_t i = at + 1; i < s->n; i++)
		if (s->entries[i].unit == most && goes_before(&s->entries[i], &s->entries[at]))
			at = i;
	remove_at(s, at);
	give(&s->gone, 0, ret_gone);
}

static struct entry *add(struct surface_seen *s, const struct surface_seen_deed *d,
			 const struct as *as, struct surface_seen_deed *ret_gone)
{
	struct entry *e;
	uint32_t unit;

	if (s->n == SURFACE_SEEN_MAX)
		make_room(s, ret_gone);
	e = &s->entries[s->n];
	unit = find_unit(s, d->unit);
	if (unit == NO_UNIT)
		unit = add_unit(s, d->unit);
	if (unit == NO_UNIT)
		return NULL;
	*e = (struct entry){.group = as->group,
			    .kind = hash_of(d->rest),
			    .unit = unit,
			    .is_rest = as->is_rest,
			    .key = strdup(as->key),
			    .found = strdup(as->found)};
	if (!e->key || !e->found) {
		free(e->key);
		free(e->found);
		if (s->units[unit].n == 0)
			leave_unit(s, unit);
		return NULL;
	}
	s->units[unit].n++;
	s->hashes[s->n++] = hash_deed(as->key, as->found);
	return e;
}

/* As itself, as one of its group's many, or in its kind's rest. Folded ones have no value of their own: there may be as many as objects. */
static struct entry *place(struct surface_seen *s, const struct surface_seen_deed *d,
			   struct surface_seen_deed *ret_gone, bool *ret_new)
{
	uint32_t unit = find_unit(s, d->unit);
	struct as as = {d->key, d->found, hash_of(d->folded) | 1, false};
	struct entry *e = find(s, unit, as.key, as.found);
	struct tally t;

	*ret_new = false;
	if (e)
		return e;
	t = count(s, unit, as.group, hash_of(d->rest));
	if (t.objects >= SURFACE_SEEN_OBJECTS) {
		as = (struct as){d->folded, "several", 0, false};
		e = find(s, unit, as.key, as.found);
	}
	/* Whatever else there was: a kind of deed that is new here is never one of several. */
	if (!e && t.of_kind > 0 && t.named >= share(s, &t, unit)) {
		as = (struct as){d->rest, "several", 0, true};
		e = find(s, unit, as.key, as.found);
	}
	*ret_new = !e;
	return e ? e : add(s, d, &as, ret_gone);
}

int surface_seen_take(struct surface_seen *s, const struct surface_seen_deed *d, uint64_t now_ns,
		      struct surface_seen_deed *ret, struct surface_seen_deed *ret_gone)
{
	struct entry *e;
	bool is_new;

	*ret_gone = (struct surface_seen_deed){.times = 0};
	e = place(s, d, ret_gone, &is_new);
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

bool surface_seen_knows(struct surface_seen *s, const struct surface_seen_deed *d)
{
	return find(s, find_unit(s, d->unit), d->key, d->found) != NULL;
}

uint32_t surface_seen_n(const struct surface_seen *s)
{
	return s->n;
}
