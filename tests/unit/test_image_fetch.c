/* SPDX-License-Identifier: Apache-2.0 */
/* A registry on loopback that has what the test puts there, and lies where it is told to: what becomes known of its images. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "cleanup.h"
#include "cosign.h"
#include "dsse.h"
#include "fake_http.h"
#include "image_fetch.h"
#include "verifier_fixture.h"

#define MAX_THINGS 32
#define CONFIG "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define SIMPLE "application/vnd.dev.cosign.simplesigning.v1+json"
#define TYPE "application/vnd.in-toto+json"

struct thing {
	char path[256];
	struct buf body;
	int status; /* 0: 200 */
};

struct place {
	struct verifier_fixture v;
	struct event_base *base;
	struct fake_http *http;
	struct image_fetch *fetch;
	struct sign_key *key, *other;
	struct thing things[MAX_THINGS];
	uint32_t n, asked, tokens;
	bool wants_token, leaked, slow;
	const char *redirect; /* of blobs: before their path; NULL: none */
	char registry[64], plain[80], realm[80]; /* realm "": itself */
	const char *list[1];
};

static struct thing *find(struct place *p, const char *path)
{
	for (uint32_t i = 0; i < p->n; i++)
		if (strcmp(p->things[i].path, path) == 0)
			return &p->things[i];
	return NULL;
}

static void say(struct fake_http_answer *a, const char *head, const char *body)
{
	buf_printf(&a->bytes, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", head, strlen(body),
		   body);
}

static void on_request(void *ctx, const struct fake_http_request *q, struct fake_http_answer *a)
{
	struct place *p = ctx;
	const struct thing *t = find(p, q->path);
	char header[256], text[1024];

	p->asked++;
	p->v.boot_ns += p->slow ? 21ull * VERIFIER_FIXTURE_S : 0;
	if (strncmp(q->path, "/token?", 7) == 0) {
		p->tokens++;
		assert_string_equal(q->path,
				    "/token?service=a%20b&scope=repository%3Aa%2Fb%3Apull");
		say(a, "200 OK", "{\"token\":\"s3cret\",\"expires_in\":300}");
		return;
	}
	if (strncmp(q->path, "/cdn/", 5) == 0) {
		p->leaked |= fake_http_header(q, "Authorization", header, sizeof(header)) != NULL;
		t = find(p, q->path + 4);
	} else if ((p->wants_token || strncmp(q->path, "/behind/", 8) == 0) &&
		   (!fake_http_header(q, "Authorization", header, sizeof(header)) ||
		    strcmp(header, "Bearer s3cret") != 0)) {
		snprintf(text, sizeof(text),
			 "401 No\r\nWWW-Authenticate: Bearer realm=\"%s/token\",service=\"a "
			 "b\",scope=\"x\"",
			 p->realm[0] ? p->realm : p->plain);
		say(a, text, "");
		return;
	} else if (p->redirect && strstr(q->path, "/blobs/")) {
		snprintf(text, sizeof(text), "307 There\r\nLocation: %s/cdn%s", p->redirect,
			 q->path);
		say(a, text, "");
		return;
	}
	if (!t || t->status)
		say(a, t ? "500 Broken" : "404 Not Found", "");
	else
		say(a, "200 OK", (char *)t->body.data);
}

static void open_fetch(struct place *p, bool unsigned_runs)
{
	const struct image_fetch_options o = {
		.registries = {.base = p->base, .registries = p->list, .n_registries = 1},
		.unsigned_runs = unsigned_runs};
	struct why why;

	assert_int_equal(image_fetch_open(&p->v.v, &o, &p->fetch, &why), 0);
}

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	verifier_fixture_open(&p->v);
	p->base = event_base_new();
	p->http = fake_http_open(p->base, NULL, NULL, on_request, p);
	snprintf(p->registry, sizeof(p->registry), "127.0.0.1:%d", fake_http_port(p->http));
	snprintf(p->plain, sizeof(p->plain), "http://%s", p->registry);
	p->list[0] = p->plain;
	assert_int_equal(sign_key_generate(SIGN_P256, &p->key), 0);
	assert_int_equal(sign_key_generate(SIGN_P256, &p->other), 0);
	assert_int_equal(
		image_checks_open((const struct sign_key *const *)&p->key, 1, &p->v.v.images), 0);
	open_fetch(p, true);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	image_fetch_free(p->fetch);
	fake_http_free(p->http);
	for (uint32_t i = 0; i < p->n; i++)
		buf_done(&p->things[i].body);
	p->v.v.images = image_checks_free(p->v.v.images);
	sign_key_free(p->key);
	sign_key_free(p->other);
	verifier_fixture_done(&p->v);
	event_base_free(p->base);
	free(p);
	return 0;
}

static void digest_of(const char *body, char ret[IMAGE_LAYOUT_DIGEST_SIZE])
{
	struct digest d;

	assert_int_equal(digest_sha256(body, strlen(body), &d), 0);
	memcpy(ret, "sha256:", 7);
	digest_hex(&d, ret + 7);
}

static struct thing *put(struct place *p, const char *kind, const char *what, const char *body)
{
	struct thing *t = &p->things[p->n++];

	assert_in_range(p->n, 1, MAX_THINGS);
	snprintf(t->path, sizeof(t->path), "/v2/a/b/%s/%s", kind, what);
	buf_puts(&t->body, body);
	assert_int_equal(buf_status(&t->body), 0);
	return t;
}

/* By its own digest, which is returned. */
static void put_by_digest(struct place *p, const char *kind, const char *body,
			  char ret[IMAGE_LAYOUT_DIGEST_SIZE])
{
	digest_of(body, ret);
	put(p, kind, ret, body);
}

static void put_image(struct place *p, char ret[IMAGE_LAYOUT_DIGEST_SIZE])
{
	put_by_digest(p, "manifests",
		      "{\"schemaVersion\":2,\"config\":{\"digest\":\"" CONFIG "\"},\"layers\":[]}",
		      ret);
}

static void sign_by_tag(struct place *p, const struct sign_key *key, const char *image)
{
	struct buf sig = {0}, text = {0};
	char payload[512], digest[IMAGE_LAYOUT_DIGEST_SIZE], tag[COSIGN_TAG_SIZE];

	snprintf(payload, sizeof(payload),
		 "{\"critical\":{\"identity\":{\"docker-reference\":\"x\"},\"image\":{"
		 "\"docker-manifest-digest\":\"%s\"},\"type\":\"cosign container image "
		 "signature\"},\"optional\":null}",
		 image);
	put_by_digest(p, "blobs", payload, digest);
	assert_int_equal(sign_make(key, payload, strlen(payload), &sig), 0);
	buf_printf(&text,
		   "{\"layers\":[{\"mediaType\":\"" SIMPLE "\",\"digest\":\"%s\",\"annotations\":{"
		   "\"dev.cosignproject.cosign/signature\":\"",
		   digest);
	digest_base64(&text, sig.data, sig.size);
	buf_puts(&text, "\"}}]}");
	assert_int_equal(buf_status(&text), 0);
	assert_int_equal(cosign_tag(image, ".sig", tag), 0);
	put(p, "manifests", tag, (char *)text.data);
	buf_done(&sig);
	buf_done(&text);
}

/* kind, what: where the list of what refers to the image is. */
static void sign_by_bundle(struct place *p, const struct sign_key *key, const char *image,
			   const char *kind, const char *what)
{
	struct buf envelope = {0}, bundle = {0};
	char statement[512], text[512], digest[IMAGE_LAYOUT_DIGEST_SIZE];

	snprintf(statement, sizeof(statement),
		 "{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{\"digest\":{"
		 "\"sha256\":\"%s\"}}],\"predicateType\":\"https://sigstore.dev/cosign/sign/v1\","
		 "\"predicate\":{}}",
		 image + 7);
	assert_int_equal(dsse_sign(TYPE, statement, strlen(statement), &key, 1, &envelope), 0);
	buf_printf(&bundle, "{\"mediaType\":\"" COSIGN_BUNDLE_TYPE "\",\"dsseEnvelope\":%.*s}",
		   (int)envelope.size, (char *)envelope.data);
	assert_int_equal(buf_status(&bundle), 0);
	put_by_digest(p, "blobs", (char *)bundle.data, digest);
	snprintf(text, sizeof(text),
		 "{\"layers\":[{\"mediaType\":\"" COSIGN_BUNDLE_TYPE "\",\"digest\":\"%s\"}]}",
		 digest);
	put_by_digest(p, "manifests", text, digest);
	snprintf(text, sizeof(text),
		 "{\"manifests\":[{\"digest\":\"%s\",\"artifactType\":\"" COSIGN_BUNDLE_TYPE
		 "\"}]}",
		 digest);
	put(p, kind, what, text);
	buf_done(&envelope);
	buf_done(&bundle);
}

/* Until nothing is under way any more. */
static enum image_check_state ask(struct place *p, const char *image, struct image_check *ret)
{
	char reference[256];

	memset(ret, 0, sizeof(*ret));
	snprintf(reference, sizeof(reference), "%s/a/b@%s", p->registry, image);
	assert_int_equal(image_checks_wish(p->v.v.images, reference), 0);
	do
		event_base_loop(p->base, EVLOOP_ONCE);
	while (image_fetch_under_way(p->fetch) > 0);
	return image_checks_find(p->v.v.images, image, ret) < 0 ? IMAGE_CHECK_UNKNOWN : ret->state;
}

static enum image_check_state state_of(struct place *p, const char *image)
{
	struct image_check k;

	return image_checks_find(p->v.v.images, image, &k) < 0 ? IMAGE_CHECK_UNKNOWN : k.state;
}

static void test_tag(void **state)
{
	struct place *p = *state;
	char image[IMAGE_LAYOUT_DIGEST_SIZE], hex[DIGEST_HEX_SIZE];
	struct image_check k;
	struct digest id;
	uint32_t asked;

	put_image(p, image);
	sign_by_tag(p, p->key, image);
	assert_int_equal(ask(p, image, &k), IMAGE_CHECK_SIGNED);
	assert_int_equal(sign_key_id(p->key, &id), 0);
	digest_hex(&id, hex);
	assert_string_equal(k.key, hex);
	/* Nodes know it by its configuration. */
	assert_int_equal(image_checks_find(p->v.v.images, CONFIG, &k), 0);
	assert_int_equal(k.state, IMAGE_CHECK_SIGNED);
	assert_string_equal(k.of, image);
	/* Not asked for again, */
	asked = p->asked;
	assert_int_equal(ask(p, image, &k), IMAGE_CHECK_SIGNED);
	assert_int_equal(p->asked, asked);
	/* also not after a restart. */
	image_fetch_free(p->fetch);
	image_checks_free(p->v.v.images);
	assert_int_equal(
		image_checks_open((const struct sign_key *const *)&p->key, 1, &p->v.v.images), 0);
	open_fetch(p, true);
	assert_int_equal(state_of(p, image), IMAGE_CHECK_SIGNED);
	assert_int_equal(state_of(p, CONFIG), IMAGE_CHECK_SIGNED);
}

static void test_bundle(void **state)
{
	struct place *p = *state;
	char image[IMAGE_LAYOUT_DIGEST_SIZE];
	struct image_check k;

	put_image(p, image);
	sign_by_bundle(p, p->key, image, "referrers", image);
	assert_int_equal(ask(p, image, &k), IMAGE_CHECK_SIGNED);
}

static void test_bundle_by_tag(void **state)
{
	struct place *p = *state;
	char image[IMAGE_LAYOUT_DIGEST_SIZE], tag[COSIGN_TAG_SIZE];
	struct image_check k;

	put_image(p, image);
	assert_int_equal(cosign_tag(image, "", tag), 0);
	sign_by_bundle(p, p->key, image, "manifests", tag);
	assert_int_equal(ask(p, image, &k), IMAGE_CHECK_SIGNED);
}

/* Not by our key; and then it is, once its time to be asked again has come. */
static void test_unsigned(void **state)
{
	struct place *p = *state;
	char image[IMAGE_LAYOUT_DIGEST_SIZE];
	struct image_check k;
	uint32_t asked;

	put_image(p, image);
	assert_int_equal(ask(p, image, &k), IMAGE_CHECK_UNSIGNED);
	assert_int_equal(state_of(p, CONFIG), IMAGE_CHECK_UNSIGNED);
	sign_by_tag(p, p->other, image);
	p->v.utc_ns += IMAGE_CHECKS_AGAIN_NS;
	assert_int_equal(ask(p, image, &k), IMAGE_CHECK_UNSIGNED);
	sign_by_bundle(p, p->key, image, "referrers", image);
	asked = p->asked;
	assert_int_equal(ask(p, image, &k), IMAGE_CHECK_UNSIGNED);
	assert_int_equal(p->asked, asked);
	p->v.utc_ns += IMAGE_CHECKS_AGAIN_NS;
	assert_int_equal(ask(p, image, &k), IMAGE_CHECK_SIGNED);
	assert_int_equal(state_of(p, CONFIG), IMAGE_CHECK_SIGNED);
}

/* Whoever asks for it where it is not signed holds up nobody who asks where it is. */
static void test_elsewhere(void **state)
{
	struct place *p = *state;
	char image[IMAGE_LAYOUT_DIGEST_SIZE], text[256];
	struct image_check k;

	put_image(p, image);
	sign_by_tag(p, p->key, image);
	snprintf(text, sizeof(text), "%s/other@%s", p->registry, image);
	assert_int_equal(image_checks_wish(p->v.v.images, text), 0);
	do
		event_base_loop(p->base, EVLOOP_ONCE);
	while (image_fetch_under_way(p->fetch) > 0);
	assert_int_equal(state_of(p, image), IMAGE_CHECK_FAILED);
	assert_int_equal(ask(p, image, &k), IMAGE_CHECK_SIGNED);
}

/* Another image's signature, under this one's tag. */
static void test_other_image(void **state)
{
	struct place *p = *state;
	char image[IMAGE_LAYOUT_DIGEST_SIZE], tag[COSIGN_TAG_SIZE];
	struct image_check k;
	struct thing *t;

	put_image(p, image);
	sign_by_tag(p, p->key, CONFIG);
	t = &p->things[p->n - 1];
	assert_int_equal(cosign_tag(image, ".sig", tag), 0);
	snprintf(t->path, sizeof(t->path), "/v2/a/b/manifests/%s", tag);
	assert_int_equal(ask(p, image, &k), IMAGE_CHECK_UNSIGNED);
}

/* What comes is not what the digest says, or nothing comes: neither signed nor unsigned. */
static void test_could_not(void **state)
{
	struct place *p = *state;
	char image[IMAGE_LAYOUT_DIGEST_SIZE];
	struct image_check k;

	assert_int_equal(ask(p, CONFIG, &k), IMAGE_CHECK_FAILED);
	put(p, "manifests", CONFIG, "{\"layers\":[],\"config\":{\"digest\":\"" CONFIG "\"}}");
	p->v.utc_ns += IMAGE_CHECKS_AGAIN_NS;
	assert_int_equal(ask(p, CONFIG, &k), IMAGE_CHECK_FAILED);
	assert_non_null(strstr(k.why, "what came for"));
	put_image(p, image);
	sign_by_tag(p, p->key, image);
	p->things[p->n - 2].status = 500; /* the payload */
	assert_int_equal(ask(p, image, &k), IMAGE_CHECK_FAILED);
	assert_non_null(strstr(k.why, "status 500"));
	p->things[p->n - 2].status = 0;
	p->things[p->n - 2].body.data[9] ^= 1;
	p->v.utc_ns += IMAGE_CHECKS_AGAIN_NS;
	assert_int_equal(ask(p, image, &k), IMAGE_CHECK_FAILED);
}

static void test_index(void **state)
{
	struct place *p = *state;
	char child[IMAGE_LAYOUT_DIGEST_SIZE], index[IMAGE_LAYOUT_DIGEST_SIZE], text[512];
	struct image_check k;

	put_image(p, child);
	snprintf(text, sizeof(text),
		 "{\"manifests\":[{\"digest\":\"%s\"},{\"digest\":\"sha256:%064d\"}]}", child, 7);
	put_by_digest(p, "manifests", text, index);
	assert_int_equal(ask(p, index, &k), IMAGE_CHECK_UNSIGNED);
	assert_int_equal(state_of(p, child), IMAGE_CHECK_UNKNOWN);
	assert_int_equal(state_of(p, CONFIG), IMAGE_CHECK_UNKNOWN);
	p->v.utc_ns += IMAGE_CHECKS_AGAIN_NS;
	sign_by_tag(p, p->key, index);
	assert_int_equal(ask(p, index, &k), IMAGE_CHECK_SIGNED);
	assert_int_equal(state_of(p, child), IMAGE_CHECK_SIGNED);
	assert_int_equal(state_of(p, CONFIG), IMAGE_CHECK_SIGNED);
}

static void test_token_and_redirect(void **state)
{
	struct place *p = *state;
	char image[IMAGE_LAYOUT_DIGEST_SIZE];
	struct image_check k;

	p->wants_token = true;
	p->redirect = p->plain;
	put_image(p, image);
	sign_by_tag(p, p->key, image);
	assert_int_equal(ask(p, image, &k), IMAGE_CHECK_SIGNED);
	/* Once for all, and to nobody else. */
	assert_int_equal(p->tokens, 1);
	assert_false(p->leaked);
}

/* Where a registry may send us: into itself; and not to this machine, by whatever name, nor to what is no HTTP. */
static void test_redirects(void **state)
{
	static const char *const bad[] = {
		"http://localhost:", "http://[::1]:", "http://x@127.0.0.1:", "//127.0.0.1:",
		"file://127.0.0.1:"};
	struct place *p = *state;
	char image[IMAGE_LAYOUT_DIGEST_SIZE], text[64];
	struct image_check k;
	uint32_t asked = 0;

	put_image(p, image);
	sign_by_tag(p, p->key, image);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(text, sizeof(text), "%s%d", bad[i], fake_http_port(p->http));
		p->redirect = text;
		p->v.utc_ns += IMAGE_CHECKS_AGAIN_NS;
		asked = p->asked;
		assert_int_equal(ask(p, image, &k), IMAGE_CHECK_FAILED);
		/* image, tag, blob, referrers and where those were kept before */
		assert_int_equal(p->asked, asked + 5);
		assert_non_null(strstr(k.why, i < 3 ? "an address of this machine" : "status 307"));
	}
	p->redirect = "";
	p->v.utc_ns += IMAGE_CHECKS_AGAIN_NS;
	assert_int_equal(ask(p, image, &k), IMAGE_CHECK_SIGNED);
}

/* A place of tokens is a registry's choice as well; and whoever was redirected to has none to offer. */
static void test_realms(void **state)
{
	struct place *p = *state;
	char image[IMAGE_LAYOUT_DIGEST_SIZE];
	struct image_check k;

	p->wants_token = true;
	snprintf(p->realm, sizeof(p->realm), "http://localhost:%d", fake_http_port(p->http));
	put_image(p, image);
	sign_by_tag(p, p->key, image);
	assert_int_equal(ask(p, image, &k), IMAGE_CHECK_FAILED);
	assert_int_equal(p->tokens, 0);
	p->wants_token = false;
	p->redirect = "/behind";
	p->v.utc_ns += IMAGE_CHECKS_AGAIN_NS;
	assert_int_equal(ask(p, image, &k), IMAGE_CHECK_FAILED);
	assert_non_null(strstr(k.why, "status 401"));
	assert_int_equal(p->tokens, 0);
}

/* Where pods whose image is not known yet are refused, anybody's unsigned manifest says nothing of what others run. */
static void test_poison(void **state)
{
	struct place *p = *state;
	char image[IMAGE_LAYOUT_DIGEST_SIZE];
	struct image_check k;

	image_fetch_free(p->fetch);
	open_fetch(p, false);
	put_image(p, image);
	assert_int_equal(ask(p, image, &k), IMAGE_CHECK_UNSIGNED);
	assert_int_equal(state_of(p, CONFIG), IMAGE_CHECK_UNKNOWN);
	p->v.utc_ns += IMAGE_CHECKS_AGAIN_NS;
	sign_by_tag(p, p->key, image);
	assert_int_equal(ask(p, image, &k), IMAGE_CHECK_SIGNED);
	assert_int_equal(state_of(p, CONFIG), IMAGE_CHECK_SIGNED);
}

/* It is given up; but not what was found by then. */
static void test_slow(void **state)
{
	struct place *p = *state;
	char child[IMAGE_LAYOUT_DIGEST_SIZE], index[IMAGE_LAYOUT_DIGEST_SIZE], text[512];
	struct image_check k;

	p->slow = true;
	put_image(p, child);
	assert_int_equal(ask(p, child, &k), IMAGE_CHECK_FAILED);
	assert_non_null(strstr(k.why, "took too long"));
	assert_int_equal(p->asked, 3);
	snprintf(text, sizeof(text), "{\"manifests\":[{\"digest\":\"%s\"}]}", child);
	put_by_digest(p, "manifests", text, index);
	sign_by_tag(p, p->key, index);
	assert_int_equal(ask(p, index, &k), IMAGE_CHECK_SIGNED);
	assert_int_equal(state_of(p, child), IMAGE_CHECK_SIGNED);
	assert_int_equal(state_of(p, CONFIG), IMAGE_CHECK_UNKNOWN);
}

/* Whoever makes a pod does not choose whom the verifier talks to. */
static void test_stranger(void **state)
{
	struct place *p = *state;
	char text[128];
	struct image_check k;

	snprintf(text, sizeof(text), "127.0.0.1:1/a/b@%s", CONFIG);
	assert_int_equal(image_checks_wish(p->v.v.images, text), 0);
	event_base_loop(p->base, EVLOOP_ONCE);
	assert_int_equal(image_checks_find(p->v.v.images, CONFIG, &k), 0);
	assert_int_equal(k.state, IMAGE_CHECK_FAILED);
	assert_non_null(strstr(k.why, "is not among image_registries"));
	assert_int_equal(p->asked, 0);
}

/* Ended in the middle of it. */
static void test_cancelled(void **state)
{
	struct place *p = *state;
	char image[IMAGE_LAYOUT_DIGEST_SIZE], text[256];

	put_image(p, image);
	snprintf(text, sizeof(text), "%s/a/b@%s", p->registry, image);
	assert_int_equal(image_checks_wish(p->v.v.images, text), 0);
	event_base_loop(p->base, EVLOOP_ONCE);
	assert_int_equal(image_fetch_under_way(p->fetch), 1);
	p->fetch = image_fetch_free(p->fetch);
	assert_int_equal(state_of(p, CONFIG), IMAGE_CHECK_UNKNOWN);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_tag),		  CASE(test_bundle),
		CASE(test_bundle_by_tag), CASE(test_unsigned),
		CASE(test_other_image),	  CASE(test_could_not),
		CASE(test_index),	  CASE(test_token_and_redirect),
		CASE(test_stranger),	  CASE(test_cancelled),
		CASE(test_slow),	  CASE(test_redirects),
		CASE(test_elsewhere),	  CASE(test_realms),
		CASE(test_poison),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
