/* SPDX-License-Identifier: Apache-2.0 */
/* Which keys a node's kubelet showed: the newest of them, of this incarnation, under a quote. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "api_fixture.h"
#include "checkpoint.h"
#include "kubelet_keys.h"
#include "kubelet_proof.h"
#include "line.h"

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static struct api_fixture f;

static int setup(void **state)
{
	(void)state;
	api_fixture_open(&f);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	api_fixture_done(&f);
	return 0;
}

/* Of incarnation 2, quoted up to line 100. */
static void good_node(void)
{
	struct store_node n = {.version = 0};

	snprintf(n.id, sizeof(n.id), "%s", ID_A);
	n.incarnation = 2;
	n.life = PLUMB_LIFE_ACTIVE;
	n.has_base = true;
	n.base_size = 100;
	assert_int_equal(f.store.ops->begin(f.store.ctx), 0);
	assert_int_equal(f.store.ops->node_put(f.store.ctx, &n), 0);
	assert_int_equal(f.store.ops->commit(f.store.ctx), 0);
	store_node_done(&n);
}

static void show(const struct sign_key *k, uint64_t seq)
{
	char origin[CHECKPOINT_MAX_ORIGIN];
	struct buf pem = {0}, body = {0}, text = {0};
	struct store_node n = {.version = 0};
	struct digest d;
	struct line l = {.seq = seq,
			 .utc_ns = f.utc_ns,
			 .boot = "11111111-2222-3333-4444-555555555555",
			 .src = "agent",
			 .type = PLUMB_TYPE_KUBELET_KEY};

	snprintf(origin, sizeof(origin), "%s/node/" ID_A "/2", f.v.log_name);
	assert_int_equal(sign_key_private_pem(k, &pem), 0);
	assert_int_equal(kubelet_proof_make((char *)pem.data, pem.size, origin, &body, &d, NULL),
			 0);
	l.body = (char *)body.data;
	assert_int_equal(line_write(&l, &text), 0);
	api_fixture_row(&f, ID_A, &n);
	assert_int_equal(f.store.ops->begin(f.store.ctx), 0);
	assert_int_equal(kubelet_keys_take(&f.v, &n, (struct buf_view){text.data, text.size}), 0);
	assert_int_equal(f.store.ops->commit(f.store.ctx), 0);
	store_node_done(&n);
	buf_done(&pem);
	buf_done(&body);
	buf_done(&text);
}

static void test_keys_kept(void **state)
{
	struct store_node n = {.version = 0};
	struct sign_key *key = NULL;
	struct digest first, last;
	uint64_t seq;

	(void)state;
	good_node();
	assert_int_equal(sign_key_generate(SIGN_P256, &key), 0);
	assert_int_equal(sign_key_id(key, &first), 0);
	show(key, 1);
	for (uint64_t i = 0; i < KUBELET_KEYS_MAX; i++) {
		struct sign_key *k = NULL;

		assert_int_equal(sign_key_generate(SIGN_P256, &k), 0);
		assert_int_equal(sign_key_id(k, &last), 0);
		show(k, 2 + i);
		sign_key_free(k);
	}
	api_fixture_row(&f, ID_A, &n);
	assert_int_equal(kubelet_keys_count(&f.v, &n), KUBELET_KEYS_MAX);
	assert_int_equal(kubelet_keys_has(&f.v, &n, &first, &seq), 0);
	assert_int_equal(kubelet_keys_has(&f.v, &n, &last, &seq), 1);
	assert_int_equal(seq, 1 + KUBELET_KEYS_MAX);
	/* Enrolled anew: what it showed before says nothing. */
	n.incarnation++;
	assert_int_equal(kubelet_keys_has(&f.v, &n, &last, &seq), 0);
	store_node_done(&n);
	sign_key_free(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_keys_kept, setup, teardown),
	};

	return cmocka_run_group_tests_name("kubelet_keys", tests, NULL, NULL);
}
