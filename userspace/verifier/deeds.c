/* SPDX-License-Identifier: Apache-2.0 */
#include "deeds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "deeds_drain.h"
#include "deeds_mark.h"
#include "digest.h"
#include "jsonl.h"
#include "log.h"

#define SECOND 1000000000ull
#define MAX_EVENTS 25
#define EVENT_EVERY_NS (300 * SECOND)

struct deeds {
	struct deeds_options o;
	struct outbox_lane *lane;
	struct kube *kube;
	struct kube_watch *watch;
	struct deeds_drain *drain; /* NULL: evict is off */
	uint64_t listed_ns; /* boot time of the last look at all; 0: never */
	uint32_t n_due;
	uint32_t at; /* the next look begins there: none that fails is always first */
	/* of the node at hand */
	char id[65];
	char name[KUBE_FACTS_MAX_NAME];
	bool is_look; /* it is no message */
	bool is_ours; /* a row is bound to it */
	bool cordoned; /* by us, when it was bound */
	struct deeds_wanted wanted;
	struct buf mark;
};

static const struct store_ops *ops(const struct deeds *t)
{
	return t->o.store->ops;
}

void deeds_due(struct deeds *t, struct contain_entry *e)
{
	t->n_due += !e->due;
	e->due = true;
}

/* Ordered and replaced by the Kubernetes name: a node that was bound anew has two. */
static int put(struct deeds *t, const char *id, const char *name, bool cordoned)
{
	CLEANUP(buf_done) struct buf b = {0};
	char key[DIGEST_HEX_SIZE];
	struct digest d;
	struct jsonl j;
	int r = digest_sha256(name, strlen(name), &d);

	if (r < 0)
		return r;
	digest_hex(&d, key);
	jsonl_begin(&j, &b);
	jsonl_str(&j, "node", name);
	jsonl_str(&j, "id", id);
	jsonl_bool(&j, "cordoned", cordoned);
	jsonl_end(&j);
	return buf_status(&b) < 0 ? buf_status(&b) : outbox_put(t->lane, key, &b, true);
}

static void want_event(struct deeds *t, struct contain_entry *e)
{
	uint64_t now = clock_boot_ns(t->o.clock);
	uint64_t back = e->events_ns ? (now - e->events_ns) / EVENT_EVERY_NS : 0;

	e->events -= back < e->events ? (uint32_t)back : e->events;
	if (back > 0 || e->events_ns == 0)
		e->events_ns = now;
	if (e->events >= MAX_EVENTS) {
		log_info("node=%s kube_name=%s event=left_out reason=\"more than %d of late\"",
			 e->id, e->kube_name, MAX_EVENTS);
		return;
	}
	e->events++;
	e->event_due = true;
}

int deeds_queue(struct deeds *t, const struct store_node *n, bool shown)
{
	struct contain_entry *e;

	if (!n->kube_name[0])
		return 0;
	e = contain_book_of(t->o.book, n);
	if (!e)
		return -ENOMEM;
	if (shown && (t->o.kinds & DEEDS_EVENT))
		want_event(t, e);
	return put(t, n->id, n->kube_name, false);
}

int deeds_bound(struct deeds *t, const struct store_node *n, const char *old_name)
{
	struct contain_entry *e = contain_book_id(t->o.book, n->id);
	bool cordoned = e && e->cordoned;
	int r;

	e = contain_book_of(t->o.book, n);
	if (!e)
		return -ENOMEM;
	/* Said anew by a person: the object that has the name now is looked at anew, too. */
	e->uid[0] = e->zone[0] = e->seen_boot[0] = e->good_boot[0] = 0;
	e->is_own = e->zone_open = false;
	r = contain_book_put(t->o.book, e);
	if (r >= 0 && old_name[0] && strcmp(old_name, n->kube_name) != 0)
		r = put(t, n->id, old_name, cordoned);
	return r < 0 ? r : deeds_queue(t, n, false);
}

static enum outbox_end end_of(int r)
{
	switch (r) {
	case 0:
		return OUTBOX_DELIVERED;
	case -ENOENT:
	case -EXDEV:
		return OUTBOX_POINTLESS;
	case -EBUSY:
	case -EBADMSG:
	case -E2BIG:
		return OUTBOX_REFUSED;
	case -ECANCELED:
		return OUTBOX_STOPPED;
	}
	return OUTBOX_DOWN;
}

static void save(struct deeds *t, const struct contain_entry *e)
{
	int r = contain_book_save(t->o.book, e);

	if (r < 0)
		log_warning("node=%s kube_name=%s record=unsaved error=\"%s\" next=\"saved when it "
			    "is looked at again\"",
			    e->id, e->kube_name, strerror(-r));
}

/* The object, and the boot that its kubelet told of when it was last asked. */
static void learn(struct deeds *t, struct contain_entry *e, const struct kube_facts *f)
{
	bool changed = strcmp(e->uid, f->uid) != 0;

	if (changed) {
		log_info("node=%s kube_name=%s uid=%s", e->id, e->kube_name, f->uid);
		memcpy(e->uid, f->uid, sizeof(e->uid));
		memcpy(e->zone, f->zone, sizeof(e->zone));
		e->zone_open = f->starting;
		e->good_boot[0] = e->seen_boot[0] = 0;
		e->cordoned = false;
	} else if (e->zone_open && !f->starting) {
		memcpy(e->zone, f->zone, sizeof(e->zone));
		e->zone_open = false;
		changed = true;
	}
	/* One that tells none says nothing. */
	if (f->boot_id[0] && strcmp(e->seen_boot, f->boot_id) != 0) {
		memcpy(e->seen_boot, f->boot_id, sizeof(e->seen_boot));
		changed = true;
	}
	if (e->control_plane != f->control_plane) {
		e->control_plane = f->control_plane;
		changed = true;
	}
	if (changed) {
		deeds_due(t, e);
		save(t, e);
	}
}

/* Each change that enforces something stands in the verifier's log. */
static void write_line(struct deeds *t, const struct contain_entry *e)
{
	const struct deeds_wanted *w = &t->wanted;
	static const char *const wants[] = {"", "none", "hold", "quarantine"};
	static const char *const marks[] = {"", "put", "taken off"};
	CLEANUP(buf_done) struct buf b = {0};
	struct jsonl j = {.buf = &b};
	uint64_t seq;
	int r;

	if (!t->o.vlog)
		return;
	jsonl_str(&j, "operator", "");
	jsonl_str(&j, "action", "deed");
	jsonl_str(&j, "node", e ? e->id : "");
	jsonl_str(&j, "kube_name", t->name);
	jsonl_str(&j, "taint", wants[w->job.want]);
	jsonl_str(&j, "unattested", marks[w->job.unattested]);
	jsonl_str(&j, "cordon", marks[w->job.cordon]);
	r = buf_status(&b) < 0 ? buf_status(&b)
			       : vlog_add(t->o.vlog, PLUMB_TYPE_ACTION, (char *)b.data, &seq);
	if (r >= 0)
		r = vlog_sync(t->o.vlog);
	if (r < 0)
		log_error("node=%s deed=unlogged error=\"%s\"", t->id, strerror(-r));
}

static void on_applied(struct deeds *t, struct contain_entry *e, const struct kube_done *d)
{
	const struct kube_job *j = &t->wanted.job;
	bool cordoned = e->cordoned;

	if (!d->seen.certain)
		return;
	learn(t, e, &d->seen.facts);
	if (j->cordon == KUBE_PUT && d->tainted && d->seen.cordons)
		e->cordoned = true;
	if (j->cordon == KUBE_TAKE)
		e->cordoned = false;
	if (cordoned != e->cordoned)
		save(t, e);
	if (t->wanted.has_event)
		e->event_due = false;
	if (j->label)
		e->want_label = kube_facts_hash(0, j->label);
	if (j->verdict)
		e->want_verdict = kube_facts_hash(0, j->verdict);
	if (j->condition)
		e->want_condition =
			kube_facts_hash(kube_facts_hash(kube_facts_hash(0, j->condition->status),
							j->condition->reason),
					j->condition->message);
}

static void on_done(void *ctx, int r, const struct kube_done *d, const struct why *why)
{
	struct deeds *t = ctx;
	struct contain_entry *e = t->is_ours ? contain_book_id(t->o.book, t->id) : NULL;
	enum outbox_end end = end_of(r);

	if (e && (d->seen.facts.uid[0] || r == -ENOENT))
		e->is_own = r != -ENOENT && d->seen.certain;
	if (r == 0 && e)
		on_applied(t, e, d);
	if ((r == 0 || r == -EXDEV) && d->tainted)
		write_line(t, e);
	if (r == 0 && d->unshown < 0 && (!e || e->last != d->unshown))
		log_warning(
			"target=" DEEDS_TARGET
			" node=%s kube_name=%s shown=no error=\"%s\" next=\"tried with each look\"",
			t->id, t->name, why->text);
	if (r == 0)
		r = d->unshown;
	/* A look that found nothing to be done about it is no news each minute; it is looked at again, for the node may come back. */
	if (t->is_look && (end == OUTBOX_POINTLESS || end == OUTBOX_REFUSED)) {
		if (!e || e->last != r)
			log_warning("target=" DEEDS_TARGET
				    " node=%s kube_name=%s tainted=no error=\"%s\" next=\"looked "
				    "at again every %d s\"",
				    t->id, t->name, why->text, DEEDS_LOOK_S);
		end = OUTBOX_DELIVERED;
	}
	if (e && end != OUTBOX_STOPPED)
		e->last = r;
	/* Not in a minute, but when the API answers again. */
	if (e && t->is_look && end == OUTBOX_DOWN)
		deeds_due(t, e);
	outbox_ended(t->lane, end, why);
}

/* The first good verdict of a boot. */
static void see_verdict(struct deeds *t, struct contain_entry *e, const struct store_node *n)
{
	if (n->appraisal != PLUMB_APPRAISAL_TRUSTED || n->life != PLUMB_LIFE_ACTIVE || n->forked ||
	    contain_book_wants(e) || !n->boot_id[0] || strcmp(e->good_boot, n->boot_id) == 0)
		return;
	snprintf(e->good_boot, sizeof(e->good_boot), "%s", n->boot_id);
	save(t, e);
}

/* What is wanted of this Kubernetes node now: by the row that is bound to it, be it another one by now; by none: what is ours goes. */
static int make_job(struct deeds *t, struct why *ret_why)
{
	struct deeds_in in = {.kube_name = t->name,
			      .kinds = t->o.kinds,
			      .cordoned = t->cordoned && !t->is_look,
			      .now_ns = clock_utc_ns(t->o.clock),
			      .still = t->o.still && t->o.still(t->o.ctx)};
	struct store_node n = {.incarnation = 0};
	struct contain_entry *e;
	int r = ops(t)->node_get(t->o.store->ctx, t->id, &n);

	if (r >= 0)
		(void)contain_book_of(t->o.book, &n);
	if (r < 0 && r != -ENOENT)
		return why_set(ret_why, r == -EBADMSG ? -EIO : r, "the store: %s", strerror(-r));
	store_node_done(&n);
	n = (struct store_node){.incarnation = 0};
	e = contain_book_name(t->o.book, t->name);
	/* Nobody, as far as is known: then rows are asked. */
	r = e ? 0 : contain_book_refresh(t->o.book);
	if (!e && r >= 0)
		e = contain_book_name(t->o.book, t->name);
	if (r >= 0 && e) {
		memcpy(t->id, e->id, sizeof(t->id));
		r = ops(t)->node_get(t->o.store->ctx, e->id, &n);
	}
	t->is_ours = e != NULL;
	buf_clear(&t->mark);
	if (r >= 0 && e) {
		contain_book_check(t->o.book, e);
		in.row = &n;
		in.entry = e;
		see_verdict(t, e, &n);
		if (t->o.kinds & DEEDS_ANNOTATION)
			r = deeds_mark_get(t->o.store, t->o.key, &n, e->uid, in.now_ns, &t->mark);
	}
	buf_put(&t->mark, "", 1);
	in.verdict = (char *)t->mark.data;
	if (r >= 0)
		r = buf_status(&t->mark);
	if (r >= 0)
		deeds_want(&in, &t->wanted);
	store_node_done(&n);
	return r < 0 ? why_set(ret_why, r == -EBADMSG ? -EIO : r, "the store: %s", strerror(-r))
		     : 0;
}

static int start(struct deeds *t, struct why *ret_why)
{
	int r = make_job(t, ret_why);

	return r < 0 ? r
		     : kube_apply(t->kube, &t->wanted.job,
				  t->wanted.has_event ? &t->wanted.event : NULL, on_done, t,
				  ret_why);
}

static int on_send(void *ctx, const struct store_message *m, struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct deeds *t = ctx;
	int r = jsonl_parse(m->body.data, m->body.size, 4096, &o, ret_why);

	if (r >= 0)
		r = jsonl_get_text(o, "node", t->name, sizeof(t->name), ret_why);
	if (r >= 0)
		r = jsonl_get_text(o, "id", t->id, sizeof(t->id), ret_why);
	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	/* Releases before this one did not say. */
	if (jsonl_get_bool(o, "cordoned", &t->cordoned, NULL) < 0)
		t->cordoned = false;
	t->is_look = false;
	return start(t, ret_why);
}

/* Rows anew, and every one that something enforced is wanted of. */
static int look_at_all(struct deeds *t)
{
	int r = contain_book_refresh(t->o.book);

	for (uint32_t i = 0; r >= 0 && i < contain_book_n(t->o.book); i++) {
		struct contain_entry *e = contain_book_at(t->o.book, i);

		if (e->kube_name[0] && e->life != PLUMB_LIFE_RETIRED &&
		    ((e->let && contain_book_wants(e)) ||
		     deeds_unattested(e, t->o.kinds) == KUBE_PUT))
			deeds_due(t, e);
	}
	t->listed_ns = clock_boot_ns(t->o.clock);
	return r;
}

/* 1: the next one is being looked at. */
static int on_idle(void *ctx, struct why *ret_why)
{
	struct deeds *t = ctx;
	int r = 0;

	if (!t->listed_ns || clock_boot_ns(t->o.clock) >= t->listed_ns + DEEDS_LOOK_S * SECOND)
		r = look_at_all(t);
	if (r < 0)
		return why_set(ret_why, r, "the store: %s", strerror(-r));
	for (uint32_t i = 0; t->n_due > 0 && i < contain_book_n(t->o.book); i++) {
		uint32_t at = (t->at + i) % contain_book_n(t->o.book);
		struct contain_entry *e = contain_book_at(t->o.book, at);

		if (!e->due)
			continue;
		t->at = at + 1;
		e->due = false;
		t->n_due--;
		if (!e->kube_name[0])
			continue;
		memcpy(t->id, e->id, sizeof(t->id));
		memcpy(t->name, e->kube_name, sizeof(t->name));
		t->is_look = true;
		r = start(t, ret_why);
		return r < 0 ? r : 1;
	}
	return 0;
}

static void on_node(void *ctx, const struct kube_facts *f, bool deleted)
{
	static const struct kube_facts none;
	struct deeds *t = ctx;
	struct contain_entry *e = contain_book_name(t->o.book, f->name);

	if (!e)
		return;
	e->facts = deleted ? none : *f;
	e->listed = !deleted;
	if (deleted)
		return;
	if (e->uid[0] && strcmp(e->uid, f->uid) == 0)
		learn(t, e, f);
	if (deeds_differ(e, t->o.kinds, clock_utc_ns(t->o.clock)))
		deeds_due(t, e);
	if (e->due)
		outbox_kick(t->o.outbox);
}

static void on_listed(void *ctx, bool begins)
{
	struct deeds *t = ctx;

	for (uint32_t i = 0; i < contain_book_n(t->o.book); i++) {
		struct contain_entry *e = contain_book_at(t->o.book, i);

		if (!begins && !e->listed)
			e->facts = (struct kube_facts){.taints = 0};
		e->listed = begins ? false : e->listed;
	}
}

static void on_drained(void *ctx, struct contain_entry *e)
{
	deeds_due(ctx, e);
}

void deeds_tick(struct deeds *t)
{
	if (t->drain && !(t->o.still && t->o.still(t->o.ctx)))
		deeds_drain_tick(t->drain);
	for (uint32_t i = 0; i < contain_book_n(t->o.book); i++) {
		struct contain_entry *e = contain_book_at(t->o.book, i);
		struct store_node n = {.incarnation = 0};

		if (!e->kube_name[0] || e->life == PLUMB_LIFE_RETIRED ||
		    (!(e->facts.taints & (KUBE_TAINT_UNATTESTED | KUBE_TAINT_SOFT)) &&
		     deeds_unattested(e, t->o.kinds) != KUBE_PUT))
			continue;
		if (ops(t)->node_get(t->o.store->ctx, e->id, &n) >= 0)
			see_verdict(t, e, &n);
		store_node_done(&n);
		if (deeds_differ(e, t->o.kinds, clock_utc_ns(t->o.clock)))
			deeds_due(t, e);
	}
}

void deeds_watch_state(const struct deeds *t, struct kube_watch_state *ret)
{
	kube_watch_state(t->watch, ret);
}

int deeds_open(const struct deeds_options *o, struct deeds **ret, struct why *ret_why)
{
	struct deeds *t = calloc(1, sizeof(*t));
	const struct outbox_lane_options lane = {
		.target = DEEDS_TARGET, .send = on_send, .idle = on_idle, .ctx = t};
	const struct kube_watch_options watch = {.kube = o->kube,
						 .turn_s = o->watch_s,
						 .node = on_node,
						 .listed = on_listed,
						 .ctx = t};
	const struct deeds_drain_options drain = {.kube = o->kube,
						  .clock = o->clock,
						  .book = o->book,
						  .force = o->evict_force,
						  .over = on_drained,
						  .ctx = t};
	int r = t ? 0 : -ENOMEM;

	if (r >= 0) {
		t->o = *o;
		r = kube_open(o->kube, &t->kube, ret_why);
	}
	if (r >= 0)
		r = kube_watch_open(&watch, &t->watch, ret_why);
	if (r >= 0 && (o->kinds & DEEDS_EVICT))
		r = deeds_drain_open(&drain, &t->drain, ret_why);
	if (r >= 0)
		r = outbox_add(o->outbox, &lane, &t->lane);
	if (r < 0) {
		deeds_free(t);
		return r;
	}
	*ret = t;
	return 0;
}

struct deeds *deeds_free(struct deeds *t)
{
	if (!t)
		return NULL;
	deeds_drain_free(t->drain);
	kube_watch_free(t->watch);
	kube_free(t->kube);
	buf_done(&t->mark);
	free(t);
	return NULL;
}
