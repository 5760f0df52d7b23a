/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retention.h: lets old segments of the ledger go. In: up to which line somebody else vouches for it, each time that moves. Out: a `pruned`
 * line, synced, and then fewer files; closed segments, so that there are some to go. What is not safe elsewhere stays, however big it is.
 */
#ifndef PLUMB_RETENTION_H
#define PLUMB_RETENTION_H

#include <stdint.h>
#include "clock.h"
#include "fsio.h"
#include "ledger_writer.h"

struct retention {			/* all borrowed; set by who owns it */
	struct ledger_writer *writer;
	const struct clock *clock;
	const struct fsio *io;
	const char *dir;
	uint64_t keep_ms;		/* 0: for ever */
	uint64_t keep_size;		/* bytes of all segments' files; 0: no bound */
	uint64_t (*last_order)(void *ctx);	/* so far; goes into the line */
	void *ctx;
	int told;			/* the error that was last told; 0: none */
};

/* Of a ledger with this bound: several segments fit in, so that some are closed and can go. 0: the ledger's own. */
uint64_t retention_segment_size(uint64_t keep_size);
/*
 * safe: lines below this one may go: with a verifier, those of accepted evidence whose cosignature is kept; without, those that are quoted and
 * signed. A node without a TPM never calls it.
 */
void retention_run(struct retention *r, uint64_t safe);

#endif
