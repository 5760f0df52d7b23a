/* SPDX-License-Identifier: Apache-2.0 */
/* Secure Boot, firmware and IMA from a /sys of its own: variables of hostile sizes are no answer, and what is not mounted is not "off". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "claims_boot.h"
#include "claims_fixture.h"

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

#define VARIABLE(name) "sys/firmware/efi/efivars/" name "-8be4df61-93ca-11d2-aa0d-00e098032b8c"
#define SHIM(name) "sys/firmware/efi/efivars/" name "-605dab50-e046-4300-abb6-3dd810dd8b23"

static const char *secure(struct claims_fixture *f)
{
	assert_true(claims_boot_secure(&f->source) >= 0);
	return claims_fixture_found(f, "boot:secure_boot");
}

static void test_secure_boot(void **state)
{
	struct claims_fixture *f = *state;

	assert_string_equal(secure(f), "none");
	claims_fixture_text(f, "sys/firmware/efi/systab", "x");
	assert_string_equal(secure(f), "unknown efivarfs is not mounted");
	assert_string_equal(claims_fixture_found(f, "boot:mok_list"),
			    "unknown efivarfs is not mounted");
	claims_fixture_text(f, VARIABLE("BootOrder"), "\x7\0\0\0");
	assert_string_equal(secure(f), "absent");
	assert_string_equal(claims_fixture_found(f, "boot:mok_state"), "absent");
	claims_fixture_write(f, VARIABLE("SecureBoot"), "\6\0\0\0\1", 5);
	assert_string_equal(secure(f), "on");
	claims_fixture_write(f, VARIABLE("SetupMode"), "\6\0\0\0\0", 5);
	assert_string_equal(secure(f), "on");
	claims_fixture_write(f, VARIABLE("SetupMode"), "\6\0\0\0\1", 5);
	assert_string_equal(secure(f), "setup");
	claims_fixture_write(f, VARIABLE("SetupMode"), "\6\0\0\0\0", 5);
	claims_fixture_write(f, VARIABLE("SecureBoot"), "\6\0\0\0\0", 5);
	assert_string_equal(secure(f), "off");
}

static void test_broken_variables(void **state)
{
	struct claims_fixture *f = *state;
	static const char big[2 << 20];

	for (size_t n = 0; n < 8; n++) {
		claims_fixture_write(f, VARIABLE("SecureBoot"), "\6\0\0\0\1\1\1\1", n);
		assert_string_equal(secure(f), n == 5 ? "on" : "unknown EBADMSG");
	}
	claims_fixture_write(f, VARIABLE("SecureBoot"), "\6\0\0\0\2", 5);
	assert_string_equal(secure(f), "unknown EBADMSG");
	claims_fixture_write(f, VARIABLE("SecureBoot"), big, sizeof(big));
	assert_string_equal(secure(f), "unknown EFBIG");
	/* One that is there and one that is not: nobody can say. */
	claims_fixture_remove(f, VARIABLE("SecureBoot"));
	claims_fixture_write(f, VARIABLE("SetupMode"), "\6\0\0\0\0", 5);
	assert_string_equal(secure(f), "unknown ENOENT");
	claims_fixture_write(f, VARIABLE("SecureBoot"), "\6\0\0\0\1", 5);
	claims_fixture_write(f, VARIABLE("SetupMode"), "\6\0\0\0", 4);
	assert_string_equal(secure(f), "unknown EBADMSG");
}

static void test_mok(void **state)
{
	struct claims_fixture *f = *state;

	claims_fixture_write(f, SHIM("MokSBStateRT"), "\6\0\0\0\1", 5);
	claims_fixture_write(f, SHIM("MokListRT"), "\6\0\0\0abc", 7);
	secure(f);
	assert_string_equal(claims_fixture_found(f, "boot:mok_state"), "not validating");
	assert_string_equal(
		claims_fixture_found(f, "boot:mok_list"),
		"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad 3");
	claims_fixture_write(f, SHIM("MokSBStateRT"), "\6\0\0\0\0", 5);
	claims_fixture_write(f, SHIM("MokListRT"), "\6\0\0", 3);
	secure(f);
	assert_string_equal(claims_fixture_found(f, "boot:mok_state"), "validating");
	assert_string_equal(claims_fixture_found(f, "boot:mok_list"), "unknown EBADMSG");
}

static void test_firmware(void **state)
{
	struct claims_fixture *f = *state;

	claims_fixture_text(f, "sys/class/dmi/id/bios_version", "  2.1.7 \n");
	claims_fixture_text(f, "sys/class/dmi/id/product_serial", "secret\n");
	assert_int_equal(claims_boot_firmware(&f->source), 8);
	assert_string_equal(claims_fixture_found(f, "firmware:bios_version"), "2.1.7");
	assert_string_equal(claims_fixture_found(f, "firmware:bios_vendor"), "absent");
	assert_string_equal(claims_fixture_found(f, "firmware:product_serial"), "(not put)");
	assert_int_equal(claims_boot_firmware(&f->source), 0);
}

static const char *ima(struct claims_fixture *f)
{
	assert_true(claims_boot_ima(&f->source) >= 0);
	return claims_fixture_found(f, "ima:policy");
}

static void test_ima(void **state)
{
	struct claims_fixture *f = *state;

	assert_string_equal(ima(f), "unknown securityfs is not mounted");
	claims_fixture_text(f, "sys/kernel/security/lsm", "capability");
	assert_string_equal(ima(f), "none");
	claims_fixture_text(f, "sys/kernel/security/ima/violations", "0\n");
	assert_string_equal(ima(f), "unknown ENOENT");
	claims_fixture_text(f, "sys/kernel/security/ima/policy", "");
	assert_string_equal(ima(f), "empty");
	claims_fixture_text(f, "sys/kernel/security/ima/policy", "abc");
	assert_string_equal(
		ima(f),
		"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad 3");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_secure_boot), T(test_broken_variables), T(test_mok), T(test_firmware),
		T(test_ima),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
