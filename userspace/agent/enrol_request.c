/* SPDX-License-Identifier: Apache-2.0 */
#include "enrol_request.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "cert.h"
#include "cleanup.h"
#include "jsonl.h"
#include "plumb/terms.h"
#include "plumb/wire.h"

static void put_blob(struct jsonl *j, const char *key, const struct buf *b)
{
	jsonl_base64(j, key, b->data, b->size);
}

int enrol_request_begin(const struct record *own, const struct sign_key *client_key,
			const char *token, const char *label, struct buf *ret)
{
	CLEANUP(buf_done) struct buf csr = {0};
	struct jsonl w;
	int r = cert_csr_make(client_key, own->node, &csr);

	if (r < 0)
		return r;
	jsonl_begin(&w, ret);
	jsonl_uint(&w, "v", WIRE_VERSION);
	jsonl_str(&w, "token", token);
	jsonl_str(&w, "label", label);
	put_blob(&w, "ek_public", &own->ek_public);
	put_blob(&w, "ek_cert", &own->ek_cert);
	put_blob(&w, "ak_public", &own->ak_public);
	put_blob(&w, "event_public", &own->event_public);
	put_blob(&w, "event_attest", &own->event_attest);
	put_blob(&w, "event_sig", &own->event_sig);
	jsonl_strn(&w, "csr", (char *)csr.data, csr.size);
	jsonl_str(&w, "agent", PLUMB_VERSION);
	jsonl_end(&w);
	return buf_status(ret);
}

static struct buf_view view(const struct buf *b)
{
	return (struct buf_view){b->data, b->size};
}

int enrol_request_proof(const struct record *own, const struct digest *client_key,
			const char *session, const char *label, const struct buf *opened,
			struct buf *ret)
{
	const struct buf_view ek = view(&own->ek_public), ak = view(&own->ak_public),
			      event = view(&own->event_public);
	struct digest transcript, proof;
	unsigned int size = DIGEST_SIZE;
	struct jsonl w;
	int r = record_transcript(session, &ek, &ak, &event, client_key, label, &transcript);

	if (r >= 0 && !HMAC(EVP_sha256(), opened->data, (int)opened->size, transcript.bytes,
			    DIGEST_SIZE, proof.bytes, &size))
		r = -EIO;
	if (r < 0)
		return r;
	jsonl_begin(&w, ret);
	jsonl_str(&w, "session", session);
	jsonl_base64(&w, "proof", proof.bytes, DIGEST_SIZE);
	jsonl_end(&w);
	return buf_status(ret);
}

int enrol_request_named(const struct buf *proof_body, const char *kube_token, struct buf *ret)
{
	size_t size = proof_body->size;
	struct jsonl j = {.buf = ret};

	while (size > 0 && proof_body->data[size - 1] != '}')
		size--;
	if (size < 2)
		return -EINVAL;
	buf_put(ret, proof_body->data, size - 1);
	buf_puts(ret, ",");
	jsonl_str(&j, "kube_token", kube_token);
	buf_puts(ret, "}");
	return buf_status(ret);
}
