/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "digest.h"
#include "mutate.h"

#define MAX_TOKENS 512u
#define MAX_GROWTH 64u

/* A value: text with its quotes, a number or word, an object or list as a whole. Members: with a name before it. */
struct token {
	size_t at, end;
	size_t name; /* where its name begins; at, when it has none */
};

static size_t skip_text(const uint8_t *p, size_t at, size_t end)
{
	for (at++; at < end && p[at] != '"'; at++)
		at += p[at] == '\\';
	return at < end ? at + 1 : end;
}

static size_t skip_value(const uint8_t *p, size_t at, size_t end)
{
	unsigned int depth = 0;

	for (; at < end; at++) {
		if (p[at] == '"') {
			at = skip_text(p, at, end) - 1;
			if (depth == 0)
				return at + 1;
		} else if (p[at] == '{' || p[at] == '[') {
			depth++;
		} else if (p[at] == '}' || p[at] == ']') {
			if (depth <= 1)
				return depth ? at + 1 : at;
			depth--;
		} else if (p[at] == ',' && depth == 0) {
			return at;
		}
	}
	return end;
}

/* Of members the value, of lists the items, and all that is in them: nothing else is asked of the text. */
static uint32_t find_tokens(const uint8_t *p, size_t at, size_t end, struct token *ret)
{
	uint32_t n = 0;

	while (at < end && n < MAX_TOKENS) {
		size_t name = at, behind;

		if (strchr("{}[],: ", p[at])) {
			at++;
			continue;
		}
		behind = p[at] == '"' ? skip_text(p, at, end) : skip_value(p, at, end);
		if (p[at] == '"' && behind + 1 < end && p[behind] == ':') {
			at = behind + 1;
			behind = skip_value(p, at, end);
		}
		if (behind > at)
			ret[n++] = (struct token){at, behind, name};
		at = behind <= at ? at + 1 : p[at] == '{' || p[at] == '[' ? at + 1 : behind;
	}
	return n;
}

static void put_number(struct mutate *m, const struct token *t)
{
	static const char *const odd[] = {"0",
					  "1",
					  "-1",
					  "00",
					  "1.5",
					  "1e3",
					  "255",
					  "65536",
					  "4294967295",
					  "4294967296",
					  "999999999999999999",
					  "9223372036854775807",
					  "9223372036854775808",
					  "18446744073709551616"};
	char text[32] = "";
	long long was;

	memcpy(text, m->data + t->at, t->end - t->at < 31 ? t->end - t->at : 31);
	was = strtoll(text, NULL, 10);
	switch (mutate_below(m, 4)) {
	case 0:
		snprintf(text, sizeof(text), "%s", odd[mutate_below(m, 14)]);
		break;
	case 1:
		snprintf(text, sizeof(text), "%u", mutate_below(m, 300));
		break;
	default:
		snprintf(text, sizeof(text), "%lld",
			 (long long)((unsigned long long)was + mutate_below(m, 5) - 2u));
		break;
	}
	mutate_replace(m, t->at, t->end - t->at, text, strlen(text));
}

/* Its bytes, in the form that bytes have; true: it was of that form. */
static bool change_base64(struct mutate *m, const struct token *t)
{
	const char *text = (char *)m->data + t->at + 1;
	size_t size = t->end - t->at - 2;
	struct mutate inner = {.state = m->state};
	struct buf bytes = {0}, again = {0};

	if (size < 8 || digest_from_base64(text, size, &bytes) < 0) {
		buf_done(&bytes);
		return false;
	}
	inner.size = bytes.size;
	inner.max = bytes.size + MAX_GROWTH;
	buf_room(&bytes, MAX_GROWTH);
	inner.data = bytes.data;
	if (mutate_below(&inner, 2))
		mutate_binary(&inner);
	else
		inner.size = LLVMFuzzerMutate(inner.data, inner.size, inner.max);
	m->state = inner.state;
	digest_base64(&again, inner.data, inner.size);
	mutate_replace(m, t->at + 1, size, again.data, again.size);
	buf_done(&bytes);
	buf_done(&again);
	return true;
}

static bool change_hex(struct mutate *m, const struct token *t)
{
	static const char digits[] = "0123456789abcdef";
	size_t size = t->end - t->at - 2;
	size_t at = t->at + 1 + mutate_below(m, (uint32_t)(size ? size : 1));

	if (size < 8 || size % 2)
		return false;
	for (size_t i = t->at + 1; i < t->end - 1; i++)
		if (!isxdigit(m->data[i]))
			return false;
	if (mutate_below(m, 8))
		m->data[at] = (uint8_t)digits[mutate_below(m, 16)];
	else
		mutate_replace(m, at, mutate_below(m, 2) && at + 3 < t->end ? 2 : 0, "00",
			       mutate_below(m, 2) ? 2 : 0);
	return true;
}

static void change_text(struct mutate *m, const struct token *t)
{
	static const char *const odd[] = {
		"\\u0000", "\\ud800", "\\\"", "\\n",  "\xc3\xbc", "\xff",	   "\xed\xa0\x80",
		"\\u000a", "%s",      "../",  "\x7f", "\\u00e9",  "\xe2\x80\x94 ", " "};
	size_t size = t->end - t->at - 2, at = t->at + 1 + mutate_below(m, (uint32_t)size + 1);
	const char *text = odd[mutate_below(m, 14)];
	uint8_t copy[256 + MAX_GROWTH];

	if (mutate_below(m, 2) || size > 256) {
		mutate_replace(m, at, mutate_below(m, (uint32_t)(t->end - at)), text, strlen(text));
		return;
	}
	memcpy(copy, m->data + t->at + 1, size);
	mutate_replace(m, t->at + 1, size, copy, LLVMFuzzerMutate(copy, size, sizeof(copy)));
}

static void put_other_kind(struct mutate *m, const struct token *t)
{
	static const char *const values[] = {"null", "true", "false", "[]",    "{}",
					     "\"\"", "0",    "[[]]",  "\"x\"", "-1"};
	const char *text = values[mutate_below(m, 10)];

	mutate_replace(m, t->at, t->end - t->at, text, strlen(text));
}

/* The value becomes what another one is. */
static void put_another(struct mutate *m, const struct token *t, const struct token *o)
{
	size_t size = o->end - o->at;
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	memcpy(copy, m->data + o->at, size);
	mutate_replace(m, t->at, t->end - t->at, copy, size);
	free(copy);
}

/* With its comma: left out, or twice. */
static void change_member(struct mutate *m, const struct token *t)
{
	size_t end = t->end + (t->end < m->size && m->data[t->end] == ','), size = end - t->name;
	uint8_t *copy = malloc(size + 1);

	if (!copy)
		abort();
	memcpy(copy, m->data + t->name, size);
	if (size && copy[size - 1] != ',')
		copy[size++] = ',';
	if (mutate_below(m, 2))
		mutate_replace(m, t->name, 0, copy, size);
	else
		mutate_replace(m, t->name, end - t->name, NULL, 0);
	free(copy);
}

static void change_value(struct mutate *m, const struct token *t)
{
	uint8_t first = m->data[t->at];

	if (first == '"' && t->end - t->at >= 2) {
		if (!change_hex(m, t) && (mutate_below(m, 8) == 0 || !change_base64(m, t)))
			change_text(m, t);
	} else if (first == '-' || (first >= '0' && first <= '9')) {
		put_number(m, t);
	} else {
		put_other_kind(m, t);
	}
}

void mutate_json(struct mutate *m)
{
	static struct token tokens[MAX_TOKENS];
	size_t at = mutate_below(m, (uint32_t)m->size), end;
	const uint8_t *lf;
	struct token t, o;
	uint32_t n;

	/* The first line is a header more often than not: it gets as much as all others. */
	if (mutate_below(m, 2))
		at = 0;
	while (at > 0 && m->data[at - 1] != '\n')
		at--;
	lf = memchr(m->data + at, '\n', m->size - at);
	end = lf ? (size_t)(lf - m->data) : m->size;
	n = find_tokens(m->data, at, end, tokens);
	if (n == 0)
		return;
	t = tokens[mutate_below(m, n)];
	o = tokens[mutate_below(m, n)];
	switch (mutate_below(m, 8)) {
	case 0:
		change_member(m, &t);
		break;
	case 1:
		put_other_kind(m, &t);
		break;
	case 2:
		put_another(m, &t, &o);
		break;
	default:
		change_value(m, &t);
		break;
	}
}
