/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settle.h: the last moments of an agent: a last quote and evidence, and the loop runs on until all is anchored, quoted, signed and told, or the time is
 * over. In: what is to come to rest. Out: nothing; what the TPM does not do now it does at the next start.
 */
#ifndef PLUMB_SETTLE_H
#define PLUMB_SETTLE_H

#include <event2/event.h>
#include <stdbool.h>
#include "clock.h"
#include "commit.h"
#include "report.h"
#include "self_quote.h"

struct settle_parts {			/* all borrowed */
	struct event_base *base;
	const struct clock *clock;
	struct commit *commit;
	struct self_quote *self_quote;	/* NULL: none */
	struct report *report;	/* NULL: none */
};

void settle_run(const struct settle_parts *s, bool ordered, uint64_t until_ns);	/* ordered: the stop was; until: boot time */

#endif
