/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rested_fd.h: a descriptor that is read at once when it was quiet, and in batches when it is busy.
 * In: readiness from the loop. Out: turns. After a turn that took all there was the descriptor rests; while it rests nobody is woken
 * for it, and what comes meanwhile is taken together: on a busy node a wake-up a record would cost more than what is done about it.
 */
#ifndef PLUMB_RESTED_FD_H
#define PLUMB_RESTED_FD_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

enum rested_fd_turn {
	RESTED_FD_NOTHING,	/* nothing was there */
	RESTED_FD_ALL,		/* what was there is taken */
	RESTED_FD_KNOWN,	/* the same, and all of it was of a kind that can wait a little when it comes again */
	RESTED_FD_MORE,		/* others on the loop want their turn; more waits */
};

struct rested_fd_options {
	int fd;			/* borrowed */
	uint32_t rest_ms;	/* 0: none; from 20 on it ends at a time common to all, at most a beat (rested_fd_rest_ns()) from its length */
	uint32_t known_rest_ms;	/* after RESTED_FD_KNOWN; the same */
	uint32_t quiet_ms;	/* a turn at the latest after so long without one; 0: no such limit */
	enum rested_fd_turn (*turn)(void *ctx);
	void (*rests)(void *ctx, bool yes);	/* true as a rest begins, false before the turn that ends it; NULL: nobody asks */
	void *ctx;
};

struct rested_fd;

int rested_fd_open(struct event_base *base, const struct rested_fd_options *o, struct rested_fd **ret);	/* -ENOMEM */
struct rested_fd *rested_fd_free(struct rested_fd *f);
/* How long the rest of rest_ms >= 20 is that begins at `now_ns` of a clock that goes in steps of tick_ns (not 0): what rests at once is woken at once. */
uint64_t rested_fd_rest_ns(uint32_t rest_ms, uint64_t now_ns, uint64_t tick_ns);

#endif
