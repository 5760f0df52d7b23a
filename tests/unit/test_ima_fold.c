/* SPDX-License-Identifier: Apache-2.0 */
/* test_ima_fold.c: PCR 10 from the lists of real machines, against values that others worked out; and what of an entry no PCR covers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fsio.h"
#include "ima_fold.h"
#include "ima_maker.h"

static void load(const char *name, struct buf *ret)
{
	char path[128];

	snprintf(path, sizeof(path), "tests/data/ima/%s", name);
	assert_int_equal(fsio_read_file(fsio_system(), path, 1 << 20, ret), 0);
}

/* As far as the list goes: two of them end with a byte too much. */
static uint32_t fold(const struct buf *list, size_t digest_size, struct digest *pcr,
		     uint32_t *ret_violations)
{
	struct buf_reader r = buf_reader_of(list->data, list->size);
	struct imalog_entry e;
	struct ima_folded d;
	struct why why;
	uint32_t n = 0;

	memset(pcr, 0, sizeof(*pcr));
	*ret_violations = 0;
	while (imalog_next(&r, digest_size, &e, &why) > 0) {
		ima_fold_entry(&e, pcr, &d);
		assert_true(d.counted);
		assert_int_equal(d.genuine, !e.violation);
		*ret_violations += e.violation;
		n++;
	}
	return n;
}

/* Values: replay of other people's tools, as recorded with the lists. */
static void real_lists_are_replayed(void **state)
{
	static const struct {
		const char *name;
		size_t digest_size;
		uint32_t n, violations;
		const char *pcr;
	} lists[] = {
		{"ibmtss_sha1.log", 20, 362, 0,
		 "7fac48c81837d6d29046008aef0cdad8c2745cc98c3340cbba9bfdf39b4124b8"},
		{"ibmtss_sha256.log", 32, 362, 0,
		 "7fac48c81837d6d29046008aef0cdad8c2745cc98c3340cbba9bfdf39b4124b8"},
		{"ibmtss_imatest.log", 20, 17, 1,
		 "af02ae09413721fddb71250ae26383de73cc78d5df37fbebadacedeaeacddb18"},
		{"tpm2-tss_sml-ima-ng-sha1.bin", 20, 6, 0,
		 "700a1bb47bc2bc005f2d8e23d80e2a1e301733c1d29023c52d1d7d149719eb64"},
		{"tpm2-tss_sml-ima-sha1.bin", 20, 12, 0,
		 "239ba8e6f20ecfec961d771036c68f02dbeb771678b64c18cba81363e8e7139a"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct buf list = {0};
		char hex[DIGEST_HEX_SIZE];
		struct digest pcr;
		uint32_t violations;

		load(lists[i].name, &list);
		assert_int_equal(fold(&list, lists[i].digest_size, &pcr, &violations), lists[i].n);
		assert_int_equal(violations, lists[i].violations);
		digest_hex(&pcr, hex);
		assert_string_equal(hex, lists[i].pcr);
		buf_done(&list);
	}
}

static bool fold_one(const struct buf *list, struct digest *pcr, struct ima_folded *ret)
{
	struct buf_reader r = buf_reader_of(list->data, list->size);
	struct imalog_entry e;
	struct why why;

	memset(pcr, 0, sizeof(*pcr));
	assert_int_equal(imalog_next(&r, 20, &e, &why), 1);
	ima_fold_entry(&e, pcr, ret);
	return ret->genuine;
}

static void each_byte_counts(void **state)
{
	struct ima_maker *m = malloc(sizeof(*m));
	struct ima_folded d;
	struct digest pcr, other;

	(void)state;
	assert_non_null(m);
	ima_maker_open(m);
	ima_maker_file(m, "/bin/a", 7, NULL);
	assert_true(fold_one(&m->list, &pcr, &d));
	assert_memory_equal(&pcr, &m->pcr[1], sizeof(pcr));
	/* The template digest is no longer that of the data, and the PCR is another. */
	m->list.data[m->list.size - 2] ^= 1;
	assert_false(fold_one(&m->list, &other, &d));
	assert_memory_not_equal(&other, &pcr, sizeof(pcr));
	m->list.data[m->list.size - 2] ^= 1;
	/* The kernel's own digest alone is none that the SHA-256 bank has, so it is told and changes nothing. */
	m->list.data[5] ^= 1;
	assert_false(fold_one(&m->list, &other, &d));
	assert_memory_equal(&other, &pcr, sizeof(pcr));
	m->list.data[5] ^= 1;
	/* But zeros there make a violation of it. */
	memset(m->list.data + 4, 0, 20);
	assert_false(fold_one(&m->list, &other, &d));
	assert_memory_not_equal(&other, &pcr, sizeof(pcr));
	/* Of another PCR: not counted. */
	m->list.data[0] = 11;
	fold_one(&m->list, &other, &d);
	assert_false(d.counted);
	memset(&pcr, 0, sizeof(pcr));
	assert_memory_equal(&other, &pcr, sizeof(pcr));
	ima_maker_done(m);
	free(m);
}

static void the_aggregate(void **state)
{
	struct quote_pcrs pcrs = {.mask = 0x3ff};
	struct digest a, b;

	(void)state;
	for (int i = 0; i < 24; i++)
		memset(pcrs.values[i].bytes, i, DIGEST_SIZE);
	assert_int_equal(ima_fold_aggregate(&pcrs, &a), 0);
	pcrs.values[10].bytes[0] ^= 1;
	assert_int_equal(ima_fold_aggregate(&pcrs, &b), 0);
	assert_memory_equal(&a, &b, sizeof(a));
	pcrs.values[9].bytes[31] ^= 1;
	assert_int_equal(ima_fold_aggregate(&pcrs, &b), 0);
	assert_memory_not_equal(&a, &b, sizeof(a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_lists_are_replayed),
		cmocka_unit_test(each_byte_counts),
		cmocka_unit_test(the_aggregate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
