/* SPDX-License-Identifier: Apache-2.0 */
/* What a power cut may leave of lines that were written and not synced, when it leaves more than a beginning; and what is never cut. */
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

#include "ledger_check.h"
#include "ledger_write.h"

#define ORIGIN "test/node/0123/1"

static char dir[64];

static int setup(void **state)
{
	(void)state;
	/* Thousands of syncs: in memory they cost nothing, and the doors tell what they were worth. */
	snprintf(dir, sizeof(dir), "%s/plumb-test-ledger-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static int open_at(const struct fsio *io, struct ledger **ret, struct ledger_recovery *found)
{
	const struct ledger_options o = {
		.io = io, .dir = dir, .origin = ORIGIN, .segment_size = 700, .create = true};
	struct why why = {""};

	return ledger_open(&o, ret, found, &why);
}

static int append(struct ledger *l)
{
	char line[512];
	int n = snprintf(line, sizeof(line),
			 "{\"v\":1,\"seq\":%" PRIu64
			 ",\"t\":\"2026-11-24T00:00:00.000000000Z\",\"bt\":1,\"boot\":\"b\","
			 "\"src\":\"agent\",\"type\":\"start\"}",
			 ledger_next_seq(l));

	return ledger_append(l, line, (size_t)n);
}

/* Lines synced, then the extend record, then done, as commit does it. */
static int commit(struct ledger *l, struct digest *pcr)
{
	struct ledger_anchor a = {.kind = LEDGER_ANCHOR_EXTEND};
	struct checkpoint c;
	struct digest d;
	int r = ledger_sync(l);

	if (r >= 0)
		r = ledger_head(l, &c);
	if (r < 0)
		return r;
	a.extend.size = c.size;
	a.extend.root = c.root;
	r = ledger_anchor(l, &a);
	if (r >= 0)
		r = checkpoint_digest(&c, &d);
	if (r >= 0)
		r = checkpoint_fold(pcr, &d);
	if (r < 0)
		return r;
	a = (struct ledger_anchor){.kind = LEDGER_ANCHOR_DONE, .done.pcr = *pcr};
	return ledger_anchor(l, &a);
}

static struct ledger_check_report report;

static void check(uint32_t problems)
{
	struct why why = {""};

	assert_int_equal(ledger_check(fsio_system(), dir, NULL, &report, &why), 0);
	if (problems == 0 && report.n_problems)
		fprintf(stderr, "# %s\n", report.problems[0].text);
	assert_int_equal(report.n_problems > 0, problems > 0);
}

static void shell(const char *format)
{
	char command[512];

	snprintf(command, sizeof(command), "cd %s && %s", dir, format);
	assert_int_equal(system(command), 0);
}

static void write_anchored(void)
{
	struct ledger_anchor epoch = {.kind = LEDGER_ANCHOR_EPOCH,
				      .epoch = {.base = LEDGER_BASE_ZERO, .pcr_index = 15}};
	struct ledger_recovery found;
	struct ledger *l = NULL;
	struct digest pcr = {{0}};

	assert_int_equal(open_at(fsio_system(), &l, &found), 0);
	assert_int_equal(ledger_anchor(l, &epoch), 0);
	for (int i = 0; i < 40; i++) {
		assert_int_equal(append(l), 0);
		if (i % 2)
			assert_int_equal(commit(l, &pcr), 0);
	}
	ledger_free(l);
}

/* Forty lines that are anchored, and some of which nobody ever heard. */
static void fill_beyond(int n)
{
	const struct ledger_options o = {.io = fsio_system(), .dir = dir, .origin = ORIGIN};
	struct ledger_recovery found;
	struct ledger *l = NULL;
	struct why why = {""};

	write_anchored();
	assert_int_equal(ledger_open(&o, &l, &found, &why), 0);
	for (int i = 0; i < n; i++)
		assert_int_equal(append(l), 0);
	assert_int_equal(ledger_sync(l), 0);
	ledger_free(l);
	/* As if the power had gone before the sync: no hash of those lines is there. */
	shell("truncate -s $((40 * 32)) tiles/0/000000000000");
}

#define NEWEST "$(ls events-*.jsonl | tail -n 1)"
/* From the beginning of line 41 on, so many bytes that are zeros. */
#define HOLE(size)                                                      \
	"f=" NEWEST "; at=$(grep -bF '\"seq\":41,' $f | cut -d: -f1); " \
	"head -c " size " /dev/zero | dd of=$f bs=1 seek=$at conv=notrunc status=none"

static void expect_cut(uint64_t size)
{
	struct ledger_recovery found;
	struct ledger *l = NULL;

	check(0);
	assert_int_equal(report.n_lines, size);
	assert_true(report.n_unchecked > 0);
	assert_int_equal(open_at(fsio_system(), &l, &found), 0);
	assert_int_equal(ledger_next_seq(l), size);
	assert_true(found.torn_line_bytes > 0);
	assert_int_equal(append(l), 0);
	assert_int_equal(ledger_sync(l), 0);
	ledger_free(l);
	check(0);
	assert_int_equal(report.n_lines, size + 1);
}

/* A file system that had written a later block of the last lines, and not an earlier one. */
static void test_hole(void **state)
{
	(void)state;
	fill_beyond(6);
	shell(HOLE("150"));
	expect_cut(41);
}

static void test_hole_is_long(void **state)
{
	(void)state;
	fill_beyond(700);
	shell("truncate -s $((40 * 32)) tiles/0/000000000000; rm -f tiles/0/000000000001 "
	      "tiles/0/000000000002");
	shell(HOLE("70000"));
	expect_cut(41);
	teardown(state);
	fill_beyond(6);
	/* More than is read at a time. */
	shell("head -c 600000 /dev/zero >>" NEWEST "; echo >>" NEWEST);
	expect_cut(46);
}

static void test_other_number(void **state)
{
	(void)state;
	fill_beyond(6);
	shell("sed -i 's/\"seq\":43,/\"seq\":44,/' " NEWEST);
	expect_cut(43);
}

/* What somebody vouched for is not cut: it is what was there, or a lie. */
static void test_hole_in_witnessed(void **state)
{
	static const char note[] = "\xe2\x80\x94 x YQ==";
	const struct ledger_options o = {.io = fsio_system(), .dir = dir, .origin = ORIGIN};
	struct ledger_anchor a = {.kind = LEDGER_ANCHOR_EXTEND};
	struct ledger_recovery found;
	struct why why = {""};
	struct checkpoint head;

	(void)state;
	for (int how = 0; how < 3; how++) {
		struct ledger *l = NULL;

		fill_beyond(6);
		assert_int_equal(ledger_open(&o, &l, &found, &why), 0);
		assert_int_equal(ledger_head(l, &head), 0);
		assert_int_equal(head.size, 46);
		a.extend.size = head.size;
		a.extend.root = head.root;
		if (how == 0)
			assert_int_equal(ledger_anchor(l, &a), 0);
		if (how == 1)
			assert_int_equal(ledger_note(l, head.size, &head.root, note, strlen(note)),
					 0);
		ledger_free(l);
		if (how < 2)
			shell("truncate -s $((40 * 32)) tiles/0/000000000000");
		shell(HOLE("150"));
		check(1);
		l = NULL;
		if (how == 2) {
			assert_int_equal(ledger_open(&o, &l, &found, &why), -EBADMSG);
		} else {
			assert_int_equal(ledger_open(&o, &l, &found, &why), 0);
			assert_int_equal(found.torn_line_bytes, 0);
			assert_true(ledger_next_seq(l) > 41);
			ledger_free(l);
			check(1);
		}
		teardown(state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_hole, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hole_is_long, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_number, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hole_in_witnessed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
