/* SPDX-License-Identifier: Apache-2.0 */
/* What a node's own lines say of its isolation, as its way back goes by it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include "node_fixture.h"
#include "remedy_book.h"

struct place {
	struct verifier_fixture v;
	struct node_fixture n;
	struct remedy_record k;
};

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	verifier_fixture_open(&p->v);
	node_fixture_open(&p->n, &p->v, 1);
	p->k.read_incarnation = 1;
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	node_fixture_done(&p->n);
	verifier_fixture_done(&p->v);
	free(p);
	return 0;
}

static bool is_isolated(struct place *p, const char *line)
{
	struct store_node row;

	node_fixture_record(&p->n, "isolation", line);
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	row = verifier_fixture_node(&p->v, p->n.record.node);
	assert_true(remedy_book_read(&p->v.store, &row, &p->k) >= 0);
	store_node_done(&row);
	return p->k.isolated;
}

#define DONE "\"done\":[\"network\"],\"cannot\":[]"
#define CANNOT "\"cannot\":[{\"way\":\"network\",\"why\":\"no\"}]"

static void test_isolated(void **state)
{
	struct place *p = *state;

	assert_false(is_isolated(p, "\"what\":\"armed\",\"ways\":[\"network\"]"));
	/* Every way failed: it is told, and cuts off nothing. */
	assert_false(is_isolated(p, "\"what\":\"begun\",\"number\":1,\"done\":[]," CANNOT));
	assert_false(is_isolated(p, "\"what\":\"again\",\"number\":1,\"done\":[]," CANNOT));
	assert_true(is_isolated(p, "\"what\":\"again\",\"number\":1," DONE));
	assert_false(is_isolated(p, "\"what\":\"released\",\"number\":1,\"cannot\":[]"));
	assert_true(is_isolated(p, "\"what\":\"begun\",\"number\":1," DONE));
	/* What is ordered anew and cannot be done takes nothing back; a start does all of it anew. */
	assert_true(is_isolated(p, "\"what\":\"again\",\"number\":1,\"done\":[]," CANNOT));
	assert_false(is_isolated(p, "\"what\":\"kept\",\"number\":1,\"done\":[]," CANNOT));
	assert_true(is_isolated(p, "\"what\":\"kept\",\"number\":1," DONE));
	assert_false(is_isolated(p, "\"what\":\"released\",\"number\":1,\"cannot\":[]"));
	assert_true(is_isolated(p, "\"what\":\"kept\",\"number\":1," DONE));
	/* A release that did not undo all of it is none yet. */
	assert_true(is_isolated(p, "\"what\":\"released\",\"number\":1,\"cannot\":[{\"way\":"
				   "\"network\",\"why\":\"busy\"}]"));
	assert_false(is_isolated(p, "\"what\":\"released\",\"number\":1,\"cannot\":[]"));
}

/* Whoever waits for an approver has only asked: root on the node can do that alone. */
static void test_keys(void **state)
{
	struct place *p = *state;
	struct store_node row = verifier_fixture_node(&p->v, p->n.record.node);
	bool worse;

	p->k.m.step = REMEDY_KEYS;
	p->k.incarnation = row.incarnation;
	assert_int_equal(remedy_book_seen(&p->v.store, &row, &p->k, &worse), 0);
	row.incarnation++;
	row.life = PLUMB_LIFE_PROVISIONING;
	assert_int_equal(remedy_book_seen(&p->v.store, &row, &p->k, &worse), 0);
	row.life = PLUMB_LIFE_ENROLLED;
	assert_int_equal(remedy_book_seen(&p->v.store, &row, &p->k, &worse), 1);
	store_node_done(&row);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_isolated, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_keys, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
