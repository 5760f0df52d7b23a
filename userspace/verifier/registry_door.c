/* SPDX-License-Identifier: Apache-2.0 */
#include "registry_door.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "digest.h"
#include "fetch.h"
#include "plumb/terms.h"
#include "registry_challenge.h"

#define CONNECT_MS 5000
#define TOTAL_MS 15000
#define PLAIN "http://"
#define SECRET "https://"
#define BEARER "Authorization: Bearer "
#define MAX_URL 4096
#define MAX_REDIRECTS 3
/* What manifests are called; a registry gives what it is asked for. */
#define ACCEPT                                                   \
	"Accept: application/vnd.oci.image.manifest.v1+json, "   \
	"application/vnd.oci.image.index.v1+json, "              \
	"application/vnd.docker.distribution.manifest.v2+json, " \
	"application/vnd.docker.distribution.manifest.list.v2+json"

struct registry_door {
	struct registry_options o;
	struct fetch *fetch;
	char token[REGISTRY_CHALLENGE_MAX_TOKEN],
		token_of[400]; /* the newest, and of which registry and repository */
};

struct get {
	struct registry_door *d;
	struct registry_ask a;
	struct image_ref ref;
	char what[160], origin[160], url[MAX_URL];
	bool plain, asked; /* asked: for a token */
	uint32_t n_redirects;
};

static void end(struct get *g, int r, const struct buf *body, const struct why *why)
{
	static const struct buf none;

	g->a.done(g->a.ctx, r, body ? body : &none, why);
	free(g);
}

static void name_of(const struct get *g, char *ret, size_t size)
{
	snprintf(ret, size, "%s/%s", g->ref.registry, g->ref.repository);
}

/* Is it the registry that the operator named, or where that one sends us? */
static bool is_own(const struct get *g, const char *url)
{
	size_t n = strlen(g->origin);

	return strncmp(url, g->origin, n) == 0 && url[n] == '/';
}

/* The token goes to who asked for it, and not where a redirect leads. */
static int start(struct get *g,
		 void (*done)(void *, int, int, const struct buf *, const struct why *),
		 const char *url, size_t max, bool with_token)
{
	struct registry_door *d = g->d;
	char name[400], shown[160], header[sizeof(BEARER) + REGISTRY_CHALLENGE_MAX_TOKEN];
	struct fetch_request q = {.method = "GET",
				  .url = url,
				  .headers = {ACCEPT},
				  .n_headers = 1,
				  .max = max,
				  .far = !is_own(g, url),
				  .shown = shown,
				  .done = done,
				  .ctx = g};
	int r;

	snprintf(shown, sizeof(shown), "%s%s", g->ref.registry, q.far ? ", where it leads" : "");
	name_of(g, name, sizeof(name));
	if (with_token && d->token[0] && strcmp(name, d->token_of) == 0) {
		snprintf(header, sizeof(header), BEARER "%s", d->token);
		q.headers[q.n_headers++] = header;
	}
	r = fetch_start(d->fetch, &q);
	OPENSSL_cleanse(header, sizeof(header));
	return r;
}

static void on_answer(void *ctx, int r, int status, const struct buf *body, const struct why *why);

static void on_token(void *ctx, int r, int status, const struct buf *body, const struct why *why)
{
	struct get *g = ctx;
	struct why own = *why;

	if (r >= 0 && status != 200)
		r = why_set(&own, -EACCES, "%.100s gives no token: status %d", g->ref.registry,
			    status);
	if (r >= 0)
		r = registry_challenge_token(body->data, body->size, g->d->token, &own);
	if (r >= 0) {
		name_of(g, g->d->token_of, sizeof(g->d->token_of));
		r = start(g, on_answer, g->url, g->a.max, true);
		if (r >= 0)
			return;
		why_set(&own, r, "%.100s: %s", g->ref.registry, strerror(-r));
	}
	end(g, r, NULL, &own);
}

/* 0: a token is on its way. */
static int ask_token(struct get *g)
{
	CLEANUP(buf_done) struct buf url = {0};
	char challenge[REGISTRY_CHALLENGE_MAX];
	int r = fetch_header(g->d->fetch, "WWW-Authenticate", challenge, sizeof(challenge));

	if (r >= 0)
		r = registry_challenge_url(challenge, g->ref.repository, g->plain, &url);
	if (r < 0)
		return r;
	g->asked = true;
	g->d->token[0] = 0;
	return start(g, on_token, (char *)url.data, REGISTRY_CHALLENGE_MAX_DOCUMENT, false);
}

static int follow(struct get *g)
{
	char to[MAX_URL];
	size_t n = strlen(g->origin);
	int r = ++g->n_redirects > MAX_REDIRECTS
			? -EACCES
			: fetch_header(g->d->fetch, "Location", to + n, sizeof(to) - n);

	if (r < 0)
		return -EACCES;
	/* Without a host it is where we are: in the registry, as long as it has not led elsewhere. */
	if (to[n] == '/' && to[n + 1] != '/' && g->n_redirects == 1)
		memcpy(to, g->origin, n);
	else
		memmove(to, to + n, strlen(to + n) + 1);
	if (strncmp(to, SECRET, strlen(SECRET)) != 0 &&
	    (!g->plain || strncmp(to, PLAIN, strlen(PLAIN)) != 0))
		return -EACCES;
	return start(g, on_answer, to, g->a.max, false);
}

static int check_digest(const struct get *g, const struct buf *body, struct why *ret_why)
{
	char text[IMAGE_LAYOUT_DIGEST_SIZE] = "sha256:";
	struct digest d;
	int r;

	/* What refers to an image is a list that the registry makes. */
	if (!image_layout_is_digest(g->what) || strcmp(g->a.kind, "referrers") == 0)
		return 0;
	r = digest_sha256(body->data, body->size, &d);
	if (r < 0)
		return r;
	digest_hex(&d, text + 7);
	if (strcmp(text, g->what) != 0)
		return why_set(ret_why, -EBADMSG, "%.100s: what came for %.80s is %.80s",
			       g->ref.registry, g->what, text);
	return 0;
}

static void on_answer(void *ctx, int r, int status, const struct buf *body, const struct why *why)
{
	struct get *g = ctx;
	struct why own = *why;

	/* Only the registry says where its tokens are had. */
	if (r >= 0 && status == 401 && !g->asked && g->n_redirects == 0 && ask_token(g) >= 0)
		return;
	if (r >= 0 && status >= 301 && status <= 308 && strcmp(g->a.kind, "blobs") == 0 &&
	    follow(g) >= 0)
		return;
	if (r >= 0 && status == 404)
		r = why_set(&own, -ENOENT, "%.100s has no such thing", g->ref.registry);
	else if (r >= 0 && status != 200)
		r = why_set(&own, status == 401 || status == 403 ? -EACCES : -EAGAIN,
			    "%.100s: status %d for %.60s of %.100s", g->ref.registry, status,
			    g->a.kind, g->ref.repository);
	if (r >= 0)
		r = check_digest(g, body, &own);
	end(g, r, body, &own);
}

/* How to speak to it; -EPERM: the operator did not name it. Whoever makes a pod must not choose whom the verifier talks to. */
static int find_registry(const struct registry_door *d, const char *name, bool *ret_plain)
{
	for (uint32_t i = 0; i < d->o.n_registries; i++) {
		const char *at = d->o.registries[i];
		bool plain = strncmp(at, PLAIN, strlen(PLAIN)) == 0;

		if (strcmp(at + (plain ? strlen(PLAIN) : 0), name) != 0)
			continue;
		*ret_plain = plain;
		return 0;
	}
	return -EPERM;
}

int registry_door_get(struct registry_door *d, const struct registry_ask *a, struct why *ret_why)
{
	struct get *g = calloc(1, sizeof(*g));
	const char *host = a->ref->registry;
	int r;

	if (!g)
		return -ENOMEM;
	*g = (struct get){.d = d, .a = *a, .ref = *a->ref};
	r = find_registry(d, host, &g->plain);
	if (r < 0) {
		free(g);
		return why_set(ret_why, r, "registry %.100s is not among image_registries", host);
	}
	if (strcmp(host, "docker.io") == 0)
		host = "registry-1.docker.io";
	if (snprintf(g->what, sizeof(g->what), "%s", a->what) >= (int)sizeof(g->what) ||
	    snprintf(g->origin, sizeof(g->origin), "%s%s", g->plain ? PLAIN : SECRET, host) >=
		    (int)sizeof(g->origin) ||
	    snprintf(g->url, sizeof(g->url), "%s/v2/%s/%s/%s", g->origin, g->ref.repository,
		     a->kind, a->what) >= (int)sizeof(g->url))
		r = -EINVAL;
	if (r >= 0)
		r = start(g, on_answer, g->url, a->max, true);
	if (r < 0) {
		free(g);
		return why_set(ret_why, r, "registry %.100s: %s", a->ref->registry, strerror(-r));
	}
	return 0;
}

int registry_door_open(const struct registry_options *o, struct registry_door **ret,
		       struct why *ret_why)
{
	struct registry_door *d = calloc(1, sizeof(*d));
	const struct fetch_options f = {.base = o->base,
					.ca_pem = o->ca_pem,
					.connect_ms = CONNECT_MS,
					.total_ms = TOTAL_MS,
					.user_agent = "plumb-verifier/" PLUMB_VERSION};
	int r;

	if (!d)
		return -ENOMEM;
	d->o = *o;
	r = fetch_open(&f, &d->fetch, ret_why);
	if (r < 0) {
		free(d);
		return r;
	}
	*ret = d;
	return 0;
}

struct registry_door *registry_door_free(struct registry_door *d)
{
	if (!d)
		return NULL;
	fetch_free(d->fetch);
	OPENSSL_cleanse(d->token, sizeof(d->token));
	free(d);
	return NULL;
}
