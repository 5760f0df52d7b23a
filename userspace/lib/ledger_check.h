/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_check.h: verifies a ledger directory offline: lines, tree, tiles, anchors and their PCR replay against the quotes in the
 * lines, signatures, cosignatures, what is unanchored. In: a directory and its enrolment record. Out: a report. Reads only.
 */
#ifndef PLUMB_LEDGER_CHECK_H
#define PLUMB_LEDGER_CHECK_H

#include "fsio.h"
#include "ledger_report.h"

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
