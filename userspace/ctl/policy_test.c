/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"

#define MAX_TEXT 4096

struct given {
	struct policy_subject subject;
	char finding_key[64];
};

static int texts(const struct policy_yaml *y, int map, struct policy_subject *s,
		 struct why *ret_why)
{
	const struct {
		const char *key, **into;
		bool actor;
	} fields[] = {
		{"scope", &s->scope, false},
		{"key", &s->key, false},
		{"expected", &s->expected, false},
		{"found", &s->found, false},
		{"exe", &s->exe, true},
		{"cgroup", &s->cgroup, true},
		{"layer", &s->layer, false},
		{"announced_by", &s->announced_by, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		int node = policy_yaml_get(y, map, fields[i].key), r;

		if (!node)
			continue;
		r = policy_yaml_text(y, node, MAX_TEXT, fields[i].into, ret_why);
		if (r < 0)
			return r;
		s->actor_known |= fields[i].actor;
	}
	return 0;
}

static int actor(const struct policy_yaml *y, int map, struct policy_subject *s,
		 struct why *ret_why)
{
	int node = policy_yaml_get(y, map, "uid"), r = 0;
	uint64_t uid;

	if (node) {
		r = policy_yaml_uint(y, node, UINT32_MAX, &uid, ret_why);
		if (r < 0)
			return r;
		s->uid = (uint32_t)uid;
		s->actor_known = true;
	}
	node = policy_yaml_get(y, map, "actor_known");
	return node ? policy_yaml_bool(y, node, &s->actor_known, ret_why) : 0;
}

/* What a test gives: a measurement, or a finding, which has its key by itself. */
static int read_given(const struct policy_yaml *y, int map, struct given *g, struct why *ret_why)
{
	static const char *const keys[] = {"type",     "finding", "scope",	 "key",
					   "expected", "found",	  "exe",	 "cgroup",
					   "layer",    "uid",	  "actor_known", "announced_by"};
	struct policy_subject *s = &g->subject;
	const char *type = NULL, *finding = NULL;
	int r = policy_yaml_only(y, map, keys, ARRAY_SIZE(keys), ret_why), node;

	node = r < 0 ? 0 : policy_yaml_get(y, map, "type");
	if (node)
		r = policy_yaml_text(y, node, 32, &type, ret_why);
	node = r < 0 ? 0 : policy_yaml_get(y, map, "finding");
	if (node)
		r = policy_yaml_text(y, node, 32, &finding, ret_why);
	if (r < 0)
		return r;
	s->type = (enum plumb_type)terms_type_from_name(type);
	s->finding = (enum plumb_finding)terms_finding_from_name(finding);
	if (!type == !finding)
		return policy_yaml_fail(y, map, ret_why, "a test gives either a type or a finding");
	if (finding && !s->finding)
		return policy_yaml_fail(y, map, ret_why, "there is no finding \"%s\"", finding);
	if (type && !terms_type_is_measurement(s->type))
		return policy_yaml_fail(y, map, ret_why, "there is no type \"%s\"", type);
	if (finding) {
		snprintf(g->finding_key, sizeof(g->finding_key), "finding:%s", finding);
		s->key = g->finding_key;
	}
	s->scope = "host";
	r = texts(y, map, s, ret_why);
	return r < 0 ? r : actor(y, map, s, ret_why);
}

static bool has_rule(const struct policy *p, const char *id)
{
	for (uint32_t i = 0; i < policy_n_rules(p); i++)
		if (strcmp(policy_rule(p, i)->id, id) == 0)
			return true;
	return strcmp(id, "none") == 0;
}

static int run_one(const struct policy_yaml *y, const struct policy *p, int test,
		   struct policy_test_result *ret, struct why *ret_why)
{
	static const char *const keys[] = {"name", "given", "expect"};
	struct given g = {.subject = {.type = PLUMB_TYPE_UNKNOWN}};
	const struct policy_rule *rule;
	int r = policy_yaml_only(y, test, keys, ARRAY_SIZE(keys), ret_why);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!policy_yaml_get(y, test, keys[i]))
			return policy_yaml_fail(y, test, ret_why, "\"%s\" is missing", keys[i]);
	r = policy_yaml_text(y, policy_yaml_get(y, test, "name"), 256, &ret->name, ret_why);
	if (r >= 0)
		r = policy_yaml_text(y, policy_yaml_get(y, test, "expect"), POLICY_MAX_ID,
				     &ret->expected, ret_why);
	if (r >= 0)
		r = read_given(y, policy_yaml_get(y, test, "given"), &g, ret_why);
	if (r < 0)
		return r;
	if (!has_rule(p, ret->expected))
		return policy_yaml_fail(y, test, ret_why, "expects rule \"%s\", which is not there",
					ret->expected);
	rule = policy_match(p, &g.subject);
	ret->line = policy_yaml_line(y, test);
	ret->found = rule ? rule->id : "none";
	ret->good = strcmp(ret->found, ret->expected) == 0;
	return 0;
}

static void mark_reached(const struct policy *p, const char *id, bool *reached)
{
	for (uint32_t i = 0; i < policy_n_rules(p); i++)
		reached[i] |= strcmp(policy_rule(p, i)->id, id) == 0;
}

int policy_test(const struct policy_yaml *y, const struct policy *p,
		const struct policy_test_calls *calls, struct policy_test_report *ret,
		struct why *ret_why)
{
	int tests = policy_yaml_get(y, policy_yaml_root(y), "tests");
	struct policy_test_report report = {0};
	bool reached[POLICY_MAX_RULES] = {false};

	if (tests && (policy_yaml_kind(y, tests) != POLICY_YAML_LIST ||
		      policy_yaml_n(y, tests) > POLICY_TEST_MAX))
		return policy_yaml_fail(y, tests, ret_why, "\"tests\" wants a list of at most %u",
					POLICY_TEST_MAX);
	report.n_tests = tests ? policy_yaml_n(y, tests) : 0;
	for (uint32_t i = 0; i < report.n_tests; i++) {
		struct policy_test_result t = {.good = false};
		int r = run_one(y, p, policy_yaml_item(y, tests, i), &t, ret_why);

		if (r < 0)
			return r;
		mark_reached(p, t.found, reached);
		report.n_failed += !t.good;
		if (calls && calls->tested)
			calls->tested(calls->ctx, &t);
	}
	for (uint32_t i = 0; i < policy_n_rules(p); i++) {
		report.n_unreached += !reached[i];
		if (!reached[i] && calls && calls->unreached)
			calls->unreached(calls->ctx, policy_rule(p, i));
	}
	*ret = report;
	return 0;
}
