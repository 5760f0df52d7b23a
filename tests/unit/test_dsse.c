/* SPDX-License-Identifier: Apache-2.0 */
/* Envelopes: the specification's own example, another implementation's, openssl's word on ours, and ones that must not open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "dsse.h"
#include "fsio.h"

#define POLICY "application/vnd.plumb.policy+json"
#define HELLO "http://example.com/HelloWorld"

static struct sign_key *load(const char *path)
{
	struct buf pem = {0};
	struct sign_key *k = NULL;

	assert_int_equal(fsio_read_file(fsio_system(), path, 65536, &pem), 0);
	assert_int_equal(sign_key_from_pem((char *)pem.data, pem.size, &k, NULL), 0);
	buf_done(&pem);
	return k;
}

/* DSSE 1.0.2, protocol.md, "Test Vectors": the signature there is r and s without DER. */
static void test_specification(void **state)
{
	static const char pem[] =
		"-----BEGIN PUBLIC KEY-----\n"
		"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZ805D3eqNZywjCI19lInBJOp7YMr\n"
		"CrzAH3CVTAOQ0jgMeCvVTiaRJaRPRDOv8UMs6U4SvKc6pnrIDOoSYI3fdA==\n"
		"-----END PUBLIC KEY-----\n";
	static const char sig[] = "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJ"
				  "PcIAriEGAHTVeCUjW2JIZA==";
	static const char pae[] = "DSSEv1 29 http://example.com/HelloWorld 11 hello world";
	struct buf made = {0}, rs = {0}, der = {0};
	struct sign_key *k = NULL;

	(void)state;
	assert_int_equal(sign_key_from_pem(pem, strlen(pem), &k, NULL), 0);
	assert_int_equal(dsse_pae(HELLO, "hello world", 11, &made), 0);
	assert_int_equal(made.size, strlen(pae));
	assert_memory_equal(made.data, pae, made.size);
	assert_int_equal(digest_from_base64(sig, strlen(sig), &rs), 0);
	assert_int_equal(sign_p256_to_der(rs.data, &der), 0);
	assert_int_equal(sign_check(k, made.data, made.size, der.data, der.size), 0);
	buf_done(&made);
	buf_done(&rs);
	buf_done(&der);
	sign_key_free(k);
}

static void test_foreign(void **state)
{
	struct sign_key *ed = load("tests/data/checkpoint/ed25519.pem"),
			*p256 = load("tests/data/checkpoint/p256.pem"), *other = NULL;
	const struct sign_key *keys[3];
	struct buf env = {0}, out = {0}, type = {0};
	struct why why = {""};
	uint32_t key = 99;

	(void)state;
	assert_int_equal(sign_key_generate(SIGN_ED25519, &other), 0);
	assert_int_equal(
		fsio_read_file(fsio_system(), "tests/data/dsse/two-keys.json", 65536, &env), 0);
	keys[0] = other, keys[1] = ed, keys[2] = p256;
	assert_int_equal(dsse_open(env.data, env.size, 100, POLICY, keys, 3, &out, &key, &why), 0);
	assert_int_equal(key, 1);
	assert_string_equal((char *)out.data, "{\"v\":1}");
	assert_int_equal(dsse_open(env.data, env.size, 7, POLICY, keys + 2, 1, &out, &key, &why),
			 0);
	assert_int_equal(key, 0);

	key = 99;
	buf_clear(&out);
	assert_int_equal(dsse_open(env.data, env.size, 100, POLICY, keys, 1, &out, &key, &why),
			 -EKEYREJECTED);
	assert_int_equal(dsse_open(env.data, env.size, 100, POLICY, keys, 0, &out, &key, &why),
			 -EKEYREJECTED);
	assert_int_equal(dsse_open(env.data, env.size, 100, HELLO, keys, 3, &out, &key, &why),
			 -EBADMSG);
	assert_non_null(strstr(why.text, "payloadType"));
	assert_int_equal(dsse_open(env.data, env.size, 6, POLICY, keys, 3, &out, &key, &why),
			 -EBADMSG);
	assert_int_equal(out.size, 0);
	assert_int_equal(key, 99);
	assert_int_equal(dsse_peek(env.data, env.size, 100, &out, &type, &why), 0);
	assert_string_equal((char *)out.data, "{\"v\":1}");
	assert_string_equal((char *)type.data, POLICY);
	sign_key_free(ed);
	sign_key_free(p256);
	sign_key_free(other);
	buf_done(&env);
	buf_done(&out);
	buf_done(&type);
}

/* Payload and type stay what was signed, or it does not open: no bit of the envelope changes what comes out. */
static void test_turned_bits(void **state)
{
	struct sign_key *k = NULL;
	const struct sign_key *keys[1];
	struct buf env = {0};

	(void)state;
	assert_int_equal(sign_key_generate(SIGN_ED25519, &k), 0);
	keys[0] = k;
	assert_int_equal(dsse_sign(POLICY, "{\"v\":1}", 7, keys, 1, &env), 0);
	for (size_t n = 0; n < env.size; n++) {
		struct buf out = {0};

		assert_true(dsse_open(env.data, n, 100, POLICY, keys, 1, &out, NULL, NULL) < 0);
		for (int bit = 0; bit < 8; bit++) {
			env.data[n] ^= (uint8_t)(1 << bit);
			buf_clear(&out);
			if (dsse_open(env.data, env.size, 100, POLICY, keys, 1, &out, NULL, NULL) ==
			    0) {
				assert_int_equal(out.size, 7);
				assert_memory_equal(out.data, "{\"v\":1}", 7);
			} else {
				assert_int_equal(out.size, 0);
			}
			env.data[n] ^= (uint8_t)(1 << bit);
		}
		buf_done(&out);
	}
	buf_done(&env);
	sign_key_free(k);
}

/* No padding, and no letter that only the URL alphabet has: whether a signature is such a text is chance, so the payload is. */
static void test_url_alphabet_by_length(void **state)
{
	static const uint8_t payload[] = {0x00, 0x10};
	struct sign_key *k = NULL;
	const struct sign_key *keys[1];
	struct buf pae = {0}, sig = {0}, env = {0}, out = {0};
	struct why why = {""};

	(void)state;
	assert_int_equal(sign_key_generate(SIGN_P256, &k), 0);
	keys[0] = k;
	assert_int_equal(dsse_pae("t", payload, sizeof(payload), &pae), 0);
	assert_int_equal(sign_make(k, pae.data, pae.size, &sig), 0);
	buf_puts(&env, "{\"payload\":\"ABA\",\"payloadType\":\"t\",\"signatures\":[{\"sig\":\"");
	digest_base64(&env, sig.data, sig.size);
	buf_puts(&env, "\"}]}");
	assert_int_equal(dsse_open(env.data, env.size, 100, "t", keys, 1, &out, NULL, &why), 0);
	assert_int_equal(out.size, sizeof(payload));
	assert_memory_equal(out.data, payload, sizeof(payload));
	/* Padding is of no alphabet where it does not belong, and a letter of the other one is none. */
	buf_clear(&env);
	buf_puts(&env, "{\"payload\":\"A+A\",\"payloadType\":\"t\",\"signatures\":[]}");
	assert_int_equal(dsse_open(env.data, env.size, 100, "t", keys, 1, &out, NULL, &why),
			 -EBADMSG);
	buf_clear(&env);
	buf_puts(&env, "{\"payload\":\"AB=\",\"payloadType\":\"t\",\"signatures\":[]}");
	assert_int_equal(dsse_open(env.data, env.size, 100, "t", keys, 1, &out, NULL, &why),
			 -EBADMSG);
	buf_done(&pae);
	buf_done(&sig);
	buf_done(&env);
	buf_done(&out);
	sign_key_free(k);
}

static void test_forms(void **state)
{
	static const uint8_t payload[] = {0xfb, 0xff, 0xbf, 0x00, 0xff};
	struct sign_key *k = NULL;
	const struct sign_key *keys[1];
	struct buf pae = {0}, sig = {0}, env = {0}, out = {0};
	struct why why = {""};

	(void)state;
	assert_int_equal(sign_key_generate(SIGN_P256, &k), 0);
	keys[0] = k;
	assert_int_equal(dsse_pae("t", payload, sizeof(payload), &pae), 0);
	assert_int_equal(sign_make(k, pae.data, pae.size, &sig), 0);

	/* The URL alphabet, padded, no keyid, an unknown member: all allowed by the specification. */
	buf_puts(&env, "{\"payload\":\"-_-_AP8=\",\"payloadType\":\"t\",\"x\":1,\"signatures\":[{"
		       "\"sig\":\"");
	digest_base64_url(&env, sig.data, sig.size);
	buf_puts(&env, "\"}]}");
	assert_int_equal(dsse_open(env.data, env.size, 100, "t", keys, 1, &out, NULL, &why), 0);
	assert_int_equal(out.size, sizeof(payload));
	assert_memory_equal(out.data, payload, sizeof(payload));
	/* As long in base64 as four bytes are, but five. */
	assert_int_equal(dsse_open(env.data, env.size, 4, "t", keys, 1, &out, NULL, &why),
			 -EBADMSG);
	assert_non_null(strstr(why.text, "more than 4 bytes"));

	buf_clear(&env);
	buf_puts(&env, "{\"payload\":\"AA==\",\"payloadType\":\"t\",\"signatures\":[]}");
	assert_int_equal(dsse_open(env.data, env.size, 100, "t", keys, 1, &out, NULL, &why),
			 -EKEYREJECTED);
	buf_clear(&env);
	buf_puts(&env,
		 "{\"payload\":\"AA==\",\"payloadType\":\"t\",\"signatures\":[{\"sig\":\"\"}]}");
	assert_int_equal(dsse_open(env.data, env.size, 100, "t", keys, 1, &out, NULL, &why),
			 -EBADMSG);
	assert_non_null(strstr(why.text, "\"signatures\"[0]"));
	buf_clear(&env);
	buf_puts(&env,
		 "{\"payload\":\"AA==\",\"payloadType\":\"t\",\"signatures\":[1,2,3,4,5,6,7,8,9]}");
	assert_int_equal(dsse_open(env.data, env.size, 100, "t", keys, 1, &out, NULL, &why),
			 -EBADMSG);
	assert_int_equal(dsse_sign("t", "x", 1, keys, 0, &env), -EINVAL);
	buf_done(&pae);
	buf_done(&sig);
	buf_done(&env);
	buf_done(&out);
	sign_key_free(k);
}

static void put_file(const char *dir, const char *name, const void *data, size_t size)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(fsio_replace_file(fsio_system(), path, data, size, 0600), 0);
}

/* A responder with openssl alone can check our documents. */
static void test_openssl(void **state)
{
	char dir[] = "/tmp/plumb-test-dsse-XXXXXX", command[512];
	struct sign_key *k = NULL;
	struct buf pem = {0}, pae = {0}, sig = {0};

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(sign_key_generate(SIGN_P256, &k), 0);
	assert_int_equal(sign_key_public_pem(k, &pem), 0);
	assert_int_equal(dsse_pae(HELLO, "hello world", 11, &pae), 0);
	assert_int_equal(sign_make(k, pae.data, pae.size, &sig), 0);
	put_file(dir, "key", pem.data, pem.size);
	put_file(dir, "pae", pae.data, pae.size);
	put_file(dir, "sig", sig.data, sig.size);
	snprintf(command, sizeof(command),
		 "cd %s && openssl dgst -sha256 -verify key -signature sig pae >out 2>&1", dir);
	assert_int_equal(system(command), 0);
	put_file(dir, "pae", "DSSEv1", 6);
	assert_int_not_equal(system(command), 0);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
	buf_done(&pem);
	buf_done(&pae);
	buf_done(&sig);
	sign_key_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_specification), cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_turned_bits),   cmocka_unit_test(test_url_alphabet_by_length),
		cmocka_unit_test(test_forms),	      cmocka_unit_test(test_openssl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
