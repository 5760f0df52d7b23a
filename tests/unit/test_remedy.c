/* SPDX-License-Identifier: Apache-2.0 */
/* An incident's table: the ways that it takes, and over all steps, phases and events what may never happen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "remedy.h"

#define BIT(s) (1u << (s))
#define NOW 1000000000000ull
#define MINUTE 60000000000ull

struct move {
	enum remedy_event event;
	enum remedy_step chosen;
	int result;
	enum remedy_step step;
	enum remedy_phase phase;
	uint32_t deeds;
};

static void walk(struct remedy *m, const struct move *moves, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t deeds = 77;
		int r = remedy_move(m, moves[i].event, moves[i].chosen, NOW, &deeds);

		if (r != moves[i].result || m->step != moves[i].step ||
		    m->phase != moves[i].phase || deeds != moves[i].deeds)
			fail_msg("move %zu: %d, step %d, phase %d, deeds %x", i, r, m->step,
				 m->phase, deeds);
	}
}
#define WALK(m, ...)                                              \
	do {                                                      \
		const struct move moves[] = {__VA_ARGS__};        \
		walk(m, moves, sizeof(moves) / sizeof(moves[0])); \
	} while (0)

static void test_whole_way(void **state)
{
	struct remedy m;

	(void)state;
	remedy_begin(&m, POLICY_REMEDY_ALL, 0, NOW);
	assert_int_equal(m.step, REMEDY_ISOLATE);
	assert_int_equal(m.phase, REMEDY_WAITS);
	WALK(&m, {REMEDY_GO, 0, 1, REMEDY_ISOLATE, REMEDY_RUNS, REMEDY_DEED_QUARANTINE},
	     {REMEDY_GO, 0, -EPERM, REMEDY_ISOLATE, REMEDY_RUNS, 0},
	     {REMEDY_SEEN, 0, 1, REMEDY_SNAPSHOT, REMEDY_WAITS, 0},
	     {REMEDY_GO, 0, 1, REMEDY_SNAPSHOT, REMEDY_RUNS, 0},
	     {REMEDY_LATE, 0, 1, REMEDY_FILES, REMEDY_WAITS, 0},
	     {REMEDY_GO, 0, 1, REMEDY_FILES, REMEDY_RUNS, REMEDY_DEED_TELL | REMEDY_DEED_SCAN},
	     {REMEDY_LATE, 0, 1, REMEDY_KEYS, REMEDY_WAITS, 0},
	     {REMEDY_LATE, 0, 0, REMEDY_KEYS, REMEDY_WAITS, 0},
	     {REMEDY_GO, 0, 1, REMEDY_KEYS, REMEDY_RUNS, REMEDY_DEED_REKEY},
	     {REMEDY_LATE, 0, 1, REMEDY_KEYS, REMEDY_STUCK, 0},
	     {REMEDY_LATE, 0, 0, REMEDY_KEYS, REMEDY_STUCK, 0},
	     {REMEDY_GO, 0, 1, REMEDY_KEYS, REMEDY_RUNS, REMEDY_DEED_REKEY},
	     {REMEDY_SEEN, 0, 1, REMEDY_REBOOT, REMEDY_WAITS, 0},
	     {REMEDY_SKIP, 0, 1, REMEDY_PROVISION, REMEDY_WAITS, 0},
	     {REMEDY_SEEN, 0, 1, REMEDY_ATTEST, REMEDY_WAITS, 0},
	     {REMEDY_GO, 0, 1, REMEDY_ATTEST, REMEDY_RUNS, REMEDY_DEED_SCAN},
	     {REMEDY_WORSE, 0, 1, REMEDY_ATTEST, REMEDY_STUCK, 0},
	     {REMEDY_WORSE, 0, 0, REMEDY_ATTEST, REMEDY_STUCK, 0},
	     {REMEDY_SEEN, 0, 1, REMEDY_RELEASE, REMEDY_WAITS, 0},
	     {REMEDY_SKIP, 0, -EPERM, REMEDY_RELEASE, REMEDY_WAITS, 0},
	     {REMEDY_GO, 0, 1, REMEDY_RELEASE, REMEDY_RUNS, REMEDY_DEED_RELEASE},
	     {REMEDY_FREE, 0, 1, REMEDY_OVER, REMEDY_WAITS, 0},
	     {REMEDY_FREE, 0, 0, REMEDY_OVER, REMEDY_WAITS, 0},
	     {REMEDY_CHOOSE, REMEDY_REBOOT, -EPERM, REMEDY_OVER, REMEDY_WAITS, 0});
	assert_int_equal(m.seen, BIT(REMEDY_ISOLATE) | BIT(REMEDY_KEYS) | BIT(REMEDY_PROVISION) |
					 BIT(REMEDY_ATTEST));
}

/* A cure whose time is over is followed by the next cure; where there is none, by a person. */
static void test_late(void **state)
{
	struct remedy m;

	(void)state;
	remedy_begin(&m, BIT(REMEDY_FILES), 0, NOW);
	assert_int_equal(m.plan, BIT(REMEDY_FILES) | POLICY_REMEDY_ALWAYS);
	WALK(&m, {REMEDY_GO, 0, 1, REMEDY_FILES, REMEDY_RUNS, REMEDY_DEED_TELL | REMEDY_DEED_SCAN});
	assert_string_equal(remedy_late(&m), "a person decides");
	WALK(&m, {REMEDY_LATE, 0, 1, REMEDY_FILES, REMEDY_STUCK, 0});
	remedy_begin(&m, BIT(REMEDY_FILES) | BIT(REMEDY_PROVISION), 0, NOW);
	assert_string_equal(remedy_late(&m), "the next step");
	WALK(&m, {REMEDY_GO, 0, 1, REMEDY_FILES, REMEDY_RUNS, REMEDY_DEED_TELL | REMEDY_DEED_SCAN},
	     {REMEDY_LATE, 0, 1, REMEDY_PROVISION, REMEDY_WAITS, 0});
}

static void test_limits(void **state)
{
	struct remedy m;
	uint32_t deeds;

	(void)state;
	remedy_begin(&m, 0, 0, NOW);
	assert_int_equal(m.step, REMEDY_ATTEST);
	assert_int_equal(m.until_ns, 0);
	assert_int_equal(remedy_move(&m, REMEDY_GO, 0, NOW + 1, &deeds), 1);
	assert_int_equal(m.since_ns, NOW + 1);
	assert_int_equal(m.until_ns, NOW + 1 + 60 * MINUTE);
	assert_int_equal(remedy_move(&m, REMEDY_LATE, 0, NOW + 60 * MINUTE, &deeds), 1);
	assert_int_equal(m.until_ns, 0);
	for (enum remedy_step s = REMEDY_ISOLATE; s < REMEDY_OVER; s++) {
		assert_in_range(remedy_limit_ms(s), 60000, 7200000);
		assert_in_range(remedy_role(s), PLUMB_ROLE_RESPONDER, PLUMB_ROLE_APPROVER);
		assert_true(remedy_advice(s)[0] != 0);
	}
	assert_string_equal(remedy_advice(REMEDY_OVER), "");
}

/* A step that a person chooses is done now, also one that was done before, and what came after it is done anew. */
static void test_chosen(void **state)
{
	struct remedy m;

	(void)state;
	remedy_begin(&m, BIT(REMEDY_SNAPSHOT), POLICY_REMEDY_ALWAYS, NOW);
	WALK(&m, {REMEDY_SEEN, 0, 1, REMEDY_ATTEST, REMEDY_WAITS, 0},
	     {REMEDY_SEEN, 0, 1, REMEDY_RELEASE, REMEDY_WAITS, 0});
	assert_true(remedy_goes_itself(&m));
	WALK(&m, {REMEDY_CHOOSE, REMEDY_REBOOT, 1, REMEDY_REBOOT, REMEDY_RUNS, REMEDY_DEED_TELL},
	     {REMEDY_CHOOSE, REMEDY_OVER, -EPERM, REMEDY_REBOOT, REMEDY_RUNS, 0},
	     {REMEDY_CHOOSE, 0, -EPERM, REMEDY_REBOOT, REMEDY_RUNS, 0});
	assert_int_equal(m.seen, BIT(REMEDY_SNAPSHOT));
	assert_true(m.plan & BIT(REMEDY_REBOOT));
	WALK(&m, {REMEDY_SEEN, 0, 1, REMEDY_ATTEST, REMEDY_WAITS, 0},
	     {REMEDY_SKIP, 0, 1, REMEDY_RELEASE, REMEDY_WAITS, 0});
	/* Nobody looked: a person must say it. */
	assert_false(remedy_goes_itself(&m));
}

static void test_by_itself(void **state)
{
	struct remedy m;
	uint32_t deeds;

	(void)state;
	remedy_begin(&m, BIT(REMEDY_ISOLATE) | BIT(REMEDY_REBOOT),
		     BIT(REMEDY_ISOLATE) | BIT(REMEDY_FILES), NOW);
	assert_int_equal(m.itself, BIT(REMEDY_ISOLATE)); /* no more than is planned */
	assert_true(remedy_goes_itself(&m));
	remedy_move(&m, REMEDY_GO, 0, NOW, &deeds);
	assert_false(remedy_goes_itself(&m)); /* it runs */
	remedy_move(&m, REMEDY_LATE, 0, NOW, &deeds);
	assert_false(remedy_goes_itself(&m)); /* what failed is not tried for ever */
	remedy_move(&m, REMEDY_SEEN, 0, NOW, &deeds);
	assert_int_equal(m.step, REMEDY_REBOOT);
	assert_false(remedy_goes_itself(&m));
}

/* Over all of it: a deed only with a step that begins to run, a limit only while it runs, and only a person or the policy begins a step. */
static void test_what_never_happens(void **state)
{
	(void)state;
	for (enum remedy_step s = REMEDY_ISOLATE; s <= REMEDY_OVER; s++)
		for (enum remedy_phase p = REMEDY_WAITS; p <= REMEDY_STUCK; p++)
			for (enum remedy_event e = REMEDY_GO; e < REMEDY_N_EVENTS; e++) {
				struct remedy m = {
					.plan = POLICY_REMEDY_ALL, .step = s, .phase = p};
				const struct remedy before = m;
				uint32_t deeds;
				int r = remedy_move(&m, e, REMEDY_KEYS, NOW, &deeds);

				if (r <= 0) {
					assert_memory_equal(&m, &before, sizeof(m));
					assert_int_equal(deeds, 0);
					continue;
				}
				assert_int_not_equal(s, REMEDY_OVER);
				assert_int_equal(m.until_ns != 0, m.phase == REMEDY_RUNS);
				if (deeds || m.phase == REMEDY_RUNS)
					assert_true(e == REMEDY_GO || e == REMEDY_CHOOSE);
				if (deeds & REMEDY_DEED_RELEASE)
					assert_int_equal(s, REMEDY_RELEASE);
				if (m.step == REMEDY_OVER && s != REMEDY_RELEASE)
					assert_true(e == REMEDY_STOP || e == REMEDY_FREE ||
						    e == REMEDY_GONE);
			}
}

static void test_names(void **state)
{
	(void)state;
	for (enum remedy_phase p = REMEDY_WAITS; p <= REMEDY_STUCK; p++)
		assert_int_equal(remedy_phase_from_name(remedy_phase_name(p)), p);
	assert_int_equal(remedy_phase_from_name("x"), 0);
	assert_string_equal(remedy_phase_name(0), "");
	for (enum remedy_event e = REMEDY_GO; e < REMEDY_N_EVENTS; e++)
		assert_true(remedy_event_name(e)[0] != 0);
	assert_string_equal(remedy_event_name(REMEDY_N_EVENTS), "");
	for (enum policy_remedy_step s = POLICY_REMEDY_ISOLATE; s <= POLICY_REMEDY_RELEASE; s++)
		assert_int_equal(policy_remedy_from_name(policy_remedy_name(s)), s);
	assert_int_equal(policy_remedy_from_name(""), 0);
	assert_null(policy_remedy_name(0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_way), cmocka_unit_test(test_late),
		cmocka_unit_test(test_limits),	  cmocka_unit_test(test_chosen),
		cmocka_unit_test(test_by_itself), cmocka_unit_test(test_what_never_happens),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
