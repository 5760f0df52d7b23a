/* SPDX-License-Identifier: Apache-2.0 */
/* Where a registry's tokens are had, and the token; and what is said of it that is not followed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "registry_challenge.h"

static void leads(const char *challenge, bool plain, const char *url)
{
	struct buf b = {0};
	int r = registry_challenge_url(challenge, "a/b", plain, &b);

	assert_int_equal(r, url ? 0 : -EACCES);
	if (url)
		assert_string_equal((char *)b.data, url);
	buf_done(&b);
}

static void test_url(void **state)
{
	char text[2048];

	(void)state;
	leads("Bearer realm=\"https://auth.example/token\",service=\"reg.example\",scope=\"x\"",
	      false,
	      "https://auth.example/token?service=reg.example&scope=repository%3Aa%2Fb%3Apull");
	leads("bearer service=\"a&b\", realm=\"https://h/t?x=1\"", false,
	      "https://h/t?x=1&service=a%26b&scope=repository%3Aa%2Fb%3Apull");
	leads("Bearer realm=\"https://h\"", false,
	      "https://h?service=&scope=repository%3Aa%2Fb%3Apull");
	leads("Bearer realm=\"http://h\"", true,
	      "http://h?service=&scope=repository%3Aa%2Fb%3Apull");
	leads("Bearer realm=\"http://h\"", false, NULL);
	leads("Bearer realm=\"file:///etc/passwd\"", true, NULL);
	leads("Basic realm=\"https://h\"", false, NULL);
	leads("Bearer realm=https://h", false, NULL);
	leads("Bearer realm=\"https://h", false, NULL);
	leads("Bearer xrealm=\"https://h\"", false, NULL);
	leads("Bearer realm=\"https://h/#\"", false, NULL);
	leads("Bearer realm=\"https://h/ x\"", false, NULL);
	leads("Bearer ", false, NULL);
	leads("", false, NULL);
	snprintf(text, sizeof(text), "Bearer realm=\"https://h/%01024d\"", 0);
	leads(text, false, NULL);
	snprintf(text, sizeof(text), "Bearer realm=\"https://h\",service=\"%0256d\"", 0);
	leads(text, false, NULL);
}

static int token(const char *document, char *ret)
{
	struct why why = {""};

	return registry_challenge_token(document, strlen(document), ret, &why);
}

static void test_token(void **state)
{
	char ret[REGISTRY_CHALLENGE_MAX_TOKEN] = "", text[REGISTRY_CHALLENGE_MAX_TOKEN + 64];

	(void)state;
	assert_int_equal(token("{\"token\":\"a.b-c\",\"expires_in\":300}", ret), 0);
	assert_string_equal(ret, "a.b-c");
	assert_int_equal(token("{\"access_token\":\"d\"}", ret), 0);
	assert_string_equal(ret, "d");
	assert_int_equal(token("{\"token\":\"\"}", ret), -EBADMSG);
	assert_int_equal(token("{\"token\":\"a\\r\\nX: y\"}", ret), -EBADMSG);
	assert_int_equal(token("{\"token\":\"\\u00e4\"}", ret), -EBADMSG);
	assert_int_equal(token("{\"token\":7}", ret), -EBADMSG);
	assert_int_equal(token("{}", ret), -EBADMSG);
	assert_int_equal(token("[]", ret), -EBADMSG);
	assert_string_equal(ret, "d");
	snprintf(text, sizeof(text), "{\"token\":\"%0*d\"}", (int)REGISTRY_CHALLENGE_MAX_TOKEN - 1,
		 0);
	assert_int_equal(token(text, ret), 0);
	snprintf(text, sizeof(text), "{\"token\":\"%0*d\"}", (int)REGISTRY_CHALLENGE_MAX_TOKEN, 0);
	assert_int_equal(token(text, ret), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_url),
					   cmocka_unit_test(test_token)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
