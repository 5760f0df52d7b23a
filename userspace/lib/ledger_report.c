/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_report.h"

#include <stdio.h>

#include "cleanup.h"

void ledger_report_problem(struct ledger_check_report *r, bool has_line, uint64_t line,
			   const char *format, va_list ap)
{
	if (r->n_problems < LEDGER_CHECK_MAX_PROBLEMS) {
		vsnprintf(r->problems[r->n_problems].text, sizeof(r->problems[0].text), format, ap);
		r->problems[r->n_problems].has_line = has_line;
		r->problems[r->n_problems].line = line;
	}
	r->n_problems++;
}

void ledger_report_unchecked(struct ledger_check_report *r, const char *text)
{
	uint32_t last = ARRAY_SIZE(r->unchecked) - 1,
		 at = r->n_unchecked < last ? r->n_unchecked : last;

	snprintf(r->unchecked[at], sizeof(r->unchecked[0]), "%s",
		 r->n_unchecked > last ? "and more that could not be checked" : text);
	if (r->n_unchecked <= last)
		r->n_unchecked++;
}

enum ledger_check_result ledger_check_result(const struct ledger_check_report *r)
{
	return r->n_problems	? LEDGER_CHECK_BAD
	       : r->n_unchecked ? LEDGER_CHECK_UNPROVEN
				: LEDGER_CHECK_GOOD;
}

const char *ledger_check_result_name(enum ledger_check_result r)
{
	static const char *const names[] = {"good", "bad", "unproven"};

	return names[r];
}
