/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contain_desk.h: what operators do to containment as a whole: pause it, go on, take back what one rule caused; and what they see of it. In: a word
 * that was signed, inside the caller's transaction. Out: settings, cases, rows, a few nodes a second; JSON.
 */
#ifndef PLUMB_CONTAIN_DESK_H
#define PLUMB_CONTAIN_DESK_H

#include "action_body.h"
#include "action_desk.h"

#define CONTAIN_DESK_UNDO_A_SECOND 5

struct contain_word {			/* all borrowed */
	const struct action_desk *desk;
	enum action_kind kind;
	const char *by, *reason;
	const char *value;		/* of an undo: "RULE SINCE [dry-run]", SINCE as clock_text() writes it */
	char *ret_text, *ret_undo;
	size_t size;			/* of each */
};

int contain_desk_do(const struct contain_word *w, struct why *ret_why);	/* 0; an HTTP status with why; < 0 our own failure */
/* Every second: the next nodes of an undo that goes on. */
int contain_desk_tick(const struct action_desk *d);
int contain_desk_view(const struct action_desk *d, struct buf *ret);

#endif
