/* SPDX-License-Identifier: Apache-2.0 */
#include "rested_fd.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define NS_PER_MS 1000000ull
#define BEAT_MS 20 /* at the least; whole ticks of the loop's clock */

struct rested_fd {
	struct rested_fd_options o;
	struct event_base *base;
	struct event *ready, *rest; /* one of the two is pending */
	bool rests;
};

static struct timeval time_of_ns(uint64_t ns)
{
	return (struct timeval){.tv_sec = (time_t)(ns / (1000 * NS_PER_MS)),
				.tv_usec = (suseconds_t)(ns / 1000 % 1000000)};
}

static struct timeval time_of(uint32_t ms)
{
	return time_of_ns(ms * NS_PER_MS);
}

static uint64_t ns_of(const struct timespec *ts)
{
	return (uint64_t)ts->tv_sec * 1000 * NS_PER_MS + (uint64_t)ts->tv_nsec;
}

/*
 * A rest ends on the beat that is nearest to its length, so that one wake-up is enough for all that rest. Beats are
 * whole ticks of the clock that libevent waits by: it is woken after that many milliseconds, finds the tick not come yet where a tick is
 * longer, and waits again for what lacks. Each such wake-up costs as much as one that is of use.
 */
uint64_t rested_fd_rest_ns(uint32_t rest_ms, uint64_t now_ns, uint64_t tick_ns)
{
	uint64_t beat = (BEAT_MS * NS_PER_MS + tick_ns - 1) / tick_ns; /* in ticks, as all below */
	uint64_t now = now_ns / tick_ns;
	uint64_t rest = (rest_ms * NS_PER_MS + tick_ns - 1) / tick_ns;
	uint64_t end;

	end = (now + rest + beat / 2) / beat * beat;
	return (end > now ? end - now : beat) * tick_ns;
}

static struct timeval time_of_rest(struct event_base *base, uint32_t ms)
{
	struct timespec now, tick;

	if (ms < BEAT_MS)
		return time_of(ms);
	/* libevent counts from when it was woken, which is long ago where the turn was long. */
	(void)event_base_update_cache_time(base);
	if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) < 0 || ns_of(&tick) == 0 ||
	    clock_gettime(CLOCK_MONOTONIC_COARSE, &now) < 0)
		return time_of(ms);
	return time_of_ns(rested_fd_rest_ns(ms, ns_of(&now), ns_of(&tick)));
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
	rest = time_of_rest(f->base, ms);
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
	f->base = base;
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
