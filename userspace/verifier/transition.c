/* SPDX-License-Identifier: Apache-2.0 */
#include "transition.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot_desk.h"
#include "cleanup.h"
#include "image_desk.h"
#include "jsonl.h"
#include "node_origin.h"
#include "order_desk.h"
#include "verdict_ear.h"

struct move {
	const struct transition *t;
	struct store_node *n;
	const struct transition_cause *c;
	struct node_state state; /* as it becomes */
	char from[16];
	uint32_t deeds;
	enum brakes_why held_back;
};

static struct node_state state_of(const struct store_node *n)
{
	return (struct node_state){n->life, n->appraisal, n->freshness, n->containment, n->forked};
}

static bool same(const struct node_state *a, const struct node_state *b)
{
	return a->life == b->life && a->appraisal == b->appraisal && a->freshness == b->freshness &&
	       a->containment == b->containment && a->forked == b->forked;
}

static void begin(struct move *m, const struct transition *t, struct store_node *n,
		  const struct transition_cause *c)
{
	*m = (struct move){.t = t, .n = n, .c = c, .state = state_of(n)};
	snprintf(m->from, sizeof(m->from), "%s", node_shown(&m->state));
}

static int step(struct move *m, enum node_event e, bool proven)
{
	const struct node_facts facts = {.proven = proven, .absence_over = m->c->absence_over};
	uint32_t deeds = 0;
	int r = node_step(&m->state, e, &facts, &deeds);

	/* A later step may undo what an earlier one asked for: the last word on taints counts. */
	if (deeds & NODE_DEED_LIFT)
		m->deeds &= ~(uint32_t)(NODE_DEED_HOLD | NODE_DEED_QUARANTINE);
	if (deeds & NODE_DEED_QUARANTINE)
		m->deeds &= ~(uint32_t)(NODE_DEED_LIFT | NODE_DEED_ORDER_RELEASE);
	m->deeds |= deeds;
	return r;
}

static void put_deeds(struct jsonl *j, uint32_t deeds)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} names[] = {
		{NODE_DEED_HOLD, "hold"},	    {NODE_DEED_QUARANTINE, "quarantine"},
		{NODE_DEED_LIFT, "lift"},	    {NODE_DEED_ORDER_RELEASE, "order_release"},
		{NODE_DEED_CHALLENGE, "challenge"}, {NODE_DEED_FORGET_KEY, "forget_key"},
	};

	jsonl_array(j, "deeds");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (deeds & names[i].bit)
			jsonl_str(j, NULL, names[i].name);
	jsonl_close(j);
}

static int write_line(const struct move *m, const char *to, uint64_t *ret_seq)
{
	CLEANUP(buf_done) struct buf b = {0};
	const struct transition_cause *c = m->c;
	struct jsonl j = {.buf = &b};

	jsonl_str(&j, "node", m->n->id);
	jsonl_str(&j, "label", m->n->label);
	jsonl_str(&j, "from", m->from);
	jsonl_str(&j, "to", to);
	jsonl_str(&j, "cause", c->text);
	jsonl_str(&j, "rule", c->of ? c->of->rule : "");
	jsonl_uint(&j, "case", c->of ? c->of->id : 0);
	jsonl_str(&j, "key", c->of ? c->of->key : "");
	jsonl_str(&j, "operator", c->operator_name ? c->operator_name : "");
	jsonl_str(&j, "reason", c->reason ? c->reason : "");
	put_deeds(&j, m->deeds);
	if (m->held_back)
		jsonl_str(&j, "held_back", brakes_name(m->held_back));
	/* The verdict that it rests on: the store keeps the newest alone. */
	jsonl_str(&j, "ear", c->verdict_jwt ? c->verdict_jwt : "");
	return buf_status(&b) < 0
		       ? buf_status(&b)
		       : vlog_add(m->t->v->vlog, PLUMB_TYPE_TRANSITION, (char *)b.data, ret_seq);
}

static int give_order(const struct move *m, enum order_kind kind)
{
	struct order o = {.kind = kind};

	if (m->c->of)
		snprintf(o.case_id, sizeof(o.case_id), "%llu", (unsigned long long)m->c->of->id);
	snprintf(o.reason, sizeof(o.reason), "%s", m->c->text);
	return order_desk_give(m->t->v, m->n, &o, NULL);
}

static int give_orders(const struct move *m)
{
	int r = 0;

	/* Held back, it is given when there is room. */
	if ((m->deeds & NODE_DEED_QUARANTINE) && !m->held_back)
		r = give_order(m, ORDER_QUARANTINE);
	if (r >= 0 && (m->deeds & NODE_DEED_ORDER_RELEASE))
		r = give_order(m, ORDER_RELEASE);
	if (r >= 0 && (m->deeds & NODE_DEED_CHALLENGE))
		r = give_order(m, ORDER_CHALLENGE);
	return r;
}

static int tell(const struct move *m, const char *to, uint64_t log_seq)
{
	const struct transition_cause *c = m->c;
	const struct store_case *k = c->of;
	const struct contain_transition t = {
		.node = m->n,
		.from = m->from,
		.to = to,
		.cause = c->text,
		.rule = k ? k->rule : "",
		.key = k ? k->key : "",
		.expected = k ? k->expected : "",
		.found = k ? k->found : "",
		.who = k ? k->who : "",
		.ledger_line = k ? k->last_seq : c->line,
		.log_seq = log_seq,
		.verdict_jwt = c->verdict_jwt ? c->verdict_jwt : "",
		.provisional = k && k->provisional,
		.held_back = m->held_back ? brakes_text(m->held_back) : NULL,
		.event_ns = c->event_ns,
		.deeds = m->deeds,
	};

	return m->t->contain ? contain_queue(m->t->contain, &t) : 0;
}

/* What isolates it and was ordered besides, by a step of its remedy, ends with what contains it. Who is gone takes no orders. */
static int end_isolation(struct move *m)
{
	int r;

	if (!(m->deeds & NODE_DEED_LIFT) ||
	    m->deeds & (NODE_DEED_ORDER_RELEASE | NODE_DEED_FORGET_KEY))
		return 0;
	r = order_desk_isolates(m->t->v, m->n);
	if (r > 0)
		m->deeds |= NODE_DEED_ORDER_RELEASE;
	return r < 0 ? r : 0;
}

/* Row, line, orders, messages. A field that people do not see may change without any of them but the row. */
static int end(struct move *m)
{
	const char *to = node_shown(&m->state);
	const struct node_state before = state_of(m->n);
	bool shown = strcmp(m->from, to) != 0;
	uint64_t seq;
	int r;

	if (same(&before, &m->state) && m->deeds == 0)
		return 0;
	m->n->life = m->state.life;
	m->n->appraisal = m->state.appraisal;
	m->n->freshness = m->state.freshness;
	m->n->containment = m->state.containment;
	m->n->forked = m->state.forked;
	if (m->deeds & NODE_DEED_FORGET_KEY)
		memset(&m->n->client_key, 0, sizeof(m->n->client_key));
	if (shown) {
		m->n->state_since_ns = clock_utc_ns(m->t->v->clock);
		snprintf(m->n->cause, sizeof(m->n->cause), "%s", m->c->text);
	}
	if (!shown && !(m->deeds & ~(uint32_t)NODE_DEED_LOG))
		return 1;
	r = end_isolation(m);
	if (r >= 0)
		r = contain_let(m->t->contain, m->n, m->deeds, m->c->of ? m->c->of->key : "",
				&m->held_back);
	if (r >= 0)
		r = write_line(m, to, &seq);
	if (r >= 0)
		r = give_orders(m);
	if (r >= 0)
		r = tell(m, to, seq);
	return r < 0 ? r : 1;
}

int transition_apply(const struct transition *t, struct store_node *n, enum node_event e,
		     const struct transition_cause *c)
{
	struct move m;
	int r;

	begin(&m, t, n, c);
	r = step(&m, e, c->proven);
	return r <= 0 ? r : end(&m);
}

int transition_enrolled(const struct transition *t, struct store_node *n,
			const struct node_state *before, const struct transition_cause *c)
{
	const char *to;
	struct move m;
	uint64_t seq;
	int r;

	begin(&m, t, n, c);
	to = node_shown(&m.state);
	snprintf(m.from, sizeof(m.from), "%s", before ? node_shown(before) : "provisioning");
	n->state_since_ns = clock_utc_ns(t->v->clock);
	snprintf(n->cause, sizeof(n->cause), "%s", c->text);
	r = write_line(&m, to, &seq);
	return r < 0 ? r : tell(&m, to, seq);
}

static int make_ear(const struct transition *t, const struct store_node *n,
		    const struct cases_sum *s, struct buf *ret_jwt)
{
	const struct store *store = t->v->store;
	char origin[CHECKPOINT_MAX_ORIGIN];
	CLEANUP_FREE struct image_told *images = malloc(sizeof(*images));
	struct boot_desk_told boot;
	struct verdict_ear_in in = {
		.verdict = &s->verdict,
		.node = n->id,
		.label = n->label,
		.developer = t->v->developer,
		.origin = origin,
		.size = n->base_size,
		.root = n->head_root,
		.nonce = n->last_nonce,
		.baseline = n->baseline,
		.life_s = t->v->verdict_life_s,
		.lines = s->lines,
		.n_lines = s->n_lines,
	};
	int r = images ? image_desk_told(t->v, n, images) : -ENOMEM;

	in.images = r > 0 ? images : NULL;
	if (r >= 0)
		r = boot_desk_told(t->v, n, &boot);
	if (r < 0)
		return r;
	in.boot = (struct verdict_ear_boot){.proven = boot.proven,
					    .log = boot.log,
					    .finding = boot.finding,
					    .found = boot.found,
					    .secure_boot = boot.secure_boot};
	r = node_origin_of(t->v->log_name, n, origin);
	if (r < 0)
		return r;
	r = verdict_ear_sign(&in, t->v->verdict_key, ret_jwt);
	return r < 0 ? r
		     : store->ops->blob_put(store->ctx, "verdict", n->id, ret_jwt->data,
					    ret_jwt->size);
}

static int write_verdict(const struct transition *t, const struct store_node *n,
			 const struct cases_sum *s, const struct transition_verdict_in *in)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct jsonl j = {.buf = &b};
	uint64_t seq;

	jsonl_str(&j, "node", n->id);
	jsonl_str(&j, "label", n->label);
	jsonl_uint(&j, "incarnation", n->incarnation);
	jsonl_bool(&j, "provisional", !in->evidence);
	jsonl_str(&j, "appraisal", terms_appraisal_name(s->verdict.appraisal));
	jsonl_str(&j, "action", s->verdict.action ? terms_action_name(s->verdict.action) : "none");
	jsonl_uint(&j, "size", in->evidence ? n->base_size : n->frontier.size);
	jsonl_uint(&j, "open", s->verdict.n_open);
	jsonl_uint(&j, "cause", s->verdict.cause);
	jsonl_hex(&j, "evidence", n->evidence_digest.bytes, DIGEST_SIZE);
	jsonl_array(&j, "drift");
	for (uint32_t i = 0; i < in->n_told; i++)
		jsonl_str(&j, NULL, in->told[i]);
	jsonl_close(&j);
	return buf_status(&b) < 0 ? buf_status(&b)
				  : vlog_add(t->v->vlog, PLUMB_TYPE_VERDICT, (char *)b.data, &seq);
}

static enum node_event appraisal_event(enum plumb_appraisal a)
{
	if (a == PLUMB_APPRAISAL_TRUSTED)
		return NODE_GOOD;
	return a == PLUMB_APPRAISAL_UNTRUSTED ? NODE_BAD : NODE_WARNED;
}

static enum node_event want_event(enum plumb_action a, uint32_t n_open)
{
	if (a == PLUMB_ACTION_QUARANTINE)
		return NODE_WANT_QUARANTINE;
	if (a == PLUMB_ACTION_HOLD)
		return NODE_WANT_HOLD;
	return n_open > 0 ? NODE_WANT_REPORT : NODE_WANT_FREE;
}

int transition_verdict(const struct transition *t, struct store_node *n, const struct cases_sum *s,
		       const struct transition_verdict_in *in, const struct transition_cause *c)
{
	CLEANUP(buf_done) struct buf jwt = {0};
	struct transition_cause own = *c;
	struct move m;
	int r = 0;

	begin(&m, t, n, &own);
	if (in->appraise)
		r = step(&m, appraisal_event(s->verdict.appraisal), false);
	if (r >= 0 && (in->appraise || in->forked)) {
		r = make_ear(t, n, s, &jwt);
		own.verdict_jwt = (char *)jwt.data;
	}
	if (r >= 0 && !in->quiet)
		r = write_verdict(t, n, s, in);
	if (r >= 0)
		r = step(&m, want_event(s->verdict.action, s->verdict.n_open),
			 in->appraise && s->proven);
	/* What it is quarantined for is known only now: what comes of that was never done. */
	if (r >= 0 && s->verdict.action == PLUMB_ACTION_QUARANTINE &&
	    contain_is_unsure(t->contain, n))
		m.deeds |= NODE_DEED_LOG | NODE_DEED_QUARANTINE;
	return r < 0 ? r : end(&m);
}
