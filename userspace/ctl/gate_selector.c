/* SPDX-License-Identifier: Apache-2.0 */
#include "gate_selector.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include "cleanup.h"

static const char *const keys[] = {"label", "id", "kube", "state"};

static const char *key_of(const char *text, size_t size)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strlen(keys[i]) == size && memcmp(keys[i], text, size) == 0)
			return keys[i];
	return NULL;
}

static int parse_one(const char *text, size_t size, struct gate_condition *ret, struct why *ret_why)
{
	const char *equal = memchr(text, '=', size);
	size_t key = equal ? (size_t)(equal - text) : 0, at = equal ? key + 1 : 0;

	ret->unequal = equal && key > 0 && text[key - 1] == '!';
	/* A word alone is a label. */
	ret->key = equal ? key_of(text, key - ret->unequal) : "label";
	if (!ret->key)
		return why_set(ret_why, -EINVAL,
			       "\"%.*s\": nodes are selected by label, id, kube and state",
			       (int)(size < 60 ? size : 60), text);
	if (size == at || size - at >= sizeof(ret->value))
		return why_set(ret_why, -EINVAL, "\"%.*s\" has no value, or one that is too long",
			       (int)(size < 60 ? size : 60), text);
	memcpy(ret->value, text + at, size - at);
	ret->value[size - at] = 0;
	return 0;
}

int gate_selector_parse(const char *text, struct gate_selector *ret, struct why *ret_why)
{
	int r = 0;

	ret->n = 0;
	while (r >= 0 && *text) {
		size_t size = strcspn(text, ",");

		if (ret->n == GATE_SELECTOR_MAX)
			return why_set(ret_why, -E2BIG, "more than %d conditions",
				       GATE_SELECTOR_MAX);
		r = parse_one(text, size, &ret->conditions[ret->n++], ret_why);
		text += size;
		if (r >= 0 && *text && !*++text)
			r = why_set(ret_why, -EINVAL,
				    "a condition is missing after the last comma");
	}
	return r;
}

bool gate_selector_names_state(const struct gate_selector *s)
{
	for (unsigned int i = 0; i < s->n; i++)
		if (strcmp(s->conditions[i].key, "state") == 0)
			return true;
	return false;
}

bool gate_selector_agrees(const struct gate_selector *s, const char *label, const char *id,
			  const char *kube, const char *state)
{
	for (unsigned int i = 0; i < s->n; i++) {
		const struct gate_condition *c = &s->conditions[i];
		const char *is = strcmp(c->key, "label") == 0  ? label
				 : strcmp(c->key, "id") == 0   ? id
				 : strcmp(c->key, "kube") == 0 ? kube
							       : state;

		if (!is || (fnmatch(c->value, is, FNM_NOESCAPE) == 0) == c->unequal)
			return false;
	}
	return true;
}
