/* SPDX-License-Identifier: Apache-2.0 */
/* A way to the verifier that carries less in a nonce's life than is waiting: it goes in signed pieces first, and in one body again when that is over. */
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
	size_t late_above; /* bytes of an evidence that comes when its nonce is too old; 0: none does */
	unsigned int n_late;
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
	if (report_open(w->f.base, &o, &w->report, &why) < 0)
		fail_msg("%s", why.text);
}

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

	agent_fixture_init(&w->f);
	w->f.anchored = on_anchored;
	w->f.ctx = w;
	w->f.verifier.other = on_request;
	w->f.verifier.ctx = w;
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

static void add_many(struct world *w, unsigned int n)
{
	char key[64];

	for (unsigned int i = 0; i < n; i++) {
		snprintf(key, sizeof(key), "boot:claim%u", i);
		agent_fixture_measure(&w->f, PLUMB_TYPE_CLAIM, key, "some value");
	}
}

static void test_slow_way(void **state)
{
	struct world *w = *state;
	struct fake_verifier *v = &w->f.verifier;
	unsigned int n_signed;

	w->late_above = 200000;
	start(w);
	add_many(w, 4000);
	report_now(w->report);
	until(w, has_accepted, 1, "accepted");
	assert_in_range(w->n_late, 1, 4);
	assert_true(v->n_signed >= 2);
	assert_true(v->confirmed > 4000);
	fake_verifier_expect_whole(v, w->f.ledger);
	/* The way is good again: what waits goes in one body. */
	w->late_above = 0;
	n_signed = v->n_signed;
	v->largest = 0;
	add_many(w, 4000);
	report_now(w->report);
	until(w, has_accepted, 2, "accepted in one body");
	assert_int_equal(v->n_signed, n_signed);
	assert_true(v->largest > 400000);
	fake_verifier_expect_whole(v, w->f.ledger);
}

static bool was_late(void *ctx)
{
	const struct world *w = ctx;

	return w->n_late >= w->want;
}

/* What is late although it is small is late for another reason: to send less would be no help. */
static void test_late_though_small(void **state)
{
	struct world *w = *state;
	struct fake_verifier *v = &w->f.verifier;

	w->late_above = 1;
	start(w);
	report_now(w->report);
	until(w, was_late, 3, "late");
	w->late_above = 0;
	add_many(w, 4000);
	until(w, has_accepted, 1, "accepted");
	report_now(w->report);
	until(w, has_accepted, 2, "accepted with all");
	assert_int_equal(v->n_signed, 0);
	fake_verifier_expect_whole(v, w->f.ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_slow_way, make, end),
		cmocka_unit_test_setup_teardown(test_late_though_small, make, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
