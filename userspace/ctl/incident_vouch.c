/* SPDX-License-Identifier: Apache-2.0 */
#include "incident_vouch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "dsse.h"
#include "incident_files.h"
#include "incident_log.h"
#include "jsonl.h"
#include "jwt.h"
#include "plumb/wire.h"

#define MAX_STATEMENT (64u << 20)
#define MAX_ORDER 65536
#define MAX_KEYS 18 /* 16 that were given, two of the record */

struct vouching {
	const struct incident_vouch_in *in;
	struct incident_vouch_report *r;
	const struct sign_key *keys[MAX_KEYS]; /* given ones, then the record's */
	uint32_t n_keys;
	struct sign_key *order, *witness; /* of the record */
	json_t *statement;
	uint64_t n_ears, n_foreign_ears;
};

#define SAY(v, what, ...) say((v)->r->what, &(v)->r->n_##what, __VA_ARGS__)

static void __attribute__((format(printf, 3, 4)))
say(char texts[INCIDENT_VOUCH_MAX][256], uint32_t *n, const char *format, ...)
{
	va_list ap;

	if (*n == INCIDENT_VOUCH_MAX)
		return;
	va_start(ap, format);
	vsnprintf(texts[*n], sizeof(texts[0]), format, ap);
	va_end(ap);
	++*n;
}

/* What cannot be read as what it should be is bad; what cannot be read at all is ours. */
static bool is_ours(int r)
{
	return r < 0 && r != -EBADMSG && r != -ENOENT && r != -EKEYREJECTED && r != -E2BIG &&
	       r != -EFBIG && r != -EINVAL;
}

static int collect_keys(struct vouching *v, struct why *ret_why)
{
	const struct record *k = v->in->record;
	int r = 0;

	for (uint32_t i = 0; i < v->in->n_keys && v->n_keys < MAX_KEYS - 2; i++)
		v->keys[v->n_keys++] = v->in->keys[i];
	if (k->order_key.size > 0)
		r = sign_key_from_spki(k->order_key.data, k->order_key.size, &v->order, ret_why);
	if (r >= 0 && k->witness_key.size > 0)
		r = sign_key_from_spki(k->witness_key.data, k->witness_key.size, &v->witness,
				       ret_why);
	if (r < 0)
		return r;
	if (v->order)
		v->keys[v->n_keys++] = v->order;
	if (v->witness)
		v->keys[v->n_keys++] = v->witness;
	return 0;
}

static int check_payload(struct vouching *v, bool trusted, struct why *ret_why)
{
	const struct incident_manifest *m = v->in->m;
	const json_t *o = v->statement;
	struct digest said, is;
	const char *id = "", *made = "";
	uint64_t incarnation = 0;
	int r = jsonl_get_str(o, "id", 64, &id, ret_why);

	if (r >= 0)
		r = jsonl_get_str(o, "made", 40, &made, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(o, "incarnation", INT64_MAX, &incarnation, ret_why);
	if (r >= 0)
		r = jsonl_get_hex(o, "record", said.bytes, DIGEST_SIZE, ret_why);
	if (r >= 0)
		r = digest_sha256(v->in->record_bytes.data, v->in->record_bytes.size, &is);
	if (r < 0)
		return r;
	if (strcmp(id, m->node) != 0 || incarnation != m->incarnation)
		return why_set(ret_why, -EBADMSG, "is of another node or incarnation");
	if (!digest_equal(&said, &is))
		return why_set(ret_why, -EBADMSG, "states another enrolment record");
	v->r->record_is_vouched = trusted;
	v->r->statement = trusted;
	if (trusted)
		SAY(v, proven, "state, cases and orders are as the verifier's key stated at %.19sZ",
		    made);
	return 0;
}

static int check_statement(struct vouching *v, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf envelope = {0}, payload = {0};
	bool given = v->in->n_keys > 0;
	int r = incident_files_read(v->in->dir, "statement.dsse", MAX_STATEMENT, &envelope);

	/* Keys that were given count alone: the record comes with the archive. */
	if (r >= 0)
		r = dsse_open(envelope.data, envelope.size, MAX_STATEMENT, WIRE_DSSE_STATEMENT,
			      v->keys, given ? v->in->n_keys : v->n_keys, &payload, NULL, ret_why);
	if (r >= 0)
		r = jsonl_parse(payload.data, payload.size, MAX_STATEMENT, &v->statement, ret_why);
	if (r >= 0)
		r = check_payload(v, given, ret_why);
	if (r < 0) {
		if (!is_ours(r))
			SAY(v, bad, "statement.dsse: %s",
			    ret_why->text[0] ? ret_why->text : strerror(-r));
		return is_ours(r) ? r : 1;
	}
	if (!given)
		SAY(v, stated,
		    "state, cases and orders, by a key of the record: --verifier-key names "
		    "the verifier's");
	return 0;
}

/* A verdict: 0 good, 1 by no key that is here, -EBADMSG false. */
static int check_ear(struct vouching *v, const char *jwt, struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	const char *sub = "";
	int r = -EKEYREJECTED;

	for (uint32_t i = 0; i < v->n_keys && r == -EKEYREJECTED; i++) {
		CLEANUP(buf_done) struct buf claims = {0};

		if (sign_key_kind(v->keys[i]) != SIGN_P256)
			continue;
		r = jwt_open(jwt, strlen(jwt), v->keys[i], &claims, ret_why);
		if (r >= 0)
			r = jsonl_parse(claims.data, claims.size, WIRE_MAX_LINE, &o, ret_why);
	}
	if (r == -EKEYREJECTED) {
		v->n_foreign_ears++;
		return 1;
	}
	if (r >= 0)
		r = jsonl_get_str(o, "sub", 64, &sub, ret_why);
	if (r >= 0 && strcmp(sub, v->in->m->node) != 0)
		r = why_set(ret_why, -EBADMSG, "is of another node");
	v->n_ears += r >= 0;
	return r < 0 && !is_ours(r) ? -EBADMSG : r;
}

static int check_stated_verdict(struct vouching *v, struct why *ret_why)
{
	const char *jwt = json_string_value(
		json_object_get(json_object_get(v->statement, "node"), "verdict"));
	int r = jwt && *jwt ? check_ear(v, jwt, ret_why) : 0;

	if (r == -EBADMSG) {
		SAY(v, bad, "statement.dsse: its verdict: %s", ret_why->text);
		return 0;
	}
	return r;
}

static int check_orders(struct vouching *v, struct why *ret_why)
{
	json_t *orders = json_object_get(v->statement, "orders"), *order;
	size_t i, foreign = 0;

	json_array_foreach (orders, i, order) {
		CLEANUP(buf_done) struct buf payload = {0};
		CLEANUP_FREE char *text = json_dumps(order, JSON_COMPACT);
		int r = text ? dsse_open(text, strlen(text), MAX_ORDER, WIRE_DSSE_ORDER, v->keys,
					 v->n_keys, &payload, NULL, ret_why)
			     : -ENOMEM;

		if (r == -EKEYREJECTED)
			foreign++;
		else if (r < 0 && is_ours(r))
			return r;
		else if (r < 0)
			SAY(v, bad, "statement.dsse: order %zu: %s", i, ret_why->text);
	}
	if (foreign > 0)
		SAY(v, stated, "%zu of %zu orders are signed by keys that are not here", foreign,
		    json_array_size(orders));
	else if (i > 0)
		SAY(v, proven, "each of %zu orders is signed", i);
	return 0;
}

/* Another node's lines are as genuine: whoever makes the archive must not tell them as this one's. */
static bool is_of(const struct vouching *v, const json_t *o)
{
	const json_t *n = json_object_get(v->statement, "node");
	const char *node = json_string_value(json_object_get(o, "node"));
	const char *type = json_string_value(json_object_get(o, "type"));
	const char *label = json_string_value(json_object_get(n, "label"));

	if (node && strcmp(node, v->in->m->node) == 0)
		return true;
	return type && strcmp(type, "action") == 0 &&
	       (!node || !*node || (label && strcmp(node, label) == 0));
}

static int check_ears_in(struct vouching *v, const struct buf *lines, struct why *ret_why)
{
	const char *at = (char *)lines->data, *stop = at + lines->size, *lf;

	for (; at < stop; at = lf + 1) {
		CLEANUP(jsonl_decref_p) json_t *o = NULL;
		const char *jwt;
		int r;

		lf = memchr(at, '\n', (size_t)(stop - at));
		if (!lf)
			break;
		r = jsonl_parse(at, (size_t)(lf - at), WIRE_MAX_LINE, &o, ret_why);
		if (r >= 0 && !is_of(v, o))
			SAY(v, bad, "log: line %" JSON_INTEGER_FORMAT " is of another node",
			    json_integer_value(json_object_get(o, "seq")));
		jwt = r < 0 ? NULL : json_string_value(json_object_get(o, "ear"));
		if (jwt && *jwt)
			r = check_ear(v, jwt, ret_why);
		if (r == -EBADMSG)
			SAY(v, bad, "log: line %" JSON_INTEGER_FORMAT ": its verdict: %s",
			    json_integer_value(json_object_get(o, "seq")), ret_why->text);
		else if (r < 0)
			return r;
	}
	return 0;
}

static int read_log(const struct vouching *v, struct buf *note, struct buf *lines,
		    struct buf *proofs)
{
	int r = incident_files_read(v->in->dir, "log/note", 65536, note);

	if (r >= 0)
		r = incident_files_read(v->in->dir, "log/lines.jsonl", INCIDENT_LOG_MAX, lines);
	return r < 0 ? r
		     : incident_files_read(v->in->dir, "log/proofs.jsonl", INCIDENT_LOG_MAX,
					   proofs);
}

/* The head that the statement names is the one that is here. */
static int check_head(const struct vouching *v, const struct buf *note, struct why *ret_why)
{
	const char *said =
		json_string_value(json_object_get(json_object_get(v->statement, "log"), "note"));

	return said && strlen(said) == note->size && memcmp(said, note->data, note->size) == 0
		       ? 0
		       : why_set(ret_why, -EBADMSG, "log/note is not the head that was stated");
}

static int check_log(struct vouching *v, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf note = {0}, lines = {0}, proofs = {0};
	bool vouched = v->r->record_is_vouched;
	struct checkpoint head;
	uint64_t n = 0;
	int r = read_log(v, &note, &lines, &proofs);

	if (r >= 0)
		r = check_head(v, &note, ret_why);
	/* A verifier that has not written a line yet has no head either. */
	if (r >= 0 && note.size == 0 && lines.size == 0)
		return 0;
	if (r >= 0)
		r = incident_log_note((char *)note.data, note.size, v->keys, v->n_keys, &head,
				      ret_why);
	if (r >= 0) {
		const struct buf_view l = {lines.data, lines.size}, p = {proofs.data, proofs.size};

		r = incident_log_check(&head, &l, &p, &n, ret_why);
	}
	/* Keys change: one that is not here can prove nothing, and refute nothing. */
	if (r == -EKEYREJECTED) {
		SAY(v, stated, "log: %s: --verifier-key", ret_why->text);
		return 0;
	}
	if (r < 0) {
		if (!is_ours(r))
			SAY(v, bad, "%s",
			    ret_why->text[0] ? ret_why->text : "log: a file is missing");
		return is_ours(r) ? r : 0;
	}
	if (vouched)
		SAY(v, proven,
		    "%" PRIu64 " lines are in the verifier's log of %" PRIu64
		    ", whose head it signed",
		    n, head.size);
	else
		SAY(v, stated, "%" PRIu64 " lines of the verifier's log, by a key of the record",
		    n);
	return check_ears_in(v, &lines, ret_why);
}

static void say_ears(struct vouching *v)
{
	if (v->n_foreign_ears > 0)
		SAY(v, stated, "%" PRIu64 " verdicts are signed by keys that are not here",
		    v->n_foreign_ears);
	if (v->n_ears > 0 && v->r->record_is_vouched)
		SAY(v, proven, "each of %" PRIu64 " verdicts is signed and of this node",
		    v->n_ears);
}

int incident_vouch(const struct incident_vouch_in *in, struct incident_vouch_report *ret,
		   struct why *ret_why)
{
	struct vouching v = {.in = in, .r = ret};
	int r;

	*ret = (struct incident_vouch_report){.statement = 0};
	ret_why->text[0] = 0;
	r = collect_keys(&v, ret_why);
	if (r < 0 && !is_ours(r)) {
		SAY(&v, bad, "ledger/record.json: %s", ret_why->text);
		r = 1;
	}
	if (r == 0)
		r = check_statement(&v, ret_why);
	if (r == 0)
		r = check_stated_verdict(&v, ret_why);
	if (r >= 0 && v.statement)
		r = check_orders(&v, ret_why);
	if (r >= 0 && v.statement)
		r = check_log(&v, ret_why);
	if (r >= 0)
		say_ears(&v);
	json_decref(v.statement);
	sign_key_free(v.order);
	sign_key_free(v.witness);
	return r < 0 ? r : 0;
}
