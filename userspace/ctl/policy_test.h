/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_test.h: runs the tests that stand in a policy's own file. In: its YAML and the compiled policy. Out: per test whether the
 * rule that it expects answers, and which rules no test reaches.
 */
#ifndef PLUMB_POLICY_TEST_H
#define PLUMB_POLICY_TEST_H

#include "policy.h"
#include "policy_yaml.h"

#define POLICY_TEST_MAX 2048u

struct policy_test_result {
	const char *name;	/* all borrowed from y and p */
	uint32_t line;
	const char *expected;	/* rule id or "none" */
	const char *found;
	bool good;
};

struct policy_test_report {
	uint32_t n_tests, n_failed;
	uint32_t n_unreached;	/* rules that no test reaches */
};

struct policy_test_calls {
	void (*tested)(void *ctx, const struct policy_test_result *t);	/* each may be NULL */
	void (*unreached)(void *ctx, const struct policy_rule *rule);
	void *ctx;
};

/* 0: they ran, the report says how; -EBADMSG: a test is written wrongly, ret_why says where. */
int policy_test(const struct policy_yaml *y, const struct policy *p, const struct policy_test_calls *calls,
		struct policy_test_report *ret, struct why *ret_why);

#endif
