/* SPDX-License-Identifier: Apache-2.0 */
/* From drift to the next baseline: what is written is what baseline.c reads, and nothing comes in that was not measured. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "accept.h"
#include "baseline.h"
#include "capture_sign.h"

#define HEX_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HEX_0 "0000000000000000000000000000000000000000000000000000000000000000"
#define FROM "tests/data/baseline/baseline.jsonl"

struct bench {
	char dir[64], to[96];
	struct accept *a;
	struct why why;
	uint64_t version;
	char changes[4096];
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	strcpy(b->dir, "/tmp/plumb-test-accept-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	snprintf(b->to, sizeof(b->to), "%s/next.jsonl", b->dir);
	assert_int_equal(accept_open(&b->a), 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	accept_free(b->a);
	unlink(b->to);
	assert_int_equal(rmdir(b->dir), 0);
	free(b);
	return 0;
}

static int add(struct bench *b, const char *key, const char *found)
{
	const struct accept_drift d = {"host", key, found, ""};

	return accept_add(b->a, &d, &b->why);
}

static void changed(void *ctx, const struct accept_change *c)
{
	struct bench *b = ctx;
	size_t n = strlen(b->changes);

	snprintf(b->changes + n, sizeof(b->changes) - n, "%s %s: %s -> %s\n", c->scope, c->key,
		 c->before ? c->before : "-", c->now);
}

static int write_next(struct bench *b, const char *from, uint64_t above)
{
	const struct accept_options o = {
		.from = from, .to = b->to, .above = above, .changed = changed, .ctx = b};

	return accept_write(b->a, &o, &b->version, &b->why);
}

static struct baseline *read_back(struct bench *b)
{
	struct baseline *n = NULL;
	int r = baseline_open(fsio_system(), b->to, NULL, 0, 0, &n, &b->why);

	if (r < 0)
		print_error("%s\n", b->why.text);
	assert_int_equal(r, 0);
	return n;
}

static struct baseline *before(void)
{
	struct baseline *n = NULL;
	struct why why;

	assert_int_equal(baseline_open(fsio_system(), FROM, NULL, 0, 0, &n, &why), 0);
	return n;
}

static int copy_first(void *ctx, const char *scope, const char *key, const char *expected)
{
	char(*first)[512] = ctx;

	(void)scope;
	(void)expected;
	if (strncmp(key, "file:", 5) != 0)
		return 0;
	snprintf(*first, sizeof(*first), "%s", key);
	return 1;
}

static int is_still_there(void *ctx, const char *scope, const char *key, const char *expected)
{
	const char *now = baseline_expected(ctx, scope, key);

	assert_non_null(now);
	assert_string_equal(now, expected);
	return 0;
}

static void test_next_version(void **state)
{
	struct bench *b = *state;
	struct baseline *old = before(), *new;
	uint64_t version = baseline_info(old)->version, count = baseline_info(old)->count;

	assert_int_equal(add(b, "exec:/opt/tool", "sha256:" HEX_A), 0);
	assert_int_equal(add(b, "file:/zzz/last", "reg 0644 0:0 1 sha256:" HEX_A), 0);
	assert_int_equal(add(b, "a:first", "absent"), 0);
	assert_int_equal(write_next(b, FROM, 0), 0);
	assert_int_equal(b->version, version + 1);
	new = read_back(b);
	assert_int_equal(baseline_info(new)->version, version + 1);
	assert_int_equal(baseline_info(new)->count, count + 3);
	assert_string_equal(baseline_info(new)->name, baseline_info(old)->name);
	assert_string_equal(baseline_expected(new, "host", "exec:sha256:" HEX_A), "/opt/tool");
	assert_string_equal(baseline_expected(new, "host", "a:first"), "absent");
	assert_int_equal(baseline_is_closed(new, "exec:/x"), baseline_is_closed(old, "exec:/x"));
	assert_int_equal(baseline_each(old, is_still_there, new), 0);
	assert_non_null(strstr(b->changes, "host exec:sha256:" HEX_A ": - -> /opt/tool\n"));
	baseline_free(old);
	baseline_free(new);
}

static void test_replaces_what_was_expected(void **state)
{
	struct bench *b = *state;
	struct baseline *old = before(), *new;
	char key[512] = "";

	baseline_each(old, copy_first, &key);
	assert_true(key[0]);
	assert_int_equal(add(b, key, "absent"), 0);
	assert_int_equal(write_next(b, FROM, 0), 0);
	new = read_back(b);
	assert_string_equal(baseline_expected(new, "host", key), "absent");
	assert_int_equal(baseline_info(new)->count, baseline_info(old)->count);
	assert_non_null(strstr(b->changes, baseline_expected(old, "host", key)));
	baseline_free(old);
	baseline_free(new);
}

static void test_above_what_the_verifier_has(void **state)
{
	struct bench *b = *state;
	struct baseline *new;

	assert_int_equal(add(b, "a:b", "c"), 0);
	assert_int_equal(write_next(b, FROM, 41), 0);
	assert_int_equal(b->version, 42);
	new = read_back(b);
	assert_int_equal(baseline_info(new)->version, 42);
	baseline_free(new);
}

static void test_no_version_above(void **state)
{
	struct bench *b = *state;

	assert_int_equal(add(b, "a:b", "c"), 0);
	assert_int_equal(write_next(b, FROM, INT64_MAX), -EINVAL);
	assert_int_equal(access(b->to, F_OK), -1);
}

static void test_signed_it_is_taken(void **state)
{
	struct bench *b = *state;
	struct sign_key *key = NULL;
	struct baseline *new = NULL;

	assert_int_equal(sign_key_generate(SIGN_ED25519, &key), 0);
	assert_int_equal(add(b, "a:b", "größe \"\\\n\x01"), 0);
	assert_int_equal(write_next(b, FROM, 0), 0);
	assert_int_equal(baseline_open(fsio_system(), b->to, (const struct sign_key *const *)&key,
				       1, 0, &new, &b->why),
			 -EKEYREJECTED);
	assert_int_equal(capture_sign(fsio_system(), b->to, key, &b->why), 0);
	assert_int_equal(baseline_open(fsio_system(), b->to, (const struct sign_key *const *)&key,
				       1, 0, &new, &b->why),
			 0);
	assert_string_equal(baseline_expected(new, "host", "a:b"), "größe \"\\\n\x01");
	baseline_free(new);
	sign_key_free(key);
}

static void refuses(struct bench *b, const char *key, const char *found, const char *text)
{
	assert_int_equal(add(b, key, found), -EINVAL);
	if (!strstr(b->why.text, text))
		print_error("%s\n", b->why.text);
	assert_non_null(strstr(b->why.text, text));
}

static void test_what_cannot_be_expected(void **state)
{
	const struct accept_drift finding = {"host", "finding:gap", "agent away", "gap"};
	const struct accept_drift half = {"host", "finding:gap", "agent away", ""};
	const struct accept_drift nowhere = {"", "file:/x", "absent", ""};
	char longer[9000];
	struct bench *b = *state;

	assert_int_equal(accept_add(b->a, &finding, &b->why), -EINVAL);
	assert_int_equal(accept_add(b->a, &half, &b->why), -EINVAL);
	assert_int_equal(accept_add(b->a, &nowhere, &b->why), -EINVAL);
	refuses(b, "file:/x", "unreadable EACCES", "no value to expect");
	refuses(b, "file:/x", "unreadable", "no value to expect");
	refuses(b, "exec:/x", "unmeasured gone", "no value to expect");
	refuses(b, "sysctl:x", "unknown ENOENT", "no value to expect");
	refuses(b, "file:/x", "", "no value to expect");
	refuses(b, "", "absent", "no value to expect");
	refuses(b, "exec:/x", "absent", "no digest");
	refuses(b, "exec:/x", "sha256:" HEX_A "a", "no digest");
	refuses(b, "exec:/x",
		"sha256:AAAAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		"no digest");
	refuses(b, "file:/bad\xef\xbf\xbd", "absent", "byte for byte");
	refuses(b, "file:/x", "link 0:0 -> \xef\xbf\xbd", "byte for byte");
	refuses(b, "file:/x", "abc... sha256:" HEX_A, "byte for byte");
	refuses(b, "file:/abc... sha256:" HEX_A, "absent", "byte for byte");
	refuses(b, "module:x", "loaded", "srcversion");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	refuses(b, "file:/x", longer, "byte for byte");
	assert_int_equal(add(b, "module:x", "loaded srcversion=1"), 0);
}

static void test_one_key_one_value(void **state)
{
	struct bench *b = *state;
	struct baseline *new;

	/* The same program under two names, and the same file on two nodes, are no contradiction. */
	assert_int_equal(add(b, "exec:/opt/a", "sha256:" HEX_A), 0);
	assert_int_equal(add(b, "exec:/opt/b", "sha256:" HEX_A), 0);
	assert_int_equal(add(b, "file:/x", "absent"), 0);
	assert_int_equal(add(b, "file:/y", "absent"), 0);
	assert_int_equal(add(b, "file:/x", "absent"), 0);
	assert_int_equal(write_next(b, FROM, 0), 0);
	new = read_back(b);
	assert_string_equal(baseline_expected(new, "host", "file:/x"), "absent");
	baseline_free(new);
}

static void test_two_values_for_one_key(void **state)
{
	struct bench *b = *state;

	assert_int_equal(add(b, "file:/x", "reg 0644 0:0 1 sha256:" HEX_A), 0);
	assert_int_equal(add(b, "file:/y", "absent"), 0);
	assert_int_equal(add(b, "file:/x", "reg 0644 0:0 1 sha256:" HEX_0), 0);
	assert_int_equal(write_next(b, FROM, 0), -EINVAL);
	assert_non_null(strstr(b->why.text, "file:/x"));
	assert_int_equal(access(b->to, F_OK), -1);
}

static void test_a_scope_that_is_not_judged(void **state)
{
	const struct accept_drift d = {"image:sha256:" HEX_A, "file:/x", "absent", ""};
	struct bench *b = *state;

	assert_int_equal(accept_add(b->a, &d, &b->why), 0);
	assert_int_equal(write_next(b, FROM, 0), -EINVAL);
	assert_non_null(strstr(b->why.text, "scope"));
	assert_int_equal(access(b->to, F_OK), -1);
}

static void test_nothing_new(void **state)
{
	struct baseline *old = before();
	struct bench *b = *state;
	char key[512] = "";

	baseline_each(old, copy_first, &key);
	assert_int_equal(add(b, key, baseline_expected(old, "host", key)), 0);
	assert_int_equal(write_next(b, FROM, 0), -EALREADY);
	assert_int_equal(access(b->to, F_OK), -1);
	baseline_free(old);
}

static void test_no_baseline_to_go_on_from(void **state)
{
	struct bench *b = *state;

	assert_int_equal(add(b, "a:b", "c"), 0);
	assert_int_equal(write_next(b, "/nonexistent", 0), -ENOENT);
	assert_int_equal(write_next(b, "tests/data/baseline/header.json", 0), -EBADMSG);
	assert_int_equal(access(b->to, F_OK), -1);
}

static void test_a_bound(void **state)
{
	struct bench *b = *state;
	char key[32];

	for (uint32_t i = 0; i < ACCEPT_MAX_ENTRIES; i++) {
		snprintf(key, sizeof(key), "file:/%08x", i * 2654435761u);
		assert_int_equal(add(b, key, "absent"), 0);
	}
	assert_int_equal(add(b, "file:/more", "absent"), -E2BIG);
	assert_int_equal(write_next(b, FROM, 0), 0);
	baseline_free(read_back(b));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_next_version),
		T(test_replaces_what_was_expected),
		T(test_above_what_the_verifier_has),
		T(test_no_version_above),
		T(test_signed_it_is_taken),
		T(test_what_cannot_be_expected),
		T(test_one_key_one_value),
		T(test_two_values_for_one_key),
		T(test_a_scope_that_is_not_judged),
		T(test_nothing_new),
		T(test_no_baseline_to_go_on_from),
		T(test_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
