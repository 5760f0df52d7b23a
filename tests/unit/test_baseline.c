/* SPDX-License-Identifier: Apache-2.0 */
/* A baseline captured, signed, opened and judged by; and its twins: wrong key, older, changed, cut, unsorted. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capture.h"
#include "judge.h"

static char dir[64], path[96];
static struct sign_key *key, *other;
static struct buf document;

static void put_file(const char *name, const char *text, mode_t mode)
{
	char full[128];

	snprintf(full, sizeof(full), "%s/%s", dir, name);
	assert_int_equal(fsio_replace_file(fsio_system(), full, text, strlen(text), mode), 0);
}

static int setup(void **state)
{
	struct buf plain = {0}, pem = {0};
	struct capture_options o = {.name = "test", .version = 5, .n_exec = 1, .n_files = 1};
	const char *roots[1];
	struct why why = {""};
	uint64_t count = 0;

	(void)state;
	strcpy(dir, "/tmp/plumb-test-base-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s.jsonl", dir);
	put_file("tool", "#!/bin/sh\n", 0755);
	put_file("conf", "x=1\n", 0644);
	roots[0] = dir;
	o.exec = roots;
	o.files = roots;
	assert_int_equal(sign_key_generate(SIGN_ED25519, &key), 0);
	assert_int_equal(sign_key_generate(SIGN_P256, &other), 0);
	assert_int_equal(sign_key_private_pem(key, &pem), 0);
	assert_int_equal(capture_make(&o, &plain, &count, &why), 0);
	assert_int_equal(count, 4); /* the program, and three files: directory, conf, tool */
	assert_int_equal(
		capture_sign(plain.data, plain.size, (char *)pem.data, pem.size, &document, &why),
		0);
	buf_done(&plain);
	buf_done(&pem);
	return 0;
}

static int teardown(void **state)
{
	char command[256];

	(void)state;
	key = sign_key_free(key);
	other = sign_key_free(other);
	buf_done(&document);
	snprintf(command, sizeof(command), "rm -rf %s %s", dir, path);
	return system(command);
}

static int open_as(const void *data, size_t size, const struct sign_key *k, uint64_t min,
		   struct baseline **ret)
{
	struct why why = {""};
	int r;

	assert_int_equal(fsio_replace_file(fsio_system(), path, data, size, 0600), 0);
	r = baseline_open(fsio_system(), path, &k, k ? 1 : 0, min, ret, &why);
	if (r < 0)
		assert_non_null(strstr(why.text, "plumb-test-base"));
	return r;
}

static void test_refused(void **state)
{
	struct baseline *b = NULL;
	char *twin = malloc(document.size);
	char *second;

	(void)state;
	assert_int_equal(open_as(document.data, document.size, other, 0, &b), -EKEYREJECTED);
	assert_int_equal(open_as(document.data, document.size, key, 6, &b), -ESTALE);
	second = memchr(document.data, '\n', document.size);
	for (size_t at = 0; at < document.size; at += 7) {
		assert_true(open_as(document.data, at, key, 0, &b) < 0);
		/* The envelope's keyid is a hint that nobody signed: only payload and entries are turned. */
		if (at > 200 && at < (size_t)(second - (char *)document.data))
			continue;
		memcpy(twin, document.data, document.size);
		twin[at] ^= 1;
		assert_true(open_as(twin, document.size, key, 0, &b) < 0);
	}
	/* Two entries change places: also when nobody looks at the signature. */
	memcpy(twin, document.data, document.size);
	{
		char *first = twin + (second + 1 - (char *)document.data);
		char *next = strchr(first, '\n') + 1;
		char *end = strchr(next, '\n') + 1;
		char copy[2048];
		size_t n = (size_t)(next - first);

		memcpy(copy, first, n);
		memmove(first, next, (size_t)(end - next));
		memcpy(first + (end - next), copy, n);
	}
	assert_true(open_as(twin, document.size, NULL, 0, &b) < 0);
	free(twin);
}

static enum plumb_judgement judge(const struct baseline *b, enum plumb_type type, const char *scope,
				  const char *k, const char *found, char *expected)
{
	struct judge_result r;

	assert_int_equal(judge_measurement(b, type, scope, k, found, &r), 0);
	if (expected)
		strcpy(expected, r.expected);
	return r.judgement;
}

static void test_judge(void **state)
{
	static const char zero[] =
		"sha256:0000000000000000000000000000000000000000000000000000000000000000";
	struct baseline *b = NULL;
	char conf[160], added[160], outside[] = "file:/elsewhere/x", expected[LINE_MAX_VALUE];
	const char *right;
	struct digest d;
	char tool[80] = "sha256:";

	(void)state;
	assert_int_equal(open_as(document.data, document.size, key, 5, &b), 0);
	assert_int_equal(baseline_info(b)->version, 5);
	assert_int_equal(strlen(baseline_info(b)->signer), 64);
	snprintf(conf, sizeof(conf), "file:%s/conf", dir);
	snprintf(added, sizeof(added), "file:%s/added", dir);
	assert_int_equal(digest_sha256("#!/bin/sh\n", 10, &d), 0);
	digest_hex(&d, tool + 7);
	right = baseline_expected(b, "host", conf);
	assert_non_null(right);
	assert_int_equal(judge(b, PLUMB_TYPE_EXEC, "host", "exec:/any/name", tool, NULL),
			 PLUMB_JUDGE_OK);
	assert_int_equal(judge(b, PLUMB_TYPE_EXEC, "host", "exec:/x", zero, expected),
			 PLUMB_JUDGE_DRIFT);
	assert_string_equal(expected, "listed");
	assert_int_equal(judge(b, PLUMB_TYPE_EXEC, "host", "exec:/x", "unmeasured gone", NULL),
			 PLUMB_JUDGE_DRIFT);
	assert_int_equal(judge(b, PLUMB_TYPE_EXEC, "container:ab", "exec:/x", zero, NULL),
			 PLUMB_JUDGE_UNJUDGED);
	assert_int_equal(judge(b, PLUMB_TYPE_FILE, "host", conf, right, NULL), PLUMB_JUDGE_OK);
	assert_int_equal(judge(b, PLUMB_TYPE_FILE, "host", conf, "absent", expected),
			 PLUMB_JUDGE_DRIFT);
	assert_string_equal(expected, right);
	assert_int_equal(judge(b, PLUMB_TYPE_FILE, "host", conf, "unreadable EIO", NULL),
			 PLUMB_JUDGE_DRIFT);
	assert_int_equal(judge(b, PLUMB_TYPE_FILE, "host", added, "reg 0644", expected),
			 PLUMB_JUDGE_DRIFT);
	assert_string_equal(expected, "absent");
	assert_int_equal(judge(b, PLUMB_TYPE_FILE, "host", added, "absent", NULL), PLUMB_JUDGE_OK);
	assert_int_equal(judge(b, PLUMB_TYPE_FILE, "host", outside, "reg 0644", NULL),
			 PLUMB_JUDGE_UNJUDGED);
	assert_int_equal(judge(NULL, PLUMB_TYPE_EXEC, "host", "exec:/x", zero, NULL),
			 PLUMB_JUDGE_UNJUDGED);
	baseline_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_judge, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
