/* SPDX-License-Identifier: Apache-2.0 */
#include "report_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"

static void on_orders(void *ctx, const struct buf *envelopes, uint32_t n)
{
	struct report_fixture *w = ctx;

	(void)envelopes;
	w->n_orders += n;
	w->last_order = w->f.verifier.order_number;
}

static void on_renewed(void *ctx, const struct buf *pem)
{
	struct report_fixture *w = ctx;

	assert_memory_equal(pem->data, w->f.verifier.certificate.data, pem->size);
	w->n_renewed++;
}

static void on_standing(void *ctx, uint64_t *ret_last_order, uint64_t *ret_baseline_version)
{
	const struct report_fixture *w = ctx;

	*ret_last_order = w->last_order;
	*ret_baseline_version = w->baseline_version;
}

static void on_anchored(void *ctx)
{
	struct report_fixture *w = ctx;

	if (w->report)
		report_anchored(w->report);
}

static void on_drift(void *ctx)
{
	struct report_fixture *w = ctx;

	if (w->report)
		report_drift(w->report);
}

void report_fixture_start(struct report_fixture *w)
{
	struct why why = {""};

	agent_fixture_start(&w->f);
	if (w->witness)
		snprintf(w->f.identity.record.witness_name,
			 sizeof(w->f.identity.record.witness_name), "%s", w->witness);
	w->o.transport = w->f.transport;
	w->o.queue = w->f.queue;
	w->o.writer = w->f.writer;
	w->o.identity = &w->f.identity;
	if (!w->o.clock)
		w->o.clock = clock_system();
	w->o.io = fsio_system();
	w->o.ledger_dir = w->f.ledger;
	w->o.client_key = w->f.client_id;
	w->o.orders = on_orders;
	w->o.renewed = on_renewed;
	w->o.standing = on_standing;
	w->o.ctx = w;
	if (w->o.interval_ms == 0)
		w->o.interval_ms = 600000;
	if (report_open(w->f.base, &w->o, &w->report, &why) < 0)
		fail_msg("%s", why.text);
}

void report_fixture_open(struct report_fixture *w)
{
	agent_fixture_init(&w->f);
	w->f.anchored = on_anchored;
	w->f.drift = on_drift;
	w->f.ctx = w;
}

void report_fixture_done(struct report_fixture *w)
{
	agent_fixture_stop(&w->f);
	w->report = report_free(w->report);
	agent_fixture_done(&w->f);
}

int report_fixture_make(void **state)
{
	struct report_fixture *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	report_fixture_open(w);
	*state = w;
	return 0;
}

int report_fixture_end(void **state)
{
	report_fixture_done(*state);
	free(*state);
	return 0;
}

bool report_fixture_accepted(void *ctx)
{
	const struct report_fixture *w = ctx;

	return w->f.verifier.n_accepted >= w->want && report_is_idle(w->report);
}

void report_fixture_until(struct report_fixture *w, bool (*fn)(void *ctx), unsigned int want,
			  const char *what)
{
	w->want = want;
	agent_fixture_until(&w->f, fn, w, what);
}

void report_fixture_claims(struct report_fixture *w, unsigned int n)
{
	char key[64];

	for (unsigned int i = 0; i < n; i++) {
		snprintf(key, sizeof(key), "boot:claim%u", i);
		agent_fixture_measure(&w->f, PLUMB_TYPE_CLAIM, key, "some value");
	}
}
