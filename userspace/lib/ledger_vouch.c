/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_vouch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "jsonl.h"

#define DASH "\xe2\x80\x94 "

struct ledger_vouch {
	struct record record;
	struct sign_key *event, *witness;
	struct sign_key *old_witnesses[RECORD_MAX_WITNESSES];
};

static int check_event_key(struct ledger_vouch *v, struct why *ret_why)
{
	const struct record *k = &v->record;
	const struct buf_view ak = {k->ak_public.data, k->ak_public.size};
	const struct buf_view event = {k->event_public.data, k->event_public.size};
	struct quote_info info;
	struct digest d;
	int r = record_certify_data(&ak, &event, &d);

	if (r >= 0)
		r = quote_check_certify(k->event_attest.data, k->event_attest.size,
					k->event_sig.data, k->event_sig.size, ak.data, ak.size,
					event.data, event.size, &d, &info, ret_why);
	return r < 0 ? r : quote_public_key(event.data, event.size, &v->event, ret_why);
}

int ledger_vouch_open(const void *record, size_t size, struct ledger_vouch **ret,
		      struct why *ret_why)
{
	struct ledger_vouch *v = calloc(1, sizeof(*v));
	int r;

	if (!v)
		return why_set(ret_why, -ENOMEM, "no memory");
	r = record_parse(record, size, &v->record, ret_why);
	if (r >= 0)
		r = check_event_key(v, ret_why);
	/* A node that no verifier has enrolled has no witness yet. */
	if (r >= 0 && v->record.witness_key.size > 0)
		r = sign_key_from_spki(v->record.witness_key.data, v->record.witness_key.size,
				       &v->witness, ret_why);
	for (uint32_t i = 0; r >= 0 && i < v->record.n_old_witnesses; i++)
		r = sign_key_from_spki(v->record.old_witnesses[i].key.data,
				       v->record.old_witnesses[i].key.size, &v->old_witnesses[i],
				       ret_why);
	if (r < 0) {
		ledger_vouch_free(v);
		return r;
	}
	*ret = v;
	return 0;
}

struct ledger_vouch *ledger_vouch_free(struct ledger_vouch *v)
{
	if (!v)
		return NULL;
	sign_key_free(v->event);
	sign_key_free(v->witness);
	for (uint32_t i = 0; i < RECORD_MAX_WITNESSES; i++)
		sign_key_free(v->old_witnesses[i]);
	record_done(&v->record);
	free(v);
	return NULL;
}

const struct record *ledger_vouch_record(const struct ledger_vouch *v)
{
	return &v->record;
}

/* 0: it is none of theirs; 1: one that cosigned heads of this size. Later ones are for its successor to sign, whoever has the old key now. */
static int check_old_witnesses(const struct ledger_vouch *v, const struct checkpoint *c,
			       const struct buf *line, uint64_t *ret_time_s, struct why *ret_why)
{
	for (uint32_t i = 0; i < v->record.n_old_witnesses; i++) {
		uint64_t to = v->record.old_witnesses[i].size;
		int r = checkpoint_check(c, CHECKPOINT_SIG_COSIGN, v->record.witness_name,
					 v->old_witnesses[i], (char *)line->data, line->size,
					 ret_time_s, ret_why);

		if (r == -ENOENT)
			continue;
		if (r >= 0 && c->size > to)
			return why_set(ret_why, -EBADMSG,
				       "note: by a witness's key that ended with line %llu",
				       (unsigned long long)to);
		return r < 0 ? r : 1;
	}
	return 0;
}

int ledger_vouch_note(const struct ledger_vouch *v, const struct checkpoint *c, const char *line,
		      size_t size, enum ledger_vouch_who *ret_who, uint64_t *ret_time_s,
		      struct why *ret_why)
{
	CLEANUP(buf_done) struct buf b = {0};
	const struct {
		enum ledger_vouch_who who;
		enum checkpoint_sig type;
		const char *name;
		const struct sign_key *key;
	} known[] = {
		{LEDGER_VOUCH_EVENT_KEY, CHECKPOINT_SIG_P256, v->record.origin, v->event},
		{LEDGER_VOUCH_WITNESS, CHECKPOINT_SIG_COSIGN, v->record.witness_name, v->witness},
	};
	uint64_t old_s = 0;
	int r;

	buf_puts(&b, DASH);
	buf_put(&b, line, size);
	r = buf_status(&b);
	for (size_t i = 0; i < ARRAY_SIZE(known) && r >= 0; i++) {
		uint64_t time_s = 0;

		if (!known[i].key)
			continue;
		r = checkpoint_check(c, known[i].type, known[i].name, known[i].key, (char *)b.data,
				     b.size, &time_s, ret_why);
		if (r == 0) {
			*ret_who = known[i].who;
			*ret_time_s = time_s;
			return 0;
		}
		r = r == -ENOENT ? 0 : r;
	}
	if (r >= 0)
		r = check_old_witnesses(v, c, &b, &old_s, ret_why);
	if (r < 0)
		return r;
	*ret_who = r > 0 ? LEDGER_VOUCH_WITNESS : LEDGER_VOUCH_NOBODY;
	if (r > 0)
		*ret_time_s = old_s;
	return 0;
}

static int get_pcrs(const json_t *line, struct quote_pcrs *ret, struct why *ret_why)
{
	json_t *o, *value;
	const char *key;
	int r = jsonl_get_object(line, "pcrs", &o, ret_why);

	if (r < 0)
		return r;
	*ret = (struct quote_pcrs){.mask = 0};
	json_object_foreach (o, key, value) {
		char *end;
		unsigned long i = strtoul(key, &end, 10);

		if (*key < '0' || *key > '9' || *end || i >= QUOTE_N_PCRS ||
		    (key[0] == '0' && key[1]) || !json_is_string(value) ||
		    digest_from_hex(json_string_value(value), &ret->values[i]) < 0)
			return why_set(ret_why, -EBADMSG, "\"pcrs\" has no good value for \"%.8s\"",
				       key);
		ret->mask |= 1u << i;
	}
	return 0;
}

static int get_binding(const struct record *k, const json_t *line, struct buf *nonce,
		       struct quote_binding *ret, struct why *ret_why)
{
	int r = jsonl_get_base64(line, "nonce", DIGEST_SIZE, nonce, ret_why);

	if (r >= 0)
		r = jsonl_get_str(line, "checkpoint", CHECKPOINT_MAX_TEXT, &ret->checkpoint,
				  ret_why);
	if (r >= 0)
		r = jsonl_get_hex(line, "boot_log", ret->boot_log.bytes, DIGEST_SIZE, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(line, "ima_cursor", INT64_MAX, &ret->ima_cursor, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(line, "baseline", INT64_MAX, &ret->baseline_version, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(line, "order", INT64_MAX, &ret->last_order, ret_why);
	if (r >= 0)
		r = jsonl_get_hex(line, "client_key", ret->client_key.bytes, DIGEST_SIZE, ret_why);
	ret->nonce = (struct buf_view){nonce->data, nonce->size};
	ret->node = k->node;
	ret->incarnation = k->incarnation;
	return r;
}

/* The members that are told twice must agree with what the TPM signed. */
static int check_said(const struct record *k, const json_t *line, const struct quote_pcrs *pcrs,
		      const struct checkpoint *c, struct why *ret_why)
{
	uint64_t size, index;
	int r = jsonl_get_uint(line, "size", INT64_MAX, &size, ret_why);

	if (r >= 0)
		r = jsonl_get_uint(line, "pcr_index", QUOTE_N_PCRS - 1, &index, ret_why);
	if (r < 0)
		return r;
	if (size != c->size || strcmp(c->origin, k->origin) != 0)
		return why_set(ret_why, -EBADMSG,
			       "its checkpoint is of another ledger or size than it says");
	if (index != k->pcr_index || !(pcrs->mask >> index & 1))
		return why_set(ret_why, -EBADMSG, "it does not cover PCR %u", k->pcr_index);
	return 0;
}

static int check_quote(const struct ledger_vouch *v, const json_t *line,
		       const struct digest *qualifying, const struct quote_pcrs *pcrs,
		       struct quote_info *ret, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf attest = {0}, sig = {0};
	const struct buf *ak = &v->record.ak_public;
	int r = jsonl_get_base64(line, "attest", QUOTE_MAX_BLOB, &attest, ret_why);

	if (r >= 0)
		r = jsonl_get_base64(line, "sig", QUOTE_MAX_BLOB, &sig, ret_why);
	return r < 0 ? r
		     : quote_check(attest.data, attest.size, sig.data, sig.size, ak->data, ak->size,
				   qualifying, pcrs, ret, ret_why);
}

int ledger_vouch_quote(const struct ledger_vouch *v, const json_t *line,
		       struct ledger_vouch_quote *ret, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf nonce = {0};
	struct ledger_vouch_quote q = {.reset_count = 0};
	struct quote_binding b;
	struct quote_pcrs pcrs;
	struct quote_info info;
	struct digest d;
	int r = get_binding(&v->record, line, &nonce, &b, ret_why);

	if (r >= 0)
		r = get_pcrs(line, &pcrs, ret_why);
	if (r >= 0)
		r = checkpoint_parse(b.checkpoint, strlen(b.checkpoint), &q.checkpoint, ret_why);
	if (r >= 0)
		r = check_said(&v->record, line, &pcrs, &q.checkpoint, ret_why);
	if (r >= 0)
		r = quote_qualifying_data(&b, &d);
	if (r >= 0)
		r = check_quote(v, line, &d, &pcrs, &info, ret_why);
	if (r < 0)
		return r == -ENOENT ? -EBADMSG : r;
	q.pcr = pcrs.values[v->record.pcr_index];
	q.pcrs = pcrs;
	q.boot_log = b.boot_log;
	q.ima_cursor = b.ima_cursor;
	q.reset_count = info.reset_count;
	q.restart_count = info.restart_count;
	*ret = q;
	return 0;
}
