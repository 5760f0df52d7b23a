/* SPDX-License-Identifier: Apache-2.0 */
#include "twins.h"

#include <errno.h>
#include <stdlib.h>

#define NONE UINT32_MAX

struct place {
	struct twin twin;
	uint32_t chain; /* of the same bucket, the next older one; of free places the next */
	uint32_t older, newer;
};

struct twins {
	struct place places[TWINS_MAX];
	uint32_t buckets
		[TWINS_MAX]; /* by process: a burst must not make each sighting look at all others */
	uint32_t oldest, newest, free, n;
};

static uint32_t *bucket_of(struct twins *t, uint32_t pid)
{
	return &t->buckets[pid * 2654435761u % TWINS_MAX];
}

void twins_clear(struct twins *t)
{
	for (uint32_t i = 0; i < TWINS_MAX; i++) {
		t->buckets[i] = NONE;
		t->places[i].chain = i + 1 < TWINS_MAX ? i + 1 : NONE;
	}
	t->free = 0;
	t->oldest = t->newest = NONE;
	t->n = 0;
}

int twins_open(struct twins **ret)
{
	struct twins *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	twins_clear(t);
	*ret = t;
	return 0;
}

struct twins *twins_free(struct twins *t)
{
	free(t);
	return NULL;
}

bool twins_put(struct twins *t, const struct twin *twin)
{
	uint32_t i = t->free, *bucket = bucket_of(t, twin->pid);
	struct place *p;

	if (i == NONE)
		return false;
	p = &t->places[i];
	t->free = p->chain;
	*p = (struct place){*twin, *bucket, t->newest, NONE};
	*bucket = i;
	if (t->newest != NONE)
		t->places[t->newest].newer = i;
	else
		t->oldest = i;
	t->newest = i;
	t->n++;
	return true;
}

static void drop(struct twins *t, uint32_t i)
{
	struct place *p = &t->places[i];
	uint32_t *at = bucket_of(t, p->twin.pid);

	while (*at != i)
		at = &t->places[*at].chain;
	*at = p->chain;
	if (p->older != NONE)
		t->places[p->older].newer = p->newer;
	else
		t->oldest = p->newer;
	if (p->newer != NONE)
		t->places[p->newer].older = p->older;
	else
		t->newest = p->older;
	p->chain = t->free;
	t->free = i;
	t->n--;
}

static bool are_twins(const struct twin *a, const struct twin *b, uint64_t window_ns)
{
	uint64_t apart = a->at_ns > b->at_ns ? a->at_ns - b->at_ns : b->at_ns - a->at_ns;

	return a->source != b->source && a->pid == b->pid && apart <= window_ns &&
	       (a->start_ns == 0 || b->start_ns == 0 || a->start_ns == b->start_ns);
}

bool twins_match(struct twins *t, const struct twin *twin, uint64_t window_ns)
{
	uint32_t found = NONE;

	for (uint32_t i = *bucket_of(t, twin->pid); i != NONE; i = t->places[i].chain)
		if (are_twins(&t->places[i].twin, twin, window_ns))
			found = i;
	if (found == NONE)
		return false;
	drop(t, found);
	return true;
}

const struct twin *twins_oldest(const struct twins *t)
{
	return t->oldest != NONE ? &t->places[t->oldest].twin : NULL;
}

void twins_drop_oldest(struct twins *t)
{
	if (t->oldest != NONE)
		drop(t, t->oldest);
}

uint32_t twins_n(const struct twins *t)
{
	return t->n;
}
