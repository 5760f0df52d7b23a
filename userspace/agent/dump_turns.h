/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dump_turns.h: lets state be read again when a notification, a loss or the schedule asks for it, and not too often (dump_due.h).
 * In: hints. Out: calls of read, on the loop's thread.
 */
#ifndef PLUMB_DUMP_TURNS_H
#define PLUMB_DUMP_TURNS_H

#include <event2/event.h>
#include <stdint.h>
#include "clock.h"

struct dump_turns;

struct dump_turns_options {
	const struct clock *clock;	/* borrowed */
	uint32_t interval_ms;		/* between readings that nobody asked for; 0: 60000 */
	int (*read)(void *ctx);		/* > 0: it found something new; 0; -EAGAIN: it is wanted again; other errors wait for the schedule */
	void *ctx;
};

int dump_turns_open(struct event_base *base, const struct dump_turns_options *o, struct dump_turns **ret);
struct dump_turns *dump_turns_free(struct dump_turns *t);
void dump_turns_hint(struct dump_turns *t);	/* soon */
int dump_turns_now(struct dump_turns *t);	/* what read returned */

#endif
