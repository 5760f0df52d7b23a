/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_pruned.h: judges what a ledger's directory no longer has: each line that is gone must be named by a `pruned` line that is kept,
 * with the tree that its hashes in tiles/ still give. In: the first frontier, the lines. Out: what is bad, what is open, and the
 * claim that explains it. Reads only.
 */
#ifndef PLUMB_LEDGER_PRUNED_H
#define PLUMB_LEDGER_PRUNED_H

#include <stdbool.h>
#include <stdint.h>
#include "fsio.h"
#include "ledger_prune.h"
#include "merkle.h"

/* bad: a defect, at that line; else something that could not be checked. */
typedef void (*ledger_pruned_tell_fn)(void *ctx, bool bad, uint64_t line, const char *text);

struct ledger_pruned {
	const struct fsio *io;			/* borrowed, as firsts and dir */
	const char *dir;
	const uint64_t *firsts;			/* of the segments that are there */
	uint32_t n;
	ledger_pruned_tell_fn tell;
	void *ctx;
	struct merkle frontier;			/* as the first header says */
	struct ledger_prune_claim claim;	/* that explains what is gone; first 0: none yet */
	uint64_t claimed;			/* the most that any line says */
};

/*
 * Adds the hashes of the lines that are gone to *tree, which is empty; on_leaf sees it after each. What tiles/ gives must be the frontier.
 * < 0: an error of the disk, or on_leaf's.
 */
int ledger_pruned_begin(struct ledger_pruned *p, const struct merkle *frontier, struct merkle *tree,
			int (*on_leaf)(void *ctx, const struct merkle *m), void *ctx);
void ledger_pruned_line(struct ledger_pruned *p, uint64_t seq, const char *line, size_t size);	/* every line, after it was added */
void ledger_pruned_end(struct ledger_pruned *p);

#endif
