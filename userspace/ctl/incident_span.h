/* SPDX-License-Identifier: Apache-2.0 */
/*
 * incident_span.h: the part of a ledger that tells of a span of time, as a directory of its own that still proves itself: one segment whose header
 * has the frontier of the lines before it, and the lines up to the quote that covers the last. In: a ledger directory. Out: another.
 */
#ifndef PLUMB_INCIDENT_SPAN_H
#define PLUMB_INCIDENT_SPAN_H

#include <stdint.h>
#include "why.h"

struct incident_span {
	uint64_t from_ns, to_ns;	/* in, by the node's clock */
	uint64_t first, end, last;	/* out: [first, end) are of the span, [end, last) prove it */
	uint64_t kept;			/* out: the first line that there is */
};

/*
 * Into `to`, which is there and empty. Of a span without a line, the last one before it. -ENOENT: there is none. Anchors, the record and whatever
 * else lies beside the lines (boot logs) are copied; notes of checkpoints within.
 */
int incident_span_cut(const char *from, const char *to, struct incident_span *s, struct why *ret_why);

#endif
