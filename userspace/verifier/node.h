/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node.h: a node's state: three fields and its containment, each one table (state, event, guard -> next, deeds), and the one word that
 * people see. In: an event and the facts that guards ask for. Out: new state, deeds to do. Pure.
 */
#ifndef PLUMB_NODE_H
#define PLUMB_NODE_H

#include <stdbool.h>
#include <stdint.h>
#include "plumb/terms.h"

struct node_state {
	enum plumb_life life;
	enum plumb_appraisal appraisal;
	enum plumb_freshness freshness;
	enum plumb_containment containment;
	bool forked;			/* latched: nothing is accepted any more in this incarnation */
};

enum node_event {
	NODE_APPROVED = 1,		/* an approver or a token */
	NODE_GOOD,			/* evidence accepted; what its open cases come to */
	NODE_WARNED,
	NODE_BAD,
	NODE_ABSENCE,			/* accepted evidence announced an absence; its bound is the caller's */
	NODE_OVERDUE,			/* no evidence by its deadline */
	NODE_FORK,
	NODE_WANT_FREE,			/* what the open cases ask for now; only these and NODE_RELEASED move containment */
	NODE_WANT_REPORT,
	NODE_WANT_HOLD,
	NODE_WANT_QUARANTINE,
	NODE_RELEASED,			/* by an approver */
	NODE_RETIRING,			/* by an approver: its last evidence may still come */
	NODE_RETIRED,
	NODE_REVOKED,			/* by an approver: it is not to be believed any more; it stays quarantined */
	NODE_N_EVENTS,
};

struct node_facts {
	bool proven;			/* the open cases rest on evidence that was accepted: they may also lift containment */
	bool absence_over;		/* the bound of an announced absence has passed */
};

enum node_deed {
	NODE_DEED_LOG = 1u << 0,		/* a transition: logged, and told to webhooks */
	NODE_DEED_HOLD = 1u << 1,		/* taint NoSchedule */
	NODE_DEED_QUARANTINE = 1u << 2,		/* taint NoExecute, order quarantine */
	NODE_DEED_LIFT = 1u << 3,		/* taints off */
	NODE_DEED_ORDER_RELEASE = 1u << 4,
	NODE_DEED_CHALLENGE = 1u << 5,		/* order: send evidence now */
	NODE_DEED_FORGET_KEY = 1u << 6,		/* its client certificate is refused from here on */
};

/* 1: *s changed, *ret_deeds says what to do. 0: nothing changes. -EPERM: a person asked for what this state does not allow. */
int node_step(struct node_state *s, enum node_event event, const struct node_facts *facts, uint32_t *ret_deeds);

bool node_is_gone(enum plumb_life life);	/* retired or revoked: nothing of it is taken any more, its label is free */

/* provisioning enrolled trusted degraded held quarantined silent leaving retired revoked forked: the first that holds, worst first. */
const char *node_shown(const struct node_state *s);

#endif
