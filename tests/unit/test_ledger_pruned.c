/* SPDX-License-Identifier: Apache-2.0 */
/* What a pruned directory still proves, and its broken twins. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cleanup.h"
#include "ledger_check.h"
#include "ledger_export.h"
#include "ledger_fixture.h"
#include "scratch.h"

static char dir[SCRATCH_SIZE];
static struct ledger_check_report report;

static int setup(void **state)
{
	(void)state;
	scratch_open(dir, "pruned");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scratch_done(dir);
	return 0;
}

/* The pruned fixture, with plain segments. */
static int setup_story(void **state)
{
	if (setup(state) < 0)
		return -1;
	ledger_fixture_pruned(dir);
	scratch_run(dir, "zstd -dq --rm events-*.zst");
	return 0;
}

static void check(void)
{
	struct why why = {""};

	assert_int_equal(ledger_check(fsio_system(), dir, NULL, &report, &why), 0);
}

static void good(void)
{
	check();
	for (uint32_t i = 0; i < report.n_problems && i < LEDGER_CHECK_MAX_PROBLEMS; i++)
		fprintf(stderr, "# %s\n", report.problems[i].text);
	assert_int_equal(report.n_problems, 0);
}

static void bad(const char *text)
{
	bool said = false;

	check();
	for (uint32_t i = 0; i < report.n_problems && i < LEDGER_CHECK_MAX_PROBLEMS; i++)
		said |= strstr(report.problems[i].text, text) != NULL;
	if (!said)
		for (uint32_t i = 0; i < report.n_problems; i++)
			fprintf(stderr, "# %s\n", report.problems[i].text);
	assert_true(said);
}

static void test_example(void **state)
{
	struct why why = {""};

	(void)state;
	assert_int_equal(
		ledger_check(fsio_system(), "tests/data/ledger-pruned", NULL, &report, &why), 0);
	assert_int_equal(report.n_problems, 0);
	assert_int_equal(report.n_unchecked, 0);
	assert_int_equal(report.first_seq, 20);
	assert_int_equal(report.pruned.first, 20);
	assert_int_equal(report.pruned.from, 7);
	assert_int_equal(report.pruned.seq, 21);
	assert_int_equal(report.n_lines, 7);
}

#define FIRST "events-00000000000000000020.jsonl"

/* The twins of the example; tiles go where only the claim is to be wrong. */
static void test_twins(void **state)
{
	(void)state;
	good();
	scratch_run(dir, "cp -a . $PWD.twin && rm " FIRST);
	bad("lines 0 to 25 are missing: no `pruned` line"); /* the line that said so went, too */
	scratch_run(dir, "cp -a $PWD.twin/. . && sed -i '3s/\"first\":20/\"first\":14/' " FIRST);
	bad("lines 14 to 19 are missing: no `pruned` line");
	scratch_run(dir, "cp -a $PWD.twin/. . && sed -i '3s/\"first\":20/\"first\":21/' " FIRST);
	bad("no segment ends there");
	scratch_run(dir, "cp -a $PWD.twin/. . && sed -i '3s/\"first\":20/\"first\":22/' " FIRST);
	bad("they are none, or not before it");
	scratch_run(dir, "cp -a $PWD.twin/. . && sed -i "
			 "'3s/\"type\":\"pruned\"/\"type\":\"start\"/' " FIRST);
	bad("lines 0 to 19 are missing: no `pruned` line");
	scratch_run(dir,
		    "cp -a $PWD.twin/. . && sed -i '3s/\"root\":\"..../\"root\":\"0000/' " FIRST);
	bad("tells another tree");
	scratch_run(dir, "cp -a $PWD.twin/. . && sed -i "
			 "'1s/\"frontier\":\\[\"..../\"frontier\":[\"AAAA/' " FIRST);
	bad("its frontier is not the tree of the hashes in tiles/");
	bad("tells another tree");
	scratch_run(dir,
		    "cp -a $PWD.twin/. . && printf x | dd of=tiles/0/000000000000 bs=1 seek=40 "
		    "conv=notrunc status=none");
	bad("its frontier is not the tree of the hashes in tiles/");
	bad("line 6 or one before it is not what was anchored");
	scratch_run(dir, "cp -a $PWD.twin/. . && rm -r tiles");
	good();
	assert_int_equal(ledger_check_result(&report), LEDGER_CHECK_UNPROVEN);
	assert_non_null(strstr(report.unchecked[0], "which were pruned, cannot be checked"));
	scratch_run(dir, "rm -r $PWD.twin");
}

static void test_export(void **state)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct why why = {""};

	(void)state;
	assert_int_equal(ledger_export_proof(fsio_system(), dir, 22, &b, &why), 0);
	assert_int_equal(ledger_export_proof(fsio_system(), dir, 7, &b, &why), -ENOENT);
	assert_non_null(strstr(why.text, "line 7 was pruned on 2026-11-23, as line 21 says"));
	assert_int_equal(ledger_export_cel(fsio_system(), dir, &b, &why), 0);
	assert_int_equal(ledger_export_notes(fsio_system(), dir, &b, &why), 0);
}

/* Cut anywhere, a line is no claim. */
static void test_malformed(void **state)
{
	static const char text[] =
		"{\"v\":1,\"seq\":30,\"t\":\"2026-11-24T00:00:00.000000000Z\",\"bt\":1,\"boot\":"
		"\"b\","
		"\"src\":\"agent\",\"type\":\"pruned\",\"from\":0,\"first\":7,\"root\":"
		"\"af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262\",\"bytes\":"
		"4096,"
		"\"why\":\"age\",\"order\":3}";
	struct ledger_prune_claim c;
	struct why why;

	(void)state;
	assert_int_equal(ledger_prune_read(text, sizeof(text) - 1, &c, &why), 0);
	assert_int_equal(c.seq, 30);
	assert_int_equal(c.first, 7);
	assert_int_equal(c.bytes, 4096);
	assert_int_equal(c.order, 3);
	assert_string_equal(c.why, "age");
	for (size_t n = 0; n < sizeof(text) - 1; n++)
		assert_true(ledger_prune_read(text, n, &c, &why) < 0);
	assert_int_equal(ledger_prune_read("{}", 2, &c, &why), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example),
		cmocka_unit_test_setup_teardown(test_twins, setup_story, teardown),
		cmocka_unit_test_setup_teardown(test_export, setup_story, teardown),
		cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
