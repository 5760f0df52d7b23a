/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command.h: the deed on the verifier's own machine: a program of the operator's, told of each transition on its standard input. What is run is
 * said by a file of root's alone, a word a line, read each time; no shell, no environment but PATH, a bounded time. In: a body. Out: how it ended.
 */
#ifndef PLUMB_COMMAND_H
#define PLUMB_COMMAND_H

#include <event2/event.h>
#include <stddef.h>
#include <stdint.h>
#include "why.h"

#define COMMAND_MAX_WORDS 64
#define COMMAND_MAX_FILE 16384

struct command;

struct command_options {
	struct event_base *base;	/* borrowed */
	const char *file;		/* copied */
	uint32_t limit_ms;		/* then it is killed */
};

/* r: 0: it ended with 0. -EPROTO another code. -ETIMEDOUT killed. -ECANCELED command_free: killed, too. */
typedef void command_fn(void *ctx, int r, const struct why *why);

int command_open(const struct command_options *o, struct command **ret);
struct command *command_free(struct command *c);
/* Is the file one that may be believed? -EINVAL with why: not root's or ours, others may write it, it has no program in it, or a relative one. */
int command_check(const char *file, struct why *ret_why);
/* One at a time (-EBUSY). done never from inside. */
int command_start(struct command *c, const void *body, size_t size, command_fn *done, void *ctx, struct why *ret_why);

#endif
