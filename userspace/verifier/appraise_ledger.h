/* SPDX-License-Identifier: Apache-2.0 */
/*
 * appraise_ledger.h: the witness's check of a node's ledger, as model-checked: the node's row and a piece of evidence come to a result
 * and a new row. In: a row as it was read, evidence whose quote was checked before, lines stored. Out: result, findings, the row. Pure.
 *
 * The caller commits the row on condition of the version that it read, together with lines, cases and findings, in one transaction.
 */
#ifndef PLUMB_APPRAISE_LEDGER_H
#define PLUMB_APPRAISE_LEDGER_H

#include <stdbool.h>
#include <stdint.h>
#include "evidence.h"
#include "quote.h"
#include "store.h"
#include "why.h"

typedef int (*appraise_ledger_line_fn)(void *fn_ctx, uint64_t seq, const char *line, size_t size);

struct appraise_ledger_in {			/* all borrowed */
	const struct evidence *evidence;
	const struct quote_info *quote;		/* checked; NULL: provisional */
	bool event_signed;			/* a note of the evidence is the event key's, over its checkpoint */
	const char *origin;			/* this incarnation's */
	uint64_t now_ns;
	/* Lines stored, [from, to), none of them below the row's base. As store_ops.lines_each. */
	int (*lines)(void *ctx, uint64_t from, uint64_t to, appraise_ledger_line_fn fn, void *fn_ctx);
	int (*measured)(void *ctx, struct buf_view *ret);	/* as appraise_replay_in.measured */
	void *ctx;
};

struct appraise_ledger {
	enum plumb_result result;
	/*
	 * Bits 1 << enum plumb_finding: unanchored and foreign are over all from interval_from to interval_to, also when that is no
	 * line at all (they may have been cut off); announced: the last evidence said that it was leaving.
	 */
	uint32_t findings;
	uint64_t interval_from, interval_to;
	bool announced;
	bool anew;			/* the first of a later incarnation: the interval begins in the one before */
	bool binding;			/* stored: the row changed. Not binding (unsigned): it did not; it opens a case at most */
	uint64_t new_from;		/* accepted, and stored when binding: lines to be stored, [new_from, new_to) */
	uint64_t new_to;
};

/*
 * 0: checked. row is changed when the result is accepted, forked, or stored and binding, else left alone. why: the reason of
 * send_again, refused and forked. < 0: could not check; nothing changed.
 */
int appraise_ledger(const struct appraise_ledger_in *in, struct store_node *row, struct appraise_ledger *ret, struct why *ret_why);

#endif
