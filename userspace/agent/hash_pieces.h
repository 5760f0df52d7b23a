/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash_pieces.h: a large file's digest a piece at a time, so that the loop does not wait for a gigabyte. In: a path. Out: the digest, in the
 * hash cache, where whoever measures the file finds it.
 */
#ifndef PLUMB_HASH_PIECES_H
#define PLUMB_HASH_PIECES_H

#include <stdbool.h>
#include "hash_cache.h"

#define HASH_PIECES_MIN (4u << 20)	/* smaller files are read at once: some ten milliseconds */
#define HASH_PIECES_STEP (1u << 20)

struct hash_pieces;

/* 1: it is large and must be read, and *ret is how; 0: it need not be read so; anew: also when the cache has it. */
int hash_pieces_open(struct hash_cache *c, const char *path, bool anew, struct hash_pieces **ret);
int hash_pieces_open_fd(struct hash_cache *c, int fd, bool anew, struct hash_pieces **ret);	/* takes fd */
struct hash_pieces *hash_pieces_free(struct hash_pieces *p);
int hash_pieces_step(struct hash_pieces *p);	/* 1: there is more; 0: done, the cache has it; -ESTALE: it changed meanwhile; -errno */

#endif
