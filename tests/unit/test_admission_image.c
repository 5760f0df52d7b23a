/* SPDX-License-Identifier: Apache-2.0 */
/* Pods' images: named by digest, signed as far as is known, wished for where nothing is known, wherever in a pod they stand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "admission.h"
#include "cleanup.h"

#define A "r.example/a@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "r.example/b@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define TAG "r.example/a:latest"
#define IN(list, image) "{\"" list "\":[{\"name\":\"c\",\"image\":\"" image "\"}]}"
#define BOTH(old, new) old "},\"oldObject\":{\"metadata\":{},\"spec\":" new

static const char *const exempt[] = {"kube-system"};
static struct admission_rules rules;
static struct admission_told told;
static struct sign_key *key;

static int find(void *ctx, const char *name, struct node_state *ret)
{
	(void)ctx;
	(void)name;
	(void)ret;
	return -ENOENT;
}

static void keep(void *ctx, const char *uid)
{
	(void)ctx;
	(void)uid;
}

static bool kept(void *ctx, const char *uid)
{
	(void)ctx;
	(void)uid;
	return false;
}

static int setup(void **state)
{
	(void)state;
	rules = (struct admission_rules){
		.allow_unknown = true, .image_digests = true, .exempt = exempt, .n_exempt = 1};
	assert_int_equal(sign_key_generate(SIGN_ED25519, &key), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rules.images = image_checks_free(rules.images);
	key = sign_key_free(key);
	return 0;
}

/* spec: of the pod; BOTH() puts the old one behind it. */
static bool ask(const char *operation, const char *sub, const char *namespace, const char *spec)
{
	const struct admission_world w = {.node = find, .tolerant = keep, .is_tolerant = kept};
	CLEANUP(buf_done) struct buf answer = {0};
	struct why why = {""};
	char text[4096];

	assert_true(snprintf(text, sizeof(text),
			     "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\","
			     "\"request\":{\"uid\":\"u\",\"resource\":{\"group\":\"\",\"version\":"
			     "\"v1\",\"resource\":\"pods\"},%s\"operation\":\"%s\",\"name\":\"p\","
			     "\"namespace\":\"%s\",\"userInfo\":{\"username\":\"alice\"},"
			     "\"object\":{\"metadata\":{},\"spec\":%s}}}",
			     sub, operation, namespace, spec) < (int)sizeof(text));
	assert_int_equal(admission_review(text, strlen(text), &rules, &w, &answer, &told, &why), 0);
	return !told.refused;
}

static bool create(const char *spec)
{
	return ask("CREATE", "", "default", spec);
}

static void test_digests(void **state)
{
	(void)state;
	assert_true(create(IN("containers", A)));
	assert_false(create(IN("containers", TAG)));
	assert_non_null(strstr(told.reason, "without a digest"));
	assert_false(create(IN("initContainers", TAG)));
	assert_false(create(IN("ephemeralContainers", TAG)));
	assert_false(create("{\"containers\":[{\"image\":\"" A "\"},{\"image\":\"" TAG "\"}]}"));
	assert_false(
		create("{\"volumes\":[{\"name\":\"v\",\"image\":{\"reference\":\"" TAG "\"}}]}"));
	assert_true(create("{\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}}]}"));
	/* What is no name, or none at all, is no image that anybody looked at. */
	assert_false(create("{\"containers\":[{\"name\":\"c\"}]}"));
	assert_false(create("{\"containers\":[{\"image\":7}]}"));
	assert_false(create(IN("containers", "../x@sha256:1")));
	assert_true(ask("CREATE", "", "kube-system", IN("containers", TAG)));
	rules.image_digests = false;
	assert_true(create(IN("containers", TAG)));
}

/* A pod that runs keeps what it has; nothing else joins it. */
static void test_changes(void **state)
{
	(void)state;
	assert_true(
		ask("UPDATE", "", "default", BOTH(IN("containers", TAG), IN("containers", TAG))));
	assert_int_equal(told.subject, ADMISSION_POD_CHANGE);
	assert_false(
		ask("UPDATE", "", "default", BOTH(IN("containers", TAG), IN("containers", A))));
	assert_false(ask("UPDATE", "\"subResource\":\"ephemeralcontainers\",", "default",
			 BOTH(IN("ephemeralContainers", TAG), IN("containers", A))));
	assert_true(ask("UPDATE", "\"subResource\":\"ephemeralcontainers\",", "default",
			BOTH(IN("ephemeralContainers", B), IN("containers", A))));
	/* Its status is the kubelet's, and no image runs by it. */
	assert_true(ask("UPDATE", "\"subResource\":\"status\",", "default",
			BOTH(IN("containers", TAG), IN("containers", A))));
}

static void put(const char *image, enum image_check_state s)
{
	struct image_check k = {.state = s, .why = "r.example: away"};

	snprintf(k.image, sizeof(k.image), "%s", strchr(image, '@') + 1);
	assert_int_equal(image_checks_put(rules.images, &k), 0);
}

static void test_signatures(void **state)
{
	char wish[IMAGE_CHECKS_MAX_NAME];

	(void)state;
	rules.image_digests = false;
	assert_int_equal(image_checks_open((const struct sign_key *const *)&key, 1, &rules.images),
			 0);
	/* A tag has no signature. */
	assert_false(create(IN("containers", TAG)));
	assert_int_equal(image_checks_take(rules.images, wish), -ENOENT);
	assert_false(create(IN("containers", A)));
	assert_non_null(strstr(told.reason, "not checked yet, try again"));
	assert_int_equal(image_checks_take(rules.images, wish), 0);
	assert_string_equal(wish, A);
	put(A, IMAGE_CHECK_FAILED);
	assert_false(create(IN("containers", A)));
	assert_non_null(strstr(told.reason, "r.example: away"));
	rules.allow_unchecked = true;
	assert_true(create(IN("containers", A)));
	assert_true(create(IN("containers", B)));
	put(A, IMAGE_CHECK_UNSIGNED);
	assert_false(create(IN("containers", A)));
	assert_non_null(strstr(told.reason, "not signed"));
	rules.allow_unchecked = false;
	put(A, IMAGE_CHECK_SIGNED);
	assert_true(create(IN("containers", A)));
	assert_false(create(IN("containers", B)));
	assert_false(create("{\"initContainers\":[{\"image\":\"" B
			    "\"}],\"containers\":[{\"image\":\"" A "\"}]}"));
}

static void test_too_many_wishes(void **state)
{
	char wish[32];

	(void)state;
	assert_int_equal(image_checks_open((const struct sign_key *const *)&key, 1, &rules.images),
			 0);
	for (unsigned int i = 0; i < IMAGE_CHECKS_MAX_WISHES; i++) {
		snprintf(wish, sizeof(wish), "%u", i);
		assert_int_equal(image_checks_wish(rules.images, wish), 0);
	}
	assert_false(create(IN("containers", A)));
	assert_non_null(strstr(told.reason, "too many wait"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {CASE(test_digests), CASE(test_changes),
					   CASE(test_signatures), CASE(test_too_many_wishes)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
