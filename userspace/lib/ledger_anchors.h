/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_anchors.h: reads a ledger's `anchors` from any record on, a window at a time: the file grows for as long as the node lives.
 * In: an open file. Out: each record with where it ends; where the file ends in the middle of one.
 */
#ifndef PLUMB_LEDGER_ANCHORS_H
#define PLUMB_LEDGER_ANCHORS_H

#include <stdint.h>
#include "fsio.h"
#include "ledger_dir.h"
#include "why.h"

#define LEDGER_ANCHORS_START (sizeof(LEDGER_ANCHORS_MAGIC) - 1)

struct ledger_anchors_end {
	uint64_t at;	/* after the last whole record */
	uint64_t size;	/* of the file; larger when a record is torn */
};

/* -ENODATA: the file is shorter than its first line; -EBADMSG: it starts with something else. */
int ledger_anchors_magic(const struct fsio *io, int fd);
/*
 * at: where a record begins. fn returns 0 to go on; what else it returns ends the walk. 0; -EBADMSG: a record is broken, and it is not a
 * torn one at the very end.
 */
int ledger_anchors_walk(const struct fsio *io, int fd, uint64_t at, int (*fn)(void *ctx, const struct ledger_anchor *a, uint64_t end),
			void *ctx, struct ledger_anchors_end *ret, struct why *ret_why);

#endif
