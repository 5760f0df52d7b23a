/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_text_diff.c: hunks as `diff -U0` writes them; what came out is put back onto the text before by a reader of its own, and must give the
 * text of now, for thousands of pairs; the number of edits is the smallest; what is too much, or no text, is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text_diff.h"

static int diff(const char *a, const char *b, struct buf *ret)
{
	const struct buf_view before = {(const uint8_t *)a, strlen(a)};
	const struct buf_view now = {(const uint8_t *)b, strlen(b)};

	return text_diff(&before, &now, NULL, ret);
}

static void test_hunks(void **state)
{
	static const struct {
		const char *a, *b, *want;
	} rows[] = {
		{"a\nb\nc\n", "a\nX\nc\n", "@@ -2 +2 @@\n-b\n+X"},
		{"a\nb\nc\n", "a\nc\n", "@@ -2 +1,0 @@\n-b"},
		{"a\nc\n", "a\nb\nb\nc\n", "@@ -1,0 +2,2 @@\n+b\n+b"},
		{"", "a\n", "@@ -0,0 +1 @@\n+a"},
		{"a\n", "", "@@ -1 +0,0 @@\n-a"},
		{"a\n", "a", "@@ -1 +1 @@\n-a\n+a\n\\ no newline at the end"},
		{"1\n2\n3\n4\n5\n", "0\n1\n2\n4\n5\n6\n",
		 "@@ -0,0 +1 @@\n+0\n@@ -3 +3,0 @@\n-3\n@@ -5,0 +6 @@\n+6"},
		{"\n\n", "\n", "@@ -2 +1,0 @@\n-"},
		{"a\n", "a\n", ""},
		{"", "", ""},
		{"caf\xc3\xa9\n", "th\xc3\xa9\n", "@@ -1 +1 @@\n-caf\xc3\xa9\n+th\xc3\xa9"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out = {0};

		assert_int_equal(diff(rows[i].a, rows[i].b, &out), 0);
		assert_string_equal(out.data ? (char *)out.data : "", rows[i].want);
		buf_done(&out);
	}
}

/* Smallest number of edits, by the table that everybody knows. */
static unsigned int smallest(const char *a, size_t n, const char *b, size_t m)
{
	static unsigned int t[32][32];

	for (size_t i = 0; i <= n; i++)
		for (size_t k = 0; k <= m; k++) {
			if (i == 0 || k == 0) {
				t[i][k] = (unsigned int)(i + k);
			} else {
				t[i][k] =
					1 + (t[i - 1][k] < t[i][k - 1] ? t[i - 1][k] : t[i][k - 1]);
				if (a[i - 1] == b[k - 1] && t[i - 1][k - 1] < t[i][k])
					t[i][k] = t[i - 1][k - 1];
			}
		}
	return t[n][m];
}

static void lines_of(const char *letters, char *ret)
{
	for (; *letters; letters++) {
		*ret++ = *letters;
		*ret++ = '\n';
	}
	*ret = '\0';
}

/* Takes "before" and the hunks; ret: one letter a line. Number of edits. */
static unsigned int put_back(const char *before, char *hunks, char *ret)
{
	unsigned int at = 0, first, n, edits = 0;

	for (char *line = strtok(hunks, "\n"); line; line = strtok(NULL, "\n")) {
		if (line[0] == '@') {
			n = 1;
			assert_true(sscanf(line, "@@ -%u,%u", &first, &n) >= 1);
			first -= n > 0;
			assert_true(first >= at && first <= strlen(before));
			while (at < first)
				*ret++ = before[at++];
			continue;
		}
		edits++;
		if (line[0] == '-')
			assert_int_equal(line[1], before[at++]);
		else
			*ret++ = line[1];
	}
	strcpy(ret, before + at);
	return edits;
}

static void test_random(void **state)
{
	(void)state;
	srand(7);
	for (int i = 0; i < 20000; i++) {
		char a[24] = "", b[24] = "", la[64], lb[64], back[64];
		size_t n = (size_t)rand() % 20, m = (size_t)rand() % 20;
		struct buf out = {0};

		for (size_t k = 0; k < n; k++)
			a[k] = (char)('a' + rand() % 4);
		for (size_t k = 0; k < m; k++)
			b[k] = (char)('a' + rand() % 4);
		lines_of(a, la);
		lines_of(b, lb);
		assert_int_equal(diff(la, lb, &out), 0);
		buf_puts(&out, "");
		assert_int_equal(put_back(a, out.data ? (char *)out.data : la + n * 2, back),
				 smallest(a, n, b, m));
		assert_string_equal(back, b);
		buf_done(&out);
	}
}

static void test_bounds(void **state)
{
	static char big[TEXT_DIFF_MAX_SIZE + 2], other[TEXT_DIFF_MAX_SIZE + 2];
	struct buf out = {0};

	(void)state;
	memset(big, 'x', TEXT_DIFF_MAX_SIZE + 1);
	assert_int_equal(diff("", big, &out), -EFBIG);
	big[TEXT_DIFF_MAX_SIZE] = '\0';
	assert_int_equal(diff("a\n", big, &out), 0);
	/* A long line is cut, and says so. */
	assert_int_equal(out.size, strlen("@@ -1 +1 @@\n-a\n+") + TEXT_DIFF_MAX_LINE +
					   strlen("…\n\\ no newline at the end"));
	buf_clear(&out);
	for (size_t i = 0; i < TEXT_DIFF_MAX_LINES; i++)
		big[i] = '\n';
	big[TEXT_DIFF_MAX_LINES] = '\0';
	assert_int_equal(diff("", big, &out), -EFBIG);
	/* As many edits as are allowed, and one more. */
	for (size_t i = 0; i < TEXT_DIFF_MAX_EDITS; i++)
		memcpy(other + i * 3, "ab\n", 3);
	other[TEXT_DIFF_MAX_EDITS * 3] = '\0';
	assert_int_equal(diff("", other, &out), 0);
	buf_clear(&out);
	strcat(other, "c\n");
	assert_int_equal(diff("", other, &out), -EOVERFLOW);
	assert_int_equal(out.size, 0);
	buf_done(&out);
}

static void test_no_text(void **state)
{
	static const struct buf_view bad[] = {
		{(const uint8_t *)"a\0b\n", 4},	      {(const uint8_t *)"\x1b[2J\n", 5},
		{(const uint8_t *)"caf\xe9\n", 5},    {(const uint8_t *)"\xc0\x80\n", 3},
		{(const uint8_t *)"\xed\xa0\x80", 3}, {(const uint8_t *)"\xf4\x90\x80\x80", 4},
		{(const uint8_t *)"\xe2\x82", 2},     {(const uint8_t *)"\x7f", 1},
	};
	const struct buf_view good = {(const uint8_t *)"\ta\r\n\f", 5};
	struct buf out = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(text_diff(&good, &bad[i], NULL, &out), -EILSEQ);
		assert_int_equal(text_diff(&bad[i], &good, NULL, &out), -EILSEQ);
	}
	assert_int_equal(out.size, 0);
	assert_true(text_diff_is_text((const char *)good.data, good.size));
	buf_done(&out);
}

/* A long line is not cut inside a character. */
static void test_cut(void **state)
{
	char line[TEXT_DIFF_MAX_LINE * 3];
	struct buf out = {0};
	size_t n = 1;

	(void)state;
	line[0] = 'x';
	while (n + 2 < sizeof(line)) {
		memcpy(line + n, "\xc3\xa9", 2);
		n += 2;
	}
	line[n] = '\0';
	assert_int_equal(diff("", line, &out), 0);
	assert_true(text_diff_is_text((char *)out.data, out.size));
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hunks),  cmocka_unit_test(test_random),
		cmocka_unit_test(test_bounds), cmocka_unit_test(test_no_text),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
