/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "print.h"

#define HEX64 "e7be8a5b180550215af6a66239c484957fea9f7f8102b15185b0361b5aabbcc0"

static char *out;
static size_t out_size;

static FILE *begin(void)
{
	free(out);
	out = NULL;
	return open_memstream(&out, &out_size);
}

static const char *safe(const char *text, size_t size)
{
	FILE *f = begin();

	print_safe(f, text, size);
	fclose(f);
	return out;
}

static const char *fit(const char *text, size_t width, enum print_cut cut)
{
	FILE *f = begin();
	size_t cells = print_fit(f, text, width, cut);

	fclose(f);
	assert_int_equal(cells, print_cells(out));
	if (width)
		assert_true(cells <= width);
	return out;
}

static const char *value(const char *text, size_t width, enum print_cut cut)
{
	FILE *f = begin();
	size_t cells = print_value(f, text, width, cut);

	fclose(f);
	assert_int_equal(cells, print_cells(out));
	return out;
}

static const char *column(const char *text, size_t width)
{
	FILE *f = begin();

	print_column(f, text, width, PRINT_CUT_END);
	fclose(f);
	return out;
}

#define SAFE(text) safe(text, sizeof(text) - 1)

static void test_safe(void **state)
{
	(void)state;
	assert_string_equal(SAFE("plain /etc/passwd ~"), "plain /etc/passwd ~");
	assert_string_equal(SAFE("größe 日本語 😀"), "größe 日本語 😀");
	assert_string_equal(SAFE("\033[31mred\r\n\t\b\177"),
			    "\\x1b[31mred\\x0d\\x0a\\x09\\x08\\x7f");
	assert_string_equal(SAFE("nul\0end"), "nul\\x00end");
	/* C1 controls: as UTF-8, and as the bytes that an old terminal takes. */
	assert_string_equal(SAFE("a\xc2\x9b"
				 "31m"),
			    "a\\u{9b}31m");
	assert_string_equal(SAFE("a\x9b"
				 "31m"),
			    "a\\x9b31m");
	/* What turns the direction, hides, or only looks like nothing. */
	assert_string_equal(SAFE("exe\u202egnp.x"), "exe\\u{202e}gnp.x");
	assert_string_equal(SAFE("a\u200bb\u2066c\ufeff\u00ad"),
			    "a\\u{200b}b\\u{2066}c\\u{feff}\\u{ad}");
	assert_string_equal(SAFE("\U000e0041\U0010ffff"), "\\u{e0041}\\u{10ffff}");
}

static void test_not_utf8(void **state)
{
	(void)state;
	assert_string_equal(SAFE("\xff\xfe"), "\\xff\\xfe");
	assert_string_equal(SAFE("\xc3"), "\\xc3"); /* cut */
	assert_string_equal(SAFE("\xe6\x97x"), "\\xe6\\x97x"); /* cut, and goes on */
	assert_string_equal(SAFE("\xc0\x9b"), "\\xc0\\x9b"); /* overlong ESC-like */
	assert_string_equal(SAFE("\xe0\x80\x9b"), "\\xe0\\x80\\x9b");
	assert_string_equal(SAFE("\xed\xa0\x80"), "\\xed\\xa0\\x80"); /* surrogate */
	assert_string_equal(SAFE("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
}

/* A cut never lets a control character through by its half. */
static void test_every_pair_of_bytes(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 65536; i++) {
		const char text[] = {(char)(i >> 8), (char)i};

		safe(text, 2);
		for (size_t k = 0; k < out_size; k++)
			assert_true((uint8_t)out[k] >= 0x20 && out[k] != 0x7f);
		/* Bytes 0x80…0x9f are only ever the rest of a character from U+00A0 on. */
		assert_true(strncmp(out, "\xc2", 1) != 0 || (uint8_t)out[1] >= 0xa0);
	}
}

static void test_cells(void **state)
{
	(void)state;
	assert_int_equal(print_cells(""), 0);
	assert_int_equal(print_cells("abc"), 3);
	assert_int_equal(print_cells("größe"), 5);
	assert_int_equal(print_cells("日本語"), 6);
	assert_int_equal(print_cells("e\u0301"), 1);
	assert_int_equal(print_cells("\033"), 4);
	assert_int_equal(print_cells("\u202e"), 8);
}

static void test_fit(void **state)
{
	(void)state;
	assert_string_equal(fit("abcdef", 0, PRINT_CUT_END), "abcdef");
	assert_string_equal(fit("abcdef", 6, PRINT_CUT_END), "abcdef");
	assert_string_equal(fit("abcdef", 5, PRINT_CUT_END), "abcd…");
	assert_string_equal(fit("abcdef", 1, PRINT_CUT_END), "…");
	assert_string_equal(fit("abcdef", 1, PRINT_CUT_MIDDLE), "…");
	assert_string_equal(fit("abcdef", 2, PRINT_CUT_MIDDLE), "…f");
	assert_string_equal(fit("exec:/opt/a/b/c/d/e/intruder", 20, PRINT_CUT_MIDDLE),
			    "exec:/…/d/e/intruder");
	assert_string_equal(fit("日本語日本語", 6, PRINT_CUT_END), "日本…");
	assert_string_equal(fit("日本語日本語", 8, PRINT_CUT_MIDDLE), "日…本語");
	/* An escape is never cut in two. */
	assert_string_equal(fit("ab\033cdef", 5, PRINT_CUT_END), "ab…");
	assert_string_equal(fit("abcde\033", 5, PRINT_CUT_MIDDLE), "a…");
	for (size_t width = 1; width < 40; width++) {
		fit("größe\xff\033[31m日本語\u202e/usr/bin/…x", width, PRINT_CUT_MIDDLE);
		fit("größe\xff\033[31m日本語\u202e/usr/bin/…x", width, PRINT_CUT_END);
	}
}

static void test_value(void **state)
{
	(void)state;
	assert_string_equal(value("reg 0644 0:0 20 sha256:" HEX64, 0, PRINT_CUT_END),
			    "reg 0644 0:0 20 sha256:e7be8a5b1805…");
	assert_string_equal(value(HEX64 " and " HEX64 ".", 0, PRINT_CUT_END),
			    "e7be8a5b1805… and e7be8a5b1805….");
	assert_string_equal(value("link -> /x/deadbeef/0123456789", 0, PRINT_CUT_END),
			    "link -> /x/deadbeef/0123456789");
	assert_string_equal(value("", 0, PRINT_CUT_END), "");
	assert_string_equal(value("sha256:" HEX64, 10, PRINT_CUT_END), "sha256:e7…");
	assert_string_equal(value("\xff" HEX64 "\033", 0, PRINT_CUT_END),
			    "\\xffe7be8a5b1805…\\x1b");
}

static void test_column(void **state)
{
	(void)state;
	assert_string_equal(column("ab", 4), "ab   ");
	assert_string_equal(column("abcd", 4), "abcd ");
	assert_string_equal(column("abcde", 4), "abc… ");
	assert_string_equal(column("日本", 5), "日本  ");
	assert_string_equal(column("", 1), "  ");
}

static void test_no_colour_in_a_file(void **state)
{
	FILE *f = begin();

	(void)state;
	assert_string_equal(print_on(f, PRINT_RED), "");
	assert_string_equal(print_off(f), "");
	assert_int_equal(print_columns(f), 0);
	fclose(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_safe),
		cmocka_unit_test(test_not_utf8),
		cmocka_unit_test(test_every_pair_of_bytes),
		cmocka_unit_test(test_cells),
		cmocka_unit_test(test_fit),
		cmocka_unit_test(test_value),
		cmocka_unit_test(test_column),
		cmocka_unit_test(test_no_colour_in_a_file),
	};
	int r = cmocka_run_group_tests(tests, NULL, NULL);

	free(out);
	return r;
}
