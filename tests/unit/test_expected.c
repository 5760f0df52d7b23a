/* SPDX-License-Identifier: Apache-2.0 */
/* What people say that claims should be: the best value unless the node has another good one; slips are refused with file and line. */
#include <errno.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "expected.h"
#include "fsio.h"
#include "policy_compile.h"

#define GOOD "sysctl:kernel.kptr_restrict: [\"2\", \"1\"]\nboot:lockdown: integrity\n"

static struct expected *opened(const char *text)
{
	struct expected *e = NULL;
	struct why why = {""};

	if (expected_open("e.yaml", text, strlen(text), &e, &why) < 0)
		fail_msg("%s", why.text);
	return e;
}

static void test_values(void **state)
{
	struct expected *e = opened(GOOD);

	(void)state;
	assert_string_equal(expected_value(e, "sysctl:kernel.kptr_restrict", "2"), "2");
	assert_string_equal(expected_value(e, "sysctl:kernel.kptr_restrict", "1"), "1");
	assert_string_equal(expected_value(e, "sysctl:kernel.kptr_restrict", "0"), "2");
	assert_string_equal(expected_value(e, "boot:lockdown", "none"), "integrity");
	assert_null(expected_value(e, "sysctl:kernel.kptr", "2"));
	expected_free(e);
}

struct told {
	char text[256];
};

static void tell(void *ctx, const char *key, const char *found, const char *value)
{
	struct told *t = ctx;
	size_t n = strlen(t->text);

	snprintf(t->text + n, sizeof(t->text) - n, "%s %s %s;", key, found ? found : "(none)",
		 value);
}

static void test_what_was_not_there_is_told(void **state)
{
	struct expected *e = opened(GOOD);
	struct told t = {""};

	(void)state;
	assert_string_equal(expected_value(e, "sysctl:kernel.kptr_restrict", "0"), "2");
	expected_each(e, tell, &t);
	assert_string_equal(t.text,
			    "sysctl:kernel.kptr_restrict 0 2;boot:lockdown (none) integrity;");
	expected_free(e);
}

static int put_told(void *ctx, const char *key, const char *value)
{
	tell(ctx, key, "put", value);
	return 0;
}

/* What only an agent can find is as it should be; what was found is not put again. */
static void test_what_an_agent_tells_is_put(void **state)
{
	struct expected *e = opened("sensor:tier: full\n" GOOD "sensor:exec_divergence: absent\n");
	struct told t = {""}, all = {""};

	(void)state;
	assert_string_equal(expected_value(e, "sensor:exec_divergence", "absent"), "absent");
	assert_int_equal(expected_told(e, put_told, &t), 0);
	assert_string_equal(t.text, "sensor:tier put full;");
	expected_each(e, tell, &all);
	assert_non_null(strstr(all.text, "sensor:tier full full;"));
	expected_free(e);
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} twins[] = {
		{"sysctl:a: [\"1\", [\"2\"]]\n", "e.yaml:1: "},
		{"sysctl:a: []\n", "e.yaml:1: wants a text"},
		{"sysctl:a: {b: c}\n", "e.yaml:1: wants a text"},
		{"sysctl:a: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]\n",
		 "1 to 16"},
		{"sysctl:a: \"1\"\nsysctl:a: \"2\"\n", "e.yaml:2: "},
		{"\"exec:sha256:00\": /bin/x\n", "is no claim"},
		{"\"file:/etc/passwd\": absent\n", "is no claim"},
		{"module:x: loaded\n", "is no claim"},
		{"sensor:tier: [full, reduced]\n", "e.yaml:1: wants one value"},
		{"- a\n", "e.yaml:1: "},
		{"", "e.yaml"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(twins) / sizeof(twins[0]); i++) {
		struct expected *e = NULL;
		struct why why = {""};

		assert_int_equal(
			expected_open("e.yaml", twins[i].text, strlen(twins[i].text), &e, &why),
			-EBADMSG);
		assert_null(e);
		if (!strstr(why.text, twins[i].why))
			fail_msg("%zu: \"%s\" is not in \"%s\"", i, twins[i].why, why.text);
	}
}

struct answered {
	const struct policy *policy;
	const char *path;
	uint32_t n;
};

static void is_answered(void *ctx, const char *key, const char *found, const char *value)
{
	struct answered *a = ctx;
	const struct policy_subject s = {.type = PLUMB_TYPE_CLAIM, .scope = "host", .key = key};
	const struct policy_rule *rule = policy_match(a->policy, &s);

	(void)found;
	(void)value;
	/* "rest" is for what nobody thought of; what is written down was thought of. */
	if (!rule || strstr(rule->id, "-rest"))
		fail_msg("%s: no rule of its own for %s", a->path, key);
	a->n++;
}

/* policies/expected/X.yaml stands beside policies/X.yaml, whose rules say what each of its keys means. */
static void test_shipped(void **state)
{
	glob_t files;

	(void)state;
	assert_int_equal(glob("policies/expected/*.yaml", 0, NULL, &files), 0);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		struct answered a = {.path = files.gl_pathv[i]};
		struct buf text = {0}, rules = {0}, bundle = {0};
		struct policy_yaml *y = NULL;
		struct policy *p = NULL;
		struct why why = {""};
		struct expected *e;
		char path[128];

		assert_int_equal(fsio_read_file(fsio_system(), a.path, EXPECTED_MAX_SIZE, &text),
				 0);
		buf_put(&text, "", 1);
		e = opened((char *)text.data);
		snprintf(path, sizeof(path), "policies/%s", strrchr(a.path, '/') + 1);
		assert_int_equal(fsio_read_file(fsio_system(), path, POLICY_YAML_MAX_SIZE, &rules),
				 0);
		assert_int_equal(policy_yaml_open(path, rules.data, rules.size, &y, &why), 0);
		assert_int_equal(policy_compile(y, &bundle, &p, &why), 0);
		a.policy = p;
		expected_each(e, is_answered, &a);
		assert_true(a.n > 10);
		policy_free(p);
		policy_yaml_free(y);
		expected_free(e);
		buf_done(&text);
		buf_done(&rules);
		buf_done(&bundle);
	}
	globfree(&files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_what_was_not_there_is_told),
		cmocka_unit_test(test_what_an_agent_tells_is_put),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_shipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
