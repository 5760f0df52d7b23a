/* SPDX-License-Identifier: Apache-2.0 */
#include "record.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "jsonl.h"
#include "plumb/wire.h"

#define RECORD_MAX (64u * 1024)
#define MAX_BLOB 4096 /* a TPM structure, a key */
#define MAX_CERT 8192

void record_done(struct record *r)
{
	struct buf *owned[] = {&r->ek_public,	 &r->ek_cert,	&r->ak_public,	 &r->event_public,
			       &r->event_attest, &r->event_sig, &r->witness_key, &r->order_key};

	for (size_t i = 0; i < ARRAY_SIZE(owned); i++)
		buf_done(owned[i]);
	for (uint32_t i = 0; i < RECORD_MAX_KEYS; i++)
		buf_done(&r->baseline_keys[i]);
	for (uint32_t i = 0; i < RECORD_MAX_WITNESSES; i++)
		buf_done(&r->old_witnesses[i].key);
	*r = (struct record){.incarnation = 0};
}

static void put_blob(struct jsonl *j, const char *key, const struct buf *b)
{
	jsonl_base64(j, key, b->data, b->size);
}

static void put_predecessor(struct jsonl *j, const struct record *r)
{
	if (!r->predecessor_origin[0]) {
		jsonl_null(j, "predecessor");
		return;
	}
	jsonl_object(j, "predecessor");
	jsonl_str(j, "origin", r->predecessor_origin);
	jsonl_uint(j, "size", r->predecessor_size);
	jsonl_hex(j, "root", r->predecessor_root.bytes, DIGEST_SIZE);
	jsonl_close(j);
}

static void put_old_witnesses(struct jsonl *j, const struct record *r)
{
	if (r->n_old_witnesses == 0)
		return;
	jsonl_array(j, "witnesses_before");
	for (uint32_t i = 0; i < r->n_old_witnesses; i++) {
		jsonl_object(j, NULL);
		put_blob(j, "key", &r->old_witnesses[i].key);
		jsonl_uint(j, "size", r->old_witnesses[i].size);
		jsonl_close(j);
	}
	jsonl_close(j);
}

int record_write(const struct record *r, struct buf *ret)
{
	char enrolled[CLOCK_TEXT_SIZE];
	struct jsonl j;

	if (r->n_baseline_keys > RECORD_MAX_KEYS || r->n_old_witnesses > RECORD_MAX_WITNESSES)
		return -EINVAL;
	clock_text(r->enrolled_ns, enrolled);
	jsonl_begin(&j, ret);
	jsonl_uint(&j, "v", WIRE_VERSION);
	jsonl_str(&j, "node", r->node);
	jsonl_uint(&j, "incarnation", r->incarnation);
	jsonl_str(&j, "origin", r->origin);
	jsonl_str(&j, "label", r->label);
	jsonl_uint(&j, "pcr_index", r->pcr_index);
	put_blob(&j, "ek_public", &r->ek_public);
	put_blob(&j, "ek_cert", &r->ek_cert);
	put_blob(&j, "ak_public", &r->ak_public);
	put_blob(&j, "event_public", &r->event_public);
	put_blob(&j, "event_attest", &r->event_attest);
	put_blob(&j, "event_sig", &r->event_sig);
	jsonl_str(&j, "witness_name", r->witness_name);
	put_blob(&j, "witness_key", &r->witness_key);
	put_old_witnesses(&j, r);
	put_blob(&j, "order_key", &r->order_key);
	jsonl_array(&j, "baseline_keys");
	for (uint32_t i = 0; i < r->n_baseline_keys; i++)
		put_blob(&j, NULL, &r->baseline_keys[i]);
	jsonl_close(&j);
	put_predecessor(&j, r);
	jsonl_str(&j, "enrolled", enrolled);
	jsonl_end(&j);
	buf_put(ret, "\n", 1);
	return buf_status(ret);
}

static int get_node(const json_t *o, struct record *ret, struct why *ret_why)
{
	struct digest id;
	int r = jsonl_get_hex(o, "node", id.bytes, DIGEST_SIZE, ret_why);

	if (r >= 0)
		digest_hex(&id, ret->node);
	return r;
}

static int get_origin(const json_t *o, const char *key, char ret[CHECKPOINT_MAX_ORIGIN],
		      struct why *ret_why)
{
	int r = jsonl_get_text(o, key, ret, CHECKPOINT_MAX_ORIGIN, ret_why);

	if (r < 0)
		return r;
	if (ret[0] == 0 || strpbrk(ret, " \t\r\n+"))
		return why_set(ret_why, -EBADMSG, "\"%s\" is empty or has blanks or '+'", key);
	return 0;
}

static int get_keys(const json_t *o, struct record *ret, struct why *ret_why)
{
	json_t *keys, *item;
	size_t i;
	int r = jsonl_get_array(o, "baseline_keys", RECORD_MAX_KEYS, &keys, ret_why);

	if (r < 0)
		return r;
	json_array_foreach (keys, i, item) {
		struct buf *key = &ret->baseline_keys[i];
		const char *text = json_string_value(item);

		if (!text || json_string_length(item) > MAX_BLOB ||
		    digest_from_base64(text, strlen(text), key) < 0 || key->size == 0)
			return why_set(ret_why, -EBADMSG,
				       "\"baseline_keys\"[%zu] is not a key in base64", i);
		ret->n_baseline_keys++;
	}
	return 0;
}

/* A member of its own time: most records have none. */
static int get_old_witnesses(const json_t *o, struct record *ret, struct why *ret_why)
{
	json_t *all, *item;
	size_t i;
	int r = 0;

	if (!json_object_get(o, "witnesses_before"))
		return 0;
	r = jsonl_get_array(o, "witnesses_before", RECORD_MAX_WITNESSES, &all, ret_why);
	if (r < 0)
		return r;
	json_array_foreach (all, i, item) {
		struct buf *key = &ret->old_witnesses[ret->n_old_witnesses++].key;

		r = jsonl_get_base64(item, "key", MAX_BLOB, key, ret_why);
		if (r >= 0)
			r = jsonl_get_uint(item, "size", INT64_MAX, &ret->old_witnesses[i].size,
					   ret_why);
		if (r >= 0 && key->size == 0)
			r = why_set(ret_why, -EBADMSG, "\"witnesses_before\"[%zu] has no key", i);
		if (r < 0)
			return r;
	}
	return 0;
}

static int get_predecessor(const json_t *o, struct record *ret, struct why *ret_why)
{
	json_t *p = json_object_get(o, "predecessor");
	int r;

	if (json_is_null(p))
		return 0;
	r = jsonl_get_object(o, "predecessor", &p, ret_why);
	if (r >= 0)
		r = get_origin(p, "origin", ret->predecessor_origin, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(p, "size", INT64_MAX, &ret->predecessor_size, ret_why);
	if (r >= 0)
		r = jsonl_get_hex(p, "root", ret->predecessor_root.bytes, DIGEST_SIZE, ret_why);
	return r;
}

static int get_blobs(const json_t *o, struct record *ret, struct why *ret_why)
{
	const struct {
		const char *key;
		struct buf *at;
		size_t max;
		bool may_be_empty;
	} blobs[] = {
		{"ek_public", &ret->ek_public, MAX_BLOB, false},
		{"ek_cert", &ret->ek_cert, MAX_CERT, true},
		{"ak_public", &ret->ak_public, MAX_BLOB, false},
		{"event_public", &ret->event_public, MAX_BLOB, false},
		{"event_attest", &ret->event_attest, MAX_BLOB, false},
		{"event_sig", &ret->event_sig, MAX_BLOB, false},
		{"witness_key", &ret->witness_key, MAX_BLOB, true},
		{"order_key", &ret->order_key, MAX_BLOB, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(blobs); i++) {
		int r = jsonl_get_base64(o, blobs[i].key, blobs[i].max, blobs[i].at, ret_why);

		if (r < 0)
			return r;
		if (blobs[i].at->size == 0 && !blobs[i].may_be_empty)
			return why_set(ret_why, -EBADMSG, "\"%s\" is empty", blobs[i].key);
	}
	return 0;
}

static int get_heading(const json_t *o, struct record *ret, struct why *ret_why)
{
	uint64_t pcr;
	int r = jsonl_get_version(o, WIRE_VERSION, ret_why);

	if (r >= 0)
		r = get_node(o, ret, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(o, "incarnation", INT64_MAX, &ret->incarnation, ret_why);
	if (r >= 0)
		r = get_origin(o, "origin", ret->origin, ret_why);
	if (r >= 0)
		r = jsonl_get_text(o, "label", ret->label, sizeof(ret->label), ret_why);
	if (r >= 0)
		r = jsonl_get_uint(o, "pcr_index", 23, &pcr, ret_why);
	if (r >= 0)
		ret->pcr_index = (uint8_t)pcr;
	return r;
}

static int get_all(const json_t *o, struct record *ret, struct why *ret_why)
{
	char enrolled[CLOCK_TEXT_SIZE];
	int r = get_heading(o, ret, ret_why);

	if (r >= 0)
		r = get_blobs(o, ret, ret_why);
	if (r >= 0)
		r = jsonl_get_text(o, "witness_name", ret->witness_name, sizeof(ret->witness_name),
				   ret_why);
	if (r >= 0)
		r = get_old_witnesses(o, ret, ret_why);
	if (r >= 0)
		r = get_keys(o, ret, ret_why);
	if (r >= 0)
		r = get_predecessor(o, ret, ret_why);
	if (r >= 0)
		r = jsonl_get_text(o, "enrolled", enrolled, sizeof(enrolled), ret_why);
	if (r >= 0 && clock_from_text(enrolled, &ret->enrolled_ns) < 0)
		r = why_set(ret_why, -EBADMSG, "\"enrolled\" is not a UTC time");
	return r;
}

int record_parse(const void *data, size_t size, struct record *ret, struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct record found = {.incarnation = 0};
	int r = jsonl_parse(data, size, RECORD_MAX, &o, ret_why);

	if (r >= 0)
		r = get_all(o, &found, ret_why);
	/* A key that is absent is as wrong as one that is malformed. */
	if (r < 0) {
		record_done(&found);
		return r == -ENOENT ? -EBADMSG : r;
	}
	*ret = found;
	return 0;
}

/* Before it stand numbers and hex alone, so the first such member is the record's own, and not its predecessor's. */
int record_origin(const void *data, size_t size, char ret[CHECKPOINT_MAX_ORIGIN])
{
	static const char member[] = "\"origin\":\"";
	const char *at = memmem(data, size, member, sizeof(member) - 1), *end;

	if (!at)
		return -EBADMSG;
	at += sizeof(member) - 1;
	end = memchr(at, '"', size - (size_t)(at - (const char *)data));
	if (!end || end == at || (size_t)(end - at) >= CHECKPOINT_MAX_ORIGIN ||
	    memchr(at, '\\', (size_t)(end - at)))
		return -EBADMSG;
	memcpy(ret, at, (size_t)(end - at));
	ret[end - at] = 0;
	return 0;
}

int record_change_witness(struct record *r, const void *spki, size_t spki_size, uint64_t size)
{
	struct buf key = {0};
	uint32_t n = r->n_old_witnesses;

	if (r->witness_key.size == spki_size && memcmp(r->witness_key.data, spki, spki_size) == 0)
		return 0;
	if (n == RECORD_MAX_WITNESSES)
		return -E2BIG;
	buf_put(&key, spki, spki_size);
	if (buf_status(&key) < 0)
		return buf_status(&key);
	/* Where no verifier had enrolled it, there was none. */
	if (r->witness_key.size > 0) {
		r->old_witnesses[n].key = r->witness_key;
		r->old_witnesses[n].size = size;
		r->n_old_witnesses++;
	} else {
		buf_done(&r->witness_key);
	}
	r->witness_key = key;
	return 1;
}

int record_transcript(const char *session, const struct buf_view *ek, const struct buf_view *ak,
		      const struct buf_view *event, const struct digest *client_key,
		      const char *label, struct digest *ret)
{
	CLEANUP(buf_done) struct buf b = {0};

	buf_puts(&b, "plumb-enrol-v1");
	buf_put_sized(&b, session, strlen(session));
	buf_put_sized(&b, ek->data, ek->size);
	buf_put_sized(&b, ak->data, ak->size);
	buf_put_sized(&b, event->data, event->size);
	buf_put_sized(&b, client_key->bytes, DIGEST_SIZE);
	buf_put_sized(&b, label, strlen(label));
	return buf_status(&b) < 0 ? buf_status(&b) : digest_sha256(b.data, b.size, ret);
}

int record_certify_data(const struct buf_view *ak, const struct buf_view *event, struct digest *ret)
{
	CLEANUP(buf_done) struct buf b = {0};

	buf_puts(&b, "plumb-event-key-v1");
	buf_put_sized(&b, ak->data, ak->size);
	buf_put_sized(&b, event->data, event->size);
	return buf_status(&b) < 0 ? buf_status(&b) : digest_sha256(b.data, b.size, ret);
}
