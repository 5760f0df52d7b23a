/* SPDX-License-Identifier: Apache-2.0 */
/* What a quarantine is more than a hold, the order and NoExecute: when it goes out, what it waits for, and how long pods have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "cleanup.h"
#include "contain_fixture.h"
#include "dsse.h"
#include "node_fixture.h"
#include "order.h"

#define S VERIFIER_FIXTURE_S
#define EVICT_S 600 /* of the fixture */

static struct contain_entry *entry(struct contain_fixture *w, const char *id)
{
	return contain_book_id(contain_book(w->c), id);
}

static void open_with(struct contain_fixture *w, uint32_t kinds)
{
	contain_free(w->c);
	w->kinds = kinds;
	contain_fixture_open(w);
}

static void become(struct contain_fixture *w, enum plumb_containment to, uint32_t deeds)
{
	contain_fixture_node(w, "aa", "n1", to, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "aa", deeds, true);
	contain_fixture_settle(w);
}

static enum kube_want wanted(struct contain_fixture *w)
{
	return deeds_containment(entry(w, "aa"), w->kinds, w->f.utc_ns);
}

/* Released, and bad again: it was held all the while, and who works there now has the whole time that the first ones had. */
static void test_each_quarantine_has_its_time(void **state)
{
	struct contain_fixture *w = *state;

	open_with(w, DEEDS_TAINT | DEEDS_EVICT);
	become(w, PLUMB_CONTAIN_QUARANTINED, NODE_DEED_QUARANTINE);
	assert_int_equal(entry(w, "aa")->drain_until_ns, w->f.utc_ns + EVICT_S * S);
	assert_int_equal(wanted(w), KUBE_HOLD);
	contain_fixture_pass(w, EVICT_S);
	assert_int_equal(wanted(w), KUBE_QUARANTINE);
	entry(w, "aa")->cleared_ns = entry(w, "aa")->drain_until_ns;
	entry(w, "aa")->over = true; /* no tick between the two */
	become(w, PLUMB_CONTAIN_REMEDIATING,
	       NODE_DEED_LIFT | NODE_DEED_HOLD | NODE_DEED_ORDER_RELEASE);
	contain_fixture_pass(w, 60);
	become(w, PLUMB_CONTAIN_QUARANTINED, NODE_DEED_QUARANTINE);
	assert_int_equal(entry(w, "aa")->drain_until_ns, w->f.utc_ns + EVICT_S * S);
	assert_int_not_equal(entry(w, "aa")->cleared_ns, entry(w, "aa")->drain_until_ns);
	assert_false(entry(w, "aa")->over);
	assert_int_equal(wanted(w), KUBE_HOLD);
	/* Kept: a verifier that starts anew gives no other one. */
	contain_free(w->c);
	contain_fixture_open(w);
	assert_int_equal(entry(w, "aa")->drain_until_ns, w->f.utc_ns + EVICT_S * S);
}

/* A tick of the loop's own clock. */
static void tick(struct contain_fixture *w)
{
	event_base_loopexit(w->base, &(struct timeval){1, 100000});
	event_base_loop(w->base, 0);
	contain_fixture_settle(w);
}

static void jump(struct contain_fixture *w, int64_t s)
{
	verifier_fixture_jump(&w->f, s);
	tick(w);
}

/* Half of their time is over, and half is left, whatever UTC becomes. */
static void test_their_time_moves_with_the_clock(void **state)
{
	static const int64_t jumps[] = {-86400, 86400, 1, 3600, -3601};
	struct contain_fixture *w = *state;
	uint64_t left = EVICT_S / 2 * S;

	open_with(w, DEEDS_TAINT | DEEDS_EVICT);
	become(w, PLUMB_CONTAIN_QUARANTINED, NODE_DEED_QUARANTINE);
	entry(w, "aa")->cleared_ns = entry(w, "aa")->drain_until_ns;
	contain_fixture_pass(w, EVICT_S / 2);
	for (size_t i = 0; i < ARRAY_SIZE(jumps); i++) {
		jump(w, jumps[i]);
		if (jumps[i] != 1)
			assert_int_equal(entry(w, "aa")->drain_until_ns, w->f.utc_ns + left);
		assert_int_equal(wanted(w), KUBE_HOLD);
	}
	assert_int_equal(entry(w, "aa")->cleared_ns, entry(w, "aa")->drain_until_ns);
	/* A disk that is full meanwhile: in memory they do not move either, nor is any set by another clock. */
	w->f.faults.commit = -EIO;
	jump(w, 86400);
	assert_true(entry(w, "aa")->drain_until_ns < w->f.utc_ns);
	w->f.faults.commit = 0;
	contain_fixture_node(w, "bb", "n2", PLUMB_CONTAIN_QUARANTINED, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "bb", NODE_DEED_QUARANTINE, true);
	tick(w);
	assert_int_equal(entry(w, "aa")->drain_until_ns, w->f.utc_ns + left);
	assert_int_equal(entry(w, "bb")->drain_until_ns, w->f.utc_ns + EVICT_S * S);
	/* Kept. */
	contain_free(w->c);
	contain_fixture_open(w);
	assert_int_equal(entry(w, "aa")->drain_until_ns, w->f.utc_ns + left);
	contain_fixture_pass(w, EVICT_S / 2);
	assert_int_equal(wanted(w), KUBE_QUARANTINE);
}

/* Set back while there was no verifier: nobody has longer than a whole time. */
static void test_started_with_a_clock_behind(void **state)
{
	struct contain_fixture *w = *state;

	open_with(w, DEEDS_TAINT | DEEDS_EVICT);
	become(w, PLUMB_CONTAIN_QUARANTINED, NODE_DEED_QUARANTINE);
	contain_free(w->c);
	verifier_fixture_jump(&w->f, -86400);
	contain_fixture_open(w);
	assert_int_equal(entry(w, "aa")->drain_until_ns, w->f.utc_ns + EVICT_S * S);
	contain_free(w->c);
	w->f.utc_ns += 60 * S;
	w->f.boot_ns += 60 * S;
	contain_fixture_open(w);
	assert_int_equal(entry(w, "aa")->drain_until_ns, w->f.utc_ns + (EVICT_S - 60) * S);
}

struct place {
	struct contain_fixture *w;
	struct node_fixture n;
};

/* From a quote to the order, as in a verifier. */
static struct place *judged(struct contain_fixture *w, const char *rules)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	p->w = w;
	w->v = &w->f.v;
	open_with(w, DEEDS_TAINT | DEEDS_EVICT);
	verifier_fixture_contain(&w->f, w->c);
	node_fixture_open(&p->n, &w->f, 1);
	node_fixture_baseline(&p->n);
	verifier_fixture_rules(&w->f, 1, rules);
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	assert_string_equal(node_fixture_shown(&p->n), "trusted");
	return p;
}

static void judged_done(struct place *p)
{
	verifier_fixture_contain(&p->w->f, NULL);
	node_fixture_done(&p->n);
	free(p);
}

static void start_anew(struct place *p, bool dry_run)
{
	verifier_fixture_contain(&p->w->f, NULL);
	p->w->dry_run = dry_run;
	open_with(p->w, p->w->kinds);
	verifier_fixture_contain(&p->w->f, p->w->c);
}

static struct contain_entry *entry_of(struct place *p)
{
	return entry(p->w, p->n.record.node);
}

static int on_order(void *ctx, uint64_t number, const void *envelope, size_t size)
{
	struct buf payload = {0}, type = {0};
	struct order o;
	struct why why;

	(void)number;
	assert_int_equal(dsse_peek(envelope, size, 8192, &payload, &type, &why), 0);
	assert_int_equal(order_parse(payload.data, payload.size, &o, &why), 0);
	*(uint32_t *)ctx += o.kind == ORDER_QUARANTINE;
	buf_done(&payload);
	buf_done(&type);
	return 0;
}

static uint32_t n_orders(struct place *p)
{
	uint32_t n = 0;

	assert_int_equal(
		p->w->f.ops.order_each(p->w->f.store.ctx, p->n.record.node, 0, on_order, &n), 0);
	return n;
}

static enum brakes_why told(struct place *p)
{
	struct store_node row = verifier_fixture_node(&p->w->f, p->n.record.node);
	enum brakes_why why = contain_book_held(&p->w->f.store, &row);

	assert_false(contain_book_is_left(&p->w->f.store, &row)); /* pods are not let onto it */
	store_node_done(&row);
	return why;
}

static enum kube_want wanted_of(struct place *p)
{
	return deeds_containment(entry_of(p), p->w->kinds, p->w->f.utc_ns);
}

static void set_paused(struct contain_fixture *w, const char *value)
{
	assert_int_equal(w->f.ops.begin(w->f.store.ctx), 0);
	assert_int_equal(w->f.ops.setting_put(w->f.store.ctx, CONTAIN_PAUSE, value), 0);
	assert_int_equal(w->f.ops.commit(w->f.store.ctx), 0);
}

#define RULE(id, when)                                                                             \
	"{\"id\":\"" id "\",\"title\":\"t\",\"when\":{" when "},\"severity\":\"high\",\"action\":" \
	"\"quarantine\",\"mode\":\"armed\",\"release\":\"ack\",\"score\":100,\"grace_ms\":0,"      \
	"\"claim\":"                                                                               \
	"\"executables\",\"value\":33}"
#define EXEC RULE("E", "\"type\":\"exec\"")
#define SILENT RULE("S", "\"finding\":\"silent\"")

static void hold_provisionally(struct place *p)
{
	node_fixture_exec(&p->n, "/usr/local/bin/x");
	assert_int_equal(node_fixture_drift(&p->n, true), PLUMB_RESULT_STORED);
	assert_string_equal(node_fixture_shown(&p->n), "held");
	assert_true(entry_of(p)->let);
}

/* All is as it was: held, in the cluster too, and the node has not heard of more. */
static void is_stopped(struct place *p, enum brakes_why why)
{
	assert_int_equal(told(p), why);
	assert_int_equal(n_orders(p), 0);
	assert_int_equal(wanted_of(p), KUBE_HOLD);
	assert_int_equal(entry_of(p)->drain_until_ns, 0);
}

/* The stop is a stop for whom it finds half way, too. */
static void test_paused_between_held_and_quarantined(void **state)
{
	struct contain_fixture *w = *state;
	struct place *p = judged(w, "[" EXEC "]");
	struct contain_held h;

	hold_provisionally(p);
	set_paused(w, "{}");
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	assert_string_equal(node_fixture_shown(&p->n), "quarantined");
	assert_int_equal(verifier_fixture_log(&w->f, "\"held_back\":\"paused\""), 1);
	contain_held(w->c, &h);
	assert_int_equal(h.contained, 1);
	assert_int_equal(h.held_back, 1);
	tick(w);
	is_stopped(p, BRAKES_PAUSED);
	start_anew(p, false);
	tick(w);
	is_stopped(p, BRAKES_PAUSED);
	/* Over: all of it once, and its pods have their time from here on. */
	w->f.utc_ns += 3600 * S;
	w->f.boot_ns += 3600 * S;
	set_paused(w, "");
	tick(w);
	assert_int_equal(told(p), BRAKES_OPEN);
	assert_int_equal(n_orders(p), 1);
	assert_int_equal(entry_of(p)->drain_until_ns, w->f.utc_ns + EVICT_S * S);
	assert_int_equal(verifier_fixture_log(&w->f, "\"action\":\"let\""), 1);
	tick(w);
	assert_int_equal(n_orders(p), 1);
	judged_done(p);
}

static void test_dry_run_between_held_and_quarantined(void **state)
{
	struct contain_fixture *w = *state;
	struct place *p = judged(w, "[" EXEC "]");

	hold_provisionally(p);
	start_anew(p, true);
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	assert_string_equal(node_fixture_shown(&p->n), "quarantined");
	tick(w);
	is_stopped(p, BRAKES_DRY_RUN);
	start_anew(p, false);
	tick(w);
	assert_int_equal(n_orders(p), 1);
	judged_done(p);
}

/* Released meanwhile: nothing waits any more. And whose order cannot be written waits on, held. */
static void test_stopped_and_released(void **state)
{
	struct contain_fixture *w = *state;

	become(w, PLUMB_CONTAIN_HELD, NODE_DEED_HOLD);
	set_paused(w, "{}");
	become(w, PLUMB_CONTAIN_QUARANTINED, NODE_DEED_QUARANTINE);
	assert_int_equal(w->held_back, BRAKES_PAUSED);
	assert_int_equal(wanted(w), KUBE_HOLD);
	become(w, PLUMB_CONTAIN_HELD, NODE_DEED_LIFT | NODE_DEED_HOLD);
	assert_int_equal(w->held_back, BRAKES_OPEN);
	become(w, PLUMB_CONTAIN_QUARANTINED, NODE_DEED_QUARANTINE);
	set_paused(w, "");
	w->f.faults.commit = -EIO;
	tick(w);
	assert_true(entry(w, "aa")->let);
	assert_int_equal(wanted(w), KUBE_HOLD);
	w->f.faults.commit = 0;
	tick(w);
	assert_int_equal(wanted(w), KUBE_QUARANTINE);
}

static enum plumb_containment containment(struct place *p)
{
	struct store_node row = verifier_fixture_node(&p->w->f, p->n.record.node);
	enum plumb_containment c = row.containment;

	store_node_done(&row);
	return c;
}

/* A program that nobody listed, under a quote. */
static void run_unlisted(struct place *p)
{
	node_fixture_exec(&p->n, "/usr/local/bin/x");
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	assert_string_equal(node_fixture_shown(&p->n), "quarantined");
	assert_int_equal(n_orders(p), 1);
	assert_false(entry_of(p)->unsure);
	assert_int_equal(entry_of(p)->drain_until_ns, p->w->f.utc_ns + EVICT_S * S);
	contain_fixture_pass(p->w, EVICT_S);
	assert_int_equal(wanted_of(p), KUBE_QUARANTINE);
}

/* Held, whatever the rule asks for, and not ordered to isolate itself when it answers. But silence protects nobody: what is found then counts. */
static void test_silent_first(void **state)
{
	struct contain_fixture *w = *state;
	struct place *p = judged(w, "[" SILENT "," EXEC "]");

	verifier_fixture_pass(&w->f, 181000);
	assert_string_equal(node_fixture_shown(&p->n), "silent");
	assert_int_equal(containment(p), PLUMB_CONTAIN_HELD);
	assert_true(entry_of(p)->let);
	assert_int_equal(n_orders(p), 0);
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	assert_string_equal(node_fixture_shown(&p->n), "held");
	assert_int_equal(wanted_of(p), KUBE_HOLD);
	assert_int_equal(n_orders(p), 0);
	run_unlisted(p);
	judged_done(p);
}

/* A store of a release that called such a node quarantined. */
static void test_silent_first_in_an_older_store(void **state)
{
	struct contain_fixture *w = *state;
	struct place *p = judged(w, "[" SILENT "," EXEC "]");
	struct store_node row;

	verifier_fixture_pass(&w->f, 181000);
	row = verifier_fixture_node(&w->f, p->n.record.node);
	row.containment = PLUMB_CONTAIN_QUARANTINED;
	assert_int_equal(w->f.ops.begin(w->f.store.ctx), 0);
	assert_int_equal(w->f.ops.node_put(w->f.store.ctx, &row), 0);
	assert_int_equal(w->f.ops.commit(w->f.store.ctx), 0);
	store_node_done(&row);
	start_anew(p, false);
	assert_true(entry_of(p)->unsure);
	assert_int_equal(wanted_of(p), KUBE_HOLD);
	run_unlisted(p);
	judged_done(p);
}

#define T(name) cmocka_unit_test_setup_teardown(name, contain_fixture_make, contain_fixture_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_each_quarantine_has_its_time),
		T(test_their_time_moves_with_the_clock),
		T(test_started_with_a_clock_behind),
		T(test_paused_between_held_and_quarantined),
		T(test_dry_run_between_held_and_quarantined),
		T(test_stopped_and_released),
		T(test_silent_first),
		T(test_silent_first_in_an_older_store),
	};

	return cmocka_run_group_tests_name("contain_cut", tests, NULL, NULL);
}
