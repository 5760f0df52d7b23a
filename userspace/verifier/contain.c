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
#include "node.h"
#include "outbox.h"
#include "taints.h"
#include "webhook.h"

#define MAX_WEBHOOKS (OUTBOX_MAX_LANES - 1)
#define TOTAL_MS 15000
#define LOOK_MS 1000
#define PREFIX "webhook:"

struct hook {
	struct contain *c;
	struct outbox_lane *lane;
	const char *url;
	char origin[128];
};

struct contain {
	struct contain_options o;
	struct fetch *fetch;
	struct outbox *outbox;
	struct taints *taints;
	struct event *timer;
	struct hook hooks[MAX_WEBHOOKS];
};

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
					     .at_ns = clock_utc_ns(c->o.clock),
					     .event_ns = t->event_ns};
	int r = webhook_body(&w, c->o.key, &body);

	for (uint32_t i = 0; r >= 0 && i < c->o.n_webhooks; i++)
		r = outbox_put(c->hooks[i].lane, t->node->id, &body, false);
	return r;
}

int contain_queue(struct contain *c, const struct contain_transition *t)
{
	const uint32_t taints = NODE_DEED_HOLD | NODE_DEED_QUARANTINE | NODE_DEED_LIFT;
	int r = 0;

	if (c->o.n_webhooks > 0 && strcmp(t->from, t->to) != 0)
		r = queue_hooks(c, t);
	if (r >= 0 && c->taints && (t->deeds & taints))
		r = taints_queue(c->taints, t->node);
	return r;
}

int contain_bound(struct contain *c, const struct store_node *n, const char *old_name)
{
	return c && c->taints ? taints_bound(c->taints, n, old_name) : 0;
}

/* What a receiver says to this message, now, or only that it is not there. */
static enum outbox_end end_of(int r, int status)
{
	if (r == -ECANCELED)
		return OUTBOX_STOPPED;
	if (r < 0)
		return OUTBOX_DOWN;
	if (status >= 200 && status <= 299)
		return OUTBOX_DELIVERED;
	switch (status) {
	case 408: /* Request Timeout, Too Early, Too Many Requests, and what proxies say of who is behind them */
	case 425:
	case 429:
	case 502:
	case 503:
	case 504:
		return OUTBOX_DOWN;
	}
	return OUTBOX_REFUSED;
}

static void on_answer(void *ctx, int r, int status, const struct buf *body, const struct why *why)
{
	const struct hook *h = ctx;
	struct why own = *why;

	(void)body;
	if (r >= 0)
		why_set(&own, 0, "%s: HTTP %d%s", h->origin, status,
			status >= 300 && status <= 399 ? ", and redirects are not followed" : "");
	outbox_ended(h->lane, end_of(r, status), &own);
}

static int on_send(void *ctx, const struct store_message *m, struct why *ret_why)
{
	const struct hook *h = ctx;
	char delivery[48], dropped[48];
	uint64_t id, n = outbox_dropped(h->lane);
	struct fetch_request q = {.method = "POST",
				  .url = h->url,
				  .shown = h->origin,
				  .type = "application/json",
				  .headers = {delivery, dropped},
				  .n_headers = n ? 2 : 1,
				  .body = m->body.data,
				  .size = m->body.size,
				  .discard = true,
				  .done = on_answer,
				  .ctx = ctx};
	int r = webhook_id(m->body.data, m->body.size, &id);

	if (r < 0)
		return why_set(ret_why, r == -ENOMEM ? r : -EBADMSG, "it has no id");
	snprintf(delivery, sizeof(delivery), "Plumb-Delivery: %" PRIu64, id);
	snprintf(dropped, sizeof(dropped), "Plumb-Dropped: %" PRIu64, n);
	return fetch_start(h->c->fetch, &q);
}

void contain_kick(struct contain *c)
{
	if (c)
		outbox_kick(c->outbox);
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
				  .total_ms = TOTAL_MS,
				  .user_agent = "plumb-verifier/" PLUMB_VERSION};
	struct why why = {""};
	int r;

	if (c->o.webhook_ca) {
		r = fsio_read_file(fsio_system(), c->o.webhook_ca, 1u << 20, &ca);
		if (r < 0)
			return why_set(ret_why, r == -ENOENT ? -EINVAL : r,
				       "webhook_ca: %.150s: %s", c->o.webhook_ca, strerror(-r));
		/* An empty file is no reason to trust the whole world. */
		f.ca_pem = ca.data ? (char *)ca.data : "";
	}
	r = fetch_open(&f, &c->fetch, &why);
	return r < 0 ? why_set(ret_why, r, "webhook_ca: %.150s", why.text) : 0;
}

/* Known by its URL, so that what waits is not sent to another one when the list was changed. */
static int open_hook(struct contain *c, uint32_t i, struct why *ret_why)
{
	struct hook *h = &c->hooks[i];
	char target[64], hex[DIGEST_HEX_SIZE];
	const struct outbox_lane_options lane = {.target = target, .send = on_send, .ctx = h};
	struct why why = {""};
	struct digest d;
	int r = webhook_check_url(c->o.webhooks[i], &why);

	if (r < 0)
		return why_set(ret_why, r, "webhooks: %.200s", why.text);
	for (uint32_t k = 0; k < i; k++)
		if (strcmp(c->o.webhooks[k], c->o.webhooks[i]) == 0)
			return why_set(ret_why, -EINVAL, "webhooks: one is there twice");
	h->c = c;
	h->url = c->o.webhooks[i];
	webhook_origin(h->url, h->origin);
	r = digest_sha256(h->url, strlen(h->url), &d);
	if (r < 0)
		return r;
	digest_hex(&d, hex);
	snprintf(target, sizeof(target), PREFIX "%.16s", hex);
	return outbox_add(c->outbox, &lane, &h->lane);
}

static int open_taints(struct contain *c, struct why *ret_why)
{
	const struct kube_options k = {.base = c->o.base,
				       .server = c->o.kube_server,
				       .token_file = c->o.kube_token_file,
				       .ca_file = c->o.kube_ca_file};
	struct why why = {""};
	int r;

	if (!k.server)
		return 0;
	/* A token goes there. */
	r = webhook_check_url(k.server, &why);
	if (r < 0)
		return why_set(ret_why, r, "kube_server: %.200s", why.text);
	return taints_open(c->o.store, c->o.clock, c->outbox, &k, &c->taints, ret_why);
}

static int open_rest(struct contain *c, struct why *ret_why)
{
	const struct timeval tv = {LOOK_MS / 1000, 0};
	int r = outbox_open(c->o.store, c->o.clock, &c->outbox);

	for (uint32_t i = 0; r >= 0 && i < c->o.n_webhooks; i++)
		r = open_hook(c, i, ret_why);
	if (r >= 0)
		r = open_taints(c, ret_why);
	if (r >= 0)
		r = open_fetch(c, ret_why);
	if (r >= 0)
		r = outbox_tidy(c->outbox, PREFIX);
	if (r < 0 || (c->o.n_webhooks == 0 && !c->taints))
		return r;
	/* What the last run left, and what is due again. */
	c->timer = event_new(c->o.base, -1, EV_PERSIST, on_timer, c);
	return c->timer && event_add(c->timer, &tv) == 0 ? 0 : -ENOMEM;
}

int contain_open(const struct contain_options *o, struct contain **ret, struct why *ret_why)
{
	struct contain *c;
	int r;

	if (o->n_webhooks > MAX_WEBHOOKS)
		return why_set(ret_why, -EINVAL, "webhooks: more than %d", MAX_WEBHOOKS);
	c = calloc(1, sizeof(*c));
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
	fetch_free(c->fetch);
	taints_free(c->taints);
	outbox_free(c->outbox);
	if (c->timer)
		event_free(c->timer);
	free(c);
	return NULL;
}
