/* SPDX-License-Identifier: Apache-2.0 */
#include "contain_tell.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "command.h"
#include "digest.h"
#include "fetch.h"
#include "fsio.h"
#include "webhook.h"

#define TOTAL_MS 15000
#define COMMAND_MS 30000
#define COMMAND_TARGET "command"
#define PREFIX "webhook:"

struct hook {
	struct contain_tell *t;
	struct outbox_lane *lane;
	const char *url;
	char origin[128];
};

struct contain_tell {
	struct contain_tell_options o;
	struct fetch *fetch;
	struct command *command; /* NULL: none */
	struct outbox_lane *command_lane;
	struct hook hooks[CONTAIN_TELL_MAX_WEBHOOKS];
};

bool contain_tell_anybody(const struct contain_tell *t)
{
	return t->o.n_webhooks > 0 || t->command;
}

int contain_tell_put(struct contain_tell *t, const char *node, const struct buf *body)
{
	int r = 0;

	for (uint32_t i = 0; r >= 0 && i < t->o.n_webhooks; i++)
		r = outbox_put(t->hooks[i].lane, node, body, false);
	if (r >= 0 && t->command)
		r = outbox_put(t->command_lane, node, body, false);
	return r;
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
	return fetch_start(h->t->fetch, &q);
}

static void on_ran(void *ctx, int r, const struct why *why)
{
	struct contain_tell *t = ctx;

	outbox_ended(t->command_lane,
		     r == -ECANCELED ? OUTBOX_STOPPED
		     : r < 0	     ? OUTBOX_REFUSED
				     : OUTBOX_DELIVERED,
		     why);
}

static int on_run(void *ctx, const struct store_message *m, struct why *ret_why)
{
	struct contain_tell *t = ctx;

	return command_start(t->command, m->body.data, m->body.size, on_ran, t, ret_why);
}

static int open_command(struct contain_tell *t, struct why *ret_why)
{
	const struct command_options o = {
		.base = t->o.base, .file = t->o.command_file, .limit_ms = COMMAND_MS};
	const struct outbox_lane_options lane = {
		.target = COMMAND_TARGET, .send = on_run, .ctx = t};
	int r;

	if (!t->o.command_file)
		return 0;
	r = command_check(t->o.command_file, ret_why);
	if (r >= 0)
		r = command_open(&o, &t->command);
	return r < 0 ? r : outbox_add(t->o.outbox, &lane, &t->command_lane);
}

static int open_fetch(struct contain_tell *t, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf ca = {0};
	struct fetch_options f = {.base = t->o.base,
				  .total_ms = TOTAL_MS,
				  .user_agent = "plumb-verifier/" PLUMB_VERSION};
	struct why why = {""};
	int r;

	if (t->o.webhook_ca) {
		r = fsio_read_file(fsio_system(), t->o.webhook_ca, 1u << 20, &ca);
		if (r < 0)
			return why_set(ret_why, r == -ENOENT ? -EINVAL : r,
				       "webhook_ca: %.150s: %s", t->o.webhook_ca, strerror(-r));
		/* An empty file is no reason to trust the whole world. */
		f.ca_pem = ca.data ? (char *)ca.data : "";
	}
	r = fetch_open(&f, &t->fetch, &why);
	return r < 0 ? why_set(ret_why, r, "webhook_ca: %.150s", why.text) : 0;
}

/* Known by its URL, so that what waits is not sent to another one when the list was changed. */
static int open_hook(struct contain_tell *t, uint32_t i, struct why *ret_why)
{
	struct hook *h = &t->hooks[i];
	char target[64], hex[DIGEST_HEX_SIZE];
	const struct outbox_lane_options lane = {.target = target, .send = on_send, .ctx = h};
	struct why why = {""};
	struct digest d;
	int r = webhook_check_url(t->o.webhooks[i], &why);

	if (r < 0)
		return why_set(ret_why, r, "webhooks: %.200s", why.text);
	for (uint32_t k = 0; k < i; k++)
		if (strcmp(t->o.webhooks[k], t->o.webhooks[i]) == 0)
			return why_set(ret_why, -EINVAL, "webhooks: one is there twice");
	h->t = t;
	h->url = t->o.webhooks[i];
	webhook_origin(h->url, h->origin);
	r = digest_sha256(h->url, strlen(h->url), &d);
	if (r < 0)
		return r;
	digest_hex(&d, hex);
	snprintf(target, sizeof(target), PREFIX "%.16s", hex);
	return outbox_add(t->o.outbox, &lane, &h->lane);
}

static int open_all(struct contain_tell *t, struct why *ret_why)
{
	int r = 0;

	for (uint32_t i = 0; r >= 0 && i < t->o.n_webhooks; i++)
		r = open_hook(t, i, ret_why);
	if (r >= 0)
		r = open_command(t, ret_why);
	if (r >= 0)
		r = open_fetch(t, ret_why);
	if (r >= 0)
		r = outbox_tidy(t->o.outbox, PREFIX);
	return r < 0 ? r : outbox_tidy(t->o.outbox, COMMAND_TARGET);
}

int contain_tell_open(const struct contain_tell_options *o, struct contain_tell **ret,
		      struct why *ret_why)
{
	struct contain_tell *t;
	int r;

	if (o->n_webhooks > CONTAIN_TELL_MAX_WEBHOOKS)
		return why_set(ret_why, -EINVAL, "webhooks: more than %d",
			       CONTAIN_TELL_MAX_WEBHOOKS);
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->o = *o;
	r = open_all(t, ret_why);
	if (r < 0) {
		contain_tell_free(t);
		return r;
	}
	*ret = t;
	return 0;
}

struct contain_tell *contain_tell_free(struct contain_tell *t)
{
	if (!t)
		return NULL;
	fetch_free(t->fetch);
	command_free(t->command);
	free(t);
	return NULL;
}
