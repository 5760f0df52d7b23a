/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plain.h: JSON in the very form in which we write it, read in place without a tree: members in their order, no blanks, no escapes, ASCII.
 * In: text with a NUL behind it, which is changed (ends of strings become NULs). Out: members; or that it is of another form, which says
 * nothing about it: a JSON parser has the word then. Pure; inline, as a call costs as much as what it does.
 */
#ifndef PLUMB_PLAIN_H
#define PLUMB_PLAIN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include "ascii.h"

#define PLAIN_BEYOND 32u	/* bytes after the text that a comparison may look at; no literal is longer */

struct plain {
	char *at;
	bool failed;	/* for good */
};

/* No bound checks: no literal, number or string goes past the NUL. */
#define PLAIN_NEXT(s, literal) plain_next(s, literal, sizeof(literal) - 1)
#define PLAIN_EXPECT(s, literal) plain_expect(s, literal, sizeof(literal) - 1)

static inline bool plain_next(struct plain *s, const char *literal, size_t size)
{
	if (s->failed || memcmp(s->at, literal, size) != 0)
		return false;
	s->at += size;
	return true;
}

static inline void plain_expect(struct plain *s, const char *literal, size_t size)
{
	if (!plain_next(s, literal, size))
		s->failed = true;
}

static inline uint64_t plain_number(struct plain *s, uint64_t max)
{
	const char *from = s->at;
	uint64_t v = 0;

	/* Eighteen digits fit; more are for the parser. */
	while (*s->at >= '0' && *s->at <= '9' && s->at - from < 18)
		v = v * 10 + (uint64_t)(*s->at++ - '0');
	if (s->at == from || (*from == '0' && s->at - from > 1) || (*s->at >= '0' && *s->at <= '9') || v > max)
		s->failed = true;
	return v;
}

/* Behind its first quote; up to the next one. max: without NUL. */
static inline const char *plain_text(struct plain *s, size_t max)
{
	char *from = s->at, *end = s->failed ? NULL : strchr(from, '"');

	if (!end || (size_t)(end - from) > max) {
		s->failed = true;
		return "";
	}
	*end = '\0';
	s->at = end + 1;
	return from;
}

/* Of these characters alone, and not empty. */
static inline const char *plain_word(struct plain *s, const char *characters, size_t max)
{
	const char *v = plain_text(s, max);

	if (!*v || v[strspn(v, characters)])
		s->failed = true;
	return v;
}

/* Copies size bytes, and NULs behind them: to has room for size + 1 + PLAIN_BEYOND. Does each character stand for itself? */
static inline bool plain_copy(char *to, const char *from, size_t size)
{
	ascii_16 bad = {0}, v;
	uint64_t halves[2];
	size_t at = 0;

	for (; size - at >= sizeof(v); at += sizeof(v)) {
		memcpy(&v, from + at, sizeof(v));
		memcpy(to + at, &v, sizeof(v));
		bad |= (v < ' ') | (v == '\\');
	}
	memset(&v, ' ', sizeof(v));
	memcpy(&v, from + at, size - at);
	memcpy(to + at, from + at, size - at);
	bad |= (v < ' ') | (v == '\\');
	memcpy(halves, &bad, sizeof(halves));
	memset(to + size, 0, 1 + PLAIN_BEYOND);
	return !(halves[0] | halves[1]);
}

#endif
