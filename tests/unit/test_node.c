/* SPDX-License-Identifier: Apache-2.0 */
/* A node's tables: each way that a node's life takes, and over all states and events what may never happen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "node.h"

static const struct node_state fresh_row = {PLUMB_LIFE_PROVISIONING, PLUMB_APPRAISAL_NONE,
					    PLUMB_FRESHNESS_FRESH, PLUMB_CONTAIN_FREE, false};

struct step {
	enum node_event event;
	int proven, over;
	int result;
	const char *shown;
	uint32_t deeds; /* without NODE_DEED_LOG, which every change has */
};

static void walk(const struct step *steps, size_t n)
{
	struct node_state s = fresh_row;

	for (size_t i = 0; i < n; i++) {
		struct node_facts f = {steps[i].proven, steps[i].over};
		uint32_t deeds = 0;
		int r = node_step(&s, steps[i].event, &f, &deeds);

		if (r != steps[i].result || strcmp(node_shown(&s), steps[i].shown) != 0)
			print_error("step %zu: %d %s\n", i, r, node_shown(&s));
		assert_int_equal(r, steps[i].result);
		assert_string_equal(node_shown(&s), steps[i].shown);
		assert_int_equal(deeds, steps[i].deeds | (r > 0 ? NODE_DEED_LOG : 0));
	}
}
#define WALK(...)                                              \
	do {                                                   \
		const struct step steps[] = {__VA_ARGS__};     \
		walk(steps, sizeof(steps) / sizeof(steps[0])); \
	} while (0)

static void test_from_enrolment_to_retirement(void **state)
{
	(void)state;
	WALK({NODE_GOOD, 1, 0, 0, "provisioning", 0}, {NODE_OVERDUE, 0, 0, 0, "provisioning", 0},
	     {NODE_APPROVED, 0, 0, 1, "enrolled", 0}, {NODE_APPROVED, 0, 0, -EPERM, "enrolled", 0},
	     {NODE_GOOD, 1, 0, 1, "trusted", 0}, {NODE_GOOD, 1, 0, 0, "trusted", 0},
	     {NODE_WARNED, 1, 0, 1, "degraded", 0}, {NODE_GOOD, 1, 0, 1, "trusted", 0},
	     {NODE_RETIRING, 0, 0, 1, "leaving", 0}, {NODE_GOOD, 1, 0, 0, "leaving", 0},
	     {NODE_RETIRED, 0, 0, 1, "retired", NODE_DEED_LIFT | NODE_DEED_FORGET_KEY},
	     {NODE_GOOD, 1, 0, 0, "retired", 0}, {NODE_OVERDUE, 0, 1, 0, "retired", 0},
	     {NODE_RETIRED, 0, 0, -EPERM, "retired", 0}, {NODE_FORK, 0, 0, 0, "retired", 0});
}

static void test_quarantine_and_back(void **state)
{
	const uint32_t lift = NODE_DEED_LIFT, order = NODE_DEED_ORDER_RELEASE;

	(void)state;
	WALK({NODE_APPROVED, 0, 0, 1, "enrolled", 0}, {NODE_GOOD, 1, 0, 1, "trusted", 0},
	     {NODE_RELEASED, 0, 0, -EPERM, "trusted", 0}, {NODE_WANT_REPORT, 1, 0, 1, "trusted", 0},
	     {NODE_WANT_HOLD, 0, 0, 1, "held", NODE_DEED_HOLD},
	     {NODE_WANT_FREE, 0, 0, 0, "held", 0},
	     {NODE_WANT_QUARANTINE, 1, 0, 1, "quarantined", NODE_DEED_QUARANTINE},
	     {NODE_BAD, 1, 0, 1, "quarantined", 0}, {NODE_WANT_FREE, 0, 0, 0, "quarantined", 0},
	     {NODE_WANT_HOLD, 0, 0, 0, "quarantined", 0},
	     {NODE_OVERDUE, 0, 0, 1, "quarantined", NODE_DEED_CHALLENGE},
	     {NODE_GOOD, 1, 0, 1, "quarantined", 0},
	     {NODE_RELEASED, 0, 0, 1, "held", lift | order | NODE_DEED_HOLD},
	     {NODE_WANT_FREE, 0, 0, 0, "held", 0}, {NODE_WANT_FREE, 1, 0, 1, "trusted", lift},
	     {NODE_WANT_QUARANTINE, 1, 0, 1, "quarantined", NODE_DEED_QUARANTINE},
	     {NODE_RELEASED, 0, 0, 1, "held", lift | order | NODE_DEED_HOLD},
	     {NODE_WANT_QUARANTINE, 1, 0, 1, "quarantined", NODE_DEED_QUARANTINE},
	     {NODE_WANT_HOLD, 1, 0, 1, "held", lift | order | NODE_DEED_HOLD},
	     {NODE_WANT_FREE, 1, 0, 1, "trusted", lift});
}

/* One that is held may be isolated: that ends by a person's word, and not because what held it is over. */
static void test_held_and_back(void **state)
{
	const uint32_t hold = NODE_DEED_HOLD, lift = NODE_DEED_LIFT;

	(void)state;
	WALK({NODE_APPROVED, 0, 0, 1, "enrolled", 0}, {NODE_GOOD, 1, 0, 1, "trusted", 0},
	     {NODE_WANT_HOLD, 0, 0, 1, "held", hold}, {NODE_WANT_REPORT, 1, 0, 1, "trusted", lift},
	     {NODE_WANT_HOLD, 0, 0, 1, "held", hold}, {NODE_WANT_FREE, 1, 0, 1, "trusted", lift},
	     {NODE_WANT_HOLD, 0, 0, 1, "held", hold},
	     {NODE_RELEASED, 0, 0, 1, "held", NODE_DEED_ORDER_RELEASE | NODE_DEED_CHALLENGE},
	     {NODE_RELEASED, 0, 0, -EPERM, "held", 0}, {NODE_WANT_FREE, 1, 0, 1, "trusted", lift});
}

static void test_silence(void **state)
{
	(void)state;
	WALK({NODE_APPROVED, 0, 0, 1, "enrolled", 0},
	     {NODE_OVERDUE, 0, 0, 1, "silent", NODE_DEED_CHALLENGE},
	     {NODE_OVERDUE, 0, 0, 0, "silent", 0}, {NODE_WARNED, 1, 0, 1, "degraded", 0},
	     {NODE_GOOD, 1, 0, 1, "trusted", 0}, {NODE_ABSENCE, 1, 0, 1, "leaving", 0},
	     {NODE_OVERDUE, 0, 0, 0, "leaving", 0},
	     {NODE_OVERDUE, 0, 1, 1, "silent", NODE_DEED_CHALLENGE},
	     {NODE_GOOD, 1, 0, 1, "trusted", 0});
}

/* One that asked to be enrolled anew is held for what is open; of one that waits nothing is proven, so only a person lets it go. */
static void test_waits_and_is_held(void **state)
{
	(void)state;
	WALK({NODE_WANT_HOLD, 0, 0, 1, "provisioning", NODE_DEED_HOLD},
	     {NODE_WANT_FREE, 1, 0, 0, "provisioning", 0},
	     {NODE_WANT_QUARANTINE, 0, 0, 1, "provisioning", NODE_DEED_QUARANTINE},
	     {NODE_WANT_HOLD, 1, 0, 0, "provisioning", 0},
	     {NODE_WANT_FREE, 1, 0, 0, "provisioning", 0},
	     {NODE_RELEASED, 0, 0, 1, "provisioning",
	      NODE_DEED_LIFT | NODE_DEED_ORDER_RELEASE | NODE_DEED_HOLD},
	     {NODE_WANT_FREE, 1, 0, 0, "provisioning", 0}, {NODE_GOOD, 1, 0, 0, "provisioning", 0},
	     {NODE_FORK, 0, 0, 0, "provisioning", 0}, {NODE_APPROVED, 0, 0, 1, "held", 0},
	     {NODE_GOOD, 1, 0, 1, "held", 0}, {NODE_WANT_FREE, 1, 0, 1, "trusted", NODE_DEED_LIFT});
}

/* Not to be believed any more, and so kept away from work, whatever it was before; then it can only go. */
static void test_revoked(void **state)
{
	(void)state;
	WALK({NODE_APPROVED, 0, 0, 1, "enrolled", 0}, {NODE_GOOD, 1, 0, 1, "trusted", 0},
	     {NODE_REVOKED, 0, 0, 1, "revoked", NODE_DEED_QUARANTINE | NODE_DEED_FORGET_KEY},
	     {NODE_GOOD, 1, 0, 0, "revoked", 0}, {NODE_WANT_FREE, 1, 0, 0, "revoked", 0},
	     {NODE_RELEASED, 0, 0, -EPERM, "revoked", 0}, {NODE_OVERDUE, 0, 0, 0, "revoked", 0},
	     {NODE_REVOKED, 0, 0, -EPERM, "revoked", 0}, {NODE_FORK, 0, 0, 0, "revoked", 0},
	     {NODE_RETIRED, 0, 0, 1, "retired", NODE_DEED_LIFT | NODE_DEED_FORGET_KEY},
	     {NODE_REVOKED, 0, 0, -EPERM, "retired", 0});
	WALK({NODE_REVOKED, 0, 0, 1, "revoked", NODE_DEED_QUARANTINE | NODE_DEED_FORGET_KEY},
	     {NODE_APPROVED, 0, 0, -EPERM, "revoked", 0});
}

static void test_fork_is_latched(void **state)
{
	(void)state;
	WALK({NODE_APPROVED, 0, 0, 1, "enrolled", 0}, {NODE_GOOD, 1, 0, 1, "trusted", 0},
	     {NODE_FORK, 0, 0, 1, "forked", 0}, {NODE_FORK, 0, 0, 0, "forked", 0},
	     {NODE_GOOD, 1, 0, 0, "forked", 0}, {NODE_ABSENCE, 1, 0, 0, "forked", 0},
	     {NODE_WANT_QUARANTINE, 1, 0, 1, "forked", NODE_DEED_QUARANTINE},
	     {NODE_RELEASED, 0, 0, -EPERM, "forked", 0},
	     {NODE_RETIRED, 0, 0, 1, "retired", NODE_DEED_LIFT | NODE_DEED_FORGET_KEY});
}

static int severity(enum plumb_containment c)
{
	static const int of[] = {[PLUMB_CONTAIN_FREE] = 0,
				 [PLUMB_CONTAIN_REPORT] = 0,
				 [PLUMB_CONTAIN_REMEDIATING] = 1,
				 [PLUMB_CONTAIN_HELD] = 1,
				 [PLUMB_CONTAIN_QUARANTINED] = 2};
	return of[c];
}

/* Over all states, events and facts. */
static void check(const struct node_state *from, enum node_event event, const struct node_facts *f)
{
	struct node_state to = *from;
	uint32_t deeds = 0;
	int r = node_step(&to, event, f, &deeds), before, after;

	before = severity(from->containment);
	after = severity(to.containment);
	if (r <= 0) {
		assert_memory_equal(&to, from, sizeof(to));
		assert_int_equal(deeds, 0);
	}
	assert_true(r <= 0 || (deeds & NODE_DEED_LOG));
	/* The latch and the end of life hold; a fork is never shown as anything better. */
	assert_true(!from->forked || to.forked);
	assert_true(from->life != PLUMB_LIFE_RETIRED || to.life == PLUMB_LIFE_RETIRED);
	assert_true(from->life != PLUMB_LIFE_REVOKED || node_is_gone(to.life));
	assert_true(!to.forked || strcmp(node_shown(&to), "forked") == 0 || node_is_gone(to.life));
	/* Silence and evidence change no containment; it falls on proof or by a person only, and rises with its deed. */
	if (event < NODE_WANT_FREE)
		assert_int_equal(to.containment, from->containment);
	if (after < before)
		assert_true(f->proven || event == NODE_RELEASED);
	if (after > before)
		assert_true(deeds & (after == 2 ? NODE_DEED_QUARANTINE : NODE_DEED_HOLD));
	if (before > 0 && after == 0)
		assert_true(deeds & NODE_DEED_LIFT);
	/* An agent that stops, and a node that stays trusted: not without an announced absence. */
	if (event == NODE_OVERDUE && from->freshness == PLUMB_FRESHNESS_FRESH)
		assert_string_not_equal(node_shown(&to), "trusted");
	/* Only evidence, accepted, makes trust. */
	if (to.appraisal == PLUMB_APPRAISAL_TRUSTED && from->appraisal != to.appraisal)
		assert_true(event == NODE_GOOD && !from->forked);
	if (to.freshness == PLUMB_FRESHNESS_FRESH && from->freshness != to.freshness)
		assert_true(event == NODE_GOOD || event == NODE_WARNED || event == NODE_BAD);
}

static void test_all(void **state)
{
	(void)state;
	for (int i = 0; i < 5 * 4 * 3 * 5 * 2 * 4; i++) {
		struct node_state s;
		struct node_facts f = {i & 1, i & 2};
		int n = i >> 2;

		memset(&s, 0, sizeof(s));
		s.forked = n % 2;
		s.life = (enum plumb_life)(1 + (n /= 2) % 5);
		s.appraisal = (enum plumb_appraisal)(1 + (n /= 5) % 4);
		s.freshness = (enum plumb_freshness)(1 + (n /= 4) % 3);
		s.containment = (enum plumb_containment)(1 + (n /= 3) % 5);
		for (int e = NODE_APPROVED; e < NODE_N_EVENTS; e++)
			check(&s, (enum node_event)e, &f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_from_enrolment_to_retirement),
		cmocka_unit_test(test_quarantine_and_back),
		cmocka_unit_test(test_held_and_back),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_waits_and_is_held),
		cmocka_unit_test(test_revoked),
		cmocka_unit_test(test_fork_is_latched),
		cmocka_unit_test(test_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
