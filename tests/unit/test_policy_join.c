/* SPDX-License-Identifier: Apache-2.0 */
/* One policy of several: all rules, the first file's answer first; one alone keeps its bytes; an id that is in two, or a name too long, is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "policy_compile.h"
#include "policy_join.h"

#define RULE                                                                                 \
	"    severity: high\n    action: hold\n    score: 1\n    claim: configuration\n    " \
	"value: 32\n"

struct part {
	struct buf bundle;
	struct policy *policy;
};

static struct part made(const char *name, unsigned int version, const char *id, const char *key)
{
	struct policy_yaml *y = NULL;
	struct part p = {.policy = NULL};
	struct why why = {""};
	char text[1024];

	snprintf(text, sizeof(text),
		 "name: %s\nversion: %u\nrules:\n  - id: %s\n    title: \"a title \\\"rules\\\":[ "
		 "in "
		 "it\"\n    when: {key: {prefix: \"%s\"}}\n" RULE,
		 name, version, id, key);
	if (policy_yaml_open("p.yaml", text, strlen(text), &y, &why) < 0 ||
	    policy_compile(y, &p.bundle, &p.policy, &why) < 0)
		fail_msg("%s", why.text);
	policy_yaml_free(y);
	return p;
}

static int join(const struct part *parts, uint32_t n, struct buf *ret, struct policy **ret_policy,
		struct why *why)
{
	struct policy_join_part p[POLICY_JOIN_MAX];

	for (uint32_t i = 0; i < n; i++)
		p[i] = (struct policy_join_part){&parts[i].bundle, parts[i].policy};
	return policy_join(p, n, ret, ret_policy, why);
}

static void done(struct part *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		policy_free(p[i].policy);
		buf_done(&p[i].bundle);
	}
}

static void test_two(void **state)
{
	struct part p[] = {made("one", 3, "special", "file:/etc/ssh/"),
			   made("two", 4, "general", "file:/etc/")};
	const struct policy_subject ssh = {.type = PLUMB_TYPE_FILE, .key = "file:/etc/ssh/x"};
	const struct policy_subject other = {.type = PLUMB_TYPE_FILE, .key = "file:/etc/x"};
	struct policy *joined = NULL;
	struct buf b = {0};
	struct why why = {""};

	(void)state;
	if (join(p, 2, &b, &joined, &why) < 0)
		fail_msg("%s", why.text);
	assert_string_equal(policy_name(joined), "one.two");
	assert_int_equal(policy_version(joined), 7);
	assert_int_equal(policy_n_rules(joined), 2);
	assert_string_equal(policy_match(joined, &ssh)->id, "special");
	assert_string_equal(policy_match(joined, &other)->id, "general");
	assert_string_equal(policy_rule(joined, 0)->title, "a title \"rules\":[ in it");
	policy_free(joined);
	joined = NULL;
	buf_clear(&b);
	/* Turned round, the general one answers for both: the order is the files'. */
	struct part turned[] = {p[1], p[0]};

	assert_int_equal(join(turned, 2, &b, &joined, &why), 0);
	assert_string_equal(policy_match(joined, &ssh)->id, "general");
	policy_free(joined);
	buf_done(&b);
	done(p, 2);
}

static void test_one_keeps_its_bytes(void **state)
{
	struct part p[] = {made("one", 3, "special", "file:/etc/ssh/")};
	struct policy *joined = NULL;
	struct buf b = {0};
	struct why why = {""};

	(void)state;
	assert_int_equal(join(p, 1, &b, &joined, &why), 0);
	assert_int_equal(b.size, p[0].bundle.size);
	assert_memory_equal(b.data, p[0].bundle.data, b.size);
	policy_free(joined);
	buf_done(&b);
	done(p, 1);
}

static void test_refused(void **state)
{
	char name[41];
	struct part twice[] = {made("one", 1, "same", "file:/a"),
			       made("two", 1, "same", "file:/b")};
	struct policy *joined = NULL;
	struct buf b = {0};
	struct why why = {""};

	(void)state;
	assert_int_equal(join(twice, 2, &b, &joined, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "rule \"same\" is in one and in two"));
	assert_int_equal(b.size, 0);
	done(twice, 2);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	struct part longer[] = {made(name, 1, "a", "file:/a"), made(name, 1, "b", "file:/b")};

	assert_int_equal(join(longer, 2, &b, &joined, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "longer than 64 bytes"));
	assert_null(joined);
	done(longer, 2);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_two),
					   cmocka_unit_test(test_one_keeps_its_bytes),
					   cmocka_unit_test(test_refused)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
