/* SPDX-License-Identifier: Apache-2.0 */
/* What the brakes are told of the control plane while the cluster has not been heard: what was last seen of it, and the worse of what may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include "contain_book.h"
#include "verifier_fixture.h"

static const struct brakes_settings all = {.max_percent = 100};

struct world {
	struct verifier_fixture f;
	struct contain_book *book;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	verifier_fixture_open(&w->f);
	assert_int_equal(contain_book_open(&w->f.store, &w->book), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	contain_book_free(w->book);
	verifier_fixture_done(&w->f);
	free(w);
	return 0;
}

static struct contain_entry *node(struct world *w, const char *id)
{
	struct store_node n = {.incarnation = 1, .life = PLUMB_LIFE_ACTIVE};
	struct contain_entry *e;

	snprintf(n.id, sizeof(n.id), "%s", id);
	snprintf(n.label, sizeof(n.label), "label-%s", id);
	snprintf(n.kube_name, sizeof(n.kube_name), "k-%s", id);
	n.containment = PLUMB_CONTAIN_FREE;
	assert_int_equal(w->f.ops.begin(w->f.store.ctx), 0);
	assert_int_equal(w->f.ops.node_put(w->f.store.ctx, &n), 0);
	assert_int_equal(w->f.ops.commit(w->f.store.ctx), 0);
	e = contain_book_of(w->book, &n);
	assert_non_null(e);
	return e;
}

static void see(struct contain_entry *e, bool control_plane, bool ready)
{
	snprintf(e->facts.uid, sizeof(e->facts.uid), "u-%.32s", e->id);
	e->facts.control_plane = e->control_plane = control_plane;
	e->facts.ready = ready;
}

static enum brakes_why judge(struct world *w, const char *id)
{
	return contain_book_judge(w->book, &all, contain_book_id(w->book, id));
}

static void start_anew(struct world *w)
{
	for (uint32_t i = 0; i < contain_book_n(w->book); i++)
		assert_int_equal(contain_book_save(w->book, contain_book_at(w->book, i)), 0);
	w->book = contain_book_free(w->book);
	assert_int_equal(contain_book_open(&w->f.store, &w->book), 0);
}

static void test_seen(void **state)
{
	struct world *w = *state;

	see(node(w, "aa"), true, true);
	see(node(w, "bb"), true, true);
	see(node(w, "cc"), false, true);
	assert_int_equal(judge(w, "aa"), BRAKES_OPEN);
	see(contain_book_id(w->book, "bb"), true, false);
	assert_int_equal(judge(w, "aa"), BRAKES_CONTROL_PLANE);
	assert_int_equal(judge(w, "bb"), BRAKES_OPEN);
	assert_int_equal(judge(w, "cc"), BRAKES_OPEN);
}

/* A verifier that was started while the API was away takes down no control plane. */
static void test_not_heard_yet(void **state)
{
	struct world *w = *state;

	see(node(w, "aa"), true, true);
	see(node(w, "bb"), true, true);
	see(node(w, "cc"), false, true);
	start_anew(w);
	assert_true(contain_book_id(w->book, "aa")->control_plane);
	assert_int_equal(judge(w, "aa"), BRAKES_CONTROL_PLANE);
	assert_int_equal(judge(w, "bb"), BRAKES_CONTROL_PLANE);
	assert_int_equal(judge(w, "cc"),
			 BRAKES_OPEN); /* what is no such node is not held back by it */
	/* One more is heard of, and Ready: there is somebody left. */
	see(contain_book_id(w->book, "bb"), true, true);
	assert_int_equal(judge(w, "aa"), BRAKES_OPEN);
	assert_int_equal(judge(w, "bb"), BRAKES_CONTROL_PLANE);
}

/* Another object has the name: what was known of the one before says nothing of it. */
static void test_another_name(void **state)
{
	struct world *w = *state;
	struct store_node n = {.version = 0};
	struct contain_entry *e = node(w, "aa");

	see(e, true, true);
	assert_int_equal(w->f.ops.node_get(w->f.store.ctx, "aa", &n), 0);
	snprintf(n.kube_name, sizeof(n.kube_name), "other");
	assert_ptr_equal(contain_book_of(w->book, &n), e);
	assert_false(e->control_plane);
	assert_int_equal(judge(w, "aa"), BRAKES_OPEN);
	store_node_done(&n);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {T(test_seen), T(test_not_heard_yet),
					   T(test_another_name)};

	return cmocka_run_group_tests_name("contain_book", tests, NULL, NULL);
}
