/* SPDX-License-Identifier: Apache-2.0 */
#include "rested_fd.h"

#include <errno.h>
#include <stdlib.h>

struct rested_fd {
	struct rested_fd_options o;
	struct event *ready, *rest; /* one of the two is pending */
	bool rests;
};

static struct timeval time_of(uint32_t ms)
{
	return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

static int await(struct rested_fd *f)
{
	struct timeval quiet = time_of(f->o.quiet_ms);

	return event_add(f->ready, f->o.quiet_ms ? &quiet : NULL);
}

static void set_rests(struct rested_fd *f, bool yes)
{
	if (f->rests == yes)
		return;
	f->rests = yes;
	if (f->o.rests)
		f->o.rests(f->o.ctx, yes);
}

static void on_turn(evutil_socket_t fd, short what, void *ctx)
{
	struct rested_fd *f = ctx;
	enum rested_fd_turn r;
	struct timeval rest;
	uint32_t ms;

	(void)fd;
	(void)what;
	set_rests(f, false);
	r = f->o.turn(f->o.ctx);
	ms = r == RESTED_FD_ALL ? f->o.rest_ms : r == RESTED_FD_KNOWN ? f->o.known_rest_ms : 0;
	rest = time_of(ms);
	/* Where it cannot rest it is waited for as ever: nothing is lost by that. */
	if (ms && event_add(f->rest, &rest) == 0)
		set_rests(f, true);
	else
		(void)await(f);
}

int rested_fd_open(struct event_base *base, const struct rested_fd_options *o,
		   struct rested_fd **ret)
{
	struct rested_fd *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->o = *o;
	f->ready = event_new(base, o->fd, EV_READ, on_turn, f);
	f->rest = evtimer_new(base, on_turn, f);
	if (!f->ready || !f->rest || await(f) < 0) {
		rested_fd_free(f);
		return -ENOMEM;
	}
	*ret = f;
	return 0;
}

struct rested_fd *rested_fd_free(struct rested_fd *f)
{
	if (!f)
		return NULL;
	if (f->ready)
		event_free(f->ready);
	if (f->rest)
		event_free(f->rest);
	free(f);
	return NULL;
}
