/* SPDX-License-Identifier: Apache-2.0 */
#include "dump_turns.h"

#include <errno.h>
#include <stdlib.h>

#include "dump_due.h"

#define NS_PER_US 1000ull
#define US_PER_S 1000000ull

struct dump_turns {
	struct dump_turns_options o;
	struct dump_due due;
	struct event *soon, *schedule;
};

void dump_turns_hint(struct dump_turns *t)
{
	uint64_t us;
	struct timeval tv;

	if (event_pending(t->soon, EV_TIMEOUT, NULL))
		return;
	us = dump_due_wait_ns(&t->due, clock_boot_ns(t->o.clock)) / NS_PER_US;
	tv = (struct timeval){(time_t)(us / US_PER_S), (suseconds_t)(us % US_PER_S)};
	(void)event_add(t->soon, &tv); /* on failure the schedule has it */
}

int dump_turns_now(struct dump_turns *t)
{
	uint64_t began = clock_boot_ns(t->o.clock);
	int r = t->o.read(t->o.ctx);

	/* One that failed counts as a change: what cannot be read is tried ever more rarely, too. */
	dump_due_done(&t->due, began, clock_boot_ns(t->o.clock), r != 0);
	if (r == -EAGAIN)
		dump_turns_hint(t);
	return r;
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	(void)dump_turns_now(ctx);
}

int dump_turns_open(struct event_base *base, const struct dump_turns_options *o,
		    struct dump_turns **ret)
{
	uint32_t every = o->interval_ms ? o->interval_ms : 60000;
	const struct timeval tv = {every / 1000, every % 1000 * 1000};
	struct dump_turns *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->o = *o;
	t->soon = event_new(base, -1, 0, on_timer, t);
	t->schedule = event_new(base, -1, EV_PERSIST, on_timer, t);
	if (!t->soon || !t->schedule || event_add(t->schedule, &tv) < 0) {
		dump_turns_free(t);
		return -ENOMEM;
	}
	*ret = t;
	return 0;
}

struct dump_turns *dump_turns_free(struct dump_turns *t)
{
	if (!t)
		return NULL;
	if (t->soon)
		event_free(t->soon);
	if (t->schedule)
		event_free(t->schedule);
	free(t);
	return NULL;
}
