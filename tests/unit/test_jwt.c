/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens: ones of ours, RFC 7515's own example, and ones that must not open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <jansson.h>

#include "fsio.h"
#include "jwt.h"

#define CLAIMS "{\"iat\":1795462800,\"status\":\"affirming\"}"

/* RFC 7515, A.3. */
#define RFC_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define RFC_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
static const char rfc_token[] =
	"eyJhbGciOiJFUzI1NiJ9"
	".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0c"
	"nVlfQ"
	".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

static struct sign_key *rfc_key(void)
{
	/* SubjectPublicKeyInfo of a P-256 key, up to the point. */
	static const uint8_t head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
				       0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
				       0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};
	struct sign_key *k = NULL;
	struct buf der = {0};

	buf_put(&der, head, sizeof(head));
	assert_int_equal(digest_from_base64_url(RFC_X, strlen(RFC_X), &der), 0);
	assert_int_equal(digest_from_base64_url(RFC_Y, strlen(RFC_Y), &der), 0);
	assert_int_equal(sign_key_from_spki(der.data, der.size, &k, NULL), 0);
	buf_done(&der);
	return k;
}

static void test_rfc(void **state)
{
	struct sign_key *k = rfc_key();
	const struct sign_key *keys[] = {k};
	struct buf claims = {0}, set = {0};
	struct why why = {""};

	(void)state;
	assert_int_equal(jwt_open(rfc_token, strlen(rfc_token), k, &claims, &why), 0);
	assert_non_null(strstr((char *)claims.data, "\"iss\":\"joe\""));
	assert_int_equal(jwt_jwks(keys, 1, &set), 0);
	assert_non_null(strstr((char *)set.data, "\"x\":\"" RFC_X "\",\"y\":\"" RFC_Y "\""));
	sign_key_free(k);
	buf_done(&claims);
	buf_done(&set);
}

static void test_round_trip(void **state)
{
	struct sign_key *k = NULL, *other = NULL, *ed = NULL;
	struct buf token = {0}, claims = {0};
	struct why why = {""};

	(void)state;
	assert_int_equal(sign_key_generate(SIGN_P256, &k), 0);
	assert_int_equal(sign_key_generate(SIGN_P256, &other), 0);
	assert_int_equal(sign_key_generate(SIGN_ED25519, &ed), 0);
	assert_int_equal(jwt_sign(CLAIMS, strlen(CLAIMS), k, &token), 0);
	assert_int_equal(jwt_open((char *)token.data, token.size, k, &claims, &why), 0);
	assert_string_equal((char *)claims.data, CLAIMS);
	buf_clear(&claims);
	assert_int_equal(jwt_open((char *)token.data, token.size, other, &claims, &why),
			 -EKEYREJECTED);
	assert_int_equal(jwt_open((char *)token.data, token.size, ed, &claims, &why),
			 -EKEYREJECTED);
	assert_int_equal(jwt_sign(CLAIMS, strlen(CLAIMS), ed, &token), -EKEYREJECTED);
	for (size_t n = 0; n < token.size; n++) {
		assert_true(jwt_open((char *)token.data, n, k, &claims, &why) < 0);
		token.data[n] ^= 4;
		assert_true(jwt_open((char *)token.data, token.size, k, &claims, &why) < 0);
		token.data[n] ^= 4;
	}
	buf_puts(&token, ".");
	assert_int_equal(jwt_open((char *)token.data, token.size, k, &claims, &why), -EBADMSG);
	assert_int_equal(claims.size, 0);
	sign_key_free(k);
	sign_key_free(other);
	sign_key_free(ed);
	buf_done(&token);
	buf_done(&claims);
}

/* A header that asks for less than ES256, signed truly over its own text, and one without a signature at all. */
static void test_headers(void **state)
{
	static const char *const headers[] = {
		"{\"alg\":\"none\"}",
		"{\"alg\":\"HS256\"}",
		"{\"alg\":\"es256\"}",
		"{\"typ\":\"JWT\"}",
		"{\"alg\":\"ES256\",\"crit\":[\"b64\"],\"b64\":false}",
		"{\"alg\":\"ES256\",\"alg\":\"ES256\"}",
		"{\"alg\":\"ES256\",\"kid\":7}",
		"[]",
		"",
	};
	struct sign_key *k = NULL;

	(void)state;
	assert_int_equal(sign_key_generate(SIGN_P256, &k), 0);
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		struct buf token = {0}, der = {0}, claims = {0};
		struct why why = {""};
		uint8_t rs[64];

		digest_base64_url(&token, headers[i], strlen(headers[i]));
		buf_puts(&token, ".");
		digest_base64_url(&token, CLAIMS, strlen(CLAIMS));
		assert_int_equal(sign_make(k, token.data, token.size, &der), 0);
		assert_int_equal(sign_p256_from_der(der.data, der.size, rs), 0);
		buf_puts(&token, ".");
		assert_int_equal(jwt_open((char *)token.data, token.size, k, &claims, &why),
				 -EBADMSG);
		digest_base64_url(&token, rs, sizeof(rs));
		assert_int_equal(jwt_open((char *)token.data, token.size, k, &claims, &why),
				 -EBADMSG);
		assert_int_not_equal(why.text[0], 0);
		assert_int_equal(claims.size, 0);
		buf_done(&token);
		buf_done(&der);
		buf_done(&claims);
	}
	sign_key_free(k);
}

static void test_key_set(void **state)
{
	struct sign_key *a = NULL, *b = NULL;
	const struct sign_key *keys[2];
	struct buf set = {0};
	json_t *o;

	(void)state;
	assert_int_equal(sign_key_generate(SIGN_P256, &a), 0);
	assert_int_equal(sign_key_generate(SIGN_P256, &b), 0);
	keys[0] = a, keys[1] = b;
	assert_int_equal(jwt_jwks(keys, 2, &set), 0);
	o = json_loadb((char *)set.data, set.size, 0, NULL);
	assert_non_null(o);
	assert_int_equal(json_array_size(json_object_get(o, "keys")), 2);
	json_decref(o);
	buf_clear(&set);
	assert_int_equal(jwt_jwks(keys, 0, &set), 0);
	assert_string_equal((char *)set.data, "{\"keys\":[]}");
	sign_key_free(a);
	sign_key_free(b);
	buf_done(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_key_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
