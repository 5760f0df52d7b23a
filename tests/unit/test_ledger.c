/* SPDX-License-Identifier: Apache-2.0 */
/* A ledger directory written, crashed at every call of the disk, recovered and checked; and copies of it tampered with. */
#include <errno.h>
#include <glob.h>
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

#include "fault_fsio.h"
#include "ledger_check.h"
#include "ledger_write.h"
#include "power_fsio.h"

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

/* Writes until something fails; gives what was acknowledged as synced, the fold that a TPM would hold, and if
 * the epoch was acknowledged. */
static uint64_t write_until_fault(const struct fsio *io, struct digest *pcr, bool *ret_epoch)
{
	struct ledger_anchor epoch = {.kind = LEDGER_ANCHOR_EPOCH,
				      .epoch = {.base = LEDGER_BASE_ZERO, .pcr_index = 15}};
	struct ledger_recovery found;
	struct ledger *l = NULL;
	uint64_t synced;
	int r = open_at(io, &l, &found);

	if (r < 0)
		return 0;
	r = ledger_anchor(l, &epoch);
	if (ret_epoch)
		*ret_epoch = r >= 0;
	for (int i = 0; i < 20 && r >= 0; i++) {
		r = append(l);
		if (r >= 0)
			r = append(l);
		if (r >= 0)
			r = commit(l, pcr);
	}
	synced = ledger_synced_size(l);
	ledger_free(l);
	return synced;
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

static void test_whole(void **state)
{
	struct digest pcr = {{0}};
	struct ledger_recovery found;
	struct ledger *l = NULL;
	struct digest root;
	struct checkpoint head;

	(void)state;
	assert_int_equal(write_until_fault(fsio_system(), &pcr, NULL), 40);
	check(0);
	assert_int_equal(report.n_lines, 40);
	assert_int_equal(report.anchored_size, 40);
	assert_true(report.n_segments > 3);
	assert_int_equal(open_at(fsio_system(), &l, &found), 0);
	assert_int_equal(ledger_next_seq(l), 40);
	assert_true(digest_equal(&found.fold, &pcr));
	assert_false(found.has_pending);
	assert_int_equal(ledger_head(l, &head), 0);
	assert_int_equal(ledger_root_at(l, 40, &root), 0);
	assert_true(digest_equal(&root, &head.root));
	assert_int_equal(append(l), 0);
	assert_int_equal(ledger_sync(l), 0);
	ledger_free(l);
	check(0);
	assert_int_equal(report.n_lines, 41);
}

/* After a stop at any call: it opens, nothing that was acknowledged is missing, and both states of a pending extend are known. */
static void crash_at(long n, bool half)
{
	struct digest pcr = {{0}};
	struct fault_fsio f;
	struct ledger_recovery found;
	struct ledger *l = NULL;
	uint64_t synced;

	fault_fsio_init(&f, n, half, -EIO);
	synced = write_until_fault(&f.io, &pcr, NULL);
	assert_int_equal(open_at(fsio_system(), &l, &found), 0);
	assert_true(ledger_next_seq(l) >= synced);
	if (found.has_epoch)
		assert_true(digest_equal(&found.fold, &pcr) ||
			    digest_equal(&found.fold_pending, &pcr));
	assert_int_equal(append(l), 0);
	assert_int_equal(ledger_sync(l), 0);
	ledger_free(l);
	check(0);
}

static void test_crash(void **state)
{
	struct digest pcr = {{0}};
	struct fault_fsio f;

	fault_fsio_init(&f, -1, false, -EIO);
	write_until_fault(&f.io, &pcr, NULL);
	assert_true(f.calls > 100);
	for (long n = 0; n < f.calls; n++) {
		teardown(state);
		crash_at(n, n % 2);
	}
}

/* The same when the power goes: only what was synced is left, or zeros stand where the rest was. */
static void power_at(long n, enum power_cut how)
{
	static struct power_fsio p;
	struct digest pcr = {{0}};
	bool epoch = false;
	struct fault_fsio f;
	struct ledger_recovery found;
	struct ledger *l = NULL;
	uint64_t synced;

	fault_fsio_init(&f, n, n % 2, -EIO);
	power_fsio_init(&p, &f.io);
	synced = write_until_fault(&p.io, &pcr, &epoch);
	power_fsio_cut(&p, how);
	power_fsio_done(&p);
	assert_int_equal(open_at(fsio_system(), &l, &found), 0);
	assert_true(ledger_next_seq(l) >= synced);
	assert_true(found.has_epoch || !epoch);
	if (found.has_epoch)
		assert_true(digest_equal(&found.fold, &pcr) ||
			    digest_equal(&found.fold_pending, &pcr));
	assert_int_equal(append(l), 0);
	assert_int_equal(ledger_sync(l), 0);
	ledger_free(l);
	check(0);
}

static void test_power_cut(void **state)
{
	struct digest pcr = {{0}};
	struct fault_fsio f;

	fault_fsio_init(&f, -1, false, -EIO);
	write_until_fault(&f.io, &pcr, NULL);
	for (long n = 0; n < 4 * f.calls; n++) {
		teardown(state);
		power_at(n / 4, (enum power_cut)(n % 4));
	}
}

static void shell(const char *format)
{
	char command[512];

	snprintf(command, sizeof(command), "cd %s && %s", dir, format);
	assert_int_equal(system(command), 0);
}

/* A full disk for a while: lines wait and are written at the same place when there is room. */
static void test_full(void **state)
{
	struct ledger_recovery found;
	struct ledger *l = NULL;
	struct fault_fsio f;

	(void)state;
	fault_fsio_init(&f, -1, false, -ENOSPC);
	assert_int_equal(open_at(&f.io, &l, &found), 0);
	assert_int_equal(append(l), 0);
	f.left = 0;
	f.half = true;
	assert_int_equal(ledger_sync(l), -ENOSPC);
	assert_int_equal(ledger_synced_size(l), 0);
	assert_int_equal(append(l), 0);
	f.left = -1;
	assert_int_equal(ledger_sync(l), 0);
	assert_int_equal(ledger_synced_size(l), 2);
	ledger_free(l);
	check(0);
	assert_int_equal(report.n_lines, 2);
}

static size_t packed(void)
{
	glob_t g;
	char pattern[128];
	size_t n;

	snprintf(pattern, sizeof(pattern), "%s/events-*.zst", dir);
	n = glob(pattern, 0, NULL, &g) == 0 ? g.gl_pathc : 0;
	globfree(&g);
	return n;
}

static void fill(void)
{
	struct digest pcr = {{0}};

	assert_int_equal(write_until_fault(fsio_system(), &pcr, NULL), 40);
	assert_true(packed() > 0);
	/* As it was before they were packed, so that sed can change them. */
	shell("zstd -dq --rm events-*.zst");
	check(0);
}

static void bad_line(uint64_t line)
{
	bool named = false;

	check(1);
	for (uint32_t i = 0; i < report.n_problems && i < LEDGER_CHECK_MAX_PROBLEMS; i++)
		named |= report.problems[i].has_line && report.problems[i].line == line;
	assert_true(named);
}

static void test_changed(void **state)
{
	(void)state;
	fill();
	shell("sed -i '4s/\"bt\":1/\"bt\":2/' events-00000000000000000000.jsonl");
	bad_line(2);
}

static void test_changed_with_tiles(void **state)
{
	(void)state;
	fill();
	shell("sed -i '4s/\"bt\":1/\"bt\":2/' events-00000000000000000000.jsonl && rm -r tiles");
	bad_line(3); /* the checkpoint at 4 */
}

static void test_dropped(void **state)
{
	(void)state;
	fill();
	shell("sed -i 3d events-00000000000000000000.jsonl");
	bad_line(1);
}

static void test_cut_end(void **state)
{
	(void)state;
	fill();
	shell("f=$(ls events-*.jsonl | tail -n 1) && rm $f");
	check(1);
}

static void test_anchor_changed(void **state)
{
	(void)state;
	fill();
	shell("printf X | dd of=anchors bs=1 seek=200 conv=notrunc status=none");
	check(1);
}

/* A torn end that is longer than what is written over it must not show through. */
static void test_torn_long(void **state)
{
	struct ledger_recovery found;
	struct ledger *l = NULL;

	(void)state;
	fill();
	shell("f=$(ls events-*.jsonl | tail -n 1) && head -c 2000 /dev/zero | tr '\\0' x >>$f");
	assert_int_equal(open_at(fsio_system(), &l, &found), 0);
	assert_int_equal(found.torn_line_bytes, 2000);
	assert_int_equal(append(l), 0);
	assert_int_equal(ledger_sync(l), 0);
	ledger_free(l);
	check(0);
	assert_int_equal(report.n_lines, 41);
}

/* What was changed while the agent was away gets no fresh coat of hashes. */
static void test_not_written_on(void **state)
{
	struct ledger_options o = {.io = fsio_system(), .dir = dir, .origin = ORIGIN};
	struct ledger_recovery found;
	struct ledger *l = NULL;
	struct why why = {""};

	(void)state;
	fill();
	shell("cp -r . ../plumb-test-ledger-copy");
	shell("sed -i '2s/\"bt\":1/\"bt\":2/' $(ls events-*.jsonl | tail -n 1)");
	assert_int_equal(ledger_open(&o, &l, &found, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "was changed: its hash is not the one in tiles/"));
	shell("rm -r * && mv ../plumb-test-ledger-copy/* . && rmdir ../plumb-test-ledger-copy");
	check(0);
	shell("sed -i '$d' $(ls events-*.jsonl | tail -n 1)");
	assert_int_equal(ledger_open(&o, &l, &found, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "line 39 is missing: tiles/ has its hash"));
}

/* Hashes are made again from the lines. */
static void test_tiles_lost(void **state)
{
	struct ledger_recovery found;
	struct ledger *l = NULL;

	(void)state;
	fill();
	shell("cp tiles/0/000000000000 tile && rm -r tiles");
	assert_int_equal(open_at(fsio_system(), &l, &found), 0);
	ledger_free(l);
	shell("cmp tile tiles/0/000000000000 && rm tile");
	check(0);
}

/* Zeros where a power cut left nothing of a tile, and then a start that is cut off anywhere: no line looks as if it had been changed. */
static void test_tiles_zeros(void **state)
{
	struct ledger_recovery found;
	struct ledger *l = NULL;
	struct fault_fsio f;
	long calls;

	(void)state;
	fill();
	shell("cp tiles/0/000000000000 tile && head -c 352 tile >cut && head -c 1000 /dev/zero "
	      ">>cut");
	shell("cp cut tiles/0/000000000000");
	fault_fsio_init(&f, -1, false, -EIO);
	assert_int_equal(open_at(&f.io, &l, &found), 0);
	ledger_free(l);
	shell("cmp tile tiles/0/000000000000");
	calls = f.calls;
	assert_true(calls > 10);
	for (long n = 0; n < calls; n++) {
		shell("cp cut tiles/0/000000000000");
		fault_fsio_init(&f, n, true, -EIO);
		l = NULL;
		if (open_at(&f.io, &l, &found) == 0)
			ledger_free(l);
		check(0);
		assert_int_equal(open_at(fsio_system(), &l, &found), 0);
		ledger_free(l);
		check(0);
	}
	shell("rm tile cut");
}

/* More than one tile, and proofs from them. */
static void test_many(void **state)
{
	const struct ledger_options o = {
		.io = fsio_system(), .dir = dir, .origin = ORIGIN, .create = true};
	struct digest root, proof[2 * MERKLE_MAX_LEVELS], old;
	struct ledger_recovery found;
	struct ledger *l = NULL;
	struct why why = {""};
	struct checkpoint head;
	uint32_t n;

	(void)state;
	for (int run = 0; run < 2; run++) {
		assert_int_equal(ledger_open(&o, &l, &found, &why), 0);
		for (int i = 0; i < 35000; i++)
			assert_int_equal(append(l), 0);
		assert_int_equal(ledger_head(l, &head), 0);
		assert_int_equal(ledger_root_at(l, head.size, &root), 0);
		assert_true(digest_equal(&root, &head.root));
		assert_int_equal(ledger_root_at(l, 300, &old), 0);
		assert_int_equal(ledger_prove_consistency(l, 300, head.size, proof, &n), 0);
		assert_int_equal(merkle_check_consistency(300, head.size, &old, &root, proof, n),
				 0);
		assert_int_equal(ledger_root_at(l, head.size + 1, &root), -ERANGE);
		ledger_free(l);
	}
	check(0);
	assert_int_equal(report.n_lines, 70000);
	shell("test -s tiles/2/000000000000");
}

/* A record that failed half way leaves nothing behind the shorter one that takes its place. */
static void test_short_after_long(void **state)
{
	struct ledger_anchor epoch = {.kind = LEDGER_ANCHOR_EPOCH,
				      .epoch = {.base = LEDGER_BASE_ZERO, .pcr_index = 15}};
	struct ledger_anchor foreign = {.kind = LEDGER_ANCHOR_FOREIGN};
	struct ledger_recovery found;
	struct ledger *l = NULL;
	struct fault_fsio f;
	struct digest pcr = {{0}};

	(void)state;
	fault_fsio_init(&f, -1, false, -ENOSPC);
	assert_int_equal(open_at(&f.io, &l, &found), 0);
	memset(&foreign.foreign, 0xaa, sizeof(foreign.foreign));
	f.left = 1; /* the write; its sync fails */
	assert_int_equal(ledger_anchor(l, &foreign), -ENOSPC);
	f.left = -1;
	assert_int_equal(ledger_anchor(l, &epoch), 0);
	ledger_free(l);
	assert_int_equal(open_at(fsio_system(), &l, &found), 0);
	assert_int_equal(found.torn_anchor_bytes, 0);
	assert_true(found.has_epoch);
	assert_true(digest_equal(&found.fold, &pcr));
	ledger_free(l);
}

/* A crash while a segment was packed: what lies beside the plain file goes. */
static void test_half_packed(void **state)
{
	struct ledger_recovery found;
	struct ledger *l = NULL;

	(void)state;
	fill();
	shell("for f in events-*.jsonl; do echo x >$f.zst; done");
	assert_int_equal(open_at(fsio_system(), &l, &found), 0);
	shell("test -z \"$(ls events-*.zst)\"");
	ledger_free(l);
	check(0);
}

static void test_other_node(void **state)
{
	struct ledger_options o = {
		.io = fsio_system(), .dir = dir, .origin = "test/node/other/1", .create = true};
	struct ledger_recovery found;
	struct why why = {""};
	struct ledger *l = NULL;

	(void)state;
	fill();
	assert_int_equal(ledger_open(&o, &l, &found, &why), -EXDEV);
	assert_non_null(strstr(why.text, "another node"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(test_crash, setup, teardown),
		cmocka_unit_test_setup_teardown(test_power_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_changed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_changed_with_tiles, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dropped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_anchor_changed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_torn_long, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_written_on, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tiles_zeros, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tiles_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_short_after_long, setup, teardown),
		cmocka_unit_test_setup_teardown(test_half_packed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_node, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
