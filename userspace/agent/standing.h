/* SPDX-License-Identifier: Apache-2.0 */
/*
 * standing.h: what the agent does by itself: a drift that the settings call critical, and a verifier that has not heard of it for so long. In: lines
 * that are drift, that evidence was accepted, time. Out: one call, also over restarts: the drift is kept in the state directory. Off unless the
 * settings say so.
 */
#ifndef PLUMB_STANDING_H
#define PLUMB_STANDING_H

#include <event2/event.h>
#include <stdbool.h>
#include "clock.h"
#include "fsio.h"
#include "line.h"

#define STANDING_REASON 256

struct standing;

struct standing_options {
	const struct clock *clock;	/* borrowed, as all here */
	const struct fsio *io;
	const char *state_dir;
	const uint8_t *boot_id;		/* 16 bytes */
	uint64_t size;			/* of the ledger at the start */
	uint64_t after_ms;		/* without the verifier */
	const char *const *keys;	/* a drift whose key begins so is critical */
	uint32_t n_keys;
	void (*act)(void *ctx, const char *reason);	/* once, until the verifier is heard again */
	void *ctx;
};

int standing_open(struct event_base *base, const struct standing_options *o, struct standing **ret);
struct standing *standing_free(struct standing *s);
void standing_drift(struct standing *s, const struct line *l, uint64_t size);	/* size: of the ledger with it; NULL s: nothing */
void standing_heard(struct standing *s, uint64_t size);	/* the verifier has so many lines, and decides about them; NULL: nothing */

#endif
