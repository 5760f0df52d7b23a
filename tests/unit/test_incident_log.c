/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a log that was signed: each with its path to the root; any other line, path, order, key or signature is found. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "incident_log.h"
#include "ledger_write.h"
#include "scratch.h"

#define N 9

static char dir[SCRATCH_SIZE];
static struct sign_key *key, *other, *p256;
static struct ledger *ledger;
static struct checkpoint head;
static struct buf note, lines, proofs;

static void put_proof(uint64_t seq)
{
	struct digest proof[MERKLE_MAX_LEVELS];
	uint32_t n = 0;

	assert_int_equal(ledger_prove_inclusion(ledger, seq, N, proof, &n), 0);
	buf_printf(&proofs, "{\"line\":%d,\"hashes\":[", (int)seq);
	for (uint32_t i = 0; i < n; i++) {
		buf_puts(&proofs, i ? ",\"" : "\"");
		digest_base64(&proofs, proof[i].bytes, DIGEST_SIZE);
		buf_puts(&proofs, "\"");
	}
	buf_puts(&proofs, "]}\n");
}

static void put_line(uint64_t seq)
{
	buf_printf(&lines, "{\"seq\":%d,\"type\":\"action\"}\n", (int)seq);
}

static int setup(void **state)
{
	struct ledger_recovery found;
	struct ledger_options o = {
		.io = fsio_system(), .dir = dir, .origin = "test.example/verifier", .create = true};
	char text[CHECKPOINT_MAX_TEXT];
	struct why why = {""};
	size_t size;

	(void)state;
	scratch_open(dir, "log");
	assert_int_equal(sign_key_generate(SIGN_ED25519, &key) |
				 sign_key_generate(SIGN_ED25519, &other) |
				 sign_key_generate(SIGN_P256, &p256),
			 0);
	assert_int_equal(ledger_open(&o, &ledger, &found, &why), 0);
	for (int i = 0; i < N; i++) {
		char line[64];
		int n = snprintf(line, sizeof(line), "{\"seq\":%d,\"type\":\"action\"}", i);

		assert_int_equal(ledger_append(ledger, line, (size_t)n), 0);
	}
	assert_int_equal(ledger_head(ledger, &head), 0);
	assert_int_equal(checkpoint_text(&head, text, &size), 0);
	buf_put(&note, text, size);
	buf_puts(&note, "\n");
	assert_int_equal(checkpoint_sign(&head, CHECKPOINT_SIG_ED25519, head.origin, key, 0, &note),
			 0);
	buf_puts(&note, "\n");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ledger_free(ledger);
	sign_key_free(key);
	sign_key_free(other);
	sign_key_free(p256);
	buf_done(&note);
	buf_done(&lines);
	buf_done(&proofs);
	scratch_done(dir);
	return 0;
}

static int check(uint64_t *ret_n, struct why *why)
{
	const struct buf_view l = {lines.data, lines.size}, p = {proofs.data, proofs.size};

	why->text[0] = 0;
	return incident_log_check(&head, &l, &p, ret_n, why);
}

static void fill(const int *seqs, size_t n)
{
	buf_clear(&lines);
	buf_clear(&proofs);
	for (size_t i = 0; i < n; i++) {
		put_line((uint64_t)seqs[i]);
		put_proof((uint64_t)seqs[i]);
	}
}

static void test_note(void **state)
{
	const struct sign_key *keys[] = {p256, other, key}, *wrong[] = {p256, other};
	struct checkpoint c;
	struct why why = {""};
	uint8_t *bad = malloc(note.size);

	(void)state;
	assert_int_equal(incident_log_note((char *)note.data, note.size, keys, 3, &c, &why), 0);
	assert_int_equal(c.size, N);
	assert_memory_equal(&c.root, &head.root, DIGEST_SIZE);
	assert_int_equal(incident_log_note((char *)note.data, note.size, wrong, 2, &c, &why),
			 -EKEYREJECTED);
	for (size_t at = 0; at < note.size; at++)
		assert_true(incident_log_note((char *)note.data, at, keys, 3, &c, &why) < 0);
	assert_non_null(bad);
	for (size_t at = 0; at < note.size; at++) {
		memcpy(bad, note.data, note.size);
		bad[at] ^= 1;
		assert_true(incident_log_note((char *)bad, note.size, keys, 3, &c, &why) < 0);
	}
	free(bad);
}

static void test_lines(void **state)
{
	static const int all[] = {0, 1, 2, 3, 4, 5, 6, 7, 8}, some[] = {1, 4, 8};
	struct why why = {""};
	uint64_t n = 0;

	(void)state;
	fill(all, N);
	assert_int_equal(check(&n, &why), 0);
	assert_int_equal(n, N);
	fill(some, 3);
	assert_int_equal(check(&n, &why), 0);
	assert_int_equal(n, 3);
	for (size_t at = 0; at < lines.size; at++) {
		lines.data[at] ^= 1;
		assert_true(check(&n, &why) < 0);
		assert_true(why.text[0]);
		lines.data[at] ^= 1;
	}
	for (size_t at = 0; at < proofs.size; at++) {
		proofs.data[at] ^= 4;
		assert_true(check(&n, &why) < 0);
		proofs.data[at] ^= 4;
	}
	fill(NULL, 0);
	assert_int_equal(check(&n, &why), 0);
	assert_int_equal(n, 0);
}

static void test_order_and_number(void **state)
{
	static const int twice[] = {2, 2}, back[] = {4, 1}, one[] = {3};
	struct why why = {""};
	uint64_t n = 0;

	(void)state;
	fill(twice, 2);
	assert_int_equal(check(&n, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "order"));
	fill(back, 2);
	assert_int_equal(check(&n, &why), -EBADMSG);
	fill(one, 1);
	put_proof(4);
	assert_int_equal(check(&n, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "more proofs"));
	fill(one, 1);
	put_line(4);
	assert_int_equal(check(&n, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "missing"));
	/* Another line with the path of this one. */
	fill(one, 1);
	buf_clear(&lines);
	put_line(4);
	assert_int_equal(check(&n, &why), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_note),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_order_and_number),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
