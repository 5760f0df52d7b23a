/* SPDX-License-Identifier: Apache-2.0 */
/*
 * release_door.h: how a signed release comes to the agent without a verifier: a directory that it watches, and who puts a file there.
 * In: files NAME.dsse (foreign). Out: their bytes by callback, on the loop's thread; what came of it in NAME.answer. Each is taken once, and gone.
 */
#ifndef PLUMB_RELEASE_DOOR_H
#define PLUMB_RELEASE_DOOR_H

#include "why.h"
#include <event2/event.h>
#include <stddef.h>

#define RELEASE_DOOR_ANSWER 512 /* bytes of an answer, NUL included */
#define RELEASE_DOOR_WAIT_MS 15000u

struct release_door;

struct release_door_options {
	const char *dir; /* made when it is not there, for root alone; borrowed */
	void (*take)(void *ctx, const void *data, size_t size,
		     char ret_answer[RELEASE_DOOR_ANSWER]);
	void *ctx;
};

/* What lies there already is taken soon, on the loop. */
int release_door_open(struct event_base *base, const struct release_door_options *o,
		      struct release_door **ret, struct why *ret_why);
struct release_door *release_door_free(struct release_door *d);

/* The other end: hands it over and waits. -ETIMEDOUT: nobody took it; it is taken back then. */
int release_door_hand(const char *dir, const char *path, unsigned int wait_ms,
		      char ret_answer[RELEASE_DOOR_ANSWER], struct why *ret_why);

#endif
