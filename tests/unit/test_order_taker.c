/* SPDX-License-Identifier: Apache-2.0 */
/* Orders: by the pinned key, for this node, once and upwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "dsse.h"
#include "isolate_proven.h"
#include "order_fixture.h"
#include "plumb/wire.h"
#include "verifier_fixture.h"

static void test_once_and_upwards(void **state)
{
	struct order_fixture *w = *state;
	struct order o = order_fixture_order(w, 3, ORDER_CHALLENGE);

	order_fixture_give(w, &o);
	order_fixture_give(w, &o); /* replayed */
	assert_int_equal(w->n_evidence, 1);
	assert_int_equal(order_taker_last(w->taker), 3);
	o.number = 2;
	order_fixture_give(w, &o);
	assert_int_equal(order_taker_last(w->taker), 3);
	o.number = 9;
	order_fixture_give(w, &o);
	assert_int_equal(order_taker_last(w->taker), 9);
	assert_int_equal(order_fixture_lines(w, "\"type\":\"order\"", "\"result\":\"done\""), 2);
	assert_int_equal(
		order_fixture_lines(w, "\"type\":\"order\",\"number\":9", "\"kind\":\"challenge\""),
		1);
}

static void test_recovered(void **state)
{
	struct order_fixture *w = *state;
	struct order o = order_fixture_order(w, 9, ORDER_CHALLENGE);
	struct transport_options to = {w->f.verifier.url, (char *)w->f.verifier.ca.data,
				       (char *)w->f.client_cert.data, (char *)w->f.client_pem.data};
	struct why why = {""};

	order_fixture_give(w, &o);
	agent_fixture_measure(&w->f, PLUMB_TYPE_CLAIM, "boot:x",
			      "\"type\":\"order\",\"number\":99");
	order_fixture_stop(w);
	assert_int_equal(transport_open(w->f.base, &to, &w->f.transport, &why), 0);
	order_fixture_start(w);
	assert_int_equal(order_taker_last(w->taker), 9);
	order_fixture_give(w, &o);
	assert_int_equal(w->n_evidence, 1);
}

static void refused(struct order_fixture *w, const struct order *o, const struct sign_key *key,
		    const char *type, size_t turn)
{
	struct buf b = {0};

	order_fixture_seal(o, key, type, &b);
	if (turn)
		b.data[turn] ^= 1;
	order_taker_take(w->taker, &b, 1);
	buf_done(&b);
	assert_int_equal(order_taker_last(w->taker), 0);
	assert_int_equal(w->n_evidence, 0);
	assert_int_equal(order_fixture_lines(w, "\"type\":\"order\"", ""), 0);
}

static void test_not_ours(void **state)
{
	struct order_fixture *w = *state;
	const struct sign_key *key = w->f.verifier.order_key;
	struct order o = order_fixture_order(w, 1, ORDER_CHALLENGE);
	struct buf b = {0};

	refused(w, &o, w->stranger, WIRE_DSSE_ORDER, 0);
	refused(w, &o, key, WIRE_DSSE_ACTION, 0);
	order_fixture_seal(&o, key, WIRE_DSSE_ORDER, &b);
	for (size_t i = 12; i < b.size; i += 97)
		refused(w, &o, key, WIRE_DSSE_ORDER, i);
	for (size_t n = 0; n < b.size; n += 53) {
		struct buf cut = {0};

		buf_put(&cut, b.data, n);
		order_taker_take(w->taker, &cut, 1);
		buf_done(&cut);
	}
	assert_int_equal(order_taker_last(w->taker), 0);
	o.incarnation++;
	refused(w, &o, key, WIRE_DSSE_ORDER, 0);
	o = order_fixture_order(w, 1, ORDER_CHALLENGE);
	o.node[5] = o.node[5] == 'a' ? 'b' : 'a';
	refused(w, &o, key, WIRE_DSSE_ORDER, 0);
	buf_done(&b);
}

static void put_key(struct order *o, const struct buf *spki, uint64_t number, uint64_t head_size)
{
	memcpy(o->key, spki->data, spki->size);
	o->key_size = spki->size;
	o->number = number;
	o->head_size = head_size;
}

/*
 * The verifier's other keys: on the disk, then believed, and the old one for orders no more. Each change builds on what is there: another
 * witness, another key for orders, another witness.
 */
static void test_keys(void **state)
{
	struct order_fixture *w = *state;
	struct sign_key *keys[3] = {NULL}; /* two witnesses, and one for orders */
	struct order o = order_fixture_order(w, 1, ORDER_WITNESS_KEY),
		     k = order_fixture_order(w, 3, ORDER_KEY);
	struct record kept = {.incarnation = 0};
	struct buf spki[3] = {{0}}, b = {0};
	struct why why;
	uint32_t last = w->record.witness_key.size > 0;

	for (int i = 0; i < 3; i++) {
		assert_int_equal(sign_key_generate(i < 2 ? SIGN_ED25519 : SIGN_P256, &keys[i]), 0);
		assert_int_equal(sign_key_spki(keys[i], &spki[i]), 0);
	}
	put_key(&o, &spki[2], 1, 0);
	order_fixture_give(w, &o);
	assert_int_not_equal(access(w->record_path, F_OK), 0);
	assert_int_equal(
		order_fixture_lines(w, "\"kind\":\"witness_key\"", "refused: it is no Ed25519"), 1);
	put_key(&o, &spki[0], 2, 7);
	order_fixture_give(w, &o);
	assert_int_equal(order_fixture_lines(w, "\"kind\":\"witness_key\"", "\"result\":\"done\""),
			 1);
	put_key(&k, &spki[2], 3, 0);
	order_fixture_give(w, &k);
	assert_int_equal(order_fixture_lines(w, "\"kind\":\"order_key\"", "\"result\":\"done\""),
			 1);
	put_key(&o, &spki[1], 4, 9);
	order_fixture_give(w, &o);
	assert_int_equal(order_taker_last(w->taker), 3);
	order_fixture_seal(&o, keys[2], WIRE_DSSE_ORDER, &b);
	order_taker_take(w->taker, &b, 1);
	assert_int_equal(order_taker_last(w->taker), 4);
	buf_clear(&b);
	assert_int_equal(fsio_read_file(fsio_system(), w->record_path, 65536, &b), 0);
	assert_int_equal(record_parse(b.data, b.size, &kept, &why), 0);
	assert_memory_equal(kept.ak_public.data, w->record.ak_public.data, kept.ak_public.size);
	assert_memory_equal(kept.order_key.data, spki[2].data, spki[2].size);
	assert_memory_equal(kept.witness_key.data, spki[1].data, spki[1].size);
	assert_int_equal(kept.n_old_witnesses, last + 1);
	assert_memory_equal(kept.old_witnesses[last].key.data, spki[0].data, spki[0].size);
	assert_int_equal(kept.old_witnesses[last].size, 9);
	record_done(&kept);
	buf_done(&b);
	for (int i = 0; i < 3; i++) {
		sign_key_free(keys[i]);
		buf_done(&spki[i]);
	}
}

/* A disk that does not keep the wish: the order is refused, and nothing stops. */
static void test_rekey(void **state)
{
	struct order_fixture *w = *state;
	struct order o = order_fixture_order(w, 1, ORDER_REKEY);

	w->rekey_result = -ENOSPC;
	order_fixture_give(w, &o);
	assert_int_equal(
		order_fixture_lines(w, "\"kind\":\"rekey\"", "\"result\":\"refused: No space"), 1);
	w->rekey_result = 0;
	o.number = 2;
	order_fixture_give(w, &o);
	assert_int_equal(
		order_fixture_lines(w, "\"number\":2,\"kind\":\"rekey\"", "\"result\":\"begun\""),
		1);
	assert_int_equal(w->n_rekey, 2);
}

/* Announced until its time is over, by boot time; and no life is longer than it can be counted. */
static void test_restart(void **state)
{
	struct order_fixture *w = *state;
	struct order o = order_fixture_order(w, 1, ORDER_RESTART);

	assert_int_equal(order_taker_restart(w->taker), 0);
	order_fixture_give(w, &o);
	assert_int_equal(order_taker_restart(w->taker), 1);
	assert_int_equal(w->n_evidence, 1);
	assert_int_equal(w->door_ns, w->boot_ns + 60000000000ull);
	w->boot_ns += 60000000000ull;
	assert_int_equal(order_taker_restart(w->taker), 1);
	w->boot_ns += 1;
	assert_int_equal(order_taker_restart(w->taker), 0);
	o.number = 2;
	o.life_ms = INT64_MAX;
	order_fixture_give(w, &o);
	assert_int_equal(order_taker_restart(w->taker), 2);
	o = order_fixture_order(w, 3, ORDER_QUARANTINE);
	order_fixture_give(w, &o);
	assert_int_equal(
		order_fixture_lines(w, "\"kind\":\"quarantine\"", "noted: this node cannot"), 1);
}

static int means(void *ctx, struct isolate_state *s, struct why *ret_why)
{
	(void)ctx;
	(void)s;
	(void)ret_why;
	return 0;
}

static int undone(void *ctx, const struct isolate_state *s, struct why *ret_why)
{
	(void)ctx;
	(void)s;
	(void)ret_why;
	return 0;
}

static bool on_other(void *ctx, const struct fake_http_request *q, struct fake_http_answer *a)
{
	const struct evidence_answer answer = {.result = PLUMB_RESULT_ACCEPTED, .state = "trusted"};
	struct buf b = {0};

	(void)ctx;
	(void)q;
	assert_int_equal(evidence_answer_write(&answer, &b), 0);
	fake_http_say(a, 200, (char *)b.data);
	buf_done(&b);
	return true;
}

static void on_answer(void *ctx, int r, const struct evidence_answer *a, const struct why *why)
{
	(void)a;
	(void)why;
	*(bool *)ctx = r >= 0;
}

static bool is_set(void *ctx)
{
	return *(bool *)ctx;
}

/* Where the verifier was proven to be is known to what isolates the node, if its network is armed. */
static void test_proven(void **state)
{
	struct order_fixture *w = *state;
	struct isolate_options io = {.io = fsio_system(),
				     .clock = &w->clock,
				     .state_dir = w->f.state,
				     .armed = ISOLATE_FREEZE,
				     .cut = {.verifier = w->f.verifier.url}};
	const struct buf body = {(uint8_t *)"x", 1, 0, 0, 0};
	struct isolate_proven p = {.n = 0};
	struct why why;

	w->f.verifier.other = on_other;
	for (int k = 0; k < 2; k++) {
		bool answered = false;

		assert_int_equal(isolate_open(&io, &w->isolate, &why), 0);
		order_taker_free(w->taker);
		order_fixture_open_taker(w);
		assert_int_equal(
			transport_evidence(w->f.transport, false, &body, on_answer, &answered), 0);
		agent_fixture_until(&w->f, is_set, &answered, "it is accepted");
		assert_int_equal(isolate_proven_load(io.io, io.state_dir, &p, &why),
				 k == 0 ? -ENOENT : 0);
		isolate_free(w->isolate);
		io.armed |= ISOLATE_NETWORK;
	}
	assert_string_equal(p.verifier, w->f.verifier.url);
	assert_int_equal(p.n, 1);
	assert_string_equal(p.address[0], w->f.verifier.url + strlen("https://"));
}

/* On the verifier's word, once a number; one from before, sent again, changes nothing. */
static void test_isolation(void **state)
{
	struct order_fixture *w = *state;
	const struct isolate_options io = {.io = fsio_system(),
					   .clock = &w->clock,
					   .state_dir = w->f.state,
					   .armed = ISOLATE_FREEZE};
	const struct isolate_parts parts = {
		.writer = w->f.writer, .node = w->record.node, .freeze = {means, undone, NULL}};
	struct order o = order_fixture_order(w, 4, ORDER_QUARANTINE), before;
	struct why why;

	assert_int_equal(isolate_open(&io, &w->isolate, &why), 0);
	assert_int_equal(isolate_go(w->isolate, w->f.base, &parts, &why), 0);
	order_taker_free(w->taker);
	order_fixture_open_taker(w);
	order_fixture_give(w, &o);
	assert_true(isolate_is(w->isolate));
	assert_int_equal(order_fixture_lines(w, "\"number\":4,\"kind\":\"quarantine\"",
					     "\"result\":\"done: freeze\""),
			 1);
	assert_int_equal(w->n_evidence, 1);
	before = o;
	o = order_fixture_order(w, 5, ORDER_RELEASE);
	order_fixture_give(w, &o);
	assert_false(isolate_is(w->isolate));
	assert_int_equal(
		order_fixture_lines(w, "\"number\":5,\"kind\":\"release\"", "done: freeze"), 1);
	order_fixture_give(w, &before);
	assert_false(isolate_is(w->isolate));
	isolate_free(w->isolate);
}

/* Once for each number; its line says that it began, and evidence is asked for by whoever scans. */
static void test_scan(void **state)
{
	struct order_fixture *w = *state;
	struct order o = order_fixture_order(w, 4, ORDER_SCAN);

	order_fixture_give(w, &o);
	order_fixture_give(w, &o);
	assert_int_equal(w->n_scan, 1);
	assert_int_equal(w->n_evidence, 0);
	assert_int_equal(
		order_fixture_lines(w, "\"number\":4,\"kind\":\"scan\"", "\"result\":\"begun\""),
		1);
	order_taker_scanned(w->taker);
	order_taker_scanned(w->taker);
	assert_int_equal(
		order_fixture_lines(w, "\"number\":4,\"kind\":\"scan\"", "\"result\":\"done\""), 1);
	o.number = 5;
	order_fixture_give(w, &o);
	assert_int_equal(w->n_scan, 2);
	/* It ends after a later order: that was taken all the same. */
	o = order_fixture_order(w, 6, ORDER_CHALLENGE);
	order_fixture_give(w, &o);
	order_taker_scanned(w->taker);
	assert_int_equal(
		order_fixture_lines(w, "\"number\":5,\"kind\":\"scan\"", "\"result\":\"done\""), 1);
	assert_int_equal(order_taker_last(w->taker), 6);
	order_taker_scanned(NULL);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, order_fixture_make, order_fixture_end)
	const struct CMUnitTest tests[] = {
		T(test_once_and_upwards),
		T(test_recovered),
		T(test_not_ours),
		T(test_keys),
		T(test_rekey),
		T(test_restart),
		T(test_isolation),
		T(test_proven),
		T(test_scan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
