/* SPDX-License-Identifier: Apache-2.0 */
/* From keys in files to the answer that an API server gets: first "try again", then yes; and files that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "admission_desk.h"
#include "cosign.h"
#include "fake_http.h"
#include "image_service.h"
#include "verifier_fixture.h"

#define IMAGE                                                   \
	"{\"schemaVersion\":2,\"config\":{\"digest\":\"sha256:" \
	"cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc\"},\"layers\":[]}"

struct place {
	struct verifier_fixture v;
	struct event_base *base;
	struct fake_http *http;
	struct bound_nodes *nodes;
	struct sign_key *key;
	const char *registries[1];
	char image[IMAGE_LAYOUT_DIGEST_SIZE], payload[512], manifest[2048], file[128], registry[80];
};

static void on_request(void *ctx, const struct fake_http_request *q, struct fake_http_answer *a)
{
	struct place *p = ctx;

	if (strstr(q->path, "/manifests/sha256:"))
		fake_http_say(a, 200, IMAGE);
	else if (strstr(q->path, ".sig"))
		fake_http_say(a, 200, p->manifest);
	else if (strstr(q->path, "/blobs/"))
		fake_http_say(a, 200, p->payload);
	else
		fake_http_say(a, 404, "");
}

static void digest_text(const char *text, char ret[IMAGE_LAYOUT_DIGEST_SIZE])
{
	struct digest d;

	assert_int_equal(digest_sha256(text, strlen(text), &d), 0);
	memcpy(ret, "sha256:", 7);
	digest_hex(&d, ret + 7);
}

static void sign(struct place *p)
{
	struct buf sig = {0}, text = {0};
	char digest[IMAGE_LAYOUT_DIGEST_SIZE];

	digest_text(IMAGE, p->image);
	snprintf(p->payload, sizeof(p->payload),
		 "{\"critical\":{\"identity\":{\"docker-reference\":\"x\"},\"image\":{"
		 "\"docker-manifest-digest\":\"%s\"},\"type\":\"cosign container image "
		 "signature\"},\"optional\":null}",
		 p->image);
	digest_text(p->payload, digest);
	assert_int_equal(sign_make(p->key, p->payload, strlen(p->payload), &sig), 0);
	digest_base64(&text, sig.data, sig.size);
	snprintf(p->manifest, sizeof(p->manifest),
		 "{\"layers\":[{\"mediaType\":\"application/vnd.dev.cosign.simplesigning.v1+json\","
		 "\"digest\":\"%s\",\"annotations\":{\"dev.cosignproject.cosign/"
		 "signature\":\"%s\"}}]"
		 "}",
		 digest, (char *)text.data);
	buf_done(&sig);
	buf_done(&text);
}

static void write_file(const char *path, const void *data, size_t size)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
}

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	struct buf pem = {0};

	assert_non_null(p);
	verifier_fixture_open(&p->v);
	p->base = event_base_new();
	p->http = fake_http_open(p->base, NULL, NULL, on_request, p);
	snprintf(p->registry, sizeof(p->registry), "http://127.0.0.1:%d", fake_http_port(p->http));
	p->registries[0] = p->registry;
	assert_int_equal(sign_key_generate(SIGN_P256, &p->key), 0);
	assert_int_equal(sign_key_public_pem(p->key, &pem), 0);
	snprintf(p->file, sizeof(p->file), "%s/key.pem", p->v.dir);
	write_file(p->file, pem.data, pem.size);
	assert_int_equal(bound_nodes_open(&p->v.store, &p->nodes), 0);
	sign(p);
	buf_done(&pem);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	bound_nodes_free(p->nodes);
	fake_http_free(p->http);
	sign_key_free(p->key);
	verifier_fixture_done(&p->v);
	event_base_free(p->base);
	free(p);
	return 0;
}

static int start(struct place *p, const char *file, const char *ca, struct image_service **ret,
		 struct why *why)
{
	const char *const keys[] = {file};
	const struct image_service_options o = {
		.keys = keys,
		.n_keys = 1,
		.ca_file = ca,
		.fetch = {.registries = {.base = p->base,
					 .registries = p->registries,
					 .n_registries = 1}}};

	return image_service_open(&p->v.v, &o, ret, why);
}

#define REVIEW                                                                              \
	"{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":" \
	"{\"uid\":\"u\",\"resource\":{\"group\":\"\",\"resource\":\"pods\"},"               \
	"\"operation\":\"CREATE\",\"namespace\":\"default\",\"object\":{\"spec\":{"         \
	"\"containers\":[{\"image\":\"%s/a/b:1@%s\"}]}}}}"

/* What the API server gets. */
static void answer(struct place *p, struct admission_desk *d, struct buf *ret)
{
	char text[1024];

	snprintf(text, sizeof(text), REVIEW, p->registry + strlen("http://"), p->image);
	buf_clear(ret);
	assert_int_equal(admission_desk_answer(d, text, strlen(text), ret), 200);
	assert_int_equal(buf_status(ret), 0);
}

static void test_whole(void **state)
{
	struct place *p = *state;
	struct image_service *s = NULL;
	struct admission_desk *d = NULL;
	struct admission_rules rules = {.allow_unknown = true};
	struct buf b = {0};
	struct why why = {""};

	assert_int_equal(start(p, p->file, NULL, &s, &why), 0);
	rules.images = p->v.v.images;
	assert_non_null(rules.images);
	assert_int_equal(admission_desk_open(p->nodes, &rules, &d), 0);
	answer(p, d, &b);
	assert_non_null(strstr((char *)b.data, "\"allowed\":false"));
	assert_non_null(strstr((char *)b.data, "is not checked yet, try again"));
	for (int i = 0; i < 1000 && !strstr((char *)b.data, "\"allowed\":true"); i++) {
		event_base_loop(p->base, EVLOOP_ONCE);
		answer(p, d, &b);
	}
	assert_non_null(strstr((char *)b.data, "\"allowed\":true"));
	admission_desk_free(d);
	image_service_free(s);
	assert_null(p->v.v.images);
	buf_done(&b);
}

#define N_ASKERS 3

struct asker {
	pthread_t thread;
	struct place *place;
	struct admission_desk *desk;
	const atomic_bool *stop;
	atomic_bool allowed; /* and never refused again */
	atomic_uint bad;
};

static void *run_asker(void *ctx)
{
	struct asker *a = ctx;
	struct buf b = {0};
	char text[1024];

	snprintf(text, sizeof(text), REVIEW, a->place->registry + strlen("http://"),
		 a->place->image);
	while (!atomic_load(a->stop)) {
		bool allowed;

		buf_clear(&b);
		if (admission_desk_answer(a->desk, text, strlen(text), &b) != 200 ||
		    buf_status(&b) < 0) {
			atomic_fetch_add(&a->bad, 1);
			break;
		}
		allowed = strstr((char *)b.data, "\"allowed\":true") != NULL;
		if (!allowed && atomic_load(&a->allowed))
			atomic_fetch_add(&a->bad, 1);
		if (allowed)
			atomic_store(&a->allowed, true);
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	buf_done(&b);
	return NULL;
}

/* The webhook's threads ask and wish while the loop fetches; the desk outlives them, and they the registry's answer. */
static void test_threads(void **state)
{
	struct place *p = *state;
	struct image_service *s = NULL;
	struct admission_desk *d = NULL;
	struct admission_rules rules = {.allow_unknown = true};
	struct asker askers[N_ASKERS] = {0};
	atomic_bool stop = false;
	struct why why = {""};
	unsigned int n = 0, turns = 0;

	assert_int_equal(start(p, p->file, NULL, &s, &why), 0);
	rules.images = p->v.v.images;
	assert_int_equal(admission_desk_open(p->nodes, &rules, &d), 0);
	for (int i = 0; i < N_ASKERS; i++) {
		askers[i].place = p;
		askers[i].desk = d;
		askers[i].stop = &stop;
		assert_int_equal(pthread_create(&askers[i].thread, NULL, run_asker, &askers[i]), 0);
	}
	for (; n < N_ASKERS && turns < 20000; turns++) {
		event_base_loop(p->base, EVLOOP_NONBLOCK);
		nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
		n = 0;
		for (int i = 0; i < N_ASKERS; i++)
			n += atomic_load(&askers[i].allowed);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < N_ASKERS; i++) {
		assert_int_equal(pthread_join(askers[i].thread, NULL), 0);
		assert_int_equal(atomic_load(&askers[i].bad), 0);
	}
	assert_int_equal(n, N_ASKERS);
	admission_desk_free(d);
	image_service_free(s);
}

static void test_files(void **state)
{
	struct place *p = *state;
	struct image_service *s = NULL;
	struct why why = {""};
	char path[160];

	snprintf(path, sizeof(path), "%s/none.pem", p->v.dir);
	assert_int_equal(start(p, path, NULL, &s, &why), -ENOENT);
	assert_non_null(strstr(why.text, "none.pem"));
	write_file(path, "hello", 5);
	assert_true(start(p, path, NULL, &s, &why) < 0);
	assert_non_null(strstr(why.text, "none.pem"));
	assert_true(start(p, p->file, path, &s, &why) < 0);
	assert_null(p->v.v.images);
	assert_null(s);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {CASE(test_whole), CASE(test_threads), CASE(test_files)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
