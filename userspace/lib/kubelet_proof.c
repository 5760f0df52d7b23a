/* SPDX-License-Identifier: Apache-2.0 */
#include "kubelet_proof.h"

#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "jsonl.h"
#include "sign.h"

#define MAX_SPKI 256
#define MAX_SIG 128

/* What is signed: no other use of the key has these words before it. */
static int statement(const char *origin, struct buf *ret)
{
	buf_printf(ret, KUBELET_PROOF_WORDS "\n%s\n", origin);
	return buf_status(ret);
}

static int sign_it(const struct sign_key *key, const char *origin, struct buf *ret_members)
{
	CLEANUP(buf_done) struct buf text = {0};
	CLEANUP(buf_done) struct buf spki = {0};
	CLEANUP(buf_done) struct buf sig = {0};
	struct jsonl j = {.buf = ret_members};
	int r = statement(origin, &text);

	if (r >= 0)
		r = sign_key_spki(key, &spki);
	if (r >= 0)
		r = sign_make(key, text.data, text.size, &sig);
	if (r < 0)
		return r;
	jsonl_base64(&j, "spki", spki.data, spki.size);
	jsonl_base64(&j, "sig", sig.data, sig.size);
	return buf_status(ret_members);
}

int kubelet_proof_make(const char *pem, size_t size, const char *origin, struct buf *ret_members,
		       struct digest *ret_key, struct why *ret_why)
{
	struct sign_key *key = NULL;
	int r = sign_key_from_pem(pem, size, &key, ret_why);

	if (r < 0 || !sign_key_is_private(key) || sign_key_kind(key) != SIGN_P256)
		r = why_set(ret_why, -ENOENT, "no private key of ECDSA P-256 is in it");
	if (r >= 0)
		r = sign_key_id(key, ret_key);
	if (r >= 0)
		r = sign_it(key, origin, ret_members);
	sign_key_free(key);
	return r;
}

int kubelet_proof_check(const json_t *line, const char *origin, struct digest *ret_key,
			struct why *ret_why)
{
	CLEANUP(buf_done) struct buf text = {0};
	CLEANUP(buf_done) struct buf spki = {0};
	CLEANUP(buf_done) struct buf sig = {0};
	struct sign_key *key = NULL;
	int r = jsonl_get_base64(line, "spki", MAX_SPKI, &spki, ret_why);

	if (r >= 0)
		r = jsonl_get_base64(line, "sig", MAX_SIG, &sig, ret_why);
	if (r < 0)
		return -EBADMSG;
	r = sign_key_from_spki(spki.data, spki.size, &key, ret_why);
	if (r >= 0 && sign_key_kind(key) != SIGN_P256)
		r = why_set(ret_why, -EBADMSG, "the kubelet's key is not of ECDSA P-256");
	if (r >= 0)
		r = statement(origin, &text);
	if (r >= 0 && sign_check(key, text.data, text.size, sig.data, sig.size) < 0)
		r = why_set(ret_why, -EBADMSG, "the kubelet's key did not sign for this ledger");
	if (r >= 0)
		r = sign_key_id(key, ret_key);
	sign_key_free(key);
	return r == -EKEYREJECTED ? -EBADMSG : r;
}
