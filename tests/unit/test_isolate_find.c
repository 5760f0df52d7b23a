/* SPDX-License-Identifier: Apache-2.0 */
/* Where the verifier of a node that is cut off is: by its URL, by a name, and what was known before when the name is not found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "isolate_cut.h"

static struct isolate_cut *open_cut(const char *verifier)
{
	const struct isolate_cut_options o = {.verifier = verifier};
	struct isolate_cut *c = NULL;
	struct why why = {""};

	if (isolate_cut_open(&o, &c, &why) < 0)
		fail_msg("%s", why.text);
	return c;
}

static void test_verifier(void **state)
{
	struct isolate_state *s = calloc(1, sizeof(*s));
	struct isolate_cut *c = open_cut("https://[2001:db8::5]:8443");
	struct why why = {""};

	(void)state;
	assert_int_equal(isolate_cut_on(c, s, &why), -ENOENT);
	assert_int_equal(isolate_cut_find(c, s, &why), 0);
	assert_int_equal(s->n_verifier, 1);
	assert_string_equal(s->verifier[0], "[2001:db8::5]:8443");
	isolate_cut_free(c);
	c = open_cut("https://192.0.2.5/v1");
	assert_int_equal(isolate_cut_find(c, s, &why), 0);
	assert_int_equal(s->n_verifier, 1);
	assert_string_equal(s->verifier[0], "192.0.2.5:443");
	isolate_cut_free(c);
	/* A name that nobody knows leaves what was known. */
	c = open_cut("https://no-such-host.invalid:1");
	assert_int_equal(isolate_cut_find(c, s, &why), 0);
	assert_string_equal(s->verifier[0], "192.0.2.5:443");
	s->n_verifier = 0;
	assert_int_equal(isolate_cut_find(c, s, &why), -ENOENT);
	isolate_cut_free(c);
	c = open_cut("https://[]:1");
	assert_int_equal(isolate_cut_find(c, s, &why), -EINVAL);
	isolate_cut_free(c);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verifier),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
