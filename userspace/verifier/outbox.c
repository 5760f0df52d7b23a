/* SPDX-License-Identifier: Apache-2.0 */
#include "outbox.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "log.h"

#define SECOND 1000000000ull
#define TELL_EVERY_S 60
#define MAX_SUSPECTS 8 /* of a lane; then the one that was tried longest ago is forgotten */

/* A message that was in flight when the target was found down. Not in the store: it says nothing of the message, only that it may be the cause. */
struct suspect {
	uint64_t id; /* 0: none */
	uint32_t downs;
	uint64_t at_ns; /* boot time of the last one */
};

struct outbox_lane {
	struct outbox *o;
	struct outbox_lane_options in;
	char target[64], counter[80];
	bool busy, failing, skipped;
	uint64_t id; /* 0: what is in flight is no message */
	uint32_t tries; /* how often it was refused */
	uint32_t downs; /* of the target, in a row */
	struct suspect suspects[MAX_SUSPECTS];
	uint64_t until_ns; /* boot time: nothing is sent before it */
	uint64_t told_ns; /* boot time of the last word about dropped ones */
	struct why told; /* why it is down, as the log has it */
};

struct outbox {
	const struct store *store;
	const struct clock *clock;
	struct outbox_lane lanes[OUTBOX_MAX_LANES];
	uint32_t n_lanes;
};

static const struct store_ops *ops(const struct outbox_lane *l)
{
	return l->o->store->ops;
}

static void *store_ctx(const struct outbox_lane *l)
{
	return l->o->store->ctx;
}

static uint64_t wait_s(uint32_t tries)
{
	uint64_t s = 1ull << (tries < 9 ? tries : 9);

	return s < OUTBOX_MAX_RETRY_S ? s : OUTBOX_MAX_RETRY_S;
}

uint64_t outbox_dropped(struct outbox_lane *l)
{
	CLEANUP(buf_done) struct buf b = {0};

	if (ops(l)->setting_get(store_ctx(l), l->counter, &b) < 0 || !b.data)
		return 0;
	return strtoull((char *)b.data, NULL, 10);
}

/* Inside a transaction. The log hears of it once a minute at most, with the sum. */
static int count_dropped(struct outbox_lane *l, uint64_t n, const char *why)
{
	uint64_t now = clock_boot_ns(l->o->clock), sum = outbox_dropped(l) + n;
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, sum);
	if (l->told_ns == 0 || now >= l->told_ns + TELL_EVERY_S * SECOND) {
		log_error("target=%s dropped=%" PRIu64 " dropped_ever=%" PRIu64
			  " reason=\"%s\" next=\"the log has them: /v1/events\"",
			  l->target, n, sum, why);
		l->told_ns = now;
	}
	return ops(l)->setting_put(store_ctx(l), l->counter, text);
}

int outbox_put(struct outbox_lane *l, const char *node, const struct buf *body, bool only)
{
	struct store_message m = {.body = *body, .next_ns = 0};
	int r = 0;

	snprintf(m.target, sizeof(m.target), "%s", l->target);
	snprintf(m.node, sizeof(m.node), "%.64s", node);
	if (only)
		r = ops(l)->message_forget(store_ctx(l), l->target, node);
	if (r >= 0)
		r = ops(l)->message_put(store_ctx(l), &m);
	if (r >= 0)
		r = ops(l)->message_trim(store_ctx(l), l->target, OUTBOX_MAX_WAITING);
	if (r > 0)
		r = count_dropped(l, (uint64_t)r, "too many wait for it");
	return r < 0 ? r : 0;
}

/* What the message's own row becomes. It may be gone: another replaced it, or too many waited. */
static int mark(struct outbox_lane *l, enum outbox_end end, uint32_t downs, const struct why *why)
{
	uint64_t now = clock_utc_ns(l->o->clock);
	bool given_up = end == OUTBOX_REFUSED && l->tries + 1 >= OUTBOX_MAX_TRIES;
	int r;

	/* That the target is down costs the message no try: after an outage it has them all. */
	if (l->id == 0 || (end == OUTBOX_DOWN && !l->skipped))
		return 0;
	r = ops(l)->begin(store_ctx(l));
	if (r < 0)
		return r;
	if (end == OUTBOX_DELIVERED || end == OUTBOX_POINTLESS || given_up)
		r = ops(l)->message_done(store_ctx(l), l->id);
	else if (end == OUTBOX_REFUSED)
		r = ops(l)->message_retry(store_ctx(l), l->id, now + wait_s(l->tries) * SECOND);
	else
		r = ops(l)->message_put_off(store_ctx(l), l->id, now + wait_s(downs) * SECOND);
	if (r == -ENOENT)
		r = 0;
	if (r >= 0 && given_up)
		r = count_dropped(l, 1, why->text);
	if (r >= 0)
		return ops(l)->commit(store_ctx(l));
	ops(l)->rollback(store_ctx(l));
	return r;
}

/* But for numbers: the same failure takes another time at each try. */
static bool same_words(const char *a, const char *b)
{
	for (;; a++, b++) {
		a += strspn(a, "0123456789");
		b += strspn(b, "0123456789");
		if (*a != *b)
			return false;
		if (!*a)
			return true;
	}
}

/* Told when it begins, when it fails otherwise, and when it is over, not with each try. */
static void tell(struct outbox_lane *l, enum outbox_end end, const struct why *why)
{
	if (end == OUTBOX_DOWN && (!l->failing || !same_words(why->text, l->told.text)))
		log_warning("target=%s undelivered=%" PRIu64
			    " error=\"%s\" next=\"tried again, later each time\"",
			    l->target, l->id, why->text);
	if (end != OUTBOX_DOWN && l->failing)
		log_notice("target=%s answers again", l->target);
	if (end == OUTBOX_REFUSED && l->tries == 0)
		log_warning("target=%s refused=%" PRIu64
			    " error=\"%s\" next=\"tried again, later each time, %d times\"",
			    l->target, l->id, why->text, OUTBOX_MAX_TRIES);
	if (end == OUTBOX_POINTLESS)
		log_warning("target=%s message=%" PRIu64 " error=\"%s\" next=\"not tried again\"",
			    l->target, l->id, why->text);
	l->failing = end == OUTBOX_DOWN;
	if (l->failing)
		l->told = *why;
}

static void pause_lane(struct outbox_lane *l)
{
	l->until_ns = clock_boot_ns(l->o->clock) + wait_s(l->downs) * SECOND;
	l->downs++;
	l->skipped = false;
}

/* Of the message at hand, which is a suspect no more when its end is another one. How often it was before. */
static uint32_t count_down(struct outbox_lane *l, enum outbox_end end)
{
	struct suspect *s = &l->suspects[0];

	for (size_t i = 0; i < MAX_SUSPECTS; i++) {
		if (l->suspects[i].id == l->id) {
			s = &l->suspects[i];
			break;
		}
		if (l->suspects[i].at_ns < s->at_ns)
			s = &l->suspects[i];
	}
	if (s->id != l->id && (end != OUTBOX_DOWN || l->id == 0))
		return 0;
	if (s->id != l->id)
		*s = (struct suspect){.id = l->id};
	if (end != OUTBOX_DOWN) {
		*s = (struct suspect){.id = 0};
		return 0;
	}
	s->at_ns = clock_boot_ns(l->o->clock);
	return s->downs++;
}

static void end_one(struct outbox_lane *l, enum outbox_end end, const struct why *why)
{
	/*
	 * The order across nodes is kept by trying the head again and again. When it may be what the target dies of, one of
	 * another node is tried after it: only if that fails, too, the target is down.
	 */
	uint32_t downs = count_down(l, end);
	bool skip = downs >= OUTBOX_STUCK_TRIES && !l->skipped;
	int r;

	tell(l, end, why);
	l->skipped = skip;
	r = mark(l, end, downs, why);
	if (r < 0) {
		log_error("target=%s message=%" PRIu64
			  " error=\"%s\" next=\"it may be delivered twice\"",
			  l->target, l->id, strerror(-r));
		pause_lane(l);
	} else if (end == OUTBOX_DOWN && !skip) {
		pause_lane(l);
	} else if (end != OUTBOX_DOWN) {
		l->downs = 0;
		l->skipped = false;
	}
}

/* 1: something is on its way; 0: nothing is to be done now; < 0: it could not start. */
static int start_next(struct outbox_lane *l, struct why *ret_why)
{
	struct store_message m = {.id = 0};
	int r = ops(l)->message_next(store_ctx(l), l->target, clock_utc_ns(l->o->clock), &m);

	l->id = 0;
	l->tries = 0;
	if (r == -ENOENT)
		return l->in.idle ? l->in.idle(l->in.ctx, ret_why) : 0;
	if (r < 0)
		return why_set(ret_why, r, "the store: %s", strerror(-r));
	l->id = m.id;
	l->tries = m.tries;
	r = l->in.send(l->in.ctx, &m, ret_why);
	store_message_done(&m);
	return r < 0 ? r : 1;
}

static void go_on(struct outbox_lane *l)
{
	while (!l->busy && clock_boot_ns(l->o->clock) >= l->until_ns) {
		struct why why = {""};
		int r = start_next(l, &why);

		if (r == 0) {
			/* The message after the head that failed: there is none. */
			if (l->skipped)
				pause_lane(l);
			return;
		}
		l->busy = r > 0;
		if (r < 0 && !why.text[0])
			why_set(&why, r, "%s", strerror(-r));
		if (r < 0)
			end_one(l, r == -EBADMSG ? OUTBOX_POINTLESS : OUTBOX_DOWN, &why);
	}
}

void outbox_ended(struct outbox_lane *l, enum outbox_end end, const struct why *why)
{
	l->busy = false;
	if (end == OUTBOX_STOPPED)
		return;
	end_one(l, end, why);
	go_on(l);
}

void outbox_kick(struct outbox *o)
{
	for (uint32_t i = 0; i < o->n_lanes; i++)
		go_on(&o->lanes[i]);
}

int outbox_open(const struct store *store, const struct clock *clock, struct outbox **ret)
{
	struct outbox *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	o->store = store;
	o->clock = clock;
	*ret = o;
	return 0;
}

struct outbox *outbox_free(struct outbox *o)
{
	free(o);
	return NULL;
}

int outbox_add(struct outbox *o, const struct outbox_lane_options *in, struct outbox_lane **ret)
{
	struct outbox_lane *l = &o->lanes[o->n_lanes];

	if (o->n_lanes == OUTBOX_MAX_LANES || strlen(in->target) >= sizeof(l->target))
		return -E2BIG;
	l->o = o;
	l->in = *in;
	snprintf(l->target, sizeof(l->target), "%s", in->target);
	snprintf(l->counter, sizeof(l->counter), "dropped:%s", in->target);
	l->in.target = l->target;
	o->n_lanes++;
	*ret = l;
	return 0;
}

struct tidying {
	struct outbox *o;
	const char *prefix;
	char target[64]; /* one that nobody has any more; "": none */
	uint64_t n;
};

static int on_target(void *ctx, const char *target, uint64_t n)
{
	struct tidying *t = ctx;

	if (t->target[0] || strncmp(target, t->prefix, strlen(t->prefix)) != 0)
		return 0;
	for (uint32_t i = 0; i < t->o->n_lanes; i++)
		if (strcmp(t->o->lanes[i].target, target) == 0)
			return 0;
	snprintf(t->target, sizeof(t->target), "%s", target);
	t->n = n;
	return 0;
}

static int forget(struct outbox *o, const char *target)
{
	const struct store *s = o->store;
	int r = s->ops->begin(s->ctx);

	if (r < 0)
		return r;
	r = s->ops->message_forget(s->ctx, target, NULL);
	if (r >= 0)
		return s->ops->commit(s->ctx);
	s->ops->rollback(s->ctx);
	return r;
}

int outbox_tidy(struct outbox *o, const char *prefix)
{
	for (;;) {
		struct tidying t = {.o = o, .prefix = prefix};
		int r = o->store->ops->message_targets(o->store->ctx, on_target, &t);

		if (r < 0 || !t.target[0])
			return r;
		log_warning("target=%s dropped=%" PRIu64
			    " reason=\"it is not configured any more\" next=\"the log has them: "
			    "/v1/events\"",
			    t.target, t.n);
		r = forget(o, t.target);
		if (r < 0)
			return r;
	}
}
