/* SPDX-License-Identifier: Apache-2.0 */
#include "policy.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "jsonl.h"
#include "policy_remedy.h"

#define MAX_BUNDLE (1024u * 1024)
#define MAX_NODES 16384u
#define MAX_DEPTH 16u
#define MAX_ITEMS 256u

enum op { OP_ALL, OP_ANY, OP_NOT, OP_TYPE, OP_FINDING, OP_TEXT, OP_UID, OP_ACTOR_KNOWN };
enum match { MATCH_EXACT, MATCH_PREFIX, MATCH_SUFFIX, MATCH_GLOB };
enum field {
	FIELD_SCOPE,
	FIELD_KEY,
	FIELD_EXE,
	FIELD_CGROUP,
	FIELD_LAYER,
	FIELD_ANNOUNCED_BY,
	FIELD_FOUND
};

/* Conditions lie in prefix order: a node, then its children. */
struct node {
	uint8_t op, field, match;
	uint32_t n; /* nodes of this subtree, itself among them */
	uint32_t number;
	const char *text; /* borrowed from the bundle's tree */
	size_t size;
};

struct policy {
	json_t *bundle;
	const char *name;
	uint64_t version;
	struct digest digest;
	struct policy_rule *rules;
	uint32_t *when; /* for each rule: its first node */
	uint32_t n_rules;
	struct node *nodes;
	uint32_t n_nodes, room;
};

static const char *const releases[] = {"", "claim", "ack", "reboot"};
static const char *const modes[] = {"", "report", "armed"};
static const char *const claims[] = {"instance-identity", "configuration", "executables",
				     "file-system",	  "hardware",	   "runtime-opaque",
				     "storage-opaque",	  "sourced-data"};
static const char *const matches[] = {"exact", "prefix", "suffix", "glob"};
static const char *const fields[] = {"scope", "key",	      "exe",  "cgroup",
				     "layer", "announced_by", "found"};

static int index_of(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return (int)i;
	return -1;
}

const char *policy_release_name(enum policy_release v)
{
	return v >= POLICY_RELEASE_CLAIM && v <= POLICY_RELEASE_REBOOT ? releases[v] : NULL;
}

const char *policy_mode_name(enum policy_mode v)
{
	return v >= POLICY_MODE_REPORT && v <= POLICY_MODE_ARMED ? modes[v] : NULL;
}

enum policy_release policy_release_from_name(const char *name)
{
	int i = index_of(releases, ARRAY_SIZE(releases), name);

	return i > 0 ? (enum policy_release)i : 0;
}

enum policy_mode policy_mode_from_name(const char *name)
{
	int i = index_of(modes, ARRAY_SIZE(modes), name);

	return i > 0 ? (enum policy_mode)i : 0;
}

bool policy_is_claim(const char *name)
{
	return index_of(claims, ARRAY_SIZE(claims), name) >= 0;
}

bool policy_is_id(const char *id)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789._-";
	size_t n = strlen(id);

	/* "none" is what tests call no rule at all. */
	return n > 0 && n <= POLICY_MAX_ID && strspn(id, good) == n && strcmp(id, "none") != 0;
}

/* The next token of a pattern: its length; ret_any: it is a star; ret_slash: it also takes '/'. */
static size_t glob_token(const char *p, bool *ret_any, bool *ret_slash)
{
	*ret_any = p[0] == '*';
	*ret_slash = p[0] == '*' && p[1] == '*';
	return *ret_slash || p[0] == '\\' ? 2 : 1;
}

/* Marks a state and those reached from it without a byte: behind a star. */
static void glob_enter(bool *states, const char *pattern, size_t i)
{
	bool any, slash;

	states[i] = true;
	while (pattern[i]) {
		size_t n = glob_token(pattern + i, &any, &slash);

		if (!any)
			return;
		i += n;
		states[i] = true;
	}
}

/* All states at once, byte by byte: no pattern makes it slow. */
static bool glob_matches(const char *pattern, size_t size, const char *text)
{
	bool states[2][POLICY_MAX_PATTERN + 1] = {{false}}, any, slash;
	bool *now = states[0], *next = states[1], *spare;

	glob_enter(now, pattern, 0);
	for (; *text; text++) {
		bool alive = false;

		memset(next, 0, size + 1);
		for (size_t i = 0; i < size; i++) {
			const char *p = pattern + i;
			size_t n = glob_token(p, &any, &slash);

			if (!now[i])
				continue;
			if (any && (slash || *text != '/'))
				glob_enter(next, pattern, i);
			else if (!any && (*p == '?' ? *text != '/' : p[n - 1] == *text))
				glob_enter(next, pattern, i + n);
			else
				continue;
			alive = true;
		}
		if (!alive)
			return false;
		spare = now;
		now = next;
		next = spare;
	}
	return now[size];
}

static bool text_matches(const struct node *n, const char *text)
{
	size_t size;

	if (!text)
		return false;
	size = strlen(text);
	switch ((enum match)n->match) {
	case MATCH_EXACT:
		return strcmp(text, n->text) == 0;
	case MATCH_PREFIX:
		return strncmp(text, n->text, n->size) == 0;
	case MATCH_SUFFIX:
		return size >= n->size && strcmp(text + size - n->size, n->text) == 0;
	case MATCH_GLOB:
		return glob_matches(n->text, n->size, text);
	}
	return false;
}

/* What is not known matches nothing. */
static bool leaf_matches(const struct node *n, const struct policy_subject *s)
{
	const char *const texts[] = {s->scope,
				     s->key,
				     s->actor_known ? s->exe : NULL,
				     s->actor_known ? s->cgroup : NULL,
				     s->layer,
				     s->announced_by,
				     s->found};

	switch ((enum op)n->op) {
	case OP_TYPE:
		return !s->finding && (uint32_t)s->type == n->number;
	case OP_FINDING:
		return s->finding && (uint32_t)s->finding == n->number;
	case OP_UID:
		return s->actor_known && s->uid == n->number;
	case OP_ACTOR_KNOWN:
		return s->actor_known == (n->number != 0);
	default:
		return text_matches(n, texts[n->field]);
	}
}

static bool holds(const struct policy *p, uint32_t at, const struct policy_subject *s)
{
	const struct node *n = &p->nodes[at];
	uint32_t end = at + n->n;

	if (n->op != OP_ALL && n->op != OP_ANY && n->op != OP_NOT)
		return leaf_matches(n, s);
	for (uint32_t i = at + 1; i < end; i += p->nodes[i].n) {
		bool held = holds(p, i, s);

		if (n->op == OP_NOT)
			return !held;
		if (held == (n->op == OP_ANY))
			return held;
	}
	return n->op == OP_ALL;
}

/* Reading conditions. */

static int add_node(struct policy *p, struct node n, uint32_t *ret_at, struct why *ret_why)
{
	if (p->n_nodes == p->room) {
		uint32_t room = p->room ? 2 * p->room : 64;
		struct node *nodes;

		if (room > MAX_NODES)
			return why_set(ret_why, -EBADMSG, "more than %u conditions", MAX_NODES);
		nodes = realloc(p->nodes, room * sizeof(*nodes));
		if (!nodes)
			return -ENOMEM;
		p->nodes = nodes;
		p->room = room;
	}
	n.n = 1;
	if (ret_at)
		*ret_at = p->n_nodes;
	p->nodes[p->n_nodes++] = n;
	return 0;
}

static void close_node(struct policy *p, uint32_t at)
{
	p->nodes[at].n = p->n_nodes - at;
}

static int check_pattern(const struct node *n, const char *key, struct why *ret_why)
{
	bool any, slash;

	if (n->size == 0 || n->size > POLICY_MAX_PATTERN)
		return why_set(ret_why, -EBADMSG, "\"%s\" is empty or longer than %u bytes", key,
			       POLICY_MAX_PATTERN);
	for (size_t i = 0; n->match == MATCH_GLOB && i < n->size;
	     i += glob_token(n->text + i, &any, &slash))
		if (n->text[i] == '\\' && i + 1 == n->size)
			return why_set(ret_why, -EBADMSG, "\"%s\": a glob cannot end with \\", key);
	return 0;
}

static int read_text(struct policy *p, const char *key, const json_t *v, struct why *ret_why)
{
	struct node n = {.op = OP_TEXT, .match = MATCH_EXACT};
	json_t *value = (json_t *)v;
	int r;

	n.field = (uint8_t)index_of(fields, ARRAY_SIZE(fields), key);
	if (json_is_object(v) && json_object_size(v) == 1) {
		const char *how = json_object_iter_key(json_object_iter((json_t *)v));
		int m = index_of(matches, ARRAY_SIZE(matches), how);

		if (m < 0)
			return why_set(ret_why, -EBADMSG,
				       "\"%s\": none of exact, prefix, suffix, glob", key);
		n.match = (uint8_t)m;
		value = json_object_get(v, how);
	}
	if (!json_is_string(value))
		return why_set(ret_why, -EBADMSG,
			       "\"%s\" is neither text nor one of exact, prefix, suffix, glob",
			       key);
	n.text = json_string_value(value);
	n.size = json_string_length(value);
	r = check_pattern(&n, key, ret_why);
	return r < 0 ? r : add_node(p, n, NULL, ret_why);
}

static int read_leaf(struct policy *p, const char *key, const json_t *v, struct why *ret_why)
{
	const char *text = json_string_value(v);
	struct node n = {.op = OP_TYPE};

	if (strcmp(key, "uid") == 0) {
		if (!json_is_integer(v) || json_integer_value(v) < 0 ||
		    json_integer_value(v) > UINT32_MAX)
			return why_set(ret_why, -EBADMSG, "\"uid\" is no user id");
		n = (struct node){.op = OP_UID, .number = (uint32_t)json_integer_value(v)};
		return add_node(p, n, NULL, ret_why);
	}
	if (strcmp(key, "actor_known") == 0) {
		if (!json_is_boolean(v))
			return why_set(ret_why, -EBADMSG, "\"actor_known\" is not true or false");
		n = (struct node){.op = OP_ACTOR_KNOWN, .number = json_is_true(v)};
		return add_node(p, n, NULL, ret_why);
	}
	if (index_of(fields, ARRAY_SIZE(fields), key) >= 0)
		return read_text(p, key, v, ret_why);
	if (strcmp(key, "type") == 0) {
		n.number = (uint32_t)terms_type_from_name(text);
		if (!terms_type_is_measurement((enum plumb_type)n.number))
			return why_set(
				ret_why, -EBADMSG,
				"\"type\" is none of exec, file, mount, module, claim, load, bpf");
	} else if (strcmp(key, "finding") == 0) {
		n.op = OP_FINDING;
		n.number = (uint32_t)terms_finding_from_name(text);
		if (!n.number)
			return why_set(ret_why, -EBADMSG, "\"finding\" is none that there is");
	} else {
		return why_set(ret_why, -EBADMSG, "unknown condition \"%.40s\"", key);
	}
	return add_node(p, n, NULL, ret_why);
}

static int read_condition(struct policy *p, const json_t *o, uint32_t depth, struct why *ret_why);

/* "all" and "any" of a list of conditions. */
static int read_group(struct policy *p, const char *key, const json_t *v, uint32_t depth,
		      struct why *ret_why)
{
	struct node n = {.op = strcmp(key, "all") == 0 ? OP_ALL : OP_ANY};
	json_t *item;
	uint32_t at;
	size_t i;
	int r;

	if (!json_is_array(v) || json_array_size(v) == 0 || json_array_size(v) > MAX_ITEMS)
		return why_set(ret_why, -EBADMSG, "\"%s\" is no list of 1 to %u conditions", key,
			       MAX_ITEMS);
	r = add_node(p, n, &at, ret_why);
	if (r < 0)
		return r;
	json_array_foreach (v, i, item) {
		r = read_condition(p, item, depth + 1, ret_why);
		if (r < 0)
			return r;
	}
	close_node(p, at);
	return 0;
}

/* One key of a condition; a list of values holds when one of them does. */
static int read_key(struct policy *p, const char *key, const json_t *v, uint32_t depth,
		    struct why *ret_why)
{
	struct node n = {.op = OP_ANY};
	json_t *item;
	uint32_t at;
	size_t i;
	int r;

	if (strcmp(key, "all") == 0 || strcmp(key, "any") == 0)
		return read_group(p, key, v, depth, ret_why);
	if (strcmp(key, "not") == 0) {
		n.op = OP_NOT;
		r = add_node(p, n, &at, ret_why);
		if (r >= 0)
			r = read_condition(p, v, depth + 1, ret_why);
		if (r >= 0)
			close_node(p, at);
		return r;
	}
	if (!json_is_array(v))
		return read_leaf(p, key, v, ret_why);
	if (json_array_size(v) == 0 || json_array_size(v) > MAX_ITEMS)
		return why_set(ret_why, -EBADMSG, "\"%.40s\" is no list of 1 to %u values", key,
			       MAX_ITEMS);
	r = add_node(p, n, &at, ret_why);
	json_array_foreach (v, i, item)
		if (r >= 0)
			r = read_leaf(p, key, item, ret_why);
	if (r >= 0)
		close_node(p, at);
	return r;
}

static int read_condition(struct policy *p, const json_t *o, uint32_t depth, struct why *ret_why)
{
	struct node n = {.op = OP_ALL};
	const char *key;
	json_t *v;
	uint32_t at;
	int r;

	if (depth > MAX_DEPTH)
		return why_set(ret_why, -EBADMSG, "conditions nest deeper than %u", MAX_DEPTH);
	/* An empty condition would hold always: more likely a slip than a wish. */
	if (!json_is_object(o) || json_object_size(o) == 0)
		return why_set(ret_why, -EBADMSG, "a condition is empty or no object");
	r = add_node(p, n, &at, ret_why);
	if (r < 0)
		return r;
	json_object_foreach ((json_t *)o, key, v) {
		r = read_key(p, key, v, depth, ret_why);
		if (r < 0)
			return r;
	}
	close_node(p, at);
	return 0;
}

/* Reading rules. */

static int only_keys(const json_t *o, const char *const *keys, size_t n, struct why *ret_why)
{
	const char *key;
	json_t *v;

	json_object_foreach ((json_t *)o, key, v)
		if (index_of(keys, n, key) < 0)
			return why_set(ret_why, -EBADMSG, "unknown key \"%.40s\"", key);
	return 0;
}

static int read_words(const json_t *o, struct policy_rule *rule, struct why *ret_why)
{
	const char *severity, *action, *mode, *release;

	if (jsonl_get_str(o, "severity", 16, &severity, ret_why) < 0 ||
	    jsonl_get_str(o, "action", 16, &action, ret_why) < 0 ||
	    jsonl_get_str(o, "mode", 16, &mode, ret_why) < 0 ||
	    jsonl_get_str(o, "release", 16, &release, ret_why) < 0 ||
	    jsonl_get_str(o, "claim", 32, &rule->claim, ret_why) < 0)
		return -EBADMSG;
	rule->severity = (enum plumb_severity)terms_severity_from_name(severity);
	rule->action = (enum plumb_action)terms_action_from_name(action);
	rule->mode = policy_mode_from_name(mode);
	rule->release = policy_release_from_name(release);
	if (!rule->severity)
		return why_set(ret_why, -EBADMSG, "\"severity\" is none that there is");
	if (!rule->action)
		return why_set(ret_why, -EBADMSG, "\"action\" is none that there is");
	if (!rule->mode)
		return why_set(ret_why, -EBADMSG, "\"mode\" is neither report nor armed");
	if (!rule->release)
		return why_set(ret_why, -EBADMSG, "\"release\" is none of claim, ack, reboot");
	if (!policy_is_claim(rule->claim))
		return why_set(ret_why, -EBADMSG, "\"claim\" is no AR4SI claim");
	return 0;
}

static int read_rule(struct policy *p, const json_t *o, struct why *ret_why)
{
	static const char *const keys[] = {"id",      "title", "when",	"severity",
					   "action",  "mode",  "score", "grace_ms",
					   "release", "claim", "value", "remedy"};
	struct policy_rule *rule = &p->rules[p->n_rules];
	uint64_t score, value;
	json_t *when;

	if (!json_is_object(o))
		return why_set(ret_why, -EBADMSG, "is no object");
	if (only_keys(o, keys, ARRAY_SIZE(keys), ret_why) < 0 ||
	    jsonl_get_str(o, "id", POLICY_MAX_ID, &rule->id, ret_why) < 0 ||
	    jsonl_get_str(o, "title", POLICY_MAX_TITLE, &rule->title, ret_why) < 0 ||
	    jsonl_get_uint(o, "score", POLICY_MAX_SCORE, &score, ret_why) < 0 ||
	    jsonl_get_uint(o, "grace_ms", POLICY_MAX_GRACE_MS, &rule->grace_ms, ret_why) < 0 ||
	    jsonl_get_uint(o, "value", POLICY_MAX_VALUE, &value, ret_why) < 0 ||
	    jsonl_get_object(o, "when", &when, ret_why) < 0 || read_words(o, rule, ret_why) < 0 ||
	    policy_remedy_read(o, &rule->remedy, &rule->remedy_itself, ret_why) < 0)
		return -EBADMSG;
	if (!policy_is_id(rule->id))
		return why_set(ret_why, -EBADMSG, "\"id\" has other than letters, digits, . _ -");
	for (uint32_t i = 0; i < p->n_rules; i++)
		if (strcmp(p->rules[i].id, rule->id) == 0)
			return why_set(ret_why, -EBADMSG, "\"id\" %s is there twice", rule->id);
	rule->score = (uint32_t)score;
	rule->claim_value = (int)value;
	p->when[p->n_rules] = p->n_nodes;
	return read_condition(p, when, 1, ret_why);
}

static int read_bundle(struct policy *p, struct why *ret_why)
{
	static const char *const keys[] = {"v", "name", "version", "rules"};
	json_t *rules, *item;
	struct why why = {""};
	uint64_t v;
	size_t i;

	if (only_keys(p->bundle, keys, ARRAY_SIZE(keys), ret_why) < 0 ||
	    jsonl_get_uint(p->bundle, "v", 1, &v, ret_why) < 0 ||
	    jsonl_get_str(p->bundle, "name", POLICY_MAX_ID, &p->name, ret_why) < 0 ||
	    jsonl_get_uint(p->bundle, "version", INT64_MAX, &p->version, ret_why) < 0 ||
	    jsonl_get_array(p->bundle, "rules", POLICY_MAX_RULES, &rules, ret_why) < 0)
		return -EBADMSG;
	if (v != 1)
		return why_set(ret_why, -EBADMSG, "\"v\" is not 1");
	if (!policy_is_id(p->name) || p->version == 0)
		return why_set(ret_why, -EBADMSG, "\"name\" or \"version\" is none");
	p->rules = calloc(json_array_size(rules) + 1, sizeof(*p->rules));
	p->when = calloc(json_array_size(rules) + 1, sizeof(*p->when));
	if (!p->rules || !p->when)
		return -ENOMEM;
	json_array_foreach (rules, i, item) {
		int r = read_rule(p, item, &why);

		if (r < 0)
			return why_set(ret_why, r, "rule %zu (%.64s): %.150s", i + 1,
				       p->rules[i].id ? p->rules[i].id : "?", why.text);
		p->n_rules++;
	}
	return 0;
}

int policy_open(const void *bundle_json, size_t size, struct policy **ret, struct why *ret_why)
{
	struct policy *p = calloc(1, sizeof(*p));
	int r = p ? jsonl_parse(bundle_json, size, MAX_BUNDLE, &p->bundle, ret_why) : -ENOMEM;

	if (r >= 0)
		r = digest_sha256(bundle_json, size, &p->digest);
	if (r >= 0)
		r = read_bundle(p, ret_why);
	if (r < 0) {
		policy_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

struct policy *policy_free(struct policy *p)
{
	if (!p)
		return NULL;
	json_decref(p->bundle);
	free(p->rules);
	free(p->when);
	free(p->nodes);
	free(p);
	return NULL;
}

const char *policy_name(const struct policy *p)
{
	return p->name;
}

uint64_t policy_version(const struct policy *p)
{
	return p->version;
}

const struct digest *policy_digest(const struct policy *p)
{
	return &p->digest;
}

const struct policy_rule *policy_match(const struct policy *p, const struct policy_subject *s)
{
	for (uint32_t i = 0; i < p->n_rules; i++)
		if (holds(p, p->when[i], s))
			return &p->rules[i];
	return NULL;
}

uint32_t policy_n_rules(const struct policy *p)
{
	return p->n_rules;
}

const struct policy_rule *policy_rule(const struct policy *p, uint32_t i)
{
	return i < p->n_rules ? &p->rules[i] : NULL;
}
