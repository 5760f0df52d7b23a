/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_marks.h: sizes of a ledger whose root somebody vouched for, in the order in which a walk over its lines comes to them. In: sizes and
 * roots, in any order. Out: those of the size that the tree has now. Bounded. Pure.
 */
#ifndef PLUMB_LEDGER_MARKS_H
#define PLUMB_LEDGER_MARKS_H

#include "digest.h"

struct ledger_mark {
	uint64_t size;
	struct digest root;
	const char *what;		/* "anchored", "signed"; static */
};

struct ledger_marks {			/* zero-initialise */
	struct ledger_mark *marks;	/* sorted by size, once that was done */
	uint32_t n, at;
};

int ledger_marks_add(struct ledger_marks *m, uint64_t size, const struct digest *root, const char *what);	/* -E2BIG, -ENOMEM */
void ledger_marks_sort(struct ledger_marks *m);
/* The next one that is of this size; those of smaller ones are passed over. NULL: none is left. */
const struct ledger_mark *ledger_marks_next(struct ledger_marks *m, uint64_t size);
void ledger_marks_done(struct ledger_marks *m);

#endif
