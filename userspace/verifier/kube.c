/* SPDX-License-Identifier: Apache-2.0 */
#include "kube.h"

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
#include "plumb/terms.h"

#define MAX_TRIES 5
#define MAX_TOKEN 16384
#define MAX_CA (1u << 20)
#define MAX_URL 1024
#define TOTAL_MS 15000
#define RIGHTS "deploy/kubernetes/verifier-rbac.yaml has the rule"

struct kube {
	struct event_base *base;
	struct fetch *fetch;
	char *server, *token_file, *ca_file;
	bool busy;
	bool rejected; /* by TLS: the CA file may have changed */
	bool answering; /* inside fetch's callback: fetch may not be freed */
	/* of the node at hand */
	struct kube_job job;
	struct kube_seen seen;
	int tries;
	kube_fn *done;
	void *ctx;
};

static void finish(struct kube *k, int r, const struct why *why)
{
	/* What was wanted is done, but not to the machine that it was meant for. */
	if (r >= 0 && k->seen.other)
		r = -EXDEV;
	k->busy = false;
	k->rejected = r == -EKEYREJECTED;
	k->answering = true;
	k->done(k->ctx, r < 0 ? r : 0, r >= 0 && k->seen.certain ? k->seen.uid : "", why);
	k->answering = false;
}

/* "Authorization: Bearer …" as a C string. What is no token is said here; fetch would only refuse the header. */
static int read_token(const struct kube *k, struct buf *ret, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf token = {0};
	int r = fsio_read_file(fsio_system(), k->token_file, MAX_TOKEN, &token);

	if (r < 0)
		return why_set(ret_why, -EACCES, "kube_token_file: %.150s: %s", k->token_file,
			       strerror(-r));
	while (token.size > 0 && token.data[token.size - 1] <= ' ')
		buf_cut(&token, token.size - 1);
	for (size_t i = 0; i < token.size; i++)
		if (token.data[i] <= ' ' || token.data[i] >= 0x7f)
			r = -EACCES;
	if (token.size == 0 || r < 0) {
		r = why_set(ret_why, -EACCES, "kube_token_file: %.150s: there is no token in it",
			    k->token_file);
	} else {
		buf_printf(ret, "Authorization: Bearer %.*s", (int)token.size, (char *)token.data);
		r = buf_status(ret);
	}
	if (token.data)
		OPENSSL_cleanse(token.data, token.size);
	return r;
}

static int start(struct kube *k, const char *method, const struct buf *body,
		 void (*done)(void *ctx, int r, int status, const struct buf *b,
			      const struct why *why),
		 struct why *ret_why)
{
	CLEANUP(buf_done) struct buf header = {0};
	char url[MAX_URL];
	struct fetch_request q = {.method = method,
				  .url = url,
				  .type = body ? "application/json-patch+json" : NULL,
				  .body = body ? body->data : NULL,
				  .size = body ? body->size : 0,
				  .max = KUBE_PATCH_MAX_NODE,
				  .done = done,
				  .ctx = k};
	int r = 0;

	if (snprintf(url, sizeof(url), "%s/api/v1/nodes/%s%s", k->server, k->job.node,
		     body ? "?fieldManager=plumb-verifier" : "") >= (int)sizeof(url))
		return why_set(ret_why, -E2BIG, "kube_server is too long");
	if (k->token_file) {
		r = read_token(k, &header, ret_why);
		q.headers[q.n_headers++] = (char *)header.data;
	}
	if (r >= 0)
		r = fetch_start(k->fetch, &q);
	if (header.data)
		OPENSSL_cleanse(header.data, header.size);
	if (r < 0 && !ret_why->text[0])
		why_set(ret_why, r, "%.150s: %s", k->server, strerror(-r));
	return r;
}

/* What the API says of an error: a Status object. "" for anything else; *ret_reason too. */
static void read_status(const struct buf *body, char ret_message[160], char ret_reason[32])
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	json_error_t error;
	const char *kind, *message, *reason;

	ret_message[0] = ret_reason[0] = 0;
	if (body->size == 0 || body->size > MAX_TOKEN)
		return;
	o = json_loadb((char *)body->data, body->size, 0, &error);
	kind = json_string_value(json_object_get(o, "kind"));
	if (!kind || strcmp(kind, "Status") != 0)
		return;
	message = json_string_value(json_object_get(o, "message"));
	reason = json_string_value(json_object_get(o, "reason"));
	snprintf(ret_message, 160, "%s", message ? message : "");
	snprintf(ret_reason, 32, "%s", reason ? reason : "");
}

/* An answer that is not 2xx, to an error that names the cure. */
static int judge(const struct kube *k, const char *verb, int status, const struct buf *body,
		 struct why *ret_why)
{
	char message[160], reason[32];

	read_status(body, message, reason);
	if (status == 401)
		return why_set(ret_why, -EACCES,
			       "%s of node %.60s: 401: the API does not know the token%s%.100s",
			       verb, k->job.node, k->token_file ? " in " : ": no kube_token_file",
			       k->token_file ? k->token_file : "");
	if (status == 403)
		return why_set(ret_why, -EACCES,
			       "node %.40s: 403, RBAC lacks verb \"%s\" on nodes (" RIGHTS
			       "): %.100s",
			       k->job.node, verb, message);
	/* Any web server says 404. */
	if (status == 404 && strcmp(reason, "NotFound") == 0)
		return why_set(ret_why, -ENOENT, "there is no Kubernetes node %.100s", k->job.node);
	if (status == 409 || status == 422)
		return why_set(ret_why, -EBUSY, "%s of node %.60s: HTTP %d %.120s", verb,
			       k->job.node, status, message);
	if (status == 400 || status == 413 || status == 415)
		return why_set(ret_why, -EBADMSG, "%s of node %.60s: HTTP %d %.120s", verb,
			       k->job.node, status, message);
	return why_set(ret_why, -EAGAIN, "%s of node %.60s: HTTP %d %.120s", verb, k->job.node,
		       status, message);
}

static void on_node(void *ctx, int r, int status, const struct buf *body, const struct why *why);

static void on_patched(void *ctx, int r, int status, const struct buf *body, const struct why *why)
{
	struct kube *k = ctx;
	struct why own = *why;

	if (r >= 0 && (status < 200 || status > 299))
		r = judge(k, "patch", status, body, &own);
	if (r == -EBUSY && ++k->tries < MAX_TRIES) {
		own.text[0] = 0;
		r = start(k, "GET", NULL, on_node, &own);
		if (r >= 0)
			return;
	}
	finish(k, r, &own);
}

static void on_node(void *ctx, int r, int status, const struct buf *body, const struct why *why)
{
	CLEANUP(buf_done) struct buf patch = {0};
	struct kube *k = ctx;
	struct why own = *why;

	if (r >= 0 && status != 200)
		r = judge(k, "get", status, body, &own);
	if (r >= 0)
		r = kube_patch_make(body->data, body->size, &k->job, &patch, &k->seen, &own);
	if (r > 0) {
		r = start(k, "PATCH", &patch, on_patched, &own);
		if (r >= 0)
			return;
	}
	finish(k, r, &own);
}

static int open_fetch(struct kube *k, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf ca = {0};
	struct fetch_options f = {.base = k->base,
				  .total_ms = TOTAL_MS,
				  .user_agent = "plumb-verifier/" PLUMB_VERSION};
	struct fetch *fetch = NULL;
	struct why why = {""};
	int r;

	if (k->ca_file) {
		r = fsio_read_file(fsio_system(), k->ca_file, MAX_CA, &ca);
		if (r < 0)
			return why_set(ret_why, -EINVAL, "kube_ca: %.150s: %s", k->ca_file,
				       strerror(-r));
		f.ca_pem = ca.data ? (char *)ca.data : "";
	}
	r = fetch_open(&f, &fetch, &why);
	if (r < 0)
		return why_set(ret_why, r, "kube_ca: %.100s: %.120s",
			       k->ca_file ? k->ca_file : "none", why.text);
	fetch_free(k->fetch);
	k->fetch = fetch;
	return 0;
}

int kube_taint(struct kube *k, const struct kube_job *j, kube_fn *done, void *ctx,
	       struct why *ret_why)
{
	int r = 0;

	if (k->busy)
		return -EBUSY;
	/* It becomes part of a URL. */
	if (!kube_patch_is_name(j->node))
		return why_set(ret_why, -EBADMSG, "\"%.100s\" is no Kubernetes node name", j->node);
	if (k->rejected && !k->answering)
		r = open_fetch(k, ret_why);
	if (r < 0)
		return r;
	k->job = *j;
	k->seen = (struct kube_seen){.certain = false};
	k->tries = 0;
	k->done = done;
	k->ctx = ctx;
	r = start(k, "GET", NULL, on_node, ret_why);
	k->busy = r >= 0;
	return r;
}

static int copy(const char *text, char **ret)
{
	if (!text)
		return 0;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

int kube_open(const struct kube_options *o, struct kube **ret, struct why *ret_why)
{
	struct kube *k = calloc(1, sizeof(*k));
	size_t size = strlen(o->server);
	int r = k ? 0 : -ENOMEM;

	if (r >= 0) {
		k->base = o->base;
		r = copy(o->server, &k->server);
	}
	if (r >= 0)
		r = copy(o->token_file, &k->token_file);
	if (r >= 0)
		r = copy(o->ca_file, &k->ca_file);
	while (r >= 0 && size > 0 && k->server[size - 1] == '/')
		k->server[--size] = 0;
	if (r >= 0)
		r = open_fetch(k, ret_why);
	if (r < 0) {
		kube_free(k);
		return r;
	}
	*ret = k;
	return 0;
}

struct kube *kube_free(struct kube *k)
{
	if (!k)
		return NULL;
	fetch_free(k->fetch);
	free(k->server);
	free(k->token_file);
	free(k->ca_file);
	free(k);
	return NULL;
}
