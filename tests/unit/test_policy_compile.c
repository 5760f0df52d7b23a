/* SPDX-License-Identifier: Apache-2.0 */
/* YAML becomes the very bytes that are written down; each slip is refused with its file and line; tests in a policy can fail. */
#include <errno.h>
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
#include "policy_compile.h"
#include "policy_test.h"

#define EXAMPLE "tests/data/policy/policy.yaml"

struct compiled {
	struct buf yaml, bundle;
	struct policy_yaml *y;
	struct policy *policy;
	struct why why;
};

static int compile(struct compiled *c, const char *text, size_t size)
{
	int r = policy_yaml_open("p.yaml", text, size, &c->y, &c->why);

	return r < 0 ? r : policy_compile(c->y, &c->bundle, &c->policy, &c->why);
}

static void done(struct compiled *c)
{
	policy_free(c->policy);
	policy_yaml_free(c->y);
	buf_done(&c->yaml);
	buf_done(&c->bundle);
	*c = (struct compiled){.y = NULL};
}

static void test_example(void **state)
{
	struct policy_test_report report;
	struct compiled c = {.y = NULL};
	struct buf expected = {0};

	(void)state;
	assert_int_equal(fsio_read_file(fsio_system(), EXAMPLE, 65536, &c.yaml), 0);
	assert_int_equal(
		fsio_read_file(fsio_system(), "tests/data/policy/policy.json", 65536, &expected),
		0);
	assert_int_equal(compile(&c, (char *)c.yaml.data, c.yaml.size), 0);
	assert_int_equal(c.bundle.size, expected.size);
	assert_memory_equal(c.bundle.data, expected.data, expected.size);
	assert_int_equal(policy_test(c.y, c.policy, NULL, &report, &c.why), 0);
	assert_int_equal(report.n_tests, 5);
	assert_int_equal(report.n_failed, 0);
	assert_int_equal(report.n_unreached, 0);
	buf_done(&expected);
	done(&c);
}

/* What was found decides, and what nobody found agrees with nothing. */
static void test_found(void **state)
{
	struct policy_test_report report;
	struct compiled c = {.y = NULL};
	struct buf expected = {0};

	(void)state;
	assert_int_equal(
		fsio_read_file(fsio_system(), "tests/data/policy/found.yaml", 65536, &c.yaml), 0);
	assert_int_equal(
		fsio_read_file(fsio_system(), "tests/data/policy/found.json", 65536, &expected), 0);
	assert_int_equal(compile(&c, (char *)c.yaml.data, c.yaml.size), 0);
	assert_int_equal(c.bundle.size, expected.size);
	assert_memory_equal(c.bundle.data, expected.data, expected.size);
	assert_int_equal(policy_test(c.y, c.policy, NULL, &report, &c.why), 0);
	assert_int_equal(report.n_tests, 5);
	assert_int_equal(report.n_failed, 0);
	assert_int_equal(report.n_unreached, 0);
	buf_done(&expected);
	done(&c);
}

/* What a rule's remedy becomes, also where it is not all there. */
static void test_remedy(void **state)
{
	struct compiled c = {.y = NULL};
	struct buf expected = {0};

	(void)state;
	assert_int_equal(
		fsio_read_file(fsio_system(), "tests/data/policy/remedy.yaml", 65536, &c.yaml), 0);
	assert_int_equal(
		fsio_read_file(fsio_system(), "tests/data/policy/remedy.json", 65536, &expected),
		0);
	assert_int_equal(compile(&c, (char *)c.yaml.data, c.yaml.size), 0);
	assert_int_equal(c.bundle.size, expected.size);
	assert_memory_equal(c.bundle.data, expected.data, expected.size);
	assert_int_equal(policy_rule(c.policy, 1)->remedy_itself, 0);
	buf_done(&expected);
	done(&c);
}

/* The example with one text changed; where it must be refused, and with which word. */
static const struct twin {
	const char *from, *to, *why;
} twins[] = {
	{"name: example", "nam: example", "p.yaml:2: unknown key \"nam\""},
	{"name: example", "name: ex ample", "p.yaml:2: "},
	{"name: example", "name: example\nname: two", "p.yaml:3: key \"name\" is there twice"},
	{"name: example", "name: &a example", NULL}, /* an anchor alone is harmless */
	{"name: example", "name: !x example", "p.yaml:2: has a tag"},
	{"name: example", "name: [example]", "p.yaml:2: is no text"},
	{"name: example", "name: \"a\\0b\"", "p.yaml:2: a NUL"},
	{"version: 7", "version: 07", "p.yaml:3: \"07\" is no whole number"},
	{"version: 7", "version: -7", "p.yaml:3: "},
	{"version: 7", "version: 0", "version"},
	{"version: 7", "version:", "p.yaml:3: has no value"},
	{"version: 7\n", "", "version"},
	{"id: R-001", "id: R 001", "p.yaml:5: \"id\""},
	{"id: R-001", "id: none", "p.yaml:5: \"id\""},
	{"id: R-002", "id: R-001", "p.yaml:19: rule 2 (R-001): \"id\" R-001 is there twice"},
	{"type: exec\n", "type: exex\n", "p.yaml:8: \"exex\""},
	{"type: exec\n", "typ: exec\n", "p.yaml:8: unknown condition \"typ\""},
	{"/usr/bin/dpkg,", "/usr/bin/dpkg, &x {exact: /a}, *x,", "alias"},
	{"{prefix: /usr", "{starts: /usr", "p.yaml:10: unknown key \"starts\""},
	{"{prefix: /usr/lib/dpkg/}", "{prefix: /a, glob: b}", "p.yaml:10: wants one of"},
	{"{suffix: .conf}", "{glob: 'x\\'}", "rule 2 (R-002)"},
	{"severity: critical", "severity: bad", "p.yaml:11: \"severity\" wants info, low"},
	{"action: quarantine", "action: kill", "p.yaml:12: \"action\""},
	{"mode: armed", "mode: on", "p.yaml:13: \"mode\""},
	{"release: ack", "release: never", "p.yaml:14: \"release\""},
	{"score: 900", "score: 1001", "p.yaml:15: 1001 is more than 1000"},
	{"grace: 1500ms", "grace: 1500", "p.yaml:33: \"grace\""},
	{"grace: 1500ms", "grace: 8d", "p.yaml:33: \"grace\""},
	{"grace: 1500ms", "grace: ms", "p.yaml:33: \"grace\""},
	{"claim: executables", "claim: exec", "p.yaml:17: \"claim\""},
	{"value: 33", "value: 300", "p.yaml:18: 300 is more than 127"},
	{"uid: [0, 33]", "uid: [0, root]", "p.yaml:27: \"root\" is no whole number"},
	{"actor_known: true", "actor_known: yes", "p.yaml:27: \"yes\" is neither"},
	{"finding: [fork,", "finding: [spoon,", "there is no finding \"spoon\""},
	{"finding: [fork, judge_lie]", "finding: []", "wants a list"},
	{"rules:", "rules: {}\nrule:", "unknown key \"rule\""},
	{"rules:", "---\nrules:", "second document"},
	{"    when:\n      type: exec\n", "    whe:\n      type: exec\n", "unknown key \"whe\""},
	{"value: 33", "value: 33\n    remedy: {steps: [isolate, files], auto: [isolate]}", NULL},
	{"value: 33", "value: 33\n    remedy: {steps: [isolate]}", NULL},
	{"value: 33", "value: 33\n    remedy: {}", NULL},
	{"value: 33", "value: 33\n    remedy: [isolate]", "p.yaml:19: \"remedy\" wants"},
	{"value: 33", "value: 33\n    remedy: {step: [isolate]}", "p.yaml:19: unknown key"},
	{"value: 33", "value: 33\n    remedy: {steps: [pray]}", "p.yaml:19: \"pray\" is none of"},
	{"value: 33", "value: 33\n    remedy: {steps: []}", "wants a list"},
	{"value: 33", "value: 33\n    remedy: {steps: [keys, keys]}", "has keys twice"},
	{"value: 33", "value: 33\n    remedy: {auto: [reboot]}", "\"auto\" has a step"},
	{"title: The node's", "title: \t'The node's", "p.yaml:"},
};

static void twin_of(const struct buf *text, const struct twin *t, struct buf *ret)
{
	const char *at = strstr((char *)text->data, t->from);

	assert_non_null(at);
	buf_put(ret, text->data, (size_t)(at - (char *)text->data));
	buf_puts(ret, t->to);
	buf_puts(ret, at + strlen(t->from));
}

static void test_broken(void **state)
{
	struct compiled c = {.y = NULL};
	struct buf text = {0};

	(void)state;
	assert_int_equal(fsio_read_file(fsio_system(), EXAMPLE, 65536, &text), 0);
	for (size_t i = 0; i < ARRAY_SIZE(twins); i++) {
		int r;

		twin_of(&text, &twins[i], &c.yaml);
		r = compile(&c, (char *)c.yaml.data, c.yaml.size);
		if ((r >= 0) != !twins[i].why)
			fail_msg("%s: %d %s", twins[i].to, r, c.why.text);
		if (twins[i].why && !strstr(c.why.text, twins[i].why))
			fail_msg("%s: \"%s\" does not say \"%s\"", twins[i].to, c.why.text,
				 twins[i].why);
		done(&c);
	}
	buf_done(&text);
}

static void test_strange_files(void **state)
{
	static const char *const texts[] = {
		"",	   "# nothing\n",	    "- a\n",	   "text\n", "\xff\xfe",
		"a: b: c", "{name: a, version: 1}", "? [a]\n: b\n"};
	struct compiled c = {.y = NULL};
	struct buf deep = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_int_equal(compile(&c, texts[i], strlen(texts[i])), -EBADMSG);
		assert_non_null(strstr(c.why.text, "p.yaml:"));
		done(&c);
	}
	buf_puts(&deep, "name: a\nversion: 1\nrules: ");
	for (int i = 0; i < 100; i++)
		buf_puts(&deep, "[");
	for (int i = 0; i < 100; i++)
		buf_puts(&deep, "]");
	assert_int_equal(compile(&c, (char *)deep.data, deep.size), -EBADMSG);
	assert_non_null(strstr(c.why.text, "deeper"));
	buf_done(&deep);
	done(&c);
}

/* A policy whose tests are as given. */
static int try_tests(const char *tests, struct policy_test_report *ret, struct why *ret_why)
{
	struct compiled c = {.y = NULL};
	int r;

	buf_printf(&c.yaml,
		   "name: n\nversion: 1\nrules:\n"
		   "  - {id: a, title: t, when: {key: x}, severity: low, action: report, score: 1, "
		   "claim: hardware, value: 32}\n"
		   "  - {id: b, title: t, when: {key: y}, severity: low, action: report, score: 1, "
		   "claim: hardware, value: 32}\n%s",
		   tests);
	assert_int_equal(compile(&c, (char *)c.yaml.data, c.yaml.size), 0);
	r = policy_test(c.y, c.policy, NULL, ret, ret_why);
	done(&c);
	return r;
}

static void test_tests(void **state)
{
	static const char *const broken[][2] = {
		{"tests: 5", "wants a list"},
		{"tests: [5]", "p.yaml:6: is no map"},
		{"tests:\n  - {name: t, given: {type: exec}}", "p.yaml:7: \"expect\" is missing"},
		{"tests: [{name: t, given: {key: x}, expect: a}]", "either a type or a finding"},
		{"tests: [{name: t, given: {type: exec, finding: gap}, expect: a}]", "either"},
		{"tests: [{name: t, given: {type: log}, expect: a}]", "no type \"log\""},
		{"tests: [{name: t, given: {finding: x}, expect: a}]", "no finding \"x\""},
		{"tests: [{name: t, given: {type: exec}, expect: c}]", "rule \"c\""},
		{"tests: [{name: t, given: {type: exec, kye: x}, expect: a}]", "unknown key"},
	};
	struct policy_test_report report;
	struct why why = {""};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		if (try_tests(broken[i][0], &report, &why) != -EBADMSG)
			fail_msg("%s was taken", broken[i][0]);
		if (!strstr(why.text, broken[i][1]))
			fail_msg("%s: %s", broken[i][0], why.text);
	}
	assert_int_equal(try_tests("", &report, &why), 0);
	assert_int_equal(report.n_tests, 0);
	assert_int_equal(report.n_unreached, 2);
	assert_int_equal(try_tests("tests:\n"
				   "  - {name: t, given: {type: exec, key: x}, expect: a}\n"
				   "  - {name: t, given: {type: exec, key: x}, expect: b}\n"
				   "  - {name: t, given: {type: exec, key: x}, expect: none}\n"
				   "  - {name: t, given: {type: exec, key: z}, expect: none}\n",
				   &report, &why),
			 0);
	assert_int_equal(report.n_tests, 4);
	assert_int_equal(report.n_failed, 2);
	assert_int_equal(report.n_unreached, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example), cmocka_unit_test(test_remedy),
		cmocka_unit_test(test_broken),	cmocka_unit_test(test_strange_files),
		cmocka_unit_test(test_tests),	cmocka_unit_test(test_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
