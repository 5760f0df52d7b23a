/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole ledger directory, quotes and signatures included, is good; each broken twin of it is not, and the line is named.
 * Run as "test_ledger_check make DIR" it writes such a directory (tests/data/ledger), with make-pruned one that was pruned,
 * with make-ima one with IMA's lists, with "make-boots DIR N" one of so many boots.
 */
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
#include "jsonl.h"
#include "ledger_check.h"
#include "ledger_fixture.h"
#include "many_boots.h"
#include "scratch.h"

static char story[SCRATCH_SIZE], dir[SCRATCH_SIZE]; /* made once; its copy for one test */
static struct ledger_check_report report;

static int make_story(void **state)
{
	(void)state;
	scratch_open(story, "story");
	ledger_fixture_story(story);
	return 0;
}

static int remove_story(void **state)
{
	(void)state;
	scratch_done(story);
	return 0;
}

static int copy(void **state)
{
	(void)state;
	scratch_open(dir, "check");
	scratch_run(dir, "cp -a %s/. .", story);
	return 0;
}

/* With plain segments, so that their lines can be changed. */
static int copy_plain(void **state)
{
	if (copy(state) < 0)
		return -1;
	scratch_run(dir, "zstd -dq --rm events-*.zst");
	return 0;
}

static int drop(void **state)
{
	(void)state;
	scratch_done(dir);
	return 0;
}

static void check(void)
{
	struct why why = {""};

	assert_int_equal(ledger_check(fsio_system(), dir, NULL, &report, &why), 0);
}

static void tell_problems(void)
{
	for (uint32_t i = 0; i < report.n_problems && i < LEDGER_CHECK_MAX_PROBLEMS; i++)
		fprintf(stderr, "# %s\n", report.problems[i].text);
}

static void good(void)
{
	check();
	if (report.n_problems)
		tell_problems();
	assert_int_equal(report.n_problems, 0);
	assert_int_not_equal(ledger_check_result(&report), LEDGER_CHECK_BAD);
}

static bool said(const char *text)
{
	for (uint32_t i = 0; i < report.n_problems && i < LEDGER_CHECK_MAX_PROBLEMS; i++)
		if (strstr(report.problems[i].text, text))
			return true;
	return false;
}

static void bad(const char *text)
{
	check();
	assert_true(report.n_problems > 0);
	assert_int_equal(ledger_check_result(&report), LEDGER_CHECK_BAD);
	if (!said(text))
		tell_problems();
	assert_true(said(text));
}

/* Whatever is open, the ledger is not called good. */
static bool open_question(const char *text)
{
	assert_int_not_equal(ledger_check_result(&report), LEDGER_CHECK_GOOD);
	for (uint32_t i = 0; i < report.n_unchecked; i++)
		if (strstr(report.unchecked[i], text))
			return true;
	return false;
}

static void bad_line(uint64_t line)
{
	bool named = false;

	check();
	for (uint32_t i = 0; i < report.n_problems && i < LEDGER_CHECK_MAX_PROBLEMS; i++)
		named |= report.problems[i].has_line && report.problems[i].line == line;
	if (!named)
		tell_problems();
	assert_true(named);
}

static void read_file(const char *name, struct buf *ret)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(fsio_read_file(fsio_system(), path, 1 << 20, ret), 0);
}

static void write_file(const char *name, const void *data, size_t size)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(fsio_replace_file(fsio_system(), path, data, size, 0600), 0);
}

static void test_good(void **state)
{
	(void)state;
	good();
	assert_int_equal(report.n_lines, 15);
	assert_int_equal(report.n_segments, 3);
	assert_int_equal(report.n_extends, 7);
	assert_int_equal(report.anchored_size, 14);
	assert_int_equal(report.quoted_size, 14);
	assert_int_equal(report.signed_size, 14);
	assert_int_equal(report.cosigned_size, 14);
	assert_int_equal(report.cosigned_time_s, 1795462814);
	assert_int_equal(report.n_drift, 1);
	assert_int_equal(report.n_unchecked, 0);
	assert_int_equal(ledger_check_result(&report), LEDGER_CHECK_GOOD);
}

static void test_plain_and_packed(void **state)
{
	(void)state;
	/* Both are there after a crash: the plain one counts. */
	scratch_run(dir, "zstd -dqk events-00000000000000000000.jsonl.zst && echo x "
			 ">>events-00000000000000000000.jsonl.zst");
	good();
	scratch_run(dir, "rm events-00000000000000000000.jsonl");
	bad("damaged or cut short");
	scratch_run(dir, "head -c 500 events-00000000000000000007.jsonl.zst >x && mv x "
			 "events-00000000000000000000.jsonl.zst");
	bad("damaged or cut short");
}

/* Each byte of each line, one bit of it. */
static void test_every_byte(void **state)
{
	static const char name[] = "events-00000000000000000000.jsonl";
	CLEANUP(buf_done) struct buf b = {0};
	uint64_t line = 0;
	size_t i = 0;

	(void)state;
	read_file(name, &b);
	while (b.data[i] != '\n')
		i++;
	for (i++; i < b.size; i++) {
		bool end = b.data[i] == '\n';

		if (i % 5 == 0 || end) {
			b.data[i] ^= 2;
			write_file(name, b.data, b.size);
			bad_line(line);
			b.data[i] ^= 2;
		}
		line += end;
	}
	assert_int_equal(line, 7);
}

static void test_lines(void **state)
{
	const char *f = "events-00000000000000000007.jsonl";

	(void)state;
	scratch_run(dir, "cp %s good && sed -i 3d %s", f, f);
	bad_line(8);
	scratch_run(dir, "cp good %s && sed -i 3p %s", f, f);
	bad_line(9);
	scratch_run(dir, "cp good %s && sed -i '3{h;d};4G' %s", f, f);
	bad_line(8);
	bad_line(9);
	scratch_run(dir, "cp good %s && sed -i '$d' %s", f, f);
	bad_line(12);
	scratch_run(dir, "rm %s", f);
	bad_line(7);
}

/* Root rewrites the hashes as well: what was anchored tells. */
static void test_rewritten(void **state)
{
	(void)state;
	scratch_run(
		dir,
		"sed -i 's/usr.bin.dpkg/usr\\/bin\\/dpkh/' events-00000000000000000000.jsonl && rm "
		"-r tiles");
	bad("line 5 or one before it is not what was anchored: checkpoint 6 has another root");
	assert_true(report.no_tiles);
}

static void test_end_cut(void **state)
{
	(void)state;
	scratch_run(dir, "rm events-00000000000000000013.jsonl");
	bad("line 13 and those after it are missing: checkpoint 14 was anchored");
	scratch_run(dir, "rm anchors notes");
	bad("line 13 is missing: tiles/ has its hash");
}

static void test_torn(void **state)
{
	(void)state;
	/* At the very end it is what a crash leaves; nothing was lost. */
	scratch_run(dir, "printf '{\"v\":1' >>events-00000000000000000013.jsonl");
	good();
	assert_true(open_question("line 15 has no end"));
	scratch_run(dir, "printf '{\"v\":1' >>events-00000000000000000007.jsonl");
	bad("line 13 has no end");
}

static void test_anchors(void **state)
{
	(void)state;
	scratch_run(dir, "cp anchors good && head -c -20 good >anchors");
	bad("line 14: its quote does not hold: the anchors do not replay");
	assert_true(open_question("anchors: byte 755: the last record is cut short"));
	/* What a crash leaves of a record that nobody had been told of: size, or all of it, without its bytes. */
	scratch_run(dir, "cp good anchors && printf '\\0\\0\\0\\56\\0' >>anchors");
	good();
	assert_true(open_question("the last record is cut short"));
	scratch_run(dir, "cp good anchors && head -c 50 /dev/zero >>anchors");
	good();
	assert_true(open_question("the last record is cut short"));
	scratch_run(dir, "head -c 300 good >anchors && tail -c +309 good >>anchors");
	bad("anchors: byte");
	/* Cut between two records: the quote of that size no longer replays. */
	scratch_run(dir, "head -c 755 good >anchors");
	bad("line 14: its quote does not hold: the anchors do not replay");
	scratch_run(dir, "rm anchors");
	bad("its quote does not hold");
	assert_true(open_question("anchors is absent"));
}

static void test_notes(void **state)
{
	CLEANUP(buf_done) struct buf b = {0};

	(void)state;
	read_file("notes", &b);
	/* The end of a signature. */
	for (size_t i = 0; i < b.size; i++) {
		if (b.data[i] != '\n')
			continue;
		b.data[i - 10] = b.data[i - 10] == 'A' ? 'B' : 'A';
		write_file("notes", b.data, b.size);
		bad("is false");
		break;
	}
	scratch_run(dir, "cp %s/notes notes && sed -i 's/^14 /13 /' notes", story);
	bad("is false");
	bad("not what was signed: checkpoint 13");
	scratch_run(dir, "echo x >notes");
	bad("notes: line 1: note does not start");
}

static void test_quotes(void **state)
{
	const char *f = "events-00000000000000000013.jsonl";

	(void)state;
	scratch_run(dir, "cp %s good && rm -r tiles", f);
	scratch_run(dir, "sed -i 's/\"baseline\":1/\"baseline\":2/' %s", f);
	bad("line 14: its quote does not hold");
	scratch_run(dir, "cp good %s && sed -i 's/\"15\":\"./\"15\":\"/;s/\"},\"boot_log/0&/' %s",
		    f, f);
	bad("line 14: its quote does not hold");
	scratch_run(dir, "cp good %s && sed -i 's/\"sig\":\"ABgACwAg/&AAAA/' %s", f, f);
	bad("line 14: its quote does not hold");
	scratch_run(dir, "cp good %s", f);
	good();
}

static void test_record(void **state)
{
	struct why why = {""};

	(void)state;
	scratch_run(dir, "sed -i 's/\"event_sig\":\"ABgACwAg..../\"event_sig\":\"ABgACwAgAAAA/' "
			 "record.json");
	assert_true(ledger_check(fsio_system(), dir, NULL, &report, &why) < 0);
	assert_non_null(strstr(why.text, "record.json"));
	scratch_run(dir, "rm record.json");
	good();
	assert_int_equal(report.quoted_size, 0);
	assert_int_equal(report.signed_size, 0);
	assert_true(open_question("record.json is absent"));
	assert_int_equal(ledger_check(fsio_system(), dir, "/nowhere", &report, &why),
			 -EKEYREJECTED);
	/* Somebody else's record: nothing holds. */
	scratch_run(dir, "mkdir other");
	{
		char other[80];

		snprintf(other, sizeof(other), "%s/other/d", dir);
		ledger_fixture_story(other);
	}
	scratch_run(dir, "cp other/d/record.json .");
	bad("its quote does not hold");
}

/* Root could have written all of it anew after a reset, but for the witness. */
static void test_no_witness(void **state)
{
	struct why why = {""};
	char kept[80];

	(void)state;
	scratch_run(dir, "cp record.json kept && sed -i '/ plumb.example.witness /d' notes");
	good();
	assert_int_equal(report.n_unchecked, 1);
	assert_true(open_question("no cosignature of the witness that the record names"));
	/* Of a part others say what it is. */
	assert_int_equal(ledger_check_part(fsio_system(), dir, NULL, &report, &why), 0);
	assert_int_equal(ledger_check_result(&report), LEDGER_CHECK_GOOD);
	/* It is the record that was kept which says so. */
	scratch_run(dir, "sed -i 's/\"witness_key\":\"[^\"]*\"/\"witness_key\":\"\"/' record.json");
	good();
	assert_int_equal(report.n_unchecked, 0);
	snprintf(kept, sizeof(kept), "%s/kept", dir);
	assert_int_equal(ledger_check(fsio_system(), dir, kept, &report, &why), 0);
	assert_true(open_question("no cosignature of the witness"));
}

static void test_foreign(void **state)
{
	struct ledger_anchor a = {.kind = LEDGER_ANCHOR_FOREIGN};
	CLEANUP(buf_done) struct buf b = {0};

	(void)state;
	read_file("anchors", &b);
	memset(&a.foreign.found, 7, DIGEST_SIZE);
	assert_int_equal(ledger_dir_anchor_write(&a, &b), 0);
	write_file("anchors", b.data, b.size);
	good();
	assert_int_equal(report.n_foreign, 1);
	assert_true(open_question("somebody else extended"));
}

/* An epoch record never restarts the replay while the counts are unchanged, and a base says what it is. */
static void test_epochs(void **state)
{
	struct ledger_anchor a = {
		.kind = LEDGER_ANCHOR_EPOCH,
		.epoch = {.reset_count = 8, .pcr_index = 15, .base = LEDGER_BASE_UNPROVEN}};
	CLEANUP(buf_done) struct buf b = {0};
	size_t size;

	(void)state;
	read_file("anchors", &b);
	size = b.size;
	assert_int_equal(ledger_dir_anchor_write(&a, &b), 0);
	write_file("anchors", b.data, b.size);
	good();
	assert_int_equal(report.anchored_size, 0);
	assert_true(open_question("first value is unproven"));
	buf_cut(&b, size);
	a.epoch.base = LEDGER_BASE_CONTINUES;
	assert_int_equal(ledger_dir_anchor_write(&a, &b), 0);
	write_file("anchors", b.data, b.size);
	bad("first PCR value is not what it says");
	buf_cut(&b, size);
	a.epoch.base = LEDGER_BASE_ZERO;
	a.epoch.reset_count = 9;
	memset(&a.epoch.found, 1, DIGEST_SIZE);
	assert_int_equal(ledger_dir_anchor_write(&a, &b), 0);
	write_file("anchors", b.data, b.size);
	bad("first PCR value is not what it says");
}

static void test_example(void **state)
{
	struct why why = {""};

	(void)state;
	assert_int_equal(ledger_check(fsio_system(), "tests/data/ledger", NULL, &report, &why), 0);
	assert_int_equal(report.n_problems, 0);
	assert_int_equal(report.n_unchecked, 0);
	assert_int_equal(ledger_check_result(&report), LEDGER_CHECK_GOOD);
	assert_int_equal(report.n_lines, 15);
	assert_int_equal(report.quoted_size, 14);
	assert_int_equal(report.cosigned_size, 14);
}

/* Two boots, each with its list of what IMA measured; the first packed. And the example of the line that seals one. */
static void test_ima_example(void **state)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	CLEANUP(buf_done) struct buf text = {0}, members = {0};
	struct ledger_ima_seal s;
	struct why why = {""};

	(void)state;
	assert_int_equal(ledger_check(fsio_system(), "tests/data/ledger-ima", NULL, &report, &why),
			 0);
	tell_problems();
	assert_int_equal(ledger_check_result(&report), LEDGER_CHECK_GOOD);
	assert_int_equal(report.imas.n, 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(report.imas.lists[i].result, LEDGER_BOOT_GOOD);
		assert_int_equal(report.imas.lists[i].entries, 5);
		assert_int_equal(report.imas.lists[i].proven, 4);
		assert_int_equal(report.imas.lists[i].tally.violations, 1);
	}
	assert_int_equal(fsio_read_file(fsio_system(), "tests/data/line/ima.json", 4096, &text), 0);
	assert_int_equal(jsonl_parse(text.data, text.size, 4096, &o, &why), 0);
	assert_int_equal(ledger_ima_seal_read(o, &s, &why), 0);
	assert_int_equal(ledger_ima_seal_write(&s, &members), 0);
	assert_non_null(strstr((char *)text.data, (char *)members.data));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_good, copy, drop),
		cmocka_unit_test_setup_teardown(test_plain_and_packed, copy, drop),
		cmocka_unit_test_setup_teardown(test_every_byte, copy_plain, drop),
		cmocka_unit_test_setup_teardown(test_lines, copy_plain, drop),
		cmocka_unit_test_setup_teardown(test_rewritten, copy_plain, drop),
		cmocka_unit_test_setup_teardown(test_end_cut, copy_plain, drop),
		cmocka_unit_test_setup_teardown(test_torn, copy_plain, drop),
		cmocka_unit_test_setup_teardown(test_anchors, copy_plain, drop),
		cmocka_unit_test_setup_teardown(test_notes, copy_plain, drop),
		cmocka_unit_test_setup_teardown(test_quotes, copy_plain, drop),
		cmocka_unit_test_setup_teardown(test_record, copy_plain, drop),
		cmocka_unit_test_setup_teardown(test_no_witness, copy_plain, drop),
		cmocka_unit_test_setup_teardown(test_foreign, copy_plain, drop),
		cmocka_unit_test_setup_teardown(test_epochs, copy_plain, drop),
		cmocka_unit_test(test_example),
		cmocka_unit_test(test_ima_example),
	};

	if (argc == 3 && strcmp(argv[1], "make") == 0) {
		ledger_fixture_story(argv[2]);
		return 0;
	}
	if (argc == 3 && strcmp(argv[1], "make-pruned") == 0) {
		ledger_fixture_pruned(argv[2]);
		return 0;
	}
	if (argc == 3 && strcmp(argv[1], "make-ima") == 0) {
		ledger_fixture_ima(argv[2]);
		return 0;
	}
	if (argc == 4 && strcmp(argv[1], "make-boots") == 0) {
		many_boots_make(argv[2], atoi(argv[3]));
		return 0;
	}
	return cmocka_run_group_tests(tests, make_story, remove_story);
}
