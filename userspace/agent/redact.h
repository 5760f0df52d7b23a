/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redact.h: arguments of a program without what is nobody's business. In: arguments as the kernel gave them, patterns. Out: JSON members. The
 * built-in patterns are always among them; what they mean never leaves this room.
 */
#ifndef PLUMB_REDACT_H
#define PLUMB_REDACT_H

#include <stdint.h>
#include "buf.h"
#include "plumb/event.h"
#include "why.h"

#define REDACT_MAX_ARGS 64u	/* that are told */
#define REDACT_MAX_LINE 2048u	/* bytes of a line that are looked at */
#define REDACT_HIDDEN "***"
#define REDACT_BUDGET_NS 200000000ull	/* of each second, for hiding: arguments that are made to be hard cost some milliseconds */

struct redact;

int redact_open(const char *const *patterns, uint32_t n_patterns, struct redact **ret, struct why *ret_why);
struct redact *redact_free(struct redact *r);
/*
 * Appends "args":[…], and "args_size":N when only the first of N bytes are here, "args_hidden":n when n places were hidden; or
 * "args":null,"args_why":"…", also when this second's budget is used up. args NULL: the kernel's program could not have them.
 */
int redact_args(struct redact *r, const struct plumb_args *args, struct buf *ret);
/* Appends a line of a text; what is beyond the bound is hidden as a whole. */
void redact_line(const struct redact *r, const char *line, size_t size, struct buf *ret);

#endif
