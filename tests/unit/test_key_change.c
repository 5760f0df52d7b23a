/* SPDX-License-Identifier: Apache-2.0 */
/* The key that signs orders is changed: two signatures for a while, told once to each node, and a rotation that was cut off is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <unistd.h>

#include "api_fixture.h"
#include "dsse.h"
#include "key_orders.h"
#include "node_fixture.h"
#include "order_desk.h"
#include "plumb/wire.h"
#include "verifier_files.h"
#include "verifier_setup.h"

struct got {
	const struct sign_key *key;
	unsigned int n, good;
	struct order last;
};

static int on_order(void *ctx, uint64_t number, const void *envelope, size_t size)
{
	struct got *g = ctx;
	struct buf payload = {0};
	struct why why;

	(void)number;
	g->n++;
	if (dsse_open(envelope, size, 8192, WIRE_DSSE_ORDER, &g->key, 1, &payload, NULL, &why) >= 0)
		g->good++;
	if (payload.size > 0)
		assert_int_equal(order_parse(payload.data, payload.size, &g->last, &why), 0);
	buf_done(&payload);
	return 0;
}

static struct got orders(struct verifier_fixture *v, const char *node, const struct sign_key *key)
{
	struct got g = {.key = key};

	assert_int_equal(v->ops.order_each(v->store.ctx, node, 0, on_order, &g), 0);
	return g;
}

static void test_orders(void **state)
{
	struct verifier_fixture *v = calloc(1, sizeof(*v));
	struct node_fixture *n = calloc(1, sizeof(*n));
	struct sign_key *other = NULL;
	struct buf spki = {0};
	struct got g;
	const struct sign_key *before;

	(void)state;
	verifier_fixture_open(v);
	node_fixture_open(n, v, 1);
	before = v->v.verdict_key;
	assert_int_equal(key_orders_give(&v->v), 0);
	assert_int_equal(orders(v, n->record.node, before).n, 0);
	assert_int_equal(sign_key_generate(SIGN_P256, &other), 0);
	v->v.old_verdict_key = before;
	v->v.verdict_key = other;
	assert_int_equal(key_orders_give(&v->v), 1);
	assert_int_equal(key_orders_give(&v->v), 0);
	g = orders(v, n->record.node, before);
	assert_int_equal(g.n, 1);
	assert_int_equal(g.good, 1);
	assert_int_equal(g.last.kind, ORDER_KEY);
	assert_int_equal(sign_key_spki(other, &spki), 0);
	assert_int_equal(g.last.key_size, spki.size);
	assert_memory_equal(g.last.key, spki.data, spki.size);
	assert_int_equal(orders(v, n->record.node, other).good, 1);
	buf_done(&spki);
	v->v.verdict_key = before;
	v->v.old_verdict_key = NULL;
	node_fixture_done(n);
	verifier_fixture_done(v);
	sign_key_free(other);
	free(n);
	free(v);
}

static struct record record_of(struct verifier_fixture *v, const char *node)
{
	struct store_node row = verifier_fixture_node(v, node);
	struct record r = {.incarnation = 0};
	struct why why = {""};

	assert_int_equal(record_parse(row.record.data, row.record.size, &r, &why), 0);
	store_node_done(&row);
	return r;
}

/* Told once, to each, with the head up to which the one before cosigned; the record that is kept of the node says the same. */
static void test_witness(void **state)
{
	struct verifier_fixture *v = calloc(1, sizeof(*v));
	struct node_fixture *n = calloc(1, sizeof(*n));
	struct sign_key *other = NULL;
	const struct sign_key *before;
	struct buf spki = {0}, first = {0};
	struct record r;
	struct got g;

	(void)state;
	verifier_fixture_open(v);
	node_fixture_open(n, v, 1);
	before = v->v.witness_key;
	assert_int_equal(sign_key_spki(before, &first), 0);
	assert_int_equal(node_fixture_evidence(n), PLUMB_RESULT_ACCEPTED);
	assert_int_equal(key_orders_give(&v->v), 0);
	assert_int_equal(orders(v, n->record.node, v->v.verdict_key).n, 0);
	assert_int_equal(sign_key_generate(SIGN_ED25519, &other), 0);
	assert_int_equal(sign_key_spki(other, &spki), 0);
	v->v.witness_key = other;
	assert_int_equal(key_orders_give(&v->v), 1);
	assert_int_equal(key_orders_give(&v->v), 0);
	g = orders(v, n->record.node, v->v.verdict_key);
	assert_int_equal(g.n, 1);
	assert_int_equal(g.good, 1);
	assert_int_equal(g.last.kind, ORDER_WITNESS_KEY);
	assert_int_equal(g.last.head_size, n->tree.size);
	assert_memory_equal(g.last.key, spki.data, spki.size);
	r = record_of(v, n->record.node);
	assert_int_equal(r.witness_key.size, spki.size);
	assert_memory_equal(r.witness_key.data, spki.data, spki.size);
	assert_int_equal(r.n_old_witnesses, 1);
	assert_int_equal(r.old_witnesses[0].size, n->tree.size);
	assert_memory_equal(r.old_witnesses[0].key.data, first.data, first.size);
	record_done(&r);
	/* Its evidence is taken as before. */
	assert_int_equal(node_fixture_evidence(n), PLUMB_RESULT_ACCEPTED);
	v->v.witness_key = before;
	node_fixture_done(n);
	verifier_fixture_done(v);
	sign_key_free(other);
	buf_done(&spki);
	buf_done(&first);
	free(n);
	free(v);
}

static void has_keys(const struct record *r, const struct sign_key *order,
		     const struct sign_key *witness)
{
	struct buf spki = {0};

	assert_int_equal(sign_key_spki(order, &spki), 0);
	assert_int_equal(r->order_key.size, spki.size);
	assert_memory_equal(r->order_key.data, spki.data, spki.size);
	buf_clear(&spki);
	assert_int_equal(sign_key_spki(witness, &spki), 0);
	assert_int_equal(r->witness_key.size, spki.size);
	assert_memory_equal(r->witness_key.data, spki.data, spki.size);
	assert_int_equal(r->n_old_witnesses, 0);
	buf_done(&spki);
}

static struct record api_record(struct api_fixture *f, const char *node)
{
	struct record r = {.incarnation = 0};
	struct store_node row;
	struct why why = {""};

	api_fixture_row(f, node, &row);
	assert_int_equal(record_parse(row.record.data, row.record.size, &r, &why), 0);
	store_node_done(&row);
	return r;
}

/* What the record's order key alone lets it take. */
static void takes_orders(struct api_fixture *f, const char *node, const struct record *r)
{
	const struct order what = {.kind = ORDER_CHALLENGE, .reason = "test"};
	struct sign_key *key = NULL;
	struct got g = {.n = 0};
	struct store_node row;

	assert_int_equal(sign_key_from_spki(r->order_key.data, r->order_key.size, &key, NULL), 0);
	api_fixture_row(f, node, &row);
	assert_int_equal(f->store.ops->begin(f->store.ctx), 0);
	assert_int_equal(order_desk_give(&f->v, &row, &what, NULL), 0);
	assert_int_equal(f->store.ops->node_put(f->store.ctx, &row), 0);
	assert_int_equal(f->store.ops->commit(f->store.ctx), 0);
	store_node_done(&row);
	g.key = key;
	assert_int_equal(f->store.ops->order_each(f->store.ctx, node, 0, on_order, &g), 0);
	assert_true(g.n > 0);
	assert_int_equal(g.good, g.n);
	sign_key_free(key);
}

/* It asked under the keys of before, and is approved when those are gone: nobody tells it of the others, so its record has them. */
static void test_waits(void **state)
{
	struct api_fixture *f = calloc(1, sizeof(*f));
	struct api_fixture_machine *m = calloc(1, sizeof(*m));
	struct sign_key *order = NULL, *witness = NULL;
	struct store_operator o = {.role = PLUMB_ROLE_APPROVER, .name = "bob"};
	struct record r;

	(void)state;
	api_fixture_open(f);
	api_fixture_machine_open(f, m, f->maker, "one");
	assert_int_equal(api_fixture_begin(f, m), 200);
	assert_int_equal(api_fixture_activate(f, m, true), 202);
	r = api_record(f, m->id);
	has_keys(&r, f->verdict, f->witness);
	assert_int_equal(r.n_baseline_keys, 1);
	record_done(&r);
	assert_int_equal(sign_key_generate(SIGN_P256, &order), 0);
	assert_int_equal(sign_key_generate(SIGN_ED25519, &witness), 0);
	f->v.old_verdict_key = f->verdict;
	f->v.verdict_key = order;
	f->v.witness_key = witness;
	assert_true(key_orders_give(&f->v) >= 0);
	/* Another approver, meanwhile. */
	assert_int_equal(sign_key_spki(order, &o.spki), 0);
	assert_int_equal(sign_key_id(order, &o.key_id), 0);
	assert_int_equal(f->store.ops->begin(f->store.ctx), 0);
	assert_int_equal(f->store.ops->operator_put(f->store.ctx, &o), 0);
	assert_int_equal(f->store.ops->commit(f->store.ctx), 0);
	f->v.old_verdict_key = NULL;
	assert_int_equal(api_fixture_act(f, &f->approver, "approve", "one", "new", ""), 200);
	r = api_record(f, m->id);
	has_keys(&r, order, witness);
	assert_int_equal(r.n_baseline_keys, 2);
	takes_orders(f, m->id, &r);
	record_done(&r);
	/* And that record is what it is answered. */
	assert_int_equal(api_fixture_activate(f, m, true), 200);
	f->v.verdict_key = f->verdict;
	f->v.witness_key = f->witness;
	store_operator_done(&o);
	sign_key_free(order);
	sign_key_free(witness);
	api_fixture_machine_done(m);
	api_fixture_done(f);
	free(m);
	free(f);
}

static void read_keys(const char *dir, const struct conf_list *hosts, struct verifier_keys *k)
{
	struct why why = {""};

	*k = (struct verifier_keys){.ca = NULL};
	if (verifier_setup_keys(fsio_system(), dir, hosts, k, &why) < 0)
		fail_msg("%s", why.text);
}

static bool same(const struct sign_key *a, const struct digest *id)
{
	struct digest d;

	assert_int_equal(sign_key_id(a, &d), 0);
	return digest_equal(&d, id);
}

static void test_rotation(void **state)
{
	char dir[] = "/tmp/plumb-keys-XXXXXX", command[64];
	struct conf_list hosts = {.items = {(char *)"localhost"}, .n_items = 1};
	const struct fsio *io = fsio_system();
	struct verifier_keys k;
	struct digest first, second;
	struct buf pem = {0};
	struct why why = {""};
	int lock = -1;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(verifier_setup_rotate(io, dir, false, &why), -ENOENT);
	why.text[0] = 0;
	assert_int_equal(verifier_setup_init(io, dir, &hosts, "0.0.0.0:1", "alice", &why), 0);
	read_keys(dir, &hosts, &k);
	assert_null(k.old_verdict);
	assert_int_equal(sign_key_id(k.verdict, &first), 0);
	/* Cut off after the copy: there is no old key, and it can be repeated. */
	assert_int_equal(sign_key_private_pem(k.verdict, &pem), 0);
	assert_int_equal(verifier_files_put(io, dir, "verdict.old.key", &pem), 0);
	verifier_files_wipe(&pem);
	verifier_keys_done(&k);
	read_keys(dir, &hosts, &k);
	assert_null(k.old_verdict);
	verifier_keys_done(&k);
	/* While it serves. */
	assert_int_equal(verifier_files_lock(dir, &lock, &why), 0);
	assert_int_equal(verifier_setup_rotate(io, dir, false, &why), -EBUSY);
	close(lock);
	why.text[0] = 0;
	assert_int_equal(verifier_setup_rotate(io, dir, false, &why), 0);
	read_keys(dir, &hosts, &k);
	assert_true(same(k.old_verdict, &first));
	assert_false(same(k.verdict, &first));
	assert_int_equal(sign_key_id(k.verdict, &second), 0);
	verifier_keys_done(&k);
	assert_int_equal(verifier_setup_rotate(io, dir, false, &why), -EEXIST);
	why.text[0] = 0;
	assert_int_equal(verifier_setup_finish(io, dir, &why), 0);
	read_keys(dir, &hosts, &k);
	assert_null(k.old_verdict);
	assert_true(same(k.verdict, &second));
	verifier_keys_done(&k);
	assert_int_equal(verifier_setup_finish(io, dir, &why), -EINVAL);
	assert_non_null(strstr(why.text, "no key is being changed"));
	/* The witness's: another at once, and of the other keys none. */
	why.text[0] = 0;
	read_keys(dir, &hosts, &k);
	assert_int_equal(sign_key_id(k.witness, &first), 0);
	verifier_keys_done(&k);
	assert_int_equal(verifier_setup_rotate(io, dir, true, &why), 0);
	read_keys(dir, &hosts, &k);
	assert_false(same(k.witness, &first));
	assert_true(same(k.verdict, &second));
	assert_null(k.old_verdict);
	verifier_keys_done(&k);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_orders),
		cmocka_unit_test(test_witness),
		cmocka_unit_test(test_waits),
		cmocka_unit_test(test_rotation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
