/* SPDX-License-Identifier: Apache-2.0 */
/* The border: a document signed by another implementation is read; whatever is not exactly what was signed is refused by name. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "baseline.h"
#include "cleanup.h"
#include "dsse.h"
#include "plumb/wire.h"

#define DATA "tests/data/baseline/"

struct bench {
	char path[64];
	struct sign_key *key, *other;
	struct buf good; /* the example */
};

static struct sign_key *read_key(const char *path)
{
	struct sign_key *key = NULL;
	struct buf pem = {0};
	struct why why;

	assert_int_equal(fsio_read_file(fsio_system(), path, 4096, &pem), 0);
	assert_int_equal(sign_key_from_pem((char *)pem.data, pem.size, &key, &why), 0);
	buf_done(&pem);
	return key;
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	int fd;

	assert_non_null(b);
	strcpy(b->path, "/tmp/plumb-test-baseline-XXXXXX");
	fd = mkstemp(b->path);
	assert_true(fd >= 0);
	close(fd);
	b->key = read_key(DATA "private.pem");
	assert_int_equal(sign_key_generate(SIGN_P256, &b->other), 0);
	assert_int_equal(fsio_read_file(fsio_system(), DATA "baseline.jsonl", 1 << 20, &b->good),
			 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	unlink(b->path);
	sign_key_free(b->key);
	sign_key_free(b->other);
	buf_done(&b->good);
	free(b);
	return 0;
}

static int open_bytes(struct bench *b, const void *data, size_t size, struct baseline **ret,
		      struct why *why)
{
	FILE *f = fopen(b->path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, size, f), size);
	fclose(f);
	return baseline_open(fsio_system(), b->path, (const struct sign_key *const *)&b->key, 1, 0,
			     ret, why);
}

static void test_example(void **state)
{
	const struct bench *b = *state;
	const struct sign_key *const keys[] = {b->other, b->key};
	const struct baseline_info *i;
	struct baseline *base = NULL;
	struct why why = {""};
	struct digest d;

	assert_int_equal(
		baseline_open(fsio_system(), DATA "baseline.jsonl", keys, 2, 3, &base, &why), 0);
	i = baseline_info(base);
	assert_string_equal(i->name, "example");
	assert_int_equal(i->version, 3);
	assert_int_equal(i->count, 7);
	assert_int_equal(i->created_ns, 1795478400000000000);
	assert_int_equal(strlen(i->signer), 64);
	assert_int_equal(digest_sha256(b->good.data, b->good.size, &d), 0);
	assert_true(digest_equal(&d, &i->document));
	assert_true(baseline_has_scope(base, "host"));
	assert_true(baseline_has_scope(base, "image:sha256:12"));
	assert_false(baseline_has_scope(base, "image:sha256:13"));
	assert_true(baseline_is_closed(base, "exec:sha256:00"));
	assert_true(baseline_is_closed(base, "file:/etc/ssh/x"));
	assert_false(baseline_is_closed(base, "file:/etc/sshd"));
	assert_string_equal(baseline_expected(base, "host", "boot:release"), "6.1.0-56-amd64");
	assert_string_equal(baseline_expected(base, "host", "file:/srv/caf\xe9"), "absent");
	assert_null(baseline_expected(base, "host", "file:/srv/caf\xef\xbf\xbd"));
	assert_null(baseline_expected(base, "image:sha256:12", "boot:release"));
	assert_null(baseline_expected(base, "host", "a"));
	assert_null(baseline_expected(base, "host", "z"));
	baseline_free(base);
}

struct walk {
	uint32_t n;
	char before[256];
};

static int in_order(void *ctx, const char *scope, const char *key, const char *expected)
{
	struct walk *w = ctx;
	char now[256];

	assert_true(*expected != 0);
	snprintf(now, sizeof(now), "%s %s", scope, key);
	assert_true(strcmp(w->before, now) < 0);
	strcpy(w->before, now);
	return ++w->n == 6 ? 42 : 0;
}

static void test_unsigned(void **state)
{
	struct bench *b = *state;
	struct baseline *base = NULL;
	struct walk w = {0};
	struct why why = {""};

	assert_int_equal(
		baseline_open(fsio_system(), DATA "unsigned.jsonl", NULL, 0, 0, &base, &why), 0);
	assert_string_equal(baseline_info(base)->signer, "");
	assert_int_equal(baseline_each(base, in_order, &w), 42);
	assert_int_equal(w.n, 6);
	baseline_free(base);
	base = NULL;
	assert_int_equal(baseline_open(fsio_system(), DATA "unsigned.jsonl",
				       (const struct sign_key *const *)&b->key, 1, 0, &base, &why),
			 -EKEYREJECTED);
}

static void test_key_and_version(void **state)
{
	struct bench *b = *state;
	struct baseline *base = NULL;
	struct why why = {""};

	assert_int_equal(baseline_open(fsio_system(), DATA "baseline.jsonl",
				       (const struct sign_key *const *)&b->other, 1, 0, &base,
				       &why),
			 -EKEYREJECTED);
	assert_int_equal(baseline_open(fsio_system(), DATA "baseline.jsonl",
				       (const struct sign_key *const *)&b->key, 1, 4, &base, &why),
			 -ESTALE);
	assert_non_null(strstr(why.text, "version 3"));
	/* Nobody to believe is not "need not be signed". */
	assert_int_equal(baseline_open(fsio_system(), DATA "unsigned.jsonl",
				       (const struct sign_key *const *)&b->key, 0, 0, &base, &why),
			 -EKEYREJECTED);
	assert_int_equal(baseline_open(fsio_system(), "/nonexistent/x", NULL, 0, 0, &base, &why),
			 -ENOENT);
	assert_non_null(strstr(why.text, "/nonexistent/x"));
}

/*
 * Cut short at every byte, one bit turned in every byte, and something after the end. DSSE's keyid is a hint that no signature
 * covers: changed, it may be taken, as what the signature covers.
 */
static void test_every_byte(void **state)
{
	struct bench *b = *state;
	struct baseline *base = NULL;
	size_t hint = (size_t)(strstr((char *)b->good.data, "\"keyid\"") - (char *)b->good.data);
	struct why why;

	for (size_t n = 0; n < b->good.size; n++) {
		if (open_bytes(b, b->good.data, n, &base, &why) >= 0)
			fail_msg("cut at %zu was taken", n);
		assert_non_null(strstr(why.text, b->path));
	}
	for (size_t at = 0; at < b->good.size; at++) {
		b->good.data[at] ^= 1;
		if (open_bytes(b, b->good.data, b->good.size, &base, &why) >= 0) {
			if (at < hint || at >= hint + strlen("\"keyid\":\"\"") + 64)
				fail_msg("a bit turned in byte %zu was taken", at);
			assert_int_equal(baseline_info(base)->version, 3);
			base = baseline_free(base);
		}
		b->good.data[at] ^= 1;
	}
	buf_puts(&b->good, "x");
	assert_int_equal(open_bytes(b, b->good.data, b->good.size, &base, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "no end"));
	buf_puts(&b->good, "\n");
	assert_true(open_bytes(b, b->good.data, b->good.size, &base, &why) < 0);
}

#define E(k, x) "{\"s\":\"host\",\"k\":\"" k "\",\"x\":\"" x "\"}\n"

/* Signed by the right key, and wrong all the same. header: as it is, or NULL for one that fits; count: added to the right one. */
static const struct wrong {
	const char *body, *header, *why;
	int count;
} wrongs[] = {
	{E("a", "1") E("b", "2"), NULL, NULL, 0},
	{E("b", "2") E("a", "1"), NULL, "line 3: entry is not after", 0},
	{E("a", "1") E("a", "1"), NULL, "line 3: entry is not after", 0},
	{E("a", "1") E("a", "2"), NULL, "line 3: entry is not after", 0},
	{E("a", "1") E("b", "2"), NULL, "more entries than", -1},
	{E("a", "1") E("b", "2"), NULL, "has 2 entries, its header says 3", 1},
	{E("a", "1") "\n", NULL, "line 3", 0},
	{E("a", "1") "{\"s\":\"host\",\"k\":\"b\"}\n", NULL, "\"x\" is missing", 0},
	{E("a", "1") "{\"s\":1,\"k\":\"b\",\"x\":\"\"}\n", NULL, "\"s\"", 0},
	{E("a", "1") "[]\n", NULL, "not an object", 0},
	{E("a", "1"), "{\"v\":2}", "\"v\"", 0},
	{E("a", "1"), "{}", "missing", 0},
	{E("a", "1"), "[]", "object", 0},
	{E("a", "1"),
	 "{\"v\":1,\"name\":\"n\",\"version\":1,\"created\":\"2026-11-24T00:00:00.000000000Z\","
	 "\"count\":4000001,\"sha256\":"
	 "\"0000000000000000000000000000000000000000000000000000000000000000\","
	 "\"scopes\":[],\"closed\":[]}",
	 "count", 0},
	{E("a", "1"),
	 "{\"v\":1,\"name\":\"n\",\"version\":1,\"created\":\"2026-11-24T00:00:00.000000000Z\","
	 "\"count\":1,\"sha256\":"
	 "\"0000000000000000000000000000000000000000000000000000000000000000\","
	 "\"scopes\":[\"host\"],\"closed\":[]}",
	 "SHA-256", 0},
	{E("a", "1"),
	 "{\"v\":1,\"name\":\"n\",\"version\":1,\"created\":\"yesterday\","
	 "\"count\":1,\"sha256\":"
	 "\"0000000000000000000000000000000000000000000000000000000000000000\","
	 "\"scopes\":[\"host\"],\"closed\":[]}",
	 "created", 0},
	{E("a", "1"),
	 "{\"v\":1,\"name\":\"n\",\"version\":1,\"created\":\"2026-11-24T00:00:00.000000000Z\","
	 "\"count\":1,\"sha256\":"
	 "\"0000000000000000000000000000000000000000000000000000000000000000\","
	 "\"scopes\":[5],\"closed\":[]}",
	 "scopes", 0},
};

static void document(const struct bench *b, const struct wrong *w, struct buf *ret)
{
	struct buf header = {0};
	char hex[DIGEST_HEX_SIZE];
	struct digest d;
	int n = w->count;

	for (const char *p = w->body; *p; p++)
		n += *p == '\n';
	assert_int_equal(digest_sha256(w->body, strlen(w->body), &d), 0);
	digest_hex(&d, hex);
	if (w->header)
		buf_puts(&header, w->header);
	else
		buf_printf(&header,
			   "{\"v\":1,\"name\":\"n\",\"version\":1,"
			   "\"created\":\"2026-11-24T00:00:00.000000000Z\",\"count\":%d,"
			   "\"sha256\":\"%s\",\"scopes\":[\"host\"],\"closed\":[]}",
			   n, hex);
	assert_int_equal(dsse_sign(WIRE_DSSE_BASELINE, header.data, header.size,
				   (const struct sign_key *const *)&b->key, 1, ret),
			 0);
	buf_printf(ret, "\n%s", w->body);
	buf_done(&header);
}

static void test_signed_and_wrong(void **state)
{
	struct bench *b = *state;

	for (size_t i = 0; i < ARRAY_SIZE(wrongs); i++) {
		struct baseline *base = NULL;
		struct why why = {""};
		struct buf text = {0};
		int r;

		document(b, &wrongs[i], &text);
		r = open_bytes(b, text.data, text.size, &base, &why);
		if ((r >= 0) != !wrongs[i].why)
			fail_msg("row %zu: %d %s", i, r, why.text);
		if (wrongs[i].why && (r != -EBADMSG || !strstr(why.text, wrongs[i].why)))
			fail_msg("row %zu: %d \"%s\" does not say \"%s\"", i, r, why.text,
				 wrongs[i].why);
		baseline_free(base);
		buf_done(&text);
	}
}

/* A line that never ends must not be held in memory for ever. */
static void test_long_line(void **state)
{
	struct bench *b = *state;
	size_t size = 2u << 20;
	char *text = malloc(size);
	struct baseline *base = NULL;
	struct why why;

	assert_non_null(text);
	memset(text, ' ', size);
	assert_int_equal(open_bytes(b, text, size, &base, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "more than"));
	free(text);
}

/* Signed as something else: whoever signed it, it was not meant as a baseline. */
static void test_other_type(void **state)
{
	struct bench *b = *state;
	struct baseline *base = NULL;
	struct buf text = {0}, header = {0};
	struct why why;

	assert_int_equal(fsio_read_file(fsio_system(), DATA "header.json", 4096, &header), 0);
	assert_int_equal(dsse_sign(WIRE_DSSE_POLICY, header.data, header.size,
				   (const struct sign_key *const *)&b->key, 1, &text),
			 0);
	buf_puts(&text, strchr((char *)b->good.data, '\n'));
	assert_true(open_bytes(b, text.data, text.size, &base, &why) < 0);
	assert_int_equal(baseline_open(fsio_system(), b->path, NULL, 0, 0, &base, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "something else"));
	buf_done(&text);
	buf_done(&header);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_example),    TEST(test_unsigned),	    TEST(test_key_and_version),
		TEST(test_every_byte), TEST(test_signed_and_wrong), TEST(test_long_line),
		TEST(test_other_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
