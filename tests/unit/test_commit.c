/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Group commit against a software register: the order of the write-ahead, a crash at every call of the disk with every kind of end,
 * foreign extends, epochs, a TPM that fails. After each of them the anchors must replay to what the register holds.
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

#include "commit.h"
#include "fault_fsio.h"
#include "ledger_check.h"

#define ORIGIN "test/node/0123/1"
#define PCR 15

/* The register, and what tests do to it. Written on the queue's thread, read here only while that is idle. */
struct chip {
	struct digest pcr;
	uint32_t reset, restart;
	int tries; /* extends that were begun; atomic */
	int extends; /* done */
	int fail_extend; /* that many fail without effect */
	int fail_after; /* that many report a failure after they were done */
	int foreign_before; /* that many are preceded by somebody else's */
	int suspend_after; /* restart count goes up after that many */
	uint64_t delay_us;
};

static void fold(struct digest *pcr, uint8_t byte)
{
	struct digest d;

	memset(&d, byte, sizeof(d));
	checkpoint_fold(pcr, &d);
}

static int chip_clock(void *ctx, struct tpm_clock *ret)
{
	struct chip *c = ctx;

	*ret = (struct tpm_clock){c->reset, c->restart, 1};
	return 0;
}

static int chip_read(void *ctx, uint32_t mask, struct quote_pcrs *ret)
{
	struct chip *c = ctx;

	ret->mask = mask;
	ret->values[PCR] = c->pcr;
	return 0;
}

static int chip_extend(void *ctx, uint32_t index, const struct digest *digest)
{
	struct chip *c = ctx;

	assert_int_equal(index, PCR);
	__atomic_add_fetch(&c->tries, 1, __ATOMIC_SEQ_CST);
	if (c->delay_us)
		usleep((useconds_t)c->delay_us);
	if (c->fail_extend > 0 && c->fail_extend--)
		return -EIO;
	if (c->foreign_before > 0 && c->foreign_before--)
		fold(&c->pcr, 0xee);
	checkpoint_fold(&c->pcr, digest);
	c->extends++;
	if (c->suspend_after > 0 && --c->suspend_after == 0)
		c->restart++;
	return c->fail_after > 0 && c->fail_after-- ? -EIO : 0;
}

static const struct tpm_ops ops = {
	.read_clock = chip_clock, .pcr_read = chip_read, .pcr_extend = chip_extend};

struct bench {
	char dir[64];
	struct chip chip;
	struct tpm tpm;
	struct event_base *base;
	struct tpm_queue *queue;
	struct ledger *ledger;
	struct commit *commit;
	struct epoch_ruling ruling;
	uint8_t boot;
	uint64_t segment_size;
	int n_provisional, n_anchored, n_epoch, n_foreign;
	uint64_t provisional_size;
	bool early; /* a provisional was told of lines that are not synced */
};

static void on_provisional(void *ctx, const struct checkpoint *head)
{
	struct bench *b = ctx;

	b->n_provisional++;
	b->provisional_size = head->size;
	b->early |= ledger_synced_size(b->ledger) < head->size;
}

static void on_anchored(void *ctx, const struct checkpoint *head)
{
	struct bench *b = ctx;

	b->n_anchored++;
	b->early |= ledger_synced_size(b->ledger) < head->size;
}

static void on_epoch(void *ctx, const struct epoch_seen *now, const struct epoch_ruling *r)
{
	struct bench *b = ctx;

	(void)now;
	(void)r;
	b->n_epoch++;
}

static void on_foreign(void *ctx, const struct epoch_seen *now, const struct epoch_ruling *r)
{
	struct bench *b = ctx;

	(void)now;
	assert_true(r->foreign);
	b->n_foreign++;
}

static int append(struct bench *b)
{
	char line[512];
	int n = snprintf(line, sizeof(line),
			 "{\"v\":1,\"seq\":%" PRIu64
			 ",\"t\":\"2026-11-24T00:00:00.000000000Z\",\"bt\":1,\"boot\":\"b\","
			 "\"src\":\"agent\",\"type\":\"start\"}",
			 ledger_next_seq(b->ledger));

	return ledger_append(b->ledger, line, (size_t)n);
}

static int start(struct bench *b, const struct fsio *io)
{
	const struct ledger_options lo = {.io = io,
					  .dir = b->dir,
					  .origin = ORIGIN,
					  .segment_size = b->segment_size,
					  .create = true};
	struct epoch_seen now = {.pcr_index = PCR};
	struct commit_options o = {.batch_ms = 20, .batch_lines = 8, .slow_extends = 1};
	struct ledger_recovery found;
	struct why why = {""};
	int r;

	now.reset_count = b->chip.reset;
	now.restart_count = b->chip.restart;
	now.pcr = b->chip.pcr;
	memset(now.boot_id, b->boot, sizeof(now.boot_id));
	b->base = event_base_new();
	b->tpm = (struct tpm){&ops, &b->chip};
	r = tpm_queue_open(b->base, &b->tpm, &b->queue);
	assert_int_equal(r, 0);
	r = ledger_open(&lo, &b->ledger, &found, &why);
	if (r < 0)
		return r;
	o.ledger = b->ledger;
	o.queue = b->queue;
	o.calls = (struct commit_calls){b, on_provisional, on_anchored, on_epoch, on_foreign};
	return commit_open(b->base, &o, &found, &now, &b->commit, &b->ruling, &why);
}

/* As a crash leaves it: nothing is synced, nothing is written any more. What the TPM's thread had begun it ends. */
static void stop(struct bench *b)
{
	b->queue = tpm_queue_free(b->queue);
	b->commit = commit_free(b->commit);
	b->ledger = ledger_free(b->ledger);
	event_base_free(b->base);
	b->base = NULL;
}

static bool settle(struct bench *b)
{
	const struct timeval tick = {0, 2000};

	for (int i = 0; i < 1500 && !commit_is_idle(b->commit); i++) {
		event_base_loopexit(b->base, &tick);
		event_base_loop(b->base, EVLOOP_ONCE);
	}
	return commit_is_idle(b->commit);
}

/* The anchors replay, every extended root is that of its prefix, and the fold at the end is the register. */
static void check(struct bench *b, uint64_t anchored)
{
	struct ledger_check_report report;
	struct why why = {""};

	assert_int_equal(ledger_check(fsio_system(), b->dir, NULL, &report, &why), 0);
	for (uint32_t i = 0; i < report.n_problems; i++)
		fprintf(stderr, "# %s\n", report.problems[i].text);
	assert_int_equal(report.n_problems, 0);
	assert_int_equal(report.anchored_size, anchored);
	assert_memory_equal(commit_fold(b->commit), &b->chip.pcr, DIGEST_SIZE);
}

static void bench_init(struct bench *b)
{
	*b = (struct bench){.chip = {.reset = 3}, .segment_size = 700};
	strcpy(b->dir, "/tmp/plumb-test-commit-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
}

static void bench_done(struct bench *b)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", b->dir);
	assert_int_equal(system(command), 0);
}

static void test_batches(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	assert_int_equal(start(&b, fsio_system()), 0);
	assert_int_equal(b.ruling.move, EPOCH_FIRST);
	assert_int_equal(b.ruling.base, LEDGER_BASE_ZERO);
	b.chip.delay_us = 5000;
	for (int i = 0; i < 5; i++) {
		assert_int_equal(append(&b), 0);
		commit_appended(b.commit, false);
	}
	assert_int_equal(b.n_provisional, 0); /* waits for its batch */
	assert_int_equal(append(&b), 0);
	commit_appended(b.commit, true);
	assert_int_equal(b.n_provisional, 1); /* at once */
	assert_int_equal(b.provisional_size, 6);
	for (int i = 0; i < 100; i++) { /* while one extend is in flight, the next batch fills */
		assert_int_equal(append(&b), 0);
		commit_appended(b.commit, i % 10 == 0);
	}
	assert_int_equal(b.n_provisional, 1);
	assert_true(settle(&b));
	assert_int_equal(b.chip.extends, 2);
	assert_int_equal(b.n_anchored, 2);
	assert_false(b.early);
	check(&b, 106);
	assert_int_equal(append(&b), 0);
	commit_appended(b.commit, false);
	assert_true(settle(&b)); /* and what waits goes when its time is over */
	check(&b, 107);
	stop(&b);
	bench_done(&b);
}

/* Lines, some of them urgent; true when all of it was anchored, false when the disk ended it. */
static bool life(struct bench *b, int n)
{
	for (int i = 0; i < n; i++) {
		if (append(b) < 0)
			return false;
		commit_appended(b->commit, i % 3 == 2);
		if (i % 4 == 3)
			event_base_loop(b->base, EVLOOP_ONCE);
	}
	return settle(b);
}

/*
 * The disk ends at its n-th call, for every n. Then the agent starts anew, on a disk that works and the register as it was left. No
 * anchored or provisional line may be missing, the anchors must replay to the register, and nothing may be called foreign.
 */
static void crash_at(long n, bool half, bool *ret_ended)
{
	struct fault_fsio fault;
	uint64_t told;
	struct bench b;
	int r;

	bench_init(&b);
	fault_fsio_init(&fault, n, half, -EIO);
	r = start(&b, &fault.io);
	if (r >= 0)
		for (int i = 0; i < 12; i++) {
			if (append(&b) < 0)
				break;
			commit_appended(b.commit, i % 3 == 2);
			if (i % 4 == 3)
				for (int k = 0;
				     k < 20 && !commit_is_anchored(b.commit) && fault.left != 0;
				     k++) {
					usleep(200);
					event_base_loop(b.base, EVLOOP_NONBLOCK);
				}
		}
	*ret_ended = r >= 0 && fault.left > 0;
	told = b.provisional_size;
	assert_false(b.early);
	stop(&b);
	b.provisional_size = 0;
	assert_int_equal(start(&b, fsio_system()), 0);
	assert_false(b.ruling.foreign);
	assert_true(b.ruling.move == EPOCH_SAME || b.ruling.move == EPOCH_FIRST);
	assert_true(ledger_next_seq(b.ledger) >= told);
	assert_true(life(&b, 4));
	check(&b, ledger_next_seq(b.ledger));
	assert_int_equal(b.n_foreign, 0);
	stop(&b);
	bench_done(&b);
}

static void test_crash_everywhere(void **state)
{
	bool ended = false;

	(void)state;
	for (long n = 0; !ended; n++) {
		crash_at(n, false, &ended);
		if (!ended)
			crash_at(n, true, &(bool){false});
		assert_in_range(n, 0, 1000);
	}
}

/* Killed with the extend record written: not extended, extended, extended and somebody else too. */
static void recovery(bool extended, bool foreign, enum epoch_pending want)
{
	struct bench b;
	int tries;

	bench_init(&b);
	assert_int_equal(start(&b, fsio_system()), 0);
	assert_true(life(&b, 5));
	b.chip.fail_extend = extended ? 0 : 1;
	b.chip.fail_after = extended ? 1 : 0;
	append(&b);
	tries = b.chip.tries;
	commit_appended(b.commit, true);
	for (int i = 0; i < 5000 && __atomic_load_n(&b.chip.tries, __ATOMIC_SEQ_CST) == tries; i++)
		usleep(1000);
	stop(&b);
	if (foreign)
		fold(&b.chip.pcr, 0xaa);
	b.chip.fail_extend = b.chip.fail_after = 0;
	assert_int_equal(start(&b, fsio_system()), 0);
	assert_int_equal(b.ruling.pending, want);
	assert_int_equal(b.ruling.foreign, foreign);
	assert_int_equal(ledger_next_seq(b.ledger), 6); /* kept */
	commit_appended(b.commit, true);
	assert_true(settle(&b));
	check(&b, 6); /* the head is in the register after the found value (PEND_DONE, PEND_DROP) */
	stop(&b);
	bench_done(&b);
}

static void test_recovery(void **state)
{
	(void)state;
	recovery(false, false, EPOCH_PENDING_EXTEND);
	recovery(true, false, EPOCH_PENDING_DONE);
	recovery(true, true, EPOCH_PENDING_HEAD);
	recovery(false, true, EPOCH_PENDING_HEAD);
}

static void test_foreign(void **state)
{
	struct bench b;
	int extends;

	(void)state;
	bench_init(&b);
	assert_int_equal(start(&b, fsio_system()), 0);
	assert_true(life(&b, 5));
	b.chip.foreign_before = 1;
	append(&b);
	commit_appended(b.commit, true);
	assert_true(settle(&b));
	assert_int_equal(b.n_foreign, 1);
	check(&b, 6);
	assert_true(life(&b, 3));
	assert_int_equal(b.n_foreign, 1);
	check(&b, 9);
	fold(&b.chip.pcr, 0xbb); /* found by a look (a quote was not as expected) */
	extends = b.chip.extends;
	commit_look(b.commit);
	assert_true(settle(&b));
	assert_int_equal(b.n_foreign, 2);
	assert_int_equal(b.chip.extends, extends + 1); /* the same head, once more */
	check(&b, 9);
	stop(&b);
	bench_done(&b);
}

static void test_failing_chip(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	assert_int_equal(start(&b, fsio_system()), 0);
	b.chip.fail_extend = 2;
	append(&b);
	commit_appended(b.commit, true);
	assert_true(settle(&b));
	b.chip.fail_after = 1; /* done all the same: extending it again would be one too many */
	append(&b);
	commit_appended(b.commit, true);
	assert_true(settle(&b));
	assert_int_equal(b.chip.extends, 2);
	assert_int_equal(b.n_anchored, 2);
	assert_int_equal(b.n_foreign, 0);
	check(&b, 2);
	b.chip.suspend_after = 1; /* and so over a suspend: the fold goes on in a new epoch */
	b.chip.fail_after = 1;
	append(&b);
	commit_appended(b.commit, true);
	assert_true(settle(&b));
	assert_int_equal(b.n_epoch, 1);
	check(&b, 3);
	stop(&b);
	bench_done(&b);
}

static void test_full_disk(void **state)
{
	struct fault_fsio fault;
	struct bench b;

	(void)state;
	bench_init(&b);
	b.segment_size = 0;
	fault_fsio_init(&fault, -1, false, -ENOSPC);
	assert_int_equal(start(&b, &fault.io), 0);
	assert_true(life(&b, 1)); /* a segment is open */
	fault.left = 0;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(append(&b), 0);
		commit_appended(b.commit, true);
	}
	event_base_loop(b.base, EVLOOP_NONBLOCK);
	assert_int_equal(b.chip.extends, 1);
	fault.left = -1; /* room again: nothing was lost */
	assert_true(settle(&b));
	check(&b, 21);
	assert_int_equal(b.chip.extends, 2);
	stop(&b);
	bench_done(&b);
}

static void test_epochs(void **state)
{
	static const struct digest zero;
	struct bench b;

	(void)state;
	bench_init(&b);
	assert_int_equal(start(&b, fsio_system()), 0);
	assert_true(life(&b, 5));
	stop(&b);
	b.chip.restart++; /* suspend, then the agent is started anew */
	assert_int_equal(start(&b, fsio_system()), 0);
	assert_int_equal(b.ruling.move, EPOCH_SUSPEND);
	assert_int_equal(b.ruling.base, LEDGER_BASE_CONTINUES);
	assert_true(life(&b, 1));
	check(&b, 6);
	stop(&b);
	b.boot = 1; /* kexec */
	assert_int_equal(start(&b, fsio_system()), 0);
	assert_int_equal(b.ruling.move, EPOCH_KEXEC);
	stop(&b);
	b.boot = 2;
	b.chip.reset++;
	b.chip.pcr = zero;
	assert_int_equal(start(&b, fsio_system()), 0);
	assert_int_equal(b.ruling.move, EPOCH_REBOOT);
	assert_int_equal(b.ruling.base, LEDGER_BASE_ZERO);
	assert_true(life(&b, 1));
	check(&b, 7);
	stop(&b);
	b.boot = 3; /* the register looks as before, the count tells (a log that was replayed) */
	b.chip.reset++;
	assert_int_equal(start(&b, fsio_system()), 0);
	assert_int_equal(b.ruling.base, LEDGER_BASE_UNPROVEN);
	assert_true(life(&b, 1));
	check(&b, 8);
	stop(&b);
	b.chip.reset = 0;
	b.chip.pcr = zero;
	assert_int_equal(start(&b, fsio_system()), 0);
	assert_int_equal(b.ruling.move, EPOCH_CLEARED);
	stop(&b);
	bench_done(&b);
}

/* Lines that were anchored are cut off: the agent does not go on as if nothing were. */
static void test_cut(void **state)
{
	char command[256];
	struct bench b;

	(void)state;
	bench_init(&b);
	assert_int_equal(start(&b, fsio_system()), 0);
	assert_true(life(&b, 3));
	stop(&b);
	snprintf(command, sizeof(command), "cd %s && sed -i '$d' events-*.jsonl && rm -r tiles",
		 b.dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(start(&b, fsio_system()), -EBADMSG);
	stop(&b);
	bench_done(&b);
}

/* Nobody hears of it for long: urgent or not, extends are spared; and when somebody does again, all goes at once. */
static void test_slow(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	assert_int_equal(start(&b, fsio_system()), 0);
	commit_slow(b.commit, true);
	assert_int_equal(append(&b), 0);
	commit_appended(b.commit, true);
	assert_true(settle(&b));
	assert_int_equal(b.chip.extends, 1);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(append(&b), 0);
		commit_appended(b.commit, true);
		event_base_loop(b.base, EVLOOP_NONBLOCK);
	}
	assert_int_equal(b.chip.extends, 1);
	for (int i = 0; i < 500; i++) { /* of those that do not wait long there is one */
		assert_int_equal(usleep(10000), 0);
		event_base_loop(b.base, EVLOOP_NONBLOCK);
		if (i == 230)
			assert_int_equal(append(&b), 0);
		commit_appended(b.commit, true);
	}
	assert_int_equal(b.chip.extends, 2);
	commit_slow(b.commit, false);
	assert_true(settle(&b));
	assert_int_equal(b.chip.extends, 3);
	check(&b, 22);
	stop(&b);
	bench_done(&b);
}

static void test_no_tpm(void **state)
{
	struct commit_options o = {.batch_ms = 10, .batch_lines = 8};
	struct event_base *base = event_base_new();
	struct ledger_recovery found;
	struct epoch_ruling ruling;
	struct why why = {""};
	struct bench b;

	(void)state;
	bench_init(&b);
	b.base = base;
	const struct ledger_options lo = {
		.io = fsio_system(), .dir = b.dir, .origin = ORIGIN, .create = true};
	assert_int_equal(ledger_open(&lo, &b.ledger, &found, &why), 0);
	o.ledger = b.ledger;
	assert_int_equal(commit_open(base, &o, &found, NULL, &b.commit, &ruling, &why), 0);
	append(&b);
	commit_appended(b.commit, false);
	assert_int_equal(ledger_synced_size(b.ledger), 0);
	assert_true(settle(&b));
	assert_int_equal(ledger_synced_size(b.ledger), 1);
	append(&b);
	commit_appended(b.commit, true);
	assert_int_equal(ledger_synced_size(b.ledger), 2);
	stop(&b);
	bench_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_batches),	  cmocka_unit_test(test_recovery),
		cmocka_unit_test(test_foreign),	  cmocka_unit_test(test_failing_chip),
		cmocka_unit_test(test_full_disk), cmocka_unit_test(test_epochs),
		cmocka_unit_test(test_cut),	  cmocka_unit_test(test_no_tpm),
		cmocka_unit_test(test_slow),	  cmocka_unit_test(test_crash_everywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
