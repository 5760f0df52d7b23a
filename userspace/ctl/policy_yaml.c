/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define MAX_KEYS 64

struct policy_yaml {
	const char *path;
	yaml_document_t document;
	bool loaded;
	uint8_t *seen; /* a node that is met twice was aliased */
	int n_nodes;
};

static yaml_node_t *node_of(const struct policy_yaml *y, int node)
{
	/* libyaml's getter takes a pointer that is not const, and changes nothing. */
	return yaml_document_get_node((yaml_document_t *)&y->document, node);
}

static int fail_at(const struct policy_yaml *y, size_t line, struct why *ret_why, const char *text)
{
	return why_set(ret_why, -EBADMSG, "%.80s:%zu: %.160s", y->path, line + 1, text);
}

int policy_yaml_fail(const struct policy_yaml *y, int node, struct why *ret_why, const char *format,
		     ...)
{
	char text[200];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	return fail_at(y, node ? node_of(y, node)->start_mark.line : 0, ret_why, text);
}

static int check_node(struct policy_yaml *y, int id, uint32_t depth, struct why *ret_why);

static int check_text(const struct policy_yaml *y, int id, struct why *ret_why)
{
	const yaml_node_t *n = node_of(y, id);

	if (memchr(n->data.scalar.value, 0, n->data.scalar.length))
		return policy_yaml_fail(y, id, ret_why, "a NUL byte in a text");
	return 0;
}

static int check_map(struct policy_yaml *y, int id, uint32_t depth, struct why *ret_why)
{
	const yaml_node_t *n = node_of(y, id);
	const yaml_node_pair_t *first = n->data.mapping.pairs.start,
			       *end = n->data.mapping.pairs.top;

	if (end - first > MAX_KEYS)
		return policy_yaml_fail(y, id, ret_why, "more than %d keys in one map", MAX_KEYS);
	for (const yaml_node_pair_t *p = first; p < end; p++) {
		const yaml_node_t *key = node_of(y, p->key);
		int r;

		if (key->type != YAML_SCALAR_NODE)
			return policy_yaml_fail(y, p->key, ret_why, "a key that is no text");
		for (const yaml_node_pair_t *q = first; q < p; q++)
			if (strcmp((char *)node_of(y, q->key)->data.scalar.value,
				   (char *)key->data.scalar.value) == 0)
				return policy_yaml_fail(y, p->key, ret_why,
							"key \"%.40s\" is there twice",
							(char *)key->data.scalar.value);
		r = check_node(y, p->key, depth + 1, ret_why);
		if (r >= 0)
			r = check_node(y, p->value, depth + 1, ret_why);
		if (r < 0)
			return r;
	}
	return 0;
}

/* One walk over everything, so that later readers need not think of aliases, circles, tags and NULs. */
static int check_node(struct policy_yaml *y, int id, uint32_t depth, struct why *ret_why)
{
	static const char *const tags[] = {
		[YAML_SCALAR_NODE] = YAML_DEFAULT_SCALAR_TAG,
		[YAML_SEQUENCE_NODE] = YAML_DEFAULT_SEQUENCE_TAG,
		[YAML_MAPPING_NODE] = YAML_DEFAULT_MAPPING_TAG,
	};
	const yaml_node_t *n = node_of(y, id);
	int r = 0;

	if (!n || n->type == YAML_NO_NODE)
		return policy_yaml_fail(y, 0, ret_why, "is empty");
	if (y->seen[id]++)
		return policy_yaml_fail(y, id, ret_why, "used again by an alias: write it out");
	if (depth > POLICY_YAML_MAX_DEPTH)
		return policy_yaml_fail(y, id, ret_why, "nests deeper than %u",
					POLICY_YAML_MAX_DEPTH);
	if (!n->tag || strcmp((char *)n->tag, tags[n->type]) != 0)
		return policy_yaml_fail(y, id, ret_why, "has a tag; tags are not taken");
	if (n->type == YAML_SCALAR_NODE)
		return check_text(y, id, ret_why);
	if (n->type == YAML_MAPPING_NODE)
		return check_map(y, id, depth, ret_why);
	for (const yaml_node_item_t *i = n->data.sequence.items.start;
	     i < n->data.sequence.items.top && r >= 0; i++)
		r = check_node(y, *i, depth + 1, ret_why);
	return r;
}

static int load(struct policy_yaml *y, yaml_parser_t *parser, struct why *ret_why)
{
	yaml_document_t second;
	bool more;

	if (!yaml_parser_load(parser, &y->document))
		return fail_at(y, parser->problem_mark.line, ret_why,
			       parser->problem ? parser->problem : "cannot be read as YAML");
	y->loaded = true;
	if (!yaml_document_get_root_node(&y->document))
		return fail_at(y, 0, ret_why, "is empty");
	if (!yaml_parser_load(parser, &second))
		return fail_at(y, parser->problem_mark.line, ret_why,
			       parser->problem ? parser->problem : "cannot be read as YAML");
	more = yaml_document_get_root_node(&second) != NULL;
	yaml_document_delete(&second);
	if (more)
		return fail_at(y, parser->mark.line, ret_why, "a second document");
	return 0;
}

int policy_yaml_open(const char *path, const void *data, size_t size, struct policy_yaml **ret,
		     struct why *ret_why)
{
	struct policy_yaml *y = calloc(1, sizeof(*y));
	yaml_parser_t parser;
	int r;

	if (!y || !yaml_parser_initialize(&parser)) {
		free(y);
		return -ENOMEM;
	}
	y->path = path;
	yaml_parser_set_input_string(&parser, data, size);
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	if (size > POLICY_YAML_MAX_SIZE)
		r = fail_at(y, 0, ret_why, "more than 1 MiB");
	else
		r = load(y, &parser, ret_why);
	yaml_parser_delete(&parser);
	if (r >= 0) {
		y->n_nodes = (int)(y->document.nodes.top - y->document.nodes.start);
		y->seen = calloc((size_t)y->n_nodes + 1, 1);
		r = y->seen ? check_node(y, 1, 0, ret_why) : -ENOMEM;
	}
	if (r >= 0 && policy_yaml_kind(y, 1) != POLICY_YAML_MAP)
		r = policy_yaml_fail(y, 1, ret_why, "is no map of keys and values");
	if (r < 0) {
		policy_yaml_free(y);
		return r;
	}
	*ret = y;
	return 0;
}

struct policy_yaml *policy_yaml_free(struct policy_yaml *y)
{
	if (!y)
		return NULL;
	if (y->loaded)
		yaml_document_delete(&y->document);
	free(y->seen);
	free(y);
	return NULL;
}

int policy_yaml_root(const struct policy_yaml *y)
{
	(void)y;
	return 1;
}

enum policy_yaml_kind policy_yaml_kind(const struct policy_yaml *y, int node)
{
	yaml_node_type_t type = node_of(y, node)->type;

	return type == YAML_MAPPING_NODE    ? POLICY_YAML_MAP
	       : type == YAML_SEQUENCE_NODE ? POLICY_YAML_LIST
					    : POLICY_YAML_TEXT;
}

uint32_t policy_yaml_line(const struct policy_yaml *y, int node)
{
	return (uint32_t)node_of(y, node)->start_mark.line + 1;
}

uint32_t policy_yaml_n(const struct policy_yaml *y, int node)
{
	const yaml_node_t *n = node_of(y, node);

	if (n->type == YAML_MAPPING_NODE)
		return (uint32_t)(n->data.mapping.pairs.top - n->data.mapping.pairs.start);
	if (n->type == YAML_SEQUENCE_NODE)
		return (uint32_t)(n->data.sequence.items.top - n->data.sequence.items.start);
	return 0;
}

int policy_yaml_item(const struct policy_yaml *y, int list, uint32_t i)
{
	return node_of(y, list)->data.sequence.items.start[i];
}

int policy_yaml_pair(const struct policy_yaml *y, int map, uint32_t i, const char **ret_key)
{
	const yaml_node_pair_t *p = &node_of(y, map)->data.mapping.pairs.start[i];

	*ret_key = (const char *)node_of(y, p->key)->data.scalar.value;
	return p->value;
}

int policy_yaml_get(const struct policy_yaml *y, int map, const char *key)
{
	for (uint32_t i = 0; i < policy_yaml_n(y, map); i++) {
		const char *name;
		int value = policy_yaml_pair(y, map, i, &name);

		if (strcmp(name, key) == 0)
			return value;
	}
	return 0;
}

int policy_yaml_only(const struct policy_yaml *y, int node, const char *const *keys, size_t n_keys,
		     struct why *ret_why)
{
	if (policy_yaml_kind(y, node) != POLICY_YAML_MAP)
		return policy_yaml_fail(y, node, ret_why, "is no map of keys and values");
	for (uint32_t i = 0; i < policy_yaml_n(y, node); i++) {
		const char *name;
		int value = policy_yaml_pair(y, node, i, &name);
		size_t k = 0;

		while (k < n_keys && strcmp(keys[k], name) != 0)
			k++;
		if (k == n_keys)
			return policy_yaml_fail(y, value, ret_why, "unknown key \"%.40s\"", name);
	}
	return 0;
}

int policy_yaml_text(const struct policy_yaml *y, int node, size_t max, const char **ret,
		     struct why *ret_why)
{
	const yaml_node_t *n = node_of(y, node);
	const char *text;

	if (n->type != YAML_SCALAR_NODE)
		return policy_yaml_fail(y, node, ret_why, "is no text");
	text = (const char *)n->data.scalar.value;
	if (!*text || (n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
		       (strcmp(text, "~") == 0 || strcmp(text, "null") == 0)))
		return policy_yaml_fail(y, node, ret_why, "has no value");
	if (n->data.scalar.length > max)
		return policy_yaml_fail(y, node, ret_why, "is longer than %zu bytes", max);
	*ret = text;
	return 0;
}

int policy_yaml_uint(const struct policy_yaml *y, int node, uint64_t max, uint64_t *ret,
		     struct why *ret_why)
{
	const char *text;
	uint64_t v = 0;
	int r = policy_yaml_text(y, node, 19, &text, ret_why);

	if (r < 0)
		return r;
	for (const char *p = text; *p; p++) {
		/* 0 alone is a number; 010 would be eight for some readers and ten for others. */
		if (*p < '0' || *p > '9' || (p > text && *text == '0'))
			return policy_yaml_fail(y, node, ret_why, "\"%.20s\" is no whole number",
						text);
		v = v * 10 + (uint64_t)(*p - '0');
	}
	if (v > max)
		return policy_yaml_fail(y, node, ret_why, "%.20s is more than %llu", text,
					(unsigned long long)max);
	*ret = v;
	return 0;
}

int policy_yaml_bool(const struct policy_yaml *y, int node, bool *ret, struct why *ret_why)
{
	const char *text;
	int r = policy_yaml_text(y, node, 16, &text, ret_why);

	if (r < 0)
		return r;
	if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
		return policy_yaml_fail(y, node, ret_why, "\"%.16s\" is neither true nor false",
					text);
	*ret = *text == 't';
	return 0;
}
