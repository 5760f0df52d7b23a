/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials opened again: by OpenSSL's own OAEP and KBKDF for an RSA EK, by the TPM in memory for P-256. test_tpm has chips open them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/rsa.h>

#include "fake_tpm.h"
#include "fsio.h"
#include "makecred.h"

static const uint8_t secret[32] = "thirty-two bytes of a secret...";
static const uint8_t ak_name[34] = {0x00, 0x0b, 1, 2, 3};
static struct why why;

/* TPM2B_PUBLIC of the RSA EK template with this key. */
static struct buf rsa_public(EVP_PKEY *pkey)
{
	struct buf template = {0};
	BIGNUM *n = NULL;

	assert_int_equal(
		fsio_read_file(fsio_system(), "tests/data/quote/keylime/ek.pub", 4096, &template),
		0);
	assert_int_equal(EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &n), 1);
	assert_int_equal(BN_bn2binpad(n, template.data + template.size - 256, 256), 256);
	BN_free(n);
	return template;
}

/* KDFa is NIST's SP 800-108 counter mode, which OpenSSL has too. */
static void kdfa(const uint8_t seed[32], const char *label, const uint8_t *context, size_t size,
		 uint8_t *ret, size_t ret_size)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "KBKDF", NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_MAC, (char *)"HMAC", 0),
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)seed, 32),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)label,
						  strlen(label)),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)context, size),
		OSSL_PARAM_construct_end(),
	};

	assert_int_equal(EVP_KDF_derive(ctx, ret, ret_size, params), 1);
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
}

static void open_oaep(EVP_PKEY *pkey, const struct buf *sealed, uint8_t ret_seed[32])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
	size_t size = 256;
	uint8_t out[256];

	assert_int_equal(sealed->size, 2 + 256);
	assert_int_equal(sealed->data[0] << 8 | sealed->data[1], 256);
	assert_int_equal(EVP_PKEY_decrypt_init(ctx), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()), 1);
	assert_int_equal(EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, OPENSSL_memdup("IDENTITY", 9), 9),
			 1);
	assert_int_equal(EVP_PKEY_decrypt(ctx, out, &size, sealed->data + 2, 256), 1);
	assert_int_equal(size, 32);
	memcpy(ret_seed, out, 32);
	EVP_PKEY_CTX_free(ctx);
}

static void test_rsa(void **state)
{
	EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	struct buf ek = rsa_public(pkey), blob = {0}, sealed = {0}, covered = {0};
	uint8_t seed[32], key[32], mac[32], plain[34], iv[16] = {0};
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	int n = 0;

	(void)state;
	assert_int_equal(makecred_make(ek.data, ek.size, ak_name, sizeof(ak_name), secret,
				       sizeof(secret), &blob, &sealed, &why),
			 0);
	open_oaep(pkey, &sealed, seed);
	/* TPM2B { TPM2B HMAC, encrypted TPM2B secret } */
	assert_int_equal(blob.size, 2 + 2 + 32 + 2 + 32);
	assert_int_equal(blob.data[1], blob.size - 2);
	assert_int_equal(blob.data[3], 32);
	buf_put(&covered, blob.data + 36, 34);
	buf_put(&covered, ak_name, sizeof(ak_name));
	kdfa(seed, "INTEGRITY", NULL, 0, key, 32);
	HMAC(EVP_sha256(), key, 32, covered.data, covered.size, mac, NULL);
	assert_memory_equal(mac, blob.data + 4, 32);
	kdfa(seed, "STORAGE", ak_name, sizeof(ak_name), key, 16);
	assert_int_equal(EVP_DecryptInit_ex(cipher, EVP_aes_128_cfb128(), NULL, key, iv), 1);
	assert_int_equal(EVP_DecryptUpdate(cipher, plain, &n, blob.data + 36, 34), 1);
	assert_int_equal(n, 34);
	assert_int_equal(plain[0] << 8 | plain[1], 32);
	assert_memory_equal(plain + 2, secret, 32);
	EVP_CIPHER_CTX_free(cipher);
	EVP_PKEY_free(pkey);
	buf_done(&ek);
	buf_done(&blob);
	buf_done(&sealed);
	buf_done(&covered);
}

struct bench {
	struct fake_tpm *f;
	struct tpm *t;
	struct buf ek, cert, blobs, ak, event, blob, sealed, got;
	uint8_t name[34];
};

static void setup(struct bench *b)
{
	*b = (struct bench){0};
	assert_int_equal(fake_tpm_open(&b->f), 0);
	b->t = fake_tpm_door(b->f);
	assert_int_equal(b->t->ops->ek_public(b->t->ctx, &b->ek, &b->cert), 0);
	assert_int_equal(b->t->ops->keys_open(b->t->ctx, &b->blobs, &b->ak, &b->event), 0);
	assert_int_equal(quote_public_name(b->ak.data, b->ak.size, b->name, NULL), 0);
}

static void teardown(struct bench *b)
{
	fake_tpm_free(b->f);
	buf_done(&b->ek);
	buf_done(&b->cert);
	buf_done(&b->blobs);
	buf_done(&b->ak);
	buf_done(&b->event);
	buf_done(&b->blob);
	buf_done(&b->sealed);
	buf_done(&b->got);
}

static int make(struct bench *b, size_t size)
{
	buf_clear(&b->blob);
	buf_clear(&b->sealed);
	buf_clear(&b->got);
	return makecred_make(b->ek.data, b->ek.size, b->name, sizeof(b->name), secret, size,
			     &b->blob, &b->sealed, &why);
}

static int activate(struct bench *b)
{
	return b->t->ops->activate(b->t->ctx, b->blob.data, b->blob.size, b->sealed.data,
				   b->sealed.size, &b->got);
}

static void test_p256(void **state)
{
	struct bench b;

	(void)state;
	setup(&b);
	for (size_t size = 1; size <= 32; size++) {
		assert_int_equal(make(&b, size), 0);
		assert_int_equal(activate(&b), 0);
		assert_int_equal(b.got.size, size);
		assert_memory_equal(b.got.data, secret, size);
	}
	for (size_t i = 0; i < b.blob.size; i++) {
		b.blob.data[i] ^= 1;
		assert_true(activate(&b) < 0);
		b.blob.data[i] ^= 1;
	}
	for (size_t i = 0; i < b.sealed.size; i++) {
		b.sealed.data[i] ^= 1;
		assert_true(activate(&b) < 0);
		b.sealed.data[i] ^= 1;
	}
	teardown(&b);
}

/* For another AK, or for another EK, it stays shut; and never twice the same. */
static void test_others(void **state)
{
	struct buf first = {0};
	struct bench b, other;

	(void)state;
	setup(&b);
	setup(&other);
	assert_int_equal(make(&b, 32), 0);
	buf_put(&first, b.blob.data, b.blob.size);
	assert_int_equal(make(&b, 32), 0);
	assert_memory_not_equal(first.data, b.blob.data, first.size);
	assert_true(other.t->ops->activate(other.t->ctx, b.blob.data, b.blob.size, b.sealed.data,
					   b.sealed.size, &other.got) < 0);
	b.name[33] ^= 1;
	assert_int_equal(make(&b, 32), 0);
	assert_true(activate(&b) < 0);
	buf_done(&first);
	teardown(&other);
	teardown(&b);
}

static void test_refused(void **state)
{
	struct bench b;

	(void)state;
	setup(&b);
	assert_int_equal(make(&b, 0), -EINVAL);
	assert_int_equal(make(&b, 33), -EINVAL);
	assert_int_equal(makecred_make(b.ek.data, b.ek.size, b.name, 33, secret, 32, &b.blob,
				       &b.sealed, &why),
			 -EINVAL);
	/* A signing key has no cipher. */
	assert_int_equal(makecred_make(b.ak.data, b.ak.size, b.name, 34, secret, 32, &b.blob,
				       &b.sealed, &why),
			 -EKEYREJECTED);
	for (size_t cut = 0; cut < b.ek.size; cut++)
		assert_int_equal(makecred_make(b.ek.data, cut, b.name, 34, secret, 32, &b.blob,
					       &b.sealed, &why),
				 -EBADMSG);
	b.ek.data[b.ek.size - 1] ^= 1;
	assert_int_equal(make(&b, 32), -EKEYREJECTED);
	assert_int_equal(b.blob.size, 0);
	assert_int_equal(b.sealed.size, 0);
	teardown(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rsa),
		cmocka_unit_test(test_p256),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
