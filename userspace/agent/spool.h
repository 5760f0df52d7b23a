/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool.h: the bound on what the verifier has not got. The ledger on disk is the spool; beyond the bound only drift is written, and what is not
 * written is counted. A unit (told.h) that wrote little since the spool was half full is not made to pay for one that wrote much: it may still
 * write, up to a share. In: bytes written, lines that the verifier has. Out: whether a line may be written; counts. Plain.
 */
#ifndef PLUMB_SPOOL_H
#define PLUMB_SPOOL_H

#include <stdbool.h>
#include <stdint.h>

#define SPOOL_SHARES 64u	/* of all of them together, beyond the bound: max / SPOOL_RESERVE */
#define SPOOL_RESERVE 4u

struct spool {
	uint64_t max;		/* bytes; 0: no bound */
	uint64_t unsent;	/* bytes of lines after the first `sent` */
	uint64_t sent;		/* lines that the verifier has, as far as is known */
	uint64_t dropped;	/* lines that were not written, since that was last told */
	uint64_t shares[SPOOL_SHARES];	/* bytes by unit, since it was half full */
	uint64_t unit;		/* whose line is written now */
	bool full;		/* as it was last told in the log */
	bool forgot;		/* since there was last room, measurements were not written: they are to be told again */
};

void spool_written(struct spool *s, uint64_t bytes);
void spool_sent(struct spool *s, uint64_t lines, uint64_t next_seq);	/* the verifier has the first `lines` of next_seq */
bool spool_takes(struct spool *s, bool drift, uint64_t unit);	/* false: it was counted. Logs when that begins and ends */
bool spool_is_half_full(const struct spool *s);
void spool_refused(struct spool *s, int r);	/* the ledger did not take a line: counted */

#endif
