/* SPDX-License-Identifier: Apache-2.0 */
/* What is done without a verifier: after a critical drift and so long a silence, not before either, once; a restart of the agent forgets nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "scratch.h"
#include "standing.h"
#include "standing_state.h"

struct world {
	struct event_base *base;
	struct standing *s;
	struct clock clock;
	uint64_t boot_ns;
	unsigned int n_acts;
	char reason[STANDING_REASON];
	char dir[SCRATCH_SIZE];
	uint8_t boot_id[16];
	uint64_t after_ms, size;
};

static uint64_t boot(void *ctx)
{
	return ((struct world *)ctx)->boot_ns;
}

static void on_act(void *ctx, const char *reason)
{
	struct world *w = ctx;

	w->n_acts++;
	snprintf(w->reason, sizeof(w->reason), "%s", reason);
}

static void start(struct world *w)
{
	static const char *const keys[] = {"exec:", "module:x"};
	const struct standing_options o = {.clock = &w->clock,
					   .io = fsio_system(),
					   .state_dir = w->dir,
					   .boot_id = w->boot_id,
					   .size = w->size,
					   .after_ms = w->after_ms,
					   .keys = keys,
					   .n_keys = 2,
					   .act = on_act,
					   .ctx = w};

	assert_int_equal(standing_open(w->base, &o, &w->s), 0);
}

static void restart(struct world *w)
{
	w->s = standing_free(w->s);
	w->size = 10;
	start(w);
}

static int make(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->clock = (struct clock){boot, boot, w};
	w->boot_ns = 1000000000;
	w->after_ms = 50;
	w->base = event_base_new();
	scratch_open(w->dir, "standing");
	start(w);
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	standing_free(w->s);
	event_base_free(w->base);
	scratch_done(w->dir);
	free(w);
	return 0;
}

static void drift(struct world *w, const char *key)
{
	const struct line l = {.key = key};

	standing_drift(w->s, &l, 10);
}

/* So long by the clock, and long enough for the loop to look. */
static void pass(struct world *w, uint64_t ms)
{
	const struct timeval tick = {0, 120000};

	w->boot_ns += ms * 1000000;
	event_base_loopexit(w->base, &tick);
	event_base_dispatch(w->base);
}

static void test_acts(void **state)
{
	struct world *w = *state;

	drift(w, "file:/etc/passwd");
	drift(w, "module:y");
	pass(w, 1000);
	assert_int_equal(w->n_acts, 0);
	drift(w, "exec:/tmp/a");
	pass(w, 40);
	assert_int_equal(w->n_acts, 0);
	pass(w, 20);
	assert_int_equal(w->n_acts, 1);
	assert_string_equal(w->reason, "exec:/tmp/a, and no verifier for 1 s");
	/* Once for it. */
	pass(w, 1000);
	assert_int_equal(w->n_acts, 1);
}

static void test_heard(void **state)
{
	struct world *w = *state;

	drift(w, "exec:/tmp/a");
	pass(w, 40);
	standing_heard(w->s, 10);
	pass(w, 1000);
	assert_int_equal(w->n_acts, 0);
	/* One that comes later has its own time. */
	drift(w, "module:xyz");
	pass(w, 40);
	assert_int_equal(w->n_acts, 0);
	pass(w, 20);
	assert_int_equal(w->n_acts, 1);
	standing_drift(NULL, NULL, 0);
	standing_heard(NULL, 0);
}

/* What was accepted was made before it came: it is not forgotten, and the silence begins there. */
static void test_on_its_way(void **state)
{
	struct world *w = *state;

	drift(w, "exec:/tmp/a");
	pass(w, 40);
	standing_heard(w->s, 9);
	pass(w, 40);
	assert_int_equal(w->n_acts, 0);
	pass(w, 20);
	assert_int_equal(w->n_acts, 1);
}

static bool is_kept(const struct world *w)
{
	struct standing_state s;
	struct why why;

	return standing_state_load(fsio_system(), w->dir, &s, &why) != -ENOENT;
}

/* It counts on from the drift, and is carried out once, whatever starts anew afterwards. */
static void test_restart(void **state)
{
	struct world *w = *state;

	drift(w, "exec:/tmp/a");
	assert_true(is_kept(w));
	pass(w, 40);
	restart(w);
	pass(w, 40);
	assert_int_equal(w->n_acts, 0);
	pass(w, 20);
	assert_int_equal(w->n_acts, 1);
	assert_string_equal(w->reason, "exec:/tmp/a, and no verifier for 0 s");
	assert_false(is_kept(w));
	restart(w);
	pass(w, 1000);
	assert_int_equal(w->n_acts, 1);
}

/* A start gives the verifier its time once a boot: who starts it again and again puts nothing off. */
static void test_restarts(void **state)
{
	struct world *w = *state;

	w->after_ms = 3600000;
	restart(w);
	drift(w, "exec:/tmp/a");
	w->s = standing_free(w->s);
	w->boot_ns += 4000000000000;
	start(w);
	pass(w, 30000);
	assert_int_equal(w->n_acts, 0);
	restart(w);
	pass(w, 0);
	assert_int_equal(w->n_acts, 1);
	assert_string_equal(w->reason, "exec:/tmp/a, and no verifier for 4030 s");
}

static void test_restart_heard(void **state)
{
	struct world *w = *state;

	drift(w, "exec:/tmp/a");
	restart(w);
	standing_heard(w->s, 9);
	assert_true(is_kept(w));
	standing_heard(w->s, 10);
	assert_false(is_kept(w));
	restart(w);
	pass(w, 1000);
	assert_int_equal(w->n_acts, 0);
}

/* The times of another boot say nothing: from now. A ledger that was begun anew is heard of by what it has. */
static void test_other_boot(void **state)
{
	struct world *w = *state;

	w->boot_ns = 900000000000;
	drift(w, "exec:/tmp/a");
	w->boot_id[0] = 1;
	w->boot_ns = 5000000000;
	restart(w);
	pass(w, 40);
	assert_int_equal(w->n_acts, 0);
	pass(w, 20);
	assert_int_equal(w->n_acts, 1);
	drift(w, "exec:/tmp/b");
	w->s = standing_free(w->s);
	w->size = 3;
	start(w);
	standing_heard(w->s, 3);
	pass(w, 1000);
	assert_int_equal(w->n_acts, 1);
}

/* Never "there is none": it is a drift of now, until the verifier is heard. */
static void test_broken(void **state)
{
	struct world *w = *state;
	char path[SCRATCH_SIZE + 32];

	snprintf(path, sizeof(path), "%s/" STANDING_STATE_FILE, w->dir);
	assert_int_equal(fsio_replace_file(fsio_system(), path, "{\"v\":1", 6, 0600), 0);
	restart(w);
	pass(w, 40);
	assert_int_equal(w->n_acts, 0);
	restart(w);
	pass(w, 60);
	assert_int_equal(w->n_acts, 1);
	assert_non_null(strstr(w->reason, "standing.json cannot be read, and no verifier"));
	assert_false(is_kept(w));
	/* Nor is a link to nothing. */
	scratch_run(w->dir, "ln -s nowhere " STANDING_STATE_FILE);
	restart(w);
	pass(w, 60);
	assert_int_equal(w->n_acts, 2);
	assert_false(is_kept(w));
}

static void test_bytes(void **state)
{
	static const char want[] =
		"{\"v\":1,\"key\":\"exec:/tmp/a\",\"when\":\"2023-11-14T22:13:20.123456789Z\","
		"\"size\":7,\"boot_id\":\"01000000000000000000000000000000\",\"since_ns\":5,"
		"\"heard_ns\":4,\"waited\":true}\n";
	const struct standing_state s = {.boot_id = {1},
					 .utc_ns = 1700000000123456789,
					 .since_ns = 5,
					 .heard_ns = 4,
					 .size = 7,
					 .waited = true,
					 .key = "exec:/tmp/a"};
	struct standing_state back = {.size = 0};
	struct buf b = {0};
	struct why why;

	(void)state;
	assert_int_equal(standing_state_write(&s, &b), 0);
	assert_int_equal(b.size, sizeof(want) - 1);
	assert_memory_equal(b.data, want, b.size);
	assert_int_equal(standing_state_parse(b.data, b.size - 1, &back, &why), 0);
	assert_string_equal(back.key, s.key);
	assert_true(back.utc_ns == s.utc_ns && back.since_ns == 5 && back.heard_ns == 4 &&
		    back.size == 7 && back.waited && back.boot_id[0] == 1);
	for (size_t n = 0; n < b.size - 2; n++)
		assert_true(standing_state_parse(b.data, n, &back, &why) < 0);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_acts, make, end),
		cmocka_unit_test_setup_teardown(test_heard, make, end),
		cmocka_unit_test_setup_teardown(test_on_its_way, make, end),
		cmocka_unit_test_setup_teardown(test_restart, make, end),
		cmocka_unit_test_setup_teardown(test_restarts, make, end),
		cmocka_unit_test_setup_teardown(test_restart_heard, make, end),
		cmocka_unit_test_setup_teardown(test_other_boot, make, end),
		cmocka_unit_test_setup_teardown(test_broken, make, end),
		cmocka_unit_test(test_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
