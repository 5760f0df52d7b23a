/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments in a line: all of them, cut where they are cut, and never what is secret; and patterns, and their broken twins. */
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

#include "cleanup.h"
#include "jsonl.h"
#include "pattern.h"
#include "redact.h"

/* Arguments are written with '|' between them here; S is what must not be found in the line. */
#define S "s3cr3t"

static struct plumb_args args_of(const char *text)
{
	struct plumb_args a = {.size = (uint32_t)strlen(text) + 1};

	assert_true(a.size <= sizeof(a.text));
	a.kept = (uint16_t)a.size;
	memcpy(a.text, text, a.size);
	for (size_t i = 0; i < a.size; i++)
		a.text[i] = a.text[i] == '|' ? '\0' : a.text[i];
	return a;
}

static char *line_of(struct redact *r, const struct plumb_args *a)
{
	CLEANUP(buf_done) struct buf b = {0}, whole = {0};
	struct why why = {""};
	json_t *o;

	assert_int_equal(redact_args(r, a, &b), 0);
	buf_printf(&whole, "{%s}", (char *)b.data);
	assert_int_equal(jsonl_parse(whole.data, whole.size, 65535, &o, &why), 0);
	json_decref(o);
	return strdup((char *)b.data);
}

static void test_secrets(void **state)
{
	static const char *const rows[] = {
		"mysql|--password=" S "|db",
		"mysql|--password|" S "|db",
		"x|--password=two\n" S, /* lines, but one argument */
		"mysql|-h|host|-p" S "|db",
		"mysqldump|-p" S,
		"x|-password|" S,
		"x|--db-password|" S "|--verbose",
		"x|--DB_PASSWORD=" S,
		"env|MYSQL_PWD=" S "|mysql",
		"sh|-c|PGPASSWORD=" S " psql -h db",
		"sh|-c|PASSWORD='" S " and " S "' psql",
		"x|--password=with " S " in it",
		"x|--token|" S,
		"x|--token=" S,
		"x|--api-key=" S,
		"x|--apikey|" S,
		"x|--client-secret|" S,
		"x|--aws-secret-access-key|" S,
		"x|AWS_SECRET_ACCESS_KEY=" S,
		"x|--private-key=" S,
		"x|--passphrase|" S,
		"x|--passwd:" S,
		"x|{\"user\":\"u\",\"password\":\"" S "\"}",
		"x|{\"password\" : \"" S "\"}",
		"curl|-H|Authorization: Bearer " S "aaaa|https://h/",
		"curl|-H|authorization:" S,
		"curl|-HAuthorization: Basic " S "aaaa",
		"curl|-H|X-Auth-Token: " S,
		"curl|-H|X-Api-Key: " S,
		"curl|-H|Cookie: session=" S,
		"curl|-u|user:" S "|https://h/",
		"curl|--user|user:" S,
		"curl|--user=user:" S,
		"curl|-uuser:" S,
		"curl|https://user:" S "@host/path",
		"git|clone|https://oauth2:" S "@host/path",
		"psql|postgresql://u:" S "@h/db",
		"sshpass|-p|" S "|ssh|h",
		"sshpass|-p" S "|ssh|h",
		"x|eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx" S,
		"x|ghp_0123456789abcdef" S,
		"x|-----BEGIN RSA PRIVATE KEY-----\n" S "\n" S,
		"x|zebra:" S, /* of the node's own patterns */
		"x|two|" S "|end",
	};
	static const char *const own[] = {"zebra:(.*)", "\ntwo\n[^\n]+"};
	struct why why = {""};
	struct redact *r;

	(void)state;
	assert_int_equal(redact_open(own, 2, &r, &why), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct plumb_args a = args_of(rows[i]);
		CLEANUP_FREE char *line = line_of(r, &a);

		if (strstr(line, S) || !strstr(line, REDACT_HIDDEN) || !strstr(line, "args_hidden"))
			fail_msg("%s: %s", rows[i], line);
	}
	redact_free(r);
}

/* What is no secret stays; what is one says where it stood. */
static void test_rest(void **state)
{
	static const struct {
		const char *args, *line;
	} rows[] = {
		{"ls|-l|/tmp", "\"args\":[\"ls\",\"-l\",\"/tmp\"]"},
		{"ssh|-p22|host", "\"args\":[\"ssh\",\"-p22\",\"host\"]"},
		{"mkdir|-p|/a/b", "\"args\":[\"mkdir\",\"-p\",\"/a/b\"]"},
		{"docker|run|-u|1000", "\"args\":[\"docker\",\"run\",\"-u\",\"1000\"]"},
		{"grep|passwd|/etc/passwd", "\"args\":[\"grep\",\"passwd\",\"/etc/passwd\"]"},
		{"curl|https://host/a:b@c", "\"args\":[\"curl\",\"https://host/a:b@c\"]"},
		{"x||y", "\"args\":[\"x\",\"\",\"y\"]"},
		{"x|a\nb|\xff", "\"args\":[\"x\",\"a\\u000ab\",\"\xef\xbf\xbd\"]"},
		{"x|--password=a|b", "\"args\":[\"x\",\"--password=***\",\"b\"],\"args_hidden\":1"},
		{"x|--token|a|b|--pwd|c",
		 "\"args\":[\"x\",\"--token\",\"***\",\"b\",\"--pwd\",\"***\"],\"args_hidden\":2"},
		{"x|u://a:b@c|u://d:e@f",
		 "\"args\":[\"x\",\"u://a:***@c\",\"u://d:***@f\"],\"args_hidden\":2"},
	};
	struct why why = {""};
	struct redact *r;

	(void)state;
	assert_int_equal(redact_open(NULL, 0, &r, &why), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct plumb_args a = args_of(rows[i].args);
		CLEANUP_FREE char *line = line_of(r, &a);

		assert_string_equal(line, rows[i].line);
	}
	redact_free(r);
}

static void test_cut(void **state)
{
	struct plumb_args a = {.size = 5000, .kept = PLUMB_ARGS_MAX};
	struct why why = {""};
	struct redact *r;
	char *line;

	(void)state;
	assert_int_equal(redact_open(NULL, 0, &r, &why), 0);
	memset(a.text, 'x', sizeof(a.text)); /* no NUL in it */
	a.text[1] = '\0';
	line = line_of(r, &a);
	assert_non_null(strstr(line, "\"args_size\":5000"));
	assert_null(strstr(line, "hidden"));
	free(line);
	memset(a.text, 0, sizeof(a.text)); /* 512 empty ones */
	a.size = a.kept;
	line = line_of(r, &a);
	assert_non_null(strstr(line, "\"args_size\":512"));
	assert_true(strlen(line) < REDACT_MAX_ARGS * 3 + 64);
	free(line);
	memcpy(a.text, "x\0--password=" S, 20);
	a.size = 400;
	a.kept = 17; /* in the midst of the secret */
	line = line_of(r, &a);
	assert_string_equal(
		line, "\"args\":[\"x\",\"--password=***\"],\"args_size\":400,\"args_hidden\":1");
	free(line);
	a = (struct plumb_args){.error = -EFAULT};
	line = line_of(r, &a);
	assert_string_equal(line, "\"args\":null,\"args_why\":\"EFAULT\"");
	free(line);
	a = (struct plumb_args){.size = 0};
	line = line_of(r, &a);
	assert_string_equal(line, "\"args\":[]");
	free(line);
	line = line_of(r, NULL);
	assert_non_null(strstr(line, "\"args\":null,\"args_why\":\"the kernel"));
	free(line);
	redact_free(r);
}

/* Arguments that are made to be hard to look through: they are left out when they take too much of a second, never told as they are. */
static void test_budget(void **state)
{
	struct plumb_args a = {.size = PLUMB_ARGS_MAX, .kept = PLUMB_ARGS_MAX};
	struct why why = {""};
	struct redact *r;
	bool refused = false;

	(void)state;
	assert_int_equal(redact_open(NULL, 0, &r, &why), 0);
	for (size_t i = 0; i < sizeof(a.text); i++)
		a.text[i] = "x-api-key"[i % 9];
	for (int i = 0; i < 5000 && !refused; i++) {
		CLEANUP_FREE char *line = line_of(r, &a);

		refused = strstr(line, "args_why\":\"too many") != NULL;
	}
	assert_true(refused);
	sleep(1);
	a = args_of("ls|-l");
	{
		CLEANUP_FREE char *line = line_of(r, &a);

		assert_string_equal(line, "\"args\":[\"ls\",\"-l\"]");
	}
	redact_free(r);
}

static void test_patterns(void **state)
{
	static const char *const bad[] = {"",	    "a(b",    "*",  "a**b(", "[a",
					  "a{2,1}", "(a)\\1", "a*", "()",    "x|"};
	const char *one[] = {"a(b"};
	bool hidden[16] = {false};
	struct why why = {""};
	struct pattern *p;
	struct redact *r;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why.text[0] = '\0';
		if (pattern_open(bad[i], &p, &why) != -EINVAL || !why.text[0])
			fail_msg("\"%s\" was taken", bad[i]);
	}
	assert_int_equal(redact_open(one, 1, &r, &why), -EINVAL);
	assert_int_equal(pattern_open("x(a)?b", &p, &why), 0);
	assert_int_equal(pattern_mark(p, "xab XB xb", hidden), 3);
	assert_false(hidden[0]);
	assert_true(hidden[1]);
	assert_false(hidden[2]);
	assert_true(hidden[4] && hidden[5]); /* without its group: all of it */
	assert_false(hidden[6]);
	pattern_free(p);
	assert_int_equal(pattern_open("a\\\\1", &p, &why), 0); /* a backslash, then 1 */
	pattern_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_secrets),	 cmocka_unit_test(test_rest),
		cmocka_unit_test(test_cut),	 cmocka_unit_test(test_budget),
		cmocka_unit_test(test_patterns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
