/* SPDX-License-Identifier: Apache-2.0 */
#include "order_taker.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
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
#define MAX_RECORD (64u * 1024)
#define MAX_LIFE_MS (366ull * 86400000)

struct order_taker {
	struct order_taker_options o;
	struct sign_key *key;
	struct baseline *own; /* one that was ordered since the start */
	const struct baseline *baseline; /* the one that judges; NULL: none */
	uint64_t last, baseline_version;
	bool busy; /* a baseline is being fetched for `at_hand` */
	struct order at_hand;
	uint64_t unfetched; /* the last order whose baseline could not be had or kept; 0: none */
	struct why refused; /* why the last one was that could not be read */
	uint64_t restart, restart_until_ns; /* boot time */
	struct order scanning; /* the last scan, as long as it goes on; number 0: none does */
	bool stopped;
};

static void on_proven(void *ctx, const char *address)
{
	isolate_heard(ctx, address);
}

static const char *on_where(void *ctx, bool failed)
{
	return isolate_where(ctx, failed);
}

int order_taker_open(const struct order_taker_options *o, struct order_taker **ret,
		     struct why *ret_why)
{
	struct order_taker *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	t->o = *o;
	t->last = ledger_writer_last_order(o->writer);
	t->baseline = o->baseline;
	t->baseline_version = o->baseline ? baseline_info(o->baseline)->version : 0;
	r = sign_key_from_spki(o->record->order_key.data, o->record->order_key.size, &t->key,
			       ret_why);
	if (r < 0) {
		free(t);
		return r;
	}
	if (o->isolate && o->transport)
		transport_go_by(o->transport,
				&(struct transport_way){on_proven, on_where, o->isolate});
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

static void tell(struct order_taker *t, const struct order *o, const char *result)
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
	if (buf_status(&b) < 0 ||
	    ledger_writer_record(t->o.writer, PLUMB_TYPE_ORDER, "order", (char *)b.data) < 0)
		log_error("order=%" PRIu64 " unwritten next=\"it counts as taken all the same\"",
			  o->number);
	commit_appended(ledger_writer_commit(t->o.writer), true);
	log_notice("order=%" PRIu64 " kind=%s result=\"%s\" reason=\"%s\"", o->number,
		   order_kind_name(o->kind), result, o->reason);
}

static void finish(struct order_taker *t, const struct order *o, const char *result)
{
	t->last = o->number;
	tell(t, o, result);
}

static bool is_of_document(int r)
{
	return r == -EBADMSG || r == -EKEYREJECTED || r == -ESTALE || r == -E2BIG || r == -EFBIG ||
	       r == -EINVAL;
}

static int check_new(const struct order_taker *t, const struct baseline *b, struct why *ret_why)
{
	const struct baseline_info *i = baseline_info(b);
	const struct baseline_info *now = t->baseline ? baseline_info(t->baseline) : NULL;

	if (i->version != t->at_hand.version)
		return why_set(ret_why, -EBADMSG,
			       "it is version %" PRIu64 ", and %" PRIu64 " was ordered", i->version,
			       t->at_hand.version);
	/* It would bring back what was withdrawn. */
	if (now && strcmp(now->name, i->name) == 0 && i->version < now->version)
		return why_set(ret_why, -ESTALE,
			       "%.60s version %" PRIu64 " is older than version %" PRIu64
			       " that judges; sign it as a newer one",
			       i->name, i->version, now->version);
	return 0;
}

/* Renamed, and durably so. */
static int put_in_place(const struct order_taker *t, const char *from)
{
	char dir[PATH_MAX];
	char *slash;
	int r = t->o.io->ops->rename(t->o.io->ctx, from, t->o.baseline_path);

	if (r < 0)
		return r;
	snprintf(dir, sizeof(dir), "%s", t->o.baseline_path);
	slash = strrchr(dir, '/');
	if (slash)
		*slash = 0;
	return fsio_sync_dir(t->o.io, !slash ? "." : slash == dir ? "/" : dir);
}

/* The file that judges stays as it is until the new one was found good: a restart must find one that is. */
static int keep_new(struct order_taker *t, const struct buf *body,
		    const struct sign_key *const *keys, uint32_t n, struct baseline **ret,
		    struct why *ret_why)
{
	struct baseline *b = NULL;
	char path[PATH_MAX];
	int r = snprintf(path, sizeof(path), "%s.new", t->o.baseline_path) < (int)sizeof(path)
			? fsio_replace_file(t->o.io, path, body->data, body->size, 0600)
			: -ENAMETOOLONG;

	if (r >= 0)
		r = baseline_open(t->o.io, path, keys, n, 0, &b, ret_why);
	if (r >= 0)
		r = check_new(t, b, ret_why);
	if (r >= 0)
		r = put_in_place(t, path);
	if (r < 0) {
		baseline_free(b);
		fsio_unlink(t->o.io, path);
		return r;
	}
	*ret = b;
	return 0;
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
		r = keep_new(t, body, (const struct sign_key *const *)keys, n, ret, ret_why);
	for (uint32_t i = 0; i < n; i++)
		sign_key_free(keys[i]);
	return r;
}

static void refuse(struct order_taker *t, const char *text)
{
	char result[320];

	snprintf(result, sizeof(result), "refused: %.300s", text);
	finish(t, &t->at_hand, result);
	/* What was ordered after it comes with the next answer. */
	t->o.evidence(t->o.ctx);
}

static void unfetched(struct order_taker *t, const char *error)
{
	t->unfetched = t->at_hand.number;
	log_warning("order=%" PRIu64 " baseline=unfetched error=\"%s\" next=\"the old one judges; "
		    "tried again when it is ordered again\"",
		    t->at_hand.number, error);
}

static void on_baseline(void *ctx, int r, const struct buf *body, const struct why *why)
{
	struct order_taker *t = ctx;
	struct baseline *b = NULL, *before = t->own;
	struct why own = *why;

	t->busy = false;
	if (r == -ECANCELED || t->stopped)
		return;
	/* What could not wait for it went first. */
	if (t->at_hand.number <= t->last) {
		t->o.evidence(t->o.ctx);
		return;
	}
	/* It says itself that there is no such document, or none of a size that is allowed. */
	if (r == -ENOENT || r == -E2BIG) {
		refuse(t, own.text);
		return;
	}
	/* What it cannot give now it may give later. */
	if (r < 0) {
		unfetched(t, why->text);
		return;
	}
	r = open_new(t, body, &b, &own);
	/* Of this node's disk or memory, not of the document: the order stands. */
	if (r < 0 && !is_of_document(r)) {
		unfetched(t, own.text[0] ? own.text : strerror(-r));
		return;
	}
	if (r >= 0)
		r = ledger_writer_set_baseline(t->o.writer, b);
	if (r < 0) {
		baseline_free(b);
		refuse(t, own.text[0] ? own.text : strerror(-r));
		return;
	}
	t->own = b;
	t->baseline_version = baseline_info(b)->version;
	t->baseline = b;
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
		unfetched(t, strerror(-r));
}

/* As it lies on the disk: an order before this one may have changed it since the start. */
static int read_record(const struct order_taker *t, struct record *ret, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf text = {0}, again = {0};
	int r = fsio_read_file(t->o.io, t->o.record_path, MAX_RECORD, &text);

	/* There is none where nothing was ever changed and enrolment left it elsewhere: the one that we began with, then. */
	if (r == -ENOENT) {
		r = record_write(t->o.record, &again);
		return r < 0 ? r : record_parse(again.data, again.size, ret, ret_why);
	}
	return r < 0 ? r : record_parse(text.data, text.size, ret, ret_why);
}

static int write_record(const struct order_taker *t, const struct record *record)
{
	CLEANUP(buf_done) struct buf text = {0};
	int r = record_write(record, &text);

	return r < 0 ? r : fsio_replace_file(t->o.io, t->o.record_path, text.data, text.size, 0600);
}

static int check_kind(const struct order *o, enum sign_kind kind, const char *text,
		      struct sign_key **ret, struct why *ret_why)
{
	struct sign_key *key = NULL;
	int r = sign_key_from_spki(o->key, o->key_size, &key, ret_why);

	if (r >= 0 && sign_key_kind(key) != kind)
		r = why_set(ret_why, -EKEYREJECTED, "it is no %s key", text);
	if (r >= 0)
		*ret = key;
	else
		sign_key_free(key);
	return r;
}

/* On the disk first: from here on orders may come that the old key does not sign any more. */
static int keep_key(const struct order_taker *t, const struct order *o, struct sign_key **ret,
		    struct why *ret_why)
{
	CLEANUP(record_done) struct record record = {.incarnation = 0};
	struct sign_key *key = NULL;
	int r = check_kind(o, SIGN_P256, "P-256", &key, ret_why);

	if (r >= 0)
		r = read_record(t, &record, ret_why);
	if (r >= 0) {
		buf_clear(&record.order_key);
		buf_put(&record.order_key, o->key, o->key_size);
		r = buf_status(&record.order_key);
	}
	if (r >= 0)
		r = write_record(t, &record);
	if (r < 0) {
		sign_key_free(key);
		return ret_why->text[0] ? r : why_set(ret_why, r, "%s", strerror(-r));
	}
	*ret = key;
	return 0;
}

static void tell_key(struct order_taker *t, const struct order *o, int r, const struct why *why)
{
	char result[320];

	snprintf(result, sizeof(result), "refused: %.300s", why->text);
	finish(t, o, r < 0 ? result : "done");
	t->o.evidence(t->o.ctx);
}

static void take_key(struct order_taker *t, const struct order *o)
{
	struct why why = {""};
	struct sign_key *key = NULL;
	int r = keep_key(t, o, &key, &why);

	if (r >= 0) {
		sign_key_free(t->key);
		t->key = key;
	}
	tell_key(t, o, r, &why);
}

/* Whoever checks this ledger goes by its record; what the key before cosigned stays good, up to the head that the order names. */
static void take_witness(struct order_taker *t, const struct order *o)
{
	CLEANUP(record_done) struct record record = {.incarnation = 0};
	struct sign_key *key = NULL;
	struct why why = {""};
	int r = check_kind(o, SIGN_ED25519, "Ed25519", &key, &why);

	sign_key_free(key);
	if (r >= 0)
		r = read_record(t, &record, &why);
	if (r >= 0)
		r = record_change_witness(&record, o->key, o->key_size, o->head_size);
	if (r == -E2BIG)
		why_set(&why, r, "the record holds %u keys of witnesses already",
			RECORD_MAX_WITNESSES);
	if (r > 0)
		r = write_record(t, &record);
	if (r < 0 && !why.text[0])
		why_set(&why, r, "%s", strerror(-r));
	tell_key(t, o, r, &why);
}

/* What stands in this ledger ends with the line that says so; the next one names it as its predecessor. */
static void take_rekey(struct order_taker *t, const struct order *o)
{
	char result[320];
	int r = t->o.rekey ? t->o.rekey(t->o.rekey_ctx) : -ENOTSUP;

	if (r < 0)
		snprintf(result, sizeof(result), "refused: %s", strerror(-r));
	finish(t, o, r < 0 ? result : "begun");
	t->o.evidence(t->o.ctx);
}

static void take_isolation(struct order_taker *t, const struct order *o)
{
	const struct isolate_cause cause = {"verifier", o->number, o->case_id, o->reason, NULL};
	char result[ISOLATE_RESULT] = "noted: this node cannot isolate itself";

	if (t->o.isolate && o->kind == ORDER_QUARANTINE)
		isolate_begin(t->o.isolate, &cause, ISOLATE_ALL_WAYS, result);
	else if (t->o.isolate)
		isolate_end(t->o.isolate, &cause, result);
	finish(t, o, result);
	t->o.evidence(t->o.ctx);
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
	case ORDER_SCAN:
		/* Its line first: what the scan finds stands after it. The end of a scan asks for evidence itself. */
		t->scanning = *o;
		finish(t, o, "begun");
		t->o.scan(t->o.ctx);
		break;
	case ORDER_RESTART:
		t->restart = o->number;
		t->restart_until_ns =
			clock_boot_ns(t->o.clock) +
			(o->life_ms < MAX_LIFE_MS ? o->life_ms : MAX_LIFE_MS) * 1000000;
		if (t->o.restart)
			t->o.restart(t->o.ctx, t->restart_until_ns);
		finish(t, o, "done");
		t->o.evidence(t->o.ctx);
		break;
	case ORDER_KEY:
		take_key(t, o);
		break;
	case ORDER_WITNESS_KEY:
		take_witness(t, o);
		break;
	case ORDER_REKEY:
		take_rekey(t, o);
		break;
	case ORDER_QUARANTINE:
	case ORDER_RELEASE:
		take_isolation(t, o);
		break;
	default:
		finish(t, o, "refused: its kind is not known here");
		t->o.evidence(t->o.ctx);
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

/* It comes with each answer until a later one is carried out: told once. */
static void tell_refused(struct order_taker *t, const struct why *why)
{
	if (strcmp(t->refused.text, why->text) == 0)
		return;
	t->refused = *why;
	log_error("order=refused error=\"%s\" next=\"it is not carried out\"", why->text);
}

/*
 * Orders are carried out upwards, and a baseline may be long in coming, or never be had: whoever fills the disk of a node would keep its own isolation
 * off. So what isolates or frees the node does not wait for one, and a newer one not for one that failed. The verifier orders it again.
 */
static bool is_overtaken(const struct order_taker *t, const struct order *o,
			 const struct buf *later, uint32_t n)
{
	bool failed = t->unfetched == o->number;
	struct order next;
	struct why why;

	if (o->kind != ORDER_BASELINE || !(failed || t->busy))
		return false;
	for (uint32_t i = 0; i < n; i++) {
		if (open_order(t, &later[i], &next, &why) < 0 || next.number <= o->number)
			continue;
		if (next.kind == ORDER_QUARANTINE || next.kind == ORDER_RELEASE ||
		    (failed && next.kind == ORDER_BASELINE))
			return true;
	}
	return false;
}

void order_taker_take(struct order_taker *t, const struct buf *envelopes, uint32_t n)
{
	struct order o;
	struct why why;

	for (uint32_t i = 0; i < n && !t->stopped; i++) {
		int r = open_order(t, &envelopes[i], &o, &why);

		if (r < 0) {
			tell_refused(t, &why);
			continue;
		}
		if (o.number <= t->last)
			continue;
		if (is_overtaken(t, &o, envelopes + i + 1, n - i - 1)) {
			finish(t, &o, "refused: what was ordered after it could not wait for it");
			continue;
		}
		/* One that is given up may still be coming. */
		if (t->busy && (o.kind == ORDER_BASELINE || t->at_hand.number > t->last))
			return;
		carry_out(t, &o);
	}
}

void order_taker_stop(struct order_taker *t)
{
	if (t)
		t->stopped = true;
}

void order_taker_scanned(struct order_taker *t)
{
	if (!t || t->scanning.number == 0)
		return;
	tell(t, &t->scanning, "done");
	t->scanning.number = 0;
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
