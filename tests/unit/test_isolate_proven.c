/* SPDX-License-Identifier: Apache-2.0 */
/* The border: the file of the addresses that were proven, byte for byte; what is broken or is no single address is none; the last heard stay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "cleanup.h"
#include "isolate_proven.h"
#include "scratch.h"

static void test_bytes(void **state)
{
	struct isolate_proven p = {.verifier = "https://verifier.example:8443"}, back;
	struct buf b = {0}, want = {0};
	struct why why = {""};

	(void)state;
	assert_true(isolate_proven_add(&p, "[2001:db8::7]:8443"));
	assert_true(isolate_proven_add(&p, "192.0.2.7:8443"));
	assert_int_equal(isolate_proven_write(&p, &b), 0);
	assert_int_equal(fsio_read_file(fsio_system(),
					"tests/data/isolation/verifier-addresses.json", 4096,
					&want),
			 0);
	assert_int_equal(b.size, want.size);
	assert_memory_equal(b.data, want.data, b.size);
	assert_int_equal(isolate_proven_parse(want.data, want.size - 1, &back, &why), 0);
	assert_string_equal(back.verifier, p.verifier);
	assert_int_equal(back.n, 2);
	assert_string_equal(back.address[0], "192.0.2.7:8443");
	assert_string_equal(back.address[1], "[2001:db8::7]:8443");
	buf_done(&b);
	buf_done(&want);
}

static void test_last_heard(void **state)
{
	struct isolate_proven p = {.n = 0};

	(void)state;
	assert_true(isolate_proven_add(&p, "192.0.2.1:1"));
	assert_false(isolate_proven_add(&p, "192.0.2.1:1"));
	assert_true(isolate_proven_add(&p, "192.0.2.2:1"));
	assert_true(isolate_proven_add(&p, "192.0.2.3:1"));
	assert_true(isolate_proven_add(&p, "192.0.2.4:1"));
	assert_false(isolate_proven_add(&p, "192.0.2.1:1"));
	assert_false(isolate_proven_add(&p, "192.0.2.3:1"));
	assert_true(isolate_proven_add(&p, "192.0.2.5:1"));
	assert_int_equal(p.n, 4);
	assert_string_equal(p.address[0], "192.0.2.5:1");
	assert_string_equal(p.address[1], "192.0.2.3:1");
	assert_string_equal(p.address[2], "192.0.2.1:1");
	assert_string_equal(p.address[3], "192.0.2.4:1");
}

static void test_bad(void **state)
{
	static const char *const bad[] = {
		"{}",
		"{\"v\":2,\"verifier\":\"\",\"addresses\":[]}",
		"{\"v\":1,\"addresses\":[]}",
		"{\"v\":1,\"verifier\":\"\"}",
		"{\"v\":1,\"verifier\":\"\",\"addresses\":[7]}",
		"{\"v\":1,\"verifier\":\"\",\"addresses\":[\"192.0.2.1\"]}",
		"{\"v\":1,\"verifier\":\"\",\"addresses\":[\"10.0.0.0/8\"]}",
		"{\"v\":1,\"verifier\":\"\",\"addresses\":[\"host:1\"]}",
		"{\"v\":1,\"verifier\":\"\",\"addresses\":[\"192.0.2.1:1\",\"192.0.2.2:1\","
		"\"192.0.2.3:1\",\"192.0.2.4:1\",\"192.0.2.5:1\"]}",
	};
	struct isolate_proven p = {.n = 9};
	char dir[SCRATCH_SIZE];
	struct why why;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(isolate_proven_parse(bad[i], strlen(bad[i]), &p, &why), -EBADMSG);
	scratch_open(dir, "proven");
	assert_int_equal(isolate_proven_load(fsio_system(), dir, &p, &why), -ENOENT);
	scratch_run(dir, "echo '{}' >" ISOLATE_PROVEN_FILE "; chmod 600 " ISOLATE_PROVEN_FILE);
	assert_int_equal(isolate_proven_load(fsio_system(), dir, &p, &why), -EBADMSG);
	assert_non_null(strstr(why.text, ISOLATE_PROVEN_FILE));
	assert_int_equal(p.n, 9);
	p = (struct isolate_proven){.n = 0};
	isolate_proven_add(&p, "192.0.2.1:1");
	assert_int_equal(isolate_proven_keep(fsio_system(), dir, &p), 0);
	p.n = 0;
	assert_int_equal(isolate_proven_load(fsio_system(), dir, &p, &why), 0);
	assert_string_equal(p.address[0], "192.0.2.1:1");
	scratch_done(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_last_heard),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
