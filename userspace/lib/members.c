/* SPDX-License-Identifier: Apache-2.0 */
#include "members.h"

#include <stdint.h>
#include <string.h>

#define MAX_DIGITS 18u

struct name {
	const char *text;
	size_t size;
};

/* Behind the first quote; behind the last one is returned. NULL: it is another's. */
static const char *skip_text(const char *p)
{
	for (; *p != '"'; p++)
		if ((uint8_t)*p < ' ' || (uint8_t)*p >= 0x7f || *p == '\\')
			return NULL;
	return p + 1;
}

static const char *skip_number(const char *p)
{
	const char *from = p;

	while (*p >= '0' && *p <= '9')
		p++;
	if ((*from == '0' && p - from > 1) || (size_t)(p - from) > MAX_DIGITS)
		return NULL;
	return p;
}

static const char *skip_word(const char *p)
{
	static const char *const words[] = {"true", "false", "null"};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strncmp(p, words[i], strlen(words[i])) == 0)
			return p + strlen(words[i]);
	return NULL;
}

static const char *skip_plain(const char *p)
{
	if (*p == '"')
		return skip_text(p + 1);
	return *p >= '0' && *p <= '9' ? skip_number(p) : skip_word(p);
}

static const char *skip_list(const char *p)
{
	if (*p == ']')
		return p + 1;
	for (;;) {
		p = skip_plain(p);
		if (!p || (*p != ',' && *p != ']'))
			return NULL;
		if (*p++ == ']')
			return p;
	}
}

static bool is_same(const struct name *a, const char *text, size_t size)
{
	return a->size == size && memcmp(a->text, text, size) == 0;
}

static bool is_new(const struct name *name, const struct name *before, size_t n,
		   const char *const *names, size_t n_names)
{
	for (size_t i = 0; i < n; i++)
		if (is_same(name, before[i].text, before[i].size))
			return false;
	for (size_t i = 0; i < n_names; i++)
		if (is_same(name, names[i], strlen(names[i])))
			return false;
	return true;
}

bool members_are_plain(const char *text, const char *const *names, size_t n_names)
{
	struct name seen[MEMBERS_MAX];

	for (size_t n = 0; n < MEMBERS_MAX; n++) {
		const char *end = *text == '"' ? skip_text(text + 1) : NULL;

		if (!end || *end != ':')
			return false;
		seen[n] = (struct name){text + 1, (size_t)(end - text) - 2};
		if (!is_new(&seen[n], seen, n, names, n_names))
			return false;
		text = end[1] == '[' ? skip_list(end + 2) : skip_plain(end + 1);
		if (!text || (*text && *text != ','))
			return false;
		if (!*text++)
			return true;
	}
	return false;
}
