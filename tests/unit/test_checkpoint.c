/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints and notes, held against tests/data/checkpoint/note.txt, which another implementation (Python's cryptography) made:
 * log key Ed25519 (RFC 8032, 7.1, test 1), P-256 (RFC 6979, A.2.5), cosignature at 1795462800.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "checkpoint.h"
#include "fsio.h"

#define WITNESS "plumb.example/witness"

struct sample {
	struct buf note;
	struct sign_key *ed, *p256;
	struct checkpoint c;
	const char *lines[3]; /* Ed25519, P-256, cosignature */
	size_t sizes[3];
};

static void read_key(const char *path, struct sign_key **ret)
{
	struct buf pem = {0};

	assert_int_equal(fsio_read_file(fsio_system(), path, 65536, &pem), 0);
	assert_int_equal(sign_key_from_pem((char *)pem.data, pem.size, ret, NULL), 0);
	buf_done(&pem);
}

static int setup(void **state)
{
	static struct sample s;
	const char *body, *at;
	struct why why = {""};

	s = (struct sample){.ed = NULL};
	read_key("tests/data/checkpoint/ed25519.pem", &s.ed);
	read_key("tests/data/checkpoint/p256.pem", &s.p256);
	assert_int_equal(
		fsio_read_file(fsio_system(), "tests/data/checkpoint/note.txt", 65536, &s.note), 0);
	body = strstr((char *)s.note.data, "\n\n");
	assert_non_null(body);
	assert_int_equal(checkpoint_parse((char *)s.note.data,
					  (size_t)(body + 1 - (char *)s.note.data), &s.c, &why),
			 0);
	at = body + 2;
	for (int i = 0; i < 3; i++) {
		s.lines[i] = at;
		s.sizes[i] = strcspn(at, "\n");
		at += s.sizes[i] + 1;
	}
	*state = &s;
	return 0;
}

static int teardown(void **state)
{
	struct sample *s = *state;

	buf_done(&s->note);
	sign_key_free(s->ed);
	sign_key_free(s->p256);
	return 0;
}

static void test_text(void **state)
{
	struct sample *s = *state;
	char text[CHECKPOINT_MAX_TEXT], hex[DIGEST_HEX_SIZE];
	struct digest d, pcr = {{0}};
	size_t size;

	assert_int_equal(s->c.size, 12);
	digest_hex(&s->c.root, hex);
	assert_string_equal(hex,
			    "47c33a42c709a23a61b7fa9a2f7803b2973b11eab7687d07c210c56349d53910");
	assert_int_equal(checkpoint_text(&s->c, text, &size), 0);
	assert_memory_equal(text, s->note.data, size);
	assert_int_equal(text[size], 0);
	assert_int_equal(checkpoint_digest(&s->c, &d), 0);
	digest_hex(&d, hex);
	assert_string_equal(hex,
			    "bfebee6979c2d6c28737e17275869d12264e4b023527d86cfa7a7f3b641fa9e9");
	assert_int_equal(checkpoint_fold(&pcr, &d), 0);
	digest_hex(&pcr, hex);
	assert_string_equal(hex,
			    "f937c8eed031b1b4357397a3592c121dd84bc2b418534130edcd2a98b28eb995");
}

static void test_foreign_lines(void **state)
{
	struct sample *s = *state;
	uint64_t time_s = 0;
	struct why why = {""};

	assert_int_equal(checkpoint_check(&s->c, CHECKPOINT_SIG_ED25519, s->c.origin, s->ed,
					  s->lines[0], s->sizes[0], NULL, &why),
			 0);
	assert_int_equal(checkpoint_check(&s->c, CHECKPOINT_SIG_P256, s->c.origin, s->p256,
					  s->lines[1], s->sizes[1], NULL, &why),
			 0);
	assert_int_equal(checkpoint_check(&s->c, CHECKPOINT_SIG_COSIGN, WITNESS, s->ed, s->lines[2],
					  s->sizes[2], &time_s, &why),
			 0);
	assert_int_equal(time_s, 1795462800);
}

/* Ed25519 is deterministic: our line is the very same as the other implementation's. */
static void test_own_lines(void **state)
{
	struct sample *s = *state;
	struct buf line = {0};

	assert_int_equal(
		checkpoint_sign(&s->c, CHECKPOINT_SIG_ED25519, s->c.origin, s->ed, 0, &line), 0);
	assert_int_equal(line.size, s->sizes[0]);
	assert_memory_equal(line.data, s->lines[0], line.size);
	buf_clear(&line);
	assert_int_equal(
		checkpoint_sign(&s->c, CHECKPOINT_SIG_COSIGN, WITNESS, s->ed, 1795462800, &line),
		0);
	assert_int_equal(line.size, s->sizes[2]);
	assert_memory_equal(line.data, s->lines[2], line.size);
	buf_clear(&line);
	assert_int_equal(
		checkpoint_sign(&s->c, CHECKPOINT_SIG_P256, s->c.origin, s->p256, 0, &line), 0);
	assert_int_equal(checkpoint_check(&s->c, CHECKPOINT_SIG_P256, s->c.origin, s->p256,
					  (char *)line.data, line.size, NULL, NULL),
			 0);
	buf_done(&line);
}

static void test_keys_not_mixed(void **state)
{
	struct sample *s = *state;
	struct sign_key *other = NULL;
	uint8_t id[4];

	assert_int_equal(sign_key_generate(SIGN_P256, &other), 0);
	assert_int_equal(checkpoint_check(&s->c, CHECKPOINT_SIG_P256, s->c.origin, other,
					  s->lines[1], s->sizes[1], NULL, NULL),
			 -ENOENT);
	assert_int_equal(checkpoint_check(&s->c, CHECKPOINT_SIG_COSIGN, "plumb.example/other",
					  s->ed, s->lines[2], s->sizes[2], NULL, NULL),
			 -ENOENT);
	/* A cosignature is no log signature, and the other way round. */
	assert_int_equal(checkpoint_check(&s->c, CHECKPOINT_SIG_ED25519, WITNESS, s->ed,
					  s->lines[2], s->sizes[2], NULL, NULL),
			 -ENOENT);
	assert_int_equal(checkpoint_check(&s->c, CHECKPOINT_SIG_COSIGN, s->c.origin, s->ed,
					  s->lines[0], s->sizes[0], NULL, NULL),
			 -ENOENT);
	assert_int_equal(checkpoint_key_id(CHECKPOINT_SIG_P256, "x", s->ed, id), -EKEYREJECTED);
	assert_int_equal(checkpoint_key_id(CHECKPOINT_SIG_ED25519, "x", s->p256, id),
			 -EKEYREJECTED);
	sign_key_free(other);
}

/* Every byte counts, and so does the end. */
static void test_broken_lines(void **state)
{
	static const enum checkpoint_sig types[] = {CHECKPOINT_SIG_ED25519, CHECKPOINT_SIG_P256,
						    CHECKPOINT_SIG_COSIGN};
	struct sample *s = *state;

	for (int i = 0; i < 3; i++) {
		const struct sign_key *key = i == 1 ? s->p256 : s->ed;
		const char *name = i == 2 ? WITNESS : s->c.origin;
		char line[CHECKPOINT_MAX_NOTE_LINE];
		struct checkpoint c = s->c;

		for (size_t n = 0; n < s->sizes[i]; n++) {
			memcpy(line, s->lines[i], s->sizes[i]);
			assert_true(checkpoint_check(&s->c, types[i], name, key, line, n, NULL,
						     NULL) < 0);
			line[n] ^= 1;
			assert_true(checkpoint_check(&s->c, types[i], name, key, line, s->sizes[i],
						     NULL, NULL) < 0);
		}
		c.size++;
		assert_int_equal(checkpoint_check(&c, types[i], name, key, s->lines[i], s->sizes[i],
						  NULL, NULL),
				 -EBADMSG);
		c = s->c;
		c.root.bytes[31] ^= 1;
		assert_int_equal(checkpoint_check(&c, types[i], name, key, s->lines[i], s->sizes[i],
						  NULL, NULL),
				 -EBADMSG);
	}
}

static void test_broken_texts(void **state)
{
#define ROOT "R8M6QscJojphu/qaL3gDspc7Eeq3aH0HwhDFY0nVORA="
	static const char *const twins[] = {
		"",
		"a\n1\n" ROOT,
		"a\n1\n" ROOT "\n\n",
		"a\n1\n" ROOT "\nmore\n",
		"\n1\n" ROOT "\n",
		"a b\n1\n" ROOT "\n",
		"a+b\n1\n" ROOT "\n",
		"a\r\n1\n" ROOT "\n",
		"a\n\n" ROOT "\n",
		"a\n01\n" ROOT "\n",
		"a\n+1\n" ROOT "\n",
		"a\n-1\n" ROOT "\n",
		"a\n9223372036854775808\n" ROOT "\n",
		"a\n99999999999999999999\n" ROOT "\n",
		"a\n1\nR8M6QscJojphu/qaL3gDspc7Eeq3aH0HwhDFY0nVORB=\n",
		"a\n1\nR8M6QscJojphu/qaL3gDspc7Eeq3aH0HwhDFY0nVOQ==\n",
		"a\n1\n\n",
	};
	struct checkpoint c;
	struct why why;

	(void)state;
	assert_int_equal(checkpoint_parse("a\n1\n" ROOT "\n", strlen("a\n1\n" ROOT "\n"), &c, &why),
			 0);
	for (size_t i = 0; i < sizeof(twins) / sizeof(twins[0]); i++) {
		why.text[0] = 0;
		assert_int_equal(checkpoint_parse(twins[i], strlen(twins[i]), &c, &why), -EBADMSG);
		assert_non_null(strstr(why.text, "checkpoint"));
	}
}

static void test_longest_origin(void **state)
{
	struct checkpoint c = {.size = INT64_MAX}, back;
	char text[CHECKPOINT_MAX_TEXT];
	size_t size;

	(void)state;
	memset(c.origin, 'o', CHECKPOINT_MAX_ORIGIN - 1);
	assert_int_equal(checkpoint_text(&c, text, &size), 0);
	assert_true(size < CHECKPOINT_MAX_TEXT);
	assert_int_equal(checkpoint_parse(text, size, &back, NULL), 0);
	assert_memory_equal(&back, &c, sizeof(c));
	memset(c.origin, 'o', CHECKPOINT_MAX_ORIGIN);
	assert_int_equal(checkpoint_text(&c, text, &size), -EINVAL);
	c.origin[0] = 0;
	assert_int_equal(checkpoint_text(&c, text, &size), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),	       cmocka_unit_test(test_foreign_lines),
		cmocka_unit_test(test_own_lines),      cmocka_unit_test(test_keys_not_mixed),
		cmocka_unit_test(test_broken_lines),   cmocka_unit_test(test_broken_texts),
		cmocka_unit_test(test_longest_origin),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
