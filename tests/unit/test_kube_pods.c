/* SPDX-License-Identifier: Apache-2.0 */
/* Which pods are asked to leave a node, and with what words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>

#include "cleanup.h"
#include "kube_json.h"
#include "kube_pods.h"

#define POD(name, meta, rest)                                                                      \
	"{\"metadata\":{\"namespace\":\"ns\",\"name\":\"" name "\",\"uid\":\"aa-1\"" meta "}" rest \
	"}"
#define LIST(pods) "{\"items\":[" pods "]}"

static const struct row {
	const char *pod;
	bool leaves;
} rows[] = {
	{POD("a", "", ""), true},
	{POD("a", "", ",\"status\":{\"phase\":\"Pending\"}"), true},
	{POD("a", "", ",\"status\":{\"phase\":\"Succeeded\"}"), false},
	{POD("a", "", ",\"status\":{\"phase\":\"Failed\"}"), false},
	{POD("a", ",\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"", ""), false},
	{POD("a", ",\"annotations\":{\"kubernetes.io/config.mirror\":\"x\"}", ""), false},
	{POD("a", ",\"ownerReferences\":[{\"kind\":\"DaemonSet\",\"controller\":true}]", ""),
	 false},
	{POD("a", ",\"ownerReferences\":[{\"kind\":\"DaemonSet\",\"controller\":false}]", ""),
	 true},
	{POD("a", ",\"ownerReferences\":[{\"kind\":\"ReplicaSet\",\"controller\":true}]", ""),
	 true},
	{POD("a", ",\"annotations\":{\"x\":\"\\u0000\"}", ""), true},
	{POD("a", "",
	     ",\"spec\":{\"volumes\":[{\"csi\":{\"volumeAttributes\":{\"\\u0000\":\"x\"}}}]}"),
	 true},
	{POD("a\\u0000", "", ""), false},
	{POD("../../nodes/x", "", ""), false},
	{POD("a?b", "", ""), false},
	{POD("", "", ""), false},
	{"{\"metadata\":{\"namespace\":\"a/b\",\"name\":\"a\",\"uid\":\"aa\"}}", false},
	{"{\"metadata\":{\"namespace\":\"ns\",\"name\":\"a\",\"uid\":\"\"}}", false},
	{"{\"metadata\":{\"namespace\":\"ns\",\"name\":\"a\",\"uid\":7}}", false},
	{"{}", false},
	{"7", false},
};

static void test_who_leaves(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kube_pods p = {.n = 0};
		CLEANUP(buf_done) struct buf more = {0};
		struct why why;
		char list[1024];

		snprintf(list, sizeof(list), LIST("%s," POD("last", "", "")), rows[i].pod);
		assert_int_equal(kube_pods_read(list, strlen(list), &p, &more, &why), 0);
		if (p.n != 1u + rows[i].leaves)
			fail_msg("%s: %u leave", rows[i].pod, p.n);
		assert_string_equal(p.all[p.n - 1].name, "last");
		kube_pods_done(&p);
	}
}

static void test_no_list(void **state)
{
	static const char *const bad[] = {"", "null", "[]", "{}", "{\"items\":{}}", "{\"items\":[",
					  "x"};
	CLEANUP(buf_done) struct buf more = {0};
	struct kube_pods p = {.n = 0};
	struct why why;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(kube_pods_read(bad[i], strlen(bad[i]), &p, &more, &why), -EBADMSG);
	assert_null(p.all);
}

/* Arguments that say nothing take the most room when they are read: a smaller page is asked for then. */
static void test_too_many_values(void **state)
{
	CLEANUP(buf_done) struct buf b = {0}, more = {0};
	struct kube_pods p = {.n = 0};
	struct why why;

	(void)state;
	buf_puts(&b, "{\"items\":[{\"spec\":{\"containers\":[{\"args\":[\"\"");
	for (size_t i = 0; i < KUBE_JSON_MAX_SIGNS; i++)
		buf_puts(&b, ",\"\"");
	buf_puts(&b, "]}]}}]}");
	assert_true(b.size < KUBE_PODS_MAX_PAGE);
	assert_int_equal(kube_pods_read(b.data, b.size, &p, &more, &why), -E2BIG);
	assert_null(p.all);
}

/* Page after page, and no more than there is room for. */
static void test_pages(void **state)
{
	static const char page[] = "{\"metadata\":{\"continue\":\"next/1\"},\"items\":[" POD(
		"a", "", "") "," POD("b", "", "") "," POD("c", "", "") "]}";
	CLEANUP(buf_done) struct buf more = {0};
	struct kube_pods p = {.n = 0};
	struct why why;

	(void)state;
	for (uint32_t i = 1; i <= KUBE_PODS_MAX / 3; i++) {
		assert_int_equal(kube_pods_read(page, strlen(page), &p, &more, &why), 0);
		assert_int_equal(p.n, i * 3);
		assert_string_equal((char *)more.data, "next%2F1");
	}
	assert_int_equal(kube_pods_read(page, strlen(page), &p, &more, &why), 0);
	assert_int_equal(p.n, KUBE_PODS_MAX);
	assert_string_equal(p.all[KUBE_PODS_MAX - 1].name, "a");
	assert_int_equal(kube_pods_read("{\"items\":[]}", 12, &p, &more, &why), 0);
	assert_int_equal(more.size, 0);
	assert_int_equal(p.n, KUBE_PODS_MAX);
	kube_pods_done(&p);
}

/* This very pod: another one of its name is none of our business. */
static void test_words(void **state)
{
	const struct kube_pod p = {"ns", "a", "aa-1"};
	CLEANUP(buf_done) struct buf b = {0}, d = {0};

	(void)state;
	assert_int_equal(kube_pods_eviction(&p, "policy/v1", &b), 0);
	assert_string_equal(
		(char *)b.data,
		"{\"apiVersion\":\"policy/"
		"v1\",\"kind\":\"Eviction\",\"metadata\":{\"name\":\"a\",\"namespace\":\"ns\"},"
		"\"deleteOptions\":{\"preconditions\":{\"uid\":\"aa-1\"}}}");
	assert_int_equal(kube_pods_delete(&p, &d), 0);
	assert_string_equal((char *)d.data, "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\","
					    "\"preconditions\":{\"uid\":\"aa-1\"}}");
}

static void test_policy(void **state)
{
	static const char both[] =
		"{\"versions\":[{\"version\":\"v1\"},{\"version\":\"v1beta1\"}]}",
			  old[] = "{\"versions\":[{\"version\":\"v1beta1\"}]}";

	(void)state;
	assert_string_equal(kube_pods_policy(both, strlen(both)), "policy/v1");
	assert_string_equal(kube_pods_policy(old, strlen(old)), "policy/v1beta1");
	assert_string_equal(kube_pods_policy("x", 1), "policy/v1beta1");
	assert_string_equal(kube_pods_policy("", 0), "policy/v1beta1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_leaves),	cmocka_unit_test(test_no_list),
		cmocka_unit_test(test_too_many_values), cmocka_unit_test(test_pages),
		cmocka_unit_test(test_words),		cmocka_unit_test(test_policy)};

	return cmocka_run_group_tests_name("kube_pods", tests, NULL, NULL);
}
