/* SPDX-License-Identifier: Apache-2.0 */
#include "settle.h"

static bool is_at_rest(const struct settle_parts *s)
{
	return commit_is_idle(s->commit) && (!s->self_quote || self_quote_is_idle(s->self_quote)) &&
	       (!s->report || report_is_idle(s->report));
}

static void wait_until(const struct settle_parts *s, uint64_t until_ns)
{
	const struct timeval tick = {0, 10000};

	while (clock_boot_ns(s->clock) < until_ns && !is_at_rest(s)) {
		event_base_loopexit(s->base, &tick);
		event_base_loop(s->base, EVLOOP_ONCE);
	}
}

void settle_run(const struct settle_parts *s, bool ordered, uint64_t until_ns)
{
	if (s->self_quote)
		self_quote_last(s->self_quote);
	if (s->report)
		report_last(s->report, ordered);
	wait_until(s, until_ns);
	commit_appended(s->commit, true); /* the quote's own line, and that of IMA's list */
	wait_until(s, until_ns);
}
