/* SPDX-License-Identifier: Apache-2.0 */
/* The border: a line is read and written again as the very same bytes; broken twins are refused with what is wrong. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "claims.h"
#include "fsio.h"
#include "line.h"

static void test_example(void **state)
{
	struct buf text = {0}, again = {0};
	struct why why = {""};
	json_t *o = NULL;
	struct line l;

	(void)state;
	assert_int_equal(fsio_read_file(fsio_system(), "tests/data/line/exec.json", 65536, &text),
			 0);
	assert_int_equal(line_parse(text.data, text.size - 1, &o, &l, &why), 0);
	assert_int_equal(l.type, PLUMB_TYPE_EXEC);
	assert_int_equal(l.judgement, PLUMB_JUDGE_DRIFT);
	assert_true(l.has_kernel && l.ksess == 0xdeadbeef && l.kseq == 9);
	assert_string_equal(l.actor.ancestors[0].exe, "/usr/bin/bash");
	assert_int_equal(line_write(&l, &again), 0);
	assert_int_equal(again.size, text.size - 1);
	assert_memory_equal(again.data, text.data, again.size);
	json_decref(o);
	buf_done(&text);
	buf_done(&again);
}

/* A change with its lines: they come back as they were, and are text. */
static void test_diff(void **state)
{
	struct buf text = {0}, again = {0};
	struct why why = {""};
	json_t *o = NULL;
	struct line l;
	char *at;

	(void)state;
	assert_int_equal(fsio_read_file(fsio_system(), "tests/data/line/diff.json", 65536, &text),
			 0);
	assert_int_equal(line_parse(text.data, text.size - 1, &o, &l, &why), 0);
	assert_string_equal(l.diff, "@@ -0,0 +1 @@\n+abc\n\\ no newline at the end");
	assert_non_null(strstr(l.before, " 0 sha256:e3b0"));
	assert_int_equal(line_write(&l, &again), 0);
	assert_int_equal(again.size, text.size - 1);
	assert_memory_equal(again.data, text.data, again.size);
	json_decref(o);
	o = NULL;
	at = strstr((char *)text.data, "\"diff\":\"");
	assert_non_null(at);
	memcpy(at, "\"diff\":7,\"x", 10);
	memcpy(strstr(at, " @@"), "\":\"", 3);
	assert_true(line_parse(text.data, text.size - 1, &o, &l, &why) < 0);
	assert_non_null(strstr(why.text, "diff"));
	buf_done(&text);
	buf_done(&again);
}

/* In a container: where its file comes from, the container and the pod, each of which may be missing in older lines. */
static void test_container(void **state)
{
	static const struct {
		const char *from, *to;
	} twins[] = {
		{"\"layer\":\"upper\"", "\"layer\":7"},
		{"\"layer\":\"upper\"", "\"layer\":\"upper (x\""},
		{"\"layer\":\"upper\"", "\"layer\":\"\""},
		{"\"container\":\"01", "\"container\":\"0 "},
		{"\"pod\":\"8dbc", "\"pod\":\"8d, "},
		{"\"container\":\"0", "\"container\":\"00"},
		{"\"pod\":\"8", "\"pod\":8,\"x\":\""},
	};
	struct buf text = {0}, again = {0};
	struct why why = {""};
	json_t *o = NULL;
	struct line l;

	(void)state;
	assert_int_equal(
		fsio_read_file(fsio_system(), "tests/data/line/container.json", 65536, &text), 0);
	assert_int_equal(line_parse(text.data, text.size - 1, &o, &l, &why), 0);
	assert_string_equal(l.layer, "upper");
	assert_int_equal(strlen(l.actor.container), 64);
	assert_string_equal(l.actor.pod, "8dbc42f8-2f5c-4a11-9c4e-0123456789ab");
	assert_int_equal(line_write(&l, &again), 0);
	assert_int_equal(again.size, text.size - 1);
	assert_memory_equal(again.data, text.data, again.size);
	json_decref(o);
	for (size_t i = 0; i < sizeof(twins) / sizeof(twins[0]); i++) {
		const char *at = strstr((char *)text.data, twins[i].from);

		assert_non_null(at);
		buf_clear(&again);
		buf_put(&again, text.data, (size_t)(at - (char *)text.data));
		buf_puts(&again, twins[i].to);
		buf_puts(&again, at + strlen(twins[i].from));
		o = NULL;
		if (line_parse(again.data, again.size - 1, &o, &l, &why) >= 0)
			fail_msg("%s was taken", twins[i].to);
	}
	buf_done(&text);
	buf_done(&again);
}

/* A deed that is told with how often; once is not written. */
static void test_times(void **state)
{
	struct buf text = {0}, again = {0};
	struct why why = {""};
	json_t *o = NULL;
	struct line l;
	char *at;

	(void)state;
	assert_int_equal(
		fsio_read_file(fsio_system(), "tests/data/line/surface.json", 65536, &text), 0);
	assert_int_equal(line_parse(text.data, text.size - 1, &o, &l, &why), 0);
	assert_int_equal(l.type, PLUMB_TYPE_SURFACE);
	assert_int_equal(l.times, 17);
	assert_int_equal(line_write(&l, &again), 0);
	assert_int_equal(again.size, text.size - 1);
	assert_memory_equal(again.data, text.data, again.size);
	buf_clear(&again);
	l.times = 1;
	assert_int_equal(line_write(&l, &again), 0);
	assert_null(memmem(again.data, again.size, "times", 5));
	json_decref(o);
	at = strstr((char *)text.data, "\"times\":17");
	assert_non_null(at);
	memcpy(at + 8, "-7", 2);
	o = NULL;
	assert_int_equal(line_parse(text.data, text.size - 1, &o, &l, &why), -EBADMSG);
	buf_done(&text);
	buf_done(&again);
}

/* The bytes that the kernel gave are what is judged, on both sides, and not what people are shown of them. */
static void test_not_utf8(void **state)
{
	static const char *const twins[][2] = {
		{"\"key\":\"file:/srv/caf", "\"key\":\"file:/srv/tea"}, /* shown as another */
		{"\"key_b64\":\"Zml", "\"key_b64\":\"Zmm"},
		{"\"key_b64\":\"Zml", "\"key_b64\":\"?ml"},
		{"Zuk=\"", "ZgA=\""},
		{"Zuk=\"", "ZukA\""}, /* a NUL at the end */
		{"\"other\":",
		 "\"other_b64\":\"ZmlsZTovc3J2L3BsYWlu\",\"other\":"}, /* needs none */
	};
	struct buf text = {0}, again = {0};
	struct why why = {""};
	json_t *o = NULL;
	struct line l;

	(void)state;
	assert_int_equal(
		fsio_read_file(fsio_system(), "tests/data/line/not_utf8.json", 65536, &text), 0);
	assert_int_equal(line_parse(text.data, text.size - 1, &o, &l, &why), 0);
	assert_string_equal(l.key, "file:/srv/caf\xe9");
	assert_string_equal(l.found, "link 0:0 -> \xff\xfe");
	assert_int_equal(line_write(&l, &again), 0);
	assert_int_equal(again.size, text.size - 1);
	assert_memory_equal(again.data, text.data, again.size);
	json_decref(o);
	for (size_t i = 0; i < sizeof(twins) / sizeof(twins[0]); i++) {
		const char *at = strstr((char *)text.data, twins[i][0]);

		assert_non_null(at);
		buf_clear(&again);
		buf_put(&again, text.data, (size_t)(at - (char *)text.data));
		buf_puts(&again, twins[i][1]);
		buf_puts(&again, at + strlen(twins[i][0]));
		o = NULL;
		if (line_parse(again.data, again.size - 1, &o, &l, &why) >= 0)
			fail_msg("%s was taken", twins[i][1]);
		assert_non_null(strstr(why.text, "_b64"));
	}
	buf_done(&text);
	buf_done(&again);
}

static void test_broken(void **state)
{
	static const struct {
		const char *from, *to, *why;
	} twins[] = {
		{"\"v\":1", "\"v\":2", "v"},
		{"\"seq\":7", "\"seq\":-7", "seq"},
		{"123456789Z", "12345678Z", "t"},
		{"deadbeef", "DEADBEEF", "ksess"},
		{"\"judge\":\"drift\"", "\"judge\":\"maybe\"", "judge"},
		{"\"found\":\"sha256", "\"f\":\"sha256", "found"},
		{"\"pid\":10", "\"pid\":4294967296", "pid"},
		{"\"actor\":{", "\"actor\":5,\"x\":{", "actor"},
	};
	struct buf text = {0};

	(void)state;
	assert_int_equal(fsio_read_file(fsio_system(), "tests/data/line/exec.json", 65536, &text),
			 0);
	for (size_t i = 0; i < sizeof(twins) / sizeof(twins[0]); i++) {
		const char *at = strstr((char *)text.data, twins[i].from);
		struct why why = {""};
		json_t *o = NULL;
		char twin[2048];
		struct line l;
		int n;

		assert_non_null(at);
		n = snprintf(twin, sizeof(twin), "%.*s%s%s", (int)(at - (char *)text.data),
			     (char *)text.data, twins[i].to, at + strlen(twins[i].from));
		assert_true(line_parse(twin, (size_t)n - 1, &o, &l, &why) < 0);
		assert_non_null(strstr(why.text, twins[i].why));
	}
	buf_done(&text);
}

static void test_unknown(void **state)
{
	static const char text[] = "{\"v\":1,\"seq\":0,\"t\":\"2026-11-24T00:00:00.000000000Z\","
				   "\"bt\":1,\"boot\":\"b\",\"src\":\"s\","
				   "\"type\":\"from_the_future\",\"key\":5}";
	struct why why = {""};
	json_t *o = NULL;
	struct line l;

	(void)state;
	assert_int_equal(line_parse(text, strlen(text), &o, &l, &why), 0);
	assert_int_equal(l.type, PLUMB_TYPE_UNKNOWN);
	assert_string_equal(l.type_name, "from_the_future");
	json_decref(o);
}

static void test_write_refuses(void **state)
{
	struct line l = {.type = PLUMB_TYPE_EXEC,
			 .src = "bpf",
			 .boot = "b",
			 .scope = "host",
			 .key = "exec:/x"};
	static char big[70000];
	struct buf b = {0};

	(void)state;
	assert_true(line_write(&l, &b) < 0);
	l.found = memset(big, 'a', sizeof(big) - 1);
	assert_true(line_write(&l, &b) < 0);
	assert_int_equal(b.size, 0);
	buf_done(&b);
}

static void test_claims(void **state)
{
	struct stat st = {.st_mode = S_IFREG | 04755, .st_uid = 1, .st_gid = 2, .st_size = 3};
	struct digest d = {{0xab}};
	struct buf b = {0};

	(void)state;
	assert_int_equal(claims_file_value(&st, &d, NULL, &b), 0);
	assert_non_null(strstr((char *)b.data, "reg 4755 1:2 3 sha256:ab00"));
	buf_clear(&b);
	assert_int_equal(claims_file_value(&st, NULL, NULL, &b), 0);
	assert_non_null(strstr((char *)b.data, "unreadable"));
	buf_clear(&b);
	assert_int_equal(claims_text_value("  a \t b\n\n", 9, &b), 0);
	assert_string_equal((char *)b.data, "a b");
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example), cmocka_unit_test(test_not_utf8),
		cmocka_unit_test(test_diff),	cmocka_unit_test(test_container),
		cmocka_unit_test(test_times),	cmocka_unit_test(test_broken),
		cmocka_unit_test(test_unknown), cmocka_unit_test(test_write_refuses),
		cmocka_unit_test(test_claims),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
