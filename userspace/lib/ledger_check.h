/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_check.h: verifies a ledger directory offline: lines, tree, tiles, anchors and their PCR replay against the quotes in the
 * lines, signatures, cosignatures, what is unanchored. In: a directory and its enrolment record. Out: a report. Reads only.
 */
#ifndef PLUMB_LEDGER_CHECK_H
#define PLUMB_LEDGER_CHECK_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "fsio.h"
#include "ledger_boots.h"
#include "ledger_imas.h"
#include "ledger_prune.h"
#include "why.h"

#define LEDGER_CHECK_MAX_PROBLEMS 32

struct ledger_check_report {
	uint64_t first_seq;		/* 0 unless pruned */
	struct ledger_prune_claim pruned;	/* that says why; first 0: none does. first > first_seq: what is between is still to go */
	uint64_t n_lines;
	uint64_t n_segments, n_extends, n_epochs, n_foreign, n_quotes, n_gaps, n_drift;
	uint64_t anchored_size;		/* covered by an extend of the last epoch */
	uint64_t quoted_size;		/* covered by a quote that verified */
	uint64_t signed_size;		/* newest checkpoint with the event key's signature */
	uint64_t cosigned_size;		/* newest with the witness's cosignature */
	uint64_t cosigned_time_s;
	struct ledger_boots boots;	/* what the node booted, by quotes that hold; one that is bad is a problem, one without its log proves no boot */
	struct ledger_imas imas;	/* what its IMA measured: lists alone; one that is bad is a problem, too */
	uint32_t n_problems;		/* all; the first LEDGER_CHECK_MAX_PROBLEMS are told */
	struct {
		bool has_line;
		uint64_t line;		/* seq */
		char text[256];		/* "events-…: line 555: checkpoint 600 has another root" */
	} problems[LEDGER_CHECK_MAX_PROBLEMS];
	bool no_tiles;			/* absent or short: a changed line is known only as far as its checkpoint; proves no less */
	uint32_t n_unchecked;		/* what could not be checked (no record, no key), told as text; never good */
	char unchecked[8][256];
};

enum ledger_check_result { LEDGER_CHECK_GOOD, LEDGER_CHECK_BAD, LEDGER_CHECK_UNPROVEN };

/* Bad when there is a problem, unproven when there is none but a point that could not be checked. */
enum ledger_check_result ledger_check_result(const struct ledger_check_report *r);
const char *ledger_check_result_name(enum ledger_check_result r);

/* 0: checked, see ledger_check_result. < 0: could not check at all. record_path NULL: DIR/record.json. */
int ledger_check(const struct fsio *io, const char *dir, const char *record_path, struct ledger_check_report *ret, struct why *ret_why);

/* The same, with keys for the signatures in IMA's lists (borrowed; NULL: none). */
int ledger_check_ima(const struct fsio *io, const char *dir, const char *record_path, struct ima_sig *sig, struct ledger_check_report *ret,
		     struct why *ret_why);

/*
 * The same of a part that was cut out of a ledger: its first header's frontier stands for the lines before it, as far as a checkpoint that somebody
 * signed, or a TPM quoted, has the root that both come to; what is before and after it is not asked for. Anchors are whole.
 */
int ledger_check_part(const struct fsio *io, const char *dir, const char *record_path, struct ledger_check_report *ret, struct why *ret_why);

/* One pass over the lines, for show and export: fn gets each line without LF. fn returns 0 to go on. Compressed segments too. */
int ledger_check_each(const struct fsio *io, const char *dir, uint64_t from,
		      int (*fn)(void *ctx, uint64_t seq, const char *line, size_t size), void *ctx, struct why *ret_why);

#endif
