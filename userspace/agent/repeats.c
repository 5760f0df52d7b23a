/* SPDX-License-Identifier: Apache-2.0 */
#include "repeats.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cgroups.h"
#include "cleanup.h"
#include "jsonl.h"

#define INDEX_SIZE (REPEATS_MAX * 4) /* a power of two */

struct program {
	uint64_t hash, unit, n;
	char *scope, *key, *found; /* NULL: the place is free */
};

struct rest {
	char scope[CGROUPS_SCOPE_SIZE];
	uint64_t n;
};

struct repeats {
	struct program programs[REPEATS_MAX];
	uint32_t index[INDEX_SIZE]; /* place + 1; 0: free. Rebuilt when a program goes */
	uint32_t n_programs, oldest;
	bool packed; /* since the last line: there is no place of one that did not run */
	uint64_t n;
	struct rest rest[REPEATS_SCOPES];
	uint64_t rest_n; /* of scopes that found no place in rest */
};

/* One that is told, and how many of its scope ran more often. */
struct ranked {
	const struct program *p;
	uint32_t rank;
};

int repeats_open(struct repeats **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

static void drop(struct program *p)
{
	free(p->scope);
	free(p->key);
	free(p->found);
	*p = (struct program){.hash = 0};
}

struct repeats *repeats_free(struct repeats *r)
{
	if (!r)
		return NULL;
	for (uint32_t i = 0; i < r->n_programs; i++)
		drop(&r->programs[i]);
	free(r);
	return NULL;
}

static uint32_t *slot(struct repeats *r, uint64_t hash)
{
	uint32_t at = (uint32_t)(hash ^ hash >> 29) & (INDEX_SIZE - 1);

	while (r->index[at] && r->programs[r->index[at] - 1].hash != hash)
		at = (at + 1) & (INDEX_SIZE - 1);
	return &r->index[at];
}

static void index_anew(struct repeats *r)
{
	memset(r->index, 0, sizeof(r->index));
	for (uint32_t i = 0; i < r->n_programs; i++)
		if (r->programs[i].hash)
			*slot(r, r->programs[i].hash) = i + 1;
}

/* Programs that did not run since the last line give up their places. */
static bool make_room(struct repeats *r)
{
	uint32_t kept = 0;

	if (r->packed)
		return false;
	r->packed = true;
	for (uint32_t i = 0; i < r->n_programs; i++) {
		if (r->programs[i].n == 0) {
			drop(&r->programs[i]);
			continue;
		}
		if (kept != i) {
			r->programs[kept] = r->programs[i];
			r->programs[i] = (struct program){.hash = 0};
		}
		kept++;
	}
	r->n_programs = kept;
	index_anew(r);
	return kept < REPEATS_MAX;
}

static uint32_t n_of_unit(const struct repeats *r, uint64_t unit)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->n_programs; i++)
		n += r->programs[i].unit == unit;
	return n;
}

static struct program *add(struct repeats *r, const struct line *l, const struct told_run *run)
{
	struct program p = {.hash = run->program, .unit = run->unit};

	if (r->n_programs == REPEATS_MAX && !make_room(r))
		return NULL;
	if (n_of_unit(r, run->unit) >= REPEATS_OF_UNIT &&
	    (!make_room(r) || n_of_unit(r, run->unit) >= REPEATS_OF_UNIT))
		return NULL;
	p.scope = strdup(l->scope);
	p.key = strdup(l->key);
	p.found = strdup(l->found);
	if (!p.scope || !p.key || !p.found) {
		drop(&p);
		return NULL;
	}
	r->programs[r->n_programs++] = p;
	*slot(r, p.hash) = r->n_programs;
	return &r->programs[r->n_programs - 1];
}

static void add_rest(struct rest *rest, uint64_t *others, const char *scope, uint64_t n)
{
	for (uint32_t i = 0; i < REPEATS_SCOPES; i++) {
		if (rest[i].n == 0)
			strncpy(rest[i].scope, scope, sizeof(rest[i].scope) - 1);
		else if (strcmp(rest[i].scope, scope) != 0)
			continue;
		rest[i].n += n;
		return;
	}
	*others += n;
}

void repeats_count(struct repeats *r, const struct line *l, const struct told_run *run)
{
	uint32_t at = *slot(r, run->program);
	struct program *p = at ? &r->programs[at - 1] : add(r, l, run);

	r->n++;
	if (p)
		p->n++;
	else
		add_rest(r->rest, &r->rest_n, l->scope, 1);
}

uint64_t repeats_n(const struct repeats *r)
{
	return r->n;
}

/* By scope, and in it the most frequent first. */
static int by_scope(const void *a, const void *b)
{
	const struct program *x = ((const struct ranked *)a)->p, *y = ((const struct ranked *)b)->p;
	int r = strcmp(x->scope, y->scope);

	return r != 0 ? r : (x->n < y->n) - (x->n > y->n);
}

static int by_rank(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->rank != y->rank)
		return (x->rank > y->rank) - (x->rank < y->rank);
	return (x->p->n < y->p->n) - (x->p->n > y->p->n);
}

/* The first of each scope, then the second of each, …: a scope that runs much takes no line from one that runs little. */
static uint32_t rank_all(const struct repeats *r, struct ranked *ret)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->n_programs; i++)
		if (r->programs[i].n > 0)
			ret[n++] = (struct ranked){&r->programs[i], 0};
	qsort(ret, n, sizeof(*ret), by_scope);
	for (uint32_t i = 1; i < n; i++)
		if (strcmp(ret[i].p->scope, ret[i - 1].p->scope) == 0)
			ret[i].rank = ret[i - 1].rank + 1;
	qsort(ret, n, sizeof(*ret), by_rank);
	return n;
}

int repeats_members(const struct repeats *r, struct buf *ret)
{
	CLEANUP_FREE struct ranked *all = calloc(REPEATS_MAX, sizeof(*all));
	CLEANUP_FREE struct rest *rest = calloc(REPEATS_SCOPES, sizeof(*rest));
	struct jsonl j = {.buf = ret};
	uint64_t others = r->rest_n;
	size_t start = ret->size;
	uint32_t n, told = 0;

	if (!all || !rest)
		return -ENOMEM;
	memcpy(rest, r->rest, sizeof(r->rest));
	n = rank_all(r, all);
	jsonl_uint(&j, "runs", r->n);
	jsonl_array(&j, "programs");
	for (uint32_t i = 0; i < n; i++) {
		const struct program *p = all[i].p;

		/* A path may be written twice, and each of its bytes as six. */
		if (told == REPEATS_LINE_PROGRAMS ||
		    ret->size - start + 8 * strlen(p->key) + 512 > REPEATS_LINE_SIZE) {
			add_rest(rest, &others, p->scope, p->n);
			continue;
		}
		told++;
		jsonl_object(&j, NULL);
		jsonl_str(&j, "scope", p->scope);
		jsonl_path(&j, "key", p->key);
		jsonl_path(&j, "found", p->found);
		jsonl_uint(&j, "n", p->n);
		jsonl_close(&j);
	}
	jsonl_close(&j);
	jsonl_array(&j, "rest");
	for (uint32_t i = 0; i < REPEATS_SCOPES && rest[i].n > 0; i++) {
		jsonl_object(&j, NULL);
		jsonl_str(&j, "scope", rest[i].scope);
		jsonl_uint(&j, "n", rest[i].n);
		jsonl_close(&j);
	}
	jsonl_close(&j);
	jsonl_uint(&j, "rest_runs", others);
	return buf_status(ret);
}

void repeats_restart(struct repeats *r)
{
	for (uint32_t i = 0; i < r->n_programs; i++)
		r->programs[i].n = 0;
	memset(r->rest, 0, sizeof(r->rest));
	r->rest_n = r->n = 0;
	r->packed = false;
}
