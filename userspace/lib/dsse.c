/* SPDX-License-Identifier: Apache-2.0 */
#include "dsse.h"

#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "jsonl.h"

#define MAX_TYPE 256
#define MAX_SIGNATURE 1024
#define MAX_KEYID 256

/* A foreign envelope; owned. */
struct envelope {
	json_t *tree;
	struct buf payload;
	const char *type; /* borrowed from tree */
	json_t *signatures; /* borrowed from tree */
};

static void envelope_done(struct envelope *e)
{
	json_decref(e->tree);
	buf_done(&e->payload);
}

int dsse_pae(const char *type, const void *payload, size_t size, struct buf *ret)
{
	buf_printf(ret, "DSSEv1 %zu %s %zu ", strlen(type), type, size);
	buf_put(ret, payload, size);
	return buf_status(ret);
}

int dsse_sign(const char *type, const void *payload, size_t size,
	      const struct sign_key *const *keys, uint32_t n_keys, struct buf *ret)
{
	CLEANUP(buf_done) struct buf pae = {0};
	struct jsonl j;
	int r;

	if (n_keys == 0 || n_keys > DSSE_MAX_SIGNATURES)
		return -EINVAL;
	r = dsse_pae(type, payload, size, &pae);
	if (r < 0)
		return r;
	jsonl_begin(&j, ret);
	jsonl_base64(&j, "payload", payload, size);
	jsonl_str(&j, "payloadType", type);
	jsonl_array(&j, "signatures");
	for (uint32_t i = 0; i < n_keys; i++) {
		CLEANUP(buf_done) struct buf sig = {0};
		struct digest id;

		r = sign_key_id(keys[i], &id);
		if (r >= 0)
			r = sign_make(keys[i], pae.data, pae.size, &sig);
		if (r < 0)
			return r;
		jsonl_object(&j, NULL);
		jsonl_hex(&j, "keyid", id.bytes, DIGEST_SIZE);
		jsonl_base64(&j, "sig", sig.data, sig.size);
		jsonl_close(&j);
	}
	jsonl_close(&j);
	jsonl_end(&j);
	return buf_status(ret);
}

/*
 * DSSE allows either alphabet; the URL one with or without padding. A text that has no letter of only one of them may be either: without
 * its padding it is of the URL one.
 */
static int decode(const char *text, size_t size, struct buf *ret)
{
	if (size % 4 == 0 && !memchr(text, '-', size) && !memchr(text, '_', size))
		return digest_from_base64(text, size, ret);
	for (int i = 0; i < 2 && size % 4 == 0 && size > 0 && text[size - 1] == '='; i++)
		size--;
	return digest_from_base64_url(text, size, ret);
}

static int envelope_read(const void *data, size_t size, size_t max_payload, struct envelope *e,
			 struct why *ret_why)
{
	size_t max_text = (max_payload + 2) / 3 * 4;
	const char *text;
	int r = jsonl_parse(data, size, max_text + DSSE_MAX_SIGNATURES * 4096u, &e->tree, ret_why);

	if (r >= 0)
		r = jsonl_get_str(e->tree, "payload", max_text, &text, ret_why);
	if (r < 0)
		return r;
	if (decode(text, strlen(text), &e->payload) < 0)
		return why_set(ret_why, -EBADMSG, "\"payload\" is not base64");
	if (e->payload.size > max_payload)
		return why_set(ret_why, -EBADMSG, "\"payload\" has more than %zu bytes",
			       max_payload);
	r = jsonl_get_str(e->tree, "payloadType", MAX_TYPE, &e->type, ret_why);
	if (r >= 0)
		r = jsonl_get_array(e->tree, "signatures", DSSE_MAX_SIGNATURES, &e->signatures,
				    ret_why);
	return r;
}

/* Decodes one signature. A keyid is a hint only: it is held to its form and then left alone. */
static int read_signature(const json_t *item, size_t i, struct buf *ret, struct why *ret_why)
{
	const char *text = NULL, *keyid = NULL;
	struct why part;
	int r = json_is_object(item) ? 0 : -EBADMSG;

	if (r < 0)
		return why_set(ret_why, r, "\"signatures\"[%zu] is not an object", i);
	r = jsonl_get_str(item, "keyid", MAX_KEYID, &keyid, &part);
	if (r >= 0 || r == -ENOENT)
		r = jsonl_get_str(item, "sig", MAX_SIGNATURE * 2, &text, &part);
	if (r < 0)
		return why_set(ret_why, r, "\"signatures\"[%zu]: %s", i, part.text);
	r = decode(text, strlen(text), ret);
	if (r < 0 || ret->size == 0)
		return why_set(ret_why, -EBADMSG, "\"signatures\"[%zu]: \"sig\" is not base64", i);
	return 0;
}

/* 0: keys[*ret_key] signed. */
static int find_signer(const struct envelope *e, const struct sign_key *const *keys,
		       uint32_t n_keys, uint32_t *ret_key, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf pae = {0};
	int found = -EKEYREJECTED;
	json_t *item;
	size_t i;
	int r = dsse_pae(e->type, e->payload.data, e->payload.size, &pae);

	if (r < 0)
		return r;
	json_array_foreach (e->signatures, i, item) {
		CLEANUP(buf_done) struct buf sig = {0};

		r = read_signature(item, i, &sig, ret_why);
		if (r < 0)
			return r;
		for (uint32_t k = 0; found < 0 && k < n_keys; k++) {
			if (sign_check(keys[k], pae.data, pae.size, sig.data, sig.size) < 0)
				continue;
			*ret_key = k;
			found = 0;
		}
	}
	return found < 0 ? why_set(ret_why, found, "none of %u known keys signed the document",
				   n_keys)
			 : 0;
}

static int bad(int r)
{
	return r == -ENOENT || r == -E2BIG ? -EBADMSG : r;
}

int dsse_open(const void *envelope, size_t size, size_t max_payload, const char *type,
	      const struct sign_key *const *keys, uint32_t n_keys, struct buf *ret,
	      uint32_t *ret_key, struct why *ret_why)
{
	CLEANUP(envelope_done) struct envelope e = {.tree = NULL};
	uint32_t key = 0;
	int r = envelope_read(envelope, size, max_payload, &e, ret_why);

	if (r < 0)
		return bad(r);
	if (strcmp(e.type, type) != 0)
		return why_set(ret_why, -EBADMSG, "\"payloadType\" is %.80s instead of %s", e.type,
			       type);
	r = find_signer(&e, keys, n_keys, &key, ret_why);
	if (r < 0)
		return bad(r);
	buf_put(ret, e.payload.data, e.payload.size);
	r = buf_status(ret);
	if (r >= 0 && ret_key)
		*ret_key = key;
	return r;
}

int dsse_peek(const void *envelope, size_t size, size_t max_payload, struct buf *ret_payload,
	      struct buf *ret_type, struct why *ret_why)
{
	CLEANUP(envelope_done) struct envelope e = {.tree = NULL};
	int r = envelope_read(envelope, size, max_payload, &e, ret_why);

	if (r < 0)
		return bad(r);
	buf_put(ret_payload, e.payload.data, e.payload.size);
	r = buf_status(ret_payload);
	if (r >= 0 && ret_type) {
		buf_puts(ret_type, e.type);
		r = buf_status(ret_type);
	}
	return r;
}
