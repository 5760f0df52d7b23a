/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_marks.h"

#include <errno.h>
#include <stdlib.h>

#include "ledger_replay.h"

#define MAX_MARKS (2 * LEDGER_REPLAY_MAX)

int ledger_marks_add(struct ledger_marks *m, uint64_t size, const struct digest *root,
		     const char *what)
{
	struct ledger_mark *more;

	if (m->n >= MAX_MARKS)
		return -E2BIG;
	/* Doubles whenever the number is a power of two. */
	if ((m->n & (m->n - 1)) == 0) {
		more = realloc(m->marks, (m->n ? m->n * 2ul : 1) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		m->marks = more;
	}
	m->marks[m->n++] = (struct ledger_mark){size, *root, what};
	return 0;
}

static int by_size(const void *a, const void *b)
{
	const struct ledger_mark *x = a, *y = b;

	return x->size < y->size ? -1 : x->size > y->size;
}

void ledger_marks_sort(struct ledger_marks *m)
{
	if (m->n > 0)
		qsort(m->marks, m->n, sizeof(*m->marks), by_size);
}

const struct ledger_mark *ledger_marks_next(struct ledger_marks *m, uint64_t size)
{
	while (m->at < m->n && m->marks[m->at].size < size)
		m->at++;
	return m->at < m->n && m->marks[m->at].size == size ? &m->marks[m->at++] : NULL;
}

void ledger_marks_done(struct ledger_marks *m)
{
	free(m->marks);
	*m = (struct ledger_marks){.n = 0};
}
