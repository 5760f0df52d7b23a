/* SPDX-License-Identifier: Apache-2.0 */
/* What evidence_write() writes is read in place, whatever members it has; what is spelled in any other way is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cleanup.h"
#include "evidence.h"
#include "fsio.h"

static const char *const bodies[] = {"evidence.txt",	      "evidence-boot.txt",
				     "evidence-ima.txt",      "evidence-ima-end.txt",
				     "evidence-measured.txt", "provisional.txt"};

static void read_data(const char *name, struct buf *ret)
{
	char path[64];

	snprintf(path, sizeof(path), "tests/data/evidence/%s", name);
	assert_int_equal(fsio_read_file(fsio_system(), path, 65536, ret), 0);
}

static size_t head_size(const struct buf *b)
{
	return (size_t)((uint8_t *)memchr(b->data, '\n', b->size) - b->data);
}

static bool scans(const void *head, size_t size, struct evidence *e)
{
	/* Without slack, for the address sanitizer. */
	void *copy = malloc(size);
	bool good;

	memset(e, 0, sizeof(*e));
	memcpy(copy, head, size);
	good = evidence_head_scan(copy, size, e);
	free(copy);
	return good;
}

static void test_written(void **state)
{
	static struct evidence e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		struct buf b = {0}, again = {0};
		size_t size;

		read_data(bodies[i], &b);
		size = head_size(&b);
		if (!scans(b.data, size, &e))
			fail_msg("%s is not read in place", bodies[i]);
		e.lines = (struct buf_view){b.data + size + 1, b.size - size - 1};
		assert_int_equal(evidence_write(&e, &again), 0);
		assert_int_equal(again.size, b.size);
		assert_memory_equal(again.data, b.data, b.size);
		evidence_done(&e);
		buf_done(&again);
		buf_done(&b);
	}
}

/* Cut short at each place, and with a bit turned at each: no twin is taken for another that says the same. */
static void test_twins(void **state)
{
	static struct evidence e;
	struct buf b = {0};
	size_t size;

	(void)state;
	read_data("evidence-ima-end.txt", &b);
	size = head_size(&b);
	for (size_t at = 0; at < size; at++) {
		struct buf again = {0};

		assert_false(scans(b.data, at, &e));
		evidence_done(&e);
		b.data[at] ^= 1u << (at % 7);
		if (scans(b.data, size, &e)) {
			assert_int_equal(evidence_write(&e, &again), 0);
			assert_int_equal(again.size, size + 1);
			assert_memory_equal(again.data, b.data, size);
		}
		evidence_done(&e);
		buf_done(&again);
		b.data[at] ^= 1u << (at % 7);
	}
	buf_done(&b);
}

static void replaced(const struct buf *b, const char *from, const char *to, struct buf *ret)
{
	size_t size = head_size(b);
	const uint8_t *at = memmem(b->data, size, from, strlen(from));

	assert_non_null(at);
	buf_put(ret, b->data, (size_t)(at - b->data));
	buf_puts(ret, to);
	buf_put(ret, at + strlen(from), (size_t)(b->data + size - at) - strlen(from));
}

static void test_other_spellings(void **state)
{
	static const struct {
		const char *from, *to;
	} other[] = {
		{"{\"v\":1,", "{ \"v\":1,"},
		{"{\"v\":1,", "{\"v\":2,"},
		{"\"kind\":\"evidence\"", "\"kind\":\"Evidence\""},
		{"\"incarnation\":1", "\"incarnation\":01"},
		{"\"incarnation\":1", "\"incarnation\":-1"},
		{"\"from\":10,\"n\":2", "\"n\":2,\"from\":10"},
		{"\\u000a", "\\n"},
		{"\"notes\":[\"\xe2\x80\x94 ", "\"notes\":[\"- "},
		{"\"notes\":[", "\"notes\":[\"\xe2\x80\x94 a\\u0020b\","},
		{"\"notes\":[",
		 "\"notes\":[\"\xe2\x80\x94 a\",\"\xe2\x80\x94 b\",\"\xe2\x80\x94 c\","
		 "\"\xe2\x80\x94 d\","},
		{"\"pcrs\":{\"0\":", "\"pcrs\":{\"8\":"},
		{"\"pcrs\":{\"0\":", "\"pcrs\":{\"24\":"},
		{"\"pcrs\":{\"0\":", "\"pcrs\":{\"00\":"},
		{"\"7\":", "\"0\":"},
		{"\"attest\":\"", "\"attest\":\"="},
		{"\"boot_log\":\"4", "\"boot_log\":\"G"},
		{"\"ima_cursor\":41,", "\"ima_cursor\":41,\"more\":1,"},
		{"\"ima_cursor\":41,", "\"boot_log_data\":\"\",\"ima_cursor\":41,"},
		{"\"leaving\":false", "\"leaving\":0"},
		{"\"judge\":1", "\"judge\":4294967296"},
		{"\"agent\":\"0.1.0\"", "\"agent\":\"0.1.\\u0030\""},
		{"\"agent\":\"0.1.0\"", "\"agent\":\"0.1.\xc3\xbc\""},
		{"\"agent\":\"0.1.0\"", "\"agent\":\"01234567890123456789012345678901\""},
		{".000000001Z\"}", ".00000001Z\"}"},
		{".000000001Z\"}", ".000000001Z\"} "},
		{".000000001Z\"}", ".000000001Z\",\"more\":1}"},
	};
	static struct evidence e;
	struct buf b = {0};

	(void)state;
	read_data("evidence-ima-end.txt", &b);
	for (size_t i = 0; i < ARRAY_SIZE(other); i++) {
		struct buf twin = {0};

		replaced(&b, other[i].from, other[i].to, &twin);
		if (scans(twin.data, twin.size, &e))
			fail_msg("%s is read in place", other[i].to);
		evidence_done(&e);
		buf_done(&twin);
	}
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_written),
		cmocka_unit_test(test_twins),
		cmocka_unit_test(test_other_spellings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
