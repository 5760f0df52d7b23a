/* SPDX-License-Identifier: Apache-2.0 */
#include "transport.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "fetch.h"
#include "jsonl.h"
#include "plumb/terms.h"
#include "plumb/wire.h"

#define MAX_URL 512
#define MAX_ANSWER (1024u * 1024)

struct call {
	struct transport *t;
	bool busy;
	void *ctx;
	union {
		void (*nonce)(void *ctx, int r, const struct evidence_nonce *n,
			      const struct why *why);
		void (*evidence)(void *ctx, int r, const struct evidence_answer *a,
				 const struct why *why);
		void (*baseline)(void *ctx, int r, const struct buf *body, const struct why *why);
	} done;
};

struct transport {
	struct fetch *fetch;
	char url[MAX_URL];
	struct call nonce, evidence, drift, baseline;
	void (*refused)(void *ctx); /* NULL: nobody asks */
	void *refused_ctx;
	struct transport_way way; /* NULL in it: nobody asks, nobody knows better */
	bool failed; /* the last that ended had no answer that does anything for this node */
};

/* What the verifier says is wrong, when it says so. */
static void read_error(const struct buf *body, int status, struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	const char *error = "", *cure = "";
	struct why ignored;

	if (jsonl_parse(body->data, body->size, MAX_ANSWER, &o, &ignored) >= 0) {
		jsonl_get_str(o, "error", 512, &error, &ignored);
		jsonl_get_str(o, "cure", 512, &cure, &ignored);
	}
	why_set(ret_why, 0, "HTTP %d: %.120s; %.110s", status, error, cure);
}

static int status_error(int status)
{
	if (status >= 200 && status < 300)
		return 0;
	if (status == 401 || status == 403)
		return -EPERM;
	if (status == 404)
		return -ENOENT;
	if (status == 409)
		return -ESTALE;
	if (status == 413)
		return -EMSGSIZE;
	if (status >= 500 || status == 429)
		return -EAGAIN;
	return -EPROTO;
}

/*
 * A proxy with nothing behind it answers, and so does a verifier that stands by: another address may do more. Not where other evidence is asked for;
 * and whether there is such a document says nothing of who is asked, for evidence goes there as well.
 */
static bool is_refused(const struct call *c, int r)
{
	return r < 0 && r != -ESTALE && r != -EMSGSIZE && c != &c->t->baseline;
}

/* The call is free again before its caller hears of it, so that the next may be made from there. */
static int settle(struct call *c, int r, int status, const struct buf *body, struct why *why)
{
	c->busy = false;
	c->t->failed = r < 0;
	if (r == -EKEYREJECTED && c->t->refused)
		c->t->refused(c->t->refused_ctx);
	if (r >= 0) {
		r = status_error(status);
		if (r < 0)
			read_error(body, status, why);
		c->t->failed = is_refused(c, r);
	}
	return r;
}

/* No verifier of ours. */
static int unread(struct call *c)
{
	c->t->failed = true;
	return -EPROTO;
}

static void on_nonce(void *ctx, int r, int status, const struct buf *body, const struct why *why)
{
	struct evidence_nonce n = {.size = 0};
	struct call *c = ctx;
	struct why own = *why;

	r = settle(c, r, status, body, &own);
	if (r >= 0 && evidence_nonce_parse(body->data, body->size, &n, &own) < 0)
		r = unread(c);
	c->done.nonce(c->ctx, r, &n, &own);
}

static void tell_proven(struct transport *t)
{
	char address[64];

	if (t->way.proven && fetch_peer(t->fetch, address, sizeof(address)) >= 0)
		t->way.proven(t->way.ctx, address);
}

static void on_evidence(void *ctx, int r, int status, const struct buf *body, const struct why *why)
{
	struct evidence_answer a = {.size = 0};
	struct call *c = ctx;
	struct why own = *why;

	r = settle(c, r, status, body, &own);
	if (r >= 0 && evidence_answer_parse(body->data, body->size, &a, &own) < 0)
		r = unread(c);
	/* Only what the TPM signed is accepted, and by one alone. */
	if (r >= 0 && c == &c->t->evidence && a.result == PLUMB_RESULT_ACCEPTED)
		tell_proven(c->t);
	c->done.evidence(c->ctx, r, &a, &own);
	evidence_answer_done(&a);
}

static void on_baseline(void *ctx, int r, int status, const struct buf *body, const struct why *why)
{
	struct call *c = ctx;
	struct why own = *why;

	r = settle(c, r, status, body, &own);
	c->done.baseline(c->ctx, r, body, &own);
}

static int start(struct call *c, const char *route, struct fetch_request *q, void *ctx)
{
	char url[MAX_URL + 128];
	int r;

	if (c->busy)
		return -EALREADY;
	snprintf(url, sizeof(url), "%s%s", c->t->url, route);
	q->url = url;
	q->ctx = c;
	q->at = c->t->way.at ? c->t->way.at(c->t->way.ctx, c->t->failed) : NULL;
	c->t->failed = false;
	r = fetch_start(c->t->fetch, q);
	if (r >= 0) {
		c->busy = true;
		c->ctx = ctx;
	}
	return r;
}

int transport_nonce(struct transport *t,
		    void (*done)(void *ctx, int r, const struct evidence_nonce *n,
				 const struct why *why),
		    void *ctx)
{
	struct fetch_request q = {.method = "POST",
				  .type = WIRE_TYPE_JSON,
				  .body = "{}",
				  .size = 2,
				  .max = 4096,
				  .done = on_nonce};

	if (!t->nonce.busy)
		t->nonce.done.nonce = done;
	return start(&t->nonce, WIRE_ROUTE_NONCE, &q, ctx);
}

int transport_evidence(struct transport *t, bool provisional, const struct buf *body,
		       void (*done)(void *ctx, int r, const struct evidence_answer *a,
				    const struct why *why),
		       void *ctx)
{
	struct call *c = provisional ? &t->drift : &t->evidence;
	struct fetch_request q = {.method = "POST",
				  .type = WIRE_TYPE_EVIDENCE,
				  .body = body->data,
				  .size = body->size,
				  .max = MAX_ANSWER,
				  .done = on_evidence};

	if (!c->busy)
		c->done.evidence = done;
	return start(c, provisional ? WIRE_ROUTE_DRIFT : WIRE_ROUTE_EVIDENCE, &q, ctx);
}

int transport_baseline(struct transport *t, const struct digest *document,
		       void (*done)(void *ctx, int r, const struct buf *body,
				    const struct why *why),
		       void *ctx)
{
	struct fetch_request q = {
		.method = "GET", .max = WIRE_MAX_BASELINE_BODY, .done = on_baseline};
	char hex[DIGEST_HEX_SIZE], route[128];

	digest_hex(document, hex);
	snprintf(route, sizeof(route), "%s%s", WIRE_ROUTE_BASELINE_GET, hex);
	if (!t->baseline.busy)
		t->baseline.done.baseline = done;
	return start(&t->baseline, route, &q, ctx);
}

int transport_open(struct event_base *base, const struct transport_options *o,
		   struct transport **ret, struct why *ret_why)
{
	const struct fetch_options f = {.base = base,
					.ca_pem = o->ca_pem,
					.cert_pem = o->cert_pem,
					.key_pem = o->key_pem,
					.user_agent = "plumbd/" PLUMB_VERSION};
	struct transport *t;
	size_t size = strlen(o->url);
	int r;

	if (strncmp(o->url, "https://", 8) != 0 || size >= MAX_URL || strchr(o->url + 8, '/') ||
	    size == 8)
		return why_set(ret_why, -EINVAL, "verifier: \"%.150s\" is not https://HOST:PORT",
			       o->url);
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->nonce.t = t->evidence.t = t->drift.t = t->baseline.t = t;
	memcpy(t->url, o->url, size + 1);
	r = fetch_open(&f, &t->fetch, ret_why);
	if (r < 0) {
		transport_free(t);
		return r;
	}
	*ret = t;
	return 0;
}

void transport_on_refused(struct transport *t, void (*refused)(void *ctx), void *ctx)
{
	t->refused = refused;
	t->refused_ctx = ctx;
}

void transport_go_by(struct transport *t, const struct transport_way *w)
{
	t->way = *w;
}

int transport_renew(struct transport *t, const char *cert_pem)
{
	return fetch_set_cert(t->fetch, cert_pem);
}

struct transport *transport_free(struct transport *t)
{
	if (!t)
		return NULL;
	fetch_free(t->fetch);
	free(t);
	return NULL;
}
