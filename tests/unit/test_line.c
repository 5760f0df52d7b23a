/* SPDX-License-Identifier: Apache-2.0 */
/* The border: a line is read and written again as the very same bytes; broken twins are refused with what is wrong. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "claims.h"
#include "cleanup.h"
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

/* A text of so many bytes that takes the most room: each is six when it is written, and all of it stands there twice. */
static char *hostile(const char *begin, size_t size)
{
	char *text = malloc(size + 1);

	assert_non_null(text);
	memset(text, 1, size);
	memcpy(text, begin, strlen(begin));
	text[size - 1] = (char)0xff;
	text[size] = 0;
	return text;
}

/* A line without its ancestors says so, and reads as it was written. */
static void test_left_out(void **state)
{
	struct buf text = {0}, again = {0};
	struct why why = {""};
	json_t *o = NULL;
	struct line l;
	char *at;

	(void)state;
	assert_int_equal(
		fsio_read_file(fsio_system(), "tests/data/line/left_out.json", 65536, &text), 0);
	assert_int_equal(line_parse(text.data, text.size - 1, &o, &l, &why), 0);
	assert_int_equal(l.left_out, LINE_PART_ANCESTORS | LINE_PART_NAME);
	assert_int_equal(l.actor.n_ancestors, 0);
	assert_int_equal(line_write_fitting(&l, &again), 0);
	assert_int_equal(again.size, text.size - 1);
	assert_memory_equal(again.data, text.data, again.size);
	json_decref(o);
	o = NULL;
	at = strstr((char *)text.data, "\"name\"]");
	assert_non_null(at);
	memcpy(at, "\"mane\"]", 7); /* of a release to come */
	assert_int_equal(line_parse(text.data, text.size - 1, &o, &l, &why), 0);
	assert_int_equal(l.left_out, LINE_PART_ANCESTORS);
	json_decref(o);
	o = NULL;
	memcpy(at, "123456]", 7);
	assert_int_equal(line_parse(text.data, text.size - 1, &o, &l, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "left_out"));
	buf_done(&text);
	buf_done(&again);
}

/* What goes first is what is asked for least: with paths as the kernel's records have them, the ancestors alone. */
static void test_ancestors_go_first(void **state)
{
	CLEANUP_FREE char *path = hostile("/", 1023), *key = hostile("exec:/", 1028);
	struct line l = {.type = PLUMB_TYPE_EXEC,
			 .src = "bpf",
			 .boot = "01234567-89ab-cdef-0123-456789abcdef",
			 .scope = "host",
			 .key = key,
			 .found = "unmeasured ESTALE",
			 .name = "x",
			 .has_actor = true,
			 .actor = {.known = true, .exe = path, .n_ancestors = LINE_MAX_ANCESTORS}};
	struct buf b = {0};
	struct why why = {""};
	json_t *o = NULL;
	struct line back;

	(void)state;
	for (size_t i = 0; i < LINE_MAX_ANCESTORS; i++)
		l.actor.ancestors[i].exe = path;
	assert_int_equal(line_write(&l, &b), -EMSGSIZE);
	assert_int_equal(line_write_fitting(&l, &b), 0);
	assert_int_equal(l.actor.n_ancestors, LINE_MAX_ANCESTORS);
	assert_int_equal(line_parse(b.data, b.size, &o, &back, &why), 0);
	assert_int_equal(back.left_out, LINE_PART_ANCESTORS);
	assert_string_equal(back.key, key);
	assert_string_equal(back.actor.exe, path);
	assert_string_equal(back.name, "x");
	json_decref(o);
	buf_done(&b);
}

static void expect_fits(const struct line *l)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct why why = {""};
	json_t *o = NULL;
	struct line back;

	assert_int_equal(line_write_fitting(l, &b), 0);
	assert_true(b.size <= LINE_MAX_SIZE);
	if (line_parse(b.data, b.size, &o, &back, &why) < 0)
		fail_msg("%s", why.text);
	assert_string_equal(back.key, l->key);
	assert_string_equal(back.found, l->found);
	assert_string_equal(back.actor.comm, l->actor.comm);
	assert_true(back.left_out & LINE_PART_EXE);
	/* Only a baseline that expects such a name gives this up, and the verifier judges by itself. */
	assert_int_equal(!!(back.left_out & LINE_PART_JUDGE), l->judgement == PLUMB_JUDGE_DRIFT);
	json_decref(o);
}

/* Whatever names are chosen for it: scope, key and found have room, in a line of any kind. */
static void test_always_fits(void **state)
{
	/* LINE_MAX_KEY and what mountns_files puts before it; a link and where it leads. */
	CLEANUP_FREE char *key = hostile("file:/", LINE_MAX_KEY + 15);
	CLEANUP_FREE char *found = hostile("link 4294967295:4294967295 -> ", 30 + 4095);
	CLEANUP_FREE char *expected = hostile("", LINE_MAX_VALUE - 1);
	CLEANUP_FREE char *path = hostile("/", 4095), *comm = hostile("", 15);
	CLEANUP_FREE char *name = hostile("", 1023);
	static const char scope[] =
		"container:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	static char args[4000];
	struct line l = {
		.src = "proc_connector",
		.seq = INT64_MAX,
		.boot_ns = INT64_MAX,
		.boot = "01234567-89ab-cdef-0123-456789abcdef",
		.has_kernel = true,
		.ksess = UINT64_MAX,
		.cpu = UINT32_MAX,
		.kseq = INT64_MAX,
		.scope = scope,
		.key = key,
		.found = found,
		.op = "usermodehelper",
		.other = key,
		.before = found,
		.diff = found,
		.hash_src = "verity",
		.name = name,
		.layer = "unknown",
		.times = UINT32_MAX,
		.expected = expected,
		.judge_version = UINT32_MAX,
		.baseline_version = INT64_MAX,
		.has_actor = true,
		.body = args,
		.actor = {.known = true,
			  .pid = UINT32_MAX,
			  .ppid = UINT32_MAX,
			  .uid = UINT32_MAX,
			  .gid = UINT32_MAX,
			  .start_ns = INT64_MAX,
			  .comm = comm,
			  .exe = path,
			  .cgroup = path,
			  .container = scope + 10,
			  .pod = "8dbc42f8-2f5c-4a11-9c4e-0123456789ab",
			  .n_ancestors = LINE_MAX_ANCESTORS},
	};
	uint32_t kinds = 0;

	(void)state;
	snprintf(args, sizeof(args), "\"args\":\"%03900d\"", 0);
	for (size_t i = 0; i < LINE_MAX_ANCESTORS; i++)
		l.actor.ancestors[i] = (struct line_ancestor){UINT32_MAX, comm, path};
	for (int type = 1; type < 256; type++) {
		l.type = (enum plumb_type)type;
		if (!terms_type_name(l.type) || !terms_type_is_measurement(l.type))
			continue;
		l.judgement = PLUMB_JUDGE_DRIFT;
		expect_fits(&l);
		l.judgement = PLUMB_JUDGE_UNJUDGED;
		expect_fits(&l);
		kinds++;
	}
	assert_true(kinds >= 10);
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
		cmocka_unit_test(test_example),
		cmocka_unit_test(test_not_utf8),
		cmocka_unit_test(test_diff),
		cmocka_unit_test(test_container),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_write_refuses),
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_left_out),
		cmocka_unit_test(test_ancestors_go_first),
		cmocka_unit_test(test_always_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
