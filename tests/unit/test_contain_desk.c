/* SPDX-License-Identifier: Apache-2.0 */
/* The global stop, and taking back what one rule did: by whom, what it says, and that it stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include "api_fixture.h"
#include "contain.h"
#include "contain_desk.h"
#include "node.h"

#define N 12
#define SINCE "2000-01-01T00:00:00.000000000Z"

static struct api_fixture f;
static struct api_fixture_machine m[N];

static int setup(void **state)
{
	char label[16];

	(void)state;
	api_fixture_open(&f);
	for (int i = 0; i < N; i++) {
		snprintf(label, sizeof(label), "n%d", i);
		api_fixture_enrol(&f, &m[i], f.maker, label);
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < N; i++)
		api_fixture_machine_done(&m[i]);
	api_fixture_done(&f);
	return 0;
}

static int act(const struct api_fixture_person *p, const char *action, const char *value)
{
	return api_fixture_act(&f, p, action, "", "test", value);
}

static void says(const char *text)
{
	if (!strstr(api_fixture_text(&f), text))
		fail_msg("\"%s\" is not in %s", text, api_fixture_text(&f));
}

/* As a verdict would have left it; through the brakes, so that it is in the book. */
static void contain_one(int i)
{
	enum brakes_why why;
	struct store_node n;

	api_fixture_row(&f, m[i].id, &n);
	n.life = PLUMB_LIFE_ACTIVE;
	n.appraisal = PLUMB_APPRAISAL_TRUSTED;
	n.freshness = PLUMB_FRESHNESS_FRESH;
	n.has_base = true;
	n.containment = PLUMB_CONTAIN_QUARANTINED;
	assert_int_equal(f.store.ops->begin(f.store.ctx), 0);
	assert_int_equal(contain_let(f.contain, &n, NODE_DEED_QUARANTINE, "exec:/x", &why), 0);
	assert_int_equal(f.store.ops->node_put(f.store.ctx, &n), 0);
	assert_int_equal(f.store.ops->commit(f.store.ctx), 0);
	store_node_done(&n);
}

static enum plumb_containment containment(int i)
{
	enum plumb_containment c;
	struct store_node n;

	api_fixture_row(&f, m[i].id, &n);
	c = n.containment;
	store_node_done(&n);
	return c;
}

static uint32_t n_contained(void)
{
	uint32_t n = 0;

	for (int i = 0; i < N; i++)
		n += containment(i) == PLUMB_CONTAIN_QUARANTINED;
	return n;
}

static void test_pause(void **state)
{
	struct contain_held h;
	enum brakes_why why;
	struct store_node n;

	(void)state;
	assert_int_equal(act(&f.responder, "contain_pause", ""), 403);
	assert_int_equal(act(&f.approver, "contain_resume", ""), 409);
	assert_int_equal(act(&f.approver, "contain_pause", ""), 200);
	says("contain resume");
	assert_int_equal(api_fixture_log_has(&f, "\"action\":\"contain_pause\""),
			 2); /* refused, done */
	assert_int_equal(act(&f.approver, "contain_pause", ""), 409);
	contain_held(f.contain, &h);
	assert_true(h.paused);
	assert_int_equal(api_fixture_call(&f, "GET", WIRE_ROUTE_CONTAIN, &f.viewer.who, "", 0),
			 200);
	says("\"paused\":{\"by\":");
	says("\"held_back\":[]");
	/* Nothing new; what is over goes. */
	contain_one(0);
	contain_held(f.contain, &h);
	assert_int_equal(h.contained, 0);
	assert_int_equal(h.held_back, 1);
	api_fixture_row(&f, m[0].id, &n);
	n.containment = PLUMB_CONTAIN_FREE;
	assert_int_equal(f.store.ops->begin(f.store.ctx), 0);
	assert_int_equal(contain_let(f.contain, &n, NODE_DEED_LIFT, "", &why), 0);
	assert_int_equal(why, BRAKES_OPEN);
	assert_int_equal(f.store.ops->commit(f.store.ctx), 0);
	store_node_done(&n);
	contain_held(f.contain, &h);
	assert_int_equal(h.held_back, 0);
	assert_int_equal(act(&f.approver, "contain_resume", ""), 200);
	contain_held(f.contain, &h);
	assert_false(h.paused);
	contain_one(0);
	contain_held(f.contain, &h);
	assert_int_equal(h.contained, 1);
	assert_int_equal(api_fixture_call(&f, "GET", WIRE_ROUTE_CONTAIN, &f.viewer.who, "", 0),
			 200);
	says("\"paused\":null");
	says("\"wanted\":\"quarantined\"");
	assert_int_equal(api_fixture_call(&f, "GET", WIRE_ROUTE_CONTAIN, NULL, "", 0), 401);
}

static void test_bad_words(void **state)
{
	static const char *const bad[] = {"", "R-1", "R-1 yesterday", "R-1 " SINCE " wet",
					  "R-1 2000-01-01T00:00:00Z"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(act(&f.approver, "contain_undo", bad[i]), 400);
	assert_int_equal(act(&f.responder, "contain_undo", "R-1 " SINCE), 403);
	assert_int_equal(act(&f.approver, "contain_undo", "R-1 " SINCE), 404);
	says("no contained node has an open case of rule R-1");
}

static void test_undo(void **state)
{
	uint64_t ids[N], other, old;
	struct store_case *k = malloc(sizeof(*k));
	struct store_node n;

	(void)state;
	assert_non_null(k);
	for (int i = 0; i < N; i++) {
		ids[i] = api_fixture_case(&f, m[i].id, "R-1", "exec:/x", PLUMB_ACTION_QUARANTINE,
					  true);
		contain_one(i);
	}
	other = api_fixture_case(&f, m[0].id, "R-2", "exec:/y", PLUMB_ACTION_QUARANTINE, true);
	assert_int_equal(act(&f.approver, "contain_undo", "R-1 " SINCE " dry-run"), 200);
	says("would undo 12 nodes");
	says("…"); /* not all of their names */
	assert_int_equal(contain_desk_tick(&f.api.desk), 0);
	assert_int_equal(n_contained(), N);
	assert_int_equal(act(&f.approver, "contain_undo", "R-1 " SINCE), 200);
	assert_int_equal(act(&f.approver, "contain_undo", "R-1 " SINCE), 409);
	says("still going on");
	/* A few a second; one of them is held by another rule, too. */
	for (int second = 1; second <= 3; second++) {
		assert_int_equal(contain_desk_tick(&f.api.desk), 0);
		assert_true((int)n_contained() >= N - CONTAIN_DESK_UNDO_A_SECOND * second);
	}
	assert_int_equal(contain_desk_tick(&f.api.desk), 0);
	assert_int_equal(n_contained(), 1);
	assert_int_equal(containment(0), PLUMB_CONTAIN_QUARANTINED);
	assert_int_equal(api_fixture_log_has(&f, "\"action\":\"contain_undone\""), 1);
	assert_int_equal(contain_desk_tick(&f.api.desk), 0);
	assert_int_equal(api_fixture_log_has(&f, "\"action\":\"contain_undone\""), 1);
	/* Open, and it asks for nothing. */
	for (int i = 0; i < N; i++) {
		assert_int_equal(f.store.ops->case_get(f.store.ctx, ids[i], k), 0);
		assert_int_equal(k->closed_ns, 0);
		assert_false(k->armed);
		assert_string_not_equal(k->ack_by, "");
	}
	assert_int_equal(f.store.ops->case_get(f.store.ctx, other, k), 0);
	assert_true(k->armed);
	api_fixture_row(&f, m[1].id, &n);
	assert_int_equal(n.containment, PLUMB_CONTAIN_REPORT);
	assert_int_not_equal(n.appraisal, PLUMB_APPRAISAL_TRUSTED);
	store_node_done(&n);
	/* Since then: an older case is none of it. */
	f.utc_ns += 3600ull * 1000000000;
	old = api_fixture_case(&f, m[2].id, "R-3", "exec:/z", PLUMB_ACTION_QUARANTINE, true);
	contain_one(2);
	assert_int_equal(act(&f.approver, "contain_undo", "R-3 2099-01-01T00:00:00.000000000Z"),
			 404);
	assert_int_equal(f.store.ops->case_get(f.store.ctx, old, k), 0);
	assert_true(k->armed);
	free(k);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {T(test_pause), T(test_bad_words), T(test_undo)};

	return cmocka_run_group_tests_name("contain_desk", tests, NULL, NULL);
}
