/* SPDX-License-Identifier: Apache-2.0 */
#include "jwt.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <string.h>

#include "cleanup.h"
#include "jsonl.h"

#define MAX_JWT (1024u * 1024)
#define MAX_HEADER 4096
#define MAX_SET 65536
#define MAX_KEYS 64

static int key_id(const struct sign_key *key, char ret[DIGEST_HEX_SIZE])
{
	struct digest id;
	int r;

	if (sign_key_kind(key) != SIGN_P256)
		return -EKEYREJECTED;
	r = sign_key_id(key, &id);
	if (r >= 0)
		digest_hex(&id, ret);
	return r;
}

int jwt_sign(const char *claims, size_t size, const struct sign_key *key, struct buf *ret)
{
	CLEANUP(buf_done) struct buf header = {0};
	CLEANUP(buf_done) struct buf text = {0};
	CLEANUP(buf_done) struct buf der = {0};
	char kid[DIGEST_HEX_SIZE];
	uint8_t rs[64];
	struct jsonl j;
	int r = key_id(key, kid);

	if (r < 0)
		return r;
	jsonl_begin(&j, &header);
	jsonl_str(&j, "alg", "ES256");
	jsonl_str(&j, "typ", "JWT");
	jsonl_str(&j, "kid", kid);
	jsonl_end(&j);
	digest_base64_url(&text, header.data, header.size);
	buf_put(&text, ".", 1);
	digest_base64_url(&text, claims, size);
	r = buf_status(&header) < 0 ? buf_status(&header) : buf_status(&text);
	if (r >= 0)
		r = sign_make(key, text.data, text.size, &der);
	if (r >= 0)
		r = sign_p256_from_der(der.data, der.size, rs);
	if (r < 0)
		return r;
	buf_put(ret, text.data, text.size);
	buf_put(ret, ".", 1);
	digest_base64_url(ret, rs, sizeof(rs));
	return buf_status(ret);
}

/* The algorithm comes from the key, never from the token: a header that names another is refused. */
static int check_header(const char *text, size_t size, const char *kid, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf header = {0};
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	const char *value;
	int r;

	if (size > MAX_HEADER || digest_from_base64_url(text, size, &header) < 0)
		return why_set(ret_why, -EBADMSG, "token's header is not base64url");
	r = jsonl_parse(header.data, header.size, MAX_HEADER, &o, ret_why);
	if (r >= 0)
		r = jsonl_get_str(o, "alg", 16, &value, ret_why);
	if (r < 0)
		return -EBADMSG;
	if (strcmp(value, "ES256") != 0)
		return why_set(ret_why, -EBADMSG, "token's \"alg\" is %s instead of ES256", value);
	if (json_object_get(o, "crit"))
		return why_set(ret_why, -EBADMSG, "token has \"crit\", of which nothing is known");
	r = jsonl_get_str(o, "kid", DIGEST_HEX_SIZE, &value, ret_why);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	return strcmp(value, kid) == 0 ? 0
				       : why_set(ret_why, -EKEYREJECTED,
						 "token is of key %.64s, not of %.64s", value, kid);
}

/* Signature over jwt[0, size), at sig in base64url. */
static int check_signature(const char *jwt, size_t size, const char *sig, size_t sig_size,
			   const struct sign_key *key, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf rs = {0};
	CLEANUP(buf_done) struct buf der = {0};
	int r = digest_from_base64_url(sig, sig_size, &rs);

	if (r < 0 || rs.size != 64)
		return why_set(ret_why, -EBADMSG, "token's signature is not 64 bytes in base64url");
	r = sign_p256_to_der(rs.data, &der);
	if (r >= 0)
		r = sign_check(key, jwt, size, der.data, der.size);
	return r < 0 ? why_set(ret_why, r, "token's signature is false") : 0;
}

int jwt_open(const char *jwt, size_t size, const struct sign_key *key, struct buf *ret_claims,
	     struct why *ret_why)
{
	CLEANUP(buf_done) struct buf claims = {0};
	const char *a, *b, *end = jwt + size;
	char kid[DIGEST_HEX_SIZE];
	int r = key_id(key, kid);

	if (r < 0)
		return why_set(ret_why, r, "key is not ECDSA P-256");
	a = size <= MAX_JWT ? memchr(jwt, '.', size) : NULL;
	b = a ? memchr(a + 1, '.', (size_t)(end - a - 1)) : NULL;
	if (!b || memchr(b + 1, '.', (size_t)(end - b - 1)))
		return why_set(ret_why, -EBADMSG, "token has not three parts");
	r = check_header(jwt, (size_t)(a - jwt), kid, ret_why);
	if (r >= 0)
		r = check_signature(jwt, (size_t)(b - jwt), b + 1, (size_t)(end - b - 1), key,
				    ret_why);
	if (r < 0)
		return r;
	if (digest_from_base64_url(a + 1, (size_t)(b - a - 1), &claims) < 0)
		return why_set(ret_why, -EBADMSG, "token's claims are not base64url");
	buf_put(ret_claims, claims.data, claims.size);
	return buf_status(ret_claims);
}

/* One member of a set. -ENOENT: it is for something else. */
static int read_jwk(const json_t *o, struct sign_key **ret, struct why *ret_why)
{
	/* SubjectPublicKeyInfo of a P-256 key, up to its point. */
	static const uint8_t head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
				       0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
				       0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};
	static const char *const fixed[][2] = {{"kty", "EC"}, {"crv", "P-256"}};
	CLEANUP(buf_done) struct buf spki = {0};
	const char *text;

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		if (jsonl_get_str(o, fixed[i][0], 16, &text, NULL) < 0 ||
		    strcmp(text, fixed[i][1]) != 0)
			return -ENOENT;
	if (jsonl_get_str(o, "use", 16, &text, NULL) == 0 && strcmp(text, "sig") != 0)
		return -ENOENT;
	if (jsonl_get_str(o, "alg", 16, &text, NULL) == 0 && strcmp(text, "ES256") != 0)
		return -ENOENT;
	buf_put(&spki, head, sizeof(head));
	for (int i = 0; i < 2; i++) {
		size_t before = spki.size;

		if (jsonl_get_str(o, i == 0 ? "x" : "y", 64, &text, ret_why) < 0 ||
		    digest_from_base64_url(text, strlen(text), &spki) < 0 ||
		    spki.size - before != 32)
			return why_set(ret_why, -EBADMSG, "key set: a key's point is broken");
	}
	return sign_key_from_spki(spki.data, spki.size, ret, ret_why);
}

int jwt_open_by_set(const char *jwt, size_t size, const char *set, size_t set_size,
		    struct buf *ret_claims, struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	json_t *keys = NULL, *one;
	size_t i;
	int r = jsonl_parse(set, set_size, MAX_SET, &o, ret_why);

	if (r >= 0)
		r = jsonl_get_array(o, "keys", MAX_KEYS, &keys, ret_why);
	if (r < 0)
		return -EBADMSG;
	r = why_set(ret_why, -EKEYREJECTED, "no key of the set is for ES256");
	json_array_foreach (keys, i, one) {
		struct sign_key *key = NULL;
		int k = read_jwk(one, &key, ret_why);

		if (k >= 0)
			r = jwt_open(jwt, size, key, ret_claims, ret_why);
		else if (k != -ENOENT)
			r = k;
		sign_key_free(key);
		/* A token that is broken is so for every key. */
		if (r >= 0)
			return r;
	}
	return r;
}

static int put_jwk(struct jsonl *j, const struct sign_key *key)
{
	CLEANUP(buf_done) struct buf x = {0};
	CLEANUP(buf_done) struct buf y = {0};
	char kid[DIGEST_HEX_SIZE];
	uint8_t point[65];
	size_t size = 0;
	int r = key_id(key, kid);

	if (r < 0)
		return r;
	/* 0x04 ‖ x ‖ y */
	if (EVP_PKEY_get_octet_string_param(sign_key_evp(key), OSSL_PKEY_PARAM_PUB_KEY, point,
					    sizeof(point), &size) != 1 ||
	    size != sizeof(point) || point[0] != 4)
		return -EIO;
	digest_base64_url(&x, point + 1, 32);
	digest_base64_url(&y, point + 33, 32);
	r = buf_status(&x) < 0 ? buf_status(&x) : buf_status(&y);
	if (r < 0)
		return r;
	jsonl_object(j, NULL);
	jsonl_str(j, "kty", "EC");
	jsonl_str(j, "crv", "P-256");
	jsonl_strn(j, "x", (const char *)x.data, x.size);
	jsonl_strn(j, "y", (const char *)y.data, y.size);
	jsonl_str(j, "kid", kid);
	jsonl_str(j, "alg", "ES256");
	jsonl_str(j, "use", "sig");
	jsonl_close(j);
	return 0;
}

int jwt_jwks(const struct sign_key *const *keys, uint32_t n_keys, struct buf *ret)
{
	struct jsonl j;

	jsonl_begin(&j, ret);
	jsonl_array(&j, "keys");
	for (uint32_t i = 0; i < n_keys; i++) {
		int r = put_jwk(&j, keys[i]);

		if (r < 0)
			return r;
	}
	jsonl_close(&j);
	jsonl_end(&j);
	return buf_status(ret);
}
