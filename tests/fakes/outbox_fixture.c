/* SPDX-License-Identifier: Apache-2.0 */
#include "outbox_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

int outbox_fixture_send(void *ctx, const struct store_message *m, struct why *ret_why)
{
	struct outbox_target *t = ctx;

	(void)ret_why;
	assert_false(t->open);
	assert_true(t->n < OUTBOX_FIXTURE_SENT);
	snprintf(t->sent[t->n++], sizeof(t->sent[0]), "%s", (char *)m->body.data);
	if (t->refuses < 0)
		return t->refuses;
	t->open = true;
	return 0;
}

static int on_idle(void *ctx, struct why *ret_why)
{
	struct outbox_target *t = ctx;

	(void)ret_why;
	t->idles++;
	return 0;
}

static void start(struct outbox_fixture *w)
{
	const struct outbox_lane_options a = {.target = "webhook:a",
					      .send = outbox_fixture_send,
					      .idle = on_idle,
					      .ctx = &w->a},
					 b = {.target = "webhook:b",
					      .send = outbox_fixture_send,
					      .ctx = &w->b};

	assert_int_equal(outbox_open(&w->f.store, &w->f.clock, &w->o), 0);
	assert_int_equal(outbox_add(w->o, &a, &w->a.lane), 0);
	assert_int_equal(outbox_add(w->o, &b, &w->b.lane), 0);
}

void outbox_fixture_open(struct outbox_fixture *w)
{
	verifier_fixture_open(&w->f);
	start(w);
}

void outbox_fixture_restart(struct outbox_fixture *w)
{
	w->a = w->b = (struct outbox_target){.n = 0};
	outbox_free(w->o);
	verifier_fixture_stop(&w->f);
	verifier_fixture_start(&w->f);
	start(w);
}

void outbox_fixture_done(struct outbox_fixture *w)
{
	outbox_free(w->o);
	verifier_fixture_done(&w->f);
}
