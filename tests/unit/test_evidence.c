/* SPDX-License-Identifier: Apache-2.0 */
/* The border: bodies of the evidence routes are read and written again as the same bytes; broken twins are refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "cert.h"
#include "evidence.h"
#include "fsio.h"

static void read_data(const char *name, struct buf *ret)
{
	char path[64];

	snprintf(path, sizeof(path), "tests/data/evidence/%s", name);
	assert_int_equal(fsio_read_file(fsio_system(), path, 65536, ret), 0);
}

static void assert_same(const struct buf *a, const struct buf *b)
{
	assert_int_equal(a->size, b->size);
	assert_memory_equal(a->data, b->data, a->size);
}

static void test_evidence(void **state)
{
	struct buf text = {0}, again = {0};
	struct why why = {""};
	struct evidence e;

	(void)state;
	read_data("evidence.txt", &text);
	assert_int_equal(evidence_parse(text.data, text.size, &e, &why), 0);
	assert_false(e.provisional);
	assert_int_equal(e.checkpoint.size, 12);
	assert_int_equal(e.from, 10);
	assert_int_equal(e.n_lines, 2);
	assert_int_equal(e.n_notes, 1);
	assert_int_equal(e.pcr_index, 15);
	assert_int_equal(e.pcrs.mask, 1u | 1u << 7 | 1u << 15);
	assert_memory_equal(e.attest.data, "attest", 6);
	assert_memory_equal(e.anchors.data, "anchor records", 14);
	assert_int_equal(e.ima_cursor, 42);
	assert_int_equal(e.baseline_version, 2);
	assert_int_equal(e.last_order, 3);
	assert_string_equal(e.agent_version, "0.1.0");
	assert_int_equal(e.sent_ns % 1000000000, 1);
	/* Borrowed from the body, byte for byte. */
	assert_ptr_equal(e.lines.data, text.data + text.size - e.lines.size);
	assert_memory_equal(e.lines.data, "{\"v\":1,\"seq\":10}\n{\"v\":1,\"seq\":11}\n",
			    e.lines.size);
	assert_int_equal(evidence_write(&e, &again), 0);
	assert_same(&again, &text);
	evidence_done(&e);
	buf_done(&text);
	buf_done(&again);
}

/* Two entries of IMA's list, the 40th and the 41st; evidence without any is written as it always was. */
static void test_ima(void **state)
{
	struct buf text = {0}, again = {0};
	struct why why = {""};
	struct evidence e;

	(void)state;
	read_data("evidence-ima.txt", &text);
	assert_int_equal(evidence_parse(text.data, text.size, &e, &why), 0);
	assert_int_equal(e.ima_from, 40);
	assert_int_equal(e.ima_cursor, 42);
	assert_int_equal(e.ima.data[0], 10);
	assert_true(e.ima.size > 100);
	assert_int_equal(evidence_write(&e, &again), 0);
	assert_same(&again, &text);
	/* The same of an agent that reads the list on after the quote: the quote is bound to one entry less. */
	assert_false(e.has_ima_end);
	assert_int_equal(e.ima_end, 42);
	e.has_ima_end = true;
	e.ima_cursor = 41;
	buf_clear(&again);
	assert_int_equal(evidence_write(&e, &again), 0);
	buf_clear(&text);
	read_data("evidence-ima-end.txt", &text);
	assert_same(&again, &text);
	evidence_done(&e);
	assert_int_equal(evidence_parse(text.data, text.size, &e, &why), 0);
	assert_true(e.has_ima_end);
	assert_int_equal(e.ima_end, 42);
	assert_int_equal(e.ima_cursor, 41);
	while (e.ima.size <= WIRE_MAX_IMA)
		buf_puts(&e.ima,
			 "sixty-four bytes of what the kernel would never put into its list");
	assert_int_equal(buf_status(&e.ima), 0);
	assert_int_equal(evidence_write(&e, &again), -E2BIG);
	evidence_done(&e);
	buf_done(&text);
	buf_done(&again);
}

/* The boot log itself, and the question that asks for it; evidence and answers without are written as they always were. */
static void test_boot_log(void **state)
{
	struct buf text = {0}, again = {0};
	struct why why = {""};
	struct evidence e;
	struct evidence_nonce n;
	struct digest held;

	(void)state;
	read_data("evidence-boot.txt", &text);
	assert_int_equal(evidence_parse(text.data, text.size, &e, &why), 0);
	assert_int_equal(e.boot_log_data.size, 281);
	held = e.boot_log;
	assert_int_equal(evidence_write(&e, &again), 0);
	assert_same(&again, &text);
	while (e.boot_log_data.size <= WIRE_MAX_BOOT_LOG)
		buf_put(&e.boot_log_data, text.data, text.size);
	assert_int_equal(buf_status(&e.boot_log_data), 0);
	assert_int_equal(evidence_write(&e, &again), -E2BIG);
	evidence_done(&e);
	buf_clear(&text);
	buf_clear(&again);
	read_data("nonce-boot.json", &text);
	assert_int_equal(evidence_nonce_parse(text.data, text.size, &n, &why), 0);
	assert_true(n.asks_boot_log);
	assert_true(digest_equal(&n.boot_log, &held));
	assert_int_equal(evidence_nonce_write(&n, &again), 0);
	assert_same(&again, &text);
	buf_done(&text);
	buf_done(&again);
}

/* The log of what systemd measured, likewise. */
static void test_measure_log(void **state)
{
	struct buf text = {0}, again = {0};
	struct why why = {""};
	struct evidence e;
	struct evidence_nonce n;
	struct digest held;

	(void)state;
	read_data("evidence-measured.txt", &text);
	assert_int_equal(evidence_parse(text.data, text.size, &e, &why), 0);
	assert_true(e.measure_log.size > 100 && e.measure_log.data[0] == 0x1e);
	assert_int_equal(digest_sha256(e.measure_log.data, e.measure_log.size, &held), 0);
	assert_int_equal(evidence_write(&e, &again), 0);
	assert_same(&again, &text);
	while (e.measure_log.size <= WIRE_MAX_MEASURE_LOG)
		buf_put(&e.measure_log, text.data, text.size);
	assert_int_equal(evidence_write(&e, &again), -E2BIG);
	evidence_done(&e);
	buf_clear(&text);
	buf_clear(&again);
	read_data("nonce-measured.json", &text);
	assert_int_equal(evidence_nonce_parse(text.data, text.size, &n, &why), 0);
	assert_true(n.asks_measure_log && n.asks_boot_log && !n.has_base_size);
	assert_true(digest_equal(&n.measure_log, &held));
	assert_int_equal(evidence_nonce_write(&n, &again), 0);
	assert_same(&again, &text);
	buf_clear(&text);
	buf_clear(&again);
	read_data("nonce-confirmed.json", &text);
	assert_int_equal(evidence_nonce_parse(text.data, text.size, &n, &why), 0);
	assert_true(n.has_base && n.has_base_size && n.base_size == 8 && n.size == 10);
	assert_int_equal(evidence_nonce_write(&n, &again), 0);
	assert_same(&again, &text);
	buf_done(&text);
	buf_done(&again);
}

static void test_provisional(void **state)
{
	struct buf text = {0}, again = {0};
	struct why why = {""};
	struct evidence e;

	(void)state;
	read_data("provisional.txt", &text);
	assert_int_equal(evidence_parse(text.data, text.size, &e, &why), 0);
	assert_true(e.provisional);
	assert_int_equal(e.n_notes, 0);
	assert_int_equal(e.pcrs.mask, 0);
	assert_int_equal(evidence_write(&e, &again), 0);
	assert_same(&again, &text);
	evidence_done(&e);
	buf_done(&text);
	buf_done(&again);
}

static void test_answer(void **state)
{
	struct buf text = {0}, again = {0};
	struct why why = {""};
	struct evidence_answer a;

	(void)state;
	read_data("answer.json", &text);
	assert_int_equal(evidence_answer_parse(text.data, text.size, &a, &why), 0);
	assert_int_equal(a.result, PLUMB_RESULT_ACCEPTED);
	assert_int_equal(a.size, 12);
	assert_int_equal(a.confirmed_size, 12);
	assert_string_equal(a.state, "trusted");
	assert_int_equal(a.n_orders, 1);
	assert_int_equal(evidence_answer_write(&a, &again), 0);
	assert_same(&again, &text);
	evidence_answer_done(&a);
	assert_null(a.orders[0].data);
	buf_done(&text);
	buf_done(&again);
}

static void test_nonce(void **state)
{
	struct buf text = {0}, again = {0};
	struct why why = {""};
	struct evidence_nonce n;

	(void)state;
	read_data("nonce.json", &text);
	assert_int_equal(evidence_nonce_parse(text.data, text.size, &n, &why), 0);
	assert_true(n.has_base);
	assert_int_equal(n.base_reset, 4);
	assert_int_equal(n.base_restart, 1);
	assert_int_equal(n.life_ms, 10000);
	assert_int_equal(n.size, 10);
	assert_false(n.asks_boot_log);
	assert_int_equal(evidence_nonce_write(&n, &again), 0);
	assert_same(&again, &text);
	n.has_base = false;
	buf_clear(&again);
	assert_int_equal(evidence_nonce_write(&n, &again), 0);
	assert_non_null(strstr((char *)again.data, "\"base\":null"));
	assert_int_equal(evidence_nonce_parse(again.data, again.size, &n, &why), 0);
	assert_false(n.has_base);
	assert_false(n.has_ima);
	buf_clear(&text);
	read_data("nonce-ima.json", &text);
	assert_int_equal(evidence_nonce_parse(text.data, text.size, &n, &why), 0);
	assert_true(n.has_ima);
	assert_string_equal(n.ima_boot, "5eb63bbb-e01e-4ed0-93cb-22bb8f5acdc3");
	assert_int_equal(n.ima_from, 362);
	buf_clear(&again);
	assert_int_equal(evidence_nonce_write(&n, &again), 0);
	assert_same(&again, &text);
	buf_done(&text);
	buf_done(&again);
}

static void test_renewed(void **state)
{
	struct buf text = {0}, again = {0};
	struct why why = {""};
	struct evidence_answer a;
	struct cert_identity id;

	(void)state;
	read_data("answer-renewed.json", &text);
	assert_int_equal(evidence_answer_parse(text.data, text.size, &a, &why), 0);
	assert_int_equal(a.n_orders, 0);
	assert_int_equal(
		cert_identity_pem((char *)a.certificate.data, a.certificate.size, &id, &why), 0);
	assert_int_equal(id.kind, CERT_NODE);
	assert_int_equal(evidence_answer_write(&a, &again), 0);
	assert_same(&again, &text);
	while (a.certificate.size <= EVIDENCE_MAX_CERT)
		buf_puts(&a.certificate, "x");
	assert_int_equal(evidence_answer_write(&a, &again), -EINVAL);
	evidence_answer_done(&a);
	assert_null(a.certificate.data);
	buf_done(&text);
	buf_done(&again);
}

enum body { EVIDENCE, PROVISIONAL, ANSWER, NONCE, RENEWED, BOOT, ASKED };

static int parse(enum body body, const void *data, size_t size, struct why *why)
{
	struct evidence_nonce n;
	struct evidence_answer a;
	struct evidence e;
	int r;

	if (body == NONCE || body == ASKED)
		return evidence_nonce_parse(data, size, &n, why);
	if (body == ANSWER || body == RENEWED) {
		r = evidence_answer_parse(data, size, &a, why);
		if (r >= 0)
			evidence_answer_done(&a);
		return r;
	}
	r = evidence_parse(data, size, &e, why);
	if (r >= 0)
		evidence_done(&e);
	return r;
}

static const char *const files[] = {
	"evidence.txt",	       "provisional.txt",     "answer.json",	 "nonce.json",
	"answer-renewed.json", "evidence-boot.txt",   "nonce-boot.json", "evidence-measured.txt",
	"nonce-measured.json", "nonce-confirmed.json"};

static const struct {
	enum body body;
	const char *from, *to, *why;
} twins[] = {
	{EVIDENCE, "\"v\":1", "\"v\":2", "\"v\""},
	{EVIDENCE, "\"kind\":\"evidence", "\"kind\":\"proof", "\"kind\""},
	{EVIDENCE, "\"kind\":\"evidence", "\"kind\":\"provisional", "\"nonce\""},
	{PROVISIONAL, "\"kind\":\"provisional", "\"kind\":\"evidence", "\"nonce\""},
	{PROVISIONAL, "\"baseline\"", "\"anchors\":\"\",\"baseline\"", "\"anchors\""},
	{PROVISIONAL, "\"baseline\"", "\"ima\":\"\",\"baseline\"", "\"ima\""},
	{EVIDENCE, "\"node\":\"5e", "\"node\":\"5E", "\"node\""},
	{EVIDENCE, "\\u000a12\\u000a", "\\u000a012\\u000a", "checkpoint"},
	{EVIDENCE, "\\u000a12\\u000a", "\\u000a13\\u000a", "checkpoint's size"},
	{EVIDENCE, "\"from\":10", "\"from\":9", "checkpoint's size"},
	{EVIDENCE, "\"n\":2", "\"n\":3", "checkpoint's size"},
	{EVIDENCE, "\"n\":2", "\"n\":50001", "\"n\""},
	{EVIDENCE, "\"notes\":[", "\"notes\":[7,", "\"notes\"[0]"},
	{EVIDENCE, "\"notes\":[", "\"notes\":[\"\",\"\",\"\",\"\",", "\"notes\""},
	{EVIDENCE, "\"nonce\":\"", "\"nonce\":\"AAAA", "\"nonce\""},
	{EVIDENCE, "\"nonce\":\"", "\"nonce\":\"AAAA\",\"x\":\"", "\"nonce\" has 3 bytes"},
	{EVIDENCE, "\"pcr_index\":15", "\"pcr_index\":24", "\"pcr_index\""},
	{EVIDENCE, "\"pcr_index\":15", "\"pcr_index\":14", "lacks PCR 14"},
	{EVIDENCE, "\"7\":\"", "\"07\":\"", "\"07\" is no PCR"},
	{EVIDENCE, "\"7\":\"", "\"24\":\"", "\"24\" is no PCR"},
	{EVIDENCE, "\"7\":\"", "\"\":\"", "is no PCR"},
	{EVIDENCE, "\"7\":\"", "\"7\":\"0", "\"7\""},
	{EVIDENCE, "\"attest\":\"YX", "\"attest\":\"Y", "\"attest\""},
	{EVIDENCE, "\"boot_log\":\"", "\"boot_log\":\"00", "\"boot_log\""},
	{EVIDENCE, "\"ima_cursor\":42,", "", "\"ima_cursor\""},
	{EVIDENCE, "\"ima_cursor\":42,", "\"ima_cursor\":42,\"ima\":\"AAAA\",", "\"ima_from\""},
	{EVIDENCE, "\"ima_cursor\":42,", "\"ima_cursor\":42,\"ima_from\":43,\"ima\":\"AAAA\",",
	 "do not rise"},
	{EVIDENCE, "\"ima_cursor\":42,", "\"ima_cursor\":42,\"ima_end\":43,", "do not rise"},
	{EVIDENCE, "\"ima_cursor\":42,", "\"ima_cursor\":42,\"ima_end\":-1,", "\"ima_end\""},
	{EVIDENCE, "\"pcrs\":{", "\"pcrs\":{\"ima\":\"AAAA\",", "\"ima\""},
	{EVIDENCE, "\"ima_cursor\":42,",
	 "\"ima_cursor\":42,\"ima_from\":41,\"ima\":\"AAAA\",\"ima\":\"AAAA\",", "ima"},
	{EVIDENCE, "\"ima_cursor\":42,",
	 "\"ima_cursor\":42,\"ima_from\":41,\"ima\":\"\\u0041AAA\",\"ima_end\":40,", "do not rise"},
	{EVIDENCE, "\"ima_cursor\":42,", "\"ima_cursor\":42,\"ima_from\":41,\"ima\":\"", ""},
	{PROVISIONAL, "\"baseline\"", "\"ima_end\":0,\"baseline\"", "\"ima_end\""},
	{NONCE, "}}", "},\"ima\":7}", "\"ima\""},
	{NONCE, "}}", "},\"ima\":{\"boot\":\"\"}}", "\"from\""},
	{NONCE, "}}", "},\"ima\":{\"boot\":7,\"from\":0}}", "\"boot\""},
	{EVIDENCE, "\"ima_cursor\":42,", "\"ima_cursor\":42,\"ima_from\":41,\"ima\":\"AAA\",",
	 "\"ima\""},
	{PROVISIONAL, "\"baseline\"", "\"boot_log_data\":\"\",\"baseline\"", "\"boot_log_data\""},
	{BOOT, "\"boot_log_data\":\"A", "\"boot_log_data\":\"B", "is not what \"boot_log\" is of"},
	{BOOT, "\"boot_log_data\":\"A", "\"boot_log_data\":\"", "\"boot_log_data\""},
	{BOOT, "\"boot_log_data\":\"A", "\"boot_log_data\":7,\"x\":\"A", "\"boot_log_data\""},
	{EVIDENCE, "\"leaving\":false", "\"leaving\":0", "\"leaving\""},
	{EVIDENCE, "\"judge\":1", "\"judge\":4294967296", "\"judge\""},
	{EVIDENCE, "\"agent\":\"0.1.0", "\"agent\":\"01234567890123456789012345678901",
	 "\"agent\""},
	{EVIDENCE, "\"sent\":\"2026", "\"sent\":\"1926", "\"sent\""},
	{EVIDENCE, ":11}\n", ":11}", "line 11 is cut short"},
	{EVIDENCE, ":11}\n", ":11}\n\n", "3 lines"},
	{EVIDENCE, "{\"v\":1,\"seq\":11}\n", "", "1 lines"},
	{EVIDENCE, "Z\"}\n", "Z\"}", ""},
	{ANSWER, "\"accepted\"", "\"good\"", "\"result\""},
	{ANSWER, "\"accepted\"", "1", "\"result\""},
	{ANSWER, "\"size\":12", "\"size\":-1", "\"size\""},
	{ANSWER, "\"orders\":[", "\"orders\":[\"x\",", "\"orders\"[0]"},
	{ANSWER, "\"state\":", "\"stat\":", "\"state\""},
	{RENEWED, "\"certificate\":\"", "\"certificate\":[\"", ""},
	{RENEWED, "\"certificate\":\"", "\"certificate\":7,\"x\":\"", "\"certificate\""},
	{RENEWED, "\"certificate\":\"", "\"certificate\":\"\\u0000", ""},
	{NONCE, "\"nonce\":\"", "\"nonce\":\"AAAA", "\"nonce\""},
	{NONCE, "\"reset\":4", "\"reset\":4294967296", "\"reset\""},
	{NONCE, "\"base\":", "\"bass\":", "\"base\""},
	{NONCE, "\"pcr\":\"", "\"pcr\":\"zz", "\"pcr\""},
	{ASKED, "\"boot_log\":\"", "\"boot_log\":\"0", "\"boot_log\""},
};

static void test_broken(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(twins) / sizeof(twins[0]); i++) {
		struct buf text = {0}, twin = {0};
		struct why why = {""};
		const char *at;

		read_data(files[twins[i].body], &text);
		at = strstr((char *)text.data, twins[i].from);
		assert_non_null(at);
		buf_put(&twin, text.data, (size_t)(at - (char *)text.data));
		buf_puts(&twin, twins[i].to);
		buf_puts(&twin, at + strlen(twins[i].from));
		assert_int_equal(parse(twins[i].body, twin.data, twin.size, &why), -EBADMSG);
		if (!strstr(why.text, twins[i].why))
			fail_msg("%s: %s", twins[i].to, why.text);
		buf_done(&text);
		buf_done(&twin);
	}
}

static void test_cut_short(void **state)
{
	(void)state;
	for (int i = EVIDENCE; i <= RENEWED; i++) {
		struct buf text = {0};

		read_data(files[i], &text);
		for (size_t n = 0; n < text.size; n++)
			assert_int_equal(parse((enum body)i, text.data, n, NULL), -EBADMSG);
		assert_int_equal(parse((enum body)i, text.data, text.size, NULL), 0);
		buf_done(&text);
	}
}

/* A line of the greatest size passes, one byte more does not; nor does a body over its bound. */
static void test_bounds(void **state)
{
	struct buf text = {0}, lines = {0}, body = {0};
	struct why why = {""};
	struct evidence e;

	(void)state;
	read_data("provisional.txt", &text);
	assert_int_equal(evidence_parse(text.data, text.size, &e, &why), 0);
	for (size_t i = 0; i < WIRE_MAX_LINE; i++)
		buf_puts(&lines, "x");
	buf_puts(&lines, "\n\n");
	e.lines = (struct buf_view){lines.data, lines.size};
	assert_int_equal(evidence_write(&e, &body), 0);
	assert_int_equal(parse(PROVISIONAL, body.data, body.size, &why), 0);
	lines.data[WIRE_MAX_LINE] = 'x';
	lines.data[WIRE_MAX_LINE + 1] = '\n';
	e.n_lines = 1;
	e.from = 11;
	buf_clear(&body);
	assert_int_equal(evidence_write(&e, &body), 0);
	assert_int_equal(parse(PROVISIONAL, body.data, body.size, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "line 11 has more than 65535 bytes"));
	assert_int_equal(parse(PROVISIONAL, body.data, WIRE_MAX_EVIDENCE_BODY + 1u, &why), -E2BIG);
	e.n_lines = WIRE_MAX_EVIDENCE_LINES + 1;
	assert_int_equal(evidence_write(&e, &body), -E2BIG);
	evidence_done(&e);
	buf_done(&text);
	buf_done(&lines);
	buf_done(&body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_evidence),    cmocka_unit_test(test_ima),
		cmocka_unit_test(test_boot_log),    cmocka_unit_test(test_provisional),
		cmocka_unit_test(test_answer),	    cmocka_unit_test(test_renewed),
		cmocka_unit_test(test_nonce),	    cmocka_unit_test(test_broken),
		cmocka_unit_test(test_measure_log), cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
