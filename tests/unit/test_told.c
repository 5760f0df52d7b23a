/* SPDX-License-Identifier: Apache-2.0 */
/* What is a repeat: only what no rule of a policy could tell apart; and a storm in one cgroup makes nobody else's programs forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "told.h"

#define DIGEST "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static struct line line_of(const char *scope, const char *key, uint32_t uid, const char *cgroup)
{
	return (struct line){
		.type = PLUMB_TYPE_EXEC,
		.scope = scope,
		.key = key,
		.found = DIGEST,
		.has_actor = true,
		.actor = {.known = true, .uid = uid, .cgroup = cgroup, .exe = key + 5}};
}

static bool same(const struct told *t, const struct line *a, const struct line *b)
{
	struct told_run x, y;

	told_hash(t, a, &x);
	told_hash(t, b, &y);
	return x.run == y.run;
}

static void test_what_differs(void **state)
{
	struct told *t = calloc(1, sizeof(*t));
	struct line a = line_of("host", "exec:/bin/a", 0, "/system.slice/x.service"), b = a;
	struct told_run x, y;

	(void)state;
	assert_int_equal(told_init(t), 0);
	assert_true(same(t, &a, &b));
	b.actor.pid = 77;
	b.actor.start_ns = 5;
	assert_true(same(t, &a, &b));
	b = line_of("host", "exec:/bin/a", 1000, "/system.slice/x.service");
	assert_false(same(t, &a, &b));
	told_hash(t, &a, &x);
	told_hash(t, &b, &y);
	assert_int_equal(x.program, y.program); /* counted as one program all the same */
	b = line_of("host", "exec:/bin/a", 0, "/system.slice/y.service");
	assert_false(same(t, &a, &b));
	b = line_of("image:x", "exec:/bin/a", 0, "/system.slice/x.service");
	assert_false(same(t, &a, &b));
	b = a;
	b.actor.known = false;
	assert_false(same(t, &a, &b));
	b = a;
	b.found = "sha256:00";
	assert_false(same(t, &a, &b));
	/* Of a script the actor is who gave it to an interpreter. */
	b = a;
	b.actor.exe = "/bin/other";
	assert_true(same(t, &a, &b));
	a.op = b.op = "script";
	assert_false(same(t, &a, &b));
	free(t);
}

/* What systemd counts up is no other cgroup; what a person named is, digits or not. */
static void test_counted_up(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{"/user.slice/user-0.slice/session-1.scope",
		 "/user.slice/user-0.slice/session-22.scope", true},
		{"/system.slice/run-u3.service", "/system.slice/run-u44.service", true},
		{"/system.slice/run-u3.service/a", "/system.slice/run-u44.service/b", false},
		{"/system.slice/run-u3.service", "/system.slice/run-u3.scope", false},
		{"/user.slice/user-0.slice/session-1.scope",
		 "/user.slice/user-1000.slice/session-1.scope", false},
		{"/system.slice/worker-1.service", "/system.slice/worker-2.service", false},
		{"/session-", "/session-1", false},
		{NULL, "", true},
	};
	struct told *t = calloc(1, sizeof(*t));

	(void)state;
	assert_int_equal(told_init(t), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct line a = line_of("host", "exec:/bin/a", 0, rows[i].a);
		struct line b = line_of("host", "exec:/bin/a", 0, rows[i].b);

		if (same(t, &a, &b) != rows[i].same)
			print_message("# row %zu\n", i);
		assert_int_equal(same(t, &a, &b), rows[i].same);
	}
	free(t);
}

/* Every program maps the same libraries: whoever was first is told. What an interpreter was given is its caller's deed. */
static void test_mapped(void **state)
{
	struct told *t = calloc(1, sizeof(*t));
	struct line a = line_of("host", "code:/lib/x.so", 0, "/system.slice/x.service"), b;

	(void)state;
	assert_int_equal(told_init(t), 0);
	a.type = PLUMB_TYPE_CODE;
	a.op = "map";
	b = a;
	b.actor.uid = 1000;
	b.actor.exe = "/bin/other";
	b.actor.cgroup = "/user.slice";
	assert_true(same(t, &a, &b));
	b.op = "script";
	assert_false(same(t, &a, &b));
	b = a;
	b.scope = "image:x";
	assert_false(same(t, &a, &b));
	a.key = b.key = "unnamed:stdin:/bin/sh";
	b.scope = a.scope;
	assert_true(same(t, &a, &b));
	b.actor.uid = 1000;
	assert_false(same(t, &a, &b));
	free(t);
}

static void test_units(void **state)
{
	struct told *t = calloc(1, sizeof(*t));
	struct line a = line_of("host", "exec:/a", 0, "/user.slice/user-1000.slice/a/b/c");
	struct line b = line_of("host", "exec:/b", 7, "/user.slice/user-1000.slice/x");
	struct told_run x, y;

	(void)state;
	assert_int_equal(told_init(t), 0);
	told_hash(t, &a, &x);
	told_hash(t, &b, &y);
	assert_int_equal(x.unit, y.unit); /* cgroups of his own bring a user no more room */
	b = line_of("host", "exec:/b", 7, "/user.slice/user-1001.slice/x");
	told_hash(t, &b, &y);
	assert_int_not_equal(x.unit, y.unit);
	a = line_of("image:1", "exec:/a", 0, "/kubepods.slice/x/1");
	b = line_of("image:1", "exec:/a", 0, "/kubepods.slice/x/2");
	a.actor.container = "aa";
	b.actor.container = "bb";
	told_hash(t, &a, &x);
	told_hash(t, &b, &y);
	assert_int_not_equal(x.unit, y.unit);
	free(t);
}

/* A hundred thousand programs of one user: of 1,000 programs of ten services nearly all are known after it as before. */
static void test_storm(void **state)
{
	struct told *t = calloc(1, sizeof(*t));
	char key[64], cgroup[64];
	uint32_t known = 0;
	struct told_run run;
	struct line l;

	(void)state;
	assert_int_equal(told_init(t), 0);
	for (uint32_t pass = 0; pass < 2; pass++) {
		for (uint32_t i = 0; i < 1000; i++) {
			snprintf(key, sizeof(key), "exec:/usr/bin/%u", i);
			snprintf(cgroup, sizeof(cgroup), "/system.slice/s%u.service", i % 10);
			l = line_of("host", key, 0, cgroup);
			told_hash(t, &l, &run);
			if (pass == 0)
				told_put(t, &run);
			else
				known += told_knows(t, &run);
		}
		for (uint32_t i = 0; pass == 0 && i < 100000; i++) {
			snprintf(key, sizeof(key), "exec:/tmp/%u", i);
			l = line_of("host", key, 1000, "/user.slice/user-1000.slice/x");
			told_hash(t, &l, &run);
			told_put(t, &run);
			assert_true(told_knows(t, &run));
		}
	}
	assert_true(known >= 975);
	told_forget(t);
	assert_false(told_knows(t, &run));
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_differs), cmocka_unit_test(test_counted_up),
		cmocka_unit_test(test_mapped),	     cmocka_unit_test(test_units),
		cmocka_unit_test(test_storm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
