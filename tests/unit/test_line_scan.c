/* SPDX-License-Identifier: Apache-2.0 */
/* What the quick reader takes is the very line that the other one reads; what it does not know for sure it leaves alone. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fsio.h"
#include "line_scan.h"

static struct line_scan scan;

static void load(const char *name, struct buf *ret)
{
	char path[128];

	snprintf(path, sizeof(path), "tests/data/line/%s.json", name);
	assert_int_equal(fsio_read_file(fsio_system(), path, 65536, ret), 0);
	ret->size--; /* its LF */
}

/* Both readers, and what is written of either. True: the quick one took it. */
static bool agree(const void *data, size_t size)
{
	struct buf parsed = {0}, scanned = {0};
	struct why why = {""};
	struct line l, quick;
	json_t *o = NULL;
	int r = line_parse(data, size, &o, &l, &why);
	bool taken = line_scan(&scan, data, size, &quick);

	if (taken && r < 0)
		fail_msg("taken, but %s: %.*s", why.text, (int)size, (const char *)data);
	if (taken) {
		assert_int_equal(line_write(&l, &parsed), 0);
		assert_int_equal(line_write(&quick, &scanned), 0);
		assert_int_equal(parsed.size, scanned.size);
		assert_memory_equal(parsed.data, scanned.data, parsed.size);
		assert_int_equal(l.type, quick.type);
	}
	json_decref(o);
	buf_done(&parsed);
	buf_done(&scanned);
	return taken;
}

static void test_examples(void **state)
{
	static const struct {
		const char *name;
		bool taken; /* not escapes, bytes beyond ASCII, and members that only some lines have */
	} examples[] = {
		{"exec", true},	 {"container", true}, {"surface", true},
		{"diff", false}, {"not_utf8", false}, {"left_out", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		struct buf text = {0};

		load(examples[i].name, &text);
		if (agree(text.data, text.size) != examples[i].taken)
			fail_msg("%s: taken or not, but not as expected", examples[i].name);
		buf_done(&text);
	}
}

/* Each byte left out, doubled, or another one; cut at each place. */
static void test_twins(void **state)
{
	static const char others[] = "\"\\0a,:{}[] \x01\x7f\xc3";
	static const char *const names[] = {"exec", "container", "surface"};
	unsigned int taken = 0, all = 0;

	(void)state;
	for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
		struct buf text = {0};
		char *twin;

		load(names[k], &text);
		twin = malloc(text.size + 1);
		assert_non_null(twin);
		for (size_t i = 0; i < text.size; i++) {
			memcpy(twin, text.data, text.size);
			for (size_t o = 0; o < sizeof(others); o++, all++) {
				twin[i] = others[o];
				taken += agree(twin, text.size);
			}
			memcpy(twin, text.data, i);
			memcpy(twin + i, text.data + i + 1, text.size - i - 1);
			agree(twin, text.size - 1);
			memcpy(twin + i + 1, text.data + i, text.size - i);
			twin[i] = (char)text.data[i];
			agree(twin, text.size + 1);
			assert_false(agree(text.data, i));
		}
		free(twin);
		buf_done(&text);
	}
	/* A letter in a path may be another one; most of a line may not. */
	assert_true(taken > 0 && taken < all / 2);
}

#define LINE(seq, rest)                                                                         \
	"{\"v\":1,\"seq\":" seq                                                                 \
	",\"t\":\"2026-11-24T00:00:00.000000000Z\",\"bt\":1,\"boot\":\"b\",\"src\":\"s\"," rest \
	"}"
#define CLAIM "\"type\":\"claim\",\"scope\":\"host\",\"key\":\"k\",\"found\":\"f\""

static void test_bounds(void **state)
{
	static const struct {
		const char *text;
		bool taken;
	} lines[] = {
		{LINE("5", CLAIM), true},
		{LINE("0", CLAIM), true},
		{LINE("05", CLAIM), false},
		{LINE("-5", CLAIM), false},
		{LINE("5.0", CLAIM), false},
		{LINE("99999999999999999999", CLAIM), false},
		{LINE("5", CLAIM ",\"x\":1"), false},
		{LINE("5", CLAIM "}"), false},
		{LINE("5", CLAIM) " ", false},
		{LINE("5", "\"type\":\"gap\",\"scope\":\"host\",\"key\":\"k\",\"found\":\"f\""),
		 false},
		{LINE("5", "\"type\":\"claim\",\"scope\":\"host\",\"key\":\"k\""), false},
		{LINE("5", CLAIM ",\"judge\":\"ok\",\"jv\":1,\"bv\":1"), true},
		{LINE("5", CLAIM ",\"judge\":\"ok\",\"expected\":\"e\",\"jv\":1,\"bv\":1"), false},
		{LINE("5", CLAIM ",\"judge\":\"drift\",\"jv\":1,\"bv\":1"), false},
		{"", false},
		{"{", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (agree(lines[i].text, strlen(lines[i].text)) != lines[i].taken)
			fail_msg("line %zu: taken or not, but not as expected", i);
}

/* A line as long as may be, and one more. */
static void test_long(void **state)
{
	static char big[LINE_MAX_SIZE + 2];
	struct line l;

	(void)state;
	memset(big, 'a', sizeof(big));
	assert_false(line_scan(&scan, big, LINE_MAX_SIZE, &l));
	assert_false(line_scan(&scan, big, LINE_MAX_SIZE + 1, &l));
}

static void test_either(void **state)
{
	struct buf text = {0};
	struct why why = {""};
	json_t *o = (json_t *)&why;
	struct line l;

	(void)state;
	load("exec", &text);
	assert_int_equal(line_scan_or_parse(&scan, text.data, text.size, &o, &l, &why), 0);
	assert_null(o);
	assert_string_equal(l.actor.ancestors[0].exe, "/usr/bin/bash");
	assert_int_equal(line_scan_or_parse(&scan, text.data, text.size - 1, &o, &l, &why),
			 -EBADMSG);
	assert_non_null(strstr(why.text, "JSON"));
	buf_done(&text);
	load("diff", &text);
	assert_int_equal(line_scan_or_parse(&scan, text.data, text.size, &o, &l, &why), 0);
	assert_non_null(o);
	json_decref(o);
	buf_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples), cmocka_unit_test(test_twins),
		cmocka_unit_test(test_bounds),	 cmocka_unit_test(test_long),
		cmocka_unit_test(test_either),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
