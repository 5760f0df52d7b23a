/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tail.h: the ledger's newest lines in memory, so that news leave without a look at the disk. In: each line as it is appended.
 * Out: lines by number, while they are still here. Bounded: the oldest go.
 */
#ifndef PLUMB_TAIL_H
#define PLUMB_TAIL_H

#include <stdint.h>
#include "buf.h"

#define TAIL_LINES 4096u		/* a power of two */
#define TAIL_BYTES (4u << 20)

struct tail;

int tail_open(struct tail **ret);
struct tail *tail_free(struct tail *t);
void tail_add(struct tail *t, uint64_t seq, const void *line, size_t size);	/* one that does not fit is simply not here later */
/* Lines [from, to), each with LF, at most max bytes of them. ret_to: the first that is not in ret. -ENOENT: `from` is not here (any more). */
int tail_lines(const struct tail *t, uint64_t from, uint64_t to, size_t max, struct buf *ret, uint64_t *ret_to);

#endif
