/* SPDX-License-Identifier: Apache-2.0 */
/* Whole segments go, after a line has said so: which ones, and at every crash. */
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
#include "clock.h"
#include "fault_fsio.h"
#include "ledger_check.h"
#include "ledger_read.h"
#include "ledger_write.h"
#include "line.h"
#include "power_fsio.h"
#include "scratch.h"

#define ORIGIN "test/node/0123/1"
#define START_NS 1795462800000000000ull
#define HOUR_NS 3600000000000ull

static char dir[SCRATCH_SIZE];
static struct ledger_check_report report;

static int setup(void **state)
{
	(void)state;
	scratch_open(dir, "prune");
	return 0;
}

static int teardown(void **state)
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

static int open_at(const struct fsio *io, struct ledger **ret, struct ledger_recovery *found)
{
	const struct ledger_options o = {
		.io = io, .dir = dir, .origin = ORIGIN, .segment_size = 700, .create = true};
	struct why why = {""};
	int r = ledger_open(&o, ret, found, &why);

	if (r < 0 && io == fsio_system())
		fprintf(stderr, "# %s\n", why.text);
	return r;
}

/* Line n is n hours after the first one. */
static int append(struct ledger *l, enum plumb_type type, const char *body)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct line line = {.seq = ledger_next_seq(l),
			    .utc_ns = START_NS + ledger_next_seq(l) * HOUR_NS,
			    .boot_ns = 1,
			    .boot = "5eb63bbb-e01e-4ed0-93cb-22bb8f5acdc3",
			    .src = "agent",
			    .type = type,
			    .body = body};
	int r = line_write(&line, &b);

	return r < 0 ? r : ledger_append(l, b.data, b.size);
}

static int append_some(struct ledger *l, int n)
{
	int r = 0;

	for (int i = 0; i < n && r >= 0; i++) {
		r = append(l, PLUMB_TYPE_START, "\"agent\":\"0.1.0\"");
		if (r >= 0)
			r = ledger_sync(l);
	}
	return r;
}

static int prune(const struct fsio *io, struct ledger *l, uint64_t safe)
{
	CLEANUP(buf_done) struct buf body = {0};
	const struct ledger_prune_limits limits = {.safe = safe, .keep_size = 1};
	struct ledger_prune_claim c;
	struct why why;
	int r = ledger_prune_plan(io, dir, &limits, &c, &why);

	if (r <= 0)
		return r;
	r = ledger_prune_write(&c, &body);
	if (r >= 0)
		r = append(l, PLUMB_TYPE_PRUNED, (char *)body.data);
	if (r >= 0)
		r = ledger_sync(l);
	return r < 0 ? r : ledger_drop(l, c.first);
}

/* Two times of lines and pruning, until something fails: gives what was acknowledged, and the most that was allowed to go. */
static uint64_t write_until_fault(const struct fsio *io, uint64_t *ret_safe)
{
	struct ledger_recovery found;
	struct ledger *l = NULL;
	uint64_t synced;
	int r = open_at(io, &l, &found);

	*ret_safe = 0;
	if (r < 0)
		return 0;
	for (int i = 0; i < 2 && r >= 0; i++) {
		r = append_some(l, 17);
		*ret_safe = i ? 25 : 9;
		if (r >= 0)
			r = prune(io, l, *ret_safe);
	}
	if (r >= 0)
		r = append_some(l, 2);
	synced = ledger_synced_size(l);
	ledger_free(l);
	return synced;
}

static void test_whole(void **state)
{
	struct ledger_recovery found;
	struct ledger *l = NULL;
	uint64_t safe;

	(void)state;
	assert_int_equal(write_until_fault(fsio_system(), &safe), 38);
	good();
	assert_true(report.first_seq > 10 && report.first_seq <= 25);
	assert_int_equal(report.pruned.first, report.first_seq);
	assert_int_equal(report.pruned.seq, 35);
	assert_string_equal(report.pruned.why, "size");
	assert_int_equal(report.first_seq + report.n_lines, 38);
	assert_int_equal(open_at(fsio_system(), &l, &found), 0);
	assert_int_equal(ledger_next_seq(l), 38);
	assert_int_equal(found.pruned.first, report.first_seq);
	/* Of more than is kept nothing goes, and never the newest. */
	assert_int_equal(prune(fsio_system(), l, report.first_seq), 0);
	assert_int_equal(append_some(l, 1), 0);
	assert_int_equal(ledger_rotate(l), 0);
	assert_int_equal(prune(fsio_system(), l, 1000), 0);
	ledger_free(l);
	good();
	assert_true(report.first_seq > 30);
	assert_true(report.n_lines >= 1);
}

static void after_crash(uint64_t synced, uint64_t safe)
{
	struct ledger_recovery found;
	struct ledger *l = NULL;

	assert_int_equal(open_at(fsio_system(), &l, &found), 0);
	assert_true(ledger_next_seq(l) >= synced);
	assert_int_equal(append_some(l, 1), 0);
	ledger_free(l);
	good();
	assert_true(report.first_seq <= safe);
	/* What a line said was to go is gone once the ledger was opened. */
	if (found.pruned.first)
		assert_int_equal(report.first_seq, found.pruned.first);
}

static void test_crash(void **state)
{
	struct fault_fsio f;
	uint64_t safe, synced;
	long calls;

	fault_fsio_init(&f, -1, false, -EIO);
	write_until_fault(&f.io, &safe);
	calls = f.calls;
	for (long n = 0; n < calls; n++) {
		teardown(state);
		setup(state);
		fault_fsio_init(&f, n, n % 2, -EIO);
		synced = write_until_fault(&f.io, &safe);
		/* As the crash left it, and nobody opened it yet. */
		if (synced > 0)
			good();
		after_crash(synced, safe);
	}
}

static void test_power_cut(void **state)
{
	static struct power_fsio p;
	struct fault_fsio f;
	uint64_t safe, synced;
	long calls;

	fault_fsio_init(&f, -1, false, -EIO);
	write_until_fault(&f.io, &safe);
	calls = f.calls;
	for (long n = 0; n < 3 * calls; n++) {
		teardown(state);
		setup(state);
		fault_fsio_init(&f, n / 3, n % 2, -EIO);
		power_fsio_init(&p, &f.io);
		synced = write_until_fault(&p.io, &safe);
		power_fsio_cut(&p, (enum power_cut)(n % 3));
		power_fsio_done(&p);
		after_crash(synced, safe);
	}
}

static void fill(struct ledger **ret, int n)
{
	struct ledger_recovery found;

	assert_int_equal(open_at(fsio_system(), ret, &found), 0);
	assert_int_equal(append_some(*ret, n), 0);
}

static int plan(uint64_t safe, uint64_t size, uint64_t age_h, uint64_t now_h,
		struct ledger_prune_claim *ret)
{
	const struct ledger_prune_limits limits = {.safe = safe,
						   .keep_size = size,
						   .keep_age_ns = age_h * HOUR_NS,
						   .now_ns = START_NS + now_h * HOUR_NS};
	struct why why = {""};

	return ledger_prune_plan(fsio_system(), dir, &limits, ret, &why);
}

static void test_limits(void **state)
{
	struct ledger_prune_claim c;
	CLEANUP_FREE uint64_t *firsts = NULL;
	struct ledger *l = NULL;
	struct why why;
	uint32_t n;

	(void)state;
	fill(&l, 60);
	assert_int_equal(ledger_read_list(dir, &firsts, &n, &why), 0);
	assert_true(n > LEDGER_PRUNE_MAX + 2);
	assert_int_equal(plan(60, 0, 0, 1000, &c), 0);
	assert_int_equal(plan(60, 1u << 20, 0, 1000, &c), 0);
	assert_int_equal(plan(0, 1, 1, 1000, &c), 0);
	assert_int_equal(plan(firsts[1] - 1, 1, 1, 1000, &c), 0);
	assert_int_equal(plan(firsts[1], 1, 0, 0, &c), 1);
	assert_int_equal(c.from, 0);
	assert_int_equal(c.first, firsts[1]);
	assert_int_equal(plan(60, 1, 0, 0, &c), 1);
	assert_int_equal(c.first, firsts[LEDGER_PRUNE_MAX]);
	/* By age: a segment goes when the first line after it is old enough. */
	assert_int_equal(plan(60, 0, 10, firsts[2] + 10, &c), 1);
	assert_int_equal(c.first, firsts[1]);
	assert_string_equal(c.why, "age");
	assert_int_equal(plan(60, 0, 10, firsts[1] + 10, &c), 0);
	/* A clock that was set back lets nothing go. */
	assert_int_equal(plan(60, 0, 10, 0, &c), 0);
	ledger_free(l);
}

/* A door that counts the tiles that are synced. */
static int tile_fd = -1, tiles_synced;

static int open_counted(void *ctx, const char *path, int flags, mode_t mode)
{
	int fd = fsio_open(fsio_system(), path, flags, mode);

	(void)ctx;
	tile_fd = strstr(path, "/tiles/") ? fd : tile_fd;
	return fd;
}

static int sync_counted(void *ctx, int fd)
{
	(void)ctx;
	tiles_synced += fd == tile_fd;
	return fsio_sync(fsio_system(), fd);
}

/* Before anything goes, whether or not its segments were packed. */
static void test_tiles_synced(void **state)
{
	struct fsio_ops ops = *fsio_system()->ops;
	const struct fsio io = {&ops, NULL};
	const struct ledger_prune_limits limits = {.safe = 600, .keep_size = 1};
	struct ledger_prune_claim c;
	struct ledger *l = NULL;
	struct why why;

	(void)state;
	ops.open = open_counted;
	ops.sync = sync_counted;
	fill(&l, 20);
	tiles_synced = 0;
	assert_int_equal(ledger_prune_plan(&io, dir, &limits, &c, &why), 1);
	assert_int_equal(tiles_synced, 1);
	ledger_free(l);
}

/* A packed segment stands for tiles that are on disk. */
static void test_packed_tiles(void **state)
{
	static struct power_fsio p;
	struct ledger_recovery found;
	struct ledger *l = NULL;
	uint32_t n = 0;

	(void)state;
	power_fsio_init(&p, fsio_system());
	assert_int_equal(open_at(&p.io, &l, &found), 0);
	for (int i = 0; i < 300; i++)
		assert_int_equal(append(l, PLUMB_TYPE_START, "\"agent\":\"0.1.0\""), 0);
	assert_int_equal(append_some(l, 5), 0);
	for (uint32_t i = 0; i < p.n_names; i++) {
		const struct power_name *name = &p.names[i];

		if (!strstr(name->path, "/tiles/"))
			continue;
		assert_true(name->durable >= 0);
		assert_true(p.files[name->durable].synced.size > 0);
		n++;
	}
	assert_int_equal(n, 3);
	ledger_free(l);
	power_fsio_done(&p);
}

/* Without the hashes the lines are all there is of them. */
static void test_tiles_first(void **state)
{
	struct ledger_prune_claim c;
	struct ledger *l = NULL;

	(void)state;
	fill(&l, 60);
	scratch_run(dir, "cp tiles/0/000000000000 keep && printf x | dd of=tiles/0/000000000000 "
			 "bs=1 seek=40 "
			 "conv=notrunc status=none");
	assert_int_equal(plan(20, 1, 0, 0, &c), -EBADMSG);
	scratch_run(dir, "head -c 96 keep >tiles/0/000000000000");
	assert_int_equal(plan(20, 1, 0, 0, &c), -EBADMSG);
	scratch_run(dir, "mv keep tiles/0/000000000000");
	assert_int_equal(plan(20, 1, 0, 0, &c), 1);
	ledger_free(l);
}

/* Crashed after the line and before the first removal: nothing is bad, and the next start removes them. */
static void test_still_to_go(void **state)
{
	CLEANUP(buf_done) struct buf body = {0};
	struct ledger_prune_claim c;
	struct ledger_recovery found;
	struct ledger *l = NULL;

	(void)state;
	fill(&l, 30);
	assert_int_equal(plan(20, 1, 0, 0, &c), 1);
	assert_int_equal(ledger_prune_write(&c, &body), 0);
	assert_int_equal(append(l, PLUMB_TYPE_PRUNED, (char *)body.data), 0);
	assert_int_equal(ledger_sync(l), 0);
	ledger_free(l);
	good();
	assert_int_equal(report.first_seq, 0);
	assert_int_equal(open_at(fsio_system(), &l, &found), 0);
	ledger_free(l);
	good();
	assert_int_equal(report.first_seq, c.first);
}

/* A line that tells another tree lets nothing go. */
static void test_forged_claim(void **state)
{
	CLEANUP(buf_done) struct buf body = {0};
	struct ledger_prune_claim c;
	struct ledger_recovery found;
	struct ledger *l = NULL;

	(void)state;
	fill(&l, 30);
	assert_int_equal(plan(20, 1, 0, 0, &c), 1);
	c.root.bytes[0] ^= 1;
	assert_int_equal(ledger_prune_write(&c, &body), 0);
	assert_int_equal(append(l, PLUMB_TYPE_PRUNED, (char *)body.data), 0);
	assert_int_equal(ledger_sync(l), 0);
	ledger_free(l);
	assert_int_equal(open_at(fsio_system(), &l, &found), 0);
	ledger_free(l);
	bad("tells another tree");
	assert_int_equal(report.first_seq, 0);
}

static void test_not_sooner(void **state)
{
	struct ledger *l = NULL;

	(void)state;
	fill(&l, 5);
	assert_int_equal(append(l, PLUMB_TYPE_START, "\"agent\":\"0.1.0\""), 0);
	assert_int_equal(ledger_drop(l, 6), -EINVAL);
	ledger_free(l);
}

/* Only the newest of the oldest that are packed is read, and what follows; all of it when tiles/ does not have what is before. */
static void test_quick_start(void **state)
{
	struct ledger_recovery found;
	struct ledger *l = NULL;
	uint64_t safe;

	(void)state;
	assert_int_equal(write_until_fault(fsio_system(), &safe), 38);
	assert_int_equal(open_at(fsio_system(), &l, &found), 0);
	assert_int_equal(append_some(l, 30), 0);
	ledger_free(l);
	scratch_run(dir, "test $(ls events-*.zst | wc -l) -gt 3 && f=$(ls events-*.zst | head -n "
			 "1) && mv $f "
			 "x && echo none >$f");
	assert_int_equal(open_at(fsio_system(), &l, &found), 0);
	ledger_free(l);
	scratch_run(dir, "mv x $(ls events-*.zst | head -n 1)");
	good();
	scratch_run(dir, "head -c 100 tiles/0/000000000000 >x && mv x tiles/0/000000000000");
	assert_int_equal(open_at(fsio_system(), &l, &found), -EBADMSG);
}

/* One segment more than the line says. */
static void test_deleted(void **state)
{
	char text[128];
	uint64_t safe, first;

	(void)state;
	assert_int_equal(write_until_fault(fsio_system(), &safe), 38);
	good();
	first = report.first_seq;
	scratch_run(dir, "rm events-%020" PRIu64 ".jsonl*", first);
	check();
	snprintf(text, sizeof(text),
		 "lines %" PRIu64 " to %" PRIu64 " are missing: no `pruned` line", first,
		 report.first_seq - 1);
	bad(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(test_crash, setup, teardown),
		cmocka_unit_test_setup_teardown(test_power_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tiles_synced, setup, teardown),
		cmocka_unit_test_setup_teardown(test_packed_tiles, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tiles_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_still_to_go, setup, teardown),
		cmocka_unit_test_setup_teardown(test_forged_claim, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_sooner, setup, teardown),
		cmocka_unit_test_setup_teardown(test_quick_start, setup, teardown),
		cmocka_unit_test_setup_teardown(test_deleted, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
