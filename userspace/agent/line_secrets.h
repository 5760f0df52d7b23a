/* SPDX-License-Identifier: Apache-2.0 */
/*
 * line_secrets.h: hides what looks like a secret in a line of settings. In: a line, foreign bytes. Out: the line with *** for such values.
 * By the name before the value (password, token, key …) and by the look of a word (a crypt hash, a long run of base64 or hex). A guess: it
 * may hide too much, and cannot know all secrets. Pure.
 */
#ifndef PLUMB_LINE_SECRETS_H
#define PLUMB_LINE_SECRETS_H

#include <stddef.h>
#include "buf.h"

#define LINE_SECRETS_LONG 32	/* bytes of a run of base64 or hex that is taken for a secret */

void line_secrets_hide(const char *line, size_t size, struct buf *ret);	/* appends */

#endif
