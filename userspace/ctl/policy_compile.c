/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_compile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "jsonl.h"
#include "policy_remedy.h"

struct compile {
	const struct policy_yaml *y;
	struct jsonl j;
	struct why *why;
};

static int put_pattern(struct compile *c, const char *key, int node)
{
	static const char *const ways[] = {"exact", "prefix", "suffix", "glob"};
	const char *text, *way = NULL;
	int r, value = node;

	if (policy_yaml_kind(c->y, node) == POLICY_YAML_MAP) {
		r = policy_yaml_only(c->y, node, ways, ARRAY_SIZE(ways), c->why);
		if (r < 0)
			return r;
		if (policy_yaml_n(c->y, node) != 1)
			return policy_yaml_fail(c->y, node, c->why,
						"wants one of exact, prefix, suffix, glob");
		value = policy_yaml_pair(c->y, node, 0, &way);
	}
	r = policy_yaml_text(c->y, value, POLICY_MAX_PATTERN, &text, c->why);
	if (r < 0)
		return r;
	if (!way) {
		jsonl_str(&c->j, key, text);
		return 0;
	}
	jsonl_object(&c->j, key);
	jsonl_str(&c->j, way, text);
	jsonl_close(&c->j);
	return 0;
}

static int put_type(struct compile *c, const char *key, int node)
{
	const char *text;
	int r = policy_yaml_text(c->y, node, 32, &text, c->why), type;

	if (r < 0)
		return r;
	type = terms_type_from_name(text);
	if (!terms_type_is_measurement((enum plumb_type)type))
		return policy_yaml_fail(
			c->y, node, c->why,
			"\"%s\" is none of exec, file, mount, module, claim, load, bpf", text);
	jsonl_str(&c->j, key, text);
	return 0;
}

static int put_finding(struct compile *c, const char *key, int node)
{
	const char *text;
	int r = policy_yaml_text(c->y, node, 32, &text, c->why);

	if (r < 0)
		return r;
	if (!terms_finding_from_name(text))
		return policy_yaml_fail(c->y, node, c->why, "there is no finding \"%s\"", text);
	jsonl_str(&c->j, key, text);
	return 0;
}

static int put_uid(struct compile *c, const char *key, int node)
{
	uint64_t v;
	int r = policy_yaml_uint(c->y, node, UINT32_MAX, &v, c->why);

	if (r >= 0)
		jsonl_uint(&c->j, key, v);
	return r;
}

static int put_bool(struct compile *c, const char *key, int node)
{
	bool v;
	int r = policy_yaml_bool(c->y, node, &v, c->why);

	if (r >= 0)
		jsonl_bool(&c->j, key, v);
	return r;
}

static const struct condition {
	const char *key;
	int (*put)(struct compile *c, const char *key, int node);
} conditions[] = {{"type", put_type},	     {"finding", put_finding},
		  {"scope", put_pattern},    {"key", put_pattern},
		  {"exe", put_pattern},	     {"cgroup", put_pattern},
		  {"layer", put_pattern},    {"uid", put_uid},
		  {"actor_known", put_bool}, {"announced_by", put_pattern},
		  {"found", put_pattern}};

static int put_when(struct compile *c, const char *key, int node);

/* key: what the list is called in the bundle. */
static int put_list(struct compile *c, const char *key, int node,
		    int (*put)(struct compile *c, const char *key, int node))
{
	int r = 0;

	if (policy_yaml_kind(c->y, node) != POLICY_YAML_LIST || policy_yaml_n(c->y, node) == 0)
		return policy_yaml_fail(c->y, node, c->why, "\"%s\" wants a list", key);
	jsonl_array(&c->j, key);
	for (uint32_t i = 0; i < policy_yaml_n(c->y, node) && r >= 0; i++)
		r = put(c, NULL, policy_yaml_item(c->y, node, i));
	jsonl_close(&c->j);
	return r;
}

static int put_condition(struct compile *c, const char *key, int node)
{
	if (strcmp(key, "all") == 0 || strcmp(key, "any") == 0)
		return put_list(c, key, node, put_when);
	if (strcmp(key, "not") == 0)
		return put_when(c, key, node);
	for (size_t i = 0; i < ARRAY_SIZE(conditions); i++) {
		if (strcmp(conditions[i].key, key) != 0)
			continue;
		if (policy_yaml_kind(c->y, node) == POLICY_YAML_LIST)
			return put_list(c, key, node, conditions[i].put);
		return conditions[i].put(c, key, node);
	}
	return policy_yaml_fail(c->y, node, c->why, "unknown condition \"%.40s\"", key);
}

static int put_when(struct compile *c, const char *key, int node)
{
	int r = 0;

	if (policy_yaml_kind(c->y, node) != POLICY_YAML_MAP || policy_yaml_n(c->y, node) == 0)
		return policy_yaml_fail(c->y, node, c->why,
					"a condition wants at least one key and value");
	jsonl_object(&c->j, key);
	for (uint32_t i = 0; i < policy_yaml_n(c->y, node) && r >= 0; i++) {
		const char *name;
		int value = policy_yaml_pair(c->y, node, i, &name);

		r = put_condition(c, name, value);
	}
	jsonl_close(&c->j);
	return r;
}

/* The value of a key that must be there unless there is something to take instead. */
static int text_of(struct compile *c, int map, const char *key, const char *otherwise,
		   const char **ret, int *ret_node)
{
	int node = policy_yaml_get(c->y, map, key);

	*ret_node = node ? node : map;
	if (node)
		return policy_yaml_text(c->y, node, POLICY_MAX_TITLE, ret, c->why);
	if (!otherwise)
		return policy_yaml_fail(c->y, map, c->why, "\"%s\" is missing", key);
	*ret = otherwise;
	return 0;
}

static bool is_severity(const char *name)
{
	return terms_severity_from_name(name) != 0;
}

static bool is_action(const char *name)
{
	return terms_action_from_name(name) != 0;
}

static bool is_mode(const char *name)
{
	return policy_mode_from_name(name) != 0;
}

static bool is_release(const char *name)
{
	return policy_release_from_name(name) != 0;
}

static bool is_title(const char *name)
{
	return *name != 0;
}

static const struct word {
	const char *key, *otherwise, *kinds;
	bool (*good)(const char *name);
} words[] = {
	{"id", NULL, "1 to 64 letters, digits, . _ -", policy_is_id},
	{"title", NULL, "a line of text", is_title},
	{"severity", NULL, "info, low, medium, high, critical", is_severity},
	{"action", NULL, "report, hold, quarantine", is_action},
	{"mode", "report", "report, armed", is_mode},
	{"release", "ack", "claim, ack, reboot", is_release},
	{"claim", NULL,
	 "instance-identity, configuration, executables, file-system, hardware, runtime-opaque, "
	 "storage-opaque, sourced-data",
	 policy_is_claim},
};

static int put_words(struct compile *c, int rule, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		const struct word *w = &words[i];
		const char *text;
		int node, r = text_of(c, rule, w->key, w->otherwise, &text, &node);

		if (r < 0)
			return r;
		if (!w->good(text))
			return policy_yaml_fail(c->y, node, c->why, "\"%s\" wants %s", w->key,
						w->kinds);
		jsonl_str(&c->j, w->key, text);
	}
	return 0;
}

static int put_number(struct compile *c, int rule, const char *key, uint64_t max)
{
	int node = policy_yaml_get(c->y, rule, key), r;
	uint64_t v;

	if (!node)
		return policy_yaml_fail(c->y, rule, c->why, "\"%s\" is missing", key);
	r = policy_yaml_uint(c->y, node, max, &v, c->why);
	if (r >= 0)
		jsonl_uint(&c->j, key, v);
	return r;
}

/* "10s" and the like. */
static int put_grace(struct compile *c, int rule)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
	int node = policy_yaml_get(c->y, rule, "grace"), r;
	const char *text;
	uint64_t v = 0;
	size_t n;

	if (!node) {
		jsonl_uint(&c->j, "grace_ms", 0);
		return 0;
	}
	r = policy_yaml_text(c->y, node, 12, &text, c->why);
	if (r < 0)
		return r;
	n = strspn(text, "0123456789");
	for (size_t i = 0; i < n; i++)
		v = v * 10 + (uint64_t)(text[i] - '0');
	for (size_t i = 0; n > 0 && i < ARRAY_SIZE(units); i++)
		if (strcmp(text + n, units[i].unit) == 0 &&
		    v <= POLICY_MAX_GRACE_MS / units[i].ms) {
			jsonl_uint(&c->j, "grace_ms", v * units[i].ms);
			return 0;
		}
	return policy_yaml_fail(c->y, node, c->why,
				"\"grace\" wants a time like 500ms, 10s, 5m, 1h, at most 7d");
}

static int put_step(struct compile *c, const char *key, int node)
{
	const char *text;
	int r = policy_yaml_text(c->y, node, 32, &text, c->why);

	if (r < 0)
		return r;
	if (!policy_remedy_from_name(text))
		return policy_yaml_fail(c->y, node, c->why,
					"\"%s\" is none of isolate, snapshot, files, keys, reboot, "
					"provision, attest, release",
					text);
	jsonl_str(&c->j, key, text);
	return 0;
}

/* Neither is a must: without "auto" each step waits for a person. */
static int put_steps(struct compile *c, const char *key, int remedy)
{
	int node = policy_yaml_get(c->y, remedy, key);

	if (node)
		return put_list(c, key, node, put_step);
	jsonl_array(&c->j, key);
	jsonl_close(&c->j);
	return 0;
}

static int put_remedy(struct compile *c, int rule)
{
	static const char *const keys[] = {"steps", "auto"};
	int node = policy_yaml_get(c->y, rule, "remedy"), r;

	if (!node)
		return 0;
	if (policy_yaml_kind(c->y, node) != POLICY_YAML_MAP)
		return policy_yaml_fail(c->y, node, c->why, "\"remedy\" wants steps and auto");
	r = policy_yaml_only(c->y, node, keys, ARRAY_SIZE(keys), c->why);
	jsonl_object(&c->j, "remedy");
	for (size_t i = 0; i < ARRAY_SIZE(keys) && r >= 0; i++)
		r = put_steps(c, keys[i], node);
	jsonl_close(&c->j);
	return r;
}

static int put_rule(struct compile *c, const char *key, int rule)
{
	static const char *const keys[] = {"id",      "title", "when",	"severity",
					   "action",  "mode",  "score", "grace",
					   "release", "claim", "value", "remedy"};
	int r = policy_yaml_only(c->y, rule, keys, ARRAY_SIZE(keys), c->why), when;

	if (r < 0)
		return r;
	when = policy_yaml_get(c->y, rule, "when");
	if (!when)
		return policy_yaml_fail(c->y, rule, c->why, "\"when\" is missing");
	jsonl_object(&c->j, key);
	r = put_words(c, rule, 0, 2);
	if (r >= 0)
		r = put_when(c, "when", when);
	if (r >= 0)
		r = put_words(c, rule, 2, 6);
	if (r >= 0)
		r = put_number(c, rule, "score", POLICY_MAX_SCORE);
	if (r >= 0)
		r = put_grace(c, rule);
	if (r >= 0)
		r = put_words(c, rule, 6, 7);
	if (r >= 0)
		r = put_number(c, rule, "value", POLICY_MAX_VALUE);
	if (r >= 0)
		r = put_remedy(c, rule);
	jsonl_close(&c->j);
	return r;
}

static int put_policy(struct compile *c, int root)
{
	static const char *const keys[] = {"name", "version", "rules", "tests"};
	int r = policy_yaml_only(c->y, root, keys, ARRAY_SIZE(keys), c->why);
	int rules, node;
	const char *name;

	if (r >= 0)
		r = text_of(c, root, "name", NULL, &name, &node);
	if (r >= 0 && !policy_is_id(name))
		r = policy_yaml_fail(c->y, node, c->why, "\"name\" wants %s", words[0].kinds);
	if (r < 0)
		return r;
	rules = policy_yaml_get(c->y, root, "rules");
	if (!rules)
		return policy_yaml_fail(c->y, root, c->why, "\"rules\" is missing");
	jsonl_uint(&c->j, "v", 1);
	jsonl_str(&c->j, "name", name);
	r = put_number(c, root, "version", INT64_MAX);
	return r < 0 ? r : put_list(c, "rules", rules, put_rule);
}

/* What only the whole bundle shows: a rule's line is found by its number. */
static int explain(const struct compile *c, int root, const char *text)
{
	int rules = policy_yaml_get(c->y, root, "rules"), node = root;
	unsigned int n;

	if (sscanf(text, "rule %u ", &n) == 1 && n > 0 && n <= policy_yaml_n(c->y, rules))
		node = policy_yaml_item(c->y, rules, n - 1);
	return policy_yaml_fail(c->y, node, c->why, "%.150s", text);
}

int policy_compile(const struct policy_yaml *y, struct buf *ret_bundle, struct policy **ret,
		   struct why *ret_why)
{
	struct compile c = {.y = y, .why = ret_why};
	size_t start = ret_bundle->size;
	struct why why = {""};
	int r;

	jsonl_begin(&c.j, ret_bundle);
	r = put_policy(&c, policy_yaml_root(y));
	if (r < 0)
		return r;
	jsonl_end(&c.j);
	r = buf_status(ret_bundle);
	if (r < 0)
		return r;
	r = policy_open(ret_bundle->data + start, ret_bundle->size - start, ret, &why);
	return r < 0 && why.text[0] ? explain(&c, policy_yaml_root(y), why.text) : r;
}
