/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ascii.h: numbers and plain text, written in place: each line of the ledger has some fifty such pieces, and they are most of what it takes
 * to write one. In: values. Out: characters without NUL, where the caller has room for them. Pure; inline, as a call costs as much.
 */
#ifndef PLUMB_ASCII_H
#define PLUMB_ASCII_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ASCII_DIGITS 20u	/* of the largest number */

static inline void ascii_put_two(uint8_t *to, uint32_t value)	/* below 100 */
{
	to[0] = (uint8_t)('0' + value / 10);
	to[1] = (uint8_t)('0' + value % 10);
}

static inline unsigned int ascii_n_digits(uint64_t value)
{
	static const uint64_t powers[ASCII_DIGITS] = {0,
						      10ull,
						      100ull,
						      1000ull,
						      10000ull,
						      100000ull,
						      1000000ull,
						      10000000ull,
						      100000000ull,
						      1000000000ull,
						      10000000000ull,
						      100000000000ull,
						      1000000000000ull,
						      10000000000000ull,
						      100000000000000ull,
						      1000000000000000ull,
						      10000000000000000ull,
						      100000000000000000ull,
						      1000000000000000000ull,
						      10000000000000000000ull};
	/* 1233/4096 is a little more than log10(2): what it says is right, or one too few. */
	unsigned int n = (64u - (unsigned int)__builtin_clzll(value | 1)) * 1233u >> 12;

	return n + (value >= powers[n]);
}

/* How many were written. */
static inline unsigned int ascii_put_uint(uint8_t *to, uint64_t value)
{
	static const char pairs[] = "0001020304050607080910111213141516171819"
				    "2021222324252627282930313233343536373839"
				    "4041424344454647484950515253545556575859"
				    "6061626364656667686970717273747576777879"
				    "8081828384858687888990919293949596979899";
	unsigned int n = ascii_n_digits(value), at = n;

	for (; value >= 100; value /= 100)
		memcpy(to + (at -= 2), pairs + value % 100 * 2, 2);
	if (value >= 10)
		memcpy(to, pairs + value * 2, 2);
	else
		to[0] = (uint8_t)('0' + value);
	return n;
}

/* Characters beside one another; signed, so that what is no ASCII is less than a blank, as the controls are. */
typedef int8_t ascii_16 __attribute__((vector_size(16)));
typedef int8_t ascii_8 __attribute__((vector_size(8)));

/* Lanes other than 0: no ASCII, a control, or one that JSON escapes. */
#define ASCII_UNPLAIN(v) (((v) < ' ') | ((v) == '"') | ((v) == '\\') | ((v) == 0x7f))

/* Less than eight, filled up with what is plain. */
static inline bool ascii_copy_short(uint8_t *to, const char *text, size_t size)
{
	ascii_8 v = {' ', ' ', ' ', ' ', ' ', ' ', ' ', ' '};
	uint64_t bad;

	if (size >= 4) {
		uint32_t ends[2];

		memcpy(&ends[0], text, 4);
		memcpy(&ends[1], text + size - 4, 4);
		memcpy(to, &ends[0], 4);
		memcpy(to + size - 4, &ends[1], 4);
		memcpy(&v, ends, sizeof(v));
	} else {
		for (size_t i = 0; i < size; i++) {
			to[i] = (uint8_t)text[i];
			v[i] = (int8_t)text[i];
		}
	}
	v = ASCII_UNPLAIN(v);
	memcpy(&bad, &v, sizeof(bad));
	return bad == 0;
}

/* Copies text, and says whether it stands for itself in JSON, as nearly all does. Sixteen at a time, the last ones overlapping those before. */
static inline bool ascii_copy_plain(uint8_t *to, const char *text, size_t size)
{
	ascii_16 bad = {0}, v;
	uint64_t halves[2];

	if (size < 8)
		return ascii_copy_short(to, text, size);
	if (size < sizeof(v)) {
		memcpy(&halves[0], text, 8);
		memcpy(&halves[1], text + size - 8, 8);
		memcpy(to, &halves[0], 8);
		memcpy(to + size - 8, &halves[1], 8);
		memcpy(&v, halves, sizeof(v));
		bad = ASCII_UNPLAIN(v);
	}
	for (size_t i = 0; i < size && size >= sizeof(v); i += sizeof(v)) {
		size_t at = size - i < sizeof(v) ? size - sizeof(v) : i;

		memcpy(&v, text + at, sizeof(v));
		memcpy(to + at, &v, sizeof(v));
		bad |= ASCII_UNPLAIN(v);
	}
	memcpy(halves, &bad, sizeof(halves));
	return (halves[0] | halves[1]) == 0;
}

#endif
