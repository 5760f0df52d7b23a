/* SPDX-License-Identifier: Apache-2.0 */
/* What processors can do: flags in any order are the same, one CPU that has others is seen; mitigations by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "claims_cpu.h"
#include "claims_fixture.h"

/* SHA-256 of "aes,fpu,smep" and of "fpu". */
#define ALL "sha256:b8c9633d401be3873c74e5a9c338f859e228599ba2ccb089aa21e36ddc69e9c6 3"
#define ONE "sha256:9581c838953ec4fbbbe0194db87ef7829de8cec67e3688b9d509fe73c78b5b31 1"

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

static const char *flags(struct claims_fixture *f, const char *cpuinfo)
{
	claims_fixture_text(f, "proc/cpuinfo", cpuinfo);
	assert_true(claims_cpu_flags(&f->source) >= 0);
	return claims_fixture_found(f, "cpu:flags");
}

static void test_flags(void **state)
{
	struct claims_fixture *f = *state;

	assert_string_equal(flags(f, "processor\t: 0\nflags\t\t: fpu smep aes\nbugs\t\t: x y\n"),
			    ALL);
	assert_string_equal(flags(f, "flags\t\t: aes fpu smep fpu\n\nflags\t\t: smep fpu aes"),
			    ALL);
	assert_string_equal(flags(f, "Features\t: fpu aes smep\n"), ALL);
	/* One core without: sorted, whichever comes first. */
	assert_string_equal(flags(f, "flags: fpu\nflags: aes fpu smep\nflags: fpu\n"), ONE "," ALL);
	assert_string_equal(flags(f, "flags: aes fpu smep\nflags: fpu\n"), ONE "," ALL);
}

static void test_broken_flags(void **state)
{
	struct claims_fixture *f = *state;
	char *many = malloc(64 + 5000 * 6);
	size_t n = (size_t)sprintf(many, "flags: ");

	assert_string_equal(flags(f, ""), "unknown ENODATA");
	assert_string_equal(flags(f, "flagship: fpu\nvmx flags: x\n"), "unknown ENODATA");
	assert_string_equal(flags(f, "flags\t\n"), "unknown EBADMSG");
	for (int i = 0; i < 5000; i++)
		n += (size_t)sprintf(many + n, "f%04d ", i);
	assert_string_equal(flags(f, many), "unknown EBADMSG");
	free(many);
	claims_fixture_remove(f, "proc/cpuinfo");
	assert_int_equal(claims_cpu_flags(&f->source), 1);
	assert_string_equal(claims_fixture_found(f, "cpu:flags"), "unknown ENOENT");
}

static void test_mitigations(void **state)
{
	struct claims_fixture *f = *state;

	assert_int_equal(claims_cpu_mitigations(&f->source), 2);
	assert_string_equal(claims_fixture_found(f, "cpu:vulnerabilities"), "absent");
	assert_string_equal(claims_fixture_found(f, "cpu:smt"), "absent");
	claims_fixture_text(f, "sys/devices/system/cpu/vulnerabilities/meltdown",
			    "Mitigation: PTI\n");
	claims_fixture_text(f, "sys/devices/system/cpu/vulnerabilities/UPPER", "odd\n");
	claims_fixture_text(f, "sys/devices/system/cpu/smt/control", "on\n");
	assert_int_equal(claims_cpu_mitigations(&f->source), 3);
	assert_string_equal(claims_fixture_found(f, "cpu:vulnerability:meltdown"),
			    "Mitigation: PTI");
	assert_string_equal(claims_fixture_found(f, "cpu:vulnerability:UPPER"), "(not put)");
	assert_string_equal(claims_fixture_found(f, "cpu:vulnerabilities"), "listed");
	assert_string_equal(claims_fixture_found(f, "cpu:smt"), "on");
	claims_fixture_text(f, "sys/devices/system/cpu/vulnerabilities/meltdown", "Vulnerable\n");
	assert_int_equal(claims_cpu_mitigations(&f->source), 1);
	assert_string_equal(claims_fixture_found(f, "cpu:vulnerability:meltdown"), "Vulnerable");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {T(test_flags), T(test_broken_flags),
					   T(test_mitigations)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
