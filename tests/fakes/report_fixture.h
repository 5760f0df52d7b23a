/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report_fixture.h: report over agent_fixture's rooms. In: what the verifier has ordered, what a test waits for. Out: a report that runs,
 * and what it handed on.
 */
#ifndef PLUMB_REPORT_FIXTURE_H
#define PLUMB_REPORT_FIXTURE_H

#include "agent_fixture.h"
#include "report.h"

struct report_fixture {
	struct agent_fixture f;
	struct report *report;
	/* set before report_fixture_start() */
	struct report_options o;	/* bounds, and a clock that is not the system's; the rest is filled in */
	const char *witness;		/* of the record; NULL: as agent_fixture has it */
	uint64_t last_order, baseline_version;
	unsigned int n_orders, n_renewed;
	unsigned int want;		/* of what is waited for */
};

void report_fixture_open(struct report_fixture *w);	/* all zeros before */
void report_fixture_done(struct report_fixture *w);
/* For cmocka. What begins with a fixture and was opened by the test's own is ended by this one, too: it frees *state. */
int report_fixture_make(void **state);
int report_fixture_end(void **state);

void report_fixture_start(struct report_fixture *w);
/* want: for fn. */
void report_fixture_until(struct report_fixture *w, bool (*fn)(void *ctx), unsigned int want, const char *what);
bool report_fixture_accepted(void *ctx);	/* so many pieces of evidence, and nothing is on its way */
void report_fixture_claims(struct report_fixture *w, unsigned int n);	/* lines of a known size */

#endif
