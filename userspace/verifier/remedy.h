/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remedy.h: how a contained node comes back: one table of steps (deed, time limit, what follows when it is over, who may start it) and one of
 * moves (phase, event -> next phase, deeds). In: an event and the time. Out: the incident as it becomes, deeds to do. Pure.
 */
#ifndef PLUMB_REMEDY_H
#define PLUMB_REMEDY_H

#include <stdbool.h>
#include <stdint.h>
#include "plumb/terms.h"
#include "policy_remedy.h"

/* In their order; numbered as the bits of a policy's `remedy` are (enum policy_remedy_step). */
enum remedy_step {
	REMEDY_ISOLATE = POLICY_REMEDY_ISOLATE,
	REMEDY_SNAPSHOT = POLICY_REMEDY_SNAPSHOT,
	REMEDY_FILES = POLICY_REMEDY_FILES,
	REMEDY_KEYS = POLICY_REMEDY_KEYS,
	REMEDY_REBOOT = POLICY_REMEDY_REBOOT,
	REMEDY_PROVISION = POLICY_REMEDY_PROVISION,
	REMEDY_ATTEST = POLICY_REMEDY_ATTEST,
	REMEDY_RELEASE = POLICY_REMEDY_RELEASE,
	REMEDY_OVER,			/* nothing more is to be done */
};

enum remedy_phase {
	REMEDY_WAITS = 1,		/* for a person, or for the policy to let it go */
	REMEDY_RUNS,			/* its deed was done; what ends it is seen in evidence */
	REMEDY_STUCK,			/* its time was over, or it became worse: a person decides */
};

enum remedy_event {
	REMEDY_GO = 1,			/* a person, or the policy */
	REMEDY_CHOOSE,			/* a person: this step now, whether it is planned or not */
	REMEDY_SEEN,			/* what the step was for has come about */
	REMEDY_LATE,			/* its limit is over */
	REMEDY_WORSE,			/* something new was found that holds it */
	REMEDY_SKIP,			/* a person */
	REMEDY_STOP,			/* a person: no more of it */
	REMEDY_FREE,			/* nothing contains it any more */
	REMEDY_GONE,			/* retired, revoked */
	REMEDY_N_EVENTS,
};

enum remedy_deed {
	REMEDY_DEED_QUARANTINE = 1u << 0,	/* order */
	REMEDY_DEED_SCAN = 1u << 1,		/* order: look at everything again, then evidence */
	REMEDY_DEED_REKEY = 1u << 2,		/* order, and leave to enrol with them */
	REMEDY_DEED_TELL = 1u << 3,		/* webhooks: whoever can do it is asked to */
	REMEDY_DEED_RELEASE = 1u << 4,		/* as an operator's release */
};

struct remedy {
	uint32_t plan;			/* bits 1 << enum remedy_step; ATTEST and RELEASE always */
	uint32_t itself;		/* of those: go without a person */
	uint32_t seen;			/* those that came to their end */
	enum remedy_step step;
	enum remedy_phase phase;
	uint64_t since_ns;		/* of step and phase */
	uint64_t until_ns;		/* of a step that runs; 0: none */
};

void remedy_begin(struct remedy *m, uint32_t plan, uint32_t itself, uint64_t now_ns);
/* 1: *m changed, *ret_deeds says what to do. 0: nothing changes. -EPERM: a person asked for what cannot be now. chosen: of CHOOSE alone. */
int remedy_move(struct remedy *m, enum remedy_event e, enum remedy_step chosen, uint64_t now_ns, uint32_t *ret_deeds);
/* The step at hand waits, and the policy lets it go. It releases by itself only what was attested. */
bool remedy_goes_itself(const struct remedy *m);

uint64_t remedy_limit_ms(enum remedy_step s);
enum plumb_role remedy_role(enum remedy_step s);	/* of who may start it */
const char *remedy_advice(enum remedy_step s);		/* what a person does, in words */
const char *remedy_late(const struct remedy *m);	/* what happens when its time is over, in words */
const char *remedy_phase_name(enum remedy_phase p);
const char *remedy_event_name(enum remedy_event e);
enum remedy_phase remedy_phase_from_name(const char *name);	/* 0: none */

#endif
