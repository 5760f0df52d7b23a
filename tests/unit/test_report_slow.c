/* SPDX-License-Identifier: Apache-2.0 */
/* A way to the verifier that carries less in a nonce's life than is waiting: it goes in signed pieces first, and in one body again when that is over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include "report_fixture.h"

struct world {
	struct report_fixture r;
	size_t late_above; /* bytes of an evidence that comes when its nonce is too old; 0: none does */
	unsigned int n_late;
};

/* As a verifier of nonces that live for ten seconds, at the end of a slow way. */
static bool on_request(void *ctx, const struct fake_http_request *q, struct fake_http_answer *a)
{
	struct world *w = ctx;

	if (strcmp(q->path, WIRE_ROUTE_EVIDENCE) != 0 || w->late_above == 0 ||
	    q->size <= w->late_above)
		return false;
	w->n_late++;
	fake_http_say(
		a, 409,
		"{\"error\":\"the nonce is too old\",\"cure\":\"ask for a nonce and send anew\"}");
	return true;
}

static int make(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	report_fixture_open(&w->r);
	w->r.f.verifier.other = on_request;
	w->r.f.verifier.ctx = w;
	*state = w;
	return 0;
}

static void test_slow_way(void **state)
{
	struct world *w = *state;
	struct fake_verifier *v = &w->r.f.verifier;
	unsigned int n_signed;

	w->late_above = 200000;
	report_fixture_start(&w->r);
	report_fixture_claims(&w->r, 4000);
	report_now(w->r.report);
	report_fixture_until(&w->r, report_fixture_accepted, 1, "accepted");
	assert_in_range(w->n_late, 1, 4);
	assert_true(v->n_signed >= 2);
	assert_true(v->confirmed > 4000);
	fake_verifier_expect_whole(v, w->r.f.ledger);
	/* The way is good again: what waits goes in one body. */
	w->late_above = 0;
	n_signed = v->n_signed;
	v->largest = 0;
	report_fixture_claims(&w->r, 4000);
	report_now(w->r.report);
	report_fixture_until(&w->r, report_fixture_accepted, 2, "accepted in one body");
	assert_int_equal(v->n_signed, n_signed);
	assert_true(v->largest > 400000);
	fake_verifier_expect_whole(v, w->r.f.ledger);
}

static bool was_late(void *ctx)
{
	const struct world *w = ctx;

	return w->n_late >= w->r.want;
}

/* What is late although it is small is late for another reason: to send less would be no help. */
static void test_late_though_small(void **state)
{
	struct world *w = *state;
	struct fake_verifier *v = &w->r.f.verifier;

	w->late_above = 1;
	report_fixture_start(&w->r);
	report_now(w->r.report);
	report_fixture_until(&w->r, was_late, 3, "late");
	w->late_above = 0;
	report_fixture_claims(&w->r, 4000);
	report_fixture_until(&w->r, report_fixture_accepted, 1, "accepted");
	report_now(w->r.report);
	report_fixture_until(&w->r, report_fixture_accepted, 2, "accepted with all");
	assert_int_equal(v->n_signed, 0);
	fake_verifier_expect_whole(v, w->r.f.ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_slow_way, make, report_fixture_end),
		cmocka_unit_test_setup_teardown(test_late_though_small, make, report_fixture_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
