/* SPDX-License-Identifier: Apache-2.0 */
/* Who is retired without a person: deleted in the cluster and silent, both for the whole time; and who never is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "contain_fixture.h"
#include "deadlines.h"
#include "deserted.h"

#define HOUR_MS 3600000ull
#define ID "aa"

static struct contain_entry *entry(struct contain_fixture *w)
{
	return contain_book_id(contain_book(w->c), ID);
}

static void row(struct contain_fixture *w, enum plumb_freshness freshness)
{
	const struct store *s = w->f.v.store;
	struct store_node n = verifier_fixture_node(&w->f, ID);

	n.freshness = freshness;
	n.last_evidence_ns = w->f.utc_ns;
	assert_int_equal(s->ops->begin(s->ctx), 0);
	assert_int_equal(s->ops->node_put(s->ctx, &n), 0);
	assert_int_equal(s->ops->commit(s->ctx), 0);
	store_node_done(&n);
}

/* Bound to n1, whose object was its own for certain. */
static void silent_node(struct contain_fixture *w)
{
	contain_fixture_node(w, ID, "n1", PLUMB_CONTAIN_FREE, CONTAIN_FIXTURE_BOOT);
	row(w, PLUMB_FRESHNESS_SILENT);
	assert_int_equal(contain_book_refresh(contain_book(w->c)), 0);
	contain_fixture_settle(w);
	snprintf(entry(w)->uid, sizeof(entry(w)->uid), "u-1");
	entry(w)->listed = true;
}

static void held_for(struct contain_fixture *w, enum plumb_finding finding)
{
	const struct store *s = w->f.v.store;
	struct store_case *k = calloc(1, sizeof(*k));

	assert_non_null(k);
	snprintf(k->node, sizeof(k->node), ID);
	snprintf(k->key, sizeof(k->key), "finding:x");
	k->incarnation = 1;
	k->type = PLUMB_TYPE_EXEC;
	k->finding = finding;
	k->severity = PLUMB_SEVERITY_HIGH;
	k->action = PLUMB_ACTION_QUARANTINE;
	k->armed = true;
	k->opened_ns = w->f.utc_ns;
	assert_int_equal(s->ops->begin(s->ctx), 0);
	assert_int_equal(s->ops->case_put(s->ctx, k), 0);
	assert_int_equal(s->ops->commit(s->ctx), 0);
	free(k);
}

/* A minute at a time, as often as there are minutes. */
static void look(struct contain_fixture *w, uint64_t minutes, uint64_t after_ms, bool watches)
{
	const struct action_desk d = {&w->f.v, w->f.documents, w->f.intake, w->c};

	for (; minutes > 0; minutes--) {
		w->f.utc_ns += 60 * VERIFIER_FIXTURE_S;
		w->f.boot_ns += 60 * VERIFIER_FIXTURE_S;
		assert_int_equal(deserted_tick(&d, watches, after_ms), 0);
	}
}

static void pass(struct contain_fixture *w, uint64_t minutes, uint64_t after_ms)
{
	look(w, minutes, after_ms, true);
}

static void pass_unseen(struct contain_fixture *w, uint64_t minutes)
{
	look(w, minutes, HOUR_MS, false);
}

static enum plumb_life life(struct contain_fixture *w)
{
	struct store_node n = verifier_fixture_node(&w->f, ID);
	enum plumb_life life = n.life;

	store_node_done(&n);
	return life;
}

static void test_deleted_and_silent(void **state)
{
	struct contain_fixture *w = *state;

	silent_node(w);
	pass(w, 120, HOUR_MS);
	assert_int_equal(life(w), PLUMB_LIFE_ACTIVE); /* it is there */
	entry(w)->listed = false;
	pass(w, 60, HOUR_MS);
	assert_int_equal(life(w), PLUMB_LIFE_ACTIVE);
	held_for(w, PLUMB_FINDING_SILENT); /* which is what it is retired for */
	pass(w, 1, HOUR_MS);
	assert_int_equal(life(w), PLUMB_LIFE_RETIRED);
	assert_int_equal(verifier_fixture_log(&w->f, "Kubernetes node n1 was deleted"), 1);
	/* What was found stays. */
	assert_int_equal(verifier_fixture_cases(&w->f, ID, NULL, NULL), 1);
	pass(w, 120, HOUR_MS);
	assert_int_equal(verifier_fixture_log(&w->f, "Kubernetes node n1 was deleted"), 1);
}

static void test_back_in_between(void **state)
{
	struct contain_fixture *w = *state;

	silent_node(w);
	entry(w)->listed = false;
	pass(w, 59, HOUR_MS);
	entry(w)->listed = true;
	pass(w, 1, HOUR_MS);
	entry(w)->listed = false;
	pass(w, 60, HOUR_MS);
	assert_int_equal(life(w), PLUMB_LIFE_ACTIVE);
	pass(w, 1, HOUR_MS);
	assert_int_equal(life(w), PLUMB_LIFE_RETIRED);
}

static void test_who_stays(void **state)
{
	struct contain_fixture *w = *state;

	silent_node(w);
	entry(w)->listed = false;
	row(w, PLUMB_FRESHNESS_FRESH);
	pass(w, 180, HOUR_MS);
	assert_int_equal(life(w), PLUMB_LIFE_ACTIVE); /* it is heard of */
	row(w, PLUMB_FRESHNESS_SILENT);
	pass(w, 180, 0);
	assert_int_equal(life(w), PLUMB_LIFE_ACTIVE); /* switched off */
	entry(w)->uid[0] = 0;
	pass(w, 180, HOUR_MS);
	assert_int_equal(life(w), PLUMB_LIFE_ACTIVE); /* there never was one */
	snprintf(entry(w)->uid, sizeof(entry(w)->uid), "u-1");
	held_for(w, PLUMB_FINDING_FORK);
	pass(w, 180, HOUR_MS);
	assert_int_equal(life(w), PLUMB_LIFE_ACTIVE); /* a deleted object is no release */
}

static void row_due(struct contain_fixture *w)
{
	const struct store *s = w->f.v.store;
	struct store_node n = verifier_fixture_node(&w->f, ID);

	n.freshness = PLUMB_FRESHNESS_FRESH;
	n.last_evidence_ns = w->f.utc_ns;
	n.deadline_ns = w->f.utc_ns + w->f.v.silent_after_ms * 1000000;
	assert_int_equal(s->ops->begin(s->ctx), 0);
	assert_int_equal(s->ops->node_put(s->ctx, &n), 0);
	assert_int_equal(s->ops->commit(s->ctx), 0);
	store_node_done(&n);
}

static enum plumb_freshness freshness(struct contain_fixture *w)
{
	struct store_node n = verifier_fixture_node(&w->f, ID);
	enum plumb_freshness is = n.freshness;

	store_node_done(&n);
	return is;
}

/* Both look, as they do every second. */
static void minutes(struct contain_fixture *w, struct deadlines *d, uint64_t n)
{
	for (; n > 0; n--) {
		pass(w, 1, HOUR_MS);
		deadlines_changed(d);
		assert_int_equal(deadlines_tick(d), 0);
	}
}

/* Taken out of the cluster and gone: nobody is told anything until it is retired, nor then. */
static void raises_nothing(struct contain_fixture *w, enum plumb_containment containment)
{
	const struct transition t = {.v = &w->f.v, .contain = w->c};
	struct deadlines *d = NULL;

	silent_node(w);
	contain_fixture_node(w, ID, "n1", containment, CONTAIN_FIXTURE_BOOT);
	row(w, PLUMB_FRESHNESS_SILENT);
	row_due(w);
	assert_int_equal(deadlines_open(&t, w->f.documents, &d), 0);
	entry(w)->listed = false;
	minutes(w, d, 10);
	assert_int_equal(freshness(w), PLUMB_FRESHNESS_LEAVING);
	minutes(w, d, 45);
	assert_int_equal(freshness(w), PLUMB_FRESHNESS_LEAVING);
	assert_int_equal(life(w), PLUMB_LIFE_ACTIVE);
	assert_int_equal(verifier_fixture_log(&w->f, "its Kubernetes node was deleted"), 1);
	minutes(w, d, 7);
	assert_int_equal(life(w), PLUMB_LIFE_RETIRED);
	assert_int_equal(verifier_fixture_cases(&w->f, ID, NULL, NULL), 0);
	deadlines_free(d);
}

static void test_raises_nothing(void **state)
{
	raises_nothing(*state, PLUMB_CONTAIN_FREE);
}

/* Most nodes have something open that asks for nothing. */
static void test_raises_nothing_when_reported(void **state)
{
	raises_nothing(*state, PLUMB_CONTAIN_REPORT);
}

/* An object that is there again excuses nothing; nor does a deleted one for whom is held. */
static void test_excused_no_longer(void **state)
{
	struct contain_fixture *w = *state;
	const struct transition t = {.v = &w->f.v, .contain = w->c};
	struct deadlines *d = NULL;

	silent_node(w);
	row_due(w);
	assert_int_equal(deadlines_open(&t, w->f.documents, &d), 0);
	entry(w)->listed = false;
	minutes(w, d, 10);
	assert_int_equal(freshness(w), PLUMB_FRESHNESS_LEAVING);
	entry(w)->listed = true;
	minutes(w, d, 4);
	assert_int_equal(freshness(w), PLUMB_FRESHNESS_SILENT);
	contain_fixture_node(w, ID, "n1", PLUMB_CONTAIN_HELD, CONTAIN_FIXTURE_BOOT);
	row_due(w);
	entry(w)->listed = false;
	minutes(w, d, 4);
	assert_int_equal(freshness(w), PLUMB_FRESHNESS_SILENT);
	deadlines_free(d);
}

/* Nobody is gone because nobody looks; and who was gone before is so at once when somebody does. */
static void test_not_watched(void **state)
{
	struct contain_fixture *w = *state;

	silent_node(w);
	entry(w)->listed = false;
	pass_unseen(w, 180);
	assert_int_equal(life(w), PLUMB_LIFE_ACTIVE);
	pass(w, 10, HOUR_MS);
	pass_unseen(w, 180);
	pass(w, 1, HOUR_MS);
	assert_int_equal(life(w), PLUMB_LIFE_RETIRED);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, contain_fixture_make, contain_fixture_end)
	const struct CMUnitTest tests[] = {
		TEST(test_deleted_and_silent),
		TEST(test_back_in_between),
		TEST(test_who_stays),
		TEST(test_not_watched),
		TEST(test_raises_nothing),
		TEST(test_excused_no_longer),
		TEST(test_raises_nothing_when_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
