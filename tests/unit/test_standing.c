/* SPDX-License-Identifier: Apache-2.0 */
/* What is done without a verifier: after a critical drift and so long a silence, not before either, once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include "standing.h"

struct world {
	struct event_base *base;
	struct standing *s;
	struct clock clock;
	uint64_t boot_ns;
	unsigned int n_acts;
	char reason[STANDING_REASON];
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

static int make(void **state)
{
	static const char *const keys[] = {"exec:", "module:x"};
	struct world *w = calloc(1, sizeof(*w));
	struct standing_options o = {
		.after_ms = 50, .keys = keys, .n_keys = 2, .act = on_act, .ctx = w};

	w->clock = (struct clock){boot, boot, w};
	w->boot_ns = 1000000000;
	w->base = event_base_new();
	o.clock = &w->clock;
	assert_int_equal(standing_open(w->base, &o, &w->s), 0);
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	standing_free(w->s);
	event_base_free(w->base);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_acts, make, end),
		cmocka_unit_test_setup_teardown(test_heard, make, end),
		cmocka_unit_test_setup_teardown(test_on_its_way, make, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
