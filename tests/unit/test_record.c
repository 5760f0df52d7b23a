/* SPDX-License-Identifier: Apache-2.0 */
/* The border: record.json is read and written again as the same bytes; each broken twin is refused by the name of what is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "fsio.h"
#include "record.h"

static void read_example(struct buf *ret)
{
	assert_int_equal(fsio_read_file(fsio_system(), "tests/data/record/record.json", 65536, ret),
			 0);
}

static void test_example(void **state)
{
	struct buf text = {0}, again = {0};
	struct why why = {""};
	struct record r;

	(void)state;
	read_example(&text);
	assert_int_equal(record_parse(text.data, text.size, &r, &why), 0);
	assert_int_equal(r.incarnation, 1);
	assert_int_equal(r.pcr_index, 15);
	assert_string_equal(r.label, "worker-7");
	assert_int_equal(r.ek_cert.size, 0);
	assert_memory_equal(r.ak_public.data, "ak public", 9);
	assert_int_equal(r.n_baseline_keys, 1);
	assert_int_equal(r.predecessor_size, 9);
	assert_int_equal(r.enrolled_ns % 1000000000, 123456789);
	assert_int_equal(record_write(&r, &again), 0);
	assert_int_equal(again.size, text.size);
	assert_memory_equal(again.data, text.data, text.size);
	record_done(&r);
	assert_null(r.ak_public.data);
	buf_done(&text);
	buf_done(&again);
}

/* Of its own time: keys of the witness before the one that it has. */
static void test_witnesses(void **state)
{
	struct buf text = {0}, again = {0};
	struct why why = {""};
	struct record r;
	uint8_t key[3] = {1, 2, 0};

	(void)state;
	assert_int_equal(fsio_read_file(fsio_system(), "tests/data/record/record-witness.json",
					65536, &text),
			 0);
	assert_int_equal(record_parse(text.data, text.size, &r, &why), 0);
	assert_int_equal(r.n_old_witnesses, 2);
	assert_int_equal(r.old_witnesses[0].size, 4);
	assert_int_equal(r.old_witnesses[1].size, 4711);
	assert_int_equal(r.old_witnesses[1].key.size, 44);
	assert_int_equal(record_write(&r, &again), 0);
	assert_int_equal(again.size, text.size);
	assert_memory_equal(again.data, text.data, text.size);
	/* The one that it has is no change; each other one is, until there are too many. */
	assert_int_equal(record_change_witness(&r, r.witness_key.data, r.witness_key.size, 5000),
			 0);
	assert_int_equal(r.n_old_witnesses, 2);
	for (uint32_t i = 2; i < RECORD_MAX_WITNESSES; i++) {
		key[2] = (uint8_t)i;
		assert_int_equal(record_change_witness(&r, key, sizeof(key), 5000 + i), 1);
		assert_int_equal(r.n_old_witnesses, i + 1);
		assert_int_equal(r.old_witnesses[i].size, 5000 + i);
		assert_memory_equal(r.witness_key.data, key, sizeof(key));
	}
	assert_int_equal(r.old_witnesses[2].key.size, 44);
	key[2] = 99;
	assert_int_equal(record_change_witness(&r, key, sizeof(key), 6000), -E2BIG);
	assert_int_not_equal(r.witness_key.data[2], 99);
	buf_clear(&again);
	assert_int_equal(record_write(&r, &again), 0);
	record_done(&r);
	assert_int_equal(record_parse(again.data, again.size, &r, &why), 0);
	assert_int_equal(r.n_old_witnesses, RECORD_MAX_WITNESSES);
	record_done(&r);
	buf_done(&text);
	buf_done(&again);
}

/* What each enrolment draws stands in the origin; records of before have the number alone. */
static void test_origin(void **state)
{
	static const char node[] =
		"5e930b1b2b6c65de47679df72b3a7316a54a84f4b0d1e2159f483657fba3be43";
	char origin[CHECKPOINT_MAX_ORIGIN], want[CHECKPOINT_MAX_ORIGIN];
	struct buf text = {0}, again = {0};
	struct why why = {""};
	struct record r;
	char *at;

	(void)state;
	read_example(&text);
	snprintf(want, sizeof(want), "plumb.example/node/%s/1", node);
	assert_int_equal(record_origin(text.data, text.size, origin), 0);
	assert_string_equal(origin, want);
	buf_done(&text);
	assert_int_equal(
		fsio_read_file(fsio_system(), "tests/data/record/record-drawn.json", 65536, &text),
		0);
	snprintf(want, sizeof(want), "plumb.example/node/%s/1.0f1e2d3c4b5a6978", node);
	assert_int_equal(record_origin(text.data, text.size, origin), 0);
	assert_string_equal(origin, want);
	assert_int_equal(record_parse(text.data, text.size, &r, &why), 0);
	assert_string_equal(r.origin, want);
	assert_int_equal(record_write(&r, &again), 0);
	assert_int_equal(again.size, text.size);
	assert_memory_equal(again.data, text.data, text.size);
	/* Cut short, empty, escaped, and none at all. */
	at = strstr((char *)text.data, "\"origin\":\"");
	assert_int_equal(record_origin(text.data, (size_t)(at + 20 - (char *)text.data), origin),
			 -EBADMSG);
	at[12] = '\\';
	assert_int_equal(record_origin(text.data, text.size, origin), -EBADMSG);
	at[10] = '"';
	assert_int_equal(record_origin(text.data, text.size, origin), -EBADMSG);
	assert_int_equal(record_origin("{}", 2, origin), -EBADMSG);
	record_done(&r);
	buf_done(&text);
	buf_done(&again);
}

static void test_first_incarnation(void **state)
{
	struct buf text = {0}, again = {0};
	struct record r, back;

	(void)state;
	read_example(&text);
	assert_int_equal(record_parse(text.data, text.size, &r, NULL), 0);
	r.predecessor_origin[0] = 0;
	assert_int_equal(record_write(&r, &again), 0);
	assert_non_null(strstr((char *)again.data, "\"predecessor\":null"));
	assert_int_equal(record_parse(again.data, again.size, &back, NULL), 0);
	assert_string_equal(back.predecessor_origin, "");
	assert_int_equal(back.predecessor_size, 0);
	record_done(&r);
	record_done(&back);
	buf_done(&text);
	buf_done(&again);
}

static void test_broken(void **state)
{
	static const struct {
		const char *from, *to, *why;
	} twins[] = {
		{"\"v\":1", "\"v\":2", "\"v\""},
		{"\"v\":1,", "", "\"v\""},
		{"\"node\":\"5e", "\"node\":\"5E", "\"node\""},
		{"\"node\":\"5e", "\"node\":\"", "\"node\""},
		{"\"incarnation\":1", "\"incarnation\":-1", "\"incarnation\""},
		{"\"incarnation\":1", "\"incarnation\":1.0", "integer"},
		{"\"origin\":\"plumb", "\"origin\":\"pl umb", "\"origin\""},
		{"\"origin\":\"plumb", "\"origin\":\"pl\\numb", "\"origin\""},
		{"\"pcr_index\":15", "\"pcr_index\":24", "\"pcr_index\""},
		{"\"ek_public\":\"ZW", "\"ek_public\":\"ZW.", "\"ek_public\""},
		{"\"ak_public\":\"YWsgcHVibGlj\"", "\"ak_public\":\"\"", "\"ak_public\""},
		{"\"order_key\":", "\"order_kez\":", "\"order_key\""},
		{"\"baseline_keys\":[", "\"baseline_keys\":[5,", "\"baseline_keys\"[0]"},
		{"\"baseline_keys\":[", "\"baseline_keys\":[\"\",", "\"baseline_keys\"[0]"},
		{"\"baseline_keys\":[",
		 "\"baseline_keys\":[\"QQ==\",\"QQ==\",\"QQ==\",\"QQ==\",\"QQ==\",\"QQ==\",\"QQ=="
		 "\",\"QQ==\",",
		 "\"baseline_keys\""},
		{"\"predecessor\":{", "\"predecessor\":{\"origin\":\"x\",", "uplicate"},
		{"\"size\":9", "\"size\":\"9\"", "\"size\""},
		{"\"enrolled\":\"2026-11-23T", "\"enrolled\":\"2026-11-31T", "\"enrolled\""},
		{"\"label\":\"worker-7", "\"label\":\"\\u0000", ""},
	};
	struct buf text = {0};

	(void)state;
	read_example(&text);
	for (size_t i = 0; i < sizeof(twins) / sizeof(twins[0]); i++) {
		const char *at = strstr((char *)text.data, twins[i].from);
		struct buf twin = {0};
		struct why why = {""};
		struct record r;

		assert_non_null(at);
		buf_put(&twin, text.data, (size_t)(at - (char *)text.data));
		buf_puts(&twin, twins[i].to);
		buf_puts(&twin, at + strlen(twins[i].from));
		assert_int_equal(record_parse(twin.data, twin.size, &r, &why), -EBADMSG);
		if (!strstr(why.text, twins[i].why))
			fail_msg("%s: %s", twins[i].to, why.text);
		buf_done(&twin);
	}
	for (size_t n = 0; n < text.size - 1; n++) {
		struct record r;

		assert_true(record_parse(text.data, n, &r, NULL) < 0);
	}
	buf_done(&text);
}

/* Known values come from another implementation. */
static void test_transcript(void **state)
{
	const struct buf_view ek = {(const uint8_t *)"ek public", 9},
			      ak = {(const uint8_t *)"ak public", 9},
			      event = {(const uint8_t *)"event public", 12};
	char session[65] = "", hex[DIGEST_HEX_SIZE];
	struct digest client, d;

	(void)state;
	for (int i = 0; i < 32; i++)
		memcpy(session + 2 * i, "ab", 3);
	assert_int_equal(digest_sha256("client", 6, &client), 0);
	assert_int_equal(record_transcript(session, &ek, &ak, &event, &client, "worker-7", &d), 0);
	digest_hex(&d, hex);
	assert_string_equal(hex,
			    "fab851df961244f88e73d725ce5949e1b86312673c6ed53a141b316535412984");
	assert_int_equal(record_certify_data(&ak, &event, &d), 0);
	digest_hex(&d, hex);
	assert_string_equal(hex,
			    "9f904d05367220deb99fd6d02d2b3f996ff677a81349e7bcc9ea471c674caffd");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example), cmocka_unit_test(test_witnesses),
		cmocka_unit_test(test_origin),	cmocka_unit_test(test_first_incarnation),
		cmocka_unit_test(test_broken),	cmocka_unit_test(test_transcript),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
