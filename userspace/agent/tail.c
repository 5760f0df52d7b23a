/* SPDX-License-Identifier: Apache-2.0 */
#include "tail.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct slot {
	uint64_t seq;
	char *line; /* with LF; NULL: none */
	size_t size;
};

struct tail {
	struct slot slots[TAIL_LINES];
	uint64_t oldest, next;
	size_t bytes;
};

int tail_open(struct tail **ret)
{
	struct tail *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	*ret = t;
	return 0;
}

static struct slot *slot_of(struct tail *t, uint64_t seq)
{
	return &t->slots[seq & (TAIL_LINES - 1)];
}

static void drop_oldest(struct tail *t)
{
	struct slot *s = slot_of(t, t->oldest++);

	t->bytes -= s->size;
	free(s->line);
	*s = (struct slot){0};
}

struct tail *tail_free(struct tail *t)
{
	if (!t)
		return NULL;
	while (t->oldest < t->next)
		drop_oldest(t);
	free(t);
	return NULL;
}

void tail_add(struct tail *t, uint64_t seq, const void *line, size_t size)
{
	char *copy = malloc(size + 1);

	/* A hole would be worse than an empty tail: what is here is always without gaps. */
	if (!copy || seq != t->next)
		while (t->oldest < t->next)
			drop_oldest(t);
	if (!copy) {
		t->oldest = t->next = seq + 1;
		return;
	}
	if (seq != t->next)
		t->oldest = t->next = seq;
	while (t->oldest < t->next &&
	       (t->next - t->oldest == TAIL_LINES || t->bytes + size + 1 > TAIL_BYTES))
		drop_oldest(t);
	memcpy(copy, line, size);
	copy[size] = '\n';
	*slot_of(t, seq) = (struct slot){seq, copy, size + 1};
	t->bytes += size + 1;
	t->next = seq + 1;
}

int tail_lines(const struct tail *t, uint64_t from, uint64_t to, size_t max, struct buf *ret,
	       uint64_t *ret_to)
{
	size_t used = 0;

	if (from < t->oldest || from > t->next || to > t->next)
		return -ENOENT;
	for (; from < to; from++) {
		const struct slot *s = &t->slots[from & (TAIL_LINES - 1)];

		if (used + s->size > max)
			break;
		buf_put(ret, s->line, s->size);
		used += s->size;
	}
	*ret_to = from;
	return buf_status(ret);
}
