/* SPDX-License-Identifier: Apache-2.0 */
#include "spool.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "log.h"

void spool_written(struct spool *s, uint64_t bytes)
{
	s->unsent += bytes;
	if (spool_is_half_full(s))
		s->shares[s->unit % SPOOL_SHARES] += bytes;
	s->unit = 0;
}

bool spool_is_half_full(const struct spool *s)
{
	return s->max && s->unsent > s->max / 2;
}

static bool is_small(const struct spool *s, uint64_t unit)
{
	return s->shares[unit % SPOOL_SHARES] < s->max / (SPOOL_RESERVE * SPOOL_SHARES);
}

void spool_sent(struct spool *s, uint64_t lines, uint64_t next_seq)
{
	/* By the share of lines: exact enough for a bound. */
	if (lines >= next_seq)
		s->unsent = 0;
	else if (lines > s->sent)
		s->unsent -= (uint64_t)((double)s->unsent * (double)(lines - s->sent) /
					(double)(next_seq - s->sent));
	s->sent = lines < next_seq ? lines : next_seq;
	if (!spool_is_half_full(s))
		memset(s->shares, 0, sizeof(s->shares));
}

bool spool_takes(struct spool *s, bool drift, uint64_t unit)
{
	bool full = s->max && s->unsent > s->max;

	if (full && !s->full)
		log_error("spool=full bytes=%" PRIu64
			  " next=\"only drift is written, and a little of each cgroup that was "
			  "quiet; the rest is counted and told\" "
			  "cure=\"see why the verifier does not take evidence\"",
			  s->unsent);
	if (!full && s->full)
		log_notice("spool=has_room bytes=%" PRIu64 " not_written=%" PRIu64, s->unsent,
			   s->dropped);
	s->full = full;
	s->unit = unit;
	if (!full || drift || is_small(s, unit))
		return true;
	s->dropped++;
	s->forgot = true;
	return false;
}

void spool_refused(struct spool *s, int r)
{
	s->dropped++;
	/* A line that is bad in itself is no better when it comes again. */
	if (r != -EINVAL && r != -E2BIG && r != -EMSGSIZE)
		s->forgot = true;
}
