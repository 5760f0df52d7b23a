/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses that answer to whoever can reach them, in all their forms, and their neighbours that do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>

#include "cleanup.h"
#include "fetch_near.h"

static bool near(const char *text)
{
	struct sockaddr_in four = {.sin_family = AF_INET};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
		return fetch_near((struct sockaddr *)&four);
	assert_int_equal(inet_pton(AF_INET6, text, &six.sin6_addr), 1);
	return fetch_near((struct sockaddr *)&six);
}

static void test_near(void **state)
{
	static const char *const texts[] = {"127.0.0.1",
					    "127.255.255.255",
					    "0.0.0.0",
					    "0.1.2.3",
					    "169.254.169.254",
					    "169.254.0.1",
					    "100.100.100.200",
					    "192.0.0.192",
					    "224.0.0.1",
					    "255.255.255.255",
					    "::",
					    "::1",
					    "fe80::1",
					    "febf::1",
					    "ff02::1",
					    "fd00:ec2::254",
					    "::ffff:127.0.0.1",
					    "::ffff:169.254.169.254",
					    "::127.0.0.1",
					    "64:ff9b::169.254.169.254"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (!near(texts[i]))
			fail_msg("%s", texts[i]);
}

static void test_far(void **state)
{
	static const char *const texts[] = {
		"126.255.255.255", "128.0.0.1",	      "1.0.0.0",	 "169.253.255.255",
		"169.255.0.1",	   "100.100.100.199", "100.100.100.201", "192.0.1.1",
		"191.255.255.255", "223.255.255.255", "10.0.0.1",	 "192.168.1.1",
		"2001:db8::1",	   "fec0::1",	      "fd00:ec3::254",	 "fdff::1",
		"::ffff:10.0.0.1", "64:ff9b::8.8.8.8"};
	const struct sockaddr other = {.sa_family = AF_UNIX};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (near(texts[i]))
			fail_msg("%s", texts[i]);
	assert_true(fetch_near(&other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_near),
		cmocka_unit_test(test_far),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
