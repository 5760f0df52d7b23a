/* SPDX-License-Identifier: Apache-2.0 */
/*
 * order_fixture.h: an agent that takes orders: its ledger, its transport to a verifier in memory, an approver. In: orders. Out: what it was asked to do,
 * order lines. Failures end the test (cmocka).
 */
#ifndef PLUMB_ORDER_FIXTURE_H
#define PLUMB_ORDER_FIXTURE_H

#include "agent_fixture.h"
#include "clock.h"
#include "order.h"
#include "order_taker.h"

struct order_fixture {
	struct agent_fixture f;
	struct order_taker *taker;
	struct record record;
	struct isolate *isolate;
	struct sign_key *approver, *stranger;
	char baseline_path[128];
	uint64_t boot_ns;
	struct clock clock;
	unsigned int n_evidence, n_anew, n_scan, want;
	uint64_t door_ns;
	char record_path[128];
	int rekey_result;
	unsigned int n_rekey;
};

void order_fixture_open_taker(struct order_fixture *w);
void order_fixture_start(struct order_fixture *w);
void order_fixture_stop(struct order_fixture *w);
int order_fixture_make(void **state);
int order_fixture_end(void **state);
struct order order_fixture_order(const struct order_fixture *w, uint64_t number,
				 enum order_kind kind);
void order_fixture_seal(const struct order *o, const struct sign_key *key, const char *type,
			struct buf *ret);
void order_fixture_give(struct order_fixture *w, const struct order *o);
uint32_t order_fixture_lines(struct order_fixture *w, const char *one, const char *two);

#endif
