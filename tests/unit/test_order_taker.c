/* SPDX-License-Identifier: Apache-2.0 */
/* Orders: by the pinned key, for this node, once and upwards; and a baseline that is not good leaves the old one in force. */
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

#include "agent_fixture.h"
#include "clock.h"
#include "dsse.h"
#include "order.h"
#include "order_taker.h"
#include "plumb/wire.h"
#include "verifier_fixture.h"

#define ENTRY "{\"s\":\"host\",\"k\":\"file:/etc/a\",\"x\":\"reg\"}\n"

struct world {
	struct agent_fixture f;
	struct order_taker *taker;
	struct record record;
	struct isolate *isolate;
	struct sign_key *approver, *stranger;
	char baseline_path[128];
	uint64_t boot_ns;
	struct clock clock;
	unsigned int n_evidence, n_anew, n_scan, want;
	uint64_t door_ns;
	char record_path[128];
	int rekey_result;
	unsigned int n_rekey;
};

static uint64_t utc(void *ctx)
{
	(void)ctx;
	return 1700000000ull * 1000000000;
}

static uint64_t boot(void *ctx)
{
	return ((struct world *)ctx)->boot_ns;
}

static void on_evidence(void *ctx)
{
	((struct world *)ctx)->n_evidence++;
}

static void on_scan(void *ctx)
{
	((struct world *)ctx)->n_scan++;
}

static void on_restart(void *ctx, uint64_t until_ns)
{
	((struct world *)ctx)->door_ns = until_ns;
}

static void on_anew(void *ctx)
{
	((struct world *)ctx)->n_anew++;
}

static int on_rekey(void *ctx)
{
	struct world *w = ctx;

	w->n_rekey++;
	return w->rekey_result;
}

static void open_taker(struct world *w)
{
	const struct order_taker_options o = {.io = fsio_system(),
					      .clock = &w->clock,
					      .record = &w->record,
					      .writer = w->f.writer,
					      .transport = w->f.transport,
					      .baseline_path = w->baseline_path,
					      .evidence = on_evidence,
					      .scan = on_scan,
					      .restart = on_restart,
					      .record_path = w->record_path,
					      .rekey = on_rekey,
					      .isolate = w->isolate,
					      .rekey_ctx = w,
					      .judged_anew = on_anew,
					      .ctx = w};
	struct why why = {""};

	if (order_taker_open(&o, &w->taker, &why) < 0)
		fail_msg("%s", why.text);
}

static void start(struct world *w)
{
	agent_fixture_start(&w->f);
	w->record = w->f.identity.record;
	w->record.order_key = w->record.baseline_keys[0] = (struct buf){0};
	assert_int_equal(sign_key_spki(w->f.verifier.order_key, &w->record.order_key), 0);
	assert_int_equal(sign_key_spki(w->approver, &w->record.baseline_keys[0]), 0);
	w->record.n_baseline_keys = 1;
	open_taker(w);
}

static void stop(struct world *w)
{
	agent_fixture_stop(&w->f);
	w->taker = order_taker_free(w->taker);
	buf_done(&w->record.order_key);
	buf_done(&w->record.baseline_keys[0]);
}

static int make(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	agent_fixture_init(&w->f);
	w->clock = (struct clock){utc, boot, w};
	w->boot_ns = 1000000000;
	assert_int_equal(sign_key_generate(SIGN_ED25519, &w->approver), 0);
	assert_int_equal(sign_key_generate(SIGN_ED25519, &w->stranger), 0);
	snprintf(w->baseline_path, sizeof(w->baseline_path), "%s/baseline.jsonl", w->f.dir);
	snprintf(w->record_path, sizeof(w->record_path), "%s/kept-record.json", w->f.dir);
	start(w);
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	stop(w);
	sign_key_free(w->approver);
	sign_key_free(w->stranger);
	agent_fixture_done(&w->f);
	free(w);
	return 0;
}

static struct order order_of(const struct world *w, uint64_t number, enum order_kind kind)
{
	struct order o = {.number = number,
			  .kind = kind,
			  .incarnation = w->record.incarnation,
			  .reason = "a test",
			  .life_ms = 60000};

	memcpy(o.node, w->record.node, sizeof(o.node));
	return o;
}

static void seal(const struct order *o, const struct sign_key *key, const char *type,
		 struct buf *ret)
{
	struct buf payload = {0};

	assert_int_equal(order_write(o, &payload), 0);
	assert_int_equal(dsse_sign(type, payload.data, payload.size,
				   (const struct sign_key *const *)&key, 1, ret),
			 0);
	buf_done(&payload);
}

static void give(struct world *w, const struct order *o)
{
	struct buf b = {0};

	seal(o, w->f.verifier.order_key, WIRE_DSSE_ORDER, &b);
	order_taker_take(w->taker, &b, 1);
	buf_done(&b);
}

static uint32_t lines(struct world *w, const char *one, const char *two)
{
	assert_int_equal(ledger_sync(ledger_writer_ledger(w->f.writer)), 0);
	return agent_fixture_count(&w->f, one, two);
}

static void test_once_and_upwards(void **state)
{
	struct world *w = *state;
	struct order o = order_of(w, 3, ORDER_CHALLENGE);

	give(w, &o);
	give(w, &o); /* replayed */
	assert_int_equal(w->n_evidence, 1);
	assert_int_equal(order_taker_last(w->taker), 3);
	o.number = 2;
	give(w, &o);
	assert_int_equal(order_taker_last(w->taker), 3);
	o.number = 9;
	give(w, &o);
	assert_int_equal(order_taker_last(w->taker), 9);
	assert_int_equal(lines(w, "\"type\":\"order\"", "\"result\":\"done\""), 2);
	assert_int_equal(lines(w, "\"type\":\"order\",\"number\":9", "\"kind\":\"challenge\""), 1);
}

static void test_recovered(void **state)
{
	struct world *w = *state;
	struct order o = order_of(w, 9, ORDER_CHALLENGE);
	struct transport_options to = {w->f.verifier.url, (char *)w->f.verifier.ca.data,
				       (char *)w->f.client_cert.data, (char *)w->f.client_pem.data};
	struct why why = {""};

	give(w, &o);
	agent_fixture_measure(&w->f, PLUMB_TYPE_CLAIM, "boot:x",
			      "\"type\":\"order\",\"number\":99");
	stop(w);
	assert_int_equal(transport_open(w->f.base, &to, &w->f.transport, &why), 0);
	start(w);
	assert_int_equal(order_taker_last(w->taker), 9);
	give(w, &o);
	assert_int_equal(w->n_evidence, 1);
}

static void refused(struct world *w, const struct order *o, const struct sign_key *key,
		    const char *type, size_t turn)
{
	struct buf b = {0};

	seal(o, key, type, &b);
	if (turn)
		b.data[turn] ^= 1;
	order_taker_take(w->taker, &b, 1);
	buf_done(&b);
	assert_int_equal(order_taker_last(w->taker), 0);
	assert_int_equal(w->n_evidence, 0);
	assert_int_equal(lines(w, "\"type\":\"order\"", ""), 0);
}

static void test_not_ours(void **state)
{
	struct world *w = *state;
	const struct sign_key *key = w->f.verifier.order_key;
	struct order o = order_of(w, 1, ORDER_CHALLENGE);
	struct buf b = {0};

	refused(w, &o, w->stranger, WIRE_DSSE_ORDER, 0);
	refused(w, &o, key, WIRE_DSSE_ACTION, 0);
	seal(&o, key, WIRE_DSSE_ORDER, &b);
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
	o = order_of(w, 1, ORDER_CHALLENGE);
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
	struct world *w = *state;
	struct sign_key *keys[3] = {NULL}; /* two witnesses, and one for orders */
	struct order o = order_of(w, 1, ORDER_WITNESS_KEY), k = order_of(w, 3, ORDER_KEY);
	struct record kept = {.incarnation = 0};
	struct buf spki[3] = {{0}}, b = {0};
	struct why why;
	uint32_t last = w->record.witness_key.size > 0;

	for (int i = 0; i < 3; i++) {
		assert_int_equal(sign_key_generate(i < 2 ? SIGN_ED25519 : SIGN_P256, &keys[i]), 0);
		assert_int_equal(sign_key_spki(keys[i], &spki[i]), 0);
	}
	put_key(&o, &spki[2], 1, 0);
	give(w, &o);
	assert_int_not_equal(access(w->record_path, F_OK), 0);
	assert_int_equal(lines(w, "\"kind\":\"witness_key\"", "refused: it is no Ed25519"), 1);
	put_key(&o, &spki[0], 2, 7);
	give(w, &o);
	assert_int_equal(lines(w, "\"kind\":\"witness_key\"", "\"result\":\"done\""), 1);
	put_key(&k, &spki[2], 3, 0);
	give(w, &k);
	assert_int_equal(lines(w, "\"kind\":\"order_key\"", "\"result\":\"done\""), 1);
	put_key(&o, &spki[1], 4, 9);
	give(w, &o);
	assert_int_equal(order_taker_last(w->taker), 3);
	seal(&o, keys[2], WIRE_DSSE_ORDER, &b);
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
	struct world *w = *state;
	struct order o = order_of(w, 1, ORDER_REKEY);

	w->rekey_result = -ENOSPC;
	give(w, &o);
	assert_int_equal(lines(w, "\"kind\":\"rekey\"", "\"result\":\"refused: No space"), 1);
	w->rekey_result = 0;
	o.number = 2;
	give(w, &o);
	assert_int_equal(lines(w, "\"number\":2,\"kind\":\"rekey\"", "\"result\":\"begun\""), 1);
	assert_int_equal(w->n_rekey, 2);
}

/* Announced until its time is over, by boot time; and no life is longer than it can be counted. */
static void test_restart(void **state)
{
	struct world *w = *state;
	struct order o = order_of(w, 1, ORDER_RESTART);

	assert_int_equal(order_taker_restart(w->taker), 0);
	give(w, &o);
	assert_int_equal(order_taker_restart(w->taker), 1);
	assert_int_equal(w->n_evidence, 1);
	assert_int_equal(w->door_ns, w->boot_ns + 60000000000ull);
	w->boot_ns += 60000000000ull;
	assert_int_equal(order_taker_restart(w->taker), 1);
	w->boot_ns += 1;
	assert_int_equal(order_taker_restart(w->taker), 0);
	o.number = 2;
	o.life_ms = INT64_MAX;
	give(w, &o);
	assert_int_equal(order_taker_restart(w->taker), 2);
	o = order_of(w, 3, ORDER_QUARANTINE);
	give(w, &o);
	assert_int_equal(lines(w, "\"kind\":\"quarantine\"", "noted: this node cannot"), 1);
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

/* On the verifier's word, once a number; one from before, sent again, changes nothing. */
static void test_isolation(void **state)
{
	struct world *w = *state;
	const struct isolate_options io = {.io = fsio_system(),
					   .clock = &w->clock,
					   .state_dir = w->f.state,
					   .armed = ISOLATE_FREEZE};
	const struct isolate_parts parts = {
		.writer = w->f.writer, .node = w->record.node, .freeze = {means, undone, NULL}};
	struct order o = order_of(w, 4, ORDER_QUARANTINE), before;
	struct why why;

	assert_int_equal(isolate_open(&io, &w->isolate, &why), 0);
	assert_int_equal(isolate_go(w->isolate, w->f.base, &parts, &why), 0);
	order_taker_free(w->taker);
	open_taker(w);
	give(w, &o);
	assert_true(isolate_is(w->isolate));
	assert_int_equal(
		lines(w, "\"number\":4,\"kind\":\"quarantine\"", "\"result\":\"done: freeze\""), 1);
	assert_int_equal(w->n_evidence, 1);
	before = o;
	o = order_of(w, 5, ORDER_RELEASE);
	give(w, &o);
	assert_false(isolate_is(w->isolate));
	assert_int_equal(lines(w, "\"number\":5,\"kind\":\"release\"", "done: freeze"), 1);
	give(w, &before);
	assert_false(isolate_is(w->isolate));
	isolate_free(w->isolate);
}

/* Once for each number; its line says that it began, and evidence is asked for by whoever scans. */
static void test_scan(void **state)
{
	struct world *w = *state;
	struct order o = order_of(w, 4, ORDER_SCAN);

	give(w, &o);
	give(w, &o);
	assert_int_equal(w->n_scan, 1);
	assert_int_equal(w->n_evidence, 0);
	assert_int_equal(lines(w, "\"number\":4,\"kind\":\"scan\"", "\"result\":\"begun\""), 1);
	order_taker_scanned(w->taker);
	order_taker_scanned(w->taker);
	assert_int_equal(lines(w, "\"number\":4,\"kind\":\"scan\"", "\"result\":\"done\""), 1);
	o.number = 5;
	give(w, &o);
	assert_int_equal(w->n_scan, 2);
	/* It ends after a later order: that was taken all the same. */
	o = order_of(w, 6, ORDER_CHALLENGE);
	give(w, &o);
	order_taker_scanned(w->taker);
	assert_int_equal(lines(w, "\"number\":5,\"kind\":\"scan\"", "\"result\":\"done\""), 1);
	assert_int_equal(order_taker_last(w->taker), 6);
	order_taker_scanned(NULL);
}

static bool has_order_line(void *ctx)
{
	const struct world *w = ctx;

	return order_taker_last(w->taker) >= w->want;
}

static void until_taken(struct world *w, uint64_t number)
{
	w->want = (unsigned int)number;
	agent_fixture_until(&w->f, has_order_line, w, "the order was taken");
}

/* An order for a document of this name and version, which the verifier has. */
static struct order baseline_order(struct world *w, uint64_t number, const char *name,
				   uint64_t version, const struct sign_key *key)
{
	struct order o = order_of(w, number, ORDER_BASELINE);

	buf_done(&w->f.verifier.document);
	verifier_fixture_baseline(name, version, ENTRY, key, &w->f.verifier.document);
	o.version = version;
	assert_int_equal(digest_sha256(w->f.verifier.document.data, w->f.verifier.document.size,
				       &o.document),
			 0);
	return o;
}

static void order_baseline(struct world *w, uint64_t number, const char *name, uint64_t version,
			   const struct sign_key *key)
{
	const struct order o = baseline_order(w, number, name, version, key);

	give(w, &o);
}

static void read_file(const struct world *w, struct buf *ret)
{
	buf_clear(ret);
	assert_int_equal(fsio_read_file(fsio_system(), w->baseline_path, 65536, ret), 0);
}

static void expect_refused(struct world *w, uint64_t number, const char *text, struct buf *before)
{
	struct buf now = {0};
	unsigned int asked = w->n_evidence;
	char sign[64], path[160];

	until_taken(w, number);
	snprintf(sign, sizeof(sign), "\"number\":%d,", (int)number);
	assert_int_equal(lines(w, sign, "\"result\":\"refused: "), 1);
	if (lines(w, sign, text) != 1)
		fail_msg("order %d is not refused with: %s", (int)number, text);
	/* The old one judges on, now and after a restart; and the verifier hears of it. */
	assert_int_equal(order_taker_baseline(w->taker), 5);
	read_file(w, &now);
	assert_string_equal((char *)now.data, (char *)before->data);
	snprintf(path, sizeof(path), "%s.new", w->baseline_path);
	assert_int_equal(access(path, F_OK), -1);
	assert_true(w->n_evidence >= asked);
	buf_done(&now);
}

static void test_baseline(void **state)
{
	struct world *w = *state;
	struct buf good = {0};
	struct order o;

	order_baseline(w, 1, "web", 5, w->approver);
	until_taken(w, 1);
	assert_int_equal(order_taker_baseline(w->taker), 5);
	assert_int_equal(w->n_anew, 1);
	assert_int_equal(lines(w, "\"type\":\"baseline\",\"version\":5", "\"signer\""), 1);
	assert_int_equal(lines(w, "\"number\":1,", "\"result\":\"done\""), 1);
	read_file(w, &good);
	/* Another's signature, an older one, another document than was ordered, one of another version, one that is not there. */
	order_baseline(w, 2, "web", 6, w->stranger);
	expect_refused(w, 2, "", &good);
	order_baseline(w, 3, "web", 4, w->approver);
	expect_refused(w, 3, "older", &good);
	o = order_of(w, 4, ORDER_BASELINE);
	o.version = 6;
	o.document.bytes[3] = 1;
	give(w, &o);
	expect_refused(w, 4, "not the document that was ordered", &good);
	buf_done(&w->f.verifier.document);
	o.number = 5;
	give(w, &o);
	expect_refused(w, 5, "no such thing", &good);
	/* Corrupt, although it is what was ordered. */
	o.number = 6;
	buf_puts(&w->f.verifier.document, (char *)good.data);
	w->f.verifier.document.data[good.size - 5] ^= 1;
	assert_int_equal(digest_sha256(w->f.verifier.document.data, w->f.verifier.document.size,
				       &o.document),
			 0);
	o.version = 5;
	give(w, &o);
	expect_refused(w, 6, "", &good);
	o.version = 6;
	o.number = 7;
	buf_done(&w->f.verifier.document);
	buf_puts(&w->f.verifier.document, (char *)good.data);
	assert_int_equal(digest_sha256(good.data, good.size, &o.document), 0);
	give(w, &o);
	expect_refused(w, 7, "version 5, and 6 was ordered", &good);
	/* A newer one, and one of another name, are taken. */
	order_baseline(w, 8, "web", 6, w->approver);
	until_taken(w, 8);
	order_baseline(w, 9, "db", 1, w->approver);
	until_taken(w, 9);
	assert_int_equal(order_taker_baseline(w->taker), 1);
	assert_int_equal(w->n_anew, 3);
	buf_done(&good);
}

static bool has_met_fault(void *ctx)
{
	return ((const struct world *)ctx)->f.verifier.faults == 0;
}

/* A verifier that cannot give it now keeps the order open. */
static void test_fetched_later(void **state)
{
	struct world *w = *state;

	fake_verifier_fail(&w->f.verifier, WIRE_ROUTE_BASELINE_GET, FAKE_VERIFIER_STATUS, 503, 1);
	order_baseline(w, 1, "web", 5, w->approver);
	agent_fixture_until(&w->f, has_met_fault, w, "the fault was met");
	while (w->n_anew == 0) {
		assert_true(order_taker_last(w->taker) <= 1);
		order_baseline(w, 1, "web", 5, w->approver);
		event_base_loop(w->f.base, EVLOOP_ONCE);
	}
	assert_int_equal(order_taker_baseline(w->taker), 5);
	assert_int_equal(lines(w, "\"type\":\"order\"", "refused"), 0);
}

static void put(struct world *w, const struct order *o, struct buf *ret)
{
	buf_clear(ret);
	seal(o, w->f.verifier.order_key, WIRE_DSSE_ORDER, ret);
}

/* What isolates a node waits for no baseline: neither for one that never comes, nor for one that is on its way. */
static void test_baseline_is_overtaken(void **state)
{
	struct world *w = *state;
	struct order baseline = baseline_order(w, 1, "web", 5, w->approver);
	struct order scan = order_of(w, 2, ORDER_SCAN);
	struct order quarantine = order_of(w, 3, ORDER_QUARANTINE);
	struct buf given[3] = {{0}};

	put(w, &baseline, &given[0]);
	put(w, &scan, &given[1]);
	put(w, &quarantine, &given[2]);
	fake_verifier_fail(&w->f.verifier, WIRE_ROUTE_BASELINE_GET, FAKE_VERIFIER_STATUS, 503, 1);
	/* On its way; a scan waits for it. */
	order_taker_take(w->taker, given, 2);
	assert_int_equal(w->n_scan, 0);
	agent_fixture_until(&w->f, has_met_fault, w, "the fault was met");
	while (lines(w, "\"type\":\"order\"", "") == 0) {
		order_taker_take(w->taker, given, 3);
		event_base_loop(w->f.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	}
	assert_int_equal(order_taker_last(w->taker), 3);
	assert_int_equal(w->n_scan, 1);
	assert_int_equal(lines(w, "\"number\":1,\"kind\":\"baseline\"", "could not wait for it"),
			 1);
	assert_int_equal(lines(w, "\"number\":3,\"kind\":\"quarantine\"", "noted"), 1);
	for (size_t i = 0; i < 3; i++)
		buf_done(&given[i]);
}

/* One that was given up and comes after all changes nothing; the one that is ordered then does. */
static void test_overtaken_on_its_way(void **state)
{
	struct world *w = *state;
	struct order quarantine = order_of(w, 2, ORDER_QUARANTINE);
	struct order o = baseline_order(w, 1, "web", 5, w->approver);
	struct buf given[2] = {{0}};

	put(w, &o, &given[0]);
	put(w, &quarantine, &given[1]);
	order_taker_take(w->taker, given, 1);
	order_taker_take(w->taker, given, 2);
	assert_int_equal(order_taker_last(w->taker), 2);
	o.number = 3;
	put(w, &o, &given[0]);
	/* Not before the other has come. */
	while (w->n_anew == 0) {
		order_taker_take(w->taker, given, 1);
		event_base_loop(w->f.base, EVLOOP_ONCE);
	}
	assert_int_equal(order_taker_last(w->taker), 3);
	assert_int_equal(order_taker_baseline(w->taker), 5);
	assert_int_equal(lines(w, "\"kind\":\"baseline\"", "\"result\":\"done\""), 1);
	for (size_t i = 0; i < 2; i++)
		buf_done(&given[i]);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, make, end)
	const struct CMUnitTest tests[] = {
		T(test_once_and_upwards),
		T(test_recovered),
		T(test_not_ours),
		T(test_restart),
		T(test_rekey),
		T(test_keys),
		T(test_baseline),
		T(test_fetched_later),
		T(test_scan),
		T(test_isolation),
		T(test_baseline_is_overtaken),
		T(test_overtaken_on_its_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
