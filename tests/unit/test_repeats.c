/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of known programs: each is in the line, by name or in a sum; however many, the line is bounded and no scope takes it all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cleanup.h"
#include "jsonl.h"
#include "repeats.h"

#define DIGEST "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

struct sums {
	uint64_t runs, named, rest, others;
	size_t programs, rests;
};

static void count(struct repeats *r, const struct told *t, const char *scope, const char *key)
{
	struct line l = {.type = PLUMB_TYPE_EXEC, .scope = scope, .key = key, .found = DIGEST};
	struct told_run run;

	told_hash(t, &l, &run);
	repeats_count(r, &l, &run);
}

/* The line as a reader has it; caller frees. */
static json_t *line_of(const struct repeats *r, struct sums *ret)
{
	CLEANUP(buf_done) struct buf members = {0}, text = {0};
	struct why why = {""};
	json_t *o, *list, *item;
	uint64_t n;
	size_t i;

	*ret = (struct sums){0};
	assert_int_equal(repeats_members(r, &members), 0);
	assert_true(members.size <= REPEATS_LINE_SIZE + 8192);
	buf_printf(&text, "{%s}", (char *)members.data);
	assert_int_equal(jsonl_parse(text.data, text.size, 65535, &o, &why), 0);
	assert_int_equal(jsonl_get_uint(o, "runs", UINT32_MAX, &ret->runs, &why), 0);
	assert_int_equal(jsonl_get_uint(o, "rest_runs", UINT32_MAX, &ret->others, &why), 0);
	assert_int_equal(jsonl_get_array(o, "programs", REPEATS_LINE_PROGRAMS, &list, &why), 0);
	ret->programs = json_array_size(list);
	json_array_foreach (list, i, item) {
		assert_int_equal(jsonl_get_uint(item, "n", UINT32_MAX, &n, &why), 0);
		ret->named += n;
	}
	assert_int_equal(jsonl_get_array(o, "rest", REPEATS_SCOPES, &list, &why), 0);
	ret->rests = json_array_size(list);
	json_array_foreach (list, i, item) {
		assert_int_equal(jsonl_get_uint(item, "n", UINT32_MAX, &n, &why), 0);
		ret->rest += n;
	}
	assert_int_equal(ret->runs, ret->named + ret->rest + ret->others);
	return o;
}

static uint64_t n_of(json_t *o, const char *scope, const char *key)
{
	json_t *item;
	size_t i;

	json_array_foreach (json_object_get(o, "programs"), i, item)
		if (strcmp(json_string_value(json_object_get(item, "scope")), scope) == 0 &&
		    strcmp(json_string_value(json_object_get(item, "key")), key) == 0)
			return (uint64_t)json_integer_value(json_object_get(item, "n"));
	return 0;
}

static void test_counts(void **state)
{
	CLEANUP_FREE struct told *t = calloc(1, sizeof(*t));
	struct repeats *r;
	struct sums s;
	json_t *o;

	(void)state;
	assert_int_equal(told_init(t), 0);
	assert_int_equal(repeats_open(&r), 0);
	for (int i = 0; i < 5; i++)
		count(r, t, "host", "exec:/bin/a");
	count(r, t, "host", "exec:/bin/b\xff");
	count(r, t, "image:x", "exec:/bin/a");
	assert_int_equal(repeats_n(r), 7);
	o = line_of(r, &s);
	assert_int_equal(s.named, 7);
	assert_int_equal(n_of(o, "host", "exec:/bin/a"), 5);
	assert_int_equal(n_of(o, "image:x", "exec:/bin/a"), 1);
	json_decref(o);
	repeats_restart(r);
	assert_int_equal(repeats_n(r), 0);
	count(r, t, "host", "exec:/bin/a");
	o = line_of(r, &s);
	assert_int_equal(s.programs, 1);
	assert_int_equal(s.runs, 1);
	json_decref(o);
	repeats_free(r);
}

/* 3,000 programs in one container, before and after it two of others: these are told by name, and nothing is missing in the sum. */
static void test_storm(void **state)
{
	CLEANUP_FREE struct told *t = calloc(1, sizeof(*t));
	char key[600];
	struct repeats *r;
	struct sums s;
	json_t *o;

	(void)state;
	assert_int_equal(told_init(t), 0);
	assert_int_equal(repeats_open(&r), 0);
	for (int turn = 0; turn < 2; turn++) {
		count(r, t, "image:quiet", "exec:/bin/first");
		for (int i = 0; i < 3000; i++) {
			snprintf(key, sizeof(key), "exec:/%0*d", turn ? 5 : 500, i);
			count(r, t, "image:loud", key);
			count(r, t, "image:loud", key);
		}
		count(r, t, "image:late", "exec:/bin/last");
		o = line_of(r, &s);
		assert_int_equal(s.runs, 6002);
		assert_int_equal(n_of(o, "image:quiet", "exec:/bin/first"), 1);
		assert_int_equal(n_of(o, "image:late", "exec:/bin/last"), 1);
		assert_true(s.programs > 2 && s.rest > 5000);
		json_decref(o);
		repeats_restart(r);
	}
	repeats_free(r);
}

/* Scopes without end: 64 have a sum of their own, the others one together. */
static void test_scopes(void **state)
{
	CLEANUP_FREE struct told *t = calloc(1, sizeof(*t));
	char scope[64];
	struct repeats *r;
	struct sums s;

	(void)state;
	assert_int_equal(told_init(t), 0);
	assert_int_equal(repeats_open(&r), 0);
	for (int i = 0; i < 2000; i++) {
		snprintf(scope, sizeof(scope), "container:%d", i);
		count(r, t, scope, "exec:/bin/a");
	}
	json_decref(line_of(r, &s));
	assert_int_equal(s.programs, REPEATS_LINE_PROGRAMS);
	assert_int_equal(s.rests, REPEATS_SCOPES);
	assert_int_equal(s.others, 2000 - REPEATS_LINE_PROGRAMS - s.rest);
	assert_true(s.others > 0);
	repeats_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_storm),
		cmocka_unit_test(test_scopes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
