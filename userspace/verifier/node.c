/* SPDX-License-Identifier: Apache-2.0 */
#include "node.h"

#include <errno.h>

#include "cleanup.h"

#define ANY 0

/* All guards that are named must hold. */
enum guard { ALWAYS = 0, PROVEN = 1, ABSENCE_OVER = 2 };

struct row {
	int from; /* ANY: every state */
	enum node_event event;
	enum guard guard;
	int to;
	uint32_t deeds;
};

#define LOG NODE_DEED_LOG

/* The first row that fits is taken; what no row names changes nothing. */
static const struct row lives[] = {
	{PLUMB_LIFE_PROVISIONING, NODE_APPROVED, ALWAYS, PLUMB_LIFE_ENROLLED, LOG},
	{PLUMB_LIFE_ENROLLED, NODE_GOOD, ALWAYS, PLUMB_LIFE_ACTIVE, LOG},
	{PLUMB_LIFE_ENROLLED, NODE_WARNED, ALWAYS, PLUMB_LIFE_ACTIVE, LOG},
	{PLUMB_LIFE_ENROLLED, NODE_BAD, ALWAYS, PLUMB_LIFE_ACTIVE, LOG},
	{PLUMB_LIFE_ENROLLED, NODE_RETIRING, ALWAYS, PLUMB_LIFE_LEAVING, LOG},
	{PLUMB_LIFE_ACTIVE, NODE_RETIRING, ALWAYS, PLUMB_LIFE_LEAVING, LOG},
	{ANY, NODE_RETIRED, ALWAYS, PLUMB_LIFE_RETIRED,
	 LOG | NODE_DEED_LIFT | NODE_DEED_FORGET_KEY},
	{ANY, NODE_REVOKED, ALWAYS, PLUMB_LIFE_REVOKED, LOG | NODE_DEED_FORGET_KEY},
};

static const struct row appraisal[] = {
	{ANY, NODE_GOOD, ALWAYS, PLUMB_APPRAISAL_TRUSTED, LOG},
	{ANY, NODE_WARNED, ALWAYS, PLUMB_APPRAISAL_DEGRADED, LOG},
	{ANY, NODE_BAD, ALWAYS, PLUMB_APPRAISAL_UNTRUSTED, LOG},
	{ANY, NODE_FORK, ALWAYS, PLUMB_APPRAISAL_UNTRUSTED, LOG},
};

static const struct row freshness[] = {
	{ANY, NODE_GOOD, ALWAYS, PLUMB_FRESHNESS_FRESH, LOG},
	{ANY, NODE_WARNED, ALWAYS, PLUMB_FRESHNESS_FRESH, LOG},
	{ANY, NODE_BAD, ALWAYS, PLUMB_FRESHNESS_FRESH, LOG},
	{ANY, NODE_ABSENCE, ALWAYS, PLUMB_FRESHNESS_LEAVING, LOG},
	{PLUMB_FRESHNESS_FRESH, NODE_OVERDUE, ALWAYS, PLUMB_FRESHNESS_SILENT,
	 LOG | NODE_DEED_CHALLENGE},
	{PLUMB_FRESHNESS_LEAVING, NODE_OVERDUE, ABSENCE_OVER, PLUMB_FRESHNESS_SILENT,
	 LOG | NODE_DEED_CHALLENGE},
};

#define HELD PLUMB_CONTAIN_HELD
#define QUARANTINED PLUMB_CONTAIN_QUARANTINED
#define REMEDIATING PLUMB_CONTAIN_REMEDIATING
#define UNDO (LOG | NODE_DEED_LIFT | NODE_DEED_ORDER_RELEASE)

/* Up at once; down only on accepted evidence, or by an approver into remediating, which good evidence ends. */
static const struct row containment[] = {
	{ANY, NODE_WANT_QUARANTINE, ALWAYS, QUARANTINED, LOG | NODE_DEED_QUARANTINE},
	{ANY, NODE_REVOKED, ALWAYS, QUARANTINED, LOG | NODE_DEED_QUARANTINE},
	{QUARANTINED, NODE_WANT_HOLD, PROVEN, HELD, UNDO | NODE_DEED_HOLD},
	{QUARANTINED, NODE_WANT_REPORT, PROVEN, PLUMB_CONTAIN_REPORT, UNDO},
	{QUARANTINED, NODE_WANT_FREE, PROVEN, PLUMB_CONTAIN_FREE, UNDO},
	{QUARANTINED, NODE_RELEASED, ALWAYS, REMEDIATING, UNDO | NODE_DEED_HOLD},
	{HELD, NODE_WANT_REPORT, PROVEN, PLUMB_CONTAIN_REPORT, LOG | NODE_DEED_LIFT},
	{HELD, NODE_WANT_FREE, PROVEN, PLUMB_CONTAIN_FREE, LOG | NODE_DEED_LIFT},
	/* It may be isolated, too: by a step of its remedy, or by itself. That ends by a person's word, not because it was heard of again. */
	{HELD, NODE_RELEASED, ALWAYS, REMEDIATING,
	 LOG | NODE_DEED_ORDER_RELEASE | NODE_DEED_CHALLENGE},
	{REMEDIATING, NODE_WANT_HOLD, ALWAYS, HELD, LOG | NODE_DEED_HOLD},
	{REMEDIATING, NODE_WANT_REPORT, PROVEN, PLUMB_CONTAIN_REPORT, LOG | NODE_DEED_LIFT},
	{REMEDIATING, NODE_WANT_FREE, PROVEN, PLUMB_CONTAIN_FREE, LOG | NODE_DEED_LIFT},
	{PLUMB_CONTAIN_FREE, NODE_WANT_HOLD, ALWAYS, HELD, LOG | NODE_DEED_HOLD},
	{PLUMB_CONTAIN_REPORT, NODE_WANT_HOLD, ALWAYS, HELD, LOG | NODE_DEED_HOLD},
	{PLUMB_CONTAIN_FREE, NODE_WANT_REPORT, ALWAYS, PLUMB_CONTAIN_REPORT, LOG},
	{PLUMB_CONTAIN_REPORT, NODE_WANT_FREE, ALWAYS, PLUMB_CONTAIN_FREE, LOG},
};

static bool holds(enum guard guard, const struct node_facts *f)
{
	return (!(guard & PROVEN) || f->proven) && (!(guard & ABSENCE_OVER) || f->absence_over);
}

/* Staying is no transition: neither deeds nor a line. */
static int next(const struct row *rows, size_t n, int now, enum node_event event,
		const struct node_facts *f, uint32_t *deeds)
{
	for (size_t i = 0; i < n; i++) {
		if (rows[i].event != event || (rows[i].from != ANY && rows[i].from != now) ||
		    !holds(rows[i].guard, f))
			continue;
		if (rows[i].to != now)
			*deeds |= rows[i].deeds;
		return rows[i].to;
	}
	return now;
}

bool node_is_gone(enum plumb_life life)
{
	return life == PLUMB_LIFE_RETIRED || life == PLUMB_LIFE_REVOKED;
}

/* Only what people ask for is refused; what nodes and clocks do to a state that has no row for it changes nothing. */
static bool allowed(const struct node_state *s, enum node_event event)
{
	switch (event) {
	case NODE_APPROVED:
		return s->life == PLUMB_LIFE_PROVISIONING;
	case NODE_RELEASED:
		return !s->forked && !node_is_gone(s->life) &&
		       (s->containment == HELD || s->containment == QUARANTINED);
	case NODE_RETIRING:
		return s->life == PLUMB_LIFE_ENROLLED || s->life == PLUMB_LIFE_ACTIVE;
	case NODE_RETIRED:
		return s->life != PLUMB_LIFE_RETIRED;
	case NODE_REVOKED:
		return !node_is_gone(s->life);
	default:
		return true;
	}
}

static bool ignored(const struct node_state *s, enum node_event event)
{
	bool evidence = event >= NODE_GOOD && event <= NODE_ABSENCE;

	if (node_is_gone(s->life))
		return event != NODE_RETIRED;
	/* Before approval there is no evidence, and nobody waits for any. What was open before it asked anew still holds it. */
	if (s->life == PLUMB_LIFE_PROVISIONING &&
	    (evidence || event == NODE_OVERDUE || event == NODE_FORK))
		return true;
	return s->forked && (evidence || event == NODE_FORK);
}

int node_step(struct node_state *s, enum node_event event, const struct node_facts *facts,
	      uint32_t *ret_deeds)
{
	struct node_state to = *s;
	struct node_facts known = *facts;
	uint32_t deeds = 0;

	if (!allowed(s, event))
		return -EPERM;
	if (ignored(s, event))
		return 0;
	/* Of who waits for an approver nothing is proven. */
	known.proven &= s->life != PLUMB_LIFE_PROVISIONING;
	facts = &known;
	to.life =
		(enum plumb_life)next(lives, ARRAY_SIZE(lives), (int)s->life, event, facts, &deeds);
	to.appraisal = (enum plumb_appraisal)next(appraisal, ARRAY_SIZE(appraisal),
						  (int)s->appraisal, event, facts, &deeds);
	to.freshness = (enum plumb_freshness)next(freshness, ARRAY_SIZE(freshness),
						  (int)s->freshness, event, facts, &deeds);
	to.containment = (enum plumb_containment)next(containment, ARRAY_SIZE(containment),
						      (int)s->containment, event, facts, &deeds);
	if (event == NODE_FORK) {
		to.forked = true;
		deeds |= LOG;
	}
	*s = to;
	*ret_deeds = deeds;
	return deeds != 0;
}

const char *node_shown(const struct node_state *s)
{
	if (s->life == PLUMB_LIFE_REVOKED)
		return "revoked";
	if (s->life == PLUMB_LIFE_RETIRED)
		return "retired";
	if (s->forked)
		return "forked";
	if (s->life == PLUMB_LIFE_PROVISIONING)
		return "provisioning";
	if (s->containment == QUARANTINED)
		return "quarantined";
	if (s->freshness == PLUMB_FRESHNESS_SILENT)
		return "silent";
	if (s->containment == HELD || s->containment == REMEDIATING)
		return "held";
	if (s->life == PLUMB_LIFE_LEAVING || s->freshness == PLUMB_FRESHNESS_LEAVING)
		return "leaving";
	if (s->life == PLUMB_LIFE_ENROLLED)
		return "enrolled";
	/* Whatever is not known to be trusted is not shown as trusted. */
	return s->appraisal == PLUMB_APPRAISAL_TRUSTED ? "trusted" : "degraded";
}
