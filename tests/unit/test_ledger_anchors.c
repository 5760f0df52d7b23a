/* SPDX-License-Identifier: Apache-2.0 */
/* Anchors larger than a window, read whole, torn at every byte of the end, and broken in the middle; and what a verifier still needs of them. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "anchor_cut.h"
#include "cleanup.h"
#include "ledger_anchors.h"

#define N 3000 /* extends: some 276 KiB */

static char dir[64], path[96];
static struct buf whole;

static void put(const struct ledger_anchor *a)
{
	assert_int_equal(ledger_dir_anchor_write(a, &whole), 0);
}

static struct digest value(uint32_t i)
{
	struct digest d = {{0}};

	memcpy(d.bytes, &i, sizeof(i));
	d.bytes[31] = 1;
	return d;
}

static int setup(void **state)
{
	struct ledger_anchor a = {.kind = LEDGER_ANCHOR_EPOCH,
				  .epoch = {.base = LEDGER_BASE_ZERO, .reset_count = 7}};

	(void)state;
	strcpy(dir, "/tmp/plumb-test-anchors-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/anchors", dir);
	buf_puts(&whole, LEDGER_ANCHORS_MAGIC);
	put(&a);
	for (uint32_t i = 0; i < N; i++) {
		a = (struct ledger_anchor){.kind = LEDGER_ANCHOR_EXTEND, .extend.size = i};
		put(&a);
		a = (struct ledger_anchor){.kind = LEDGER_ANCHOR_DONE, .done.pcr = value(i)};
		put(&a);
	}
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	buf_done(&whole);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static void write_file(const void *data, size_t size)
{
	assert_int_equal(fsio_replace_file(fsio_system(), path, data, size, 0600), 0);
}

static int count(void *ctx, const struct ledger_anchor *a, uint64_t end)
{
	(void)a;
	(void)end;
	++*(uint32_t *)ctx;
	return 0;
}

static int walk(uint64_t at, uint32_t *ret_n, struct ledger_anchors_end *ret)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct why why = {""};

	*ret_n = 0;
	return ledger_anchors_walk(fsio_system(), fd, at, count, ret_n, ret, &why);
}

static void test_walk(void **state)
{
	struct ledger_anchors_end end;
	uint32_t n;

	(void)state;
	write_file(whole.data, whole.size);
	assert_int_equal(walk(LEDGER_ANCHORS_START, &n, &end), 0);
	assert_int_equal(n, 1 + 2 * N);
	assert_int_equal(end.at, whole.size);
	assert_int_equal(end.size, whole.size);
	/* The last `done` has 42 bytes, the `extend` before it 50. */
	for (size_t cut = 1; cut < 42; cut++) {
		write_file(whole.data, whole.size - cut);
		assert_int_equal(walk(LEDGER_ANCHORS_START, &n, &end), 0);
		assert_int_equal(n, 2 * N);
		assert_int_equal(end.at, whole.size - 42);
		assert_int_equal(end.size, whole.size - cut);
	}
	assert_int_equal(walk(whole.size - 42 - 50, &n, &end), 0);
	assert_int_equal(n, 1);
}

static void test_zeros(void **state)
{
	static const size_t more[] = {1, 100, 5000, 65536, 200000};
	struct ledger_anchors_end end;
	uint8_t *data = calloc(1, whole.size + 200001);
	uint32_t n;

	(void)state;
	assert_non_null(data);
	memcpy(data, whole.data, whole.size);
	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		write_file(data, whole.size + more[i]);
		assert_int_equal(walk(LEDGER_ANCHORS_START, &n, &end), 0);
		assert_int_equal(n, 1 + 2 * N);
		assert_int_equal(end.at, whole.size);
		assert_int_equal(end.size, whole.size + more[i]);
	}
	data[whole.size + 200000] = 1;
	write_file(data, whole.size + 200001);
	assert_int_equal(walk(LEDGER_ANCHORS_START, &n, &end), -EBADMSG);
	free(data);
}

/* One bit in any of the bytes about the seams of the windows. */
static void test_broken(void **state)
{
	struct ledger_anchors_end end;
	uint32_t n;

	(void)state;
	for (size_t at = 65536 - 120; at < 65536 + 120; at++) {
		whole.data[at] ^= 4;
		write_file(whole.data, whole.size);
		assert_int_equal(walk(LEDGER_ANCHORS_START, &n, &end), -EBADMSG);
		assert_true(end.at <= at && end.at + 50 > at);
		whole.data[at] ^= 4;
	}
}

static size_t cut(struct anchor_cut *memory, uint32_t reset, uint32_t i)
{
	CLEANUP(buf_done) struct buf b = {0};
	const struct evidence_nonce base = {
		.has_base = reset != 0, .base_reset = reset, .base_pcr = value(i)};

	assert_int_equal(anchor_cut_read(fsio_system(), dir, &base, memory, &b), 0);
	assert_memory_equal(b.data, whole.data + whole.size - b.size, b.size);
	return b.size;
}

static void test_cut(void **state)
{
	struct anchor_cut memory = {.at = 0};
	size_t all = whole.size - LEDGER_ANCHORS_START;
	struct ledger_anchor a = {.kind = LEDGER_ANCHOR_FOREIGN, .foreign.found = value(77777)};

	(void)state;
	write_file(whole.data, whole.size);
	assert_int_equal(cut(&memory, 0, 0), all);
	assert_int_equal(cut(&memory, 8, 5), all);
	assert_int_equal(memory.at, 0);
	assert_int_equal(cut(&memory, 7, 5), (N - 6) * 92);
	assert_int_equal(memory.at, whole.size - (N - 6) * 92);
	assert_int_equal(cut(&memory, 7, 5), (N - 6) * 92);
	assert_int_equal(cut(&memory, 7, 2000), (N - 2001) * 92);
	/* The verifier went back: what is remembered is no use. */
	assert_int_equal(cut(&memory, 7, 5), (N - 6) * 92);
	assert_int_equal(cut(&memory, 7, N - 1), 0);
	put(&a);
	write_file(whole.data, whole.size);
	assert_int_equal(cut(&memory, 7, N - 1), 4 + 2 + 64 + 4);
	assert_int_equal(cut(&memory, 7, 77777), 0);
	assert_int_equal(cut(&memory, 7, N), whole.size - LEDGER_ANCHORS_START);
}

static void test_cut_torn(void **state)
{
	CLEANUP(buf_done) struct buf b = {0};
	const struct evidence_nonce base = {.has_base = false};
	struct anchor_cut memory = {.at = 0};

	(void)state;
	write_file(whole.data, whole.size - 3);
	assert_int_equal(anchor_cut_read(fsio_system(), dir, &base, &memory, &b), -EBADMSG);
	write_file(whole.data, 5);
	assert_int_equal(anchor_cut_read(fsio_system(), dir, &base, &memory, &b), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_walk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_zeros, setup, teardown),
		cmocka_unit_test_setup_teardown(test_broken, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut_torn, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
