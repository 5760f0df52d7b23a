/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remedy_desk.h: incidents of contained nodes: begun by the rule that contains them, or by a person, led through their steps, ended when nothing
 * contains them. In: the clock, rows, what operators say. Out: orders, messages, a line in the verifier's log for each move.
 */
#ifndef PLUMB_REMEDY_DESK_H
#define PLUMB_REMEDY_DESK_H

#include "action_desk.h"
#include "transition.h"

struct remedy_desk;

struct remedy_desk_word {		/* an operator's; all borrowed */
	const struct action_desk *desk;
	const struct transition *t;
	const char *by, *reason;
	const char *value;		/* "" (what is next), a step, "skip", "stop" */
	enum plumb_role role;
	char *ret_text, *ret_undo;
	size_t size;			/* of each */
};

int remedy_desk_open(const struct action_desk *d, struct remedy_desk **ret);	/* d is copied */
struct remedy_desk *remedy_desk_free(struct remedy_desk *d);
/* Every second, in transactions of its own. 0, or < 0: our own failure; what could not be done is done again. */
int remedy_desk_tick(struct remedy_desk *d);
/* Inside the caller's transaction; he puts the row. 0, an HTTP status with why set, or < 0. */
int remedy_desk_do(const struct remedy_desk_word *w, struct store_node *n, struct why *ret_why);

#endif
