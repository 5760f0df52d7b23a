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
#define MAX_URL 1024

struct kube {
	struct fetch *fetch;
	char *server, *token_file;
	bool busy;
	/* of the node at hand */
	char node[254], boot_id[37];
	enum kube_want want;
	int tries;
	void (*done)(void *ctx, int r, const struct why *why);
	void *ctx;
};

static bool is_ours(const json_t *taint)
{
	const char *key = json_string_value(json_object_get(taint, "key"));

	return key && strcmp(key, KUBE_TAINT) == 0;
}

static int add_taint(json_t *list, const char *effect)
{
	json_t *t =
		json_pack("{s:s,s:s,s:s}", "key", KUBE_TAINT, "value", "true", "effect", effect);

	return t && json_array_append_new(list, t) == 0 ? 0 : -ENOMEM;
}

/* Everybody else's taints stay as they are, in their order. */
static int wanted_list(const json_t *now, enum kube_want want, json_t **ret)
{
	json_t *list = json_array();
	size_t i;
	json_t *t;
	int r = list ? 0 : -ENOMEM;

	json_array_foreach (now, i, t)
		if (r >= 0 && !is_ours(t))
			r = json_array_append(list, t) == 0 ? 0 : -ENOMEM;
	if (r >= 0 && want >= KUBE_HOLD)
		r = add_taint(list, "NoSchedule");
	if (r >= 0 && want == KUBE_QUARANTINE)
		r = add_taint(list, "NoExecute");
	if (r < 0)
		json_decref(list);
	else
		*ret = list;
	return r;
}

/* timeAdded is the API's own; what counts is which of ours are there. */
static unsigned int ours(const json_t *list)
{
	unsigned int bits = 0;
	size_t i;
	json_t *t;

	json_array_foreach (list, i, t) {
		const char *effect = json_string_value(json_object_get(t, "effect"));

		if (is_ours(t) && effect)
			bits |= strcmp(effect, "NoSchedule") == 0  ? 1
				: strcmp(effect, "NoExecute") == 0 ? 2
								   : 4;
	}
	return bits;
}

static int put_patch(const json_t *now, json_t *wanted, struct buf *ret)
{
	CLEANUP_FREE char *text = NULL;
	json_t *patch;

	/* An absent list is tested as null: nobody may have made one meanwhile. */
	patch = json_pack("[{s:s,s:s,s:o},{s:s,s:s,s:O}]", "op", "test", "path", "/spec/taints",
			  "value", now ? json_deep_copy(now) : json_null(), "op", "add", "path",
			  "/spec/taints", "value", wanted);
	text = patch ? json_dumps(patch, JSON_COMPACT) : NULL;
	json_decref(patch);
	if (!text)
		return -ENOMEM;
	buf_puts(ret, text);
	return buf_status(ret);
}

int kube_make_patch(const void *node, size_t size, const char *boot_id, enum kube_want want,
		    struct buf *ret, struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	CLEANUP(jsonl_decref_p) json_t *wanted = NULL;
	json_t *spec, *now, *info;
	json_error_t error;
	const char *boot;
	unsigned int want_bits = want == KUBE_QUARANTINE ? 3 : want == KUBE_HOLD ? 1 : 0;
	int r;

	if (size > KUBE_MAX_NODE)
		return why_set(ret_why, -EBADMSG, "Node object is longer than %u bytes",
			       KUBE_MAX_NODE);
	/* Not ours: floats and what else the API may have in it are allowed; jansson bounds the depth. */
	o = json_loadb(node, size, JSON_REJECT_DUPLICATES, &error);
	spec = json_object_get(o, "spec");
	if (!json_is_object(spec))
		return why_set(ret_why, -EBADMSG, "that is no Node object");
	now = json_object_get(spec, "taints");
	if (now && !json_is_array(now))
		return why_set(ret_why, -EBADMSG, "spec.taints is no list");
	info = json_object_get(json_object_get(o, "status"), "nodeInfo");
	boot = json_string_value(json_object_get(info, "bootID"));
	if (boot_id[0] && boot && strcmp(boot, boot_id) != 0)
		return why_set(ret_why, -EXDEV, "its bootID is %.40s, the attested machine's %.40s",
			       boot, boot_id);
	if (ours(now) == want_bits)
		return 0;
	r = wanted_list(now, want, &wanted);
	if (r >= 0)
		r = put_patch(now, wanted, ret);
	return r < 0 ? r : 1;
}

static void finish(struct kube *k, int r, const struct why *why)
{
	k->busy = false;
	k->done(k->ctx, r, why);
}

static int start(struct kube *k, const char *method, const struct buf *body,
		 void (*done)(void *ctx, int r, int status, const struct buf *b,
			      const struct why *why))
{
	CLEANUP(buf_done) struct buf token = {0};
	CLEANUP(buf_done) struct buf header = {0};
	char url[MAX_URL];
	struct fetch_request q = {.method = method,
				  .url = url,
				  .type = body ? "application/json-patch+json" : NULL,
				  .body = body ? body->data : NULL,
				  .size = body ? body->size : 0,
				  .max = KUBE_MAX_NODE,
				  .done = done,
				  .ctx = k};
	int r;

	if (snprintf(url, sizeof(url), "%s/api/v1/nodes/%s", k->server, k->node) >=
	    (int)sizeof(url))
		return -E2BIG;
	if (k->token_file) {
		r = fsio_read_file(fsio_system(), k->token_file, MAX_TOKEN, &token);
		if (r < 0)
			return r;
		while (token.size > 0 && token.data[token.size - 1] <= ' ')
			buf_cut(&token, token.size - 1);
		buf_printf(&header, "Authorization: Bearer %.*s", (int)token.size,
			   (char *)token.data);
		q.headers[q.n_headers++] = (char *)header.data;
	}
	r = buf_status(&header) < 0 ? buf_status(&header) : fetch_start(k->fetch, &q);
	if (token.data)
		OPENSSL_cleanse(token.data, token.size);
	if (header.data)
		OPENSSL_cleanse(header.data, header.size);
	return r;
}

static void on_node(void *ctx, int r, int status, const struct buf *body, const struct why *why);

static void on_patched(void *ctx, int r, int status, const struct buf *body, const struct why *why)
{
	struct kube *k = ctx;
	struct why own = *why;

	(void)body;
	if (r >= 0 && (status == 409 || status == 422) && k->tries++ < MAX_TRIES) {
		r = start(k, "GET", NULL, on_node);
		if (r >= 0)
			return;
	}
	if (r >= 0 && (status < 200 || status > 299))
		r = why_set(&own, -EAGAIN, "PATCH of node %.100s: HTTP %d", k->node, status);
	finish(k, r, &own);
}

static void on_node(void *ctx, int r, int status, const struct buf *body, const struct why *why)
{
	CLEANUP(buf_done) struct buf patch = {0};
	struct kube *k = ctx;
	struct why own = *why;

	if (r >= 0 && status == 404)
		r = why_set(&own, -ENOENT, "there is no Kubernetes node %.100s", k->node);
	else if (r >= 0 && status != 200)
		r = why_set(&own, -EAGAIN, "GET of node %.100s: HTTP %d", k->node, status);
	if (r >= 0)
		r = kube_make_patch(body->data, body->size, k->boot_id, k->want, &patch, &own);
	if (r > 0)
		r = start(k, "PATCH", &patch, on_patched) < 0 ? -EAGAIN : 1;
	if (r <= 0)
		finish(k, r, &own);
}

int kube_taint(struct kube *k, const char *node, const char *boot_id, enum kube_want want,
	       void (*done)(void *ctx, int r, const struct why *why), void *ctx)
{
	int r;

	if (k->busy)
		return -EBUSY;
	/* It becomes part of a URL. */
	if (!node[0] || strspn(node, "abcdefghijklmnopqrstuvwxyz0123456789.-") != strlen(node) ||
	    strlen(node) >= sizeof(k->node))
		return -EINVAL;
	snprintf(k->node, sizeof(k->node), "%s", node);
	snprintf(k->boot_id, sizeof(k->boot_id), "%s", boot_id);
	k->want = want;
	k->tries = 0;
	k->done = done;
	k->ctx = ctx;
	r = start(k, "GET", NULL, on_node);
	k->busy = r >= 0;
	return r;
}

int kube_open(const struct kube_options *o, struct kube **ret, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf ca = {0};
	struct fetch_options f = {.base = o->base, .user_agent = "plumb-verifier/" PLUMB_VERSION};
	struct kube *k = calloc(1, sizeof(*k));
	int r = k ? 0 : -ENOMEM;

	if (r >= 0 && o->ca_file) {
		r = fsio_read_file(fsio_system(), o->ca_file, 1u << 20, &ca);
		if (r < 0)
			why_set(ret_why, r, "kube_ca: %.150s: %s", o->ca_file, strerror(-r));
		f.ca_pem = (char *)ca.data;
	}
	if (r >= 0) {
		k->server = strdup(o->server);
		k->token_file = o->token_file ? strdup(o->token_file) : NULL;
		r = k->server && (k->token_file || !o->token_file)
			    ? fetch_open(&f, &k->fetch, ret_why)
			    : -ENOMEM;
	}
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
	free(k);
	return NULL;
}
