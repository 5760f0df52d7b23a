/* SPDX-License-Identifier: Apache-2.0 */
/* A bolt database is read as its owner left it: buckets in pages and in values, below branches; broken ones are refused, moving ones read again. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "bolt.h"
#include "bolt_maker.h"

static const struct bolt_maker_item inner[] = {{"b", "deep", NULL, 0}};
static const struct bolt_maker_item v1[] = {
	{"a", "first", NULL, 0}, {"c", NULL, inner, 1}, {"d", "last", NULL, 0}};
static const struct bolt_maker_item root[] = {{"k0", "x", NULL, 0},
					      {"k1", "y", NULL, 0},
					      {"k10", "z", NULL, 0},
					      {"k2", "w", NULL, 0},
					      {"v1", NULL, v1, 3}};

static int file_of(const struct buf *b)
{
	int fd = memfd_create("bolt", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, b->data, b->size), b->size);
	return fd;
}

static int get(int fd, const char *const *keys, uint32_t n, char *ret, size_t size)
{
	struct bolt *b = NULL;
	struct buf v = {0};
	int r = bolt_open(fd, &b);

	if (r >= 0)
		r = bolt_get(b, keys, n, &v);
	if (r >= 0)
		snprintf(ret, size, "%.*s", (int)v.size, v.data ? (char *)v.data : "");
	buf_done(&v);
	bolt_free(b);
	return r;
}

static void test_find(void **state)
{
	static const struct {
		const char *keys[4];
		uint32_t n;
		const char *value; /* NULL: -ENOENT */
	} rows[] = {
		{{"k0"}, 1, "x"},	   {{"k1"}, 1, "y"},
		{{"k10"}, 1, "z"},	   {{"k2"}, 1, "w"},
		{{"v1", "a"}, 2, "first"}, {{"v1", "c", "b"}, 3, "deep"},
		{{"v1", "d"}, 2, "last"},  {{"k"}, 1, NULL},
		{{"k11"}, 1, NULL},	   {{"z"}, 1, NULL},
		{{"a"}, 1, NULL},	   {{"v1"}, 1, NULL}, /* a bucket is no value */
		{{"k0", "a"}, 2, NULL},	   {{"v1", "c", "x"}, 3, NULL},
	};

	(void)state;
	/* All in one leaf; a leaf each, and two each, below a branch. */
	for (size_t per_leaf = 5; per_leaf > 0; per_leaf = per_leaf == 5 ? 2 : per_leaf - 1) {
		struct buf b = {0};
		int fd;

		bolt_maker_file(root, 5, per_leaf, &b);
		fd = file_of(&b);
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			char value[64] = "";
			int r = get(fd, rows[i].keys, rows[i].n, value, sizeof(value));

			if (rows[i].value ? r != 0 || strcmp(value, rows[i].value) != 0
					  : r != -ENOENT)
				fail_msg("%zu, row %zu: %d %s", per_leaf, i, r, value);
		}
		close(fd);
		buf_done(&b);
	}
}

static void test_long(void **state)
{
	static char text[3 * BOLT_MAKER_PAGE];
	const struct bolt_maker_item items[] = {{"long", text, NULL, 0}, {"short", "s", NULL, 0}};
	const char *const keys[] = {"long"};
	char value[4 * BOLT_MAKER_PAGE];
	struct buf b = {0};
	int fd;

	(void)state;
	memset(text, 't', sizeof(text) - 1);
	bolt_maker_file(items, 2, 2, &b);
	fd = file_of(&b);
	assert_int_equal(get(fd, keys, 1, value, sizeof(value)), 0);
	assert_string_equal(value, text);
	close(fd);
	buf_done(&b);
}

static void test_twins(void **state)
{
	static const char *const keys[] = {"v1", "c", "b"};
	struct buf b = {0};
	char value[64];
	int fd;

	(void)state;
	bolt_maker_file(root, 5, 2, &b);
	/* Cut short; any bit turned: what is found is what was there, or nothing, and never memory beyond a page. */
	for (size_t cut = 0; cut < b.size; cut += 512) {
		struct buf part = {.data = b.data, .size = cut};

		fd = file_of(&part);
		assert_true(get(fd, keys, 3, value, sizeof(value)) < 0);
		close(fd);
	}
	fd = file_of(&b);
	for (size_t at = 0; at < b.size; at += 1 + at % 13) {
		uint8_t turned = b.data[at] ^ (uint8_t)(1u << at % 8);

		if (b.data[at] == 0 && at % 64 > 40)
			continue;
		assert_int_equal(pwrite(fd, &turned, 1, (off_t)at), 1);
		(void)get(fd, keys, 3, value, sizeof(value));
		assert_int_equal(pwrite(fd, &b.data[at], 1, (off_t)at), 1);
	}
	close(fd);
	/* One torn meta page leaves the other; both leave nothing. */
	b.data[BOLT_MAKER_PAGE + 20] ^= 1;
	fd = file_of(&b);
	assert_int_equal(get(fd, keys, 3, value, sizeof(value)), 0);
	assert_string_equal(value, "deep");
	close(fd);
	b.data[20] ^= 1;
	fd = file_of(&b);
	assert_int_equal(get(fd, keys, 3, value, sizeof(value)), -EBADMSG);
	close(fd);
	b.data[BOLT_MAKER_PAGE + 20] ^= 1;
	fd = file_of(&b);
	assert_int_equal(get(fd, keys, 3, value, sizeof(value)), 0);
	close(fd);
	buf_done(&b);
}

/* A root that is its own child, and one that is a meta page. */
static void test_circles(void **state)
{
	static const char *const keys[] = {"k1"};
	uint64_t itself = 3;
	struct buf b = {0};
	char value[64];
	int fd;

	(void)state;
	bolt_maker_file(root, 5, 2, &b);
	for (int i = 0; i < 3; i++)
		memcpy(b.data + 3 * BOLT_MAKER_PAGE + 16 + 16 * i + 8, &itself, sizeof(itself));
	fd = file_of(&b);
	assert_int_equal(get(fd, keys, 1, value, sizeof(value)), -EBADMSG);
	close(fd);
	bolt_maker_meta(b.data, 1, 8, 8);
	fd = file_of(&b);
	assert_int_equal(get(fd, keys, 1, value, sizeof(value)), -EBADMSG);
	close(fd);
	bolt_maker_meta(b.data, UINT64_MAX / 2, UINT64_MAX, 8);
	fd = file_of(&b);
	assert_int_equal(get(fd, keys, 1, value, sizeof(value)), -EBADMSG);
	close(fd);
	buf_done(&b);
}

/* The newest transaction counts, also one that was committed after it was opened. */
static void test_moves(void **state)
{
	static const char *const keys[] = {"k"};
	const struct bolt_maker_item before[] = {{"k", "before", NULL, 0}},
				     after[] = {{"k", "after", NULL, 0}};
	struct buf a = {0}, b = {0}, v = {0};
	struct bolt *bolt = NULL;
	uint64_t id = 4;
	uint8_t meta[BOLT_MAKER_PAGE] = {0};
	int fd;

	(void)state;
	bolt_maker_file(before, 1, 1, &a);
	bolt_maker_file(after, 1, 1, &b);
	fd = file_of(&a);
	assert_int_equal(bolt_open(fd, &bolt), 0);
	memcpy(b.data + 3 * BOLT_MAKER_PAGE, &id, sizeof(id));
	assert_int_equal(
		pwrite(fd, b.data + 3 * BOLT_MAKER_PAGE, BOLT_MAKER_PAGE, 4 * BOLT_MAKER_PAGE),
		BOLT_MAKER_PAGE);
	assert_int_equal(bolt_get(bolt, keys, 1, &v), 0);
	assert_memory_equal(v.data, "before", 6);
	bolt_maker_meta(meta, 4, 5, 8);
	assert_int_equal(pwrite(fd, meta, sizeof(meta), 0), sizeof(meta));
	buf_clear(&v);
	assert_int_equal(bolt_get(bolt, keys, 1, &v), 0);
	assert_memory_equal(v.data, "after", 5);
	bolt_free(bolt);
	close(fd);
	buf_done(&a);
	buf_done(&b);
	buf_done(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),  cmocka_unit_test(test_long),
		cmocka_unit_test(test_twins), cmocka_unit_test(test_circles),
		cmocka_unit_test(test_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
