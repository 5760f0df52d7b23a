/* SPDX-License-Identifier: Apache-2.0 */
#include "contain.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "fetch.h"
#include "fsio.h"
#include "jsonl.h"
#include "kube.h"
#include "log.h"
#include "node.h"
#include "plumb/terms.h"
#include "webhook.h"

#define MAX_WEBHOOKS 16
#define MAX_RETRY_S 300
#define MAX_ANSWER 65536
#define LOOK_MS 1000

struct lane { /* one target; its messages go one after the other */
	struct contain *c;
	char target[32];
	const char *url; /* NULL: Kubernetes */
	bool busy, failing;
	uint64_t id;
	uint32_t tries;
};

struct contain {
	struct contain_options o;
	struct fetch *fetch;
	struct kube *kube;
	struct event *timer;
	struct lane lanes[MAX_WEBHOOKS + 1];
	uint32_t n_lanes;
};

static const struct store_ops *ops(const struct contain *c)
{
	return c->o.store->ops;
}

static int put_message(struct contain *c, const char *target, const struct store_node *n,
		       const struct buf *body)
{
	struct store_message m = {.body = *body, .next_ns = 0};

	snprintf(m.target, sizeof(m.target), "%s", target);
	memcpy(m.node, n->id, sizeof(m.node));
	return ops(c)->message_put(c->o.store->ctx, &m);
}

static int queue_kube(struct contain *c, const struct contain_transition *t)
{
	CLEANUP(buf_done) struct buf b = {0};
	enum kube_want want = KUBE_FREE;
	struct jsonl j;

	if (!c->kube || !t->node->kube_name[0] ||
	    !(t->deeds & (NODE_DEED_HOLD | NODE_DEED_QUARANTINE | NODE_DEED_LIFT)))
		return 0;
	if (t->deeds & NODE_DEED_QUARANTINE)
		want = KUBE_QUARANTINE;
	else if (t->deeds & NODE_DEED_HOLD)
		want = KUBE_HOLD;
	jsonl_begin(&j, &b);
	jsonl_str(&j, "node", t->node->kube_name);
	jsonl_str(&j, "boot_id", t->node->boot_id);
	jsonl_uint(&j, "want", want);
	jsonl_end(&j);
	return buf_status(&b) < 0 ? buf_status(&b) : put_message(c, "kube", t->node, &b);
}

int contain_queue(struct contain *c, const struct contain_transition *t)
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
					     .at_ns = clock_utc_ns(c->o.clock),
					     .event_ns = t->event_ns};
	int r = 0;

	if (c->o.n_webhooks > 0 && strcmp(t->from, t->to) != 0)
		r = webhook_body(&w, c->o.key, &body);
	for (uint32_t i = 0; r >= 0 && body.size > 0 && i < c->n_lanes; i++)
		if (c->lanes[i].url)
			r = put_message(c, c->lanes[i].target, t->node, &body);
	return r < 0 ? r : queue_kube(c, t);
}

static void send_next(struct lane *l);

static int settle(struct lane *l, bool delivered)
{
	struct contain *c = l->c;
	uint64_t wait_s = 1ull << (l->tries < 9 ? l->tries : 9);
	int r = ops(c)->begin(c->o.store->ctx);

	if (r < 0)
		return r;
	if (wait_s > MAX_RETRY_S)
		wait_s = MAX_RETRY_S;
	r = delivered ? ops(c)->message_done(c->o.store->ctx, l->id)
		      : ops(c)->message_retry(c->o.store->ctx, l->id,
					      clock_utc_ns(c->o.clock) + wait_s * 1000000000);
	if (r >= 0)
		return ops(c)->commit(c->o.store->ctx);
	ops(c)->rollback(c->o.store->ctx);
	return r;
}

/* Told when a target begins to fail and when it is well again, not with each try. */
static void on_sent(struct lane *l, int r, const struct why *why)
{
	bool delivered = r >= 0;
	int stored;

	l->busy = false;
	if (r == -ECANCELED)
		return;
	if (!delivered && !l->failing)
		log_warning("target=%s undelivered=%" PRIu64
			    " error=\"%s\" next=\"tried again, later each time\"",
			    l->target, l->id, why->text);
	if (delivered && l->failing)
		log_notice("target=%s delivers again", l->target);
	l->failing = !delivered;
	stored = settle(l, delivered);
	if (stored < 0)
		log_error("target=%s message=%" PRIu64
			  " error=\"%s\" next=\"it may be delivered twice\"",
			  l->target, l->id, strerror(-stored));
	else
		send_next(l);
}

static void on_answer(void *ctx, int r, int status, const struct buf *body, const struct why *why)
{
	struct why own = *why;

	(void)body;
	if (r >= 0 && (status < 200 || status > 299))
		r = why_set(&own, -EIO, "HTTP %d", status);
	on_sent(ctx, r, &own);
}

static void on_tainted(void *ctx, int r, const struct why *why)
{
	/* A node that is gone needs no taint any more. */
	if (r == -ENOENT) {
		log_notice("target=kube skipped=\"%s\"", why->text);
		r = 0;
	}
	on_sent(ctx, r, why);
}

static int send_webhook(struct lane *l, const struct store_message *m)
{
	char delivery[64];
	uint64_t id = m->id;
	const struct fetch_request q = {.method = "POST",
					.url = l->url,
					.type = "application/json",
					.headers = {delivery},
					.n_headers = 1,
					.body = m->body.data,
					.size = m->body.size,
					.max = MAX_ANSWER,
					.done = on_answer,
					.ctx = l};

	snprintf(delivery, sizeof(delivery), "Plumb-Delivery: %" PRIu64, id);
	return fetch_start(l->c->fetch, &q);
}

static int send_taint(struct lane *l, const struct store_message *m)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	char node[254], boot_id[37];
	uint64_t want;
	struct why why;
	int r = jsonl_parse(m->body.data, m->body.size, 4096, &o, &why);

	if (r >= 0)
		r = jsonl_get_text(o, "node", node, sizeof(node), &why);
	if (r >= 0)
		r = jsonl_get_text(o, "boot_id", boot_id, sizeof(boot_id), &why);
	if (r >= 0)
		r = jsonl_get_uint(o, "want", KUBE_QUARANTINE, &want, &why);
	return r < 0 ? r
		     : kube_taint(l->c->kube, node, boot_id, (enum kube_want)want, on_tainted, l);
}

static void send_next(struct lane *l)
{
	struct store_message m = {.id = 0};
	struct contain *c = l->c;
	int r;

	if (l->busy)
		return;
	r = ops(c)->message_next(c->o.store->ctx, l->target, clock_utc_ns(c->o.clock), &m);
	if (r < 0) {
		if (r != -ENOENT)
			log_error("target=%s error=\"%s\" next=\"looked at again in a second\"",
				  l->target, strerror(-r));
		return;
	}
	l->id = m.id;
	l->tries = m.tries;
	r = l->url ? send_webhook(l, &m) : send_taint(l, &m);
	store_message_done(&m);
	l->busy = r >= 0;
	if (r < 0 && settle(l, false) < 0)
		log_error("target=%s error=\"%s\" next=\"tried again\"", l->target, strerror(-r));
}

void contain_kick(struct contain *c)
{
	for (uint32_t i = 0; c && i < c->n_lanes; i++)
		send_next(&c->lanes[i]);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	contain_kick(ctx);
}

static int open_fetch(struct contain *c, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf ca = {0};
	struct fetch_options f = {.base = c->o.base,
				  .total_ms = 15000,
				  .user_agent = "plumb-verifier/" PLUMB_VERSION};
	int r;

	if (c->o.webhook_ca) {
		r = fsio_read_file(fsio_system(), c->o.webhook_ca, 1u << 20, &ca);
		if (r < 0)
			return why_set(ret_why, r == -ENOENT ? -EINVAL : r,
				       "webhook_ca: %.150s: %s", c->o.webhook_ca, strerror(-r));
		f.ca_pem = (char *)ca.data;
	}
	return fetch_open(&f, &c->fetch, ret_why);
}

static void add_lane(struct contain *c, const char *url, uint32_t i)
{
	struct lane *l = &c->lanes[c->n_lanes++];

	l->c = c;
	l->url = url;
	if (url)
		snprintf(l->target, sizeof(l->target), "webhook:%u", i);
	else
		snprintf(l->target, sizeof(l->target), "kube");
}

int contain_open(const struct contain_options *o, struct contain **ret, struct why *ret_why)
{
	const struct kube_options k = {.base = o->base,
				       .server = o->kube_server,
				       .token_file = o->kube_token_file,
				       .ca_file = o->kube_ca_file};
	const struct timeval tv = {LOOK_MS / 1000, 0};
	struct contain *c;
	int r = 0;

	if (o->n_webhooks > MAX_WEBHOOKS)
		return why_set(ret_why, -EINVAL, "webhooks: more than %u", MAX_WEBHOOKS);
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->o = *o;
	for (uint32_t i = 0; i < o->n_webhooks; i++)
		add_lane(c, o->webhooks[i], i);
	if (o->kube_server) {
		add_lane(c, NULL, 0);
		r = kube_open(&k, &c->kube, ret_why);
	}
	if (r >= 0)
		r = open_fetch(c, ret_why);
	if (r >= 0 && c->n_lanes > 0) {
		/* What the last run left, and what is due again. */
		c->timer = event_new(o->base, -1, EV_PERSIST, on_timer, c);
		r = c->timer && event_add(c->timer, &tv) == 0 ? 0 : -ENOMEM;
	}
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
	fetch_free(c->fetch);
	kube_free(c->kube);
	if (c->timer)
		event_free(c->timer);
	free(c);
	return NULL;
}
