/* SPDX-License-Identifier: Apache-2.0 */
/* Orders: numbered upwards, signed, told to the node until it has them or their time is over, and to this incarnation alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "announced.h"
#include "dsse.h"
#include "node_fixture.h"
#include "order_desk.h"
#include "plumb/wire.h"

struct place {
	struct verifier_fixture v;
	struct node_fixture n;
	struct store_node row;
	struct evidence_answer a;
};

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	verifier_fixture_open(&p->v);
	node_fixture_open(&p->n, &p->v, 1);
	p->row = verifier_fixture_node(&p->v, p->n.record.node);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	evidence_answer_done(&p->a);
	store_node_done(&p->row);
	node_fixture_done(&p->n);
	verifier_fixture_done(&p->v);
	free(p);
	return 0;
}

static uint64_t give(struct place *p, enum order_kind kind, uint64_t life_ms)
{
	const struct order o = {.kind = kind,
				.life_ms = life_ms,
				.reason = "test",
				.number = 4711,
				.node = "other",
				.key = {48},
				.key_size = kind == ORDER_WITNESS_KEY ? 44 : 0};
	uint64_t number = 0;

	assert_int_equal(p->v.ops.begin(p->v.store.ctx), 0);
	assert_int_equal(order_desk_give(&p->v.v, &p->row, &o, &number), 0);
	assert_int_equal(p->v.ops.node_put(p->v.store.ctx, &p->row), 0);
	assert_int_equal(p->v.ops.commit(p->v.store.ctx), 0);
	return number;
}

/* The numbers that are told to one who has seen that many. */
static const char *told(struct place *p, uint64_t seen)
{
	static char text[256];
	const struct sign_key *const key[] = {p->v.verdict};
	struct buf payload = {0};
	struct order o;
	struct why why;

	text[0] = 0;
	evidence_answer_done(&p->a);
	assert_int_equal(order_desk_answer(&p->v.v, &p->row, seen, &p->a), 0);
	for (uint32_t i = 0; i < p->a.n_orders; i++) {
		buf_clear(&payload);
		assert_int_equal(dsse_open(p->a.orders[i].data, p->a.orders[i].size, 8192,
					   WIRE_DSSE_ORDER, key, 1, &payload, NULL, &why),
				 0);
		assert_int_equal(order_parse(payload.data, payload.size, &o, &why), 0);
		assert_string_equal(o.node, p->row.id);
		assert_int_equal(o.incarnation, p->row.incarnation);
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%llu ",
			 (unsigned long long)o.number);
	}
	buf_done(&payload);
	return text;
}

static void pass(struct place *p, uint64_t ms)
{
	p->v.utc_ns += ms * 1000000;
}

static void test_numbers(void **state)
{
	struct place *p = *state;

	assert_string_equal(told(p, 0), "");
	assert_int_equal(give(p, ORDER_CHALLENGE, 0), 1);
	assert_int_equal(give(p, ORDER_QUARANTINE, 0), 2);
	assert_int_equal(give(p, ORDER_RELEASE, 0), 3);
	assert_string_equal(told(p, 0), "1 2 3 ");
	assert_string_equal(told(p, 2), "3 ");
	assert_string_equal(told(p, 3), "");
	assert_string_equal(told(p, UINT64_MAX), "");
}

/* A challenge, a scan or a planned restart is over with its time; what a node must do in the end is told until it has it. */
static void test_time(void **state)
{
	struct place *p = *state;

	give(p, ORDER_CHALLENGE, 0);
	give(p, ORDER_RESTART, 60000);
	give(p, ORDER_QUARANTINE, 1000);
	give(p, ORDER_BASELINE, 1000);
	give(p, ORDER_SCAN, 0);
	pass(p, 60000);
	assert_string_equal(told(p, 0), "1 2 3 4 5 ");
	pass(p, 1);
	assert_string_equal(told(p, 0), "1 3 4 5 ");
	pass(p, ORDER_DESK_LIFE_MS);
	assert_string_equal(told(p, 0), "3 4 ");
}

static void test_incarnation(void **state)
{
	struct place *p = *state;

	give(p, ORDER_QUARANTINE, 0);
	p->row.incarnation = 2;
	assert_string_equal(told(p, 0), "");
	assert_int_equal(give(p, ORDER_BASELINE, 0), 2);
	assert_string_equal(told(p, 0), "2 ");
}

static void test_many(void **state)
{
	struct place *p = *state;

	for (int i = 0; i < 40; i++)
		give(p, i % 2 ? ORDER_QUARANTINE : ORDER_RELEASE, 0);
	assert_string_equal(told(p, 0), "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 ");
	assert_string_equal(told(p, 16), "17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 ");
	assert_string_equal(told(p, 32), "33 34 35 36 37 38 39 40 ");
}

/* One that cannot be read is told to nobody and hides nothing else. */
static void test_broken(void **state)
{
	struct place *p = *state;

	give(p, ORDER_QUARANTINE, 0);
	assert_int_equal(p->v.ops.begin(p->v.store.ctx), 0);
	assert_int_equal(p->v.ops.order_put(p->v.store.ctx, p->row.id, 2, "{}", 2), 0);
	p->row.last_order = 2;
	assert_int_equal(p->v.ops.commit(p->v.store.ctx), 0);
	assert_int_equal(give(p, ORDER_RELEASE, 0), 3);
	assert_string_equal(told(p, 0), "1 3 ");
}

static const char order_line[] = "{\"v\":1,\"seq\":7,\"t\":\"2026-11-24T00:00:00.000000000Z\","
				 "\"bt\":1,\"boot\":\"b\",\"src\":\"order\",\"type\":\"order\","
				 "\"number\":%d,\"kind\":\"scan\",\"issued\":\"%s\"}\n";

/* The store was put back: the node's lines tell another order by a number that was given again since. */
static void test_missed(void **state)
{
	struct place *p = *state;
	struct buf lines = {0};
	char text[512], ours[CLOCK_TEXT_SIZE];
	uint32_t n = 9;

	clock_text(clock_utc_ns(p->v.v.clock), ours);
	assert_int_equal(give(p, ORDER_SCAN, 0), 1);
	assert_int_equal(give(p, ORDER_QUARANTINE, 0), 2);
	/* Taken: the very order; one that nobody gave; a line that is none of an order. */
	snprintf(text, sizeof(text), order_line, 1, ours);
	buf_puts(&lines, text);
	snprintf(text, sizeof(text), order_line, 3, "2026-11-20T00:00:00.000000000Z");
	buf_puts(&lines, text);
	buf_puts(&lines, "{\"type\":\"order\"}\n");
#define MISSED(wanted, last)                                                                  \
	do {                                                                                  \
		assert_int_equal(p->v.ops.begin(p->v.store.ctx), 0);                          \
		assert_int_equal(order_desk_missed(&p->v.v, &p->row,                          \
						   (struct buf_view){lines.data, lines.size}, \
						   clock_utc_ns(p->v.v.clock), &n),           \
				 0);                                                          \
		p->v.ops.rollback(p->v.store.ctx);                                            \
		assert_int_equal(n, wanted);                                                  \
		assert_int_equal(p->row.last_order, last);                                    \
	} while (0)
	MISSED(0, 2);
	/* Told a hundred times it is given again once: root writes what he likes, and each is signed and kept. */
	buf_clear(&lines);
	snprintf(text, sizeof(text), order_line, 2, "2026-11-20T00:00:00.000000000Z");
	for (int i = 0; i < 100; i++)
		buf_puts(&lines, text);
	p->row.last_order = 5; /* the quote says that it has seen so many */
	MISSED(1, 6);
	/* What it was told of before its last word it cannot have renewed. */
	p->row.last_order = 5;
	p->row.last_evidence_ns = clock_utc_ns(p->v.v.clock);
	MISSED(0, 5);
	buf_done(&lines);
}

static uint64_t ticking(void *ctx)
{
	struct verifier_fixture *v = ctx;

	v->utc_ns += 1000000;
	return v->utc_ns;
}

/* An evidence that tells lies of that order: how many are given again. */
static uint32_t lie(struct place *p, int number)
{
	uint64_t now_ns = clock_utc_ns(p->v.v.clock);
	char text[512];
	int size =
		snprintf(text, sizeof(text), order_line, number, "2026-11-20T00:00:00.000000000Z");
	uint32_t n = 9;

	assert_int_equal(p->v.ops.begin(p->v.store.ctx), 0);
	assert_int_equal(order_desk_missed(&p->v.v, &p->row,
					   (struct buf_view){(uint8_t *)text, size}, now_ns, &n),
			 0);
	p->row.last_evidence_ns = now_ns;
	assert_int_equal(p->v.ops.node_put(p->v.store.ctx, &p->row), 0);
	assert_int_equal(p->v.ops.commit(p->v.store.ctx), 0);
	return n;
}

/* Root tells each time that it took another order by the newest number: it gains one copy, which ends with what it is a copy of. */
static void test_missed_is_not_renewed(void **state)
{
	struct place *p = *state;
	struct appraise_drift_restart restarts[4];
	uint32_t n_again = 0, n = 0;
	uint64_t until_ns = 9, end_ns;

	p->v.clock.utc_ns = ticking;
	assert_int_equal(give(p, ORDER_RESTART, 300000), 1);
	for (int i = 0; i < 3; i++) {
		pass(p, 60000);
		n_again += lie(p, (int)p->row.last_order);
	}
	assert_int_equal(n_again, 1);
	assert_int_equal(order_desk_restarts(&p->v.v, &p->row, restarts, 4, &n), 0);
	assert_int_equal(n, 2);
	end_ns = restarts[0].issued_ns + 300000000000;
	assert_true(restarts[1].issued_ns + restarts[1].life_ms * 1000000 <= end_ns);
	assert_int_equal(announced_until(&p->v.v, &p->row, p->v.utc_ns, &until_ns), 0);
	assert_true(until_ns == end_ns);
	assert_int_equal(announced_until(&p->v.v, &p->row, end_ns, &until_ns), 0);
	assert_int_equal(until_ns, 0);
	/* With less than it is counted in left, its life is not a new one. */
	assert_int_equal(give(p, ORDER_RESTART, 3), 3);
	assert_int_equal(lie(p, 3), 1);
	assert_int_equal(give(p, ORDER_RESTART, 2), 5);
	pass(p, 2);
	assert_int_equal(lie(p, 5), 0);
}

/* Neither what sets free nor what isolates comes back after the other. */
static void test_missed_is_not_revived(void **state)
{
	struct place *p = *state;

	p->v.clock.utc_ns = ticking;
	assert_int_equal(give(p, ORDER_RELEASE, 0), 1);
	assert_int_equal(give(p, ORDER_QUARANTINE, 0), 2);
	assert_int_equal(give(p, ORDER_SCAN, 0), 3);
	assert_int_equal(lie(p, 1), 0);
	assert_int_equal(order_desk_isolates(&p->v.v, &p->row), 1);
	assert_int_equal(give(p, ORDER_QUARANTINE, 0), 4);
	assert_int_equal(give(p, ORDER_RELEASE, 0), 5);
	assert_int_equal(lie(p, 4), 0);
	assert_int_equal(order_desk_isolates(&p->v.v, &p->row), 0);
	/* The last word is given again, as often as it can be: once. */
	assert_int_equal(give(p, ORDER_QUARANTINE, 0), 6);
	assert_int_equal(lie(p, 6), 1);
	assert_int_equal(lie(p, 7), 0);
	assert_int_equal(order_desk_isolates(&p->v.v, &p->row), 1);
	/* One key after another: each is needed. */
	assert_int_equal(give(p, ORDER_WITNESS_KEY, 0), 8);
	assert_int_equal(give(p, ORDER_WITNESS_KEY, 0), 9);
	assert_int_equal(lie(p, 8), 1);
}

static void read_row(struct place *p)
{
	store_node_done(&p->row);
	p->row = verifier_fixture_node(&p->v, p->n.record.node);
}

/* The last word on its isolation, whatever keys it had by then. */
static void test_isolates(void **state)
{
	struct place *p = *state;

	assert_int_equal(order_desk_isolates(&p->v.v, &p->row), 0);
	give(p, ORDER_QUARANTINE, 0);
	give(p, ORDER_SCAN, 0);
	assert_int_equal(order_desk_isolates(&p->v.v, &p->row), 1);
	p->row.incarnation = 2;
	assert_int_equal(order_desk_isolates(&p->v.v, &p->row), 1);
	give(p, ORDER_RELEASE, 0);
	give(p, ORDER_SCAN, 0);
	assert_int_equal(order_desk_isolates(&p->v.v, &p->row), 0);
}

/* Its next incarnation is owed a release that this one never took, and no other. */
static void test_unreleased(void **state)
{
	struct place *p = *state;
	struct order o;

	assert_int_equal(order_desk_unreleased(&p->v.v, &p->row, &o), 0);
	give(p, ORDER_RELEASE, 0);
	give(p, ORDER_QUARANTINE, 0);
	assert_int_equal(order_desk_unreleased(&p->v.v, &p->row, &o), 0);
	assert_int_equal(give(p, ORDER_RELEASE, 0), 3);
	assert_int_equal(order_desk_unreleased(&p->v.v, &p->row, &o), 1);
	assert_int_equal(o.number, 3);
	assert_int_equal(o.kind, ORDER_RELEASE);
	assert_string_equal(o.reason, "test");
	node_fixture_record(&p->n, "order", "\"number\":2,\"result\":\"done: network\"");
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	read_row(p);
	assert_int_equal(order_desk_unreleased(&p->v.v, &p->row, &o), 1);
	node_fixture_record(&p->n, "order", "\"number\":3,\"result\":\"done: network\"");
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	read_row(p);
	assert_int_equal(order_desk_unreleased(&p->v.v, &p->row, &o), 0);
	/* Another incarnation's is none of this one's. */
	assert_int_equal(give(p, ORDER_RELEASE, 0), 4);
	p->row.incarnation = 2;
	assert_int_equal(order_desk_unreleased(&p->v.v, &p->row, &o), 0);
}

static void test_restarts(void **state)
{
	struct place *p = *state;
	struct appraise_drift_restart r[3];
	uint32_t n = 0;

	assert_int_equal(order_desk_restarts(&p->v.v, &p->row, r, 0, &n), -EINVAL);
	assert_int_equal(order_desk_restarts(&p->v.v, &p->row, r, 3, &n), 0);
	assert_int_equal(n, 0);
	give(p, ORDER_RESTART, 1000);
	give(p, ORDER_CHALLENGE, 0);
	for (int i = 0; i < 3; i++)
		give(p, ORDER_RESTART, 2000);
	/* The newest, in the order of their numbers. */
	assert_int_equal(order_desk_restarts(&p->v.v, &p->row, r, 3, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(r[0].number, 3);
	assert_int_equal(r[2].number, 5);
	assert_int_equal(r[2].life_ms, 2000);
	p->row.incarnation = 2;
	assert_int_equal(order_desk_restarts(&p->v.v, &p->row, r, 3, &n), 0);
	assert_int_equal(n, 0);
}

/* What could not be stored was not given. */
static void test_store_fails(void **state)
{
	struct place *p = *state;
	const struct order o = {.kind = ORDER_QUARANTINE};

	assert_int_equal(p->v.ops.begin(p->v.store.ctx), 0);
	p->v.faults.changes = 0;
	assert_int_equal(order_desk_give(&p->v.v, &p->row, &o, NULL), -EIO);
	p->v.faults.changes = -1;
	p->v.ops.rollback(p->v.store.ctx);
	assert_int_equal(p->row.last_order, 0);
	assert_int_equal(give(p, ORDER_QUARANTINE, 0), 1);
}

static int again(struct place *p, uint64_t seen)
{
	int r;

	assert_int_equal(p->v.ops.begin(p->v.store.ctx), 0);
	r = order_desk_again(&p->v.v, &p->row, seen);
	assert_int_equal(p->v.ops.commit(p->v.store.ctx), 0);
	return r;
}

/* A copy that was lost: ordered anew, once the last order was carried out and some time has passed. */
static void test_baseline_again(void **state)
{
	struct place *p = *state;

	give(p, ORDER_BASELINE, 0);
	assert_int_equal(again(p, 0), 0);
	assert_int_equal(again(p, 1), 0);
	pass(p, p->v.v.silent_after_ms);
	assert_int_equal(again(p, 0), 0);
	assert_int_equal(again(p, 1), 1);
	assert_string_equal(told(p, 1), "2 ");
	assert_int_equal(again(p, 2), 0);
	/* What an incarnation before was given counts for nothing. */
	p->row.incarnation = 2;
	assert_int_equal(again(p, 2), 1);
	assert_string_equal(told(p, 0), "3 ");
}

/* The store was put back from a copy, and the node has seen orders that it knows nothing of: that is told, and the next one is higher. */
static void test_forgotten(void **state)
{
	struct place *p = *state;
	struct store_case k;

	p->n.last_order = 5;
	assert_int_equal(node_fixture_nonce(&p->n), 200);
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	store_node_done(&p->row);
	p->row = verifier_fixture_node(&p->v, p->n.record.node);
	assert_int_equal(p->row.last_order, 5);
	verifier_fixture_cases(&p->v, p->n.record.node, "finding:rollback", &k);
	assert_true(k.id > 0 && k.closed_ns == 0);
	assert_string_equal(k.found,
			    "the node has seen order 5, and this verifier's last to it is 0");
	assert_int_equal(give(p, ORDER_SCAN, 0), 6);
	assert_string_equal(told(p, 5), "6 ");
	/* A number that nobody can have reached is none. */
	p->n.last_order = INT64_MAX - 1;
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	store_node_done(&p->row);
	p->row = verifier_fixture_node(&p->v, p->n.record.node);
	assert_int_equal(p->row.last_order, 6);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(numbers),
		TEST(baseline_again),
		TEST(time),
		TEST(incarnation),
		TEST(many),
		TEST(broken),
		TEST(restarts),
		TEST(store_fails),
		TEST(forgotten),
		TEST(missed),
		TEST(isolates),
		TEST(unreleased),
		TEST(missed_is_not_renewed),
		TEST(missed_is_not_revived),
	};

	return cmocka_run_group_tests_name("order_desk", tests, NULL, NULL);
}
