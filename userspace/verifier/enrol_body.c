/* SPDX-License-Identifier: Apache-2.0 */
#include "enrol_body.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>

#include "cleanup.h"
#include "jsonl.h"
#include "plumb/wire.h"

#define MAX_BLOB 4096
#define MAX_CERT 8192

void enrol_body_done(struct enrol_body *b)
{
	OPENSSL_cleanse(b->token, sizeof(b->token));
	buf_done(&b->ek_public);
	buf_done(&b->ek_cert);
	buf_done(&b->ak_public);
	buf_done(&b->event_public);
	buf_done(&b->event_attest);
	buf_done(&b->event_sig);
}

/* It stands in certificates' neighbours, in tables and in commands: no spaces, no control bytes. */
bool enrol_body_is_label(const char *text)
{
	return text[0] &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
		       strlen(text);
}

static int parse_texts(const json_t *o, struct enrol_body *ret, struct why *ret_why)
{
	int r = jsonl_get_version(o, WIRE_VERSION, ret_why);

	if (r >= 0)
		r = jsonl_get_text(o, "token", ret->token, sizeof(ret->token), ret_why);
	if (r >= 0)
		r = jsonl_get_text(o, "label", ret->label, sizeof(ret->label), ret_why);
	if (r >= 0 && !enrol_body_is_label(ret->label))
		return why_set(ret_why, -EBADMSG,
			       "\"label\" is not made of letters, digits, . _ -");
	if (r >= 0)
		r = jsonl_get_text(o, "csr", ret->csr, sizeof(ret->csr), ret_why);
	return r < 0 ? r : jsonl_get_text(o, "agent", ret->agent, sizeof(ret->agent), ret_why);
}

static int parse_blobs(const json_t *o, struct enrol_body *ret, struct why *ret_why)
{
	const struct {
		const char *key;
		size_t max;
		struct buf *to;
	} blobs[] = {
		{"ek_public", MAX_BLOB, &ret->ek_public},
		{"ek_cert", MAX_CERT, &ret->ek_cert},
		{"ak_public", MAX_BLOB, &ret->ak_public},
		{"event_public", MAX_BLOB, &ret->event_public},
		{"event_attest", MAX_BLOB, &ret->event_attest},
		{"event_sig", MAX_BLOB, &ret->event_sig},
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(blobs) && r >= 0; i++)
		r = jsonl_get_base64(o, blobs[i].key, blobs[i].max, blobs[i].to, ret_why);
	return r;
}

int enrol_body_parse(const void *data, size_t size, struct enrol_body *ret, struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	int r = jsonl_parse(data, size, WIRE_MAX_JSON_BODY, &o, ret_why);

	memset(ret, 0, sizeof(*ret));
	if (r >= 0)
		r = parse_texts(o, ret, ret_why);
	if (r >= 0)
		r = parse_blobs(o, ret, ret_why);
	if (r < 0)
		enrol_body_done(ret);
	return r == -ENOENT ? -EBADMSG : r;
}

void enrol_body_wipe(struct buf *secret)
{
	if (secret->data)
		OPENSSL_cleanse(secret->data, secret->size);
	buf_done(secret);
}

/* What a JWT is made of: it becomes part of a request's body, and of nothing else. */
static int parse_kube_token(const json_t *o, struct buf *ret, struct why *ret_why)
{
	const char *token = "";
	int r = jsonl_get_str(o, "kube_token", WIRE_MAX_KUBE_TOKEN, &token, ret_why);

	if (r == -ENOENT || (r >= 0 && !token[0]))
		return 0;
	if (r < 0)
		return r;
	if (strspn(token, WIRE_KUBE_TOKEN_CHARS) != strlen(token))
		return why_set(ret_why, -EBADMSG, "\"kube_token\" is no token");
	buf_puts(ret, token);
	return buf_status(ret);
}

int enrol_body_parse_proof(const void *data, size_t size,
			   char ret_session[ENROL_BODY_SESSION_HEX + 1], struct digest *ret_proof,
			   struct buf *ret_kube_token, struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	CLEANUP(buf_done) struct buf proof = {0};
	uint8_t session[ENROL_BODY_SESSION_HEX / 2];
	int r = jsonl_parse(data, size, WIRE_MAX_JSON_BODY, &o, ret_why);

	if (r >= 0)
		r = jsonl_get_hex(o, "session", session, sizeof(session), ret_why);
	if (r >= 0)
		r = jsonl_get_base64(o, "proof", DIGEST_SIZE, &proof, ret_why);
	if (r >= 0 && proof.size != DIGEST_SIZE)
		r = why_set(ret_why, -EBADMSG, "\"proof\" is not of 32 bytes");
	if (r >= 0)
		r = parse_kube_token(o, ret_kube_token, ret_why);
	if (r < 0)
		return r == -ENOENT ? -EBADMSG : r;
	digest_bytes_hex(session, sizeof(session), ret_session);
	memcpy(ret_proof->bytes, proof.data, DIGEST_SIZE);
	return 0;
}
