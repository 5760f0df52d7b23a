/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_prune.h: which whole segments of a ledger may go, the `pruned` line that says so, and their removal (docs/ledger.md).
 * In: a directory, limits, and up to where its lines are safe elsewhere. Out: a claim for the line, then fewer files.
 * Order: plan → the line, synced → carry out. Removal goes oldest first and can be done again, so that a crash leaves a ledger
 * that has no hole, and a line that says what is still to go.
 */
#ifndef PLUMB_LEDGER_PRUNE_H
#define PLUMB_LEDGER_PRUNE_H

#include <jansson.h>
#include <stdint.h>
#include "buf.h"
#include "digest.h"
#include "fsio.h"
#include "why.h"

/* What a `pruned` line says. */
struct ledger_prune_claim {
	uint64_t seq, utc_ns;		/* of the line itself */
	uint64_t from, first;		/* lines from … first - 1 go; first is the first one that is kept */
	struct digest root;		/* of the tree of `first` lines */
	uint64_t bytes;			/* of their files */
	uint64_t order;			/* highest number of an order so far: its line may be among those that go */
	char why[8];			/* age, size */
};

int ledger_prune_write(const struct ledger_prune_claim *c, struct buf *ret);	/* the line's members; seq and time are the envelope's */
/* One whole line without LF. -ENOENT: it is no `pruned` line; -EBADMSG: a malformed one. */
int ledger_prune_read(const char *line, size_t size, struct ledger_prune_claim *ret, struct why *ret_why);

struct ledger_prune_limits {
	uint64_t safe;			/* lines below this one may go: somebody else vouches for them */
	uint64_t keep_size;		/* bytes of all segments' files; 0: no bound */
	uint64_t keep_age_ns, now_ns;	/* keep_age_ns 0: no bound */
};

/* Segments, and lines unless the first one has more, that go at once; the next round takes the next ones. 100,000 lines take 0.2 s. */
#define LEDGER_PRUNE_MAX 8
#define LEDGER_PRUNE_LINES (1u << 17)

/*
 * 1: *ret says what may go, and the hashes of those lines are on disk in tiles/; 0: nothing. Never the newest segment. -EBADMSG: tiles/
 * does not have the tree that the segments' headers tell: nothing may go.
 */
int ledger_prune_plan(const struct fsio *io, const char *dir, const struct ledger_prune_limits *limits,
		      struct ledger_prune_claim *ret, struct why *ret_why);
/* Removes every segment that has no line from `first` on, but never the newest. */
int ledger_prune_carry_out(const struct fsio *io, const char *dir, uint64_t first);
/* When the oldest line of a segment was written; 0: it has none yet. */
int ledger_prune_begun(const struct fsio *io, const char *dir, uint64_t segment, uint64_t *ret_utc_ns, struct why *ret_why);
/* The newest claim in the lines that are kept. -ENOENT: none. */
int ledger_prune_newest(const struct fsio *io, const char *dir, struct ledger_prune_claim *ret, struct why *ret_why);

#endif
