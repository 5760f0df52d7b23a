/* SPDX-License-Identifier: Apache-2.0 */
/* What the API says of a pod's token: whose, for whom, of which pod and node; and every way in which it proves nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "token_review.h"

#define SA "\"username\":\"system:serviceaccount:plumbline:plumbd\""
#define POD                                                                                        \
	"\"authentication.kubernetes.io/pod-name\":[\"plumbd-x\"],\"authentication.kubernetes.io/" \
	"pod-uid\":[\"aa-1\"]"
#define NODE                                                                                   \
	",\"authentication.kubernetes.io/node-name\":[\"n1\"],\"authentication.kubernetes.io/" \
	"node-uid\":[\"bb-2\"]"
#define AUD "\"audiences\":[\"x\",\"plumb-verifier\"]"
#define REVIEW(auth, user, extra, aud)                                                     \
	"{\"kind\":\"TokenReview\",\"status\":{\"authenticated\":" auth ",\"user\":{" user \
	",\"extra\":{" extra "}}," aud "}}"
#define A_POD(name, uid, space, account, node)                                                  \
	"{\"kind\":\"Pod\",\"metadata\":{\"name\":\"" name "\",\"uid\":\"" uid                  \
	"\",\"namespace\":\"" space "\"},\"spec\":{\"serviceAccountName\":\"" account "\"" node \
	"}}"

static const struct token_review_wants wants = {"plumb-verifier", "plumbline", "plumbd"};

static int read_it(const char *text, struct token_review *ret, struct why *ret_why)
{
	return token_review_read(text, strlen(text), &wants, ret, ret_why);
}

static void test_body(void **state)
{
	struct buf b = {0};

	(void)state;
	assert_int_equal(token_review_body("a.b-c_d", "plumb-verifier", &b), 0);
	assert_string_equal((char *)b.data,
			    "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenReview\","
			    "\"spec\":{\"token\":\"a.b-c_d\",\"audiences\":[\"plumb-verifier\"]}}");
	buf_done(&b);
}

static void test_good(void **state)
{
	struct token_review t;
	struct why why = {""};

	(void)state;
	assert_int_equal(read_it(REVIEW("true", SA, POD NODE, AUD), &t, &why), 0);
	assert_string_equal(t.pod, "plumbd-x");
	assert_string_equal(t.pod_uid, "aa-1");
	assert_string_equal(t.node, "n1");
	assert_string_equal(t.node_uid, "bb-2");
	/* Before 1.30. */
	assert_int_equal(read_it(REVIEW("true", SA, POD, AUD), &t, &why), 0);
	assert_string_equal(t.node, "");
	assert_string_equal(t.node_uid, "");
}

static void test_nothing_proven(void **state)
{
	static const struct {
		const char *text, *why;
		int r;
	} bad[] = {
		{REVIEW("false", SA, POD NODE, AUD), "does not know", -EKEYREJECTED},
		{REVIEW("\"true\"", SA, POD NODE, AUD), "does not know", -EKEYREJECTED},
		{"{\"kind\":\"TokenReview\",\"status\":{\"error\":\"token has expired\"}}",
		 "token has expired", -EKEYREJECTED},
		{REVIEW("true", SA, POD NODE, "\"audiences\":[\"https://kubernetes\"]"),
		 "not for audience", -EKEYREJECTED},
		{REVIEW("true", SA, POD NODE, "\"other\":1"), "not for audience", -EKEYREJECTED},
		{REVIEW("true", SA, POD NODE, "\"audiences\":\"plumb-verifier\""),
		 "not for audience", -EKEYREJECTED},
		{REVIEW("true", "\"username\":\"system:serviceaccount:default:plumbd\"", POD NODE,
			AUD),
		 "default:plumbd's", -EKEYREJECTED},
		{REVIEW("true", "\"username\":\"system:serviceaccount:plumbline:plumbd2\"", POD,
			AUD),
		 "plumbd2's", -EKEYREJECTED},
		{REVIEW("true", "\"username\":\"system:node:n1\"", POD, AUD), "system:node:n1's",
		 -EKEYREJECTED},
		{REVIEW("true", "\"uid\":\"1\"", POD, AUD), "'s", -EKEYREJECTED},
		{REVIEW("true", SA, "", AUD), "bound to no pod", -EKEYREJECTED},
		{REVIEW("true", SA, "\"authentication.kubernetes.io/pod-name\":[\"x\"]", AUD),
		 "bound to no pod", -EKEYREJECTED},
		{REVIEW("true", SA,
			"\"authentication.kubernetes.io/pod-name\":[\"../x\"],\"authentication."
			"kubernetes.io/pod-uid\":[\"aa-1\"]",
			AUD),
		 "bound to no pod", -EKEYREJECTED},
		{REVIEW("true", SA,
			"\"authentication.kubernetes.io/pod-name\":[\"x\",\"y\"],"
			"\"authentication.kubernetes.io/pod-uid\":[\"aa-1\"]",
			AUD),
		 "bound to no pod", -EKEYREJECTED},
		{REVIEW("true", SA, POD ",\"authentication.kubernetes.io/node-name\":[\"n1/x\"]",
			AUD),
		 "no name", -EKEYREJECTED},
		{"{\"kind\":\"Status\",\"status\":{\"authenticated\":true}}", "no TokenReview",
		 -EBADMSG},
		{"{\"kind\":\"TokenReview\"}", "no TokenReview", -EBADMSG},
		{"{\"kind\":\"TokenReview\",\"status\":{},\"status\":{}}", "no TokenReview",
		 -EBADMSG},
		{"[]", "no TokenReview", -EBADMSG},
		{"", "no TokenReview", -EBADMSG},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct token_review t = {.pod = "as it was"};
		struct why why = {""};

		assert_int_equal(read_it(bad[i].text, &t, &why), bad[i].r);
		if (!strstr(why.text, bad[i].why))
			fail_msg("%zu: %s", i, why.text);
		assert_string_equal(t.pod, "as it was");
	}
}

static void test_pod(void **state)
{
	static const struct {
		const char *text, *why;
		int r;
	} bad[] = {
		{A_POD("plumbd-x", "aa-2", "plumbline", "plumbd", ",\"nodeName\":\"n1\""),
		 "another one", -EKEYREJECTED},
		{A_POD("plumbd-y", "aa-1", "plumbline", "plumbd", ",\"nodeName\":\"n1\""),
		 "another one", -EKEYREJECTED},
		{A_POD("plumbd-x", "aa-1", "default", "plumbd", ",\"nodeName\":\"n1\""),
		 "another one", -EKEYREJECTED},
		{A_POD("plumbd-x", "aa-1", "plumbline", "default", ",\"nodeName\":\"n1\""),
		 "another account", -EKEYREJECTED},
		{A_POD("plumbd-x", "aa-1", "plumbline", "plumbd", ""), "on no node", -EKEYREJECTED},
		{A_POD("plumbd-x", "aa-1", "plumbline", "plumbd", ",\"nodeName\":\"n1/../n2\""),
		 "on no node", -EKEYREJECTED},
		{"{}", "no Pod", -EBADMSG},
		{"nonsense", "no Pod", -EBADMSG},
	};
	const char *good = A_POD("plumbd-x", "aa-1", "plumbline", "plumbd", ",\"nodeName\":\"n1\"");
	struct token_review t = {.pod = "plumbd-x", .pod_uid = "aa-1"};
	struct why why = {""};

	(void)state;
	assert_int_equal(token_review_pod(good, strlen(good), &wants, &t, &why), 0);
	assert_string_equal(t.node, "n1");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		t.node[0] = 0;
		assert_int_equal(
			token_review_pod(bad[i].text, strlen(bad[i].text), &wants, &t, &why),
			bad[i].r);
		if (!strstr(why.text, bad[i].why))
			fail_msg("%zu: %s", i, why.text);
		assert_string_equal(t.node, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_body),
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_nothing_proven),
		cmocka_unit_test(test_pod),
	};

	return cmocka_run_group_tests_name("token_review", tests, NULL, NULL);
}
