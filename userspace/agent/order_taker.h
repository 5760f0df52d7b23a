/* SPDX-License-Identifier: Apache-2.0 */
/*
 * order_taker.h: takes the verifier's orders: signature, node, incarnation and number are checked, then it is carried out, once and upwards,
 * and an `order` line says what became of it. In: envelopes (foreign). Out: lines; another baseline; a wish for evidence.
 */
#ifndef PLUMB_ORDER_TAKER_H
#define PLUMB_ORDER_TAKER_H

#include <stdbool.h>
#include "baseline.h"
#include "clock.h"
#include "isolate.h"
#include "ledger_writer.h"
#include "record.h"
#include "transport.h"
#include "why.h"

struct order_taker;

struct order_taker_options {		/* all borrowed */
	const struct fsio *io;
	const struct clock *clock;
	const struct record *record;
	struct ledger_writer *writer;
	struct transport *transport;
	const char *record_path;	/* the ledger's record.json: an order may change the key in it */
	const char *baseline_path;	/* where an ordered baseline is kept */
	const struct baseline *baseline;	/* judged by now; NULL: none */
	void (*evidence)(void *ctx);	/* is wanted now */
	void (*scan)(void *ctx);	/* of everything is wanted now */
	void (*restart)(void *ctx, uint64_t until_ns);	/* a stop until then (boot time) is announced; NULL: nobody hinders one */
	void (*judged_anew)(void *ctx);	/* another baseline judges: tell all claims again, then evidence */
	int (*rekey)(void *ctx);	/* new keys, after a stop that it brings about; NULL: cannot be done */
	void *rekey_ctx;
	struct isolate *isolate;	/* NULL: quarantine and release are noted, and nothing is done */
	void *ctx;
};

int order_taker_open(const struct order_taker_options *o, struct order_taker **ret, struct why *ret_why);
struct order_taker *order_taker_free(struct order_taker *t);	/* after transport_free() */
void order_taker_take(struct order_taker *t, const struct buf *envelopes, uint32_t n);	/* oldest first */
/*
 * What comes from now on, and a baseline that is still on its way, is given again at the next start: nobody could carry it out, and its line would
 * follow the `stop`. t NULL: nothing.
 */
void order_taker_stop(struct order_taker *t);
void order_taker_scanned(struct order_taker *t);	/* what `scan` asked for has ended: its order has a second line; t NULL: nothing */
uint64_t order_taker_last(const struct order_taker *t);		/* carried out or refused */
uint64_t order_taker_baseline(const struct order_taker *t);	/* version that judges; 0: none */
uint64_t order_taker_restart(const struct order_taker *t);	/* number of the order that a stop now would be covered by; 0: none */

#endif
