/* SPDX-License-Identifier: Apache-2.0 */
#include "settle.h"

static bool is_at_rest(const struct settle *s)
{
	return commit_is_idle(s->commit) && (!s->self_quote || self_quote_is_idle(s->self_quote)) &&
	       (!s->report || report_is_idle(s->report));
}

void settle(const struct settle *s, uint64_t until_ns)
{
	const struct timeval tick = {0, 10000};

	while (clock_boot_ns(s->clock) < until_ns && !is_at_rest(s)) {
		event_base_loopexit(s->base, &tick);
		event_base_loop(s->base, EVLOOP_ONCE);
	}
}
