/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transition.h: moves a node from one state to another, inside the caller's transaction: the state tables decide, and what they ask for is
 * done: a line in the verifier's log, orders, messages to webhooks and Kubernetes. In: a row and an event. Out: the row changed (the
 * caller puts it), lines, orders, messages queued.
 */
#ifndef PLUMB_TRANSITION_H
#define PLUMB_TRANSITION_H

#include "cases.h"
#include "contain.h"
#include "node.h"
#include "verifier.h"

struct transition {			/* all borrowed */
	const struct verifier *v;
	struct contain *contain;	/* NULL: nobody is told */
};

struct transition_cause {
	const char *text;		/* sentence for people: "drift exec:/x by R-1", "no evidence for 180 s", "released by alice: …" */
	const struct store_case *of;	/* NULL: none */
	const char *operator_name;	/* "" or NULL: none */
	const char *reason;
	bool proven, absence_over;	/* struct node_facts */
	uint64_t line, event_ns;	/* of the measurement; 0 */
	const char *verdict_jwt;	/* NULL: none */
};

/* 1: the row changed and all deeds are queued; 0: nothing changes; -EPERM: a person asked for what this state does not allow. */
int transition_apply(const struct transition *t, struct store_node *n, enum node_event e, const struct transition_cause *c);
/*
 * A row that enrolment wrote anew (the tables know nothing of it): line and messages from what was shown before, also when the same word is
 * shown, since it is another incarnation from here on. before NULL: it was not there
 * ("provisioning").
 */
int transition_enrolled(const struct transition *t, struct store_node *n, const struct node_state *before, const struct transition_cause *c);
struct transition_verdict_in {
	bool evidence;			/* the quote of accepted evidence stands behind it; else it is provisional */
	bool appraise;			/* the appraisal changes too, and an EAR is made (blob "verdict", name node): evidence, or a person settled cases */
	bool forked;			/* just now: an EAR is made that says so, and nothing is lifted */
	bool quiet;			/* nothing was appraised: no `verdict` line */
	char *const *told;		/* keys of cases that were opened or confirmed; borrowed */
	uint32_t n_told;
};
/*
 * Verdict to events, in order: the appraisal, then what the open cases want (NODE_WANT_*; containment is lifted only with `appraise` and
 * when no open case is provisional). One transition line at most for all of it, from the first to the last shown state.
 */
int transition_verdict(const struct transition *t, struct store_node *n, const struct cases_sum *s, const struct transition_verdict_in *in,
		       const struct transition_cause *c);

#endif
