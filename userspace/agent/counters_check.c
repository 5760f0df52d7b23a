/* SPDX-License-Identifier: Apache-2.0 */
#include "counters_check.h"

#include <stddef.h>

const char *counters_check(const struct plumb_counters *before, const struct plumb_counters *now,
			   uint64_t received)
{
	uint64_t ended = before->submitted + before->dropped;

	if (now->attempts < before->attempts || now->submitted < before->submitted ||
	    now->dropped < before->dropped)
		return "a counter went back";
	/* What had ended at the first reading had been attempted by the second. */
	if (now->attempts < ended || now->attempts < received)
		return "more arrived than was attempted";
	if (now->submitted < received)
		return "more arrived than was submitted";
	if (before->attempts > now->submitted + now->dropped + COUNTERS_CHECK_UNDER_WAY)
		return "what was attempted was neither submitted nor dropped";
	return NULL;
}
