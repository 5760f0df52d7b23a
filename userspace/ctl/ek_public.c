/* SPDX-License-Identifier: Apache-2.0 */
#include "ek_public.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#include "cleanup.h"
#include "quote.h"
#include "tpm_public.h"

#define MAX_FILE 65536

/* PolicySecret(endorsement), and PolicyB of the H templates (TCG EK Credential Profile, B.3 and B.4). */
static const uint8_t policy_l[32] = {
	0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc,
	0x8d, 0x46, 0xa5, 0xd7, 0x24, 0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52,
	0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa,
};
static const uint8_t policy_b384[48] = {
	0xb2, 0x6e, 0x7d, 0x28, 0xd1, 0x1a, 0x50, 0xbc, 0x53, 0xd8, 0x82, 0xbc,
	0xf5, 0xfd, 0x3a, 0x1a, 0x07, 0x41, 0x48, 0xbb, 0x35, 0xd3, 0xb4, 0xe4,
	0xcb, 0x1c, 0x0a, 0xd9, 0xbd, 0xe4, 0x19, 0xca, 0xcb, 0x47, 0xba, 0x09,
	0x69, 0x96, 0x46, 0x15, 0x0f, 0x9f, 0xc0, 0x00, 0xf3, 0xf8, 0x0e, 0x12,
};

static void put_head(struct buf *b, uint16_t type, bool large)
{
	uint32_t attributes = TPM_PUBLIC_FIXED_TPM | TPM_PUBLIC_FIXED_PARENT |
			      TPM_PUBLIC_DATA_ORIGIN | TPM_PUBLIC_ADMIN_WITH_POLICY |
			      TPM_PUBLIC_RESTRICTED | TPM_PUBLIC_DECRYPT |
			      (large ? TPM_PUBLIC_USER_WITH_AUTH : 0);

	buf_put_u16be(b, type);
	buf_put_u16be(b, large ? TPM_PUBLIC_SHA384 : TPM_PUBLIC_SHA256);
	buf_put_u32be(b, attributes);
	buf_put_u16be(b, large ? sizeof(policy_b384) : sizeof(policy_l));
	buf_put(b, large ? policy_b384 : policy_l, large ? sizeof(policy_b384) : sizeof(policy_l));
	buf_put_u16be(b, TPM_PUBLIC_AES);
	buf_put_u16be(b, large ? 256 : 128);
	buf_put_u16be(b, TPM_PUBLIC_CFB);
	buf_put_u16be(b, TPM_PUBLIC_NULL);
}

static int put_number(EVP_PKEY *key, const char *name, int size, struct buf *b)
{
	uint8_t bytes[256];
	BIGNUM *n = NULL;
	int r = EVP_PKEY_get_bn_param(key, name, &n) == 1 && BN_bn2binpad(n, bytes, size) == size
			? 0
			: -EBADMSG;

	BN_free(n);
	if (r < 0)
		return r;
	buf_put_u16be(b, (uint16_t)size);
	buf_put(b, bytes, (size_t)size);
	return 0;
}

/* Templates L-1, L-2 and H-3: the ones that plumbd makes its choice from. */
static int put_area(EVP_PKEY *key, struct buf *b)
{
	bool large = EVP_PKEY_get_bits(key) == 384;
	int size = large ? 48 : 32, r;

	if (EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) == 2048) {
		put_head(b, TPM_PUBLIC_RSA, false);
		buf_put_u16be(b, 2048);
		buf_put_u32be(b, 0);
		return put_number(key, OSSL_PKEY_PARAM_RSA_N, 256, b);
	}
	if (!EVP_PKEY_is_a(key, "EC") || (!large && EVP_PKEY_get_bits(key) != 256))
		return -EBADMSG;
	put_head(b, TPM_PUBLIC_ECC, large);
	buf_put_u16be(b, large ? TPM_PUBLIC_P384 : TPM_PUBLIC_P256);
	buf_put_u16be(b, TPM_PUBLIC_NULL);
	r = put_number(key, OSSL_PKEY_PARAM_EC_PUB_X, size, b);
	return r < 0 ? r : put_number(key, OSSL_PKEY_PARAM_EC_PUB_Y, size, b);
}

/* A public key, or a certificate's, in PEM or DER. */
static EVP_PKEY *read_key(const uint8_t *data, size_t size)
{
	const unsigned char *at = data;
	BIO *bio = BIO_new_mem_buf(data, (int)size);
	EVP_PKEY *key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	X509 *cert = NULL;

	if (!key && BIO_reset(bio) == 1)
		cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	if (!key && !cert)
		key = d2i_PUBKEY(NULL, &at, (long)size);
	at = data;
	if (!key && !cert)
		cert = d2i_X509(NULL, &at, (long)size);
	if (cert)
		key = X509_get_pubkey(cert);
	X509_free(cert);
	BIO_free(bio);
	ERR_clear_error();
	return key;
}

static int put_of_key(const uint8_t *data, size_t size, struct buf *ret, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf area = {0};
	EVP_PKEY *key = read_key(data, size);
	int r = key ? put_area(key, &area) : -EBADMSG;

	EVP_PKEY_free(key);
	if (r < 0)
		return why_set(
			ret_why, r,
			"is neither a TPM's public area nor a public key of RSA-2048, P-256 or "
			"P-384");
	buf_put_u16be(ret, (uint16_t)area.size);
	buf_put(ret, area.data, area.size);
	return buf_status(ret);
}

int ek_public_node(const void *data, size_t size, char ret_node[65], struct why *ret_why)
{
	CLEANUP(buf_done) struct buf tpm2b = {0};
	const uint8_t *bytes = data;
	struct tpm_public p;
	struct why ignored;
	struct digest d;
	int r = 0;

	if (size < 2 || size > MAX_FILE)
		return why_set(ret_why, -EBADMSG, "is no endorsement key");
	if (tpm_public_parse(bytes, size, &p, &ignored) >= 0) {
		buf_put(&tpm2b, bytes, size);
	} else {
		buf_put_u16be(&tpm2b, (uint16_t)size);
		buf_put(&tpm2b, bytes, size);
		if (tpm_public_parse(tpm2b.data, tpm2b.size, &p, &ignored) < 0) {
			buf_clear(&tpm2b);
			r = put_of_key(bytes, size, &tpm2b, ret_why);
		}
	}
	if (r >= 0)
		r = quote_check_ek(tpm2b.data, tpm2b.size, ret_why) < 0 ? -EBADMSG : 0;
	if (r >= 0)
		r = quote_public_digest(tpm2b.data, tpm2b.size, &d, ret_why);
	if (r >= 0)
		digest_hex(&d, ret_node);
	return r;
}
