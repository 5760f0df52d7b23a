/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_recover.h: reads a ledger directory as a crash may have left it and makes it fit to be written on. Called by ledger_open().
 * In: a directory. Out: its tree, its files open at their ends, and what was found. Syncs each segment before it reads it, cuts only a
 * torn end of lines that nobody vouched for, or a torn last record, never drops a pending batch, and refuses lines that are not those whose hashes stand in tiles/.
 * Reads from the newest of the oldest segments that are packed: what is before it is on disk, its hashes too, and is left to ledger_check.
 */
#ifndef PLUMB_LEDGER_RECOVER_H
#define PLUMB_LEDGER_RECOVER_H

#include <stdbool.h>
#include <stdint.h>
#include "fsio.h"
#include "ledger_dir.h"
#include "ledger_prune.h"
#include "ledger_tiles.h"
#include "merkle.h"
#include "why.h"

/* What was found on opening: recovery synced every segment it read, cut only a torn end, and re-made tiles. */
struct ledger_recovery {
	uint64_t torn_line_bytes;	/* cut from the last segment */
	uint64_t torn_anchor_bytes;
	bool has_pending;		/* an extend record without done after it */
	uint64_t pending_size;
	struct digest pending_root;
	bool has_epoch;			/* the last epoch record, and the fold of everything after it */
	struct ledger_anchor epoch;
	struct digest fold;		/* PCR expected with all done extends (and foreign records) applied */
	struct digest fold_pending;	/* and with the pending one as well, when has_pending */
	uint64_t anchored_size;		/* of the last done extend of this epoch; 0: none */
	struct ledger_prune_claim pruned;	/* the newest `pruned` line in what was read; first 0: none */
};

/* Open files and where they end; the caller closes and frees. */
struct ledger_recovered {
	struct merkle tree;
	struct ledger_tiles *tiles;
	int fd;				/* newest segment, if it is a plain file; else -1 */
	uint64_t first, at;		/* its first line; its bytes */
	int anchors_fd, notes_fd;
	uint64_t anchors_at, notes_at;
};

/* Errors as ledger_open(). On failure nothing stays open. */
int ledger_recover(const struct fsio *io, const char *dir, const char *origin, struct ledger_recovered *ret,
		   struct ledger_recovery *ret_found, struct why *ret_why);
/* Also for half of it: closes and frees what is open. */
void ledger_recover_close(const struct fsio *io, struct ledger_recovered *l);

#endif
