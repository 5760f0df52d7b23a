/* SPDX-License-Identifier: Apache-2.0 */
#include "tail.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct slot {
	uint64_t at; /* of its first byte, among all bytes that ever were here */
	size_t size; /* with LF */
};

/* Lines lie one after another in one ring of bytes: nothing is allocated for one, and none is in two pieces. */
struct tail {
	struct slot slots[TAIL_LINES];
	uint64_t oldest, next;
	uint64_t at; /* where the next line begins, counted as in a slot */
	char *bytes;
};

int tail_open(struct tail **ret)
{
	struct tail *t = calloc(1, sizeof(*t));

	if (t)
		t->bytes = malloc(TAIL_BYTES);
	if (!t || !t->bytes) {
		tail_free(t);
		return -ENOMEM;
	}
	*ret = t;
	return 0;
}

struct tail *tail_free(struct tail *t)
{
	if (t)
		free(t->bytes);
	free(t);
	return NULL;
}

static const struct slot *slot_of(const struct tail *t, uint64_t seq)
{
	return &t->slots[seq & (TAIL_LINES - 1)];
}

/* Room for size bytes in one piece. */
static char *make_room(struct tail *t, size_t size)
{
	uint64_t left = TAIL_BYTES - t->at % TAIL_BYTES;

	if (left < size)
		t->at += left;
	while (t->oldest < t->next && (t->next - t->oldest == TAIL_LINES ||
				       t->at + size - slot_of(t, t->oldest)->at > TAIL_BYTES))
		t->oldest++;
	return t->bytes + t->at % TAIL_BYTES;
}

void tail_add(struct tail *t, uint64_t seq, const void *line, size_t size)
{
	char *to;

	/* A hole would be worse than an empty tail: what is here is always without gaps. */
	if (seq != t->next || size >= TAIL_BYTES)
		t->oldest = t->next = seq;
	if (size >= TAIL_BYTES) {
		t->oldest = t->next = seq + 1;
		return;
	}
	to = make_room(t, size + 1);
	memcpy(to, line, size);
	to[size] = '\n';
	t->slots[seq & (TAIL_LINES - 1)] = (struct slot){t->at, size + 1};
	t->at += size + 1;
	t->next = seq + 1;
}

int tail_lines(const struct tail *t, uint64_t from, uint64_t to, size_t max, struct buf *ret,
	       uint64_t *ret_to)
{
	size_t used = 0;

	if (from < t->oldest || from > t->next || to > t->next)
		return -ENOENT;
	for (; from < to; from++) {
		const struct slot *s = slot_of(t, from);

		if (used + s->size > max)
			break;
		buf_put(ret, t->bytes + s->at % TAIL_BYTES, s->size);
		used += s->size;
	}
	*ret_to = from;
	return buf_status(ret);
}
