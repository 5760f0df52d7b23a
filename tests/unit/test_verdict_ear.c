/* SPDX-License-Identifier: Apache-2.0 */
/* test_verdict_ear.c: a verdict as an EAR, to the byte. test_verdict has what it means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "fsio.h"
#include "verdict_ear.h"

static void read_file(const char *path, struct buf *ret)
{
	assert_int_equal(fsio_read_file(fsio_system(), path, 65536, ret), 0);
}

/* To the byte (docs/wire.md): the claims of a node whose boot was proven, and of one whose log does not agree. */
static void test_ear_bytes(void **state)
{
	static const uint8_t nonce[32] = {0xfb, 0xff};
	static const uint64_t lines[] = {17};
	struct verdict v = {.now_ns = 1795462800ull * 1000000000, .claims = {2, 2, 2, 2}};
	struct verdict_ear_in in = {.verdict = &v,
				    .node = "aa",
				    .label = "worker-7",
				    .developer = "https://plumb.example",
				    .origin = "log.example/node/aa/2",
				    .size = 41,
				    .root = {{1}},
				    .nonce = nonce,
				    .baseline = {{0xab}},
				    .life_s = 600,
				    .lines = lines,
				    .boot = {.proven = true,
					     .log = {{0xcd}},
					     .finding = "",
					     .found = "",
					     .secure_boot = "on"}};
	struct buf b = {0}, want = {0};

	(void)state;
	assert_int_equal(verdict_ear_claims(&in, &b), 0);
	read_file("tests/data/verdict/ear.json", &want);
	assert_string_equal((char *)b.data, (char *)want.data);
	buf_clear(&b);
	buf_clear(&want);
	v.boot[VERDICT_EXECUTABLES] = v.claims[VERDICT_EXECUTABLES] = 33;
	v.findings = 1u << PLUMB_FINDING_BOOT_MISMATCH;
	v.n_open = in.n_lines = 1;
	in.boot = (struct verdict_ear_boot){
		.log = {{0xcd}},
		.finding = "boot_mismatch",
		.found = "PCR 8: its 51 events, 38 to 94, do not come to the quote's"};
	assert_int_equal(verdict_ear_claims(&in, &b), 0);
	read_file("tests/data/verdict/ear-mismatch.json", &want);
	assert_string_equal((char *)b.data, (char *)want.data);
	buf_done(&b);
	buf_done(&want);
}

#define A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static struct image_seen *seen_of(bool listed)
{
	struct image_seen *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->n = 2;
	for (uint32_t i = 0; i < s->n; i++) {
		memcpy(s->images[i].digest, i ? B : A, sizeof(A));
		s->images[i].last_ns = 1795462800ull * 1000000000;
		s->images[i].execs = 3;
		s->images[i].listed = listed;
	}
	return s;
}

static enum image_told_sum sum_of(const struct image_seen *s, struct image_checks *c,
				  struct image_told *t)
{
	assert_int_equal(image_told_make(s, c, t), 1);
	return image_told_sum(t);
}

/* What could not be told is not good, whatever else is. */
static void test_images_sum(void **state)
{
	struct image_told *t = malloc(sizeof(*t));
	struct image_seen *s = seen_of(true);
	struct sign_key *key = NULL;
	struct image_checks *c = NULL;
	struct image_check k = {.state = IMAGE_CHECK_SIGNED, .image = A};

	(void)state;
	assert_int_equal(sum_of(s, NULL, t), IMAGE_TOLD_GOOD);
	s->unnamed = 1;
	assert_int_equal(sum_of(s, NULL, t), IMAGE_TOLD_UNSURE);
	s->unnamed = 0, s->beyond = 1;
	assert_int_equal(sum_of(s, NULL, t), IMAGE_TOLD_UNSURE);
	s->beyond = 0, s->images[1].upper = 1;
	assert_int_equal(sum_of(s, NULL, t), IMAGE_TOLD_UNSURE);
	s->images[1].upper = 0, s->images[1].unsure = 1;
	assert_int_equal(sum_of(s, NULL, t), IMAGE_TOLD_UNSURE);
	s->images[1].unsure = 0, s->images[1].listed = false;
	assert_int_equal(sum_of(s, NULL, t), IMAGE_TOLD_UNSURE);
	s->images[1].listed = true;
	/* With keys, only a signature counts. */
	assert_int_equal(sign_key_generate(SIGN_ED25519, &key), 0);
	assert_int_equal(image_checks_open((const struct sign_key *const *)&key, 1, &c), 0);
	assert_int_equal(sum_of(s, c, t), IMAGE_TOLD_UNSURE);
	assert_int_equal(image_checks_put(c, &k), 0);
	assert_int_equal(sum_of(s, c, t), IMAGE_TOLD_UNSURE);
	memcpy(k.image, B, sizeof(B));
	k.state = IMAGE_CHECK_FAILED;
	assert_int_equal(image_checks_put(c, &k), 0);
	assert_int_equal(sum_of(s, c, t), IMAGE_TOLD_UNSURE);
	k.state = IMAGE_CHECK_UNSIGNED;
	assert_int_equal(image_checks_put(c, &k), 0);
	assert_int_equal(sum_of(s, c, t), IMAGE_TOLD_BAD);
	k.state = IMAGE_CHECK_SIGNED;
	assert_int_equal(image_checks_put(c, &k), 0);
	assert_int_equal(sum_of(s, c, t), IMAGE_TOLD_GOOD);
	memset(s, 0, sizeof(*s));
	assert_int_equal(image_told_make(s, c, t), 0);
	image_checks_free(c);
	sign_key_free(key);
	free(s);
	free(t);
}

/* To the byte: one image that is signed, one that is not, which makes the whole a warning. */
static void test_images_bytes(void **state)
{
	static const uint8_t nonce[32] = {0xfb, 0xff};
	struct verdict v = {.now_ns = 1795462800ull * 1000000000, .claims = {2, 2, 2, 2}};
	struct image_told *t = malloc(sizeof(*t));
	struct image_seen *s = seen_of(false);
	struct image_check k = {.state = IMAGE_CHECK_SIGNED, .image = A, .key = "ab12"};
	struct sign_key *key = NULL;
	struct image_checks *c = NULL;
	struct verdict_ear_in in = {.verdict = &v,
				    .node = "aa",
				    .label = "worker-7",
				    .developer = "https://plumb.example",
				    .origin = "log.example/node/aa/2",
				    .nonce = nonce,
				    .life_s = 600,
				    .images = t};
	struct buf b = {0}, want = {0};

	(void)state;
	assert_int_equal(sign_key_generate(SIGN_ED25519, &key), 0);
	assert_int_equal(image_checks_open((const struct sign_key *const *)&key, 1, &c), 0);
	assert_int_equal(image_checks_put(c, &k), 0);
	k = (struct image_check){.state = IMAGE_CHECK_UNSIGNED, .image = B};
	assert_int_equal(image_checks_put(c, &k), 0);
	assert_int_equal(sum_of(s, c, t), IMAGE_TOLD_BAD);
	assert_int_equal(verdict_ear_claims(&in, &b), 0);
	read_file("tests/data/verdict/ear-images.json", &want);
	assert_string_equal((char *)b.data, (char *)want.data);
	image_checks_free(c);
	sign_key_free(key);
	free(s);
	free(t);
	buf_done(&b);
	buf_done(&want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_ear_bytes),
					   cmocka_unit_test(test_images_sum),
					   cmocka_unit_test(test_images_bytes)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
