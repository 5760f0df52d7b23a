/* SPDX-License-Identifier: Apache-2.0 */
/* The outbox: in order, each at least once, later each time, nobody delayed by another, bounded, and gone on with after a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "cleanup.h"
#include "log.h"
#include "outbox_fixture.h"

#define S VERIFIER_FIXTURE_S

static int make_world(void **state)
{
	struct outbox_fixture *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	outbox_fixture_open(w);
	snprintf(w->why.text, sizeof(w->why.text), "because");
	*state = w;
	return 0;
}

static int end_world(void **state)
{
	struct outbox_fixture *w = *state;

	outbox_fixture_done(w);
	free(w);
	return 0;
}

static void put(struct outbox_fixture *w, struct outbox_target *t, const char *node,
		const char *text)
{
	CLEANUP(buf_done) struct buf b = {0};

	buf_puts(&b, text);
	assert_int_equal(w->f.ops.begin(w->f.store.ctx), 0);
	assert_int_equal(outbox_put(t->lane, node, &b, false), 0);
	assert_int_equal(w->f.ops.commit(w->f.store.ctx), 0);
}

static void end(struct outbox_fixture *w, struct outbox_target *t, enum outbox_end e)
{
	assert_true(t->open);
	t->open = false;
	outbox_ended(t->lane, e, &w->why);
}

static void pass(struct outbox_fixture *w, uint64_t s)
{
	w->f.utc_ns += s * S;
	w->f.boot_ns += s * S;
	outbox_kick(w->o);
}

static uint64_t waiting(struct outbox_fixture *w, const char *target);

#define EXPECT(t, text)                                           \
	do {                                                      \
		assert_true((t)->n > 0);                          \
		assert_string_equal((t)->sent[(t)->n - 1], text); \
	} while (0)

static void test_in_order_one_at_a_time(void **state)
{
	struct outbox_fixture *w = *state;

	outbox_kick(w->o);
	assert_int_equal(w->a.n, 0);
	assert_int_equal(w->a.idles, 1);
	put(w, &w->a, "n1", "1");
	put(w, &w->a, "n2", "2");
	put(w, &w->a, "n1", "3");
	outbox_kick(w->o);
	outbox_kick(w->o);
	assert_int_equal(w->a.n, 1);
	EXPECT(&w->a, "1");
	end(w, &w->a, OUTBOX_DELIVERED);
	EXPECT(&w->a, "2");
	end(w, &w->a, OUTBOX_DELIVERED);
	EXPECT(&w->a, "3");
	end(w, &w->a, OUTBOX_DELIVERED);
	assert_int_equal(w->a.n, 3);
	assert_int_equal(waiting(w, "webhook:a"), 0);
	assert_int_equal(outbox_dropped(w->a.lane), 0);
}

/* 1, 2, 4 … 256, 300, 300: never before its time, and the order is kept over all nodes. */
static void test_a_target_that_is_down(void **state)
{
	static const uint64_t waits[] = {1, 2, 4, 8, 16, 32, 64, 128, 256};
	struct outbox_fixture *w = *state;

	put(w, &w->a, "n1", "1");
	put(w, &w->a, "n2", "2");
	outbox_kick(w->o);
	for (size_t i = 0; i < ARRAY_SIZE(waits); i++) {
		end(w, &w->a, OUTBOX_DOWN);
		assert_int_equal(w->a.n, i + 1);
		pass(w, waits[i] - 1);
		assert_int_equal(w->a.n, i + 1);
		pass(w, 1);
		assert_int_equal(w->a.n, i + 2);
		EXPECT(&w->a, "1");
	}
	end(w, &w->a, OUTBOX_DELIVERED);
	EXPECT(&w->a, "2");
	/* It answered: it is not down for 300 s at the next failure. */
	end(w, &w->a, OUTBOX_DOWN);
	pass(w, 1);
	EXPECT(&w->a, "2");
	end(w, &w->a, OUTBOX_DELIVERED);
	assert_int_equal(waiting(w, "webhook:a"), 0);
}

static void test_it_waits_for_300_s_at_most(void **state)
{
	struct outbox_fixture *w = *state;

	put(w, &w->a, "n1", "1");
	outbox_kick(w->o);
	for (int i = 0; i < 40; i++) {
		uint32_t n = w->a.n;

		end(w, &w->a, OUTBOX_DOWN);
		pass(w, 300);
		assert_true(w->a.n > n);
	}
	assert_int_equal(waiting(w, "webhook:a"), 1);
	assert_int_equal(outbox_dropped(w->a.lane), 0);
}

static void test_one_target_delays_no_other(void **state)
{
	struct outbox_fixture *w = *state;

	put(w, &w->a, "n1", "1");
	put(w, &w->b, "n1", "1");
	put(w, &w->b, "n1", "2");
	outbox_kick(w->o);
	/* a never answers; then it fails. */
	end(w, &w->b, OUTBOX_DELIVERED);
	end(w, &w->b, OUTBOX_DELIVERED);
	assert_int_equal(w->b.n, 2);
	end(w, &w->a, OUTBOX_DOWN);
	put(w, &w->b, "n1", "3");
	outbox_kick(w->o);
	EXPECT(&w->b, "3");
	end(w, &w->b, OUTBOX_DELIVERED);
	assert_int_equal(w->a.n, 1);
}

/* What a receiver does not take holds up its node's messages alone, and not for ever. */
static void test_a_message_that_is_refused(void **state)
{
	struct outbox_fixture *w = *state;
	uint32_t tries = 1;

	put(w, &w->a, "n1", "bad");
	put(w, &w->a, "n1", "after");
	put(w, &w->a, "n2", "2");
	outbox_kick(w->o);
	EXPECT(&w->a, "bad");
	end(w, &w->a, OUTBOX_REFUSED);
	EXPECT(&w->a, "2");
	end(w, &w->a, OUTBOX_DELIVERED);
	assert_false(w->a.open);
	for (; tries < OUTBOX_MAX_TRIES; tries++) {
		pass(w, 300);
		EXPECT(&w->a, "bad");
		end(w, &w->a, OUTBOX_REFUSED);
	}
	EXPECT(&w->a, "after");
	end(w, &w->a, OUTBOX_DELIVERED);
	assert_int_equal(waiting(w, "webhook:a"), 0);
	assert_int_equal(outbox_dropped(w->a.lane), 1);
	assert_int_equal(outbox_dropped(w->b.lane), 0);
}

static void test_a_refused_message_waits_longer_each_time(void **state)
{
	static const uint64_t waits[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300};
	struct outbox_fixture *w = *state;

	put(w, &w->a, "n1", "bad");
	outbox_kick(w->o);
	for (size_t i = 0; i < ARRAY_SIZE(waits); i++) {
		end(w, &w->a, OUTBOX_REFUSED);
		pass(w, waits[i] - 1);
		assert_int_equal(w->a.n, i + 1);
		pass(w, 1);
		assert_int_equal(w->a.n, i + 2);
	}
	/* A clock that is set back by a day does not cost a day. */
	end(w, &w->a, OUTBOX_REFUSED);
	w->f.utc_ns -= 86400 * S;
	pass(w, 0);
	assert_int_equal(w->a.n, ARRAY_SIZE(waits) + 2);
	end(w, &w->a, OUTBOX_DELIVERED);
}

/* A long outage costs a message none of its tries: refused once after it, it is sent again. */
static void test_refused_after_an_outage(void **state)
{
	struct outbox_fixture *w = *state;

	put(w, &w->a, "n1", "1");
	put(w, &w->a, "n2", "2");
	outbox_kick(w->o);
	for (int i = 0; i < OUTBOX_MAX_TRIES + 20; i++) {
		EXPECT(&w->a, "1");
		end(w, &w->a, OUTBOX_DOWN);
		if (w->a.open)
			end(w, &w->a, OUTBOX_DOWN);
		pass(w, 300);
	}
	EXPECT(&w->a, "1");
	end(w, &w->a, OUTBOX_REFUSED);
	EXPECT(&w->a, "2");
	end(w, &w->a, OUTBOX_DELIVERED);
	/* It is the first time, so it is soon. */
	pass(w, 1);
	EXPECT(&w->a, "1");
	end(w, &w->a, OUTBOX_DELIVERED);
	assert_int_equal(outbox_dropped(w->a.lane), 0);
	assert_int_equal(waiting(w, "webhook:a"), 0);
}

/* The head may be what the target dies of. After some tries another node's message shows it. */
static void test_a_message_that_kills_its_target(void **state)
{
	struct outbox_fixture *w = *state;

	put(w, &w->a, "n1", "deadly");
	put(w, &w->a, "n2", "2");
	put(w, &w->a, "n3", "3");
	outbox_kick(w->o);
	for (int i = 0; i < OUTBOX_STUCK_TRIES; i++) {
		EXPECT(&w->a, "deadly");
		end(w, &w->a, OUTBOX_DOWN);
		assert_false(w->a.open);
		pass(w, 300);
	}
	EXPECT(&w->a, "deadly");
	end(w, &w->a, OUTBOX_DOWN);
	EXPECT(&w->a, "2");
	end(w, &w->a, OUTBOX_DELIVERED);
	EXPECT(&w->a, "3");
	end(w, &w->a, OUTBOX_DELIVERED);
	assert_false(w->a.open);
	pass(w, 300);
	EXPECT(&w->a, "deadly");
	/* Nobody else waits: that is no reason to try at once. */
	end(w, &w->a, OUTBOX_DOWN);
	assert_false(w->a.open);
	assert_int_equal(waiting(w, "webhook:a"), 1);
	/* Nor is it forgotten when the target was down for another one, too. */
	put(w, &w->a, "n4", "4");
	pass(w, 1);
	EXPECT(&w->a, "4");
	end(w, &w->a, OUTBOX_DOWN);
	pass(w, 300);
	EXPECT(&w->a, "deadly");
	end(w, &w->a, OUTBOX_DOWN);
	EXPECT(&w->a, "4");
	end(w, &w->a, OUTBOX_DELIVERED);
	assert_int_equal(waiting(w, "webhook:a"), 1);
}

/* The target is down for hours: the second one fails like the first, and what came first is still first. */
static void test_order_after_hours(void **state)
{
	struct outbox_fixture *w = *state;
	uint32_t n;

	put(w, &w->a, "n1", "1");
	put(w, &w->a, "n2", "2");
	put(w, &w->a, "n3", "3");
	outbox_kick(w->o);
	for (int i = 0; i < 50; i++) {
		EXPECT(&w->a, "1");
		end(w, &w->a, OUTBOX_DOWN);
		if (w->a.open) {
			EXPECT(&w->a, "2");
			end(w, &w->a, OUTBOX_DOWN);
		}
		assert_false(w->a.open);
		pass(w, 300);
	}
	n = w->a.n;
	EXPECT(&w->a, "1");
	end(w, &w->a, OUTBOX_DELIVERED);
	EXPECT(&w->a, "2");
	end(w, &w->a, OUTBOX_DELIVERED);
	EXPECT(&w->a, "3");
	end(w, &w->a, OUTBOX_DELIVERED);
	assert_int_equal(w->a.n, n + 2);
}

static void test_send_that_cannot_start(void **state)
{
	struct outbox_fixture *w = *state;

	w->a.refuses = -EAGAIN;
	put(w, &w->a, "n1", "1");
	put(w, &w->a, "n2", "2");
	outbox_kick(w->o);
	outbox_kick(w->o);
	assert_int_equal(w->a.n, 1);
	pass(w, 1);
	assert_int_equal(w->a.n, 2);
	/* What never was a message is no reason to stop. */
	w->a.refuses = -EBADMSG;
	pass(w, 2);
	assert_int_equal(w->a.n, 4);
	assert_int_equal(waiting(w, "webhook:a"), 0);
}

/* When the store cannot say that it was delivered, it is delivered again, but not once a loop. */
static void test_a_store_that_fails(void **state)
{
	struct outbox_fixture *w = *state;

	put(w, &w->a, "n1", "1");
	outbox_kick(w->o);
	w->f.faults.commit = -ENOSPC;
	end(w, &w->a, OUTBOX_DELIVERED);
	assert_false(w->a.open);
	outbox_kick(w->o);
	assert_int_equal(w->a.n, 1);
	w->f.faults.commit = 0;
	pass(w, 1);
	assert_int_equal(w->a.n, 2);
	EXPECT(&w->a, "1");
	end(w, &w->a, OUTBOX_DELIVERED);
	assert_int_equal(waiting(w, "webhook:a"), 0);
}

/* Stopped in the middle: what was in flight is sent again, and the rest after it. */
static void test_a_restart_goes_on(void **state)
{
	struct outbox_fixture *w = *state;

	put(w, &w->a, "n1", "1");
	put(w, &w->a, "n2", "2");
	outbox_kick(w->o);
	end(w, &w->a, OUTBOX_STOPPED);
	assert_false(w->a.open);
	outbox_fixture_restart(w);
	outbox_kick(w->o);
	EXPECT(&w->a, "1");
	end(w, &w->a, OUTBOX_DOWN);
	/* In order also when the verifier was stopped while its target was down. */
	outbox_fixture_restart(w);
	outbox_kick(w->o);
	EXPECT(&w->a, "1");
	end(w, &w->a, OUTBOX_DELIVERED);
	EXPECT(&w->a, "2");
	end(w, &w->a, OUTBOX_DELIVERED);
}

static void test_a_rolled_back_message_is_none(void **state)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct outbox_fixture *w = *state;

	buf_puts(&b, "1");
	assert_int_equal(w->f.ops.begin(w->f.store.ctx), 0);
	assert_int_equal(outbox_put(w->a.lane, "n1", &b, false), 0);
	w->f.ops.rollback(w->f.store.ctx);
	outbox_kick(w->o);
	assert_int_equal(w->a.n, 0);
	assert_int_equal(outbox_put(w->a.lane, "n1", &b, false), -EPROTO);
}

static void test_the_last_word_replaces(void **state)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct outbox_fixture *w = *state;

	put(w, &w->a, "n1", "1");
	put(w, &w->a, "n2", "2");
	outbox_kick(w->o); /* 1 is on its way */
	buf_puts(&b, "3");
	assert_int_equal(w->f.ops.begin(w->f.store.ctx), 0);
	assert_int_equal(outbox_put(w->a.lane, "n1", &b, true), 0);
	assert_int_equal(w->f.ops.commit(w->f.store.ctx), 0);
	assert_int_equal(waiting(w, "webhook:a"), 2);
	end(w, &w->a, OUTBOX_DOWN); /* its row is gone by now: nothing to put off */
	pass(w, 1);
	EXPECT(&w->a, "2");
	end(w, &w->a, OUTBOX_DELIVERED);
	EXPECT(&w->a, "3");
	end(w, &w->a, OUTBOX_DELIVERED);
	assert_int_equal(waiting(w, "webhook:a"), 0);
}

static int on_target(void *ctx, const char *target, uint64_t n)
{
	char *text = ctx;

	sprintf(text + strlen(text), "%s %u;", target, (unsigned int)n);
	return 0;
}

static uint64_t waiting(struct outbox_fixture *w, const char *target)
{
	char text[256] = "", *at;

	assert_int_equal(w->f.ops.message_targets(w->f.store.ctx, on_target, text), 0);
	at = strstr(text, target);
	return at ? strtoull(at + strlen(target), NULL, 10) : 0;
}

static void test_it_is_bounded(void **state)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct outbox_fixture *w = *state;
	char text[16];

	assert_int_equal(w->f.ops.begin(w->f.store.ctx), 0);
	for (uint32_t i = 0; i < OUTBOX_MAX_WAITING - 1; i++) {
		struct store_message m = {.target = "webhook:a", .node = "n1"};

		buf_printf(&m.body, "%u", i);
		assert_int_equal(w->f.ops.message_put(w->f.store.ctx, &m), 0);
		store_message_done(&m);
	}
	buf_puts(&b, "x");
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(outbox_put(w->a.lane, "n1", &b, false), 0);
	assert_int_equal(outbox_put(w->b.lane, "n1", &b, false), 0);
	assert_int_equal(w->f.ops.commit(w->f.store.ctx), 0);
	assert_int_equal(waiting(w, "webhook:a"), OUTBOX_MAX_WAITING);
	assert_int_equal(waiting(w, "webhook:b"), 1);
	/* The oldest went, and it is known how many, also by the next run. */
	assert_int_equal(outbox_dropped(w->a.lane), 3);
	assert_int_equal(outbox_dropped(w->b.lane), 0);
	outbox_fixture_restart(w);
	assert_int_equal(outbox_dropped(w->a.lane), 3);
	outbox_kick(w->o);
	snprintf(text, sizeof(text), "%d", 3);
	EXPECT(&w->a, text);
}

static void test_targets_of_yesterday(void **state)
{
	struct outbox_fixture *w = *state;
	const struct outbox_lane_options a = {
		.target = "webhook:a", .send = outbox_fixture_send, .ctx = &w->a};

	put(w, &w->a, "n1", "1");
	put(w, &w->b, "n1", "2");
	assert_int_equal(w->f.ops.begin(w->f.store.ctx), 0);
	{
		struct store_message m = {.target = "kube", .node = "n1"};

		buf_puts(&m.body, "3");
		assert_int_equal(w->f.ops.message_put(w->f.store.ctx, &m), 0);
		store_message_done(&m);
	}
	assert_int_equal(w->f.ops.commit(w->f.store.ctx), 0);
	assert_int_equal(outbox_tidy(w->o, "webhook:"), 0);
	assert_int_equal(waiting(w, "webhook:b"), 1);
	outbox_free(w->o);
	assert_int_equal(outbox_open(&w->f.store, &w->f.clock, &w->o), 0);
	assert_int_equal(outbox_add(w->o, &a, &w->a.lane), 0);
	assert_int_equal(outbox_tidy(w->o, "webhook:"), 0);
	assert_int_equal(waiting(w, "webhook:a"), 1);
	assert_int_equal(waiting(w, "webhook:b"), 0);
	assert_int_equal(waiting(w, "kube"), 1); /* a taint that is to go off some day */
}

/* A failure is told once, another one again, and that it is over; what only counts differently is the same. */
static void test_what_the_log_hears(void **state)
{
	static const char *const words[] = {"refused after 3 ms", "refused after 12 ms", "401",
					    "401", "403: no rights"};
	struct outbox_fixture *w = *state;
	int ends[2];
	char text[4096], *p = text;
	ssize_t size;
	uint32_t lines = 0;

	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	log_open("test", LOG_LEVEL_INFO, ends[1]);
	put(w, &w->a, "n1", "1");
	outbox_kick(w->o);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		snprintf(w->why.text, sizeof(w->why.text), "%s", words[i]);
		end(w, &w->a, OUTBOX_DOWN);
		pass(w, 300);
	}
	end(w, &w->a, OUTBOX_DELIVERED);
	log_open("test", LOG_LEVEL_INFO, STDERR_FILENO);
	size = read(ends[0], text, sizeof(text) - 1);
	assert_true(size > 0);
	text[size] = 0;
	for (; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	assert_int_equal(lines, 4);
	assert_non_null(strstr(text, "error=\"refused after 3 ms\""));
	assert_non_null(strstr(text, "error=\"401\""));
	assert_non_null(strstr(text, "error=\"403: no rights\""));
	assert_non_null(strstr(text, "answers again"));
	close(ends[0]);
	close(ends[1]);
}

#define T(name) cmocka_unit_test_setup_teardown(name, make_world, end_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_in_order_one_at_a_time),
		T(test_a_target_that_is_down),
		T(test_it_waits_for_300_s_at_most),
		T(test_one_target_delays_no_other),
		T(test_a_message_that_is_refused),
		T(test_a_refused_message_waits_longer_each_time),
		T(test_refused_after_an_outage),
		T(test_a_message_that_kills_its_target),
		T(test_order_after_hours),
		T(test_send_that_cannot_start),
		T(test_a_store_that_fails),
		T(test_a_restart_goes_on),
		T(test_a_rolled_back_message_is_none),
		T(test_the_last_word_replaces),
		T(test_it_is_bounded),
		T(test_targets_of_yesterday),
		T(test_what_the_log_hears),
	};

	return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}
