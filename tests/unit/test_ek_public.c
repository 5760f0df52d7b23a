/* SPDX-License-Identifier: Apache-2.0 */
/* One EK in every form in which tools and clouds give it is one node; what is no EK is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "buf.h"
#include "digest.h"
#include "ek_public.h"
#include "fsio.h"
#include "tpm_public.h"

static struct why why;

static void is_node(const struct buf *b, const char *wanted)
{
	char node[65] = "";

	if (ek_public_node(b->data, b->size, node, &why) != 0)
		fail_msg("%s", why.text);
	assert_string_equal(node, wanted);
}

/* A real one: its area is what a maker's TPM gave, not what this code makes of a key. */
static void test_recorded(void **state)
{
	struct buf area = {0}, tpm2b = {0}, pem = {0}, der = {0};
	struct tpm_public p;
	struct digest d;
	EVP_PKEY *key = NULL;
	unsigned char *bytes = NULL;
	char node[65];
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long size;
	int n;

	(void)state;
	assert_int_equal(
		fsio_read_file(fsio_system(), "tests/data/quote/keylime/ek.pub", 4096, &tpm2b), 0);
	assert_int_equal(tpm_public_parse(tpm2b.data, tpm2b.size, &p, &why), 0);
	buf_put(&area, p.area.data, p.area.size);
	assert_int_equal(digest_sha256(area.data, area.size, &d), 0);
	digest_hex(&d, node);
	is_node(&tpm2b, node);
	is_node(&area, node);
	assert_int_equal(tpm_public_evp(&p, &key, &why), 0);
	assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
	size = BIO_get_mem_data(bio, &text);
	buf_put(&pem, text, (size_t)size);
	is_node(&pem, node);
	n = i2d_PUBKEY(key, &bytes);
	buf_put(&der, bytes, (size_t)n);
	is_node(&der, node);
	for (size_t i = 0; i < area.size; i++)
		assert_int_equal(ek_public_node(area.data, i, node, &why), -EBADMSG);
	/* A signing key's attributes. */
	area.data[5] ^= 4;
	assert_int_equal(ek_public_node(area.data, area.size, node, &why), -EBADMSG);
	OPENSSL_free(bytes);
	EVP_PKEY_free(key);
	BIO_free(bio);
	buf_done(&area);
	buf_done(&tpm2b);
	buf_done(&pem);
	buf_done(&der);
}

static int node_of(EVP_PKEY *key, char ret[65])
{
	unsigned char *bytes = NULL;
	int n = i2d_PUBKEY(key, &bytes), r = ek_public_node(bytes, (size_t)n, ret, &why);

	OPENSSL_free(bytes);
	EVP_PKEY_free(key);
	return r;
}

static void test_kinds(void **state)
{
	char one[65], two[65];

	(void)state;
	assert_int_equal(node_of(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"), one), 0);
	assert_int_equal(node_of(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384"), two), 0);
	assert_string_not_equal(one, two);
	assert_int_equal(node_of(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-521"), one), -EBADMSG);
	assert_int_equal(node_of(EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)3072), one),
			 -EBADMSG);
	assert_int_equal(node_of(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), one), -EBADMSG);
	assert_int_equal(ek_public_node("", 0, one, &why), -EBADMSG);
	assert_int_equal(ek_public_node("hello there", 11, one, &why), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded),
		cmocka_unit_test(test_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
