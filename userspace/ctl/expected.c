/* SPDX-License-Identifier: Apache-2.0 */
#include "expected.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "line.h"
#include "policy_yaml.h"

struct item {
	const char *key; /* borrowed from yaml, as are values */
	const char *values[EXPECTED_MAX_VALUES];
	uint32_t n_values;
	char *found; /* NULL: not asked */
	const char *given;
};

struct expected {
	struct policy_yaml *yaml;
	uint32_t n;
	struct item items[];
};

static int read_values(const struct policy_yaml *y, int node, struct item *i, struct why *ret_why)
{
	int r = 0;

	if (policy_yaml_kind(y, node) == POLICY_YAML_TEXT) {
		i->n_values = 1;
		return policy_yaml_text(y, node, LINE_MAX_VALUE - 1, &i->values[0], ret_why);
	}
	if (policy_yaml_kind(y, node) != POLICY_YAML_LIST || policy_yaml_n(y, node) == 0 ||
	    policy_yaml_n(y, node) > EXPECTED_MAX_VALUES)
		return policy_yaml_fail(y, node, ret_why, "wants a text, or a list of 1 to %u",
					EXPECTED_MAX_VALUES);
	for (uint32_t k = 0; k < policy_yaml_n(y, node) && r >= 0; k++)
		r = policy_yaml_text(y, policy_yaml_item(y, node, k), LINE_MAX_VALUE - 1,
				     &i->values[i->n_values++], ret_why);
	return r;
}

/* Only an agent tells of them: nothing that is captured can be held against them. */
static bool is_told(const char *key)
{
	return strncmp(key, "sensor:", 7) == 0;
}

/* Programs, files and modules are what they are on the node; only what a claim tells in words can be expected by hand. */
static int check_key(const struct policy_yaml *y, int node, const char *key, struct why *ret_why)
{
	static const char *const good[] = {
		"sysctl:", "boot:", "cpu:", "kernel:", "ima:", "runtime:", "firmware:", "sensor:"};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (strncmp(key, good[i], strlen(good[i])) == 0 && strlen(key) < LINE_MAX_KEY)
			return 0;
	return policy_yaml_fail(y, node, ret_why,
				"\"%.80s\" is no claim: sysctl: boot: cpu: kernel: ima: runtime: "
				"firmware: sensor:",
				key);
}

static int read_items(struct expected *e, struct why *ret_why)
{
	int root = policy_yaml_root(e->yaml);

	for (; e->n < policy_yaml_n(e->yaml, root); e->n++) {
		struct item *i = &e->items[e->n];
		int node = policy_yaml_pair(e->yaml, root, e->n, &i->key);
		int r = check_key(e->yaml, node, i->key, ret_why);

		if (r >= 0)
			r = read_values(e->yaml, node, i, ret_why);
		if (r >= 0 && is_told(i->key) && i->n_values > 1)
			r = policy_yaml_fail(e->yaml, node, ret_why,
					     "wants one value: which of them a node has is known "
					     "to its agent alone");
		if (r < 0)
			return r;
	}
	return 0;
}

int expected_open(const char *path, const void *data, size_t size, struct expected **ret,
		  struct why *ret_why)
{
	struct policy_yaml *y = NULL;
	struct expected *e;
	int r = policy_yaml_open(path, data, size, &y, ret_why);

	if (r < 0)
		return r;
	e = calloc(1, sizeof(*e) + policy_yaml_n(y, policy_yaml_root(y)) * sizeof(struct item));
	if (!e) {
		policy_yaml_free(y);
		return -ENOMEM;
	}
	e->yaml = y;
	r = read_items(e, ret_why);
	if (r < 0) {
		expected_free(e);
		return r;
	}
	*ret = e;
	return 0;
}

struct expected *expected_free(struct expected *e)
{
	if (!e)
		return NULL;
	for (uint32_t i = 0; i < e->n; i++)
		free(e->items[i].found);
	policy_yaml_free(e->yaml);
	free(e);
	return NULL;
}

const char *expected_value(void *expected, const char *key, const char *found)
{
	struct expected *e = expected;

	for (uint32_t i = 0; i < e->n; i++) {
		struct item *at = &e->items[i];

		if (strcmp(at->key, key) != 0)
			continue;
		at->given = at->values[0];
		for (uint32_t k = 1; k < at->n_values; k++)
			if (strcmp(at->values[k], found) == 0)
				at->given = at->values[k];
		free(at->found);
		at->found = strdup(found);
		return at->given;
	}
	return NULL;
}

int expected_told(void *expected, int (*fn)(void *ctx, const char *key, const char *value),
		  void *ctx)
{
	struct expected *e = expected;
	int r = 0;

	for (uint32_t i = 0; i < e->n && r >= 0; i++) {
		struct item *at = &e->items[i];

		if (!is_told(at->key) || at->given)
			continue;
		at->given = at->values[0];
		at->found = strdup(at->given);
		r = at->found ? fn(ctx, at->key, at->given) : -ENOMEM;
	}
	return r;
}

void expected_each(const struct expected *e,
		   void (*fn)(void *ctx, const char *key, const char *found, const char *value),
		   void *ctx)
{
	for (uint32_t i = 0; i < e->n; i++) {
		const struct item *at = &e->items[i];

		fn(ctx, at->key, at->given ? (at->found ? at->found : "") : NULL,
		   at->given ? at->given : at->values[0]);
	}
}
