/* SPDX-License-Identifier: Apache-2.0 */
/* A span of the story that the fixture tells: whatever is cut out of it proves itself, with the frontier of what is not there; changed it does not. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cleanup.h"
#include "incident_files.h"
#include "incident_span.h"
#include "ledger_check.h"
#include "ledger_fixture.h"
#include "scratch.h"

#define START_NS 1795462800000000000ull
#define S 1000000000ull

static char dir[SCRATCH_SIZE];
static struct ledger_check_report report;

static int setup(void **state)
{
	char from[128];

	(void)state;
	scratch_open(dir, "span");
	snprintf(from, sizeof(from), "%s/from", dir);
	ledger_fixture_story(from);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scratch_done(dir);
	return 0;
}

static int cut(const char *name, uint64_t from_ns, uint64_t to_ns, struct incident_span *ret)
{
	char from[128], to[128];
	struct why why = {""};
	int r;

	snprintf(from, sizeof(from), "%s/%s", dir, name);
	snprintf(to, sizeof(to), "%s/to", dir);
	scratch_run(dir, "rm -rf to && mkdir to");
	*ret = (struct incident_span){.from_ns = from_ns, .to_ns = to_ns};
	r = incident_span_cut(from, to, ret, &why);
	if (r < 0)
		assert_true(why.text[0]);
	return r;
}

static enum ledger_check_result check(void)
{
	char to[128];
	struct why why = {""};

	snprintf(to, sizeof(to), "%s/to", dir);
	if (ledger_check_part(fsio_system(), to, NULL, &report, &why) < 0)
		fail_msg("%s", why.text);
	return ledger_check_result(&report);
}

/* Each span of the whole story: the lines are those that were asked for, the quote that covers them is there, and all of it is good. */
static void test_each_span(void **state)
{
	struct incident_span s;
	uint64_t n = 0, quoted = 0;

	(void)state;
	assert_int_equal(cut("from", 0, UINT64_MAX, &s), 0);
	assert_int_equal(s.first, 0);
	assert_int_equal(check(), LEDGER_CHECK_GOOD);
	n = s.last;
	assert_true(n > 14);
	for (uint64_t a = 0; a < n; a++)
		for (uint64_t b = a; b < n; b++) {
			enum ledger_check_result r;

			assert_int_equal(
				cut("from", START_NS + (a + 1) * S, START_NS + (b + 1) * S, &s), 0);
			assert_int_equal(s.first, a);
			assert_int_equal(s.end, b + 1);
			assert_true(s.last >= s.end);
			r = check();
			assert_int_equal(report.first_seq, s.first);
			assert_int_equal(report.n_lines, s.last - s.first);
			assert_int_equal(report.n_problems, 0);
			if (r == LEDGER_CHECK_GOOD && report.quoted_size >= s.end)
				quoted++;
		}
	/* But for the last lines, which no quote covers yet. */
	assert_true(quoted > n * (n - 1) / 4);
}

static void test_nothing_in_it(void **state)
{
	struct incident_span s;

	(void)state;
	assert_int_equal(cut("from", START_NS + 500 * S, START_NS + 600 * S, &s), 0);
	assert_int_equal(s.end, s.first + 1);
	assert_int_equal(cut("nowhere", 0, UINT64_MAX, &s), -ENOENT);
	scratch_run(dir, "mkdir empty");
	assert_int_equal(cut("empty", 0, UINT64_MAX, &s), -ENOENT);
}

static void bad(const char *change)
{
	struct incident_span s;

	assert_int_equal(cut("from", START_NS + 5 * S, START_NS + 9 * S, &s), 0);
	assert_int_equal(check(), LEDGER_CHECK_GOOD);
	assert_int_equal(s.first, 4);
	assert_true(report.signed_size > s.first && report.signed_size <= s.last);
	assert_true(report.cosigned_size > s.first && report.cosigned_size <= s.last);
	scratch_run(dir, "%s", change);
	if (check() != LEDGER_CHECK_BAD)
		fail_msg("%s: %s", change, ledger_check_result_name(ledger_check_result(&report)));
}

static void test_changed(void **state)
{
	(void)state;
	bad("sed -i '2s/\"t\":\"2026/\"t\":\"2027/' to/events-*");
	bad("sed -i '3d' to/events-*");
	bad("sed -i '2{h;d};3{G}' to/events-*");
	/* The frontier is only said by the file: a root that was quoted says whether it is true. */
	bad("sed -i '1s/\"frontier\":\\[\"./\"frontier\":[\"A/;1s/\\[\"AA/[\"AB/' to/events-*");
	bad("printf x | dd of=to/anchors bs=1 seek=100 conv=notrunc 2>/dev/null");
}

/* Cut between two extends, and the last quote brought there: it replays, and no root that it could be held against is of these lines. */
static void test_moved_quote(void **state)
{
	struct incident_span s;

	(void)state;
	assert_int_equal(cut("from", START_NS + 9 * S, START_NS + 11 * S, &s), 0);
	assert_int_equal(s.first, 8);
	assert_int_equal(s.last, 15);
	assert_int_equal(check(), LEDGER_CHECK_GOOD);
	assert_int_equal(report.quoted_size, 14);
	scratch_run(dir, "sed -i -e '4s/\"t\":\"2026/\"t\":\"2027/' -e 5,7d "
			 "-e '8s/\"seq\":14/\"seq\":11/' to/events-*");
	assert_int_equal(check(), LEDGER_CHECK_BAD);
	assert_int_equal(report.n_lines, 4);
	assert_int_equal(report.n_problems, 1);
	assert_string_equal(report.problems[0].text,
			    "line 11: its quote is of 14 lines: they do not all stand before it");
	assert_int_equal(report.quoted_size, 0);
}

static void test_pruned(void **state)
{
	struct incident_span s;
	char from[128];

	(void)state;
	snprintf(from, sizeof(from), "%s/pruned", dir);
	ledger_fixture_pruned(from);
	assert_int_equal(cut("pruned", 0, UINT64_MAX, &s), 0);
	assert_true(s.kept > 0);
	assert_int_equal(s.first, s.kept);
	check();
	assert_int_equal(report.n_problems, 0);
}

/* Root on the node filled the directory: what does not belong there is left out, and nothing leads to the responder's own files. */
static void test_links(void **state)
{
	struct incident_span s;

	(void)state;
	scratch_run(dir,
		    "cp -r from planted && echo secret >key && mkdir -p planted/boot home/boot && "
		    "echo secret >home/boot/key && ln -s $PWD/key planted/x && "
		    "ln -s $PWD/key planted/boot/x && ln -s $PWD/home planted/home && "
		    "mkfifo planted/fifo && rm planted/notes && ln -s $PWD/key planted/notes");
	assert_int_equal(cut("planted", 0, UINT64_MAX, &s), 0);
	scratch_run(dir, "test -s to/anchors && test -s to/record.json && ! grep -r secret to && "
			 "! ls to/* | grep -e x -e home -e fifo -e notes");
	assert_int_equal(check(), LEDGER_CHECK_GOOD);
	scratch_run(dir, "rm planted/anchors && mkfifo planted/anchors");
	assert_int_equal(cut("planted", 0, UINT64_MAX, &s), 0);
	assert_int_equal(check(), LEDGER_CHECK_BAD);
}

/* The checker itself waits for nobody, and follows nothing. */
static void test_checked_in_place(void **state)
{
	static const char *const names[] = {"anchors", "notes", "record.json"};
	char planted[128];
	struct why why;

	(void)state;
	snprintf(planted, sizeof(planted), "%s/other", dir);
	for (size_t i = 0; i < 3; i++)
		for (int link = 0; link < 2; link++) {
			char want[64];

			scratch_run(dir,
				    "rm -rf other && cp -r from other && mv other/%s kept && %s "
				    "other/%s",
				    names[i], link ? "ln -s $PWD/kept" : "mkfifo", names[i]);
			assert_int_equal(ledger_check(fsio_system(), planted, NULL, &report, &why),
					 0);
			assert_int_equal(ledger_check_result(&report), LEDGER_CHECK_BAD);
			snprintf(want, sizeof(want), "%s is no plain file", names[i]);
			assert_string_equal(report.problems[0].text, want);
		}
	scratch_run(dir, "rm -rf other && cp -r from other && cd other && "
			 "for i in events-*; do mv $i ../kept && mkfifo $i; done");
	assert_int_equal(ledger_check(fsio_system(), planted, NULL, &report, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "is no plain file"));
}

/* Nothing that root puts beside the lines keeps an archive from being made. */
static void test_no_room(void **state)
{
	CLEANUP(incident_manifest_done) struct incident_manifest m = {.files = NULL};
	struct incident_span s;
	struct why why = {""};
	char to[128];

	(void)state;
	scratch_run(
		dir,
		"rm -rf planted && cp -r from planted && cd planted && mkdir -p boot Odd more &&"
		"touch X 'a b' .hidden boot/Y Odd/y more/.z && mkdir boot/z &&"
		"truncate -s 300M large && mkdir some && cd some && seq 6000 | xargs touch");
	assert_int_equal(cut("planted", 0, UINT64_MAX, &s), 0);
	assert_int_equal(check(), LEDGER_CHECK_GOOD);
	scratch_run(dir, "test -s to/record.json && ! test -e to/large");
	snprintf(to, sizeof(to), "%s/to", dir);
	if (incident_files_list(to, &m, &why) < 0)
		fail_msg("%s", why.text);
	assert_in_range(m.n_files, 1000, 2000);
}

/* change: of the story's three segments, as plain ones. */
static int broken(const char *change, uint64_t a, uint64_t b, struct incident_span *s)
{
	scratch_run(dir,
		    "rm -rf planted && cp -r from planted && cd planted && "
		    "{ zstd -dq --rm events-*.zst 2>/dev/null; : ; } && "
		    "a=events-00000000000000000000.jsonl b=events-00000000000000000007.jsonl "
		    "c=events-00000000000000000013.jsonl && "
		    "long() { head -c 70000 /dev/zero | tr '\\0' x; echo; } && { %s; }",
		    change);
	return cut("planted", START_NS + (a + 1) * S, START_NS + (b + 1) * S, s);
}

static void expect(uint64_t first, uint64_t last, const struct incident_span *s)
{
	assert_int_equal(s->first, first);
	assert_int_equal(s->last, last);
	check();
	assert_int_equal(report.n_problems, 0);
	assert_int_equal(report.first_seq, first);
	assert_int_equal(report.n_lines, last - first);
}

static void test_broken(void **state)
{
	struct incident_span s;

	(void)state;
	assert_int_equal(broken("long >>$c", 0, 99, &s), 0);
	expect(0, 15, &s);
	assert_int_equal(report.quoted_size, 14);
	/* Before the span. */
	assert_int_equal(broken("zstd -q --rm $a && truncate -s -9 $a.zst", 8, 10, &s), 0);
	expect(8, 15, &s);
	assert_int_equal(broken("echo x >$a", 8, 10, &s), 0);
	expect(8, 15, &s);
	assert_int_equal(broken("rm $a && mkfifo $a", 8, 10, &s), 0);
	expect(8, 15, &s);
	/* In it: up to there. */
	assert_int_equal(broken("long >x && sed -i -e '5r x' -e 5d $a", 0, 99, &s), 0);
	assert_int_equal(s.first, 0);
	assert_int_equal(s.last, 3);
	assert_int_equal(broken("rm $b", 3, 99, &s), 0);
	assert_int_equal(s.first, 3);
	assert_int_equal(s.last, 7);
	assert_int_equal(broken("rm $b", 13, 99, &s), 0);
	expect(13, 15, &s);
	/* What is no segment, and one that stands there twice. */
	assert_int_equal(broken("echo x >events-00000000000000000003.jsonl; "
				"echo x >events-00000000000000000009.jsonl; "
				"mkdir events-00000000000000000010.jsonl; ln -s $a "
				"events-00000000000000000011.jsonl",
				0, 99, &s),
			 0);
	expect(0, 15, &s);
	assert_int_equal(
		broken("sed '1s/\"first\":7/\"first\":11/' $b >events-00000000000000000011.jsonl",
		       0, 99, &s),
		0);
	expect(0, 15, &s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_span),	 cmocka_unit_test(test_nothing_in_it),
		cmocka_unit_test(test_changed),		 cmocka_unit_test(test_moved_quote),
		cmocka_unit_test(test_pruned),		 cmocka_unit_test(test_links),
		cmocka_unit_test(test_checked_in_place), cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_broken),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
