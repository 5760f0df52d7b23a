/* SPDX-License-Identifier: Apache-2.0 */
/* While nobody hears of heads extends are spared; for whom somebody is held they are not, as long as evidence has room for them. */
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
#include "fake_tpm.h"

#define ORIGIN "test/node/0123/1"

struct bench {
	char dir[64];
	struct fake_tpm *tpm;
	struct event_base *base;
	struct tpm_queue *queue;
	struct ledger *ledger;
	struct commit *commit;
	int n_anchored;
};

static void on_anchored(void *ctx, const struct checkpoint *head)
{
	(void)head;
	((struct bench *)ctx)->n_anchored++;
}

static void start(struct bench *b)
{
	const struct ledger_options lo = {
		.io = fsio_system(), .dir = b->dir, .origin = ORIGIN, .create = true};
	struct commit_options o = {.batch_ms = 20,
				   .slow_extends = 1,
				   .slow_awaited = 2,
				   .calls = {.ctx = b, .anchored = on_anchored}};
	const struct epoch_seen now = {.pcr_index = 15};
	struct ledger_recovery found;
	struct epoch_ruling ruling;
	struct why why = {""};

	strcpy(b->dir, "/tmp/plumb-test-commit-slow-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	b->base = event_base_new();
	assert_int_equal(fake_tpm_open(&b->tpm), 0);
	assert_int_equal(tpm_queue_open(b->base, fake_tpm_door(b->tpm), &b->queue), 0);
	assert_int_equal(ledger_open(&lo, &b->ledger, &found, &why), 0);
	o.ledger = b->ledger;
	o.queue = b->queue;
	assert_int_equal(commit_open(b->base, &o, &found, &now, &b->commit, &ruling, &why), 0);
}

static void stop(struct bench *b)
{
	char command[128];

	tpm_queue_free(b->queue);
	commit_free(b->commit);
	ledger_free(b->ledger);
	fake_tpm_free(b->tpm);
	event_base_free(b->base);
	snprintf(command, sizeof(command), "rm -rf %s", b->dir);
	assert_int_equal(system(command), 0);
}

static void append(struct bench *b)
{
	char line[512];
	int n = snprintf(line, sizeof(line),
			 "{\"v\":1,\"seq\":%" PRIu64
			 ",\"t\":\"2026-11-24T00:00:00.000000000Z\",\"bt\":1,\"boot\":\"b\","
			 "\"src\":\"agent\",\"type\":\"start\"}",
			 ledger_next_seq(b->ledger));

	assert_int_equal(ledger_append(b->ledger, line, (size_t)n), 0);
	commit_appended(b->commit, true);
}

/* Until one more was extended; 0: none was, in so many. */
static int wait_ms(struct bench *b, int most)
{
	int before = b->n_anchored;

	for (int ms = 10; ms <= most; ms += 10) {
		assert_int_equal(usleep(10000), 0);
		event_base_loop(b->base, EVLOOP_NONBLOCK);
		if (b->n_anchored > before)
			return ms;
	}
	return 0;
}

/* A program that is held until its line is extended does not wait for a long batch: neither at its begin nor in the middle of it. */
static void test_awaited(void **state)
{
	struct bench b = {.n_anchored = 0};

	(void)state;
	start(&b);
	commit_slow(b.commit, true);
	append(&b);
	assert_in_range(wait_ms(&b, 1000), 1, 1000);
	append(&b);
	assert_in_range(wait_ms(&b, 2900), 1000, 2900);
	append(&b);
	commit_awaited(b.commit);
	assert_in_range(wait_ms(&b, 2900), 1000, 2900);
	append(&b);
	assert_int_equal(wait_ms(&b, 2500), 0);
	commit_awaited(b.commit);
	assert_in_range(wait_ms(&b, 1000), 1, 1000);
	/* So often, and no more: evidence has to hold them all. */
	append(&b);
	commit_awaited(b.commit);
	assert_int_equal(wait_ms(&b, 2900), 0);
	commit_slow(b.commit, false);
	assert_in_range(wait_ms(&b, 1000), 1, 1000);
	stop(&b);
}

/* Where nothing is left to extend nobody waits, and no long batch is cut short for it. */
static void test_nothing_awaited(void **state)
{
	struct bench b = {.n_anchored = 0};

	(void)state;
	start(&b);
	commit_slow(b.commit, true);
	append(&b);
	assert_in_range(wait_ms(&b, 1000), 1, 1000);
	append(&b);
	assert_in_range(wait_ms(&b, 2900), 1000, 2900);
	commit_awaited(b.commit);
	assert_int_equal(wait_ms(&b, 2500), 0);
	append(&b);
	assert_int_equal(wait_ms(&b, 1000), 0);
	stop(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_awaited),
		cmocka_unit_test(test_nothing_awaited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
