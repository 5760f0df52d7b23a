/* SPDX-License-Identifier: Apache-2.0 */
/* The table of judgements, against the example baseline. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cleanup.h"
#include "judge.h"

#define TRUE_DIGEST "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define PASSWD               \
	"reg 0644 0:0 1234 " \
	"sha256:0101010101010101010101010101010101010101010101010101010101010101"
#define OTHER_APP "sha256:0202020202020202020202020202020202020202020202020202020202020202"
#define THIRD "sha256:0303030303030303030303030303030303030303030303030303030303030303"

static const struct row {
	enum plumb_type type;
	const char *scope, *key, *found;
	enum plumb_judgement judgement;
	const char *expected;
} rows[] = {
	/* Programs count by content, whatever they are called. */
	{PLUMB_TYPE_EXEC, "host", "exec:/usr/bin/true", TRUE_DIGEST, PLUMB_JUDGE_OK, ""},
	{PLUMB_TYPE_EXEC, "host", "exec:/tmp/renamed", TRUE_DIGEST, PLUMB_JUDGE_OK, ""},
	{PLUMB_TYPE_EXEC, "host", "exec:/usr/bin/true", OTHER_APP, PLUMB_JUDGE_DRIFT, "listed"},
	{PLUMB_TYPE_EXEC, "host", "exec:/x", "unmeasured EIO", PLUMB_JUDGE_DRIFT, "listed"},
	{PLUMB_TYPE_EXEC, "host", "exec:/x", "", PLUMB_JUDGE_DRIFT, "listed"},
	{PLUMB_TYPE_EXEC, "image:sha256:12", "exec:/app", OTHER_APP, PLUMB_JUDGE_OK, ""},
	/* What the host may run, an image may not. */
	{PLUMB_TYPE_EXEC, "image:sha256:12", "exec:/x", TRUE_DIGEST, PLUMB_JUDGE_DRIFT, "listed"},
	{PLUMB_TYPE_EXEC, "image:sha256:13", "exec:/x", TRUE_DIGEST, PLUMB_JUDGE_UNJUDGED, ""},
	{PLUMB_TYPE_EXEC, "container:5", "exec:/x", "unmeasured EIO", PLUMB_JUDGE_UNJUDGED, ""},
	/* Files: listed, closed, open. */
	{PLUMB_TYPE_FILE, "host", "file:/etc/passwd", PASSWD, PLUMB_JUDGE_OK, ""},
	{PLUMB_TYPE_FILE, "host", "file:/etc/passwd", "absent", PLUMB_JUDGE_DRIFT, PASSWD},
	{PLUMB_TYPE_FILE, "host", "file:/etc/passwd", "unreadable EIO", PLUMB_JUDGE_DRIFT, PASSWD},
	{PLUMB_TYPE_CLAIM, "host", "file:/etc/passwd", PASSWD " ", PLUMB_JUDGE_DRIFT, PASSWD},
	{PLUMB_TYPE_FILE, "host", "file:/etc/ssh/new", PASSWD, PLUMB_JUDGE_DRIFT, "absent"},
	{PLUMB_TYPE_FILE, "host", "file:/etc/ssh/new", "absent", PLUMB_JUDGE_OK, ""},
	{PLUMB_TYPE_FILE, "host", "file:/etc/ssh/new", "unreadable EIO", PLUMB_JUDGE_DRIFT,
	 "absent"},
	{PLUMB_TYPE_FILE, "host", "file:/etc/hosts", PASSWD, PLUMB_JUDGE_UNJUDGED, ""},
	{PLUMB_TYPE_FILE, "host", "file:/srv/caf\xe9", "absent", PLUMB_JUDGE_OK, ""},
	{PLUMB_TYPE_FILE, "host", "file:/srv/caf\xe9", PASSWD, PLUMB_JUDGE_DRIFT, "absent"},
	{PLUMB_TYPE_FILE, "host", "file:/srv/caf\xef\xbf\xbd", PASSWD, PLUMB_JUDGE_UNJUDGED, ""},
	/* Claims. */
	{PLUMB_TYPE_CLAIM, "host", "boot:release", "6.1.0-56-amd64", PLUMB_JUDGE_OK, ""},
	{PLUMB_TYPE_CLAIM, "host", "boot:release", "unknown EACCES", PLUMB_JUDGE_DRIFT,
	 "6.1.0-56-amd64"},
	{PLUMB_TYPE_CLAIM, "host", "boot:cmdline", "quiet", PLUMB_JUDGE_UNJUDGED, ""},
	/* Modules: the event of a load knows no build. */
	{PLUMB_TYPE_MODULE, "host", "module:ext4", "loaded", PLUMB_JUDGE_OK, ""},
	{PLUMB_TYPE_CLAIM, "host", "module:ext4", "loaded", PLUMB_JUDGE_DRIFT,
	 "loaded srcversion=ABCDEF"},
	{PLUMB_TYPE_CLAIM, "host", "module:ext4", "loaded srcversion=ABCDEF", PLUMB_JUDGE_OK, ""},
	{PLUMB_TYPE_CLAIM, "host", "module:ext4", "loaded srcversion=ABCDEE", PLUMB_JUDGE_DRIFT,
	 "loaded srcversion=ABCDEF"},
	{PLUMB_TYPE_MODULE, "host", "module:rootkit", "loaded", PLUMB_JUDGE_DRIFT, "absent"},
};

/* What the kernel may take for itself. */
static const struct row loads[] = {
	{PLUMB_TYPE_LOAD, "host", "load:module:/tmp/x.ko", TRUE_DIGEST, PLUMB_JUDGE_OK, ""},
	{PLUMB_TYPE_LOAD, "host", "load:module:/lib/modules/dummy.ko", OTHER_APP, PLUMB_JUDGE_DRIFT,
	 "listed"},
	{PLUMB_TYPE_LOAD, "host", "load:module:memory", "unmeasured from memory", PLUMB_JUDGE_DRIFT,
	 "listed"},
	/* A module's digest does not let it run as a program, and nothing closes programs here. */
	{PLUMB_TYPE_EXEC, "host", "exec:/x", TRUE_DIGEST, PLUMB_JUDGE_UNJUDGED, ""},
	{PLUMB_TYPE_BPF, "host", "bpf:load:kprobe:x", "loaded insns=2", PLUMB_JUDGE_UNJUDGED, ""},
};

/* What may be mapped: what may be executed as well as what is listed for that alone; other keys of that type by their text. */
static const struct row codes[] = {
	{PLUMB_TYPE_CODE, "host", "code:/usr/lib/x.so", OTHER_APP, PLUMB_JUDGE_OK, ""},
	{PLUMB_TYPE_CODE, "host", "code:/lib64/ld.so", TRUE_DIGEST, PLUMB_JUDGE_OK, ""},
	{PLUMB_TYPE_CODE, "host", "code:/usr/lib/x.so", THIRD, PLUMB_JUDGE_DRIFT, "listed"},
	{PLUMB_TYPE_CODE, "host", "code:/x", "unmeasured EIO", PLUMB_JUDGE_DRIFT, "listed"},
	{PLUMB_TYPE_EXEC, "host", "exec:/usr/lib/x.so", OTHER_APP, PLUMB_JUDGE_DRIFT, "listed"},
	{PLUMB_TYPE_CODE, "host", "memory:anonymous:/usr/bin/node", "executable", PLUMB_JUDGE_OK,
	 ""},
	{PLUMB_TYPE_CODE, "host", "memory:anonymous:/usr/bin/x", "executable", PLUMB_JUDGE_DRIFT,
	 "absent"},
	{PLUMB_TYPE_CODE, "host", "unnamed:stdin:/bin/sh", "run", PLUMB_JUDGE_UNJUDGED, ""},
	{PLUMB_TYPE_CODE, "image:sha256:12", "code:/x", TRUE_DIGEST, PLUMB_JUDGE_UNJUDGED, ""},
};

static void judge(const struct baseline *b, const struct row *row, const struct row *expected)
{
	struct judge_result got;

	assert_int_equal(judge_measurement(b, row->type, row->scope, row->key, row->found, &got),
			 0);
	if (got.judgement != expected->judgement || strcmp(got.expected, expected->expected) != 0)
		fail_msg("%s %s %s: %s, expected %s", row->scope, row->key, row->found,
			 terms_judgement_name(got.judgement), got.expected);
}

static void judge_all(const char *file, const struct row *all, size_t n)
{
	static const struct row unjudged = {.judgement = PLUMB_JUDGE_UNJUDGED, .expected = ""};
	struct baseline *b = NULL;
	struct why why = {""};

	assert_int_equal(baseline_open(fsio_system(), file, NULL, 0, 0, &b, &why), 0);
	for (size_t i = 0; i < n; i++) {
		judge(b, &all[i], &all[i]);
		judge(NULL, &all[i], &unjudged);
	}
	baseline_free(b);
}

static void test_table(void **state)
{
	(void)state;
	judge_all("tests/data/baseline/unsigned.jsonl", rows, ARRAY_SIZE(rows));
}

static void test_loads(void **state)
{
	(void)state;
	judge_all("tests/data/baseline/loads.jsonl", loads, ARRAY_SIZE(loads));
}

static void test_codes(void **state)
{
	(void)state;
	judge_all("tests/data/baseline/codes.jsonl", codes, ARRAY_SIZE(codes));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_table),
					   cmocka_unit_test(test_loads),
					   cmocka_unit_test(test_codes)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
