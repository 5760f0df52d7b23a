/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expected.h: what claims should be, written down by people (docs/baseline.md), instead of what they happen to be where a baseline is
 * captured. In: a YAML map of keys and the values that are good, the best first. Out: the value that a baseline is to list.
 */
#ifndef PLUMB_EXPECTED_H
#define PLUMB_EXPECTED_H

#include <stdbool.h>
#include <stddef.h>
#include "why.h"

#define EXPECTED_MAX_VALUES 16u
#define EXPECTED_MAX_SIZE (256u * 1024)

struct expected;

/* -EBADMSG with path:line in why. path is borrowed until this returns. */
int expected_open(const char *path, const void *data, size_t size, struct expected **ret, struct why *ret_why);
struct expected *expected_free(struct expected *e);
/* What to list for a claim that was found so: itself when it is good, else the best; NULL: nothing is said of this key. Remembers that it was asked. */
const char *expected_value(void *expected, const char *key, const char *found);
/* Those that only an agent tells (sensor:) and that expected_value was not asked for: what they should be. Found is what is expected, then. */
int expected_told(void *expected, int (*fn)(void *ctx, const char *key, const char *value), void *ctx);
/* In the file's order. found NULL: expected_value was not asked, so it is in no baseline. Borrowed. */
void expected_each(const struct expected *e, void (*fn)(void *ctx, const char *key, const char *found, const char *value), void *ctx);

#endif
