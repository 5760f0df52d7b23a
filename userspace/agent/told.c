/* SPDX-License-Identifier: Apache-2.0 */
#include "told.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#define UNIT_DEPTH \
	2 /* /user.slice/user-1000.slice, /system.slice/x.service: nobody gets out of that by cgroups of his own */

static uint64_t step(uint64_t h, unsigned char c)
{
	return (h ^ c) * 0x100000001b3ull;
}

/*
 * Eight bytes at a time: all texts of every run go through here. Both halves of the product are kept: in the lower one alone, whoever
 * changes a word's highest bit knows what that does to the result without knowing the seed.
 */
static uint64_t mix_bytes(uint64_t h, const char *text, size_t size)
{
	for (; size >= sizeof(h); size -= sizeof(h), text += sizeof(h)) {
		unsigned __int128 product;
		uint64_t w;

		memcpy(&w, text, sizeof(w));
		product = (unsigned __int128)(h ^ w) * 0x9e3779b97f4a7c15ull;
		h = (uint64_t)(product >> 64) ^ (uint64_t)product;
	}
	for (; size > 0; size--)
		h = step(h, (unsigned char)*text++);
	return h;
}

static uint64_t mix(uint64_t h, const char *text)
{
	return step(text ? mix_bytes(h, text, strlen(text)) : h, 0xff);
}

int told_init(struct told *t)
{
	return getrandom(&t->seed, sizeof(t->seed), 0) == sizeof(t->seed) ? 0 : -EIO;
}

/* systemd counts these up: session-12.scope, run-u34.service, run-r0123abcd.scope. */
static bool is_counted_up(const char *name, size_t size)
{
	return (size > 8 && strncmp(name, "session-", 8) == 0) ||
	       (size > 4 && strncmp(name, "run-", 4) == 0);
}

/* Each login would be a cgroup of its own, and every program new in it: such names count by what is not a number in them. */
static uint64_t mix_cgroup(uint64_t h, const char *path)
{
	while (path && *path) {
		size_t size = strcspn(path + 1, "/") + 1;

		if (is_counted_up(path + 1, size - 1)) {
			const char *dot = memrchr(path, '.', size);

			h = step(h, (unsigned char)path[1]);
			h = dot ? mix(h, dot) : h;
			path += size;
			continue;
		}
		h = mix_bytes(h, path, size);
		path += size;
	}
	return step(h, 0xff);
}

/* A container is a unit; on the host what lies below a service or a user's slice is one. */
static uint64_t unit_of(uint64_t h, const struct line *l)
{
	const char *path = l->has_actor && l->actor.known ? l->actor.cgroup : NULL;
	int depth = 0;

	h = mix(h, l->scope);
	if (l->has_actor && l->actor.known && l->actor.container)
		return mix(h, l->actor.container);
	for (; path && *path; path++) {
		if (*path == '/' && depth++ == UNIT_DEPTH)
			break;
		h = step(h, (unsigned char)*path);
	}
	return h;
}

void told_hash(const struct told *t, const struct line *l, struct told_run *ret)
{
	const struct line_actor *a = &l->actor;
	bool known = l->has_actor && a->known;
	uint64_t h = mix(mix(mix(t->seed, l->scope), l->key), l->found);

	ret->program = h ? h : 1;
	h = mix(h, l->op);
	/* A file that is mapped is told by whoever was first: every program maps the same libraries. */
	if (l->type == PLUMB_TYPE_CODE && strncmp(l->key, "code:", 5) == 0) {
		ret->run = h ? h : 1;
		ret->unit = unit_of(t->seed, l);
		return;
	}
	h = step(h, known);
	for (int i = 0; known && i < 4; i++)
		h = step(h, (unsigned char)(a->uid >> 8 * i));
	h = mix_cgroup(h, known ? a->cgroup : NULL);
	/* Of a script the actor is its caller, which a rule may ask for; of a program it is the program itself. */
	h = mix(h, known && l->op ? a->exe : NULL);
	ret->run = h ? h : 1;
	ret->unit = unit_of(t->seed, l);
}

static uint32_t place_of(uint64_t hash, uint32_t n)
{
	return (uint32_t)(hash ^ hash >> 32) & (n - 1);
}

bool told_knows(const struct told *t, const struct told_run *r)
{
	const struct told_place *set = t->places[place_of(r->run, TOLD_SETS)];

	for (uint32_t i = 0; i < TOLD_WAYS; i++)
		if (set[i].run == r->run)
			return true;
	return false;
}

static uint32_t n_of(const struct told_place *set, uint64_t unit)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < TOLD_WAYS; i++)
		n += set[i].run && set[i].unit == unit;
	return n;
}

void told_put(struct told *t, const struct told_run *r)
{
	struct told_place *set = t->places[place_of(r->run, TOLD_SETS)];
	uint32_t own = n_of(set, r->unit), at = 0, best = 0;

	for (uint32_t k = 0; k < TOLD_WAYS; k++) {
		uint32_t i = (k + t->turn) % TOLD_WAYS, weight = n_of(set, set[i].unit);

		if (!set[i].run || set[i].run == r->run) {
			at = i;
			break;
		}
		/* Who has half of the set makes room himself; else whoever has most. */
		if (own >= TOLD_WAYS / 2 && set[i].unit == r->unit)
			weight = TOLD_WAYS + 1;
		if (weight > best) {
			best = weight;
			at = i;
		}
	}
	t->turn++;
	set[at] = (struct told_place){r->run, r->unit};
}

void told_forget(struct told *t)
{
	memset(t->places, 0, sizeof(t->places));
}

bool told_ends_drift(struct told *t, const struct line *l, enum plumb_judgement judged)
{
	uint64_t hash = mix(mix(t->seed, l->scope), l->key);
	uint64_t *place = &t->drifts[place_of(hash, TOLD_DRIFTS)];

	if (terms_type_is_deed(l->type))
		return false;
	if (judged == PLUMB_JUDGE_DRIFT) {
		*place = hash;
		return false;
	}
	if (judged != PLUMB_JUDGE_OK || *place != hash)
		return false;
	*place = 0;
	return true;
}
