/* SPDX-License-Identifier: Apache-2.0 */
/* What is registered in binfmt_misc, from a /proc of its own: each registration with its flags, what is no such text, and where there is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "claims_binfmt.h"
#include "claims_fixture.h"
#include "cleanup.h"

#define DIR_NAME "proc/sys/fs/binfmt_misc"
#define QEMU                                                                              \
	"enabled\ninterpreter /usr/bin/qemu\nflags: OCF\noffset 0\nmagic 7f454c46\nmask " \
	"ffffffff\n"

static int setup(void **state)
{
	struct claims_fixture *f = calloc(1, sizeof(*f));

	claims_fixture_open(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	claims_fixture_done(*state);
	free(*state);
	return 0;
}

static void test_none(void **state)
{
	struct claims_fixture *f = *state;
	bool whole = false;

	assert_int_equal(claims_binfmt(&f->source, &whole), 1);
	assert_true(whole);
	assert_string_equal(claims_fixture_found(f, "kernel:binfmt_misc"), "absent");
	/* The directory is there for whoever wants to mount it. */
	claims_fixture_text(f, DIR_NAME "/x", "");
	claims_fixture_remove(f, DIR_NAME "/x");
	assert_int_equal(claims_binfmt(&f->source, &whole), 1);
	assert_false(whole);
	assert_string_equal(claims_fixture_found(f, "kernel:binfmt_misc"), "not mounted");
}

static void test_registrations(void **state)
{
	struct claims_fixture *f = *state;
	bool whole = false;

	claims_fixture_text(f, DIR_NAME "/status", "enabled\n");
	claims_fixture_text(f, DIR_NAME "/register", "");
	claims_fixture_text(f, DIR_NAME "/qemu", QEMU);
	claims_fixture_text(f, DIR_NAME "/odd", "enabled\nflags: F\n");
	assert_int_equal(claims_binfmt(&f->source, &whole), 3);
	assert_true(whole);
	assert_string_equal(claims_fixture_found(f, "kernel:binfmt_misc"), "enabled");
	assert_string_equal(claims_fixture_found(f, "binfmt:qemu"),
			    "enabled interpreter /usr/bin/qemu flags: OCF offset 0 magic 7f454c46 "
			    "mask ffffffff");
	assert_string_equal(claims_fixture_found(f, "binfmt:odd"), "unknown EBADMSG");
	assert_string_equal(claims_fixture_found(f, "binfmt:register"), "(not put)");
}

static int count(void *ctx, const char *key, const char *value)
{
	struct claims_fixture *f = ctx;

	if (strncmp(key, "binfmt:", 7) == 0)
		f->n++;
	else
		snprintf(f->claims[0].value, sizeof(f->claims[0].value), "%s", value);
	return 1;
}

static void test_too_many(void **state)
{
	struct claims_fixture *f = *state;
	char name[64];
	bool whole = true;

	claims_fixture_text(f, DIR_NAME "/status", "disabled\n");
	for (uint32_t i = 0; i <= CLAIMS_BINFMT_MAX; i++) {
		snprintf(name, sizeof(name), DIR_NAME "/r%u", i);
		claims_fixture_text(f, name, QEMU);
	}
	f->source.put = count;
	f->source.ctx = f;
	assert_true(claims_binfmt(&f->source, &whole) > 0);
	assert_false(whole);
	assert_int_equal(f->n, CLAIMS_BINFMT_MAX);
	assert_string_equal(f->claims[0].value, "unknown more registrations than are looked at");
	f->n = 0;
}

static int refused(const char *text)
{
	CLEANUP(buf_done) struct buf b = {0};

	return claims_binfmt_parse(text, strlen(text), &b);
}

static void test_texts(void **state)
{
	(void)state;
	assert_int_equal(refused(QEMU), 0);
	assert_int_equal(refused("disabled\ninterpreter /x\n"), 0);
	assert_int_equal(refused(""), -EBADMSG);
	assert_int_equal(refused("enabled"), -EBADMSG);
	assert_int_equal(refused("enabled\n"), -EBADMSG);
	assert_int_equal(refused("enabled \ninterpreter /x\n"), -EBADMSG);
	assert_int_equal(refused("interpreter /x\nenabled\n"), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_none, setup, teardown),
		cmocka_unit_test_setup_teardown(test_registrations, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many, setup, teardown),
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
