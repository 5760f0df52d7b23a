/* SPDX-License-Identifier: Apache-2.0 */
/*
 * merkle.h: the RFC 6962 tree as a frontier of at most 64 hashes. Pure: no disk.
 * In: leaves. Out: roots; inclusion and consistency proofs are made from tiles (ledger rooms) and checked here.
 */
#ifndef PLUMB_MERKLE_H
#define PLUMB_MERKLE_H

#include <stdint.h>
#include "digest.h"

#define MERKLE_MAX_LEVELS 64
#define MERKLE_TILE_HEIGHT 8

/* Plain data that travels. hashes[i] is the root of the i-th complete subtree, largest first; their number is popcount(size). */
struct merkle {
	uint64_t size;		/* leaves */
	uint32_t n_hashes;
	struct digest hashes[MERKLE_MAX_LEVELS];
};

void merkle_init(struct merkle *m);
int merkle_leaf(const void *line, size_t size, struct digest *ret);			/* SHA-256(0x00 ‖ line without LF) */
int merkle_node(const struct digest *left, const struct digest *right, struct digest *ret);
int merkle_add(struct merkle *m, const struct digest *leaf);
/* The same in two steps, for who must do something else between them that may fail. */
struct merkle_join {
	struct digest top;	/* of the largest subtree that the leaf completes */
	uint32_t n;		/* complete subtrees that it joins with the leaf */
	struct digest tiles[MERKLE_MAX_LEVELS / MERKLE_TILE_HEIGHT];	/* the subtrees of 2^8, 2^16 … leaves on the way there */
};
int merkle_join(const struct merkle *m, const struct digest *leaf, struct merkle_join *ret);
void merkle_take(struct merkle *m, const struct merkle_join *j);	/* nothing was added to m since merkle_join() */
int merkle_root(const struct merkle *m, struct digest *ret);				/* size 0: SHA-256 of nothing */
/* From a foreign frontier: -EBADMSG when n_hashes != popcount(size). */
int merkle_from_frontier(uint64_t size, const struct digest *hashes, uint32_t n_hashes, struct merkle *ret);

/* RFC 6962 2.1.1 and 2.1.2, RFC 9162 2.1.3.2 and 2.1.4.2. 0: proven; -EBADMSG: not. n_proof at most 64 and 128. */
int merkle_check_inclusion(uint64_t index, uint64_t size, const struct digest *leaf, const struct digest *proof,
			   uint32_t n_proof, const struct digest *root);
int merkle_check_consistency(uint64_t old_size, uint64_t new_size, const struct digest *old_root,
			     const struct digest *new_root, const struct digest *proof, uint32_t n_proof);

/* Makes proofs. get(ctx, level, index) hands out the hash of the complete subtree of 2^level leaves number index (from tiles). */
typedef int (*merkle_get_fn)(void *ctx, uint32_t level, uint64_t index, struct digest *ret);
int merkle_prove_inclusion(uint64_t index, uint64_t size, merkle_get_fn get, void *ctx, struct digest *ret_proof, uint32_t *ret_n);
int merkle_prove_consistency(uint64_t old_size, uint64_t new_size, merkle_get_fn get, void *ctx, struct digest *ret_proof, uint32_t *ret_n);

#endif
