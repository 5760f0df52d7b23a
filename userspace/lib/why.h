/* SPDX-License-Identifier: Apache-2.0 */
/*
 * why.h: one sentence that says what is wrong with foreign input, and where.
 * In: a format. Out: text for the log or for a person. Plain data on the caller's stack.
 */
#ifndef PLUMB_WHY_H
#define PLUMB_WHY_H

struct why {
	char text[256];
};

/* Writes the sentence (ret_why may be NULL) and returns r, so that `return why_set(why, -EBADMSG, "...", ...)` reads well. */
int why_set(struct why *ret_why, int r, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
