/* SPDX-License-Identifier: Apache-2.0 */
#include "counters_line.h"

#include <inttypes.h>

#include "cleanup.h"

/* Blocks of kinds, as maps.bpf.h sorts them. */
static const char *const names[] = {"exec", "fork",   "exit",  "module",
				    "file", "kernel", "guard", "other"};

_Static_assert(ARRAY_SIZE(names) == PLUMB_DROPPED_KINDS, "a name for each place");

int counters_line_members(const struct counters_line *c, struct buf *ret)
{
	const struct plumb_counters *k = c->counters;
	const char *comma = "";

	buf_printf(ret,
		   "\"session\":\"%016" PRIx64 "\",\"on_cpu\":%u,\"attempts\":%" PRIu64
		   ",\"submitted\":%" PRIu64 ",\"dropped\":%" PRIu64,
		   c->ksess, c->cpu, (uint64_t)k->attempts, (uint64_t)k->submitted,
		   (uint64_t)k->dropped);
	for (size_t i = 0; i < ARRAY_SIZE(names) && k->dropped > 0; i++) {
		if (k->dropped_by_kind[i] == 0)
			continue;
		buf_printf(ret, "%s\"%s\":%" PRIu64, *comma ? comma : ",\"dropped_by\":{", names[i],
			   (uint64_t)k->dropped_by_kind[i]);
		comma = ",";
	}
	buf_printf(ret, "%s,\"received\":%" PRIu64 ",\"exec_repeats\":%" PRIu64, *comma ? "}" : "",
		   c->received, c->repeats);
	return buf_status(ret);
}
