/* SPDX-License-Identifier: Apache-2.0 */
#include "order_taker.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "dsse.h"
#include "jsonl.h"
#include "log.h"
#include "order.h"
#include "plumb/wire.h"

#define MAX_ORDER 8192

struct order_taker {
	struct order_taker_options o;
	struct sign_key *key;
	struct baseline *own; /* one that was ordered since the start */
	uint64_t last, baseline_version;
	bool busy; /* a baseline is being fetched for `at_hand` */
	struct order at_hand;
	uint64_t restart, restart_until_ns; /* boot time */
};

int order_taker_open(const struct order_taker_options *o, struct order_taker **ret,
		     struct why *ret_why)
{
	struct order_taker *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	t->o = *o;
	t->last = ledger_writer_last_order(o->writer);
	t->baseline_version = o->baseline ? baseline_info(o->baseline)->version : 0;
	r = sign_key_from_spki(o->record->order_key.data, o->record->order_key.size, &t->key,
			       ret_why);
	if (r < 0) {
		free(t);
		return r;
	}
	*ret = t;
	return 0;
}

struct order_taker *order_taker_free(struct order_taker *t)
{
	if (!t)
		return NULL;
	sign_key_free(t->key);
	baseline_free(t->own);
	free(t);
	return NULL;
}

static void finish(struct order_taker *t, const struct order *o, const char *result)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct jsonl j = {.buf = &b};
	char issued[CLOCK_TEXT_SIZE];

	clock_text(o->issued_ns, issued);
	jsonl_uint(&j, "number", o->number);
	jsonl_str(&j, "kind", order_kind_name(o->kind));
	jsonl_str(&j, "issued", issued);
	jsonl_str(&j, "reason", o->reason);
	jsonl_str(&j, "case", o->case_id);
	jsonl_str(&j, "result", result);
	t->last = o->number;
	if (buf_status(&b) < 0 ||
	    ledger_writer_record(t->o.writer, PLUMB_TYPE_ORDER, "order", (char *)b.data) < 0)
		log_error("order=%" PRIu64 " unwritten next=\"it counts as taken all the same\"",
			  o->number);
	commit_appended(ledger_writer_commit(t->o.writer), true);
	log_notice("order=%" PRIu64 " kind=%s result=\"%s\" reason=\"%s\"", o->number,
		   order_kind_name(o->kind), result, o->reason);
}

static int open_new(struct order_taker *t, const struct buf *body, struct baseline **ret,
		    struct why *ret_why)
{
	struct sign_key *keys[RECORD_MAX_KEYS] = {NULL};
	uint32_t n = 0;
	struct digest d;
	int r = digest_sha256(body->data, body->size, &d);

	if (r >= 0 && !digest_equal(&d, &t->at_hand.document))
		r = why_set(ret_why, -EBADMSG, "what came is not the document that was ordered");
	for (uint32_t i = 0; r >= 0 && i < t->o.record->n_baseline_keys; i++)
		if (sign_key_from_spki(t->o.record->baseline_keys[i].data,
				       t->o.record->baseline_keys[i].size, &keys[n], ret_why) >= 0)
			n++;
	if (r >= 0 && n == 0)
		r = why_set(ret_why, -EKEYREJECTED,
			    "the enrolment record names nobody who may sign baselines");
	if (r >= 0)
		r = fsio_replace_file(t->o.io, t->o.baseline_path, body->data, body->size, 0600);
	if (r >= 0)
		r = baseline_open(t->o.io, t->o.baseline_path, (const struct sign_key *const *)keys,
				  n, 0, ret, ret_why);
	for (uint32_t i = 0; i < n; i++)
		sign_key_free(keys[i]);
	return r;
}

static void on_baseline(void *ctx, int r, const struct buf *body, const struct why *why)
{
	struct order_taker *t = ctx;
	struct baseline *b = NULL, *before = t->own;
	struct why own = *why;
	char result[320];

	t->busy = false;
	/* The verifier will say it again; what it does not have it may have later. */
	if (r < 0) {
		if (r != -ECANCELED)
			log_warning("order=%" PRIu64
				    " baseline=unfetched error=\"%s\" next=\"tried again when it "
				    "is ordered again\"",
				    t->at_hand.number, why->text);
		return;
	}
	r = open_new(t, body, &b, &own);
	if (r >= 0)
		r = ledger_writer_set_baseline(t->o.writer, b);
	if (r < 0) {
		baseline_free(b);
		snprintf(result, sizeof(result), "refused: %s",
			 own.text[0] ? own.text : strerror(-r));
		finish(t, &t->at_hand, result);
		return;
	}
	t->own = b;
	t->baseline_version = baseline_info(b)->version;
	baseline_free(before);
	finish(t, &t->at_hand, "done");
	t->o.judged_anew(t->o.ctx);
}

static void fetch_baseline(struct order_taker *t, const struct order *o)
{
	int r;

	t->at_hand = *o;
	r = transport_baseline(t->o.transport, &o->document, on_baseline, t);
	t->busy = r >= 0;
	if (r < 0)
		log_warning("order=%" PRIu64 " baseline=unfetched error=\"%s\" next=\"tried again "
			    "when it is ordered again\"",
			    o->number, strerror(-r));
}

static void carry_out(struct order_taker *t, const struct order *o)
{
	switch (o->kind) {
	case ORDER_CHALLENGE:
		finish(t, o, "done");
		t->o.evidence(t->o.ctx);
		break;
	case ORDER_BASELINE:
		fetch_baseline(t, o);
		break;
	case ORDER_RESTART:
		t->restart = o->number;
		t->restart_until_ns = clock_boot_ns(t->o.clock) + o->life_ms * 1000000;
		finish(t, o, "done");
		break;
	default:
		/* Isolation on the node itself is a later release's; that it was ordered must be seen. */
		finish(t, o, "noted: this release does not isolate by itself");
		break;
	}
}

static int open_order(const struct order_taker *t, const struct buf *envelope, struct order *ret,
		      struct why *ret_why)
{
	CLEANUP(buf_done) struct buf payload = {0};
	int r = dsse_open(envelope->data, envelope->size, MAX_ORDER, WIRE_DSSE_ORDER,
			  (const struct sign_key *const *)&t->key, 1, &payload, NULL, ret_why);

	if (r >= 0)
		r = order_parse(payload.data, payload.size, ret, ret_why);
	if (r >= 0 && (strcmp(ret->node, t->o.record->node) != 0 ||
		       ret->incarnation != t->o.record->incarnation))
		r = why_set(ret_why, -EKEYREJECTED, "it is for another node or incarnation");
	return r;
}

void order_taker_take(struct order_taker *t, const struct buf *envelopes, uint32_t n)
{
	struct order o;
	struct why why;

	for (uint32_t i = 0; i < n && !t->busy; i++) {
		int r = open_order(t, &envelopes[i], &o, &why);

		if (r < 0)
			log_error("order=refused error=\"%s\" next=\"it is not carried out\"",
				  why.text);
		else if (o.number > t->last)
			carry_out(t, &o);
	}
}

uint64_t order_taker_last(const struct order_taker *t)
{
	return t->last;
}

uint64_t order_taker_baseline(const struct order_taker *t)
{
	return t->baseline_version;
}

uint64_t order_taker_restart(const struct order_taker *t)
{
	return t->restart && clock_boot_ns(t->o.clock) <= t->restart_until_ns ? t->restart : 0;
}
