/* SPDX-License-Identifier: Apache-2.0 */
/* What goes and what stays, the line before it, the newest order that outlives its line, and what nobody can be given any more. */
#include <errno.h>
#include <event2/event.h>
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
#include "fault_fsio.h"
#include "ledger_check.h"
#include "ledger_ima.h"
#include "ledger_past.h"
#include "ledger_prune.h"
#include "ledger_read.h"
#include "retention.h"

#define ORIGIN "test/node/0123/1"
#define KEEP 1u /* bytes: everything that may go does */
#define DAY_MS 86400000ull

static char dir[64];
static struct fault_fsio fault;
static struct event_base *base;
static struct ledger_writer *writer;
static struct retention retention;
static struct ledger_check_report report;
static uint64_t utc_ns;

static uint64_t now(void *ctx)
{
	(void)ctx;
	return utc_ns;
}

static const struct clock clock_here = {now, now, NULL};

static uint64_t order(void *ctx)
{
	(void)ctx;
	return 7;
}

static void open_writer(void)
{
	const struct ledger_writer_options o = {.io = &fault.io,
						.clock = &clock_here,
						.dir = dir,
						.origin = ORIGIN,
						.batch_ms = 60000,
						.segment_size = 1000};
	struct why why = {""};

	base = event_base_new();
	assert_int_equal(ledger_writer_open(base, &o, &writer, &why), 0);
	retention = (struct retention){.writer = writer,
				       .clock = &clock_here,
				       .io = &fault.io,
				       .dir = dir,
				       .keep_size = KEEP,
				       .last_order = order};
}

static void close_writer(void)
{
	writer = ledger_writer_free(writer);
	event_base_free(base);
}

static int setup(void **state)
{
	(void)state;
	utc_ns = 1795462800000000000ull;
	strcpy(dir, "/tmp/plumb-test-retention-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	fault_fsio_init(&fault, -1, false, -EIO);
	open_writer();
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	if (writer)
		close_writer();
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static void write_some(int n)
{
	for (int i = 0; i < n; i++) {
		assert_int_equal(ledger_writer_record(writer, PLUMB_TYPE_LOST, "agent",
						      "\"of\":\"test\",\"n\":1,\"what\":\"x\""),
				 0);
		assert_int_equal(ledger_sync(ledger_writer_ledger(writer)), 0);
	}
}

static void good(void)
{
	struct why why = {""};

	assert_int_equal(ledger_check(fsio_system(), dir, NULL, &report, &why), 0);
	if (report.n_problems)
		print_message("# %s\n", report.problems[0].text);
	assert_int_equal(report.n_problems, 0);
}

/* The first line of segment number i. */
static uint64_t first_of(uint32_t i)
{
	CLEANUP_FREE uint64_t *firsts = NULL;
	struct why why;
	uint32_t n;

	assert_int_equal(ledger_read_list(dir, &firsts, &n, &why), 0);
	assert_true(i < n);
	return firsts[i];
}

static uint32_t lists(void)
{
	CLEANUP_FREE struct ledger_ima_file *files = NULL;
	uint32_t n = 0;

	assert_int_equal(ledger_ima_list(dir, &files, &n), 0);
	return n;
}

static void test_safe(void **state)
{
	uint64_t second, third, size;

	(void)state;
	write_some(30);
	second = first_of(1);
	third = first_of(2);
	size = ledger_writer_size(writer);
	retention_run(&retention, 0);
	retention_run(&retention, second - 1);
	good();
	assert_int_equal(report.first_seq, 0);
	assert_int_equal(ledger_writer_size(writer), size);
	retention_run(&retention, third - 1);
	good();
	assert_int_equal(report.first_seq, second);
	assert_int_equal(report.pruned.seq, size);
	assert_int_equal(report.pruned.order, 7);
	/* The same again is nothing new. */
	retention_run(&retention, third - 1);
	assert_int_equal(ledger_writer_size(writer), size + 1);
	retention.keep_size = 0;
	retention_run(&retention, size);
	assert_int_equal(ledger_writer_size(writer), size + 1);
}

/* What IMA measured goes with the lines of its boot, and no earlier. */
static void test_ima_lists(void **state)
{
	char name[LEDGER_IMA_NAME_SIZE], path[PATH_MAX];
	uint64_t second, third;

	(void)state;
	write_some(30);
	second = first_of(1);
	third = first_of(2);
	for (uint8_t i = 0; i < 3; i++) {
		const uint8_t boot[16] = {i};

		assert_int_equal(ledger_ima_path(dir, "", path), 0);
		assert_int_equal(fsio_mkdir_all(fsio_system(), path, 0700), 0);
		assert_int_equal(ledger_ima_name(i == 0	  ? 0
						 : i == 1 ? second
							  : third,
						 boot, name),
				 0);
		assert_int_equal(ledger_ima_path(dir, name, path), 0);
		assert_int_equal(fsio_replace_file(fsio_system(), path, "", 0, 0600), 0);
	}
	retention_run(&retention, second - 1);
	assert_int_equal(lists(), 3);
	retention_run(&retention, third - 1);
	assert_int_equal(first_of(0), second);
	assert_int_equal(lists(), 2);
}

/* Whatever fails before the line is on the disk, no file is gone; and what fails after it goes with the next round. */
static void test_line_first(void **state)
{
	uint64_t last = 0;

	for (long n = 0; last == 0; n++) {
		teardown(state);
		setup(state);
		write_some(30);
		fault.left = n;
		retention_run(&retention, 15);
		fault.left = -1;
		if (first_of(0) > 0) {
			assert_int_equal(ledger_synced_size(ledger_writer_ledger(writer)),
					 ledger_writer_size(writer));
			last = first_of(0);
		}
		retention_run(&retention, 15);
		close_writer();
		good();
		assert_true(report.first_seq > 0 && report.first_seq <= 15);
		assert_true(report.pruned.first == report.first_seq);
	}
}

static void test_age(void **state)
{
	uint64_t size;

	(void)state;
	retention.keep_size = 0;
	retention.keep_ms = 8 * DAY_MS;
	write_some(2);
	size = ledger_writer_size(writer);
	retention_run(&retention, size);
	utc_ns += DAY_MS * 1000000 - 1;
	retention_run(&retention, size);
	write_some(1);
	assert_int_equal(first_of(0), 0);
	/* After an eighth of it a segment is closed, so that it can grow old. */
	utc_ns += 1;
	retention_run(&retention, size);
	write_some(1);
	assert_int_equal(first_of(1), size + 1);
	utc_ns += 8 * DAY_MS * 1000000;
	retention_run(&retention, size + 1);
	good();
	assert_int_equal(report.first_seq, 0);
	utc_ns += 1;
	retention_run(&retention, size);
	assert_int_equal(first_of(0), 0);
	retention_run(&retention, size + 1);
	good();
	assert_int_equal(report.first_seq, size + 1);
	assert_string_equal(report.pruned.why, "age");
}

static void test_asked_for(void **state)
{
	CLEANUP(buf_done) struct buf b = {0};
	uint64_t second, to = 0;

	(void)state;
	write_some(30);
	close_writer();
	open_writer(); /* the newest lines are not in memory any more */
	write_some(1);
	second = first_of(1);
	retention_run(&retention, second);
	assert_int_equal(ledger_writer_lines(writer, 0, 3, 1 << 20, &b, &to), -ENODATA);
	assert_int_equal(ledger_writer_lines(writer, second - 1, second + 1, 1 << 20, &b, &to),
			 -ENODATA);
	assert_int_equal(b.size, 0);
	assert_int_equal(ledger_writer_lines(writer, second, second + 2, 1 << 20, &b, &to), 0);
	assert_int_equal(to, second + 2);
}

/* The order's own line goes; that it was carried out does not. */
static void test_order_outlives(void **state)
{
	struct ledger_past past;
	struct why why = {""};

	(void)state;
	assert_int_equal(ledger_writer_record(writer, PLUMB_TYPE_ORDER, "order",
					      "\"number\":7,\"kind\":\"challenge\""),
			 0);
	write_some(40);
	assert_int_equal(
		ledger_past_read(fsio_system(), dir, ledger_writer_size(writer), true, &past, &why),
		0);
	assert_int_equal(past.last_order, 7);
	retention_run(&retention, 30);
	assert_true(first_of(0) > 3);
	assert_int_equal(
		ledger_past_read(fsio_system(), dir, ledger_writer_size(writer), true, &past, &why),
		0);
	assert_int_equal(past.last_order, 7);
	assert_true(past.any);
	assert_false(past.stopped);
}

/* An order that came while the last quote was made stands before that quote, which does not bind it. */
static void test_past_two_quotes(void **state)
{
	struct ledger_past past;
	struct why why = {""};

	(void)state;
	write_some(10);
	ledger_writer_record(writer, PLUMB_TYPE_QUOTE, "tpm", "\"order\":2");
	write_some(10);
	ledger_writer_record(writer, PLUMB_TYPE_ORDER, "order", "\"number\":3");
	write_some(10);
	ledger_writer_record(writer, PLUMB_TYPE_QUOTE, "tpm", "\"order\":2");
	write_some(2);
	assert_int_equal(ledger_writer_stop(writer, "test", 0), 0);
	ledger_writer_record(writer, PLUMB_TYPE_QUOTE, "tpm", "\"order\":2");
	assert_int_equal(ledger_sync(ledger_writer_ledger(writer)), 0);
	assert_int_equal(
		ledger_past_read(fsio_system(), dir, ledger_writer_size(writer), true, &past, &why),
		0);
	assert_int_equal(past.quote_seq, ledger_writer_size(writer) - 1);
	assert_int_equal(past.bytes, 0);
	assert_true(past.stopped);
	write_some(20);
	assert_int_equal(
		ledger_past_read(fsio_system(), dir, ledger_writer_size(writer), true, &past, &why),
		0);
	assert_int_equal(past.quote_seq, ledger_writer_size(writer) - 21);
	assert_true(past.bytes > 20 * 100);
	assert_false(past.stopped);
	ledger_writer_record(writer, PLUMB_TYPE_ORDER, "order", "\"number\":4");
	write_some(10);
	ledger_writer_record(writer, PLUMB_TYPE_QUOTE, "tpm", "\"order\":3");
	write_some(1);
	assert_int_equal(
		ledger_past_read(fsio_system(), dir, ledger_writer_size(writer), true, &past, &why),
		0);
	assert_int_equal(past.last_order, 4);
}

static bool stopped(void)
{
	struct ledger_past past;
	struct why why = {""};

	assert_int_equal(ledger_sync(ledger_writer_ledger(writer)), 0);
	assert_int_equal(
		ledger_past_read(fsio_system(), dir, ledger_writer_size(writer), true, &past, &why),
		0);
	return past.stopped;
}

static void record(enum plumb_type type, const char *members)
{
	assert_int_equal(ledger_writer_record(writer, type, "agent", members), 0);
}

/* The last evidence is tried until the time is over: each quote may have IMA's list behind it, and somebody else's extend. */
static void test_past_stop(void **state)
{
	(void)state;
	write_some(3);
	record(PLUMB_TYPE_QUOTE, "\"order\":2");
	assert_false(stopped());
	assert_int_equal(ledger_writer_stop(writer, "test", 0), 0);
	record(PLUMB_TYPE_QUOTE, "\"order\":2");
	record(PLUMB_TYPE_IMA, "\"entries\":1");
	assert_true(stopped());
	record(PLUMB_TYPE_LOST, "\"of\":\"verifier\",\"n\":1,\"what\":\"it went back\"");
	for (int i = 0; i < 9; i++) {
		record(PLUMB_TYPE_EPOCH, "\"foreign\":true");
		record(PLUMB_TYPE_QUOTE, "\"order\":2");
		record(PLUMB_TYPE_IMA, "\"entries\":2");
	}
	assert_true(stopped());
	close_writer();
	open_writer(); /* a start after it, and it was killed then */
	assert_false(stopped());
	record(PLUMB_TYPE_QUOTE, "\"order\":2");
	record(PLUMB_TYPE_IMA, "\"entries\":3");
	assert_false(stopped());
	assert_int_equal(ledger_writer_stop(writer, "test", 0), 0);
	record(PLUMB_TYPE_LOST, "\"of\":\"ledger\",\"n\":1,\"what\":\"x\"");
	assert_false(stopped());
}

static void test_segment_size(void **state)
{
	(void)state;
	assert_int_equal(retention_segment_size(0), 0);
	assert_int_equal(retention_segment_size(1), 64 << 10);
	assert_int_equal(retention_segment_size(8 << 20), 1 << 20);
	assert_int_equal(retention_segment_size(2ull << 30), 64 << 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_safe, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ima_lists, setup, teardown),
		cmocka_unit_test_setup_teardown(test_line_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_age, setup, teardown),
		cmocka_unit_test_setup_teardown(test_asked_for, setup, teardown),
		cmocka_unit_test_setup_teardown(test_order_outlives, setup, teardown),
		cmocka_unit_test_setup_teardown(test_past_two_quotes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_past_stop, setup, teardown),
		cmocka_unit_test(test_segment_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
