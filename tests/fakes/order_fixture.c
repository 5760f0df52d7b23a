/* SPDX-License-Identifier: Apache-2.0 */
#include "order_fixture.h"

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
#include "plumb/wire.h"
#include "verifier_fixture.h"

static uint64_t utc(void *ctx)
{
	(void)ctx;
	return 1700000000ull * 1000000000;
}

static uint64_t boot(void *ctx)
{
	return ((struct order_fixture *)ctx)->boot_ns;
}

static void on_evidence(void *ctx)
{
	((struct order_fixture *)ctx)->n_evidence++;
}

static void on_scan(void *ctx)
{
	((struct order_fixture *)ctx)->n_scan++;
}

static void on_restart(void *ctx, uint64_t until_ns)
{
	((struct order_fixture *)ctx)->door_ns = until_ns;
}

static void on_anew(void *ctx)
{
	((struct order_fixture *)ctx)->n_anew++;
}

static int on_rekey(void *ctx)
{
	struct order_fixture *w = ctx;

	w->n_rekey++;
	return w->rekey_result;
}

void order_fixture_open_taker(struct order_fixture *w)
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

void order_fixture_start(struct order_fixture *w)
{
	agent_fixture_start(&w->f);
	w->record = w->f.identity.record;
	w->record.order_key = w->record.baseline_keys[0] = (struct buf){0};
	assert_int_equal(sign_key_spki(w->f.verifier.order_key, &w->record.order_key), 0);
	assert_int_equal(sign_key_spki(w->approver, &w->record.baseline_keys[0]), 0);
	w->record.n_baseline_keys = 1;
	order_fixture_open_taker(w);
}

void order_fixture_stop(struct order_fixture *w)
{
	agent_fixture_stop(&w->f);
	w->taker = order_taker_free(w->taker);
	buf_done(&w->record.order_key);
	buf_done(&w->record.baseline_keys[0]);
}

int order_fixture_make(void **state)
{
	struct order_fixture *w = calloc(1, sizeof(*w));

	agent_fixture_init(&w->f);
	w->clock = (struct clock){utc, boot, w};
	w->boot_ns = 1000000000;
	assert_int_equal(sign_key_generate(SIGN_ED25519, &w->approver), 0);
	assert_int_equal(sign_key_generate(SIGN_ED25519, &w->stranger), 0);
	snprintf(w->baseline_path, sizeof(w->baseline_path), "%s/baseline.jsonl", w->f.dir);
	snprintf(w->record_path, sizeof(w->record_path), "%s/kept-record.json", w->f.dir);
	order_fixture_start(w);
	*state = w;
	return 0;
}

int order_fixture_end(void **state)
{
	struct order_fixture *w = *state;

	order_fixture_stop(w);
	sign_key_free(w->approver);
	sign_key_free(w->stranger);
	agent_fixture_done(&w->f);
	free(w);
	return 0;
}

struct order order_fixture_order(const struct order_fixture *w, uint64_t number,
				 enum order_kind kind)
{
	struct order o = {.number = number,
			  .kind = kind,
			  .incarnation = w->record.incarnation,
			  .reason = "a test",
			  .life_ms = 60000};

	memcpy(o.node, w->record.node, sizeof(o.node));
	return o;
}

void order_fixture_seal(const struct order *o, const struct sign_key *key, const char *type,
			struct buf *ret)
{
	struct buf payload = {0};

	assert_int_equal(order_write(o, &payload), 0);
	assert_int_equal(dsse_sign(type, payload.data, payload.size,
				   (const struct sign_key *const *)&key, 1, ret),
			 0);
	buf_done(&payload);
}

void order_fixture_give(struct order_fixture *w, const struct order *o)
{
	struct buf b = {0};

	order_fixture_seal(o, w->f.verifier.order_key, WIRE_DSSE_ORDER, &b);
	order_taker_take(w->taker, &b, 1);
	buf_done(&b);
}

uint32_t order_fixture_lines(struct order_fixture *w, const char *one, const char *two)
{
	assert_int_equal(ledger_sync(ledger_writer_ledger(w->f.writer)), 0);
	return agent_fixture_count(&w->f, one, two);
}
