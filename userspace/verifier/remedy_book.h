/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remedy_book.h: a node's incident in the store (a blob a node), and what its ledger says of it. In: rows, lines that a quote covers. Out: the
 * record, and which facts ended the step at hand. Always inside a transaction that also puts the node's row: the version of that row is the record's.
 */
#ifndef PLUMB_REMEDY_BOOK_H
#define PLUMB_REMEDY_BOOK_H

#include "remedy.h"
#include "store.h"

#define REMEDY_BOOK_BLOB "remedy"

struct remedy_record {
	struct remedy m;
	uint64_t began_ns;
	uint64_t case_id;		/* 0: a person began it */
	char rule[65], by[128];		/* who gave the plan: a rule or an operator */
	char why[256];			/* of the last move, for people */
	char boot[37];			/* that it was in when the step that needs another one was begun */
	uint64_t incarnation;		/* likewise */
	uint64_t order;			/* that the step at hand gave; 0: none */
	uint64_t taken_ns;		/* of the evidence that said it was done; 0: none said so */
	uint64_t read, read_incarnation;	/* lines below were looked at */
	bool isolated, snapshot;	/* the node's word for it */
};

int remedy_book_get(const struct store *s, const char *node, struct remedy_record *ret, struct why *ret_why);	/* -ENOENT: there is no incident */
int remedy_book_put(const struct store *s, const char *node, const struct remedy_record *k);
int remedy_book_remove(const struct store *s, const char *node);	/* -ENOENT likewise */
/* Looks at confirmed lines that are new. 1: *k changed. */
int remedy_book_read(const struct store *s, const struct store_node *n, struct remedy_record *k);

/* The step at hand came to its end; *ret_worse: attest, or who waits to be released after it, has what it must not have. */
int remedy_book_seen(const struct store *s, const struct store_node *n, const struct remedy_record *k, bool *ret_worse);
/* 1: the brakes hold back what its state asks for, or a person stopped all: nothing goes by itself, and nothing more is done to it. */
int remedy_book_braked(const struct store *s, const struct store_node *n);
const char *remedy_book_step(const struct remedy_record *k);	/* "over": none any more */

#endif
