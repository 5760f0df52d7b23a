/* SPDX-License-Identifier: Apache-2.0 */
#include "mutate.h"

#include <stdlib.h>
#include <string.h>

#define MAX_LINES 256u
#define MAX_CHANGES 4u

uint32_t mutate_below(struct mutate *m, uint32_t below)
{
	m->state ^= m->state << 13;
	m->state ^= m->state >> 7;
	m->state ^= m->state << 17;
	return below ? (uint32_t)((m->state >> 20) % below) : 0;
}

bool mutate_replace(struct mutate *m, size_t at, size_t n, const void *with, size_t size)
{
	if (at > m->size || n > m->size - at || m->size - n > m->max ||
	    size > m->max - (m->size - n))
		return false;
	memmove(m->data + at + size, m->data + at + n, m->size - at - n);
	if (size)
		memcpy(m->data + at, with, size);
	m->size = m->size - n + size;
	return true;
}

struct span {
	size_t at, size; /* with its LF */
};

static uint32_t find_lines(const struct mutate *m, struct span *ret)
{
	uint32_t n = 0;

	for (size_t at = 0; at < m->size && n < MAX_LINES; n++) {
		const uint8_t *lf = memchr(m->data + at, '\n', m->size - at);
		size_t end = lf ? (size_t)(lf - m->data) + 1 : m->size;

		ret[n] = (struct span){at, end - at};
		at = end;
	}
	return n;
}

/* One is left out, comes twice, or in another's place. */
static void mutate_lines(struct mutate *m)
{
	struct span lines[MAX_LINES], a, b;
	uint32_t n = find_lines(m, lines);
	uint8_t *copy;

	if (n < 2)
		return;
	a = lines[mutate_below(m, n)];
	b = lines[mutate_below(m, n)];
	copy = malloc(a.size);
	if (!copy)
		abort();
	memcpy(copy, m->data + a.at, a.size);
	switch (mutate_below(m, 3)) {
	case 0:
		mutate_replace(m, a.at, a.size, NULL, 0);
		break;
	case 1:
		mutate_replace(m, b.at, 0, copy, a.size);
		break;
	default:
		mutate_replace(m, b.at, b.size, copy, a.size);
		break;
	}
	free(copy);
}

/* Is there an object in it? Lines of a ledger, headers and documents have nothing before theirs. */
static bool has_json(const struct mutate *m)
{
	return m->size > 1 && memmem(m->data, m->size < 4096 ? m->size : 4096, "{\"", 2) != NULL;
}

static void change(struct mutate *m)
{
	uint32_t which = mutate_below(m, 8);

	if (which < 2 || m->size == 0)
		m->size = LLVMFuzzerMutate(m->data, m->size, m->max);
	else if (!has_json(m))
		mutate_binary(m);
	else if (which == 2)
		mutate_lines(m);
	else
		mutate_json(m);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	struct mutate m = {data, size, max, (uint64_t)seed << 21 | 1};

	for (uint32_t n = 1 + mutate_below(&m, MAX_CHANGES); n > 0; n--)
		change(&m);
	/* Some stay as they are, so that the checks that come first are met, too. */
	if (mutate_mend && mutate_below(&m, 8) > 0)
		m.size = mutate_mend(data, m.size, max);
	return m.size;
}
