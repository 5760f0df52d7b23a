/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and signatures: known keys, round trips, and signatures that must not hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/x509.h>

#include <errno.h>

#include "fsio.h"
#include "sign.h"

static struct sign_key *load(const char *path)
{
	struct buf pem = {0};
	struct sign_key *k = NULL;

	assert_int_equal(fsio_read_file(fsio_system(), path, 65536, &pem), 0);
	assert_int_equal(sign_key_from_pem((char *)pem.data, pem.size, &k, NULL), 0);
	buf_done(&pem);
	return k;
}

/* RFC 8032, 7.1, test 1: the empty message. */
static void test_known_ed25519(void **state)
{
	static const char public[] =
		"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
	static const char want[] =
		"e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
		"5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
	struct sign_key *k = load("tests/data/checkpoint/ed25519.pem");
	struct buf sig = {0};
	uint8_t raw[32];
	char hex[129];

	(void)state;
	assert_int_equal(sign_key_kind(k), SIGN_ED25519);
	assert_true(sign_key_is_private(k));
	assert_int_equal(sign_key_raw_public(k, raw), 0);
	digest_bytes_hex(raw, 32, hex);
	assert_string_equal(hex, public);
	assert_int_equal(sign_make(k, "", 0, &sig), 0);
	assert_int_equal(sig.size, 64);
	digest_bytes_hex(sig.data, 64, hex);
	assert_string_equal(hex, want);
	buf_done(&sig);
	sign_key_free(k);
}

static void round_trip(enum sign_kind kind)
{
	struct sign_key *k = NULL, *back = NULL, *public = NULL, *spki = NULL, *other = NULL;
	struct buf pem = {0}, pub = {0}, der = {0}, sig = {0};
	struct digest a, b;

	assert_int_equal(sign_key_generate(kind, &k), 0);
	assert_int_equal(sign_key_generate(kind, &other), 0);
	assert_int_equal(sign_key_private_pem(k, &pem), 0);
	assert_int_equal(sign_key_public_pem(k, &pub), 0);
	assert_int_equal(sign_key_spki(k, &der), 0);
	assert_int_equal(sign_key_from_pem((char *)pem.data, pem.size, &back, NULL), 0);
	assert_int_equal(sign_key_from_pem((char *)pub.data, pub.size, &public, NULL), 0);
	assert_int_equal(sign_key_from_spki(der.data, der.size, &spki, NULL), 0);
	assert_true(sign_key_is_private(back));
	assert_false(sign_key_is_private(public));
	assert_int_equal(sign_key_private_pem(public, &sig), -EIO);
	assert_int_equal(sign_make(public, "x", 1, &sig), -EKEYREJECTED);
	assert_int_equal(sign_key_id(back, &a), 0);
	assert_int_equal(sign_key_id(spki, &b), 0);
	assert_true(digest_equal(&a, &b));

	assert_int_equal(sign_make(back, "deed", 4, &sig), 0);
	assert_int_equal(sign_check(spki, "deed", 4, sig.data, sig.size), 0);
	assert_int_equal(sign_check(spki, "deeds", 5, sig.data, sig.size), -EBADMSG);
	assert_int_equal(sign_check(other, "deed", 4, sig.data, sig.size), -EBADMSG);
	assert_int_equal(sign_check(spki, "deed", 4, sig.data, sig.size - 1), -EBADMSG);
	assert_int_equal(sign_check(spki, "deed", 4, sig.data, 0), -EBADMSG);
	for (size_t i = 0; i < sig.size; i++) {
		sig.data[i] ^= 1;
		assert_int_equal(sign_check(spki, "deed", 4, sig.data, sig.size), -EBADMSG);
		sig.data[i] ^= 1;
	}
	buf_puts(&der, "x");
	sign_key_free(spki);
	assert_int_equal(sign_key_from_spki(der.data, der.size, &spki, NULL), -EKEYREJECTED);
	sign_key_free(k);
	sign_key_free(back);
	sign_key_free(public);
	sign_key_free(other);
	buf_done(&pem);
	buf_done(&pub);
	buf_done(&der);
	buf_done(&sig);
}

/* Two kinds are written by hand: they are what OpenSSL writes. */
static void test_spki_is_openssls(void **state)
{
	static const enum sign_kind kinds[] = {SIGN_ED25519, SIGN_P256};

	(void)state;
	for (size_t i = 0; i < 2 * 16; i++) {
		struct sign_key *k = NULL;
		unsigned char *der = NULL;
		struct buf ours = {0};
		int size;

		assert_int_equal(sign_key_generate(kinds[i % 2], &k), 0);
		size = i2d_PUBKEY(sign_key_evp(k), &der);
		assert_true(size > 0);
		assert_int_equal(sign_key_spki(k, &ours), 0);
		assert_int_equal(ours.size, size);
		assert_memory_equal(ours.data, der, ours.size);
		OPENSSL_free(der);
		buf_done(&ours);
		sign_key_free(k);
	}
}

/* A key that was told its point says of itself what OpenSSL does; and a compressed point is legal, and written the other way. */
static void test_point(void **state)
{
	struct sign_key *made = NULL, *told = NULL, *again = NULL;
	struct buf want = {0}, got = {0};
	uint8_t compressed[59];

	(void)state;
	assert_int_equal(sign_key_generate(SIGN_P256, &made), 0);
	assert_int_equal(sign_key_spki(made, &want), 0);
	assert_int_equal(want.size, 91);
	assert_int_equal(sign_key_from_p256(sign_key_evp(made), want.data + 26, &told), 0);
	assert_false(sign_key_is_private(told));
	assert_int_equal(sign_key_spki(told, &got), 0);
	assert_int_equal(got.size, want.size);
	assert_memory_equal(got.data, want.data, want.size);
	memcpy(compressed, want.data, sizeof(compressed));
	compressed[1] -= 32;
	compressed[24] -= 32;
	compressed[26] = (uint8_t)(2 + (want.data[90] & 1));
	assert_int_equal(sign_key_from_spki(compressed, sizeof(compressed), &again, NULL), 0);
	buf_clear(&got);
	assert_int_equal(sign_key_spki(again, &got), 0);
	buf_done(&want);
	buf_done(&got);
	sign_key_free(made);
	sign_key_free(told);
	sign_key_free(again);
}

static void test_round_trips(void **state)
{
	(void)state;
	round_trip(SIGN_ED25519);
	round_trip(SIGN_P256);
}

static void test_raw_p256(void **state)
{
	struct sign_key *k = load("tests/data/checkpoint/p256.pem");
	struct buf sig = {0}, der = {0};
	uint8_t rs[64], zero[64] = {0};

	(void)state;
	/* Many, so that short r and s, and those with the top bit set, occur. */
	for (int i = 0; i < 200; i++) {
		buf_clear(&sig);
		buf_clear(&der);
		assert_int_equal(sign_make(k, &i, sizeof(i), &sig), 0);
		assert_int_equal(sign_p256_from_der(sig.data, sig.size, rs), 0);
		assert_int_equal(sign_p256_to_der(rs, &der), 0);
		assert_int_equal(der.size, sig.size);
		assert_memory_equal(der.data, sig.data, der.size);
	}
	buf_puts(&sig, "x");
	assert_int_equal(sign_p256_from_der(sig.data, sig.size, rs), -EBADMSG);
	assert_int_equal(sign_p256_from_der(sig.data, sig.size - 2, rs), -EBADMSG);
	assert_int_equal(sign_p256_from_der("", 0, rs), -EBADMSG);
	buf_clear(&der);
	assert_int_equal(sign_p256_to_der(zero, &der), 0);
	assert_int_equal(sign_check(k, "x", 1, der.data, der.size), -EBADMSG);
	buf_done(&sig);
	buf_done(&der);
	sign_key_free(k);
}

static void test_refused(void **state)
{
	static const char junk[] = "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n";
	/* secp256k1: a curve that is not used here. */
	static const char other_curve[] =
		"-----BEGIN PUBLIC KEY-----\n"
		"MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEeb5mfvncu6xVoGKVzocLBwKb/NstzijZ\n"
		"WfKBWxb4F5hIOtp3JqPEZV2k+/wOEQio/Re0SKaFVBmcR9CP+xDUuA==\n"
		"-----END PUBLIC KEY-----\n";
	struct sign_key *k = NULL;
	struct why why = {""};

	(void)state;
	assert_int_equal(sign_key_from_pem(junk, strlen(junk), &k, &why), -EKEYREJECTED);
	assert_int_equal(sign_key_from_pem("", 0, &k, &why), -EKEYREJECTED);
	assert_int_equal(sign_key_from_pem(other_curve, strlen(other_curve), &k, &why),
			 -EKEYREJECTED);
	assert_non_null(strstr(why.text, "neither"));
	assert_int_equal(sign_key_generate(SIGN_RSA, &k), -EINVAL);
	assert_null(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_ed25519), cmocka_unit_test(test_point),
		cmocka_unit_test(test_round_trips),   cmocka_unit_test(test_spki_is_openssls),
		cmocka_unit_test(test_raw_p256),      cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
