/* SPDX-License-Identifier: Apache-2.0 */
#include "remedy_hand.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "action_release.h"
#include "cleanup.h"
#include "contain.h"
#include "jsonl.h"
#include "log.h"
#include "order_desk.h"
#include "rekey_permit.h"

#define MS 1000000ull
#define MAX_RELEASE_REASON 200

static const struct store *store_of(const struct action_desk *d)
{
	return d->v->store;
}

bool remedy_hand_contained(const struct store_node *n)
{
	return n->containment == PLUMB_CONTAIN_HELD ||
	       n->containment == PLUMB_CONTAIN_QUARANTINED ||
	       n->containment == PLUMB_CONTAIN_REMEDIATING;
}

static int write_line(const struct remedy_hand *h, const char *event, uint64_t *ret_seq)
{
	static const struct digest none;
	CLEANUP(buf_done) struct buf b = {0};
	struct jsonl j = {.buf = &b};
	char until[CLOCK_TEXT_SIZE];

	jsonl_str(&j, "operator", h->by);
	jsonl_str(&j, "action", "remedy");
	jsonl_str(&j, "node", h->n->id);
	jsonl_str(&j, "reason", h->reason);
	jsonl_hex(&j, "envelope", none.bytes, DIGEST_SIZE);
	jsonl_str(&j, "result", h->k.why);
	jsonl_str(&j, "event", event);
	jsonl_str(&j, "step", remedy_book_step(&h->k));
	jsonl_str(&j, "phase", h->k.m.step < REMEDY_OVER ? remedy_phase_name(h->k.m.phase) : "");
	if (h->k.m.until_ns) {
		clock_text(h->k.m.until_ns, until);
		jsonl_str(&j, "until", until);
	}
	jsonl_uint(&j, "case", h->k.case_id);
	jsonl_str(&j, "rule", h->k.rule);
	return buf_status(&b) < 0
		       ? buf_status(&b)
		       : vlog_add(h->desk->v->vlog, PLUMB_TYPE_ACTION, (char *)b.data, ret_seq);
}

/* Whoever can do the step is asked to; and a person, where nobody else goes on. */
static int tell(const struct remedy_hand *h, uint32_t deeds, uint64_t seq)
{
	const struct node_state s = {h->n->life, h->n->appraisal, h->n->freshness,
				     h->n->containment, h->n->forked};
	const struct contain_transition t = {
		.node = h->n,
		.from = node_shown(&s),
		.to = node_shown(&s),
		.cause = h->k.why,
		.rule = h->k.rule,
		.key = "",
		.expected = "",
		.found = "",
		.who = "",
		.verdict_jwt = "",
		.log_seq = seq,
		.remedy_step = remedy_book_step(&h->k),
		.remedy_phase = remedy_phase_name(h->k.m.phase),
	};
	bool person = h->k.m.step < REMEDY_OVER && h->k.m.phase != REMEDY_RUNS &&
		      !remedy_goes_itself(&h->k.m);

	if (!h->desk->contain || (!(deeds & REMEDY_DEED_TELL) && !person))
		return 0;
	return contain_queue(h->desk->contain, &t);
}

static int give(struct remedy_hand *h, enum order_kind kind, uint64_t life_ms)
{
	struct order o = {.kind = kind, .life_ms = life_ms};

	snprintf(o.reason, sizeof(o.reason), "remedy, %.60s: %.170s", h->by, h->reason);
	return order_desk_give(h->desk->v, h->n, &o, &h->k.order);
}

static int release(struct remedy_hand *h)
{
	char reason[MAX_RELEASE_REASON];
	const struct action_release_word w = {
		.desk = h->desk, .t = h->t, .by = h->by, .reason = reason};
	uint32_t n;
	int r;

	snprintf(reason, sizeof(reason), "remedy: %.180s", h->reason);
	r = action_release_node(&w, h->n, &n);
	/* Released already, and it waits for good evidence: that is what it is for. */
	return r == -EPERM ? 0 : r;
}

static int do_deeds(struct remedy_hand *h, uint32_t deeds)
{
	uint64_t limit_ms = remedy_limit_ms(h->k.m.step);
	int r = 0;

	if (deeds & REMEDY_DEED_QUARANTINE)
		r = give(h, ORDER_QUARANTINE, 0);
	if (r >= 0 && (deeds & REMEDY_DEED_SCAN))
		r = give(h, ORDER_SCAN, limit_ms);
	if (r >= 0 && (deeds & REMEDY_DEED_REKEY)) {
		r = give(h, ORDER_REKEY, REKEY_PERMIT_LIFE_NS / MS);
		if (r >= 0)
			r = rekey_permit_give(store_of(h->desk), h->n->id, h->by,
					      h->now_ns + REKEY_PERMIT_LIFE_NS);
	}
	if (r >= 0 && (deeds & REMEDY_DEED_RELEASE))
		r = release(h);
	return r;
}

static void put_why(struct remedy_hand *h, enum remedy_step was, const char *event)
{
	const char *step = policy_remedy_name((enum policy_remedy_step)was);

	if (h->k.m.step >= REMEDY_OVER)
		snprintf(h->k.why, sizeof(h->k.why), "remedy over: %s", event);
	else if (h->k.m.step == was)
		snprintf(h->k.why, sizeof(h->k.why), "remedy: %s %s", step, event);
	else
		snprintf(h->k.why, sizeof(h->k.why), "remedy: %s %s, next %s", step, event,
			 remedy_book_step(&h->k));
}

/* Row, record, line, orders, messages: all of it or nothing, by the caller's transaction. */
static int end(struct remedy_hand *h, enum remedy_step was, const char *event, uint32_t deeds)
{
	const struct store *s = store_of(h->desk);
	uint64_t seq;
	int r;

	if (deeds) {
		h->k.order = h->k.taken_ns = 0;
		memcpy(h->k.boot, h->n->boot_id, sizeof(h->k.boot));
		h->k.incarnation = h->n->incarnation;
	}
	put_why(h, was, event);
	r = write_line(h, event, &seq);
	if (r >= 0)
		r = do_deeds(h, deeds);
	if (r >= 0)
		r = tell(h, deeds, seq);
	/* What a person stopped while it is contained is not begun again by the rule. */
	if (r >= 0 && h->k.m.step >= REMEDY_OVER && !remedy_hand_contained(h->n))
		r = remedy_book_remove(s, h->n->id);
	else if (r >= 0)
		r = remedy_book_put(s, h->n->id, &h->k);
	if (r >= 0)
		log_notice("node=%s remedy=%s phase=%s by=%s event=%s", h->n->label,
			   remedy_book_step(&h->k), remedy_phase_name(h->k.m.phase), h->by, event);
	return r;
}

int remedy_hand_move(struct remedy_hand *h, enum remedy_event e, enum remedy_step chosen)
{
	enum remedy_step was = h->k.m.step;
	uint32_t deeds;
	int r = remedy_move(&h->k.m, e, chosen, h->now_ns, &deeds);

	if (r <= 0)
		return r;
	r = end(h, e == REMEDY_CHOOSE ? chosen : was, remedy_event_name(e), deeds);
	return r < 0 ? r : 1;
}

int remedy_hand_begin(struct remedy_hand *h, uint32_t plan, uint32_t itself, const char *who)
{
	struct remedy_record *k = &h->k;

	k->began_ns = h->now_ns;
	snprintf(k->by, sizeof(k->by), "%s", who);
	memcpy(k->boot, h->n->boot_id, sizeof(k->boot));
	k->incarnation = k->read_incarnation = h->n->incarnation;
	remedy_begin(&k->m, plan, itself, h->now_ns);
	return end(h, k->m.step, "begun", 0);
}
