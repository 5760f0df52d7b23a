/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "rested_fd.h"

struct reader {
	int fd;
	unsigned turns, bytes, most; /* most bytes a turn */
	enum rested_fd_turn all; /* what is said when it took all */
	bool rests;
	unsigned changes; /* of that */
};

static enum rested_fd_turn take(void *ctx)
{
	struct reader *r = ctx;
	char data[64];
	ssize_t n = read(r->fd, data, r->most);

	r->turns++;
	if (n <= 0)
		return RESTED_FD_NOTHING;
	r->bytes += (unsigned)n;
	if ((unsigned)n == r->most)
		return RESTED_FD_MORE;
	return r->all ? r->all : RESTED_FD_ALL;
}

static void run_ms(struct event_base *base, long ms)
{
	const struct timeval until = {ms / 1000, ms % 1000 * 1000};

	assert_int_equal(event_base_loopexit(base, &until), 0);
	assert_true(event_base_dispatch(base) >= 0);
}

static struct rested_fd *opened(struct event_base *base, struct reader *r, uint32_t rest_ms,
				uint32_t quiet_ms)
{
	const struct rested_fd_options o = {
		.fd = r->fd, .rest_ms = rest_ms, .quiet_ms = quiet_ms, .turn = take, .ctx = r};
	struct rested_fd *f = NULL;

	assert_int_equal(rested_fd_open(base, &o, &f), 0);
	return f;
}

static void what_comes_while_it_rests_is_taken_together(void **state)
{
	struct event_base *base = event_base_new();
	struct reader r = {.most = 64};
	struct rested_fd *f;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	r.fd = ends[0];
	f = opened(base, &r, 300, 0);
	assert_int_equal(write(ends[1], "a", 1), 1);
	run_ms(base, 20);
	assert_int_equal(r.turns, 1);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(write(ends[1], "b", 1), 1);
		run_ms(base, 5);
	}
	assert_int_equal(r.turns, 1); /* it rests */
	run_ms(base, 600);
	assert_int_equal(r.bytes, 6);
	assert_int_equal(r.turns, 3); /* all five at once, and then nothing */
	/* It is quiet now, so the next one is taken at once. */
	assert_int_equal(write(ends[1], "c", 1), 1);
	run_ms(base, 20);
	assert_int_equal(r.bytes, 7);
	rested_fd_free(f);
	event_base_free(base);
	close(ends[0]);
	close(ends[1]);
}

static void on_rests(void *ctx, bool yes)
{
	struct reader *r = ctx;

	assert_true(r->rests != yes); /* each change once */
	r->rests = yes;
	r->changes++;
}

static enum rested_fd_turn take_awake(void *ctx)
{
	struct reader *r = ctx;

	assert_false(r->rests);
	return take(ctx);
}

/* Who would wake it is told when that is in vain, and never while it looks or waits. */
static void its_rest_is_told(void **state)
{
	struct event_base *base = event_base_new();
	struct reader r = {.most = 64};
	struct rested_fd *f = NULL;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	r.fd = ends[0];
	assert_int_equal(rested_fd_open(base,
					&(struct rested_fd_options){.fd = r.fd,
								    .rest_ms = 200,
								    .turn = take_awake,
								    .rests = on_rests,
								    .ctx = &r},
					&f),
			 0);
	run_ms(base, 20);
	assert_false(r.rests); /* it waits */
	assert_int_equal(write(ends[1], "a", 1), 1);
	run_ms(base, 50);
	assert_int_equal(r.bytes, 1);
	assert_true(r.rests);
	assert_int_equal(write(ends[1], "b", 1), 1);
	run_ms(base, 200);
	assert_int_equal(r.bytes, 2);
	assert_int_equal(r.changes, 3); /* it rested, looked, and rests again */
	run_ms(base, 400);
	assert_false(r.rests); /* nothing came: it waits */
	rested_fd_free(f);
	event_base_free(base);
	close(ends[0]);
	close(ends[1]);
}

/* It rests for as long as its last turn said. */
static void what_is_known_rests_longer(void **state)
{
	struct event_base *base = event_base_new();
	struct reader r = {.most = 64, .all = RESTED_FD_KNOWN};
	struct rested_fd *f = NULL;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	r.fd = ends[0];
	f = NULL;
	assert_int_equal(rested_fd_open(base,
					&(struct rested_fd_options){.fd = r.fd,
								    .rest_ms = 1,
								    .known_rest_ms = 300,
								    .turn = take,
								    .ctx = &r},
					&f),
			 0);
	assert_int_equal(write(ends[1], "a", 1), 1);
	run_ms(base, 20);
	assert_int_equal(write(ends[1], "b", 1), 1);
	run_ms(base, 100);
	assert_int_equal(r.bytes, 1); /* it rests */
	r.all = RESTED_FD_ALL;
	run_ms(base, 400);
	assert_int_equal(r.bytes, 2);
	assert_int_equal(write(ends[1], "c", 1), 1);
	run_ms(base, 20);
	assert_int_equal(write(ends[1], "d", 1), 1);
	run_ms(base, 100);
	assert_int_equal(r.bytes, 4);
	rested_fd_free(f);
	event_base_free(base);
	close(ends[0]);
	close(ends[1]);
}

#define MS 1000000ull

/* Whatever the clock's steps are: whole ones, an end that all have in common, and not far from what was asked for. */
static void rests_end_together(void **state)
{
	const uint64_t ticks[] = {1 * MS, 3333333, 4 * MS, 10 * MS};
	const uint32_t rests[] = {20, 25, 40, 300};

	(void)state;
	for (size_t t = 0; t < sizeof(ticks) / sizeof(*ticks); t++) {
		uint64_t tick = ticks[t], beat = (20 * MS + tick - 1) / tick * tick;

		for (uint64_t now = 0; now < 10 * beat; now += tick) {
			for (size_t i = 0; i < sizeof(rests) / sizeof(*rests); i++) {
				uint64_t rest = rested_fd_rest_ns(rests[i], now, tick);

				assert_int_equal((now + rest) % beat, 0);
				assert_true(rest > 0 && rest % tick == 0);
				assert_true(rest + beat > rests[i] * MS);
				assert_true(rest < rests[i] * MS + beat);
			}
		}
	}
	/* Seen from the middle of a step: a rest is counted from its beginning, as the loop counts. */
	assert_int_equal(rested_fd_rest_ns(20, 43 * MS, 4 * MS), 20 * MS);
}

static enum rested_fd_turn always_known(void *ctx)
{
	struct reader *r = ctx;

	r->turns++;
	return RESTED_FD_KNOWN;
}

static long sleeps(void)
{
	struct rusage u;

	assert_int_equal(getrusage(RUSAGE_SELF, &u), 0);
	return u.ru_nvcsw;
}

/* Two that rest by times of their own, of which none is a multiple of a step: one wake-up serves both, and none is in vain. */
static void one_wake_up_serves_all(void **state)
{
	const uint32_t rests[2] = {25, 45};
	struct event_base *base = event_base_new();
	struct reader r[2] = {{.fd = -1}, {.fd = -1}};
	struct rested_fd *f[2] = {NULL, NULL};
	int ends[2];
	long before;

	(void)state;
	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	assert_int_equal(write(ends[1], "a", 1), 1);
	for (int i = 0; i < 2; i++)
		assert_int_equal(
			rested_fd_open(base,
				       &(struct rested_fd_options){.fd = ends[0],
								   .known_rest_ms = rests[i],
								   .turn = always_known,
								   .ctx = &r[i]},
				       &f[i]),
			0);
	before = sleeps();
	run_ms(base, 1000);
	assert_true(sleeps() - before <= 1000 / 20 + 8);
	assert_in_range(r[0].turns, 2, 1000 / 20 + 2);
	assert_in_range(r[1].turns, 2, 1000 / 40 + 2);
	rested_fd_free(f[0]);
	rested_fd_free(f[1]);
	event_base_free(base);
	close(ends[0]);
	close(ends[1]);
}

static void more_waits_is_no_rest(void **state)
{
	struct event_base *base = event_base_new();
	struct reader r = {.most = 1};
	struct rested_fd *f;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	r.fd = ends[0];
	f = opened(base, &r, 10000, 0);
	assert_int_equal(write(ends[1], "abcd", 4), 4);
	run_ms(base, 20);
	assert_int_equal(r.bytes, 4);
	rested_fd_free(f);
	event_base_free(base);
	close(ends[0]);
	close(ends[1]);
}

static void a_quiet_one_has_its_turn_too(void **state)
{
	struct event_base *base = event_base_new();
	struct reader r = {.most = 64};
	struct rested_fd *f;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	r.fd = ends[0];
	f = opened(base, &r, 1, 20);
	run_ms(base, 200);
	assert_true(r.turns >= 2);
	assert_int_equal(r.bytes, 0);
	rested_fd_free(f);
	event_base_free(base);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_comes_while_it_rests_is_taken_together),
		cmocka_unit_test(its_rest_is_told),
		cmocka_unit_test(what_is_known_rests_longer),
		cmocka_unit_test(rests_end_together),
		cmocka_unit_test(one_wake_up_serves_all),
		cmocka_unit_test(more_waits_is_no_rest),
		cmocka_unit_test(a_quiet_one_has_its_turn_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
