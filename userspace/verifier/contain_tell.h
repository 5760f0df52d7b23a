/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contain_tell.h: who hears of a transition: webhooks, each a target of its own that is known by its URL, and a program. In: bodies, inside the
 * caller's transaction. Out: deliveries in order, with retries, by lanes of the outbox.
 */
#ifndef PLUMB_CONTAIN_TELL_H
#define PLUMB_CONTAIN_TELL_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include "outbox.h"

#define CONTAIN_TELL_MAX_WEBHOOKS (OUTBOX_MAX_LANES - 2)	/* the program and the cluster have one each */

struct contain_tell;

struct contain_tell_options {		/* all borrowed */
	struct event_base *base;
	struct outbox *outbox;		/* outlives it */
	const char *const *webhooks;
	uint32_t n_webhooks;
	const char *webhook_ca;		/* PEM file for https, NULL: system */
	const char *command_file;	/* NULL: none */
};

int contain_tell_open(const struct contain_tell_options *o, struct contain_tell **ret, struct why *ret_why);
struct contain_tell *contain_tell_free(struct contain_tell *t);
bool contain_tell_anybody(const struct contain_tell *t);	/* is there anybody to tell? */
int contain_tell_put(struct contain_tell *t, const char *node, const struct buf *body);

#endif
