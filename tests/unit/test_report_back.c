/* SPDX-License-Identifier: Apache-2.0 */
/* A verifier that was put back from an older store: the node notices, by lines, by what is confirmed, by cosignatures on its disk; and says it once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent_fixture.h"
#include "clock.h"
#include "report.h"

struct world {
	struct agent_fixture f;
	struct report *report;
	unsigned int want; /* of accepted evidence */
};

static void on_orders(void *ctx, const struct buf *envelopes, uint32_t n)
{
	(void)ctx;
	(void)envelopes;
	(void)n;
}

static void on_standing(void *ctx, uint64_t *ret_last_order, uint64_t *ret_baseline_version)
{
	(void)ctx;
	*ret_last_order = *ret_baseline_version = 0;
}

static void on_anchored(void *ctx)
{
	struct world *w = ctx;

	if (w->report)
		report_anchored(w->report);
}

static void start(struct world *w)
{
	struct report_options o = {.clock = clock_system(),
				   .io = fsio_system(),
				   .ledger_dir = w->f.ledger,
				   .client_key = w->f.client_id,
				   .identity = &w->f.identity,
				   .interval_ms = 600000,
				   .orders = on_orders,
				   .standing = on_standing,
				   .ctx = w};
	struct why why = {""};

	agent_fixture_start(&w->f);
	o.transport = w->f.transport;
	o.queue = w->f.queue;
	o.writer = w->f.writer;
	/* Of a record that a verifier gave. */
	snprintf(w->f.identity.record.witness_name, sizeof(w->f.identity.record.witness_name),
		 "test.example/verifier");
	if (report_open(w->f.base, &o, &w->report, &why) < 0)
		fail_msg("%s", why.text);
}

static int make(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	agent_fixture_init(&w->f);
	w->f.anchored = on_anchored;
	w->f.ctx = w;
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	agent_fixture_stop(&w->f);
	report_free(w->report);
	agent_fixture_done(&w->f);
	free(w);
	return 0;
}

static bool has_accepted(void *ctx)
{
	const struct world *w = ctx;

	return w->f.verifier.n_accepted >= w->want && report_is_idle(w->report);
}

static void until(struct world *w, bool (*fn)(void *ctx), unsigned int want, const char *what)
{
	w->want = want;
	agent_fixture_until(&w->f, fn, w, what);
}

/* The verifier has less than it had: it is sent again, and the ledger says so once. */
static void test_verifier_goes_back(void **state)
{
	struct world *w = *state;
	struct fake_verifier *v = &w->f.verifier;
	const char *lf;

	start(w);
	report_now(w->report);
	until(w, has_accepted, 1, "accepted");
	v->size = 1;
	lf = strchr((char *)v->lines.data, '\n');
	buf_cut(&v->lines, (size_t)(lf + 1 - (char *)v->lines.data));
	v->has_base = false;
	for (unsigned int i = 2; i < 4; i++) {
		report_now(w->report);
		until(w, has_accepted, i, "accepted again");
	}
	fake_verifier_expect_whole(v, w->f.ledger);
	assert_int_equal(agent_fixture_count(&w->f, "\"type\":\"lost\"", "\"of\":\"verifier\""), 1);
}

static unsigned int n_went_back(struct world *w)
{
	return agent_fixture_count(&w->f, "\"type\":\"lost\"", "\"of\":\"verifier\"");
}

/* All lines came provisionally before the copy was made: none is fewer, but nothing of them is confirmed any more. */
static void test_confirmed_goes_back(void **state)
{
	struct world *w = *state;

	w->f.verifier.says_base_size = true;
	start(w);
	report_now(w->report);
	until(w, has_accepted, 1, "accepted");
	report_now(w->report);
	until(w, has_accepted, 2, "accepted");
	assert_int_equal(n_went_back(w), 0);
	w->f.verifier.confirmed = 1;
	for (unsigned int i = 3; i < 5; i++) {
		report_now(w->report);
		until(w, has_accepted, i, "accepted again");
	}
	assert_int_equal(n_went_back(w), 1);
}

/* The quote shows it as well, by the orders that were seen. Told in two pieces of evidence it is found twice, and the second one after somebody settled the first. */
static void test_told_with_the_quote(void **state)
{
	struct world *w = *state;

	w->f.verifier.says_base_size = true;
	start(w);
	report_now(w->report);
	until(w, has_accepted, 1, "accepted");
	w->f.verifier.confirmed = 1;
	report_now(w->report);
	until(w, has_accepted, 2, "accepted again");
	assert_non_null(memmem(w->f.verifier.lines.data, w->f.verifier.lines.size,
			       "\"of\":\"verifier\"", strlen("\"of\":\"verifier\"")));
}

/* It goes back while no agent runs: the next one has a cosignature of more. */
static void test_goes_back_unseen(void **state)
{
	static const char theirs[] = "\u2014 test.example/verifier AAAA",
			  other[] = "\u2014 test.example/else AAAA";
	struct world *w = *state;
	struct fake_verifier *v = &w->f.verifier;
	struct transport_options o = {v->url, (char *)v->ca.data, (char *)w->f.client_cert.data,
				      (char *)w->f.client_pem.data};
	struct digest root = {{0}};
	struct why why = {""};

	v->says_base_size = true;
	start(w);
	report_now(w->report);
	until(w, has_accepted, 1, "accepted");
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
		until(w, has_accepted, i, "accepted");
	}
	report_now(w->report);
	until(w, has_accepted, 4, "accepted");
	assert_int_equal(n_went_back(w), 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, make, end)
	const struct CMUnitTest tests[] = {
		T(test_verifier_goes_back),
		T(test_confirmed_goes_back),
		T(test_told_with_the_quote),
		T(test_goes_back_unseen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
