/* SPDX-License-Identifier: Apache-2.0 */
#include "spool.h"

#include <errno.h>
#include <inttypes.h>

#include "log.h"

void spool_written(struct spool *s, uint64_t bytes)
{
	s->unsent += bytes;
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
}

bool spool_takes(struct spool *s, bool drift)
{
	bool full = s->max && s->unsent > s->max;

	if (full && !s->full)
		log_error("spool=full bytes=%" PRIu64
			  " next=\"only drift is written; the rest is counted and told\" "
			  "cure=\"see why the verifier does not take evidence\"",
			  s->unsent);
	if (!full && s->full)
		log_notice("spool=has_room bytes=%" PRIu64 " not_written=%" PRIu64, s->unsent,
			   s->dropped);
	s->full = full;
	if (!full || drift)
		return true;
	s->dropped++;
	s->forgot = true;
	return false;
}

void spool_refused(struct spool *s, int r)
{
	s->dropped++;
	/* A line that is bad in itself is no better when it comes again. */
	if (r != -EINVAL && r != -E2BIG)
		s->forgot = true;
}
