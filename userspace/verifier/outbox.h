/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbox.h: empties the store's outbox: one message at a time to each target, oldest first, each until it was delivered. A target that is
 * down waits 1, 2, 4 … 300 s and delays no other. In: messages, inside the caller's transaction. Out: calls of send, on the loop's thread.
 */
#ifndef PLUMB_OUTBOX_H
#define PLUMB_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>
#include "clock.h"
#include "store.h"
#include "why.h"

#define OUTBOX_MAX_LANES 17
#define OUTBOX_MAX_WAITING 10000u	/* messages of one target; then the oldest go, counted and told */
#define OUTBOX_MAX_RETRY_S 300
#define OUTBOX_MAX_TRIES 100		/* of a message that is refused: about eight hours */
#define OUTBOX_STUCK_TRIES 10		/* the head may be what kills the target: then another node's message is tried, too */

struct outbox;
struct outbox_lane;

enum outbox_end {
	OUTBOX_DELIVERED = 1,
	OUTBOX_REFUSED,			/* this message, now: it is sent again later, other nodes' messages meanwhile */
	OUTBOX_DOWN,			/* the target: all wait */
	OUTBOX_POINTLESS,		/* this message, for ever: it is dropped */
	OUTBOX_STOPPED,			/* the program ends: the next run sends it */
};

struct outbox_lane_options {
	const char *target;		/* copied */
	/* Starts; how it ends is told by outbox_ended(), never from inside. -EBADMSG: pointless, other errors: down. */
	int (*send)(void *ctx, const struct store_message *m, struct why *ret_why);
	/* Nothing is due: 1 when it started something of its own, whose end is told likewise. NULL: nothing. */
	int (*idle)(void *ctx, struct why *ret_why);
	void *ctx;
};

/* All borrowed. */
int outbox_open(const struct store *store, const struct clock *clock, struct outbox **ret);
struct outbox *outbox_free(struct outbox *o);	/* after those who send: they tell OUTBOX_STOPPED */
int outbox_add(struct outbox *o, const struct outbox_lane_options *l, struct outbox_lane **ret);	/* -E2BIG: too many */
/* What an earlier run left for webhooks that are not configured any more is dropped and told. After the last outbox_add(). */
int outbox_tidy(struct outbox *o, const char *prefix);
/* Inside the caller's transaction. only: what waits for this node is replaced by it. */
int outbox_put(struct outbox_lane *l, const char *node, const struct buf *body, bool only);
void outbox_kick(struct outbox *o);		/* sends what is due */
void outbox_ended(struct outbox_lane *l, enum outbox_end end, const struct why *why);
uint64_t outbox_dropped(struct outbox_lane *l);	/* messages of this target that were never delivered, ever */

#endif
