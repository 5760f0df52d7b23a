/* SPDX-License-Identifier: Apache-2.0 */
/* A baseline that was ordered: one that is not good leaves the old one in force, one that cannot be had keeps nothing else waiting that is urgent. */
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
#include "order_fixture.h"
#include "plumb/wire.h"
#include "verifier_fixture.h"

#define ENTRY "{\"s\":\"host\",\"k\":\"file:/etc/a\",\"x\":\"reg\"}\n"

static bool has_order_line(void *ctx)
{
	const struct order_fixture *w = ctx;

	return order_taker_last(w->taker) >= w->want;
}

static void until_taken(struct order_fixture *w, uint64_t number)
{
	w->want = (unsigned int)number;
	agent_fixture_until(&w->f, has_order_line, w, "the order was taken");
}

/* An order for a document of this name and version, which the verifier has. */
static struct order baseline_order(struct order_fixture *w, uint64_t number, const char *name,
				   uint64_t version, const struct sign_key *key)
{
	struct order o = order_fixture_order(w, number, ORDER_BASELINE);

	buf_done(&w->f.verifier.document);
	verifier_fixture_baseline(name, version, ENTRY, key, &w->f.verifier.document);
	o.version = version;
	assert_int_equal(digest_sha256(w->f.verifier.document.data, w->f.verifier.document.size,
				       &o.document),
			 0);
	return o;
}

static void order_baseline(struct order_fixture *w, uint64_t number, const char *name,
			   uint64_t version, const struct sign_key *key)
{
	const struct order o = baseline_order(w, number, name, version, key);

	order_fixture_give(w, &o);
}

static void read_file(const struct order_fixture *w, struct buf *ret)
{
	buf_clear(ret);
	assert_int_equal(fsio_read_file(fsio_system(), w->baseline_path, 65536, ret), 0);
}

static void expect_refused(struct order_fixture *w, uint64_t number, const char *text,
			   struct buf *before)
{
	struct buf now = {0};
	unsigned int asked = w->n_evidence;
	char sign[64], path[160];

	until_taken(w, number);
	snprintf(sign, sizeof(sign), "\"number\":%d,", (int)number);
	assert_int_equal(order_fixture_lines(w, sign, "\"result\":\"refused: "), 1);
	if (order_fixture_lines(w, sign, text) != 1)
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
	struct order_fixture *w = *state;
	struct buf good = {0};
	struct order o;

	order_baseline(w, 1, "web", 5, w->approver);
	until_taken(w, 1);
	assert_int_equal(order_taker_baseline(w->taker), 5);
	assert_int_equal(w->n_anew, 1);
	assert_int_equal(
		order_fixture_lines(w, "\"type\":\"baseline\",\"version\":5", "\"signer\""), 1);
	assert_int_equal(order_fixture_lines(w, "\"number\":1,", "\"result\":\"done\""), 1);
	read_file(w, &good);
	/* Another's signature, an older one, another document than was ordered, one of another version, one that is not there. */
	order_baseline(w, 2, "web", 6, w->stranger);
	expect_refused(w, 2, "", &good);
	order_baseline(w, 3, "web", 4, w->approver);
	expect_refused(w, 3, "older", &good);
	o = order_fixture_order(w, 4, ORDER_BASELINE);
	o.version = 6;
	o.document.bytes[3] = 1;
	order_fixture_give(w, &o);
	expect_refused(w, 4, "not the document that was ordered", &good);
	buf_done(&w->f.verifier.document);
	o.number = 5;
	order_fixture_give(w, &o);
	expect_refused(w, 5, "no such thing", &good);
	/* Corrupt, although it is what was ordered. */
	o.number = 6;
	buf_puts(&w->f.verifier.document, (char *)good.data);
	w->f.verifier.document.data[good.size - 5] ^= 1;
	assert_int_equal(digest_sha256(w->f.verifier.document.data, w->f.verifier.document.size,
				       &o.document),
			 0);
	o.version = 5;
	order_fixture_give(w, &o);
	expect_refused(w, 6, "", &good);
	o.version = 6;
	o.number = 7;
	buf_done(&w->f.verifier.document);
	buf_puts(&w->f.verifier.document, (char *)good.data);
	assert_int_equal(digest_sha256(good.data, good.size, &o.document), 0);
	order_fixture_give(w, &o);
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
	return ((const struct order_fixture *)ctx)->f.verifier.faults == 0;
}

/* A verifier that cannot give it now keeps the order open. */
static void test_fetched_later(void **state)
{
	struct order_fixture *w = *state;

	fake_verifier_fail(&w->f.verifier, WIRE_ROUTE_BASELINE_GET, FAKE_VERIFIER_STATUS, 503, 1);
	order_baseline(w, 1, "web", 5, w->approver);
	agent_fixture_until(&w->f, has_met_fault, w, "the fault was met");
	while (w->n_anew == 0) {
		assert_true(order_taker_last(w->taker) <= 1);
		order_baseline(w, 1, "web", 5, w->approver);
		event_base_loop(w->f.base, EVLOOP_ONCE);
	}
	assert_int_equal(order_taker_baseline(w->taker), 5);
	assert_int_equal(order_fixture_lines(w, "\"type\":\"order\"", "refused"), 0);
}

static void put(struct order_fixture *w, const struct order *o, struct buf *ret)
{
	buf_clear(ret);
	order_fixture_seal(o, w->f.verifier.order_key, WIRE_DSSE_ORDER, ret);
}

/* What isolates a node waits for no baseline: neither for one that never comes, nor for one that is on its way. */
static void test_baseline_is_overtaken(void **state)
{
	struct order_fixture *w = *state;
	struct order baseline = baseline_order(w, 1, "web", 5, w->approver);
	struct order scan = order_fixture_order(w, 2, ORDER_SCAN);
	struct order quarantine = order_fixture_order(w, 3, ORDER_QUARANTINE);
	struct buf given[3] = {{0}};

	put(w, &baseline, &given[0]);
	put(w, &scan, &given[1]);
	put(w, &quarantine, &given[2]);
	fake_verifier_fail(&w->f.verifier, WIRE_ROUTE_BASELINE_GET, FAKE_VERIFIER_STATUS, 503, 1);
	/* On its way; a scan waits for it. */
	order_taker_take(w->taker, given, 2);
	assert_int_equal(w->n_scan, 0);
	agent_fixture_until(&w->f, has_met_fault, w, "the fault was met");
	while (order_fixture_lines(w, "\"type\":\"order\"", "") == 0) {
		order_taker_take(w->taker, given, 3);
		event_base_loop(w->f.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	}
	assert_int_equal(order_taker_last(w->taker), 3);
	assert_int_equal(w->n_scan, 1);
	assert_int_equal(order_fixture_lines(w, "\"number\":1,\"kind\":\"baseline\"",
					     "could not wait for it"),
			 1);
	assert_int_equal(order_fixture_lines(w, "\"number\":3,\"kind\":\"quarantine\"", "noted"),
			 1);
	for (size_t i = 0; i < 3; i++)
		buf_done(&given[i]);
}

/* One that was given up and comes after all changes nothing; the one that is ordered then does. */
static void test_overtaken_on_its_way(void **state)
{
	struct order_fixture *w = *state;
	struct order quarantine = order_fixture_order(w, 2, ORDER_QUARANTINE);
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
	assert_int_equal(order_fixture_lines(w, "\"kind\":\"baseline\"", "\"result\":\"done\""), 1);
	for (size_t i = 0; i < 2; i++)
		buf_done(&given[i]);
}

static bool was_fetched_and_had_time(void *ctx)
{
	struct order_fixture *w = ctx;

	return w->f.verifier.n_baseline > 0 && w->want++ > 20;
}

/* One that is on its way when the agent stops: no line of it follows the `stop`, and the next start is given it again. */
static void test_stopped(void **state)
{
	struct order_fixture *w = *state;
	struct order o = baseline_order(w, 1, "web", 5, w->approver), c;
	struct transport_options to = {w->f.verifier.url, (char *)w->f.verifier.ca.data,
				       (char *)w->f.client_cert.data, (char *)w->f.client_pem.data};
	struct why why = {""};

	order_fixture_give(w, &o);
	order_taker_stop(w->taker);
	assert_int_equal(ledger_writer_stop(w->f.writer, "signal", 0), 0);
	agent_fixture_until(&w->f, was_fetched_and_had_time, w, "it was fetched");
	c = order_fixture_order(w, 2, ORDER_CHALLENGE);
	order_fixture_give(w, &c);
	assert_int_equal(w->n_anew + w->n_evidence, 0);
	assert_int_equal(order_fixture_lines(w, "\"type\":\"baseline\"", "\"version\":5"), 0);
	assert_int_equal(order_fixture_lines(w, "\"type\":\"order\"", ""), 0);
	assert_int_equal(access(w->baseline_path, F_OK), -1);
	order_fixture_stop(w);
	assert_int_equal(transport_open(w->f.base, &to, &w->f.transport, &why), 0);
	order_fixture_start(w);
	order_fixture_give(w, &o);
	until_taken(w, 1);
	assert_int_equal(order_taker_baseline(w->taker), 5);
	order_taker_stop(NULL);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, order_fixture_make, order_fixture_end)
	const struct CMUnitTest tests[] = {
		T(test_baseline),
		T(test_fetched_later),
		T(test_baseline_is_overtaken),
		T(test_overtaken_on_its_way),
		T(test_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
