/* SPDX-License-Identifier: Apache-2.0 */
/* Names of images, as pods have them, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "image_ref.h"

#define HEX "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void good(const char *text, const char *registry, const char *repository, const char *tag,
		 const char *digest)
{
	struct image_ref r;
	struct why why = {""};

	assert_int_equal(image_ref_parse(text, &r, &why), 0);
	assert_string_equal(r.registry, registry);
	assert_string_equal(r.repository, repository);
	assert_string_equal(r.tag, tag);
	assert_string_equal(r.digest, digest);
}

static void test_good(void **state)
{
	(void)state;
	good("nginx", "docker.io", "library/nginx", "", "");
	good("nginx:1.25", "docker.io", "library/nginx", "1.25", "");
	good("a/b@sha256:" HEX, "docker.io", "a/b", "", "sha256:" HEX);
	good("docker.io/nginx", "docker.io", "library/nginx", "", "");
	good("index.docker.io/nginx", "docker.io", "library/nginx", "", "");
	good("R.Example:5000/a/b_c:V1@sha256:" HEX, "r.example:5000", "a/b_c", "V1", "sha256:" HEX);
	good("localhost/a", "localhost", "a", "", "");
	good("127.0.0.1:5000/a:b", "127.0.0.1:5000", "a", "b", "");
}

static void test_bad(void **state)
{
	static const char *const bad[] = {
		"",
		"/",
		"a/",
		"/a",
		"a//b",
		"r.example/../b",
		"r.example/a/..",
		"r.example/.a/b",
		"r.example/a/-b",
		"r.example/a b",
		"r.example/A",
		"A",
		"a@",
		"a@sha256:" HEX "0",
		"a@sha512:" HEX,
		"a@sha256:A",
		"a:",
		"a:b c",
		"a:b/c:",
		"r.example:/a",
		"r.example:port/a",
		"r.example:123456/a",
		"r.example:1@r2.example/a",
		"-r.example/a",
		"[::1]:5000/a",
		"r.example/a?x",
		"r.example/a%2fb",
		"a@sha256:" HEX "@sha256:" HEX,
	};
	char text[IMAGE_REF_MAX + 2];
	struct image_ref r;
	struct why why = {""};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why.text[0] = 0;
		if (image_ref_parse(bad[i], &r, &why) != -EBADMSG)
			fail_msg("%s was taken", bad[i]);
		assert_true(why.text[0]);
	}
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	assert_int_equal(image_ref_parse(text, &r, &why), -EBADMSG);
	text[IMAGE_REF_MAX] = 0;
	assert_int_equal(image_ref_parse(text, &r, &why), -EBADMSG);
	text[200] = 0;
	assert_int_equal(image_ref_parse(text, &r, &why), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_good), cmocka_unit_test(test_bad)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
