/* SPDX-License-Identifier: Apache-2.0 */
#include "deeds_want.h"

#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "node.h"

/* Each is idempotent: what is there is looked at first, and only what differs is sent. */
const struct deeds_row deeds_table[] = {
	{DEEDS_TAINT, "taint",
	 "taints " KUBE_FACTS_QUARANTINED " NoSchedule when held, and NoExecute when quarantined",
	 "both taints off",
	 "five times at once when somebody was faster, then later each time; when a third party "
	 "takes it off"},
	{DEEDS_UNATTESTED, "unattested",
	 "taint " KUBE_FACTS_UNATTESTED
	 " NoSchedule after a boot of which there is no good verdict",
	 "off, that of the start too, with the first good verdict of the boot", "as taint"},
	{DEEDS_LABEL, "label", "label " KUBE_FACTS_LABEL ": the node's state", "label off",
	 "with each look at the node"},
	{DEEDS_ANNOTATION, "annotation", "annotation " KUBE_FACTS_VERDICT ": the state, signed",
	 "annotation off", "with each look at the node"},
	{DEEDS_CONDITION, "condition", "condition " KUBE_FACTS_CONDITION, "condition off",
	 "with each look at the node"},
	{DEEDS_EVENT, "event", "an Event for a change of state",
	 "none: the API forgets it after an hour", "once; 25 a node, then one in five minutes"},
	{DEEDS_CORDON, "cordon", "unschedulable", "schedulable, if it was so before", "as taint"},
	{DEEDS_EVICT, "evict", "pods are evicted, disruption budgets respected, before NoExecute",
	 "none: their owners start them elsewhere", "every five seconds until the deadline"},
};
const uint32_t deeds_n = ARRAY_SIZE(deeds_table);

uint32_t deeds_kind_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(deeds_table); i++)
		if (strcmp(deeds_table[i].name, name) == 0)
			return deeds_table[i].kind;
	return 0;
}

enum kube_want deeds_containment(const struct contain_entry *e, uint32_t kinds, uint64_t now_ns)
{
	if (!(kinds & DEEDS_TAINT) || !e->let || e->life == PLUMB_LIFE_RETIRED)
		return KUBE_FREE;
	/* Let, and not wanted any more: it was let down only just now. */
	if (e->containment != PLUMB_CONTAIN_QUARANTINED || e->unsure || e->held_back)
		return KUBE_HOLD;
	return (kinds & DEEDS_EVICT) && e->drain_until_ns > now_ns ? KUBE_HOLD : KUBE_QUARANTINE;
}

/* Of one that never had a good verdict nothing is known that a boot could have ended: only a taint of the start waits for it. */
enum kube_mark deeds_unattested(const struct contain_entry *e, uint32_t kinds)
{
	if (!(kinds & DEEDS_UNATTESTED))
		return KUBE_KEEP;
	if (e->life == PLUMB_LIFE_RETIRED)
		return KUBE_KEEP;
	/* Nor of one whose object was not looked at yet: a healthy node would be tainted until it is. */
	if (!e->good_boot[0] || !e->seen_boot[0])
		return KUBE_KEEP;
	return strcmp(e->seen_boot, e->good_boot) == 0 ? KUBE_TAKE : KUBE_PUT;
}

static bool is_contained(const struct contain_entry *e)
{
	return e->let && contain_book_wants(e);
}

static struct node_state state_of(const struct store_node *n)
{
	return (struct node_state){n->life, n->appraisal, n->freshness, n->containment, n->forked};
}

/* The cause may have bytes of a node's own choice in it. */
static void put_plain(char *ret, size_t size, const char *text)
{
	size_t i = 0;

	for (; text[i] && i + 1 < size; i++)
		ret[i] = text[i] >= ' ' && text[i] < 0x7f ? text[i] : '?';
	ret[i] = 0;
}

static void put_condition(const char *state, const char *cause, struct kube_condition *ret)
{
	bool bad = strcmp(state, "quarantined") == 0 || strcmp(state, "held") == 0 ||
		   strcmp(state, "degraded") == 0 || strcmp(state, "revoked") == 0 ||
		   strcmp(state, "forked") == 0;

	/* Not to know is not bad. */
	ret->status = strcmp(state, "trusted") == 0 ? "True" : bad ? "False" : "Unknown";
	snprintf(ret->reason, sizeof(ret->reason), "%s", state);
	if (ret->reason[0] >= 'a' && ret->reason[0] <= 'z')
		ret->reason[0] = (char)(ret->reason[0] - 'a' + 'A');
	put_plain(ret->message, sizeof(ret->message), cause);
}

static void put_event(const struct store_node *n, const char *state, struct deeds_wanted *w)
{
	char cause[512];

	put_plain(cause, sizeof(cause), n->cause);
	snprintf(w->note, sizeof(w->note), "%s: %s", state, cause);
	w->event.note = w->note;
	w->event.reason = w->condition.reason;
	w->event.action = n->containment == PLUMB_CONTAIN_QUARANTINED ? "Quarantine"
			  : n->containment == PLUMB_CONTAIN_FREE      ? "Release"
								      : "Judge";
	w->event.warning = strcmp(w->condition.status, "False") == 0;
	w->has_event = true;
}

/* Nobody's any more: all that is ours goes, but for the taint of those of whom nothing is known. */
static void want_nothing(const struct deeds_in *in, struct deeds_wanted *w)
{
	w->job.leave = true;
	w->job.label = in->kinds & DEEDS_LABEL ? "" : NULL;
	w->job.verdict = in->kinds & DEEDS_ANNOTATION ? "" : NULL;
	w->condition.status = "";
	w->job.condition = in->kinds & DEEDS_CONDITION ? &w->condition : NULL;
	w->job.cordon = in->cordoned || (in->entry && in->entry->cordoned) ? KUBE_TAKE : KUBE_KEEP;
}

static void want_shown(const struct deeds_in *in, struct deeds_wanted *w)
{
	const struct node_state s = state_of(in->row);
	const char *state = node_shown(&s);

	put_condition(state, in->row->cause, &w->condition);
	if (in->kinds & DEEDS_LABEL) {
		snprintf(w->label, sizeof(w->label), "%s", state);
		w->job.label = w->label;
	}
	if ((in->kinds & DEEDS_ANNOTATION) && in->verdict[0])
		w->job.verdict = in->verdict;
	if (in->kinds & DEEDS_CONDITION)
		w->job.condition = &w->condition;
	if ((in->kinds & DEEDS_EVENT) && in->entry->event_due)
		put_event(in->row, state, w);
}

static void want_marks(const struct deeds_in *in, struct deeds_wanted *w)
{
	const struct contain_entry *e = in->entry;

	w->job.want = deeds_containment(e, in->kinds, in->now_ns);
	w->job.unattested = deeds_unattested(e, in->kinds);
	if ((in->kinds & DEEDS_CORDON) && is_contained(e))
		w->job.cordon = KUBE_PUT;
	else if (e->cordoned && !is_contained(e))
		w->job.cordon = KUBE_TAKE;
}

void deeds_want(const struct deeds_in *in, struct deeds_wanted *w)
{
	*w = (struct deeds_wanted){.job = {.want = KUBE_FREE, .now_ns = in->now_ns}};
	snprintf(w->job.node, sizeof(w->job.node), "%s", in->kube_name);
	if (in->entry)
		memcpy(w->job.uid, in->entry->uid, sizeof(w->job.uid));
	if (in->row)
		memcpy(w->job.boot_id, in->row->boot_id, sizeof(w->job.boot_id));
	if (!in->row || in->row->life == PLUMB_LIFE_RETIRED) {
		want_nothing(in, w);
		return;
	}
	want_marks(in, w);
	if (!in->still) {
		want_shown(in, w);
		return;
	}
	w->job.still = true;
	if (w->job.cordon == KUBE_PUT)
		w->job.cordon = KUBE_KEEP;
}

bool deeds_differ(const struct contain_entry *e, uint32_t kinds, uint64_t now_ns)
{
	enum kube_want want = deeds_containment(e, kinds, now_ns);
	enum kube_mark mark = deeds_unattested(e, kinds);
	unsigned int bits = want == KUBE_QUARANTINE ? KUBE_TAINT_HOLD | KUBE_TAINT_EXECUTE
			    : want == KUBE_HOLD	    ? KUBE_TAINT_HOLD
						    : 0;
	const unsigned int startup = KUBE_TAINT_UNATTESTED | KUBE_TAINT_SOFT;
	const struct kube_facts *f = &e->facts;

	if (!f->uid[0])
		return false;
	if (strcmp(f->uid, e->uid) != 0 || (f->taints & ~startup) != bits)
		return true;
	if ((mark == KUBE_PUT && !(f->taints & KUBE_TAINT_UNATTESTED)) ||
	    (mark == KUBE_TAKE && (f->taints & startup)))
		return true;
	if (((kinds & DEEDS_CORDON) && is_contained(e) && !f->cordoned) ||
	    (e->cordoned && !is_contained(e)))
		return true;
	return ((kinds & DEEDS_LABEL) && f->label != e->want_label) ||
	       ((kinds & DEEDS_ANNOTATION) && f->verdict != e->want_verdict) ||
	       ((kinds & DEEDS_CONDITION) && f->condition != e->want_condition);
}
