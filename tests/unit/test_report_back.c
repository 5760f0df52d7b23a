/* SPDX-License-Identifier: Apache-2.0 */
/* A verifier that was put back from an older store: the node notices, by lines, by what is confirmed, by cosignatures on its disk; and says it once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "report_fixture.h"

static void start(struct report_fixture *w)
{
	w->witness = "test.example/verifier";
	report_fixture_start(w);
}

/* The verifier has less than it had: it is sent again, and the ledger says so once. */
static void test_verifier_goes_back(void **state)
{
	struct report_fixture *w = *state;
	struct fake_verifier *v = &w->f.verifier;
	const char *lf;

	start(w);
	report_now(w->report);
	report_fixture_until(w, report_fixture_accepted, 1, "accepted");
	v->size = 1;
	lf = strchr((char *)v->lines.data, '\n');
	buf_cut(&v->lines, (size_t)(lf + 1 - (char *)v->lines.data));
	v->has_base = false;
	for (unsigned int i = 2; i < 4; i++) {
		report_now(w->report);
		report_fixture_until(w, report_fixture_accepted, i, "accepted again");
	}
	fake_verifier_expect_whole(v, w->f.ledger);
	assert_int_equal(agent_fixture_count(&w->f, "\"type\":\"lost\"", "\"of\":\"verifier\""), 1);
}

static unsigned int n_went_back(struct report_fixture *w)
{
	return agent_fixture_count(&w->f, "\"type\":\"lost\"", "\"of\":\"verifier\"");
}

/* All lines came provisionally before the copy was made: none is fewer, but nothing of them is confirmed any more. */
static void test_confirmed_goes_back(void **state)
{
	struct report_fixture *w = *state;

	w->f.verifier.says_base_size = true;
	start(w);
	report_now(w->report);
	report_fixture_until(w, report_fixture_accepted, 1, "accepted");
	report_now(w->report);
	report_fixture_until(w, report_fixture_accepted, 2, "accepted");
	assert_int_equal(n_went_back(w), 0);
	w->f.verifier.confirmed = 1;
	for (unsigned int i = 3; i < 5; i++) {
		report_now(w->report);
		report_fixture_until(w, report_fixture_accepted, i, "accepted again");
	}
	assert_int_equal(n_went_back(w), 1);
}

/* The quote shows it as well, by the orders that were seen. Told in two pieces of evidence it is found twice, and the second one after somebody settled the first. */
static void test_told_with_the_quote(void **state)
{
	struct report_fixture *w = *state;

	w->f.verifier.says_base_size = true;
	start(w);
	report_now(w->report);
	report_fixture_until(w, report_fixture_accepted, 1, "accepted");
	w->f.verifier.confirmed = 1;
	report_now(w->report);
	report_fixture_until(w, report_fixture_accepted, 2, "accepted again");
	assert_non_null(memmem(w->f.verifier.lines.data, w->f.verifier.lines.size,
			       "\"of\":\"verifier\"", strlen("\"of\":\"verifier\"")));
}

/* It goes back while no agent runs: the next one has a cosignature of more. */
static void test_goes_back_unseen(void **state)
{
	static const char theirs[] = "\u2014 test.example/verifier AAAA",
			  other[] = "\u2014 test.example/else AAAA";
	struct report_fixture *w = *state;
	struct fake_verifier *v = &w->f.verifier;
	struct transport_options o = {v->url, (char *)v->ca.data, (char *)w->f.client_cert.data,
				      (char *)w->f.client_pem.data};
	struct digest root = {{0}};
	struct why why = {""};

	v->says_base_size = true;
	start(w);
	report_now(w->report);
	report_fixture_until(w, report_fixture_accepted, 1, "accepted");
	assert_int_equal(ledger_note(ledger_writer_ledger(w->f.writer), v->size + 1000, &root,
				     theirs, sizeof(theirs) - 1),
			 0);
	/* The newest counts, not the largest, and nobody else's. */
	assert_int_equal(ledger_note(ledger_writer_ledger(w->f.writer), v->size, &root, theirs,
				     sizeof(theirs) - 1),
			 0);
	assert_int_equal(ledger_note(ledger_writer_ledger(w->f.writer), v->size + 7, &root, other,
				     sizeof(other) - 1),
			 0);
	for (unsigned int i = 2; i < 4; i++) {
		agent_fixture_stop(&w->f);
		w->report = report_free(w->report);
		assert_int_equal(transport_open(w->f.base, &o, &w->f.transport, &why), 0);
		if (i == 3)
			v->confirmed = 1;
		start(w);
		assert_int_equal(n_went_back(w), 0);
		report_now(w->report);
		report_fixture_until(w, report_fixture_accepted, i, "accepted");
	}
	report_now(w->report);
	report_fixture_until(w, report_fixture_accepted, 4, "accepted");
	assert_int_equal(n_went_back(w), 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, report_fixture_make, report_fixture_end)
	const struct CMUnitTest tests[] = {
		T(test_verifier_goes_back),
		T(test_confirmed_goes_back),
		T(test_told_with_the_quote),
		T(test_goes_back_unseen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
