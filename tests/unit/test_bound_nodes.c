/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of a Kubernetes name is what the last commit left: not what was rolled back, not what a retired machine was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "bound_nodes.h"
#include "contain_book.h"
#include "verifier_fixture.h"

static struct verifier_fixture f;
static struct bound_nodes *nodes;

static int setup(void **state)
{
	(void)state;
	verifier_fixture_open(&f);
	assert_int_equal(bound_nodes_open(&f.store, &nodes), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	nodes = bound_nodes_free(nodes);
	verifier_fixture_done(&f);
	return 0;
}

static void begin(void)
{
	assert_int_equal(f.store.ops->begin(f.store.ctx), 0);
}

static void put(const char *id, const char *name, enum plumb_containment c, enum plumb_life life)
{
	struct store_node n = {.version = 0};

	if (f.store.ops->node_get(f.store.ctx, id, &n) < 0)
		snprintf(n.id, sizeof(n.id), "%s", id);
	snprintf(n.kube_name, sizeof(n.kube_name), "%s", name);
	n.life = life;
	n.appraisal = PLUMB_APPRAISAL_TRUSTED;
	n.freshness = PLUMB_FRESHNESS_FRESH;
	n.containment = c;
	assert_int_equal(f.store.ops->node_put(f.store.ctx, &n), 0);
	store_node_done(&n);
}

static void commit(void)
{
	assert_int_equal(f.store.ops->commit(f.store.ctx), 0);
}

static int contained(const char *name)
{
	struct bound_node n;
	int r = bound_nodes_find(nodes, name, &n);

	return r < 0 ? r : (int)n.state.containment;
}

static void test_follows_commits(void **state)
{
	(void)state;
	assert_int_equal(contained("n1"), -ENOENT);
	begin();
	put("aa", "n1", PLUMB_CONTAIN_FREE, PLUMB_LIFE_ACTIVE);
	put("bb", "", PLUMB_CONTAIN_HELD, PLUMB_LIFE_ACTIVE);
	assert_int_equal(contained("n1"), -ENOENT); /* it does not stand yet */
	commit();
	assert_int_equal(contained("n1"), PLUMB_CONTAIN_FREE);
	assert_int_equal(contained(""), -ENOENT);
	begin();
	put("aa", "n1", PLUMB_CONTAIN_HELD, PLUMB_LIFE_ACTIVE);
	put("aa", "n1", PLUMB_CONTAIN_QUARANTINED,
	    PLUMB_LIFE_ACTIVE); /* the last word of one commit */
	commit();
	assert_int_equal(contained("n1"), PLUMB_CONTAIN_QUARANTINED);
	begin();
	put("aa", "n1", PLUMB_CONTAIN_FREE, PLUMB_LIFE_ACTIVE);
	f.store.ops->rollback(f.store.ctx);
	assert_int_equal(contained("n1"), PLUMB_CONTAIN_QUARANTINED);
	begin();
	put("aa", "n1", PLUMB_CONTAIN_FREE, PLUMB_LIFE_ACTIVE);
	f.faults.commit = -ENOSPC;
	assert_int_equal(f.store.ops->commit(f.store.ctx), -ENOSPC);
	f.faults.commit = 0;
	assert_int_equal(contained("n1"), PLUMB_CONTAIN_QUARANTINED);
}

/* As the brakes leave it, in the transaction that puts the row. */
static void record(const char *id, bool let, enum brakes_why held_back)
{
	struct store_node n = {.incarnation = 0};
	struct contain_book *book;
	struct contain_entry *e;

	assert_int_equal(contain_book_open(&f.store, &book), 0);
	if (f.store.ops->node_get(f.store.ctx, id, &n) < 0)
		snprintf(n.id, sizeof(n.id), "%s", id);
	e = contain_book_of(book, &n);
	assert_non_null(e);
	e->let = let;
	e->held_back = held_back;
	assert_int_equal(contain_book_put(book, e), 0);
	store_node_done(&n);
	contain_book_free(book);
}

/* What the brakes hold back is done nowhere: pods are let onto such a node as well. */
static void test_brakes_hold_here_too(void **state)
{
	(void)state;
	begin();
	record("aa", false, BRAKES_SHARE);
	put("aa", "n1", PLUMB_CONTAIN_QUARANTINED, PLUMB_LIFE_ACTIVE);
	commit();
	assert_int_equal(contained("n1"), PLUMB_CONTAIN_REPORT);
	nodes = bound_nodes_free(nodes);
	assert_int_equal(bound_nodes_open(&f.store, &nodes), 0);
	assert_int_equal(contained("n1"), PLUMB_CONTAIN_REPORT);
	begin();
	record("aa", true, BRAKES_OPEN);
	put("aa", "n1", PLUMB_CONTAIN_QUARANTINED, PLUMB_LIFE_ACTIVE);
	commit();
	assert_int_equal(contained("n1"), PLUMB_CONTAIN_QUARANTINED);
}

static void test_names_move(void **state)
{
	(void)state;
	begin();
	put("aa", "n1", PLUMB_CONTAIN_QUARANTINED, PLUMB_LIFE_ACTIVE);
	put("bb", "n2", PLUMB_CONTAIN_HELD, PLUMB_LIFE_ACTIVE);
	commit();
	begin();
	put("aa", "n3", PLUMB_CONTAIN_QUARANTINED, PLUMB_LIFE_ACTIVE);
	commit();
	assert_int_equal(contained("n1"), -ENOENT);
	assert_int_equal(contained("n2"), PLUMB_CONTAIN_HELD);
	assert_int_equal(contained("n3"), PLUMB_CONTAIN_QUARANTINED);
	/* A machine that is put in another's place: the old one's state is not the new one's. */
	begin();
	put("aa", "n3", PLUMB_CONTAIN_QUARANTINED, PLUMB_LIFE_RETIRED);
	put("cc", "n3", PLUMB_CONTAIN_FREE, PLUMB_LIFE_ACTIVE);
	commit();
	assert_int_equal(contained("n3"), PLUMB_CONTAIN_FREE);
	/* Should two have one name, the worse is told, in either order. */
	begin();
	put("aa", "n3", PLUMB_CONTAIN_QUARANTINED, PLUMB_LIFE_ACTIVE);
	put("dd", "n3", PLUMB_CONTAIN_HELD, PLUMB_LIFE_ACTIVE);
	commit();
	assert_int_equal(contained("n3"), PLUMB_CONTAIN_QUARANTINED);
	begin();
	put("cc", "", PLUMB_CONTAIN_FREE, PLUMB_LIFE_ACTIVE);
	put("aa", "", PLUMB_CONTAIN_QUARANTINED, PLUMB_LIFE_ACTIVE);
	commit();
	assert_int_equal(contained("n3"), PLUMB_CONTAIN_HELD);
}

static void test_starts_from_the_store(void **state)
{
	struct bound_node n;
	char id[8], name[16];

	(void)state;
	begin();
	for (int i = 0; i < 300; i++) {
		snprintf(id, sizeof(id), "%04x", i);
		snprintf(name, sizeof(name), "node-%d", i);
		put(id, name, i % 2 ? PLUMB_CONTAIN_HELD : PLUMB_CONTAIN_FREE, PLUMB_LIFE_ACTIVE);
	}
	commit();
	nodes = bound_nodes_free(nodes);
	/* Nobody hears what is put while none is there. */
	begin();
	put("0001", "node-1", PLUMB_CONTAIN_QUARANTINED, PLUMB_LIFE_ACTIVE);
	commit();
	assert_int_equal(bound_nodes_open(&f.store, &nodes), 0);
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "node-%d", i);
		assert_int_equal(bound_nodes_find(nodes, name, &n), 0);
		snprintf(id, sizeof(id), "%04x", i);
		assert_string_equal(n.id, id);
		assert_int_equal(n.state.containment, i == 1  ? PLUMB_CONTAIN_QUARANTINED
						      : i % 2 ? PLUMB_CONTAIN_HELD
							      : PLUMB_CONTAIN_FREE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_follows_commits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_brakes_hold_here_too, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names_move, setup, teardown),
		cmocka_unit_test_setup_teardown(test_starts_from_the_store, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
