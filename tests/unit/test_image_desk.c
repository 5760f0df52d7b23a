/* SPDX-License-Identifier: Apache-2.0 */
/* Images that run on a node: from the lines of its evidence to its verdict and to what people see. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include "api_view.h"
#include "image_desk.h"
#include "jwt.h"
#include "node_fixture.h"

#define A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

struct place {
	struct verifier_fixture v;
	struct node_fixture n;
	struct image_told told;
};

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	verifier_fixture_open(&p->v);
	node_fixture_open(&p->n, &p->v, 1);
	node_fixture_baseline(&p->n);
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
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

static int told(struct place *p)
{
	struct store_node row = verifier_fixture_node(&p->v, p->n.record.node);
	int r = image_desk_told(&p->v.v, &row, &p->told);

	store_node_done(&row);
	return r;
}

static void test_none(void **state)
{
	assert_int_equal(told(*state), 0);
}

static void test_lines(void **state)
{
	struct place *p = *state;

	node_fixture_exec_in(&p->n, "exec:/bin/a", "image:" A, "image");
	node_fixture_exec_in(&p->n, "exec:/bin/b", "image:" A, "upper");
	node_fixture_exec_in(&p->n, "exec:/bin/b", "container:unknown", NULL);
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	assert_int_equal(told(p), 1);
	assert_int_equal(p->told.seen.n, 1);
	assert_string_equal(p->told.seen.images[0].digest, A);
	assert_int_equal(p->told.seen.images[0].execs, 2);
	assert_int_equal(p->told.upper, 1);
	assert_int_equal(p->told.seen.unnamed, 1);
	assert_int_equal(image_told_sum(&p->told), IMAGE_TOLD_UNSURE);
	/* Counted on, by the next evidence. */
	node_fixture_exec_in(&p->n, "exec:/bin/c", "image:" A, "image");
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	assert_int_equal(told(p), 1);
	assert_int_equal(p->told.seen.images[0].execs, 3);
}

/* Whoever has the client key alone may have invented it. */
static void test_unsigned(void **state)
{
	struct place *p = *state;

	node_fixture_exec_in(&p->n, "exec:/bin/a", "image:" A, "image");
	assert_int_equal(node_fixture_drift(&p->n, false), PLUMB_RESULT_STORED);
	assert_int_equal(told(p), 0);
	assert_int_equal(node_fixture_drift(&p->n, true), PLUMB_RESULT_STORED);
	assert_int_equal(told(p), 1);
	/* The same line again is no other exec. */
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	assert_int_equal(told(p), 1);
	assert_int_equal(p->told.seen.images[0].execs, 1);
}

static void test_reboot(void **state)
{
	struct place *p = *state;

	node_fixture_exec_in(&p->n, "exec:/bin/a", "image:" A, "image");
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	assert_int_equal(told(p), 1);
	node_fixture_reboot(&p->n);
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	assert_int_equal(told(p), 0);
}

/* In the node's page and in its verdict, by what is known of the image's signature when it is made. */
static void test_shown(void **state)
{
	struct place *p = *state;
	struct store_node row;
	struct sign_key *key = NULL;
	struct image_check k = {.state = IMAGE_CHECK_UNSIGNED, .image = A};
	struct image_checks *c = NULL;
	struct buf view = {0}, jwt = {0}, claims = {0};
	const struct sign_key *verdict = p->v.verdict;

	assert_int_equal(sign_key_generate(SIGN_ED25519, &key), 0);
	assert_int_equal(image_checks_open((const struct sign_key *const *)&key, 1, &c), 0);
	assert_int_equal(image_checks_put(c, &k), 0);
	p->v.v.images = c;
	node_fixture_exec_in(&p->n, "exec:/bin/a", "image:" A, "image");
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	row = verifier_fixture_node(&p->v, p->n.record.node);
	assert_int_equal(api_view_node(&p->v.v, p->v.documents, &row, &view), 0);
	assert_non_null(
		strstr((char *)view.data, "\"images\":{\"plumb_images_need\":\"signature\""));
	assert_non_null(strstr((char *)view.data, "\"signature\":\"unsigned\""));
	assert_int_equal(p->v.store.ops->blob_get(p->v.store.ctx, "verdict", row.id, &jwt), 0);
	assert_int_equal(jwt_open((char *)jwt.data, jwt.size, verdict, &claims, NULL), 0);
	assert_non_null(strstr((char *)claims.data, "\"images\":{\"ear_status\":\"warning\""));
	p->v.v.images = NULL;
	store_node_done(&row);
	image_checks_free(c);
	sign_key_free(key);
	buf_done(&view);
	buf_done(&jwt);
	buf_done(&claims);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {CASE(test_none), CASE(test_lines), CASE(test_unsigned),
					   CASE(test_reboot), CASE(test_shown)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
