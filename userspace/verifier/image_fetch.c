/* SPDX-License-Identifier: Apache-2.0 */
#include "image_fetch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "cleanup.h"
#include "cosign.h"
#include "log.h"

#define KIND "image_checks"
#define NAME "signed"
#define MAX_JOB_NS (60ull * 1000000000)

struct job {
	struct image_fetch *f;
	struct job *next;
	struct image_ref ref;
	struct buf children; /* of an index: text NUL text NUL … */
	uint32_t n_children, child;
	char (*covered)[IMAGE_LAYOUT_DIGEST_SIZE];
	uint32_t n_covered;
	struct cosign_list list, bundles; /* list: payloads, then manifests of bundles */
	uint32_t at;
	uint64_t began_ns; /* since boot */
	const struct sign_key *key; /* who signed; NULL: nobody was found yet */
	struct why doubt; /* the first thing that could not be had; "": none */
};

struct image_fetch {
	const struct verifier *v;
	struct registry_door *door;
	struct event *wake;
	int fd;
	bool closing, unsigned_runs;
	struct job *jobs;
	uint32_t n_jobs;
};

static void next_child(struct job *j);
static void next_payload(struct job *j);
static void next_manifest(struct job *j);
static void next_bundle(struct job *j);

static void job_free(struct job *j)
{
	struct job **at = &j->f->jobs;

	while (*at != j)
		at = &(*at)->next;
	*at = j->next;
	j->f->n_jobs--;
	buf_done(&j->children);
	free(j->covered);
	free(j);
}

static int keep(struct image_fetch *f)
{
	CLEANUP(buf_done) struct buf b = {0};
	const struct store *s = f->v->store;
	int r = image_checks_write(f->v->images, &b);

	if (r >= 0)
		r = s->ops->begin(s->ctx);
	if (r < 0)
		return r;
	r = s->ops->blob_put(s->ctx, KIND, NAME, b.data, b.size);
	if (r >= 0)
		return s->ops->commit(s->ctx);
	s->ops->rollback(s->ctx);
	return r;
}

/*
 * Bad news is of what was asked for alone: anybody may write an index, or a manifest, that names what others run. Of a manifest's
 * configuration it is told where such an image may run: then whoever makes it up could as well run it.
 */
static bool covers(const struct job *j, enum image_check_state state)
{
	return state == IMAGE_CHECK_SIGNED ||
	       (state == IMAGE_CHECK_UNSIGNED && j->n_children == 0 && j->f->unsigned_runs);
}

/* Registry and repository as a number. */
static uint64_t from_of(const struct image_ref *ref)
{
	char text[sizeof(ref->registry) + sizeof(ref->repository) + 1];
	struct digest d;
	uint64_t v = 0;
	int n = snprintf(text, sizeof(text), "%s/%s", ref->registry, ref->repository);

	if (digest_sha256(text, (size_t)n, &d) >= 0)
		memcpy(&v, d.bytes, sizeof(v));
	return v;
}

static void end(struct job *j, enum image_check_state state, const struct sign_key *key,
		const char *why)
{
	struct image_fetch *f = j->f;
	struct image_check k = {
		.state = state, .at_ns = clock_utc_ns(f->v->clock), .from = from_of(&j->ref)};
	struct digest id;
	int r = 0;

	if (key && sign_key_id(key, &id) >= 0)
		digest_hex(&id, k.key);
	snprintf(k.of, sizeof(k.of), "%s", j->ref.digest);
	snprintf(k.why, sizeof(k.why), "%s", why);
	snprintf(k.image, sizeof(k.image), "%s", j->ref.digest);
	(void)image_checks_put(f->v->images, &k);
	for (uint32_t i = 0; i < (covers(j, state) ? j->n_covered : 0); i++) {
		snprintf(k.image, sizeof(k.image), "%s", j->covered[i]);
		(void)image_checks_put(f->v->images, &k);
	}
	if (f->closing) {
		job_free(j);
		return;
	}
	log_notice("image=%s of=%s/%s signature=%s key=%s covers=%u reason=\"%s\"", j->ref.digest,
		   j->ref.registry, j->ref.repository, image_check_name(state),
		   k.key[0] ? k.key : "none", j->n_covered, why);
	if (state == IMAGE_CHECK_SIGNED)
		r = keep(f);
	if (r < 0)
		log_warning("image=%s error=\"%s\" next=\"it is in memory alone, and asked for "
			    "again after a restart\"",
			    j->ref.digest, strerror(-r));
	job_free(j);
	(void)eventfd_write(f->fd, 1);
}

/* What could not be had may have been the signature: then nothing says that there is none. */
static void end_unsigned(struct job *j)
{
	if (j->doubt.text[0])
		end(j, IMAGE_CHECK_FAILED, NULL, j->doubt.text);
	else
		end(j, IMAGE_CHECK_UNSIGNED, NULL, "its registry has no signature by our keys");
}

static void doubt(struct job *j, const struct why *why, int r)
{
	if (j->doubt.text[0])
		return;
	j->doubt = *why;
	if (!why->text[0])
		why_set(&j->doubt, r, "%s", strerror(-r));
}

/* false: it was not even asked, and the job is over. */
static bool get(struct job *j, const char *kind, const char *what, size_t max,
		void (*done)(void *, int, const struct buf *, const struct why *))
{
	const struct registry_ask a = {
		.ref = &j->ref, .kind = kind, .what = what, .max = max, .done = done, .ctx = j};
	struct why why = {""};
	bool late = clock_boot_ns(j->f->v->clock) - j->began_ns > MAX_JOB_NS;
	int r = j->f->closing ? -ECANCELED : 0;

	/* An image with no end of documents must not keep others waiting. */
	if (r >= 0)
		r = late ? why_set(&why, -ETIMEDOUT, "%.100s: its documents took too long",
				   j->ref.registry)
			 : registry_door_get(j->f->door, &a, &why);

	if (r < 0)
		end(j, j->key ? IMAGE_CHECK_SIGNED : IMAGE_CHECK_FAILED, j->key,
		    why.text[0] ? why.text : strerror(-r));
	return r >= 0;
}

static void cover(struct job *j, const char *digest)
{
	if (j->n_covered < IMAGE_FETCH_MAX_COVERED)
		snprintf(j->covered[j->n_covered++], IMAGE_LAYOUT_DIGEST_SIZE, "%.71s", digest);
}

static void cover_config(struct job *j, const struct buf *manifest)
{
	struct image_layout l = {.kind = 0};
	struct why why;

	if (image_layout_parse(manifest->data, manifest->size, NULL, &l, &why) < 0)
		return;
	if (l.kind == IMAGE_LAYOUT_MANIFEST)
		cover(j, l.next);
	buf_done(&l.layers);
}

/* false: it is none of ours, and the next is looked at. */
static bool is_found(struct job *j, int r, const struct sign_key *key, const struct why *why)
{
	if (r >= 0) {
		j->key = key;
		next_child(j);
		return true;
	}
	if (r != -EKEYREJECTED)
		doubt(j, why, r);
	j->at++;
	return false;
}

static void on_bundle(void *ctx, int r, const struct buf *body, const struct why *why)
{
	struct job *j = ctx;
	struct why own = *why;
	uint32_t n, key = 0;
	const struct sign_key *const *keys = image_checks_keys(j->f->v->images, &n);

	if (r >= 0)
		r = cosign_check_bundle(body->data, body->size, j->ref.digest, keys, n, &key, &own);
	if (!is_found(j, r, r >= 0 ? keys[key] : NULL, &own))
		next_bundle(j);
}

static void next_bundle(struct job *j)
{
	if (j->at == j->bundles.n)
		end_unsigned(j);
	else
		get(j, "blobs", j->bundles.items[j->at].digest, COSIGN_MAX_BUNDLE, on_bundle);
}

static void on_manifest(void *ctx, int r, const struct buf *body, const struct why *why)
{
	struct job *j = ctx;
	struct why own = *why;

	if (r >= 0)
		r = cosign_of_bundle_manifest(body->data, body->size, &j->bundles, &own);
	if (r < 0)
		doubt(j, &own, r);
	j->at++;
	next_manifest(j);
}

static void next_manifest(struct job *j)
{
	if (j->at < j->list.n) {
		get(j, "manifests", j->list.items[j->at].digest, IMAGE_LAYOUT_MAX_SIZE,
		    on_manifest);
		return;
	}
	j->at = 0;
	next_bundle(j);
}

static void on_referrers(void *ctx, int r, const struct buf *body, const struct why *why)
{
	struct job *j = ctx;
	struct why own = *why;

	if (r >= 0)
		r = cosign_of_referrers(body->data, body->size, &j->list, &own);
	if (r < 0 && r != -ENOENT)
		doubt(j, &own, r);
	next_manifest(j);
}

/* A registry that does not know of referrers keeps the same list under a tag. */
static void on_referrers_first(void *ctx, int r, const struct buf *body, const struct why *why)
{
	struct job *j = ctx;
	char tag[COSIGN_TAG_SIZE];

	if (r == -ENOENT && cosign_tag(j->ref.digest, "", tag) >= 0)
		get(j, "manifests", tag, IMAGE_LAYOUT_MAX_SIZE, on_referrers);
	else
		on_referrers(ctx, r, body, why);
}

static void on_payload(void *ctx, int r, const struct buf *body, const struct why *why)
{
	struct job *j = ctx;
	struct why own = *why;
	uint32_t n, key = 0;
	const struct sign_key *const *keys = image_checks_keys(j->f->v->images, &n);

	if (r >= 0)
		r = cosign_check_payload(body->data, body->size, &j->list.items[j->at],
					 j->ref.digest, keys, n, &key, &own);
	if (!is_found(j, r, r >= 0 ? keys[key] : NULL, &own))
		next_payload(j);
}

static void next_payload(struct job *j)
{
	if (j->at < j->list.n) {
		get(j, "blobs", j->list.items[j->at].digest, COSIGN_MAX_PAYLOAD, on_payload);
		return;
	}
	j->list.n = 0;
	j->at = 0;
	get(j, "referrers", j->ref.digest, IMAGE_LAYOUT_MAX_SIZE, on_referrers_first);
}

static void on_tag(void *ctx, int r, const struct buf *body, const struct why *why)
{
	struct job *j = ctx;
	struct why own = *why;

	if (r >= 0)
		r = cosign_of_tag(body->data, body->size, &j->list, &own);
	if (r < 0 && r != -ENOENT)
		doubt(j, &own, r);
	next_payload(j);
}

static void on_child(void *ctx, int r, const struct buf *body, const struct why *why)
{
	struct job *j = ctx;

	(void)why;
	/* One that is not there is of a machine that nobody pulled it for: it is not vouched for, that is all. */
	if (r >= 0)
		cover_config(j, body);
	next_child(j);
}

/* Once it is signed: what else that is a signature of. */
static void next_child(struct job *j)
{
	const char *at = (const char *)j->children.data;

	if (j->child == j->n_children) {
		end(j, IMAGE_CHECK_SIGNED, j->key, "");
		return;
	}
	for (uint32_t i = 0; i < j->child; i++)
		at += strlen(at) + 1;
	j->child++;
	cover(j, at);
	get(j, "manifests", at, IMAGE_LAYOUT_MAX_SIZE, on_child);
}

static void on_image(void *ctx, int r, const struct buf *body, const struct why *why)
{
	struct job *j = ctx;
	char tag[COSIGN_TAG_SIZE];
	struct why none;

	if (r < 0) {
		end(j, IMAGE_CHECK_FAILED, NULL, why->text[0] ? why->text : strerror(-r));
		return;
	}
	if (image_layout_manifests(body->data, body->size, &j->children, &j->n_children, &none) <
	    0) {
		buf_clear(&j->children);
		j->n_children = 0;
		cover_config(j, body);
	}
	if (cosign_tag(j->ref.digest, ".sig", tag) >= 0)
		get(j, "manifests", tag, IMAGE_LAYOUT_MAX_SIZE, on_tag);
}

/* Elsewhere it may be signed: asking in a place where it is not must not make others wait. */
static bool is_due(const struct image_fetch *f, const struct image_ref *ref)
{
	struct image_check k;

	for (const struct job *j = f->jobs; j; j = j->next)
		if (strcmp(j->ref.digest, ref->digest) == 0)
			return false;
	if (image_checks_find(f->v->images, ref->digest, &k) < 0)
		return true;
	return k.state != IMAGE_CHECK_SIGNED &&
	       (k.from != from_of(ref) ||
		clock_utc_ns(f->v->clock) - k.at_ns >= IMAGE_CHECKS_AGAIN_NS);
}

static int begin(struct image_fetch *f, const struct image_ref *ref)
{
	struct job *j = calloc(1, sizeof(*j));

	if (j)
		j->covered = calloc(IMAGE_FETCH_MAX_COVERED, sizeof(*j->covered));
	if (!j || !j->covered) {
		free(j);
		return -ENOMEM;
	}
	j->f = f;
	j->began_ns = clock_boot_ns(f->v->clock);
	j->ref = *ref;
	j->next = f->jobs;
	f->jobs = j;
	f->n_jobs++;
	get(j, "manifests", ref->digest, IMAGE_LAYOUT_MAX_SIZE, on_image);
	return 0;
}

static void take_wishes(struct image_fetch *f)
{
	char text[IMAGE_CHECKS_MAX_NAME];
	struct image_ref ref;
	struct why why;

	while (f->n_jobs < IMAGE_FETCH_MAX_AT_ONCE && image_checks_take(f->v->images, text) >= 0) {
		if (image_ref_parse(text, &ref, &why) < 0 || !ref.digest[0] || !is_due(f, &ref))
			continue;
		if (begin(f, &ref) < 0)
			log_warning(
				"image=%s error=\"no memory\" next=\"it is asked for again with "
				"the next pod\"",
				ref.digest);
	}
}

/* On the thread of whoever wishes. */
static void on_wish(void *ctx)
{
	const struct image_fetch *f = ctx;

	(void)eventfd_write(f->fd, 1);
}

static void on_wake(evutil_socket_t fd, short what, void *ctx)
{
	eventfd_t n;

	(void)what;
	(void)eventfd_read(fd, &n);
	take_wishes(ctx);
}

static int read_store(const struct verifier *v, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf b = {0};
	int r = v->store->ops->blob_get(v->store->ctx, KIND, NAME, &b);

	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : image_checks_read(v->images, b.data, b.size, ret_why);
}

int image_fetch_open(const struct verifier *v, const struct image_fetch_options *o,
		     struct image_fetch **ret, struct why *ret_why)
{
	struct image_fetch *f = calloc(1, sizeof(*f));
	int r = f ? read_store(v, ret_why) : -ENOMEM;

	if (r < 0) {
		free(f);
		return r;
	}
	f->v = v;
	f->unsigned_runs = o->unsigned_runs;
	f->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = f->fd < 0 ? -errno : registry_door_open(&o->registries, &f->door, ret_why);
	if (r >= 0) {
		f->wake = event_new(o->registries.base, f->fd, EV_READ | EV_PERSIST, on_wake, f);
		r = f->wake && event_add(f->wake, NULL) == 0 ? 0 : -ENOMEM;
	}
	if (r < 0) {
		image_fetch_free(f);
		return r;
	}
	image_checks_on_wish(v->images, on_wish, f);
	*ret = f;
	return 0;
}

struct image_fetch *image_fetch_free(struct image_fetch *f)
{
	if (!f)
		return NULL;
	if (f->v->images)
		image_checks_on_wish(f->v->images, NULL, NULL);
	f->closing = true;
	/* Each of its jobs ends with what is cancelled. */
	registry_door_free(f->door);
	if (f->wake)
		event_free(f->wake);
	if (f->fd >= 0)
		close(f->fd);
	free(f);
	return NULL;
}

uint32_t image_fetch_under_way(const struct image_fetch *f)
{
	return f->n_jobs;
}
