/* SPDX-License-Identifier: Apache-2.0 */
#include "contain.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "contain_tell.h"
#include "deeds.h"
#include "jsonl.h"
#include "log.h"
#include "node.h"
#include "order_desk.h"
#include "outbox.h"
#include "webhook.h"

#define LOOK_MS 1000
#define JUMP_NS 2000000000ll /* less is a clock that is being set right slowly */

struct contain {
	struct contain_options o;
	struct outbox *outbox;
	struct contain_tell *tell;
	struct contain_book *book;
	struct kube_options kube;
	struct deeds *deeds;
	struct event *timer;
	struct clock clock; /* by which times are set and held: it jumps when they have moved */
	uint64_t offset_ns; /* its UTC less boot time; may wrap */
};

static uint64_t believed_ns(void *ctx)
{
	const struct contain *c = ctx;

	return clock_boot_ns(c->o.clock) + c->offset_ns;
}

static uint64_t boot_ns(void *ctx)
{
	return clock_boot_ns(((const struct contain *)ctx)->o.clock);
}

/* The same body for all, signed once: a receiver that has two URLs knows it by its id. */
static int queue_hooks(struct contain *c, const struct contain_transition *t)
{
	CLEANUP(buf_done) struct buf body = {0};
	const struct webhook_transition w = {.node = t->node,
					     .from = t->from,
					     .to = t->to,
					     .cause = t->cause,
					     .rule = t->rule,
					     .key = t->key,
					     .expected = t->expected,
					     .found = t->found,
					     .who = t->who,
					     .ledger_line = t->ledger_line,
					     .log_seq = t->log_seq,
					     .verdict_jwt = t->verdict_jwt,
					     .provisional = t->provisional,
					     .held_back = t->held_back,
					     .remedy_step = t->remedy_step,
					     .remedy_phase = t->remedy_phase,
					     .at_ns = clock_utc_ns(c->o.clock),
					     .event_ns = t->event_ns};
	int r = webhook_body(&w, c->o.key, &body);

	return r < 0 ? r : contain_tell_put(c->tell, t->node->id, &body);
}

int contain_queue(struct contain *c, const struct contain_transition *t)
{
	const uint32_t taints = NODE_DEED_HOLD | NODE_DEED_QUARANTINE | NODE_DEED_LIFT;
	bool shown = strcmp(t->from, t->to) != 0;
	int r = 0;

	if (contain_tell_anybody(c->tell) && (shown || t->held_back || t->remedy_step))
		r = queue_hooks(c, t);
	if (r >= 0 && c->deeds && (shown || (t->deeds & taints)))
		r = deeds_queue(c->deeds, t->node, shown);
	return r;
}

int contain_bound(struct contain *c, const struct store_node *n, const char *old_name)
{
	return c && c->deeds ? deeds_bound(c->deeds, n, old_name) : 0;
}

static bool is_paused(const struct contain *c)
{
	CLEANUP(buf_done) struct buf b = {0};

	/* What cannot be read is no leave to go on. */
	int r = c->o.store->ops->setting_get(c->o.store->ctx, CONTAIN_PAUSE, &b);

	return r != -ENOENT && (r < 0 || (b.size > 0 && b.data[0]));
}

static struct brakes_settings brakes_of(const struct contain *c)
{
	return (struct brakes_settings){
		.max_percent = c->o.max_percent, .dry_run = c->o.dry_run, .paused = is_paused(c)};
}

static enum brakes_why stopped(const struct contain *c)
{
	return c->o.dry_run ? BRAKES_DRY_RUN : is_paused(c) ? BRAKES_PAUSED : BRAKES_OPEN;
}

static bool is_still(void *ctx)
{
	return stopped(ctx) != BRAKES_OPEN;
}

static void let_down(struct contain *c, struct contain_entry *e)
{
	uint64_t now = clock_utc_ns(&c->clock);

	e->held_back = BRAKES_OPEN;
	if (!e->let || !brakes_may_lift(e->lifted_ns, now, c->o.calm_ms))
		return;
	e->let = false;
	e->drain_until_ns = 0;
	e->lifted_ns = now;
	if (c->deeds)
		deeds_due(c->deeds, e);
}

/* To find that nothing is known is no proof of anything. */
static bool is_unsure(const char *key)
{
	return strcmp(key, "finding:silent") == 0 || strcmp(key, "finding:unconfirmed") == 0;
}

/* Once a quarantine: its pods have so long to leave by themselves. */
static void start_drain(const struct contain *c, struct contain_entry *e)
{
	if (!(c->o.kinds & DEEDS_EVICT) || e->containment != PLUMB_CONTAIN_QUARANTINED ||
	    e->unsure || e->drain_until_ns != 0)
		return;
	e->drain_until_ns = clock_utc_ns(&c->clock) + c->o.evict_ms * 1000000;
	e->over = false;
}

static void judge(struct contain *c, struct contain_entry *e)
{
	const struct brakes_settings s = brakes_of(c);
	enum brakes_why was = e->held_back;

	e->held_back = contain_book_judge(c->book, &s, e);
	e->let = e->held_back == BRAKES_OPEN;
	if (e->let || was != e->held_back)
		e->since_ns = clock_utc_ns(&c->clock);
	if (e->let)
		start_drain(c, e);
}

/* It is contained as it is. More of that takes no room from anybody, and waits all the same while all is stopped. */
static void judge_more(struct contain *c, struct contain_entry *e, uint32_t deeds)
{
	enum brakes_why was = e->held_back;

	e->held_back = deeds & NODE_DEED_QUARANTINE ? stopped(c) : BRAKES_OPEN;
	if (was != e->held_back)
		e->since_ns = clock_utc_ns(&c->clock);
	if (!e->held_back)
		start_drain(c, e);
}

int contain_let(struct contain *c, const struct store_node *n, uint32_t deeds, const char *key,
		enum brakes_why *ret)
{
	struct contain_entry *e;
	bool wanted;

	*ret = BRAKES_OPEN;
	if (!c || !(deeds & (NODE_DEED_HOLD | NODE_DEED_QUARANTINE | NODE_DEED_LIFT)))
		return 0;
	e = contain_book_id(c->book, n->id);
	wanted = e && contain_book_wants(e);
	e = contain_book_of(c->book, n);
	if (!e)
		return -ENOMEM;
	if (!contain_book_wants(e)) {
		const struct contain_before before = {e->let, e->held_back, e->lifted_ns,
						      e->drain_until_ns};

		let_down(c, e);
		if (before.let && !e->let) {
			e->before = before;
			e->lifting = true;
		}
		return contain_book_put(c->book, e);
	}
	e->lifting = false;
	/* Let down only just now, it is up again: as if it had never been down. */
	if (!wanted && !(e->let && e->lifted_ns))
		e->let = false;
	if (!wanted || (deeds & NODE_DEED_QUARANTINE))
		e->unsure = is_unsure(key);
	/* Another one than the one before, though it was held all the while. */
	if (deeds & NODE_DEED_QUARANTINE)
		e->drain_until_ns = 0;
	if (e->let)
		judge_more(c, e, deeds);
	else
		judge(c, e);
	*ret = e->held_back;
	return contain_book_put(c->book, e);
}

bool contain_is_unsure(const struct contain *c, const struct store_node *n)
{
	const struct contain_entry *e = c ? contain_book_id(c->book, n->id) : NULL;

	return e && e->unsure && n->containment == PLUMB_CONTAIN_QUARANTINED;
}

static int write_let(const struct contain *c, const struct store_node *n, uint64_t *ret_seq)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct jsonl j = {.buf = &b};

	jsonl_str(&j, "operator", "");
	jsonl_str(&j, "action", "let");
	jsonl_str(&j, "node", n->id);
	jsonl_str(&j, "reason", "there is room for it now");
	jsonl_str(&j, "result", "contained");
	return buf_status(&b) < 0
		       ? buf_status(&b)
		       : vlog_add(c->o.v->vlog, PLUMB_TYPE_ACTION, (char *)b.data, ret_seq);
}

/* What was held back is done: the order, the deeds, and people hear of it. */
static int let_now(struct contain *c, struct contain_entry *e, struct store_node *n)
{
	const struct store *s = c->o.store;
	const struct node_state state = {n->life, n->appraisal, n->freshness, n->containment,
					 n->forked};
	const char *shown = node_shown(&state);
	struct contain_transition t = {.node = n,
				       .from = shown,
				       .to = shown,
				       .cause = n->cause,
				       .rule = "",
				       .key = "",
				       .expected = "",
				       .found = "",
				       .who = "",
				       .verdict_jwt = "",
				       .held_back = "",
				       .deeds = NODE_DEED_HOLD};
	struct order o = {.kind = ORDER_QUARANTINE};
	int r = contain_book_put(c->book, e);

	snprintf(o.reason, sizeof(o.reason), "%.200s", n->cause);
	if (r >= 0 && c->o.v)
		r = write_let(c, n, &t.log_seq);
	if (r >= 0 && c->o.v && n->containment == PLUMB_CONTAIN_QUARANTINED && !e->unsure)
		r = order_desk_give(c->o.v, n, &o, NULL);
	if (r >= 0)
		r = s->ops->node_put(s->ctx, n);
	return r < 0 ? r : contain_queue(c, &t);
}

static int retry(struct contain *c, struct contain_entry *e)
{
	const struct store *s = c->o.store;
	struct store_node n = {.incarnation = 0};
	int r = s->ops->begin(s->ctx);

	if (r < 0)
		return r;
	r = s->ops->node_get(s->ctx, e->id, &n);
	if (r >= 0 && contain_book_of(c->book, &n) && contain_book_wants(e))
		r = let_now(c, e, &n);
	store_node_done(&n);
	if (r >= 0)
		r = s->ops->commit(s->ctx);
	else
		s->ops->rollback(s->ctx);
	if (r >= 0)
		log_notice("node=%s contained=yes reason=\"the brakes let it\"", e->id);
	return r;
}

/* It waits for what concerns it alone: that is no reason for others to wait behind it. */
static bool waits_alone(const struct contain_entry *e)
{
	return e->held_back == BRAKES_CONTROL_PLANE || e->held_back == BRAKES_ZONE;
}

static struct contain_entry *older(struct contain_entry *a, struct contain_entry *b)
{
	return !a || b->since_ns < a->since_ns ? b : a;
}

/*
 * Who waits for room, or for a stop to be over, in the order of waiting: one that is let now. And who was to stay up for a while. *ret_more: it
 * was let before.
 */
static struct contain_entry *next_one(struct contain *c, bool *ret_more)
{
	struct contain_entry *first = NULL, *alone = NULL, *more = NULL;

	for (uint32_t i = 0; i < contain_book_n(c->book); i++) {
		struct contain_entry *e = contain_book_at(c->book, i);

		contain_book_check(c->book, e);
		if (e->let && !contain_book_wants(e)) {
			let_down(c, e);
			if (!e->let && contain_book_save(c->book, e) < 0)
				e->let = true;
		}
		/* One that nothing holds back and nobody let, either: its record is of a lift that did not stand. */
		if (!contain_book_wants(e) || (e->let && !e->held_back))
			continue;
		if (e->let) {
			more = older(more, e);
		} else if (!alone && waits_alone(e)) {
			judge(c, e);
			alone = e->let ? e : NULL;
		} else {
			first = older(first, e);
		}
	}
	*ret_more = !alone && more && !is_still(c);
	if (*ret_more) {
		judge_more(c, more, 0);
		return more;
	}
	/* Who was judged is let: it is his turn. */
	if (alone)
		return alone;
	if (first)
		judge(c, first);
	return first && first->let ? first : NULL;
}

static void look_again(struct contain *c)
{
	bool more;
	struct contain_entry *e = next_one(c, &more);
	int r = e ? retry(c, e) : 0;

	if (r >= 0)
		return;
	/* It waits as before, and has begun nothing. */
	e->let = more;
	e->held_back = more ? BRAKES_PAUSED : BRAKES_SHARE;
	e->drain_until_ns = 0;
	log_error("node=%s contained=no error=\"%s\" next=\"tried again in a second\"", e->id,
		  strerror(-r));
}

void contain_held(const struct contain *c, struct contain_held *ret)
{
	const struct brakes_settings s = brakes_of(c);

	*ret = (struct contain_held){.paused = s.paused, .dry_run = s.dry_run};
	contain_book_counts(c->book, &ret->nodes, &ret->contained);
	ret->limit = brakes_limit(&s, ret->nodes);
	for (uint32_t i = 0; i < contain_book_n(c->book); i++) {
		const struct contain_entry *e = contain_book_at(c->book, i);

		ret->held_back += e->held_back && contain_book_wants(e);
	}
}

void contain_again(struct contain *c)
{
	for (uint32_t i = 0; c->deeds && i < contain_book_n(c->book); i++)
		deeds_due(c->deeds, contain_book_at(c->book, i));
}

bool contain_watches(const struct contain *c, struct why *ret_why)
{
	struct kube_watch_state s;

	if (!c->deeds)
		return false;
	deeds_watch_state(c->deeds, &s);
	*ret_why = s.why;
	return s.watching;
}

struct contain_book *contain_book(struct contain *c)
{
	return c->book;
}

void contain_kick(struct contain *c)
{
	if (c)
		outbox_kick(c->outbox);
}

/* As deadlines do. What could not be written is moved a second later. */
static void follow_clock(struct contain *c)
{
	uint64_t offset = clock_utc_ns(c->o.clock) - clock_boot_ns(c->o.clock);
	int64_t by = (int64_t)(offset - c->offset_ns);
	int r;

	if (by > -JUMP_NS && by < JUMP_NS)
		return;
	r = contain_book_move(c->book, by, UINT64_MAX);
	if (r < 0)
		log_error("contain=unmoved by=%" PRId64
			  "s error=\"%s\" next=\"tried again in a second\"",
			  by / 1000000000, strerror(-r));
	else
		c->offset_ns = offset;
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct contain *c = ctx;

	(void)fd;
	(void)what;
	follow_clock(c);
	look_again(c);
	if (c->deeds)
		deeds_tick(c->deeds);
	contain_kick(c);
}

static int open_deeds(struct contain *c, struct why *ret_why)
{
	const struct deeds_options d = {.store = c->o.store,
					.clock = &c->clock,
					.outbox = c->outbox,
					.book = c->book,
					.kube = &c->kube,
					.key = c->o.key,
					.vlog = c->o.v ? c->o.v->vlog : NULL,
					.kinds = c->o.kinds ? c->o.kinds : DEEDS_DEFAULT,
					.evict_force = c->o.evict_force,
					.still = is_still,
					.ctx = c};
	struct why why = {""};
	int r;

	if (!c->o.kube_server)
		return 0;
	/* A token goes there. */
	r = webhook_check_url(c->o.kube_server, &why);
	if (r < 0)
		return why_set(ret_why, r, "kube_server: %.200s", why.text);
	c->kube = (struct kube_options){.base = c->o.base,
					.server = c->o.kube_server,
					.token_file = c->o.kube_token_file,
					.ca_file = c->o.kube_ca_file};
	return deeds_open(&d, &c->deeds, ret_why);
}

static int open_tell(struct contain *c, struct why *ret_why)
{
	const struct contain_tell_options t = {.base = c->o.base,
					       .outbox = c->outbox,
					       .webhooks = c->o.webhooks,
					       .n_webhooks = c->o.n_webhooks,
					       .webhook_ca = c->o.webhook_ca,
					       .command_file = c->o.command_file};

	return contain_tell_open(&t, &c->tell, ret_why);
}

static int open_rest(struct contain *c, struct why *ret_why)
{
	const struct timeval tv = {LOOK_MS / 1000, 0};
	int r;

	c->clock = (struct clock){believed_ns, boot_ns, c};
	c->offset_ns = clock_utc_ns(c->o.clock) - clock_boot_ns(c->o.clock);
	r = contain_book_open(c->o.store, &c->book);
	/* A clock that was set back while nobody looked gives nobody a longer time. */
	if (r >= 0)
		r = contain_book_move(c->book, 0,
				      clock_utc_ns(&c->clock) + c->o.evict_ms * 1000000);
	if (r >= 0)
		r = outbox_open(c->o.store, c->o.clock, &c->outbox);
	if (r >= 0)
		r = open_tell(c, ret_why);
	if (r >= 0)
		r = open_deeds(c, ret_why);
	if (r < 0)
		return r;
	/* What the last run left, and what is due again. */
	c->timer = event_new(c->o.base, -1, EV_PERSIST, on_timer, c);
	return c->timer && event_add(c->timer, &tv) == 0 ? 0 : -ENOMEM;
}

int contain_open(const struct contain_options *o, struct contain **ret, struct why *ret_why)
{
	struct contain *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->o = *o;
	r = open_rest(c, ret_why);
	if (r < 0) {
		contain_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

struct contain *contain_free(struct contain *c)
{
	if (!c)
		return NULL;
	contain_tell_free(c->tell);
	deeds_free(c->deeds);
	outbox_free(c->outbox);
	contain_book_free(c->book);
	if (c->timer)
		event_free(c->timer);
	free(c);
	return NULL;
}
