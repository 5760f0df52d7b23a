/* SPDX-License-Identifier: Apache-2.0 */
#include "dump_due.h"

#define NS_PER_MS 1000000ull
#define SHARE 20 /* one part of so many is spent on reading at most */

static uint64_t at_least(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t at_most(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t dump_due_wait_ns(struct dump_due *d, uint64_t now_ns)
{
	uint64_t since = now_ns > d->ended_ns ? now_ns - d->ended_ns : 0;
	uint64_t quiet = DUMP_DUE_QUIET_MS * NS_PER_MS;

	/* It was quiet for long: the next change is a first one again. */
	if (d->ended_ns == 0 || since >= 4 * d->apart_ns)
		d->apart_ns = 0;
	return since >= d->apart_ns ? quiet : at_least(quiet, d->apart_ns - since);
}

void dump_due_done(struct dump_due *d, uint64_t began_ns, uint64_t ended_ns, bool changed)
{
	uint64_t took = ended_ns > began_ns ? ended_ns - began_ns : 0;
	uint64_t apart = changed ? 2 * d->apart_ns : d->apart_ns / 2;

	apart = at_most(at_least(apart, DUMP_DUE_MIN_MS * NS_PER_MS), DUMP_DUE_MAX_MS * NS_PER_MS);
	d->apart_ns = at_least(apart, SHARE * took);
	d->ended_ns = ended_ns;
}
