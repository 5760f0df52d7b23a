/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remedy_fixture.h: a node of a verifier_fixture with a containment and a desk for incidents. In: rules, what the node does, what people say.
 * Out: how its incident stands.
 */
#ifndef PLUMB_REMEDY_FIXTURE_H
#define PLUMB_REMEDY_FIXTURE_H

#include "contain.h"
#include "node_fixture.h"
#include "remedy_book.h"
#include "remedy_desk.h"

#define REMEDY_FIXTURE_RULE(when, remedy)                                            \
	"[{\"id\":\"R\",\"title\":\"t\",\"when\":" when ",\"severity\":\"high\",\"action\":"  \
	"\"quarantine\",\"mode\":\"armed\",\"release\":\"ack\",\"score\":100,\"grace_ms\":0," \
	"\"claim\":\"executables\",\"value\":33" remedy "}]"
#define REMEDY_FIXTURE_EXEC "{\"type\":\"exec\"}"
#define REMEDY_FIXTURE_PLAN(steps, itself) \
	",\"remedy\":{\"steps\":[" steps "],\"auto\":[" itself "]}"

struct remedy_fixture {
	struct verifier_fixture v;
	struct node_fixture n;
	struct event_base *base;
	struct contain *contain;
	struct action_desk desk;
	struct remedy_desk *remedy;
	char text[512], undo[512];
	struct why why;
	bool paused;	/* set by a test: nothing is led until it is quarantined */
};

/* Set-up and tear-down of a cmocka test. */
int remedy_fixture_open(void **state);
int remedy_fixture_done(void **state);
void remedy_fixture_open_desk(struct remedy_fixture *p);
void remedy_fixture_tick(struct remedy_fixture *p);
void remedy_fixture_pass(struct remedy_fixture *p, uint64_t ms);
void remedy_fixture_is(struct remedy_fixture *p, enum remedy_step step, enum remedy_phase phase);	/* asserts */
void remedy_fixture_is_none(struct remedy_fixture *p);
int remedy_fixture_says(struct remedy_fixture *p, const char *value, enum plumb_role role);	/* 0 or an HTTP status, and p->why */
uint64_t remedy_fixture_last_order(struct remedy_fixture *p);
void remedy_fixture_take_order(struct remedy_fixture *p);	/* a line that the last one was done */
void remedy_fixture_evidence(struct remedy_fixture *p);	/* and a second before and after */
void remedy_fixture_let(struct remedy_fixture *p);	/* the brakes let it be quarantined */
void remedy_fixture_quarantine(struct remedy_fixture *p, const char *rules);	/* by an exec that is not listed */
void remedy_fixture_pause(struct remedy_fixture *p, const char *value);	/* "": goes on */

#endif
