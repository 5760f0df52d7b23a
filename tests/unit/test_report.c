/* SPDX-License-Identifier: Apache-2.0 */
/* A node and its verifier: evidence, news at once, and a verifier that is down, wrong, full or of another mind. Nothing is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "clock.h"
#include "report_fixture.h"

#define EXTEND_BYTES 92 /* with its done */

static bool has_whole(void *ctx)
{
	const struct report_fixture *w = ctx;

	return w->f.verifier.confirmed >= w->want;
}

static bool has_drift(void *ctx)
{
	const struct report_fixture *w = ctx;

	return w->f.verifier.n_drift >= w->want;
}

static bool has_asked(void *ctx)
{
	const struct report_fixture *w = ctx;

	return w->f.verifier.n_nonce >= w->want;
}

static bool is_idle(void *ctx)
{
	return report_is_idle(((const struct report_fixture *)ctx)->report);
}

static bool has_sent(void *ctx)
{
	const struct report_fixture *w = ctx;

	return w->f.verifier.n_evidence >= w->want;
}

static bool has_met_faults(void *ctx)
{
	return ((const struct report_fixture *)ctx)->f.verifier.faults == 0;
}

/* Lines that a quote covers are what lies on the disk. */
static void expect_confirmed(struct report_fixture *w, uint64_t size, const char *what)
{
	report_fixture_until(w, has_whole, (unsigned int)size, what);
	fake_verifier_expect_whole(&w->f.verifier, w->f.ledger);
}

static void spin(struct report_fixture *w, uint64_t ms)
{
	const struct timeval tick = {0, 5000};
	uint64_t until_ns = clock_boot_ns(clock_system()) + ms * 1000000;

	while (clock_boot_ns(clock_system()) < until_ns) {
		event_base_loopexit(w->f.base, &tick);
		event_base_loop(w->f.base, EVLOOP_ONCE);
	}
}

static void test_evidence(void **state)
{
	struct report_fixture *w = *state;

	w->baseline_version = 3;
	w->last_order = 7;
	report_fixture_start(w);
	report_now(w->report);
	report_fixture_until(w, report_fixture_accepted, 1, "accepted");
	fake_verifier_expect_whole(&w->f.verifier, w->f.ledger);
	/* What the quote is bound to stands in it; its line says the same. */
	assert_int_equal(w->f.verifier.last_order, 7);
	assert_int_equal(w->f.verifier.baseline_version, 3);
	report_now(w->report);
	report_fixture_until(w, report_fixture_accepted, 2, "accepted again");
	assert_true(agent_fixture_count(&w->f, "\"type\":\"quote\"",
					"\"baseline\":3,\"order\":7,\"client_key\"") >= 1);
	assert_int_equal(w->f.verifier.n_drift, 0);
}

static void test_drift(void **state)
{
	struct report_fixture *w = *state;

	report_fixture_start(w);
	report_now(w->report);
	report_fixture_until(w, report_fixture_accepted, 1, "accepted");
	agent_fixture_drift(&w->f, "/tmp/one");
	report_fixture_until(w, has_drift, 1, "drift was told");
	report_fixture_until(w, report_fixture_accepted, 2, "and confirmed");
	fake_verifier_expect_whole(&w->f.verifier, w->f.ledger);
	assert_int_equal(w->f.verifier.n_signed, 0);
}

/* Before the verifier said where it stands nothing provisional can be sent; as soon as it did, it is, although the TPM hangs. */
static void test_drift_before_first_answer(void **state)
{
	struct report_fixture *w = *state;

	report_fixture_start(w);
	agent_fixture_drift(&w->f, "/tmp/early");
	report_fixture_until(w, has_drift, 1, "drift was told");
	report_fixture_until(w, report_fixture_accepted, 1, "and confirmed");
	fake_verifier_expect_whole(&w->f.verifier, w->f.ledger);
}

static void test_away_and_back(void **state)
{
	struct report_fixture *w = *state;
	unsigned int drift;
	uint64_t size;

	report_fixture_start(w);
	report_now(w->report);
	report_fixture_until(w, report_fixture_accepted, 1, "accepted");
	fake_verifier_stop(&w->f.verifier);
	agent_fixture_drift(&w->f, "/tmp/alone");
	report_fixture_until(w, is_idle, 0, "away");
	agent_fixture_drift(&w->f, "/tmp/alone2");
	size = ledger_writer_size(w->f.writer);
	report_fixture_until(w, is_idle, 0, "still away");
	assert_int_equal(w->f.verifier.n_accepted, 1);
	drift = w->f.verifier.n_drift;
	fake_verifier_start(&w->f.verifier);
	report_fixture_until(w, has_drift, drift + 1, "the news is told at once when it is back");
	expect_confirmed(w, size, "and confirmed");
}

static void test_faults(void **state)
{
	static const struct {
		enum fake_verifier_fault fault;
		int status;
	} faults[] = {
		{FAKE_VERIFIER_STATUS, 500}, {FAKE_VERIFIER_STATUS, 503},
		{FAKE_VERIFIER_EMPTY, 500},  {FAKE_VERIFIER_STATUS, 409},
		{FAKE_VERIFIER_STATUS, 404}, {FAKE_VERIFIER_STATUS, 400},
		{FAKE_VERIFIER_STATUS, 302}, {FAKE_VERIFIER_EMPTY, 200},
		{FAKE_VERIFIER_EMPTY, 413},  {FAKE_VERIFIER_GARBAGE, 200},
		{FAKE_VERIFIER_CLOSE, 0},    {FAKE_VERIFIER_TAKEN, 0},
	};
	static const char *const paths[] = {WIRE_ROUTE_NONCE, WIRE_ROUTE_EVIDENCE,
					    WIRE_ROUTE_DRIFT};
	struct report_fixture *w = *state;
	char path[64], what[96];
	uint64_t size;

	report_fixture_start(w);
	report_now(w->report);
	report_fixture_until(w, report_fixture_accepted, 1, "accepted");
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		for (size_t k = 0; k < 3; k++) {
			snprintf(path, sizeof(path), "/tmp/%zu-%zu", i, k);
			snprintf(what, sizeof(what), "confirmed after %s, fault %zu", paths[k], i);
			fake_verifier_fail(&w->f.verifier, paths[k], faults[i].fault,
					   faults[i].status, 1);
			agent_fixture_drift(&w->f, path);
			size = ledger_writer_size(w->f.writer);
			report_fixture_until(w, has_met_faults, 0, "the fault was met");
			expect_confirmed(w, size, what);
		}
}

/* More than one body takes is sent in signed pieces, also when the verifier takes less than the wire allows. */
static void test_pieces(void **state)
{
	struct report_fixture *w = *state;

	w->o.max_lines = 7;
	report_fixture_start(w);
	report_fixture_claims(w, 100);
	report_now(w->report);
	report_fixture_until(w, report_fixture_accepted, 1, "accepted");
	assert_true(w->f.verifier.n_signed >= 14);
	fake_verifier_expect_whole(&w->f.verifier, w->f.ledger);
	w->f.verifier.largest = 0;
	report_fixture_claims(w, 100);
	agent_fixture_drift(&w->f, "/tmp/many");
	expect_confirmed(w, ledger_writer_size(w->f.writer), "with a drift among it");
	assert_true(w->f.verifier.largest < 10000);
}

static void test_pieces_by_size(void **state)
{
	struct report_fixture *w = *state;

	w->o.max_bytes = 4096;
	report_fixture_start(w);
	report_fixture_claims(w, 200);
	report_now(w->report);
	report_fixture_until(w, report_fixture_accepted, 1, "accepted");
	assert_true(w->f.verifier.n_signed >= 5);
	assert_true(w->f.verifier.largest < 4096 + 8192);
	fake_verifier_expect_whole(&w->f.verifier, w->f.ledger);
}

static void test_takes_less(void **state)
{
	struct report_fixture *w = *state;

	w->f.verifier.max_body = 300000;
	w->o.max_bytes = 800000;
	report_fixture_start(w);
	report_fixture_claims(w, 4000);
	report_now(w->report);
	report_fixture_until(w, report_fixture_accepted, 1, "accepted");
	assert_true(w->f.verifier.largest > 300000);
	assert_true(w->f.verifier.n_signed >= 2);
	fake_verifier_expect_whole(&w->f.verifier, w->f.ledger);
}

static void has_log(struct report_fixture *w, size_t size)
{
	struct identity *i = &w->f.identity;

	while (i->boot_log_data.size < size)
		buf_puts(&i->boot_log_data, "what the firmware measured, and wrote down");
	assert_int_equal(digest_sha256(i->boot_log_data.data, i->boot_log_data.size, &i->boot_log),
			 0);
}

/* Once, to a verifier that asks for it; one of before never hears of it. */
static void test_boot_log(void **state)
{
	struct report_fixture *w = *state;

	report_fixture_start(w);
	has_log(w, 100000);
	report_now(w->report);
	report_fixture_until(w, report_fixture_accepted, 1, "accepted");
	assert_int_equal(w->f.verifier.n_boot_logs, 0);
	assert_true(digest_equal(&w->f.verifier.bound_boot_log, &w->f.identity.boot_log));
	w->f.verifier.asks_boot_log = true;
	report_now(w->report);
	report_fixture_until(w, report_fixture_accepted, 2, "accepted with the log");
	assert_int_equal(w->f.verifier.n_boot_logs, 1);
	report_now(w->report);
	report_fixture_until(w, report_fixture_accepted, 3, "accepted without");
	assert_int_equal(w->f.verifier.n_boot_logs, 1);
	w->f.verifier.held_boot_log.bytes[0]++;
	report_now(w->report);
	report_fixture_until(w, report_fixture_accepted, 4, "accepted with the log again");
	assert_int_equal(w->f.verifier.n_boot_logs, 2);
}

/* Beside many lines there is no room for it: it goes with the next evidence. */
static void test_boot_log_beside_lines(void **state)
{
	struct report_fixture *w = *state;

	w->o.max_bytes = 400000;
	w->f.verifier.asks_boot_log = true;
	report_fixture_start(w);
	has_log(w, 100000);
	report_fixture_claims(w, 1500);
	report_now(w->report);
	report_fixture_until(w, report_fixture_accepted, 1, "accepted");
	assert_int_equal(w->f.verifier.n_boot_logs, 0);
	report_now(w->report);
	report_fixture_until(w, report_fixture_accepted, 2, "accepted with the log");
	assert_int_equal(w->f.verifier.n_boot_logs, 1);
	fake_verifier_expect_whole(&w->f.verifier, w->f.ledger);
}

static void test_not_accepted(void **state)
{
	static const enum plumb_result results[] = {PLUMB_RESULT_SEND_AGAIN, PLUMB_RESULT_REFUSED,
						    PLUMB_RESULT_FORKED};
	struct report_fixture *w = *state;

	report_fixture_start(w);
	for (size_t i = 0; i < 3; i++) {
		unsigned int n = w->f.verifier.n_evidence, accepted = w->f.verifier.n_accepted;

		w->f.verifier.give = results[i];
		report_now(w->report);
		report_fixture_until(w, has_sent, n + 1, "evidence was sent");
		spin(w, 50);
		assert_int_equal(w->f.verifier.n_accepted, accepted);
		w->f.verifier.give = 0;
		/* A stop tries once more, whatever was waited for. */
		report_last(w->report, false);
		report_fixture_until(w, report_fixture_accepted, accepted + 1,
				     "accepted in the end");
	}
	fake_verifier_expect_whole(&w->f.verifier, w->f.ledger);
}

static uint64_t ahead_ns;

static uint64_t later_boot_ns(void *ctx)
{
	(void)ctx;
	return clock_boot_ns(clock_system()) + ahead_ns;
}

static uint64_t utc_ns(void *ctx)
{
	(void)ctx;
	return clock_utc_ns(clock_system());
}

static uint64_t n_anchors(const struct report_fixture *w)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/anchors", w->f.ledger);
	assert_int_equal(stat(path, &st), 0);
	return (uint64_t)st.st_size / EXTEND_BYTES;
}

/*
 * One that gives nonces, and takes nothing: evidence must hold all anchors since the last that it took, and there is a bound on them. So
 * they are spared as when nobody answers.
 */
static void takes_nothing(struct report_fixture *w, enum fake_verifier_fault fault, int status)
{
	static const struct clock later = {utc_ns, later_boot_ns, NULL};
	unsigned int sent;
	uint64_t before;
	char path[64];

	ahead_ns = 0;
	w->o.clock = &later;
	report_fixture_start(w);
	report_now(w->report);
	report_fixture_until(w, report_fixture_accepted, 1, "accepted");
	if (status)
		fake_verifier_fail(&w->f.verifier, WIRE_ROUTE_EVIDENCE, fault, status, 1000000);
	else
		w->f.verifier.give = PLUMB_RESULT_REFUSED;
	agent_fixture_drift(&w->f, "/tmp/untaken");
	sent = w->f.verifier.n_nonce;
	report_fixture_until(w, has_asked, sent + 2, "refused, and asked again");
	ahead_ns = 120000000000ull;
	report_fixture_until(w, has_asked, sent + 4, "and again, two minutes later");
	before = n_anchors(w);
	for (int i = 0; i < 200; i++) {
		snprintf(path, sizeof(path), "/tmp/news%d", i);
		agent_fixture_drift(&w->f, path);
		spin(w, 15);
	}
	/* Three seconds: each two of them one. */
	assert_in_range(n_anchors(w) - before, 1, 4);
	w->f.verifier.faults = 0;
	w->f.verifier.give = 0;
	report_last(w->report, false);
	report_fixture_until(w, report_fixture_accepted, 2, "accepted in the end");
	expect_confirmed(w, ledger_writer_size(w->f.writer) - 2, "all of it");
}

static void test_takes_nothing(void **state)
{
	takes_nothing(*state, FAKE_VERIFIER_STATUS, 500);
}

static void test_takes_nothing_too_large(void **state)
{
	takes_nothing(*state, FAKE_VERIFIER_EMPTY, 413);
}

static void test_refuses(void **state)
{
	takes_nothing(*state, FAKE_VERIFIER_STATUS, 0);
}

/* A verifier that does not know this certificate is asked rarely; a ledger that was put back is not sent at all. */
static void test_refused_and_shorter(void **state)
{
	struct report_fixture *w = *state;

	report_fixture_start(w);
	fake_verifier_fail(&w->f.verifier, "/v1/", FAKE_VERIFIER_STATUS, 403, 1);
	report_now(w->report);
	report_fixture_until(w, has_met_faults, 0, "refused");
	spin(w, 300);
	assert_int_equal(w->f.verifier.n_nonce, 0);
	w->f.verifier.size = 100000;
	report_last(w->report, false);
	report_fixture_until(w, has_asked, 1, "asked");
	spin(w, 300);
	assert_int_equal(w->f.verifier.n_evidence, 0);
	agent_fixture_drift(&w->f, "/tmp/shorter");
	w->f.verifier.size = 0;
	report_last(w->report, false);
	report_fixture_until(w, report_fixture_accepted, 1, "accepted");
	assert_true(w->f.verifier.n_nonce <= 3);
	fake_verifier_expect_whole(&w->f.verifier, w->f.ledger);
}

/* A nonce that is too old when it comes makes no hurry. */
static void test_short_life(void **state)
{
	struct report_fixture *w = *state;

	w->f.verifier.life_ms = 100;
	report_fixture_start(w);
	report_now(w->report);
	report_fixture_until(w, has_asked, 3, "asked");
	assert_int_equal(w->f.verifier.n_evidence, 0);
	w->f.verifier.life_ms = UINT64_MAX >> 1;
	report_fixture_until(w, report_fixture_accepted, 1, "accepted");
	assert_true(w->f.verifier.n_nonce < 10);
}

static void test_orders_and_certificate(void **state)
{
	struct report_fixture *w = *state;

	buf_puts(&w->f.verifier.order, "{\"payload\":\"\"}");
	w->f.verifier.order_number = 4;
	fake_verifier_issue(&w->f.verifier, "node", w->f.client_key, 7200,
			    &w->f.verifier.certificate);
	report_fixture_start(w);
	report_now(w->report);
	report_fixture_until(w, report_fixture_accepted, 1, "accepted");
	assert_int_equal(w->n_orders, 1);
	assert_int_equal(w->n_renewed, 1);
	report_now(w->report);
	report_fixture_until(w, report_fixture_accepted, 2, "accepted");
	assert_int_equal(w->n_orders, 1);
	assert_int_equal(w->f.verifier.last_order, 4);
	/* None inside what was not accepted. */
	w->f.verifier.give = PLUMB_RESULT_REFUSED;
	w->n_renewed = 0;
	report_now(w->report);
	report_fixture_until(w, has_asked, 4, "refused, and asked again");
	assert_int_equal(w->n_renewed, 0);
}

/* Killed in the middle: the next start goes on from where the verifier stands. */
static void test_restart(void **state)
{
	struct report_fixture *w = *state;
	struct transport_options o = {w->f.verifier.url, (char *)w->f.verifier.ca.data,
				      (char *)w->f.client_cert.data, (char *)w->f.client_pem.data};
	struct why why = {""};

	report_fixture_start(w);
	report_now(w->report);
	report_fixture_until(w, report_fixture_accepted, 1, "accepted");
	agent_fixture_drift(&w->f, "/tmp/killed");
	report_fixture_until(w, has_drift, 1, "drift was told");
	agent_fixture_stop(&w->f);
	w->report = report_free(w->report);
	assert_int_equal(transport_open(w->f.base, &o, &w->f.transport, &why), 0);
	report_fixture_start(w);
	report_now(w->report);
	report_fixture_until(w, report_fixture_accepted, 2, "accepted");
	fake_verifier_expect_whole(&w->f.verifier, w->f.ledger);
	assert_int_equal(agent_fixture_count(&w->f, "exec:/tmp/killed", "drift"), 1);
}

/* The register is not as the anchors say: nothing is sent that would prove nothing, and what is found is told. */
static void test_foreign_extend(void **state)
{
	struct report_fixture *w = *state;

	report_fixture_start(w);
	report_now(w->report);
	report_fixture_until(w, report_fixture_accepted, 1, "accepted");
	fake_tpm_pcrs(w->f.tpm)->values[15].bytes[0] ^= 1;
	report_now(w->report);
	report_fixture_until(w, report_fixture_accepted, 2, "accepted with what was found");
	assert_int_equal(agent_fixture_count(&w->f, "\"type\":\"epoch\"", "\"foreign\":true"), 1);
	fake_verifier_expect_whole(&w->f.verifier, w->f.ledger);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, report_fixture_make, report_fixture_end)
	const struct CMUnitTest tests[] = {
		T(test_evidence),
		T(test_drift),
		T(test_drift_before_first_answer),
		T(test_away_and_back),
		T(test_faults),
		T(test_pieces),
		T(test_pieces_by_size),
		T(test_takes_less),
		T(test_boot_log),
		T(test_boot_log_beside_lines),
		T(test_not_accepted),
		T(test_takes_nothing),
		T(test_takes_nothing_too_large),
		T(test_refuses),
		T(test_refused_and_shorter),
		T(test_short_life),
		T(test_orders_and_certificate),
		T(test_restart),
		T(test_foreign_extend),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
