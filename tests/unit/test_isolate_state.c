/* SPDX-License-Identifier: Apache-2.0 */
/* The border: the file that keeps a node isolated, byte for byte; and what is broken is never taken for "not isolated". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "fault_fsio.h"
#include "isolate_state.h"
#include "scratch.h"

static struct isolate_state example(void)
{
	struct isolate_state s = {.number = 1234567890123456789,
				  .since_ns = 1700000000123456789,
				  .ways = ISOLATE_NETWORK | ISOLATE_FREEZE,
				  .by = "verifier",
				  .order = 7,
				  .case_id = "12",
				  .reason = "exec:/tmp/intruder",
				  .n_verifier = 2,
				  .inet = ISOLATE_TABLE_OURS,
				  .bridge = ISOLATE_TABLE_OURS,
				  .n_frozen = 1};

	snprintf(s.verifier[0], sizeof(s.verifier[0]), "192.0.2.7:8443");
	snprintf(s.verifier[1], sizeof(s.verifier[1]), "[2001:db8::7]:8443");
	snprintf(s.frozen[0], sizeof(s.frozen[0]), "/kubepods.slice");
	return s;
}

static void test_bytes(void **state)
{
	struct isolate_state s = example(), *back = calloc(1, sizeof(*back));
	struct buf b = {0}, want = {0};
	struct why why = {""};

	(void)state;
	assert_int_equal(isolate_state_write(&s, &b), 0);
	assert_int_equal(
		fsio_read_file(fsio_system(), "tests/data/isolation/isolation.json", 65536, &want),
		0);
	assert_int_equal(b.size, want.size);
	assert_memory_equal(b.data, want.data, b.size);
	assert_int_equal(isolate_state_parse(want.data, want.size - 1, back, &why), 0);
	assert_memory_equal(back, &s, sizeof(s));
	free(back);
	buf_done(&b);
	buf_done(&want);
}

/* A file of before it says nothing of bridges: that is no "none is ours", and is written as it was. */
static void test_bridge(void **state)
{
	static const char mark[] = "\"bridge\":true,";
	struct isolate_state s = example(), *back = calloc(1, sizeof(*back));
	struct buf b = {0}, old = {0};
	struct why why = {""};
	char *at;

	(void)state;
	assert_int_equal(isolate_state_write(&s, &b), 0);
	at = strstr((char *)b.data, mark);
	assert_non_null(at);
	memmove(at, at + strlen(mark), strlen(at + strlen(mark)) + 1);
	b.size -= strlen(mark);
	assert_int_equal(isolate_state_parse(b.data, b.size - 1, back, &why), 0);
	assert_int_equal(back->bridge, ISOLATE_TABLE_UNKNOWN);
	assert_int_equal(isolate_state_write(back, &old), 0);
	assert_string_equal((char *)old.data, (char *)b.data);
	s.bridge = ISOLATE_TABLE_NONE;
	buf_clear(&b);
	assert_int_equal(isolate_state_write(&s, &b), 0);
	assert_non_null(strstr((char *)b.data, "\"bridge\":false,"));
	assert_int_equal(isolate_state_parse(b.data, b.size - 1, back, &why), 0);
	assert_int_equal(back->bridge, ISOLATE_TABLE_NONE);
	free(back);
	buf_done(&b);
	buf_done(&old);
}

/* Each byte of it other, and each length: refused, or another state; never "there is none". */
static void test_broken(void **state)
{
	char dir[SCRATCH_SIZE], path[128];
	struct isolate_state s = example(), *back = calloc(1, sizeof(*back));
	struct why why;
	struct buf b = {0};

	(void)state;
	scratch_open(dir, "isolation");
	snprintf(path, sizeof(path), "%s/" ISOLATE_STATE_FILE, dir);
	assert_int_equal(isolate_state_load(fsio_system(), dir, back, &why), -ENOENT);
	assert_int_equal(isolate_state_keep(fsio_system(), dir, &s), 0);
	assert_int_equal(isolate_state_load(fsio_system(), dir, back, &why), 0);
	assert_memory_equal(back, &s, sizeof(s));
	assert_int_equal(isolate_state_write(&s, &b), 0);
	for (size_t i = 0; i < b.size; i++) {
		assert_int_equal(fsio_replace_file(fsio_system(), path, b.data, i, 0600), 0);
		assert_int_equal(isolate_state_load(fsio_system(), dir, back, &why), -EBADMSG);
	}
	for (size_t i = 0; i < b.size; i++) {
		b.data[i] ^= 1;
		assert_int_equal(fsio_replace_file(fsio_system(), path, b.data, b.size, 0600), 0);
		assert_int_not_equal(isolate_state_load(fsio_system(), dir, back, &why), -ENOENT);
		b.data[i] ^= 1;
	}
	assert_int_equal(isolate_state_remove(fsio_system(), dir), 0);
	assert_int_equal(isolate_state_remove(fsio_system(), dir), 0);
	assert_int_equal(isolate_state_load(fsio_system(), dir, back, &why), -ENOENT);
	/* A link to nothing is not nothing. */
	scratch_run(dir, "ln -s nowhere " ISOLATE_STATE_FILE);
	assert_int_equal(isolate_state_load(fsio_system(), dir, back, &why), -EBADMSG);
	scratch_done(dir);
	free(back);
	buf_done(&b);
}

static void test_not_a_state(void **state)
{
	static const char *const bad[] = {
		"{}",
		"{\"v\":2,\"number\":1,\"since\":\"2023-11-14T22:13:20.000000000Z\",\"ways\":[],"
		"\"by\":\"\",\"order\":0,\"case\":\"\",\"reason\":\"\",\"verifier\":[],"
		"\"frozen\":[]}",
		"{\"v\":1,\"number\":1,\"since\":\"2023-11-14T22:13:20.000000000Z\",\"ways\":["
		"\"moon\"],\"by\":\"\",\"order\":0,\"case\":\"\",\"reason\":\"\",\"verifier\":[],"
		"\"frozen\":[]}",
		"{\"v\":1,\"number\":1,\"since\":\"2023-11-14T22:13:20.000000000Z\",\"ways\":["
		"7],\"by\":\"\",\"order\":0,\"case\":\"\",\"reason\":\"\",\"verifier\":[],"
		"\"frozen\":[]}",
		"{\"v\":1,\"number\":1,\"since\":\"yesterday\",\"ways\":[],\"by\":\"\",\"order\":"
		"0,\"case\":\"\",\"reason\":\"\",\"verifier\":[],\"frozen\":[]}",
	};
	struct isolate_state *s = calloc(1, sizeof(*s));
	struct why why;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(isolate_state_parse(bad[i], strlen(bad[i]), s, &why), -EBADMSG);
	free(s);
}

static void test_number(void **state)
{
	uint64_t a = 0, b = 0;

	(void)state;
	assert_int_equal(isolate_state_number(&a), 0);
	assert_int_equal(isolate_state_number(&b), 0);
	assert_true(a > 0 && a < 1ull << 62 && a != b);
}

/* A full disk: the old file stands, whole. */
static void test_disk(void **state)
{
	char dir[SCRATCH_SIZE];
	struct isolate_state s = example(), *back = calloc(1, sizeof(*back));
	struct fault_fsio f;
	struct why why;

	(void)state;
	scratch_open(dir, "isolation");
	assert_int_equal(isolate_state_keep(fsio_system(), dir, &s), 0);
	s.order = 8;
	for (long left = 0; left < 4; left++) {
		fault_fsio_init(&f, left, true, -ENOSPC);
		assert_true(isolate_state_keep(&f.io, dir, &s) < 0);
		assert_int_equal(isolate_state_load(fsio_system(), dir, back, &why), 0);
		assert_int_equal(back->order, 7);
	}
	scratch_done(dir);
	free(back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),  cmocka_unit_test(test_broken),
		cmocka_unit_test(test_number), cmocka_unit_test(test_not_a_state),
		cmocka_unit_test(test_disk),   cmocka_unit_test(test_bridge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
