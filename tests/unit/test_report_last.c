/* SPDX-License-Identifier: Apache-2.0 */
/* The last evidence before a stop: it comes in as long as another try may help, and is not waited for where none does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "commit.h"
#include "report_fixture.h"

static bool is_idle(void *ctx)
{
	return report_is_idle(((const struct report_fixture *)ctx)->report);
}

static bool is_anchored(void *ctx)
{
	return commit_is_idle(ledger_writer_commit(((const struct report_fixture *)ctx)->f.writer));
}

static bool has_asked(void *ctx)
{
	const struct report_fixture *w = ctx;

	return w->f.verifier.n_nonce >= w->want;
}

static bool has_sent(void *ctx)
{
	const struct report_fixture *w = ctx;

	return w->f.verifier.n_evidence >= w->want;
}

static void test_last(void **state)
{
	struct report_fixture *w = *state;

	report_fixture_start(w);
	report_now(w->report);
	report_fixture_until(w, report_fixture_accepted, 1, "accepted");
	assert_false(w->f.verifier.leaving);
	assert_int_equal(ledger_writer_stop(w->f.writer, "signal", 7), 0);
	report_last(w->report, true);
	report_fixture_until(w, is_idle, 0, "sent");
	assert_int_equal(w->f.verifier.n_accepted, 2);
	assert_true(w->f.verifier.leaving);
	assert_non_null(strstr((char *)w->f.verifier.lines.data, "\"why\":\"signal\",\"order\":7"));
}

/* The stop waits neither for a verifier that is known to be away nor for one that went just now. */
static void test_while_away(void **state)
{
	struct report_fixture *w = *state;

	report_fixture_start(w);
	report_now(w->report);
	report_fixture_until(w, report_fixture_accepted, 1, "accepted");
	fake_verifier_stop(&w->f.verifier);
	report_last(w->report, false);
	report_fixture_until(w, is_idle, 0, "not waited for");
	report_last(w->report, false);
	report_fixture_until(w, is_idle, 0, "nor again");
	assert_int_equal(w->f.verifier.n_accepted, 1);
}

/* Begun as agent_stop() does; what hinders it at first ends a little later. */
static void begin_last(struct report_fixture *w)
{
	report_fixture_start(w);
	report_now(w->report);
	report_fixture_until(w, report_fixture_accepted, 1, "accepted");
	assert_int_equal(ledger_writer_stop(w->f.writer, "signal", 7), 0);
}

static void expect_last(struct report_fixture *w)
{
	report_fixture_until(w, is_idle, 0, "it came in");
	assert_int_equal(w->f.verifier.n_accepted, 2);
	assert_true(w->f.verifier.leaving);
	fake_verifier_expect_whole(&w->f.verifier, w->f.ledger);
}

/* Asked for again, the last evidence is made again, however long was waited before the stop. */
static void test_sent_again(void **state)
{
	struct report_fixture *w = *state;

	begin_last(w);
	w->f.verifier.give = PLUMB_RESULT_SEND_AGAIN;
	report_now(w->report);
	report_fixture_until(w, has_sent, 3, "sent, and again");
	report_last(w->report, true);
	report_fixture_until(w, has_sent, 5, "twice more");
	assert_false(report_is_idle(w->report));
	w->f.verifier.give = 0;
	expect_last(w);
}

/* So is one whose nonce was too old when the TPM was done, */
static void test_outdated(void **state)
{
	struct report_fixture *w = *state;

	begin_last(w);
	w->f.verifier.life_ms = 100;
	report_last(w->report, true);
	report_fixture_until(w, has_asked, 3, "asked again");
	assert_false(report_is_idle(w->report));
	w->f.verifier.life_ms = UINT64_MAX >> 1;
	expect_last(w);
}

/* and one whose quote is not as the anchors say. */
static void test_foreign(void **state)
{
	struct report_fixture *w = *state;

	begin_last(w);
	report_fixture_until(w, is_anchored, 0, "only the quote finds it");
	fake_tpm_pcrs(w->f.tpm)->values[15].bytes[0] ^= 1;
	report_last(w->report, true);
	expect_last(w);
	assert_int_equal(agent_fixture_count(&w->f, "\"type\":\"epoch\"", "\"foreign\":true"), 1);
}

/* What another try would be answered with the same is not tried again. */
static void test_refused(void **state)
{
	static const enum plumb_result results[] = {PLUMB_RESULT_REFUSED, PLUMB_RESULT_FORKED};
	struct report_fixture *w = *state;
	unsigned int n;

	begin_last(w);
	for (size_t i = 0; i < 2; i++) {
		n = w->f.verifier.n_evidence;
		w->f.verifier.give = results[i];
		report_last(w->report, true);
		report_fixture_until(w, is_idle, 0, "refused");
		assert_int_equal(w->f.verifier.n_evidence, n + 1);
	}
	fake_verifier_fail(&w->f.verifier, "/v1/", FAKE_VERIFIER_STATUS, 403, 1);
	report_last(w->report, true);
	report_fixture_until(w, is_idle, 0, "not known there");
	w->f.verifier.size = 100000;
	report_last(w->report, true);
	report_fixture_until(w, is_idle, 0, "shorter");
	assert_int_equal(w->f.verifier.n_evidence, n + 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, report_fixture_make, report_fixture_end)
	const struct CMUnitTest tests[] = {
		T(test_last),	  T(test_while_away), T(test_sent_again),
		T(test_outdated), T(test_foreign),    T(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
