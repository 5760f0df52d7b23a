/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remedy_hand.h: one incident in hands: a move of it is made, with its deeds, its message, its line in the verifier's log, its record. In: an
 * event. Out: all of it or nothing, inside the caller's transaction; he puts the node's row.
 */
#ifndef PLUMB_REMEDY_HAND_H
#define PLUMB_REMEDY_HAND_H

#include "action_desk.h"
#include "remedy_book.h"
#include "transition.h"

struct remedy_hand {			/* all borrowed but k */
	const struct action_desk *desk;
	const struct transition *t;
	struct store_node *n;
	struct remedy_record k;
	const char *by, *reason;	/* "policy", or an operator */
	uint64_t now_ns;
};

bool remedy_hand_contained(const struct store_node *n);
/* who: of the plan. h->k may have case, rule, and where reading begins. */
int remedy_hand_begin(struct remedy_hand *h, uint32_t plan, uint32_t itself, const char *who);
/* 1: it moved; 0: nothing changes; -EPERM: a person asked for what cannot be now. */
int remedy_hand_move(struct remedy_hand *h, enum remedy_event e, enum remedy_step chosen);

#endif
