/* SPDX-License-Identifier: Apache-2.0 */
/* Which anchors a verifier still needs: those after its quote base; all when the base is not among them; none that is torn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "anchor_cut.h"
#include "ledger_dir.h"

struct world {
	char dir[64];
	struct buf file;
	size_t ends[16]; /* of each record */
	uint32_t n;
};

static struct digest value(uint8_t v)
{
	struct digest d = {{v}};

	return d;
}

static void add(struct world *w, const struct ledger_anchor *a)
{
	assert_int_equal(ledger_dir_anchor_write(a, &w->file), 0);
	w->ends[w->n++] = w->file.size;
}

static void add_epoch(struct world *w, uint32_t reset, uint8_t found)
{
	const struct ledger_anchor a = {.kind = LEDGER_ANCHOR_EPOCH,
					.epoch = {.reset_count = reset,
						  .restart_count = 7,
						  .pcr_index = 15,
						  .base = LEDGER_BASE_ZERO,
						  .found = value(found)}};

	add(w, &a);
}

static void add_extend(struct world *w, uint8_t pcr)
{
	const struct ledger_anchor e = {.kind = LEDGER_ANCHOR_EXTEND,
					.extend = {.size = pcr, .root = value(9)}};
	const struct ledger_anchor d = {.kind = LEDGER_ANCHOR_DONE, .done = {value(pcr)}};

	add(w, &e);
	add(w, &d);
}

static int make(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	const struct ledger_anchor foreign = {.kind = LEDGER_ANCHOR_FOREIGN,
					      .foreign = {value(2), value(5)}};

	strcpy(w->dir, "/tmp/plumb-test-cut-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	buf_puts(&w->file, LEDGER_ANCHORS_MAGIC);
	add_epoch(w, 1, 0); /* 0 */
	add_extend(w, 1); /* 1, 2 */
	add_extend(w, 2); /* 3, 4 */
	add(w, &foreign); /* 5 */
	add_epoch(w, 2, 0); /* 6 */
	add_extend(w, 1); /* 7, 8 */
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", w->dir);
	assert_int_equal(system(command), 0);
	buf_done(&w->file);
	free(w);
	return 0;
}

static int cut(const struct world *w, size_t size, const struct evidence_nonce *base,
	       struct buf *ret)
{
	struct anchor_cut memory = {.at = 0};
	char path[96];

	snprintf(path, sizeof(path), "%s/anchors", w->dir);
	assert_int_equal(fsio_replace_file(fsio_system(), path, w->file.data, size, 0600), 0);
	buf_clear(ret);
	return anchor_cut_read(fsio_system(), w->dir, base, &memory, ret);
}

/* after: number of the record that the cut comes after; -1: all. */
static void expect(const struct world *w, bool has_base, uint32_t reset, uint8_t pcr, int after)
{
	const struct evidence_nonce base = {.has_base = has_base,
					    .base_pcr = value(pcr),
					    .base_reset = reset,
					    .base_restart = 7};
	size_t from = after < 0 ? strlen(LEDGER_ANCHORS_MAGIC) : w->ends[after];
	static struct anchor_cut memory; /* of all cuts before: it changes nothing */
	struct buf b = {0};

	assert_int_equal(cut(w, w->file.size, &base, &b), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(b.size, w->file.size - from);
		if (b.size)
			assert_memory_equal(b.data, w->file.data + from, b.size);
		buf_clear(&b);
		assert_int_equal(anchor_cut_read(fsio_system(), w->dir, &base, &memory, &b), 0);
	}
	buf_done(&b);
}

static void test_cut(void **state)
{
	const struct world *w = *state;

	expect(w, false, 0, 0, -1);
	expect(w, true, 1, 0, 0);
	expect(w, true, 1, 1, 2);
	expect(w, true, 1, 2, 4);
	expect(w, true, 1, 5, 5);
	/* The same value under other counts is another one; and the last that fits is meant. */
	expect(w, true, 2, 0, 6);
	expect(w, true, 2, 1, 8);
	expect(w, true, 2, 2, -1);
	expect(w, true, 3, 1, -1);
}

/* Killed between an extend's record and the extend: the start tells the register as it was, and the done comes after that. */
static void test_pending(void **state)
{
	const struct ledger_anchor extend = {.kind = LEDGER_ANCHOR_EXTEND,
					     .extend = {.size = 9, .root = value(9)}};
	const struct ledger_anchor done = {.kind = LEDGER_ANCHOR_DONE, .done = {value(6)}};
	struct world *w = *state;

	add(w, &extend); /* 9 */
	expect(w, true, 2, 1, 8);
	add_epoch(w, 2, 1); /* 10 */
	expect(w, true, 2, 1, 8);
	add_epoch(w, 2, 1); /* 11: killed once more */
	add(w, &done); /* 12 */
	expect(w, true, 2, 1, 8);
	expect(w, true, 2, 6, 12);
	/* Nothing is pending any more. */
	add_epoch(w, 2, 6); /* 13 */
	expect(w, true, 2, 6, 13);
}

static void test_broken(void **state)
{
	const struct world *w = *state;
	const struct evidence_nonce base = {.has_base = false};
	struct buf b = {0};

	for (size_t n = 0; n < w->file.size; n++) {
		bool whole = n == strlen(LEDGER_ANCHORS_MAGIC);

		for (uint32_t i = 0; i < w->n; i++)
			whole |= n == w->ends[i];
		assert_int_equal(cut(w, n, &base, &b) == 0, whole);
	}
	for (size_t n = strlen(LEDGER_ANCHORS_MAGIC); n < w->file.size; n += 3) {
		w->file.data[n] ^= 1;
		assert_true(cut(w, w->file.size, &base, &b) < 0);
		w->file.data[n] ^= 1;
	}
	assert_int_equal(anchor_cut_read(fsio_system(), "/nonexistent", &base,
					 &(struct anchor_cut){.at = 0}, &b),
			 -ENOENT);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_cut, make, end),
		cmocka_unit_test_setup_teardown(test_pending, make, end),
		cmocka_unit_test_setup_teardown(test_broken, make, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
