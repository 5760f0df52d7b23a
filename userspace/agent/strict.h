/* SPDX-License-Identifier: Apache-2.0 */
/*
 * strict.h: measure before run: the agent's side of strict_keeper.h. In: programs that the keeper measured, and time-outs; "anchored". Out: lines
 * (op "strict"), and the keeper's leave to let them run once those are in the PCR. A keeper that hangs is killed, which frees whoever
 * waits as soon as the kernel lets it die; that there is none is told, and that it does not die. Loop's thread; it reads no program and waits for nobody.
 */
#ifndef PLUMB_STRICT_H
#define PLUMB_STRICT_H

#include <event2/event.h>
#include "clock.h"
#include "images.h"
#include "ledger_writer.h"
#include "proctab.h"
#include "strict_keeper.h"

#define STRICT_PING_MS 1000
#define STRICT_HUNG_MS 10000	/* without an answer of the keeper, beyond the wait of a program */
#define STRICT_STUCK_PINGS 3	/* a killed keeper that is there for longer is told */
#define STRICT_STUCK "its keeper was killed and does not end: who is held waits"

struct strict;

struct strict_parts {
	struct ledger_writer *writer;	/* borrowed, as all here */
	struct proctab *proctab;
	struct images *images;		/* may be NULL */
	const struct clock *clock;
	void (*first)(void *ctx);	/* takes what the kernel's programs have told so far: who calls may have just begun; may be NULL */
	void (*state)(void *ctx, bool attached, const char *why);	/* it holds programs from here on; or it does not, or no more */
	void *ctx;
};

int strict_open(const struct strict_keeper_options *o, struct strict **ret, struct why *ret_why);	/* before there are threads */
/* The same with a keeper that is there: its process, the agent's end of the socket (taken). */
int strict_adopt(pid_t keeper, int fd, uint32_t wait_ms, struct strict **ret);
int strict_go(struct strict *s, struct event_base *base, const struct strict_parts *parts);
/*
 * The same for one that may not be there, which is then told. absent: why there is none; NULL: none was asked for. *s: NULL where it does not go.
 */
int strict_begin(struct strict **s, struct event_base *base, const struct strict_parts *parts, bool has_tpm, const char *absent);
void strict_anchored(struct strict *s, const struct checkpoint *head);
struct strict *strict_free(struct strict *s);	/* whoever waits may go */

/* What one reads from the keeper. -EBADMSG: it is no message. */
int strict_check(const void *data, size_t size, struct why *ret_why);

#endif
