/* SPDX-License-Identifier: Apache-2.0 */
#include "kube_door.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "fetch.h"
#include "fsio.h"
#include "jsonl.h"
#include "kube_json.h"
#include "log.h"
#include "plumb/terms.h"

#define MAX_TOKEN 16384
#define MAX_CA (1u << 20)
#define TOTAL_MS 15000

struct call {
	struct kube_door *d;
	struct kube_ask a;
	char *path, *name;
	struct buf body;
	struct event *timer; /* it waits, for the API has too much to do */
	int waits;
	struct call *next;
};

struct kube_door {
	struct event_base *base;
	struct fetch *fetch;
	char *server, *token_file, *ca_file;
	const char *option, *rights; /* for errors */
	bool rejected; /* by TLS: the CA file may have changed */
	bool closing;
	struct call *calls;
	uint32_t n_fetching;
	int depth; /* inside fetch's callback: fetch may not be freed */
};

static void call_free(struct call *c)
{
	struct call **at = &c->d->calls;

	while (*at && *at != c)
		at = &(*at)->next;
	if (*at)
		*at = c->next;
	if (c->timer)
		event_free(c->timer);
	free(c->path);
	free(c->name);
	buf_done(&c->body);
	free(c);
}

static void finish(struct call *c, int r, int status, const struct buf *body, const struct why *why)
{
	const struct kube_ask a = c->a;

	call_free(c);
	a.done(a.ctx, r, status, body, why);
}

/* "Authorization: Bearer …" as a C string. What is no token is said here; fetch would only refuse the header. */
static int read_token(const struct kube_door *d, struct buf *ret, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf token = {0};
	int r = fsio_read_file(fsio_system(), d->token_file, MAX_TOKEN, &token);

	if (r < 0)
		return why_set(ret_why, -EACCES, "%s: %.150s: %s", d->option, d->token_file,
			       strerror(-r));
	while (token.size > 0 && token.data[token.size - 1] <= ' ')
		buf_cut(&token, token.size - 1);
	for (size_t i = 0; i < token.size; i++)
		if (token.data[i] <= ' ' || token.data[i] >= 0x7f)
			r = -EACCES;
	if (token.size == 0 || r < 0) {
		r = why_set(ret_why, -EACCES, "%s: %.150s: there is no token in it", d->option,
			    d->token_file);
	} else {
		buf_printf(ret, "Authorization: Bearer %.*s", (int)token.size, (char *)token.data);
		r = buf_status(ret);
	}
	if (token.data)
		OPENSSL_cleanse(token.data, token.size);
	return r;
}

/* What the API says of an error: a Status object. "" for anything else; *ret_reason too. */
static void read_status(const struct buf *body, char ret_message[160], char ret_reason[32])
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	const char *kind, *message, *reason;

	ret_message[0] = ret_reason[0] = 0;
	if (body->size == 0 || body->size > MAX_TOKEN)
		return;
	o = kube_json_load(body->data, body->size, 0);
	kind = json_string_value(json_object_get(o, "kind"));
	if (!kind || strcmp(kind, "Status") != 0)
		return;
	message = json_string_value(json_object_get(o, "message"));
	reason = json_string_value(json_object_get(o, "reason"));
	snprintf(ret_message, 160, "%s", message ? message : "");
	snprintf(ret_reason, 32, "%s", reason ? reason : "");
}

/*
 * etcd's limit of a request, or that of its client: an object that its kubelet has padded takes no patch, and that is no illness of the API. The only
 * 500s that say so: those of an etcd that has no leader or no time have other words, and pass.
 */
static bool is_too_large(int status, const char *message)
{
	return status == 500 && (strstr(message, "request is too large") ||
				 strstr(message, "message larger than max"));
}

/* An answer that is not 2xx, to an error that names the cure. */
static int judge(const struct call *c, int status, const struct buf *body, struct why *ret_why)
{
	const struct kube_door *d = c->d;
	const struct kube_ask *a = &c->a;
	char message[160], reason[32];

	read_status(body, message, reason);
	if (status == 401)
		return why_set(ret_why, -EACCES,
			       "%s of %s %.60s: 401: the API does not know the token%s%s%s%.80s",
			       a->verb, a->things, c->name, d->token_file ? " of " : ": no ",
			       d->option, d->token_file ? ", " : "",
			       d->token_file ? d->token_file : "");
	if (status == 403)
		return why_set(ret_why, -EACCES,
			       "%.40s: 403, RBAC lacks verb \"%s\" on %s (deploy/kubernetes/%s has "
			       "the rule): %.90s",
			       c->name, a->verb, a->things, d->rights, message);
	/* Any web server says 404. */
	if (status == 404 && strcmp(reason, "NotFound") == 0)
		return why_set(ret_why, -ENOENT, "%s: there is no %.100s", a->things, c->name);
	if (status == 409 || status == 422)
		return why_set(ret_why, -EBUSY, "%s of %s %.60s: HTTP %d %.120s", a->verb,
			       a->things, c->name, status, message);
	if (status == 400 || status == 413 || status == 415 || is_too_large(status, message))
		return why_set(ret_why, -EBADMSG, "%s of %s %.60s: HTTP %d %.120s", a->verb,
			       a->things, c->name, status, message);
	return why_set(ret_why, status == 410 ? -ESTALE : -EAGAIN, "%s of %s %.60s: HTTP %d %.120s",
		       a->verb, a->things, c->name, status, message);
}

static int start(struct call *c, struct why *ret_why);

static void on_waited(evutil_socket_t fd, short what, void *ctx)
{
	static const struct buf none = {0};
	struct call *c = ctx;
	struct why why = {""};
	int r = start(c, &why);

	(void)fd;
	(void)what;
	if (r < 0)
		finish(c, r, 0, &none, &why);
}

static bool wait_for_it(struct call *c, uint32_t s)
{
	const struct timeval tv = {s == 0		      ? 1
				   : s < KUBE_DOOR_MAX_WAIT_S ? s
							      : KUBE_DOOR_MAX_WAIT_S,
				   0};

	if (c->a.own_429 || c->waits == KUBE_DOOR_MAX_WAITS)
		return false;
	if (!c->timer)
		c->timer = evtimer_new(c->d->base, on_waited, c);
	if (!c->timer || event_add(c->timer, &tv) < 0)
		return false;
	if (c->waits++ == 0)
		log_info("kube=busy verb=%s things=%s next=\"again in %ld s, as it asks\"",
			 c->a.verb, c->a.things, (long)tv.tv_sec);
	return true;
}

static void on_answer(void *ctx, int r, int status, const struct buf *body, const struct why *why)
{
	struct call *c = ctx;
	struct kube_door *d = c->d;
	struct why own = *why;

	d->n_fetching--;
	if (r >= 0 && status == 429 && wait_for_it(c, fetch_retry_after_s(d->fetch)))
		return;
	if (r >= 0 && (status < 200 || status > 299))
		r = judge(c, status, body, &own);
	d->rejected = r == -EKEYREJECTED;
	d->depth++;
	finish(c, r < 0 ? r : 0, status, body, &own);
	d->depth--;
}

static int start(struct call *c, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf header = {0}, url = {0};
	struct kube_door *d = c->d;
	struct fetch_request q = {.method = c->a.method,
				  .type = c->a.type,
				  .body = c->body.data,
				  .size = c->body.size,
				  .max = c->a.max,
				  .stream = c->a.stream,
				  .data = c->a.data,
				  .stream_ctx = c->a.ctx,
				  .done = on_answer,
				  .ctx = c};
	int r;

	buf_printf(&url, "%s%s", d->server, c->path);
	r = buf_status(&url);
	q.url = (char *)url.data;
	if (r >= 0 && d->token_file) {
		r = read_token(d, &header, ret_why);
		q.headers[q.n_headers++] = (char *)header.data;
	}
	if (r >= 0)
		r = fetch_start(d->fetch, &q);
	if (header.data)
		OPENSSL_cleanse(header.data, header.size);
	d->n_fetching += r >= 0;
	if (r < 0 && !ret_why->text[0])
		why_set(ret_why, r, "%.150s: %s", d->server, strerror(-r));
	return r;
}

static int open_fetch(struct kube_door *d, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf ca = {0};
	struct fetch_options f = {.base = d->base,
				  .total_ms = TOTAL_MS,
				  .user_agent = "plumb-verifier/" PLUMB_VERSION};
	struct fetch *fetch = NULL;
	struct why why = {""};
	int r;

	if (d->ca_file) {
		r = fsio_read_file(fsio_system(), d->ca_file, MAX_CA, &ca);
		if (r < 0)
			return why_set(ret_why, -EINVAL, "kube_ca: %.150s: %s", d->ca_file,
				       strerror(-r));
		f.ca_pem = ca.data ? (char *)ca.data : "";
	}
	r = fetch_open(&f, &fetch, &why);
	if (r < 0)
		return why_set(ret_why, r, "kube_ca: %.100s: %.120s",
			       d->ca_file ? d->ca_file : "none", why.text);
	fetch_free(d->fetch);
	d->fetch = fetch;
	return 0;
}

int kube_door_ask(struct kube_door *d, const struct kube_ask *a, struct why *ret_why)
{
	struct call *c;
	int r = 0;

	if (d->closing)
		return why_set(ret_why, -ECANCELED, "the program stops");
	if (d->rejected && d->depth == 0 && d->n_fetching == 0)
		r = open_fetch(d, ret_why);
	if (r < 0)
		return r;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->d = d;
	c->a = *a;
	c->path = strdup(a->path);
	c->name = strdup(a->name ? a->name : "");
	buf_put(&c->body, a->body, a->size);
	c->next = d->calls;
	d->calls = c;
	r = c->path && c->name && buf_status(&c->body) >= 0 ? start(c, ret_why) : -ENOMEM;
	if (r < 0)
		call_free(c);
	return r;
}

static int copy(const char *text, char **ret)
{
	if (!text)
		return 0;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

int kube_door_open(const struct kube_options *o, struct kube_door **ret, struct why *ret_why)
{
	struct kube_door *d = calloc(1, sizeof(*d));
	size_t size = strlen(o->server);
	int r = d ? 0 : -ENOMEM;

	if (r >= 0) {
		d->base = o->base;
		d->option = o->option ? o->option : "kube_token_file";
		d->rights = o->rights ? o->rights : "verifier-rbac.yaml";
		r = copy(o->server, &d->server);
	}
	if (r >= 0)
		r = copy(o->token_file, &d->token_file);
	if (r >= 0)
		r = copy(o->ca_file, &d->ca_file);
	while (r >= 0 && size > 0 && d->server[size - 1] == '/')
		d->server[--size] = 0;
	if (r >= 0)
		r = open_fetch(d, ret_why);
	if (r < 0) {
		kube_door_free(d);
		return r;
	}
	*ret = d;
	return 0;
}

struct kube_door *kube_door_free(struct kube_door *d)
{
	static const struct buf none = {0};
	const struct why why = {"the program stops"};

	if (!d)
		return NULL;
	d->closing = true;
	fetch_free(d->fetch);
	while (d->calls)
		finish(d->calls, -ECANCELED, 0, &none, &why);
	free(d->server);
	free(d->token_file);
	free(d->ca_file);
	free(d);
	return NULL;
}
