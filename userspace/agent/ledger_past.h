/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_past.h: what earlier runs left in the ledger that this one must know: when it ended and on whose word, the highest order, and how
 * much came after the last quote. In: a ledger directory. Out: plain data. Reads the newest segments, back to the last two quotes.
 */
#ifndef PLUMB_LEDGER_PAST_H
#define PLUMB_LEDGER_PAST_H

#include <stdbool.h>
#include <stdint.h>
#include "fsio.h"
#include "why.h"

struct ledger_past {
	bool any, stopped;		/* the last line that counts is a `stop` */
	uint64_t seq, utc_ns, boot_ns;	/* of the last line */
	char boot[37];
	uint64_t last_order;		/* highest number of an order; 0: none */
	uint64_t quote_seq;		/* of the last quote's line */
	uint64_t bytes;			/* of lines after it: with a verifier, about what it has not got */
};

/* size: number of lines. quotes false: there are none (no TPM), and the last lines are enough. */
int ledger_past_read(const struct fsio *io, const char *dir, uint64_t size, bool quotes, struct ledger_past *ret, struct why *ret_why);

/* Size of the newest cosignature of that witness in `notes`; 0: none. Their end alone is read. */
int ledger_past_cosigned(const struct fsio *io, const char *dir, const char *witness, uint64_t *ret_size);

#endif
