/* SPDX-License-Identifier: Apache-2.0 */
/* The border: a bundle is read as it is written down; its first rule that matches answers; broken twins are refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cleanup.h"
#include "fsio.h"
#include "policy.h"
#include "policy_remedy.h"

static struct policy *example(void)
{
	struct policy *p = NULL;
	struct buf text = {0};
	struct why why = {""};

	assert_int_equal(
		fsio_read_file(fsio_system(), "tests/data/policy/policy.json", 65536, &text), 0);
	assert_int_equal(policy_open(text.data, text.size, &p, &why), 0);
	buf_done(&text);
	return p;
}

static void test_example(void **state)
{
	struct policy *p = example();
	const struct policy_rule *r = policy_rule(p, 1);
	char hex[DIGEST_HEX_SIZE];

	(void)state;
	digest_hex(policy_digest(p), hex);
	assert_string_equal(policy_name(p), "example");
	assert_int_equal(policy_version(p), 7);
	assert_int_equal(policy_n_rules(p), 3);
	assert_null(policy_rule(p, 3));
	assert_string_equal(r->id, "R-002");
	assert_int_equal(r->severity, PLUMB_SEVERITY_MEDIUM);
	assert_int_equal(r->action, PLUMB_ACTION_HOLD);
	assert_int_equal(r->mode, POLICY_MODE_REPORT);
	assert_int_equal(r->release, POLICY_RELEASE_CLAIM);
	assert_int_equal(r->score, 300);
	assert_int_equal(r->grace_ms, 1500);
	assert_int_equal(r->remedy, 0);
	assert_int_equal(r->remedy_itself, 0);
	assert_int_equal(r->claim_value, 32);
	assert_string_equal(r->claim, "configuration");
	assert_int_equal(policy_rule(p, 0)->mode, POLICY_MODE_ARMED);
	policy_free(p);
}

static void test_match(void **state)
{
	static const struct {
		struct policy_subject s;
		const char *id;
	} rows[] = {
		{{.type = PLUMB_TYPE_EXEC, .key = "exec:/tmp/x"}, "R-001"},
		/* Nobody knows who it was: no reason to let it pass. */
		{{.type = PLUMB_TYPE_EXEC, .exe = "/usr/bin/dpkg"}, "R-001"},
		{{.type = PLUMB_TYPE_EXEC, .exe = "/usr/bin/dpkg", .actor_known = true}, NULL},
		{{.type = PLUMB_TYPE_EXEC, .exe = "/usr/bin/dpkg2", .actor_known = true}, "R-001"},
		{{.type = PLUMB_TYPE_EXEC, .exe = "/usr/lib/dpkg/a", .actor_known = true}, NULL},
		{{.type = PLUMB_TYPE_FILE, .scope = "image:x", .key = "file:/srv/a/config/b/c"},
		 "R-002"},
		{{.type = PLUMB_TYPE_FILE, .scope = "host", .key = "file:/srv/a/config/b/c"}, NULL},
		{{.type = PLUMB_TYPE_FILE, .scope = "image:x", .key = "file:/srv/a/b/config/c"},
		 NULL},
		{{.type = PLUMB_TYPE_FILE, .key = "file:/srv/a/config/b/c"}, NULL},
		{{.type = PLUMB_TYPE_FILE,
		  .key = "file:/x.conf",
		  .uid = 33,
		  .actor_known = true,
		  .cgroup = "/shop.slice"},
		 "R-002"},
		{{.type = PLUMB_TYPE_FILE,
		  .key = "file:/x.conf",
		  .uid = 34,
		  .actor_known = true,
		  .cgroup = "/shop.slice"},
		 NULL},
		{{.type = PLUMB_TYPE_FILE, .key = "file:/x.conf", .cgroup = "/shop.slice"}, NULL},
		{{.finding = PLUMB_FINDING_FORK}, "R-003"},
		{{.finding = PLUMB_FINDING_JUDGE_LIE}, "R-003"},
		{{.finding = PLUMB_FINDING_GAP}, NULL},
		/* A finding is no exec, whatever its type field says. */
		{{.type = PLUMB_TYPE_EXEC, .finding = PLUMB_FINDING_GAP}, NULL},
	};
	struct policy *p = example();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct policy_rule *r = policy_match(p, &rows[i].s);

		if (rows[i].id ? !r || strcmp(r->id, rows[i].id) != 0 : r != NULL)
			fail_msg("row %zu: %s instead of %s", i, r ? r->id : "none",
				 rows[i].id ? rows[i].id : "none");
	}
	policy_free(p);
}

static struct policy *with_condition(const char *when, struct why *why)
{
	struct policy *p = NULL;
	struct buf b = {0};

	buf_printf(&b,
		   "{\"v\":1,\"name\":\"n\",\"version\":1,\"rules\":[{\"id\":\"a\",\"title\":\"t\","
		   "\"when\":%s,\"severity\":\"low\",\"action\":\"report\",\"mode\":\"report\","
		   "\"release\":\"ack\",\"score\":1,\"grace_ms\":0,\"claim\":\"hardware\","
		   "\"value\":32}]}",
		   when);
	if (policy_open(b.data, b.size, &p, why) < 0)
		p = NULL;
	buf_done(&b);
	return p;
}

/* Single conditions against a subject of which little is known. */
static void test_unknown(void **state)
{
	static const struct {
		const char *when;
		struct policy_subject s;
		bool matches;
	} rows[] = {
		{"{\"uid\":0}", {.type = PLUMB_TYPE_FILE}, false},
		{"{\"uid\":0}", {.type = PLUMB_TYPE_FILE, .actor_known = true}, true},
		{"{\"not\":{\"uid\":0}}", {.type = PLUMB_TYPE_FILE}, true},
		{"{\"cgroup\":\"/x\"}", {.type = PLUMB_TYPE_FILE, .cgroup = "/x"}, false},
		{"{\"cgroup\":\"/x\"}", {.cgroup = "/x", .actor_known = true}, true},
		{"{\"layer\":\"upper\"}", {.type = PLUMB_TYPE_EXEC, .layer = "upper"}, true},
		{"{\"layer\":\"upper\"}", {.type = PLUMB_TYPE_EXEC, .layer = "unknown"}, false},
		{"{\"layer\":\"upper\"}", {.type = PLUMB_TYPE_EXEC}, false},
		{"{\"announced_by\":\"operator\"}",
		 {.finding = PLUMB_FINDING_UNANCHORED, .announced_by = "operator"},
		 true},
		{"{\"announced_by\":\"operator\"}",
		 {.finding = PLUMB_FINDING_UNANCHORED, .announced_by = "node"},
		 false},
		{"{\"announced_by\":\"operator\"}", {.finding = PLUMB_FINDING_UNANCHORED}, false},
		{"{\"found\":\"absent\"}", {.found = "absent"}, true},
		{"{\"found\":\"absent\"}", {.found = "absent detached"}, false},
		{"{\"found\":\"absent\"}", {.expected = "absent"}, false},
		{"{\"found\":{\"prefix\":\"unknown \"}}", {.found = "unknown EMFILE"}, true},
		{"{\"found\":{\"prefix\":\"unknown \"}}", {.found = "unknown"}, false},
		{"{\"not\":{\"found\":\"absent\"}}", {.type = PLUMB_TYPE_MODULE}, true},
		{"{\"actor_known\":false}", {.type = PLUMB_TYPE_FILE}, true},
		{"{\"key\":{\"suffix\":\"a-long-end\"}}", {.key = "end"}, false},
		{"{\"key\":{\"suffix\":\"end\"}}", {.key = "end"}, true},
		{"{\"key\":{\"prefix\":\"a-long-start\"}}", {.key = "a-"}, false},
		{"{\"scope\":\"host\"}", {.type = PLUMB_TYPE_FILE}, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct why why = {""};
		struct policy *p = with_condition(rows[i].when, &why);

		assert_non_null(p);
		if ((policy_match(p, &rows[i].s) != NULL) != rows[i].matches)
			fail_msg("row %zu: %s", i, rows[i].when);
		policy_free(p);
	}
}

static void test_glob(void **state)
{
	static const struct {
		const char *glob, *text;
		bool matches;
	} rows[] = {
		{"a", "a", true},
		{"a", "ab", false},
		{"a", "", false},
		{"*", "", true},
		{"*", "abc", true},
		{"*", "a/c", false},
		{"**", "a/c", true},
		{"a*c", "abbc", true},
		{"a*c", "ac", true},
		{"a*c", "a/c", false},
		{"a**c", "a/b/c", true},
		{"/**/x", "/a/b/x", true},
		{"/**/x", "/x", false},
		{"?", "a", true},
		{"?", "/", false},
		{"a\\\\*", "a*", true},
		{"a\\\\*", "ab", false},
		{"a\\\\?", "a?", true},
		{"*.so*", "libc.so.6", true},
		{"***", "a/b", true},
		{"[a]", "a", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct policy_subject s = {.key = rows[i].text};
		struct why why = {""};
		struct policy *p;
		char when[128];

		snprintf(when, sizeof(when), "{\"key\":{\"glob\":\"%s\"}}", rows[i].glob);
		p = with_condition(when, &why);
		assert_non_null(p);
		if ((policy_match(p, &s) != NULL) != rows[i].matches)
			fail_msg("%s and %s", rows[i].glob, rows[i].text);
		policy_free(p);
	}
}

/* A pattern that makes backtracking matchers run for years. */
static void test_glob_is_fast(void **state)
{
	char when[600] = "{\"key\":{\"glob\":\"", text[4096];
	struct policy_subject s = {.key = text};
	struct why why = {""};
	struct policy *p;

	(void)state;
	for (int i = 0; i < 160; i++)
		strcat(when, "**a");
	strcat(when, "\"}}");
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 2] = 'b';
	text[sizeof(text) - 1] = 0;
	p = with_condition(when, &why);
	assert_non_null(p);
	assert_null(policy_match(p, &s));
	policy_free(p);
}

static void test_broken_conditions(void **state)
{
	static const char *const rows[][2] = {
		{"{}", "empty"},
		{"[]", "when"},
		{"{\"keys\":\"x\"}", "keys"},
		{"{\"key\":5}", "key"},
		{"{\"key\":\"\"}", "key"},
		{"{\"key\":[]}", "key"},
		{"{\"key\":{\"regex\":\"x\"}}", "glob"},
		{"{\"key\":{\"prefix\":\"x\",\"suffix\":\"y\"}}", "key"},
		{"{\"key\":{\"glob\":\"x\\\\\"}}", "glob"},
		{"{\"type\":\"quote\"}", "type"},
		{"{\"type\":1}", "type"},
		{"{\"finding\":\"none\"}", "finding"},
		{"{\"found\":5}", "found"},
		{"{\"found\":\"\"}", "found"},
		{"{\"found\":[]}", "found"},
		{"{\"found\":{\"regex\":\"x\"}}", "found"},
		{"{\"uid\":-1}", "uid"},
		{"{\"uid\":4294967296}", "uid"},
		{"{\"uid\":\"0\"}", "uid"},
		{"{\"actor_known\":1}", "actor_known"},
		{"{\"all\":[]}", "all"},
		{"{\"any\":{\"key\":\"x\"}}", "any"},
		{"{\"not\":[{\"key\":\"x\"}]}", "empty or no object"},
		{"{\"not\":{\"not\":{\"not\":{\"not\":{\"not\":{\"not\":{\"not\":{\"not\":{\"not\":"
		 "{\"not\":{\"not\":{\"not\":{\"not\":{\"not\":{\"not\":{\"not\":{\"uid\":0}"
		 "}}}}}}}}}}}}}}}}",
		 "deep"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct why why = {""};

		if (with_condition(rows[i][0], &why))
			fail_msg("%s was taken", rows[i][0]);
		if (!strstr(why.text, rows[i][1]))
			fail_msg("%s: \"%s\" does not say %s", rows[i][0], why.text, rows[i][1]);
	}
}

static void test_broken(void **state)
{
	static const struct {
		const char *from, *to, *why;
	} twins[] = {
		{"\"v\":1", "\"v\":2", "v"},
		{"\"v\":1", "\"v\":0", "v"},
		{"\"version\":7", "\"version\":0", "version"},
		{"\"name\":\"example\"", "\"name\":\"../x\"", "name"},
		{"\"rules\":[", "\"tests\":[],\"rules\":[", "tests"},
		{"\"R-002\"", "\"R-001\"", "twice"},
		{"\"R-002\"", "\"R 002\"", "id"},
		{"\"score\":300", "\"score\":1001", "score"},
		{"\"score\":300", "\"score\":3.5", ""},
		{"\"grace_ms\":1500", "\"grace_ms\":604800001", "grace_ms"},
		{"\"value\":32", "\"value\":128", "value"},
		{"\"severity\":\"medium\"", "\"severity\":\"bad\"", "R-002"},
		{"\"action\":\"hold\"", "\"action\":\"kill\"", "action"},
		{"\"mode\":\"armed\"", "\"mode\":\"on\"", "mode"},
		{"\"release\":\"claim\"", "\"release\":\"never\"", "release"},
		{"\"claim\":\"configuration\"", "\"claim\":\"config\"", "AR4SI"},
		{"\"score\":0", "\"score\":0,\"scores\":0", "scores"},
		{"\"score\":0,", "", "score"},
#define REMEDY(members) "\"value\":96,\"remedy\":" members "}]}"
		{"\"value\":96}]}", REMEDY("[]"), "steps and auto"},
		{"\"value\":96}]}", REMEDY("{\"steps\":[]}"), "steps and auto"},
		{"\"value\":96}]}", REMEDY("{\"steps\":[],\"auto\":[],\"x\":1}"), "steps and"},
		{"\"value\":96}]}", REMEDY("{\"steps\":[\"pray\"],\"auto\":[]}"), "there is not"},
		{"\"value\":96}]}", REMEDY("{\"steps\":[1],\"auto\":[]}"), "there is not"},
		{"\"value\":96}]}", REMEDY("{\"steps\":[\"keys\",\"keys\"],\"auto\":[]}"),
		 "keys twice"},
		{"\"value\":96}]}", REMEDY("{\"steps\":[\"keys\"],\"auto\":[\"reboot\"]}"),
		 "\"auto\""},
		{"\"value\":96}]}", "\"value\":96}]", ""},
		{"\"value\":96}]}", "\"value\":96}]}x", ""},
	};
	struct buf text = {0};

	(void)state;
	assert_int_equal(
		fsio_read_file(fsio_system(), "tests/data/policy/policy.json", 65536, &text), 0);
	for (size_t i = 0; i < ARRAY_SIZE(twins); i++) {
		const char *at = strstr((char *)text.data, twins[i].from);
		struct policy *p = NULL;
		struct why why = {""};
		struct buf twin = {0};

		assert_non_null(at);
		buf_put(&twin, text.data, (size_t)(at - (char *)text.data));
		buf_puts(&twin, twins[i].to);
		buf_puts(&twin, at + strlen(twins[i].from));
		if (policy_open(twin.data, twin.size, &p, &why) >= 0)
			fail_msg("%s was taken", twins[i].to);
		if (!why.text[0] || !strstr(why.text, twins[i].why))
			fail_msg("%s: \"%s\" does not say %s", twins[i].to, why.text, twins[i].why);
		buf_done(&twin);
	}
	for (size_t size = 0; size < text.size; size++) {
		struct policy *p = NULL;

		assert_true(policy_open(text.data, size, &p, NULL) < 0);
	}
	buf_done(&text);
}

/* A bundle of before says nothing of it; and attest and release are part of every plan. */
static void test_remedy(void **state)
{
	static const char with[] =
		"{\"v\":1,\"name\":\"n\",\"version\":1,\"rules\":[{\"id\":\"a\",\"title\":\"t\","
		"\"when\":{\"uid\":0},\"severity\":\"high\",\"action\":\"hold\",\"mode\":\"armed\","
		"\"release\":\"ack\",\"score\":1,\"grace_ms\":0,\"claim\":\"hardware\","
		"\"value\":32,\"remedy\":{\"steps\":[\"isolate\",\"reboot\"],"
		"\"auto\":[\"isolate\",\"release\"]}}]}";
	struct policy *p = NULL;

	(void)state;
	assert_int_equal(policy_open(with, strlen(with), &p, NULL), 0);
	assert_int_equal(policy_rule(p, 0)->remedy,
			 1u << POLICY_REMEDY_ISOLATE | 1u << POLICY_REMEDY_REBOOT |
				 1u << POLICY_REMEDY_ATTEST | 1u << POLICY_REMEDY_RELEASE);
	assert_int_equal(policy_rule(p, 0)->remedy_itself,
			 1u << POLICY_REMEDY_ISOLATE | 1u << POLICY_REMEDY_RELEASE);
	policy_free(p);
}

static void test_too_many(void **state)
{
	struct policy *p = NULL;
	struct why why = {""};
	struct buf b = {0};

	(void)state;
	buf_puts(&b, "{\"v\":1,\"name\":\"n\",\"version\":1,\"rules\":[");
	for (unsigned int i = 0; i <= POLICY_MAX_RULES; i++)
		buf_puts(&b, i ? ",{}" : "{}");
	buf_puts(&b, "]}");
	assert_true(policy_open(b.data, b.size, &p, &why) < 0);
	assert_non_null(strstr(why.text, "rules"));
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example),	     cmocka_unit_test(test_match),
		cmocka_unit_test(test_unknown),	     cmocka_unit_test(test_glob),
		cmocka_unit_test(test_glob_is_fast), cmocka_unit_test(test_broken_conditions),
		cmocka_unit_test(test_broken),	     cmocka_unit_test(test_remedy),
		cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
