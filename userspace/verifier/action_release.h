/* SPDX-License-Identifier: Apache-2.0 */
/*
 * action_release.h: cases that a person, or the policy in an approver's name, settles; and a node that is let go by the same word. In: who,
 * why, which. Out: rows of cases, orders, the node's row changed (the caller puts it), inside the caller's transaction.
 */
#ifndef PLUMB_ACTION_RELEASE_H
#define PLUMB_ACTION_RELEASE_H

#include "action_desk.h"
#include "transition.h"

struct action_release_word {		/* all borrowed */
	const struct action_desk *desk;
	const struct transition *t;
	const uint64_t *cases;		/* n_cases 0: all open ones of the node */
	uint32_t n_cases;
	const char *by, *reason;
};

/* verb: "acknowledged". holding_only: of those, what holds or quarantines. */
int action_release_cases(const struct action_release_word *w, const struct store_node *n, bool holding_only, const char *verb, uint32_t *ret_n);
/* What held it is settled by the same word, or the next evidence would hold it again. -EPERM: it is not held, or gone, or forked. */
int action_release_node(const struct action_release_word *w, struct store_node *n, uint32_t *ret_n);
/*
 * One whose row is not held. That does not say whether it is isolated: it may have done so itself while nobody heard it. So it is told, and one
 * that is not isolated answers just that. *ret_text: in words.
 */
int action_release_unheld(const struct action_release_word *w, struct store_node *n, char *ret_text, size_t size);

#endif
