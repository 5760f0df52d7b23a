/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "loader_kernel.h"

/* As the program looks it up (code_may_interpret()). */
static bool may_be(const uint32_t letters[32], const char *name)
{
	char second = name[1] >= '0' && name[1] <= '9' ? '\0' : name[1];

	return letters[name[0] & 31] >> (second & 31) & 1;
}

static void names_are_found_by_two_letters(void **state)
{
	const char *names[] = {"python", "sh", "R", "q"};
	uint32_t letters[32];

	(void)state;
	loader_kernel_letters(names, 4, letters);
	for (size_t i = 0; i < 4; i++)
		assert_true(may_be(letters, names[i]));
	/* What follows the first digit is a version, also right behind the first letter. */
	assert_true(may_be(letters, "python3.11"));
	assert_true(may_be(letters, "R4"));
	assert_true(may_be(letters, "q9.1"));
	assert_false(may_be(letters, "perl"));
	assert_false(may_be(letters, "s"));
	assert_false(may_be(letters, "bash"));
	assert_false(may_be(letters, "cost"));
}

static void without_names_there_is_none(void **state)
{
	uint32_t letters[32];

	(void)state;
	memset(letters, 0xff, sizeof(letters));
	loader_kernel_letters(NULL, 0, letters);
	for (size_t i = 0; i < 32; i++)
		assert_int_equal(letters[i], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_found_by_two_letters),
		cmocka_unit_test(without_names_there_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
