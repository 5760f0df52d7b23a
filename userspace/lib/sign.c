/* SPDX-License-Identifier: Apache-2.0 */
#include "sign.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

#define MAX_SIGNATURE 1024

#define MAX_SPKI 91

struct sign_key {
	EVP_PKEY *pkey;
	enum sign_kind kind;
	bool is_private;
	uint8_t spki
		[MAX_SPKI]; /* kept where it comes for nothing, or will be asked for again and again */
	size_t spki_size; /* 0: it is not kept */
};

/*
 * SubjectPublicKeyInfo up to the key itself, which is of one size: RFC 5480 for P-256 (an uncompressed point), RFC 8410 for Ed25519. A key's id
 * is asked for with each signature, and OpenSSL's encoder takes longer than to verify one; to read the point alone takes a tenth of that.
 */
static const uint8_t p256_head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
				    0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
				    0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
static const uint8_t ed25519_head[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
				       0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

/* What this project uses and no other: 0 for the rest. */
static int kind_of(EVP_PKEY *pkey)
{
	char group[32];

	if (EVP_PKEY_is_a(pkey, "ED25519"))
		return SIGN_ED25519;
	if (EVP_PKEY_is_a(pkey, "RSA") && EVP_PKEY_get_bits(pkey) >= 2048)
		return SIGN_RSA;
	if (EVP_PKEY_is_a(pkey, "EC") &&
	    EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) == 1 &&
	    strcmp(group, "prime256v1") == 0)
		return SIGN_P256;
	return 0;
}

/* False: the encoder has the word. */
static bool put_spki(const struct sign_key *k, struct buf *ret)
{
	uint8_t key[65];
	size_t size = sizeof(key);

	if (k->spki_size > 0) {
		buf_put(ret, k->spki, k->spki_size);
		return true;
	}
	if (k->kind == SIGN_ED25519) {
		if (EVP_PKEY_get_raw_public_key(k->pkey, key, &size) != 1 || size != 32)
			return false;
		buf_put(ret, ed25519_head, sizeof(ed25519_head));
	} else if (k->kind == SIGN_P256) {
		if (EVP_PKEY_get_octet_string_param(k->pkey, OSSL_PKEY_PARAM_PUB_KEY, key,
						    sizeof(key), &size) != 1 ||
		    size != 65 || key[0] != 0x04)
			return false;
		buf_put(ret, p256_head, sizeof(p256_head));
	} else {
		return false;
	}
	buf_put(ret, key, size);
	return true;
}

static void keep_spki(struct sign_key *k)
{
	CLEANUP(buf_done) struct buf b = {0};

	if (!put_spki(k, &b) || buf_status(&b) < 0 || b.size > sizeof(k->spki))
		return;
	memcpy(k->spki, b.data, b.size);
	k->spki_size = b.size;
}

/* Is it in the one form that the encoder has for such a key? Others, with a compressed point, are legal. */
static bool is_as_written(enum sign_kind kind, const uint8_t *der, size_t size)
{
	return kind == SIGN_P256 ? size == sizeof(p256_head) + 65 &&
					   memcmp(der, p256_head, sizeof(p256_head)) == 0 &&
					   der[sizeof(p256_head)] == 0x04
				 : kind == SIGN_ED25519 && size == sizeof(ed25519_head) + 32 &&
					   memcmp(der, ed25519_head, sizeof(ed25519_head)) == 0;
}

/* Takes pkey, also on failure. */
static int wrap(EVP_PKEY *pkey, bool is_private, struct sign_key **ret)
{
	int kind = kind_of(pkey);
	struct sign_key *k = kind ? malloc(sizeof(*k)) : NULL;

	ERR_clear_error();
	if (!k) {
		EVP_PKEY_free(pkey);
		return kind ? -ENOMEM : -EKEYREJECTED;
	}
	*k = (struct sign_key){
		.pkey = pkey, .kind = (enum sign_kind)kind, .is_private = is_private};
	if (is_private)
		keep_spki(k);
	*ret = k;
	return 0;
}

int sign_key_generate(enum sign_kind kind, struct sign_key **ret)
{
	EVP_PKEY *pkey = kind == SIGN_ED25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
			 : kind == SIGN_P256  ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256")
					      : NULL;

	if (!pkey)
		return kind == SIGN_RSA ? -EINVAL : -EIO;
	return wrap(pkey, true, ret);
}

/* Never asks a terminal for a password. */
static int no_password(char *out, int size, int writing, void *ctx)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)ctx;
	return -1;
}

int sign_key_from_pem(const char *pem, size_t size, struct sign_key **ret, struct why *ret_why)
{
	BIO *bio = size <= 65536 ? BIO_new_mem_buf(pem, (int)size) : NULL;
	bool is_private = true;
	EVP_PKEY *pkey;
	int r;

	if (!bio)
		return why_set(ret_why, -EKEYREJECTED, "key file is too large");
	pkey = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
	if (!pkey) {
		is_private = false;
		BIO_reset(bio);
		pkey = PEM_read_bio_PUBKEY(bio, NULL, no_password, NULL);
	}
	BIO_free(bio);
	ERR_clear_error();
	if (!pkey)
		return why_set(ret_why, -EKEYREJECTED, "not a PEM private or public key");
	r = wrap(pkey, is_private, ret);
	return r < 0 ? why_set(ret_why, r,
			       "key is neither Ed25519 nor ECDSA P-256 nor RSA of 2048 bits or "
			       "more")
		     : 0;
}

int sign_key_from_spki(const void *der, size_t size, struct sign_key **ret, struct why *ret_why)
{
	const unsigned char *p = der;
	EVP_PKEY *pkey = size <= 8192 ? d2i_PUBKEY(NULL, &p, (long)size) : NULL;
	int r;

	ERR_clear_error();
	if (!pkey || p != (const unsigned char *)der + size) {
		EVP_PKEY_free(pkey);
		return why_set(ret_why, -EKEYREJECTED, "not a DER SubjectPublicKeyInfo");
	}
	r = wrap(pkey, false, ret);
	if (r < 0)
		return why_set(ret_why, r,
			       "key is neither Ed25519 nor ECDSA P-256 nor RSA of 2048 bits or "
			       "more");
	if (is_as_written((*ret)->kind, der, size)) {
		memcpy((*ret)->spki, der, size);
		(*ret)->spki_size = size;
	}
	return 0;
}

int sign_key_from_evp(EVP_PKEY *pkey, struct sign_key **ret)
{
	EVP_PKEY_up_ref(pkey);
	return wrap(pkey, false, ret);
}

int sign_key_from_p256(EVP_PKEY *pkey, const uint8_t point[65], struct sign_key **ret)
{
	int r = sign_key_from_evp(pkey, ret);

	if (r < 0 || (*ret)->kind != SIGN_P256)
		return r;
	memcpy((*ret)->spki, p256_head, sizeof(p256_head));
	memcpy((*ret)->spki + sizeof(p256_head), point, 65);
	(*ret)->spki_size = sizeof(p256_head) + 65;
	return 0;
}

struct sign_key *sign_key_free(struct sign_key *k)
{
	if (k)
		EVP_PKEY_free(k->pkey);
	free(k);
	return NULL;
}

enum sign_kind sign_key_kind(const struct sign_key *k)
{
	return k->kind;
}

bool sign_key_is_private(const struct sign_key *k)
{
	return k->is_private;
}

EVP_PKEY *sign_key_evp(const struct sign_key *k)
{
	return k->pkey;
}

int sign_key_spki(const struct sign_key *k, struct buf *ret)
{
	unsigned char *der = NULL;
	int size;

	if (put_spki(k, ret))
		return buf_status(ret);
	ERR_clear_error();
	size = i2d_PUBKEY(k->pkey, &der);

	if (size <= 0)
		return -EIO;
	buf_put(ret, der, (size_t)size);
	OPENSSL_free(der);
	return buf_status(ret);
}

int sign_key_id(const struct sign_key *k, struct digest *ret)
{
	struct buf spki = {0};
	int r = sign_key_spki(k, &spki);

	if (r >= 0)
		r = digest_sha256(spki.data, spki.size, ret);
	buf_done(&spki);
	return r;
}

int sign_key_raw_public(const struct sign_key *k, uint8_t ret[32])
{
	size_t size = 32;

	if (k->kind != SIGN_ED25519)
		return -EKEYREJECTED;
	if (k->spki_size > 0) {
		memcpy(ret, k->spki + sizeof(ed25519_head), size);
		return 0;
	}
	return EVP_PKEY_get_raw_public_key(k->pkey, ret, &size) == 1 && size == 32 ? 0 : -EIO;
}

static int take_bio(BIO *bio, int written, struct buf *ret)
{
	char *data;
	long size = BIO_get_mem_data(bio, &data);

	if (written == 1 && size > 0)
		buf_put(ret, data, (size_t)size);
	BIO_free(bio);
	return written == 1 && size > 0 ? buf_status(ret) : -EIO;
}

int sign_key_private_pem(const struct sign_key *k, struct buf *ret)
{
	BIO *bio = BIO_new(BIO_s_secmem());

	if (!bio)
		return -ENOMEM;
	return take_bio(bio,
			k->is_private ? PEM_write_bio_PKCS8PrivateKey(bio, k->pkey, NULL, NULL, 0,
								      NULL, NULL)
				      : 0,
			ret);
}

int sign_key_public_pem(const struct sign_key *k, struct buf *ret)
{
	BIO *bio = BIO_new(BIO_s_mem());

	if (!bio)
		return -ENOMEM;
	return take_bio(bio, PEM_write_bio_PUBKEY(bio, k->pkey), ret);
}

int sign_make(const struct sign_key *k, const void *data, size_t size, struct buf *ret)
{
	const EVP_MD *md = k->kind == SIGN_ED25519 ? NULL : EVP_sha256();
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t sig[MAX_SIGNATURE];
	size_t sig_size = sizeof(sig);
	int good;

	if (!ctx)
		return -ENOMEM;
	good = k->is_private && EVP_DigestSignInit(ctx, NULL, md, NULL, k->pkey) == 1 &&
	       EVP_DigestSign(ctx, sig, &sig_size, data, size) == 1;
	EVP_MD_CTX_free(ctx);
	if (!good)
		return k->is_private ? -EIO : -EKEYREJECTED;
	buf_put(ret, sig, sig_size);
	return buf_status(ret);
}

int sign_check(const struct sign_key *k, const void *data, size_t size, const void *sig,
	       size_t sig_size)
{
	const EVP_MD *md = k->kind == SIGN_ED25519 ? NULL : EVP_sha256();
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int r;

	if (!ctx)
		return -ENOMEM;
	r = EVP_DigestVerifyInit(ctx, NULL, md, NULL, k->pkey) == 1 ? 0 : -EIO;
	if (r == 0 && EVP_DigestVerify(ctx, sig, sig_size, data, size) != 1)
		r = -EBADMSG;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return r;
}

int sign_p256_to_der(const uint8_t rs[64], struct buf *ret)
{
	BIGNUM *a = BN_bin2bn(rs, 32, NULL), *b = BN_bin2bn(rs + 32, 32, NULL);
	ECDSA_SIG *sig = ECDSA_SIG_new();
	unsigned char *der = NULL;
	int size = 0;

	if (sig && a && b && ECDSA_SIG_set0(sig, a, b) == 1) {
		a = NULL;
		b = NULL;
		size = i2d_ECDSA_SIG(sig, &der);
	}
	if (size > 0)
		buf_put(ret, der, (size_t)size);
	OPENSSL_free(der);
	ECDSA_SIG_free(sig);
	BN_free(a);
	BN_free(b);
	return size > 0 ? buf_status(ret) : -EIO;
}

int sign_p256_from_der(const void *der, size_t size, uint8_t ret_rs[64])
{
	const unsigned char *p = der;
	ECDSA_SIG *sig = size <= 80 ? d2i_ECDSA_SIG(NULL, &p, (long)size) : NULL;
	uint8_t rs[64];
	int good = sig && p == (const unsigned char *)der + size &&
		   BN_bn2binpad(ECDSA_SIG_get0_r(sig), rs, 32) == 32 &&
		   BN_bn2binpad(ECDSA_SIG_get0_s(sig), rs + 32, 32) == 32;

	ECDSA_SIG_free(sig);
	ERR_clear_error();
	if (!good)
		return -EBADMSG;
	memcpy(ret_rs, rs, 64);
	return 0;
}
