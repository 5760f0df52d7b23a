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

/* A line in which k signs for this ledger, appended: body is what it signed, made where it is empty. */
static void put_line(struct buf *text, const struct sign_key *k, uint64_t seq, struct buf *body)
{
	char origin[CHECKPOINT_MAX_ORIGIN];
	struct buf pem = {0};
	struct digest d;
	struct line l = {.seq = seq,
			 .utc_ns = f.utc_ns,
			 .boot = "11111111-2222-3333-4444-555555555555",
			 .src = "agent",
			 .type = PLUMB_TYPE_KUBELET_KEY};

	snprintf(origin, sizeof(origin), "%s/node/" ID_A "/2", f.v.log_name);
	if (body->size == 0) {
		assert_int_equal(sign_key_private_pem(k, &pem), 0);
		assert_int_equal(
			kubelet_proof_make((char *)pem.data, pem.size, origin, body, &d, NULL), 0);
	}
	l.body = (char *)body->data;
	assert_int_equal(line_write(&l, text), 0);
	buf_puts(text, "\n");
	buf_done(&pem);
}

static void take(const struct buf *text)
{
	struct store_node n = {.version = 0};

	api_fixture_row(&f, ID_A, &n);
	assert_int_equal(f.store.ops->begin(f.store.ctx), 0);
	assert_int_equal(kubelet_keys_take(&f.v, &n, (struct buf_view){text->data, text->size}), 0);
	assert_int_equal(f.store.ops->commit(f.store.ctx), 0);
	store_node_done(&n);
}

static void show(const struct sign_key *k, uint64_t seq)
{
	struct buf text = {0}, body = {0};

	put_line(&text, k, seq, &body);
	take(&text);
	buf_done(&text);
	buf_done(&body);
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

static const struct store_ops *real;
static unsigned int n_puts;

static int count_put(void *ctx, const char *kind, const char *name, const void *data, size_t size)
{
	n_puts++;
	return real->blob_put(ctx, kind, name, data, size);
}

/* A node's root writes as many as an evidence holds: the last of them count, and no more are looked at. */
static void test_many(void **state)
{
	struct buf text = {0}, first_body = {0}, body = {0}, broken = {0};
	struct store_node n = {.version = 0};
	struct sign_key *keys[2] = {NULL};
	struct digest first, last;
	struct store_ops counting;
	uint64_t seq = 0;

	(void)state;
	good_node();
	for (int i = 0; i < 2; i++)
		assert_int_equal(sign_key_generate(SIGN_P256, &keys[i]), 0);
	assert_int_equal(sign_key_id(keys[0], &first), 0);
	assert_int_equal(sign_key_id(keys[1], &last), 0);
	put_line(&text, keys[0], 1, &first_body);
	buf_puts(&broken, "\"no\":\"proof\"");
	for (uint64_t i = 0; i < 40000 - 2; i++)
		put_line(&text, NULL, 2, &broken);
	put_line(&text, keys[1], 3, &body);
	real = f.store.ops;
	counting = *real;
	counting.blob_put = count_put;
	f.store.ops = &counting;
	take(&text);
	f.store.ops = real;
	assert_int_equal(n_puts, 1);
	api_fixture_row(&f, ID_A, &n);
	assert_int_equal(kubelet_keys_has(&f.v, &n, &first, &seq), 0);
	assert_int_equal(kubelet_keys_has(&f.v, &n, &last, &seq), 1);
	assert_int_equal(seq, 3);
	/* As many as count. */
	buf_clear(&text);
	put_line(&text, keys[0], 4, &first_body);
	for (uint64_t i = 0; i < 2 * KUBELET_KEYS_MAX - 1; i++)
		put_line(&text, keys[1], 5, &body);
	take(&text);
	assert_int_equal(kubelet_keys_has(&f.v, &n, &first, &seq), 1);
	store_node_done(&n);
	for (int i = 0; i < 2; i++)
		sign_key_free(keys[i]);
	buf_done(&text);
	buf_done(&first_body);
	buf_done(&body);
	buf_done(&broken);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_keys_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
	};

	return cmocka_run_group_tests_name("kubelet_keys", tests, NULL, NULL);
}
