/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settle.h: the last moments of an agent: the loop runs on until all is anchored, quoted, signed and told, or the time is over. In: what is to come
 * to rest. Out: nothing; what the TPM does not do now it does at the next start.
 */
#ifndef PLUMB_SETTLE_H
#define PLUMB_SETTLE_H

#include <event2/event.h>
#include "clock.h"
#include "commit.h"
#include "report.h"
#include "self_quote.h"

struct settle {				/* all borrowed */
	struct event_base *base;
	const struct clock *clock;
	const struct commit *commit;
	const struct self_quote *self_quote;	/* NULL: none */
	const struct report *report;	/* NULL: none */
};

void settle(const struct settle *s, uint64_t until_ns);	/* boot time */

#endif
