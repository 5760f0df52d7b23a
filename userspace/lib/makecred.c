/* SPDX-License-Identifier: Apache-2.0 */
#include "makecred.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdbool.h>
#include <string.h>

#include "tpm_public.h"

#define MAX_HASH 48
#define MAX_SECRET 32
#define MAX_NAME 66

/* The EK's own choice of algorithms: those of its name algorithm and its symmetric cipher. */
struct suite {
	const EVP_MD *md;
	const EVP_CIPHER *cipher;
	size_t hash_size, key_size;
};

struct seed {
	uint8_t bytes[MAX_HASH];
};

static int suite_of(const struct tpm_public *ek, struct suite *ret, struct why *ret_why)
{
	bool large = ek->name_alg == TPM_PUBLIC_SHA384;

	if (ek->symmetric != TPM_PUBLIC_AES || ek->symmetric_mode != TPM_PUBLIC_CFB ||
	    (ek->symmetric_bits != 128 && ek->symmetric_bits != 256))
		return why_set(ret_why, -EKEYREJECTED, "EK: its cipher is not AES-CFB");
	ret->md = large ? EVP_sha384() : EVP_sha256();
	ret->hash_size = large ? 48 : 32;
	ret->key_size = ek->symmetric_bits / 8;
	ret->cipher = ret->key_size == 16 ? EVP_aes_128_cfb128() : EVP_aes_256_cfb128();
	return 0;
}

/*
 * KDFa (part 1, 11.4.10.2) with one block, which suffices here: no key is longer than the hash.
 * HMAC(seed, 1 ‖ label ‖ 0 ‖ context ‖ 0 bytes of a second context ‖ bits).
 */
static int kdfa(const struct suite *s, const struct seed *seed, const char *label,
		const struct buf_view *context, size_t size, uint8_t *ret)
{
	struct buf text = {.max = 256};
	uint8_t out[MAX_HASH];
	int r;

	buf_put_u32be(&text, 1);
	buf_put(&text, label, strlen(label) + 1);
	buf_put(&text, context->data, context->size);
	buf_put_u32be(&text, (uint32_t)size * 8);
	r = buf_status(&text);
	if (r >= 0 && !HMAC(s->md, seed->bytes, (int)s->hash_size, text.data, text.size, out, NULL))
		r = -EIO;
	if (r >= 0)
		memcpy(ret, out, size);
	OPENSSL_cleanse(out, sizeof(out));
	buf_done(&text);
	return r;
}

/* KDFe (part 1, 11.4.10.3), one block: H(1 ‖ Z ‖ "IDENTITY" ‖ 0 ‖ x of the ephemeral key ‖ x of the EK). */
static int kdfe(const struct suite *s, const struct buf_view *z, const uint8_t *ephemeral_x,
		const uint8_t *ek_x, struct seed *ret)
{
	struct buf text = {.max = 512};
	int r;

	buf_put_u32be(&text, 1);
	buf_put(&text, z->data, z->size);
	buf_put(&text, "IDENTITY", 9);
	buf_put(&text, ephemeral_x, z->size);
	buf_put(&text, ek_x, z->size);
	r = buf_status(&text);
	if (r >= 0 && EVP_Digest(text.data, text.size, ret->bytes, NULL, s->md, NULL) != 1)
		r = -EIO;
	if (text.data)
		OPENSSL_cleanse(text.data, text.size);
	buf_done(&text);
	return r;
}

/* A random seed, by OAEP with the label "IDENTITY" and its NUL. */
static int seed_by_rsa(const struct suite *s, EVP_PKEY *ek, struct seed *ret,
		       struct buf *ret_secret)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(ek, NULL);
	void *label = OPENSSL_memdup("IDENTITY", 9);
	uint8_t out[256];
	size_t size = sizeof(out);
	int r = -EIO;

	if (ctx && label && RAND_bytes(ret->bytes, (int)s->hash_size) == 1 &&
	    EVP_PKEY_encrypt_init(ctx) == 1 &&
	    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_rsa_oaep_md(ctx, s->md) == 1 &&
	    EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, s->md) == 1 &&
	    EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, label, 9) == 1) {
		label = NULL; /* it is the context's now */
		if (EVP_PKEY_encrypt(ctx, out, &size, ret->bytes, s->hash_size) == 1)
			r = 0;
	}
	OPENSSL_free(label);
	EVP_PKEY_CTX_free(ctx);
	if (r < 0)
		return r;
	buf_put_u16be(ret_secret, (uint16_t)size);
	buf_put(ret_secret, out, size);
	return buf_status(ret_secret);
}

/* The uncompressed point of an EC key: 4 ‖ x ‖ y. */
static int point_of(EVP_PKEY *pkey, size_t width, uint8_t ret[97])
{
	size_t size = 0;

	if (EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, ret, 97, &size) != 1 ||
	    size != 1 + 2 * width || ret[0] != 4)
		return -EIO;
	return 0;
}

static int agree(EVP_PKEY *own, EVP_PKEY *peer, uint8_t *ret, size_t width)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(own, NULL);
	size_t size = width;
	int r = -EIO;

	if (ctx && EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, peer) == 1 &&
	    EVP_PKEY_derive(ctx, ret, &size) == 1 && size == width)
		r = 0;
	EVP_PKEY_CTX_free(ctx);
	return r;
}

static int seed_by_ecc(const struct suite *s, EVP_PKEY *ek, size_t width, struct seed *ret,
		       struct buf *ret_secret)
{
	EVP_PKEY *own = EVP_PKEY_Q_keygen(NULL, NULL, "EC", width == 32 ? "P-256" : "P-384");
	uint8_t own_point[97], ek_point[97], z[48];
	const struct buf_view shared = {z, width};
	int r = own ? point_of(own, width, own_point) : -EIO;

	if (r >= 0)
		r = point_of(ek, width, ek_point);
	if (r >= 0)
		r = agree(own, ek, z, width);
	if (r >= 0)
		r = kdfe(s, &shared, own_point + 1, ek_point + 1, ret);
	OPENSSL_cleanse(z, sizeof(z));
	EVP_PKEY_free(own);
	if (r < 0)
		return r;
	buf_put_u16be(ret_secret, (uint16_t)(2 * (2 + width)));
	buf_put_u16be(ret_secret, (uint16_t)width);
	buf_put(ret_secret, own_point + 1, width);
	buf_put_u16be(ret_secret, (uint16_t)width);
	buf_put(ret_secret, own_point + 1 + width, width);
	return buf_status(ret_secret);
}

/* AES-CFB with a zero IV over the TPM2B of the secret: each seed is used once. */
static int encrypt(const struct suite *s, const uint8_t *key, const struct buf_view *secret,
		   uint8_t *ret)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t plain[2 + MAX_SECRET], iv[16] = {0};
	int size = 0, want = (int)secret->size + 2, r = -EIO;

	plain[0] = 0;
	plain[1] = (uint8_t)secret->size;
	memcpy(plain + 2, secret->data, secret->size);
	if (ctx && EVP_EncryptInit_ex(ctx, s->cipher, NULL, key, iv) == 1 &&
	    EVP_EncryptUpdate(ctx, ret, &size, plain, want) == 1 && size == want)
		r = 0;
	EVP_CIPHER_CTX_free(ctx);
	OPENSSL_cleanse(plain, sizeof(plain));
	return r;
}

/* TPM2B_ID_OBJECT: HMAC as a TPM2B, then the encrypted secret, which its own encrypted length ends. */
static int wrap(const struct suite *s, const struct seed *seed, const struct buf_view *name,
		const struct buf_view *secret, struct buf *ret_blob)
{
	const struct buf_view none = {NULL, 0};
	uint8_t sealed[2 + MAX_SECRET + MAX_NAME], key[MAX_HASH], mac[MAX_HASH];
	size_t sealed_size = 2 + secret->size;
	int r = kdfa(s, seed, "STORAGE", name, s->key_size, key);

	if (r >= 0)
		r = encrypt(s, key, secret, sealed);
	if (r >= 0)
		r = kdfa(s, seed, "INTEGRITY", &none, s->hash_size, key);
	if (r >= 0) {
		memcpy(sealed + sealed_size, name->data, name->size);
		if (!HMAC(s->md, key, (int)s->hash_size, sealed, sealed_size + name->size, mac,
			  NULL))
			r = -EIO;
	}
	OPENSSL_cleanse(key, sizeof(key));
	if (r < 0)
		return r;
	buf_put_u16be(ret_blob, (uint16_t)(2 + s->hash_size + sealed_size));
	buf_put_u16be(ret_blob, (uint16_t)s->hash_size);
	buf_put(ret_blob, mac, s->hash_size);
	buf_put(ret_blob, sealed, sealed_size);
	return buf_status(ret_blob);
}

int makecred_make(const void *ek_public, size_t ek_size, const void *ak_name, size_t ak_name_size,
		  const void *secret, size_t secret_size, struct buf *ret_blob,
		  struct buf *ret_secret, struct why *ret_why)
{
	const struct buf_view name = {ak_name, ak_name_size}, plain = {secret, secret_size};
	EVP_PKEY *pkey = NULL;
	struct tpm_public ek;
	struct seed seed;
	struct suite s;
	int r;

	if (secret_size == 0 || secret_size > MAX_SECRET || ak_name_size < 34 ||
	    ak_name_size > MAX_NAME)
		return why_set(ret_why, -EINVAL, "secret or AK name of a wrong size");
	r = tpm_public_parse(ek_public, ek_size, &ek, ret_why);
	if (r < 0)
		return r;
	r = suite_of(&ek, &s, ret_why);
	if (r < 0)
		return r;
	r = tpm_public_evp(&ek, &pkey, ret_why);
	if (r < 0)
		return r;
	if (ek.type == TPM_PUBLIC_RSA)
		r = seed_by_rsa(&s, pkey, &seed, ret_secret);
	else
		r = seed_by_ecc(&s, pkey, ek.curve == TPM_PUBLIC_P256 ? 32 : 48, &seed, ret_secret);
	if (r >= 0)
		r = wrap(&s, &seed, &name, &plain, ret_blob);
	OPENSSL_cleanse(&seed, sizeof(seed));
	EVP_PKEY_free(pkey);
	ERR_clear_error();
	return r < 0 ? why_set(ret_why, r, "credential cannot be made for this EK") : 0;
}
