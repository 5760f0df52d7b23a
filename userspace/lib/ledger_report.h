/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_report.h: what checking a ledger came to. In: counts, what is bad, what could not be checked. Out: one of three words. Pure.
 */
#ifndef PLUMB_LEDGER_REPORT_H
#define PLUMB_LEDGER_REPORT_H

#include <stdarg.h>
#include "ledger_boots.h"
#include "ledger_imas.h"
#include "ledger_prune.h"

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

void ledger_report_problem(struct ledger_check_report *r, bool has_line, uint64_t line, const char *format, va_list ap)
	__attribute__((format(printf, 4, 0)));
void ledger_report_unchecked(struct ledger_check_report *r, const char *text);	/* the last place says that there is more */

#endif
