/* SPDX-License-Identifier: Apache-2.0 */
#include "remedy.h"

#include <errno.h>
#include <string.h>

#include "cleanup.h"

#define BIT(step) (1u << (step))
#define SECOND 1000ull
#define MINUTE (60 * SECOND)

/* What follows when a step's time is over. */
enum late {
	LATE_STUCK, /* a person decides */
	LATE_NEXT, /* it can be done without */
	LATE_CURE, /* the next cure of the plan; without one a person decides */
};

static const struct step {
	uint32_t deeds;
	uint64_t limit_ms;
	enum late late;
	enum plumb_role role;
	const char *advice;
} steps[] = {
	[REMEDY_ISOLATE] = {REMEDY_DEED_QUARANTINE, 2 * MINUTE, LATE_STUCK, PLUMB_ROLE_RESPONDER,
			    "have it cut off its network, but for what a responder needs"},
	/* The agent makes it by itself when it is isolated; without one the incident is poorer, and no worse. */
	[REMEDY_SNAPSHOT] = {0, 5 * MINUTE, LATE_NEXT, PLUMB_ROLE_RESPONDER,
			     "wait for the node's own snapshot of what it was doing"},
	[REMEDY_FILES] = {REMEDY_DEED_TELL | REMEDY_DEED_SCAN, 60 * MINUTE, LATE_CURE,
			  PLUMB_ROLE_RESPONDER,
			  "put the changed files back as the baseline has them"},
	[REMEDY_KEYS] = {REMEDY_DEED_REKEY, 15 * MINUTE, LATE_STUCK, PLUMB_ROLE_APPROVER,
			 "have it make new keys in its TPM and enrol with them"},
	/* No announced stop goes with it: that would open a protected agent's door on a node that nobody trusts. */
	[REMEDY_REBOOT] = {REMEDY_DEED_TELL, 15 * MINUTE, LATE_CURE, PLUMB_ROLE_RESPONDER,
			   "reboot it"},
	[REMEDY_PROVISION] = {REMEDY_DEED_TELL, 120 * MINUTE, LATE_STUCK, PLUMB_ROLE_APPROVER,
			      "install it anew from its image"},
	[REMEDY_ATTEST] = {REMEDY_DEED_SCAN, 60 * MINUTE, LATE_STUCK, PLUMB_ROLE_RESPONDER,
			   "have it look at everything again and send evidence"},
	[REMEDY_RELEASE] = {REMEDY_DEED_RELEASE, MINUTE, LATE_STUCK, PLUMB_ROLE_APPROVER,
			    "release it: what held it is settled by your word"},
};

#define ANY 0

enum to { STAY, RUN, NEXT, LATE, STUCK, CHOSEN, END };

/* The first row that fits is taken; what no row names changes nothing. */
static const struct row {
	int from; /* ANY: every phase */
	enum remedy_event event;
	enum to to;
} rows[] = {
	{REMEDY_WAITS, REMEDY_GO, RUN},
	{REMEDY_STUCK, REMEDY_GO, RUN},
	{ANY, REMEDY_CHOOSE, CHOSEN},
	{ANY, REMEDY_SEEN, NEXT},
	{REMEDY_RUNS, REMEDY_LATE, LATE},
	{REMEDY_RUNS, REMEDY_WORSE, STUCK},
	{REMEDY_WAITS, REMEDY_WORSE, STUCK},
	{ANY, REMEDY_SKIP, NEXT},
	{ANY, REMEDY_STOP, END},
	{ANY, REMEDY_FREE, END},
	{ANY, REMEDY_GONE, END},
};

static enum remedy_step after(const struct remedy *m)
{
	for (int s = (int)m->step + 1; s < REMEDY_OVER; s++)
		if (m->plan & BIT(s))
			return (enum remedy_step)s;
	return REMEDY_OVER;
}

static void at(struct remedy *m, enum remedy_step step, enum remedy_phase phase, uint64_t now_ns)
{
	m->step = step;
	m->phase = phase;
	m->since_ns = now_ns;
	m->until_ns = phase == REMEDY_RUNS ? now_ns + remedy_limit_ms(step) * 1000000 : (uint64_t)0;
}

void remedy_begin(struct remedy *m, uint32_t plan, uint32_t itself, uint64_t now_ns)
{
	*m = (struct remedy){.plan = (plan & POLICY_REMEDY_ALL) | POLICY_REMEDY_ALWAYS};
	m->itself = itself & m->plan;
	m->step = (enum remedy_step)(REMEDY_ISOLATE - 1);
	at(m, after(m), REMEDY_WAITS, now_ns);
}

/* Which of the three ways it takes when its time is over. */
static enum to late(const struct remedy *m)
{
	enum remedy_step next = after(m);

	switch (steps[m->step].late) {
	case LATE_NEXT:
		return NEXT;
	case LATE_CURE:
		return next < REMEDY_ATTEST ? NEXT : STUCK;
	default:
		return STUCK;
	}
}

static void run(struct remedy *m, enum remedy_step step, uint64_t now_ns, uint32_t *deeds)
{
	*deeds = steps[step].deeds;
	at(m, step, REMEDY_RUNS, now_ns);
}

/* What a person chooses again is not done yet, nor what comes after it. */
static void choose(struct remedy *m, enum remedy_step step, uint64_t now_ns, uint32_t *deeds)
{
	m->plan |= BIT(step);
	m->seen &= BIT(step) - 1;
	run(m, step, now_ns, deeds);
}

static int take(struct remedy *m, enum to to, const struct remedy *before, enum remedy_step chosen,
		uint64_t now_ns, uint32_t *deeds)
{
	switch (to) {
	case RUN:
		run(m, m->step, now_ns, deeds);
		break;
	case NEXT:
		at(m, after(before), REMEDY_WAITS, now_ns);
		break;
	case STUCK:
		at(m, m->step, REMEDY_STUCK, now_ns);
		break;
	case CHOSEN:
		choose(m, chosen, now_ns, deeds);
		break;
	case END:
		at(m, REMEDY_OVER, REMEDY_WAITS, now_ns);
		break;
	default:
		return 0;
	}
	return 1;
}

int remedy_move(struct remedy *m, enum remedy_event e, enum remedy_step chosen, uint64_t now_ns,
		uint32_t *ret_deeds)
{
	const struct remedy before = *m;
	bool person = e == REMEDY_GO || e == REMEDY_CHOOSE || e == REMEDY_SKIP;
	enum to to = STAY;
	bool found = false;

	*ret_deeds = 0;
	if (m->step >= REMEDY_OVER)
		return person || e == REMEDY_STOP ? -EPERM : 0;
	if (e == REMEDY_CHOOSE && (chosen < REMEDY_ISOLATE || chosen >= REMEDY_OVER))
		return -EPERM;
	/* To skip the release would be to forget a node that is contained: that is said by stop. */
	if (e == REMEDY_SKIP && m->step == REMEDY_RELEASE)
		return -EPERM;
	for (size_t i = 0; i < ARRAY_SIZE(rows) && !found; i++) {
		found = rows[i].event == e &&
			(rows[i].from == ANY || rows[i].from == (int)m->phase);
		if (found)
			to = rows[i].to;
	}
	if (!found)
		return person ? -EPERM : 0;
	if (e == REMEDY_SEEN)
		m->seen |= BIT(m->step);
	return take(m, to == LATE ? late(m) : to, &before, chosen, now_ns, ret_deeds);
}

bool remedy_goes_itself(const struct remedy *m)
{
	if (m->step >= REMEDY_OVER || m->phase != REMEDY_WAITS || !(m->itself & BIT(m->step)))
		return false;
	return m->step != REMEDY_RELEASE || (m->seen & BIT(REMEDY_ATTEST));
}

static const struct step *step_of(enum remedy_step s)
{
	static const struct step none = {.role = PLUMB_ROLE_APPROVER, .advice = ""};

	return s >= REMEDY_ISOLATE && s < REMEDY_OVER ? &steps[s] : &none;
}

uint64_t remedy_limit_ms(enum remedy_step s)
{
	return step_of(s)->limit_ms;
}

enum plumb_role remedy_role(enum remedy_step s)
{
	return step_of(s)->role;
}

const char *remedy_advice(enum remedy_step s)
{
	return step_of(s)->advice;
}

const char *remedy_late(const struct remedy *m)
{
	if (m->step >= REMEDY_OVER)
		return "";
	return late(m) == NEXT ? "the next step" : "a person decides";
}

static const char *const phases[] = {
	[REMEDY_WAITS] = "waits", [REMEDY_RUNS] = "runs", [REMEDY_STUCK] = "stuck"};
static const char *const events[] = {
	[REMEDY_GO] = "started",   [REMEDY_CHOOSE] = "chosen", [REMEDY_SEEN] = "done",
	[REMEDY_LATE] = "late",	   [REMEDY_WORSE] = "worse",   [REMEDY_SKIP] = "skipped",
	[REMEDY_STOP] = "stopped", [REMEDY_FREE] = "free",     [REMEDY_GONE] = "gone"};

const char *remedy_phase_name(enum remedy_phase p)
{
	return p >= REMEDY_WAITS && p <= REMEDY_STUCK ? phases[p] : "";
}

const char *remedy_event_name(enum remedy_event e)
{
	return e >= REMEDY_GO && e < REMEDY_N_EVENTS ? events[e] : "";
}

enum remedy_phase remedy_phase_from_name(const char *name)
{
	for (size_t i = REMEDY_WAITS; i < ARRAY_SIZE(phases); i++)
		if (strcmp(phases[i], name) == 0)
			return (enum remedy_phase)i;
	return 0;
}
