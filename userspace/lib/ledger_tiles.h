/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_tiles.h: the tree's hashes as tiles of 256 (C2SP tlog-tiles, height 8) under DIR/tiles/<level>/<index>.
 * In: leaf hashes in order. Out: files, and the hash of any complete subtree. Tiles are derived from the lines: what a crash
 * took is written again when the ledger is opened.
 */
#ifndef PLUMB_LEDGER_TILES_H
#define PLUMB_LEDGER_TILES_H

#include <stdbool.h>
#include <stdint.h>
#include "digest.h"
#include "fsio.h"
#include "merkle.h"

#define LEDGER_TILES_LEVELS 7
#define LEDGER_TILES_WIDTH 256

struct ledger_tiles;

/* Continues at size leaves; -ENODATA: the files do not reach so far. */
int ledger_tiles_open(const struct fsio *io, const char *dir, uint64_t size, struct ledger_tiles **ret);
struct ledger_tiles *ledger_tiles_free(struct ledger_tiles *t);
int ledger_tiles_add(struct ledger_tiles *t, const struct digest *leaf);	/* memory only; after an error nothing was added */
/* The same when the tree's join for this leaf is known: nothing is hashed a second time. */
int ledger_tiles_add_joined(struct ledger_tiles *t, const struct digest *leaf, const struct merkle_join *j);
/* Writes what was added, not synced. Only after the lines are synced: so a tile that differs from its line means that the line was changed. */
int ledger_tiles_flush(struct ledger_tiles *t);
uint32_t ledger_tiles_waiting(const struct ledger_tiles *t);	/* full tiles not written yet, 8 KiB each */
/* Root of the complete subtree of 2^level leaves, number index; fits merkle_get_fn. Flush first. */
int ledger_tiles_get(void *tiles, uint32_t level, uint64_t index, struct digest *ret);
int ledger_tiles_root(struct ledger_tiles *t, uint64_t size, struct digest *ret);	/* of the tree of so many leaves; flush first */

/* Without the lines a lost tile cannot be made again: those with hashes of lines [from, to) go to the disk. -ENODATA: one is not there. */
int ledger_tiles_sync(const struct fsio *io, const char *dir, uint64_t from, uint64_t to);

/* Reading only: the hash of line seq, through a cache of one tile (zero-initialised). -ENODATA: not there, or never written. */
struct ledger_tiles_cache {
	uint64_t index;
	uint32_t n;
	bool filled;
	struct digest hashes[LEDGER_TILES_WIDTH];
};
int ledger_tiles_leaf(const struct fsio *io, const char *dir, struct ledger_tiles_cache *c, uint64_t seq, struct digest *ret);
/* Adds the hashes of lines m->size … to - 1 to m; fn (may be NULL) sees it after each. -ENODATA: one is not there. */
int ledger_tiles_walk(const struct fsio *io, const char *dir, struct merkle *m, uint64_t to,
		      int (*fn)(void *ctx, const struct merkle *m), void *ctx);

#endif
