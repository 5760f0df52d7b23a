/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "mutate.h"

#define MAX_FIELDS 512u
#define MAX_GROWTH 64u

/* Bytes that may well be the size of what follows them: which of them are, the parser knows. */
struct field {
	size_t at;
	uint32_t size;
	uint8_t width;
	bool little;
};

static uint32_t read_size(const uint8_t *p, uint8_t width, bool little)
{
	uint32_t v = 0;

	for (uint8_t i = 0; i < width; i++)
		v = v << 8 | p[little ? width - 1 - i : i];
	return v;
}

static void write_size(uint8_t *p, uint8_t width, bool little, uint32_t v)
{
	for (uint8_t i = 0; i < width; i++)
		p[little ? i : width - 1 - i] = (uint8_t)(v >> (8 * i));
}

static uint32_t find_fields(struct mutate *m, struct field *ret)
{
	static const struct {
		uint8_t width;
		bool little;
	} forms[] = {{2, false}, {4, false}, {4, true}, {1, false}, {2, true}};
	uint32_t n = 0, met = 0;

	for (size_t i = 0; i < 5; i++) {
		uint8_t w = forms[i].width;

		for (size_t at = 0; at + w < m->size; at++) {
			uint32_t v = read_size(m->data + at, w, forms[i].little);
			struct field f = {at, v, w, forms[i].little};
			uint32_t to = n < MAX_FIELDS ? n : mutate_below(m, ++met + MAX_FIELDS);

			/* A byte is one only now and then: nearly each would be. */
			if (v < (w == 1 ? 4 : 1) || v > m->size - at - w || to >= MAX_FIELDS)
				continue;
			ret[to] = f;
			n += n < MAX_FIELDS;
		}
	}
	return n;
}

static size_t end_of(const struct field *f)
{
	return f->at + f->width + f->size;
}

/* Those around it grow with it: they begin before it, and end where it does, or behind. */
static void grow_others(struct mutate *m, const struct field *fields, uint32_t n,
			const struct field *f, int64_t by)
{
	bool all = mutate_below(m, 2);

	for (uint32_t i = 0; i < n; i++) {
		const struct field *o = &fields[i];

		if (o->at + o->width > f->at || end_of(o) < end_of(f) ||
		    (o->width == 1 && end_of(o) != end_of(f)))
			continue;
		/* Which are real is not known: those that end together are, and sometimes the rest. */
		if (all || end_of(o) == end_of(f) || end_of(o) == m->size - (size_t)by)
			write_size(m->data + o->at, o->width, o->little,
				   (uint32_t)((int64_t)o->size + by));
	}
}

static void resize(struct mutate *m, const struct field *fields, uint32_t n, const struct field *f)
{
	uint8_t noise[MAX_GROWTH];
	size_t from = f->at + f->width + mutate_below(m, f->size + 1);
	size_t less = mutate_below(m, (uint32_t)(end_of(f) - from) + 1);
	size_t more = mutate_below(m, 2) ? 1 + mutate_below(m, MAX_GROWTH) : 0;
	int64_t by;

	for (size_t i = 0; i < more; i++)
		noise[i] = (uint8_t)mutate_below(m, 256);
	if (more)
		less = mutate_below(m, 2) ? less : 0;
	by = (int64_t)more - (int64_t)less;
	if (!mutate_replace(m, from, less, noise, more))
		return;
	write_size(m->data + f->at, f->width, f->little, (uint32_t)((int64_t)f->size + by));
	grow_others(m, fields, n, f, by);
}

/* What is in it, by who knows of no form. */
static void fill(struct mutate *m, const struct field *fields, uint32_t n, const struct field *f)
{
	uint8_t *copy = malloc(f->size + MAX_GROWTH);
	size_t size;

	if (!copy)
		abort();
	memcpy(copy, m->data + f->at + f->width, f->size);
	size = LLVMFuzzerMutate(copy, f->size, f->size + MAX_GROWTH);
	if (mutate_replace(m, f->at + f->width, f->size, copy, size)) {
		write_size(m->data + f->at, f->width, f->little, (uint32_t)size);
		grow_others(m, fields, n, f, (int64_t)size - (int64_t)f->size);
	}
	free(copy);
}

/* The whole field again behind itself, or not at all. */
static void repeat(struct mutate *m, const struct field *fields, uint32_t n, const struct field *f)
{
	size_t size = f->width + f->size;
	uint8_t *copy = malloc(size);
	bool again = mutate_below(m, 2);

	if (!copy)
		abort();
	memcpy(copy, m->data + f->at, size);
	if (mutate_replace(m, f->at, again ? 0 : size, copy, again ? size : 0))
		grow_others(m, fields, n, f, again ? (int64_t)size : -(int64_t)size);
	free(copy);
}

static void odd_size(struct mutate *m, const struct field *f)
{
	const uint32_t left = (uint32_t)(m->size - f->at - f->width);
	const uint32_t odd[] = {0,	  1,	  f->size - 1, f->size + 1, left,
				left + 1, 0x7fff, 0xffff,      0x7fffffff,  UINT32_MAX};

	write_size(m->data + f->at, f->width, f->little, odd[mutate_below(m, 10)]);
}

/* One more, or one less: of a count, a kind, a version. */
static void step(struct mutate *m)
{
	size_t at = mutate_below(m, (uint32_t)m->size);

	m->data[at] = (uint8_t)(m->data[at] + (mutate_below(m, 2) ? 1 : -1));
}

void mutate_binary(struct mutate *m)
{
	static struct field fields[MAX_FIELDS];
	uint32_t n = find_fields(m, fields);
	const struct field f = n ? fields[mutate_below(m, n)] : (struct field){.at = 0};

	switch (n ? mutate_below(m, 8) : 7) {
	case 0:
	case 1:
	case 2:
		resize(m, fields, n, &f);
		break;
	case 3:
	case 4:
		fill(m, fields, n, &f);
		break;
	case 5:
		repeat(m, fields, n, &f);
		break;
	case 6:
		odd_size(m, &f);
		break;
	default:
		if (m->size)
			step(m);
		break;
	}
}
