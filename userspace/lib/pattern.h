/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pattern.h: what is to be hidden, as a POSIX extended regular expression that does not tell capitals from small letters. In: its text,
 * texts to look in. Out: which of their bytes it means: of each place that agrees, what its last group agrees with; without groups all of it.
 */
#ifndef PLUMB_PATTERN_H
#define PLUMB_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include "why.h"

#define PATTERN_MAX 512		/* bytes of its text */
#define PATTERN_GROUPS 16

struct pattern;

/* -EINVAL with why: it cannot be read, agrees with nothing at all, or refers back to a group, for which there is no bound of time. */
int pattern_open(const char *text, struct pattern **ret, struct why *ret_why);
struct pattern *pattern_free(struct pattern *p);
/* Sets the places of ret_hidden, one a byte of text; others are left. Number of places that agree. */
unsigned int pattern_mark(const struct pattern *p, const char *text, bool *ret_hidden);

#endif
