/* SPDX-License-Identifier: Apache-2.0 */
/* test_verdict_ear.c: a verdict as an EAR, to the byte. test_verdict has what it means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_ear_bytes)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
