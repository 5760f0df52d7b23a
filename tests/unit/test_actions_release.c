/* SPDX-License-Identifier: Apache-2.0 */
/* An approver's release of a node that its row does not hold: the node is told all the same, since it may be isolated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "api_fixture.h"
#include "dsse.h"
#include "order.h"

static struct api_fixture f;
static struct api_fixture_machine m;

static int setup(void **state)
{
	(void)state;
	api_fixture_open(&f);
	api_fixture_enrol(&f, &m, f.maker, "one");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	api_fixture_machine_done(&m);
	api_fixture_done(&f);
	return 0;
}

static int release(const struct api_fixture_person *p)
{
	return api_fixture_act(&f, p, "release", "one", "because", "");
}

static struct store_node row(void)
{
	struct store_node n;

	api_fixture_row(&f, m.id, &n);
	return n;
}

static void put_row(struct store_node *n)
{
	assert_int_equal(f.store.ops->begin(f.store.ctx), 0);
	assert_int_equal(f.store.ops->node_put(f.store.ctx, n), 0);
	assert_int_equal(f.store.ops->commit(f.store.ctx), 0);
	store_node_done(n);
}

static void contain_node(enum plumb_containment c)
{
	struct store_node n = row();

	n.life = PLUMB_LIFE_ACTIVE;
	n.containment = c;
	put_row(&n);
}

static int on_order(void *ctx, uint64_t number, const void *envelope, size_t size)
{
	struct buf payload = {0}, type = {0};
	struct order o, *last = ctx;
	struct why why = {""};

	(void)number;
	assert_int_equal(dsse_peek(envelope, size, 8192, &payload, &type, &why), 0);
	assert_int_equal(order_parse(payload.data, payload.size, &o, &why), 0);
	if (o.kind == ORDER_RELEASE)
		*last = o;
	buf_done(&payload);
	buf_done(&type);
	return 0;
}

static struct order last_release(void)
{
	struct order o = {.number = 0};

	assert_int_equal(f.store.ops->order_each(f.store.ctx, m.id, 0, on_order, &o), 0);
	return o;
}

/* It may have isolated itself while nobody heard it: that ends by an approver's word, whatever the row says. */
static void test_release_unheld(void **state)
{
	static const enum plumb_containment unheld[] = {PLUMB_CONTAIN_FREE, PLUMB_CONTAIN_REPORT,
							PLUMB_CONTAIN_REMEDIATING};
	struct store_node n;

	(void)state;
	for (size_t i = 0; i < sizeof(unheld) / sizeof(unheld[0]); i++) {
		contain_node(unheld[i]);
		assert_int_equal(release(&f.responder), 403);
		assert_int_equal(last_release().number, i);
		assert_int_equal(release(&f.approver), 200);
		assert_non_null(strstr(api_fixture_text(&f), "if it is isolated, it ends that"));
		assert_int_equal(last_release().number, i + 1);
		assert_string_equal(last_release().reason, "alice: because");
		n = row();
		assert_int_equal(n.containment, unheld[i]);
		store_node_done(&n);
	}
	/* One that is gone, or forked, takes none. */
	n = row();
	n.forked = true;
	put_row(&n);
	n = row();
	assert_int_equal(release(&f.approver), 409);
	assert_int_equal(last_release().number, n.last_order);
	store_node_done(&n);
}

/* Held, it may be isolated as well. */
static void test_release_held(void **state)
{
	(void)state;
	contain_node(PLUMB_CONTAIN_HELD);
	assert_int_equal(release(&f.approver), 200);
	assert_int_equal(api_fixture_log_has(&f, "\"order_release\",\"challenge\""), 1);
	assert_int_equal(last_release().number, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_release_unheld, setup, teardown),
		cmocka_unit_test_setup_teardown(test_release_held, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
