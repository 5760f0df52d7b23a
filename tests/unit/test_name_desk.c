/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine gets the name of the node that its agent's pod runs on: once the API knows the token, and evidence and Node are of one boot. One
 * name, one EK; a token once for one EK; nobody gets a name because the API is away.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "api_fixture.h"
#include "fake_http.h"
#include "name_desk.h"

#define BOOT "11111111-2222-3333-4444-555555555555"
#define OTHER_BOOT "99999999-2222-3333-4444-555555555555"
#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static struct api_fixture f;
static struct fake_http *api;
static struct name_desk *desk;
static char server[64];

/* The API: token "t.NODE" is of the pod "p-NODE" on NODE, until `bad`; `old`: as before 1.30, when the Pod has to say it. */
static bool bad, old;
static int fail_review, fail_pod, fail_node;
static const char *node_boot, *node_uid, *pod_uid;
static unsigned int n_reviews, n_pods, n_nodes;
static char body[1024];
static const char *instead; /* the next review is answered when this token came for the machine */

static void say_review(const struct fake_http_request *q, struct fake_http_answer *a)
{
	const char *token = strstr(q->body, "\"token\":\"t.");
	char node[64] = "", text[1024];

	n_reviews++;
	if (instead)
		name_desk_take(desk, ID_A, instead);
	instead = NULL;
	snprintf(body, sizeof(body), "%s", q->body);
	if (token)
		snprintf(node, sizeof(node), "%.*s", (int)strcspn(token + 11, "\"-"), token + 11);
	if (bad || !token) {
		fake_http_say(
			a, 201,
			"{\"kind\":\"TokenReview\",\"status\":{\"error\":\"token expired\"}}");
		return;
	}
	snprintf(text, sizeof(text),
		 "{\"kind\":\"TokenReview\",\"status\":{\"authenticated\":true,\"audiences\":["
		 "\"plumb-verifier\"],\"user\":{\"username\":\"system:serviceaccount:plumbline:"
		 "plumbd\",\"extra\":{\"authentication.kubernetes.io/pod-name\":[\"p-%s\"],"
		 "\"authentication.kubernetes.io/pod-uid\":[\"aa-1\"]",
		 node);
	if (!old)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 ",\"authentication.kubernetes.io/node-name\":[\"%s\"],"
			 "\"authentication.kubernetes.io/node-uid\":[\"bb-2\"]",
			 node);
	snprintf(text + strlen(text), sizeof(text) - strlen(text), "}}}}");
	fake_http_say(a, fail_review ? fail_review : 201, fail_review ? "{}" : text);
}

static void say_pod(const char *name, struct fake_http_answer *a)
{
	char text[512];

	n_pods++;
	snprintf(text, sizeof(text),
		 "{\"metadata\":{\"name\":\"%s\",\"uid\":\"%s\",\"namespace\":\"plumbline\","
		 "\"note\":\"\\u0000\"},"
		 "\"spec\":{\"serviceAccountName\":\"plumbd\",\"nodeName\":\"%s\"}}",
		 name, pod_uid, name + 2);
	if (fail_pod == 404)
		fake_http_say(a, 404, "{\"kind\":\"Status\",\"reason\":\"NotFound\",\"code\":404}");
	else
		fake_http_say(a, fail_pod ? fail_pod : 200, fail_pod ? "{}" : text);
}

static void say_node(const char *name, struct fake_http_answer *a)
{
	char text[512];

	n_nodes++;
	snprintf(text, sizeof(text),
		 "{\"metadata\":{\"name\":\"%s\",\"uid\":\"%s\",\"resourceVersion\":\"1\",\"note\":"
		 "\"\\u0000\"},"
		 "\"spec\":{},\"status\":{\"nodeInfo\":{\"bootID\":\"%s\"}}}",
		 name, node_uid, node_boot);
	fake_http_say(a, fail_node ? fail_node : 200, fail_node ? "{}" : text);
}

static void on_request(void *ctx, const struct fake_http_request *q, struct fake_http_answer *a)
{
	static const char pods[] = "/api/v1/namespaces/plumbline/pods/",
			  some_nodes[] = "/api/v1/nodes/";

	(void)ctx;
	if (strcmp(q->method, "POST") == 0 &&
	    strcmp(q->path, "/apis/authentication.k8s.io/v1/tokenreviews") == 0)
		say_review(q, a);
	else if (strncmp(q->path, pods, strlen(pods)) == 0)
		say_pod(q->path + strlen(pods), a);
	else if (strncmp(q->path, some_nodes, strlen(some_nodes)) == 0)
		say_node(q->path + strlen(some_nodes), a);
	else
		fail_msg("%s %s", q->method, q->path);
}

static void open_desk(void)
{
	const struct name_desk_options o = {.v = &f.v,
					    .contain = f.contain,
					    .kube = {.base = f.base, .server = server},
					    .account = "plumbline:plumbd",
					    .audience = "plumb-verifier",
					    .look_ms = 1};
	struct why why = {""};

	desk = name_desk_free(desk);
	assert_int_equal(name_desk_open(&o, &desk, &why), 0);
}

static int setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	api_fixture_open(&f);
	api = fake_http_open(f.base, NULL, NULL, on_request, NULL);
	snprintf(server, sizeof(server), "http://127.0.0.1:%d", fake_http_port(api));
	bad = old = false;
	fail_review = fail_pod = fail_node = 0;
	n_reviews = n_pods = n_nodes = 0;
	instead = NULL;
	node_boot = BOOT;
	node_uid = "bb-2";
	pod_uid = "aa-1";
	open_desk();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	desk = name_desk_free(desk);
	fake_http_free(api);
	api_fixture_done(&f);
	return 0;
}

static void put_row(const char *id, const char *boot, const char *name, enum plumb_life life)
{
	struct store_node n = {.version = 0};

	if (f.store.ops->node_get(f.store.ctx, id, &n) < 0)
		snprintf(n.id, sizeof(n.id), "%s", id);
	snprintf(n.label, sizeof(n.label), "label-%.1s", id);
	snprintf(n.kube_name, sizeof(n.kube_name), "%s", name);
	snprintf(n.boot_id, sizeof(n.boot_id), "%s", boot);
	n.incarnation = n.incarnation ? n.incarnation : 1;
	n.life = life;
	assert_int_equal(f.store.ops->begin(f.store.ctx), 0);
	assert_int_equal(f.store.ops->node_put(f.store.ctx, &n), 0);
	assert_int_equal(f.store.ops->commit(f.store.ctx), 0);
	store_node_done(&n);
}

static void active(const char *id, const char *boot)
{
	put_row(id, boot, "", PLUMB_LIFE_ACTIVE);
}

static const char *name_of(const char *id)
{
	static char name[254];
	struct store_node n = {.version = 0};

	api_fixture_row(&f, id, &n);
	snprintf(name, sizeof(name), "%s", n.kube_name);
	store_node_done(&n);
	return name;
}

static struct name_counts counts(void)
{
	struct name_counts n;

	name_desk_counts(desk, &n);
	return n;
}

/* So many seconds on the verifier's clock, each with time for what is on its way. */
static void pass(unsigned int s)
{
	const struct timeval tv = {0, 12000};

	for (unsigned int i = 0; i <= s; i++) {
		event_base_loopexit(f.base, &tv);
		event_base_loop(f.base, 0);
		f.boot_ns += 1000000000;
		f.utc_ns += 1000000000;
	}
}

static void until(const uint64_t *counter, struct name_counts *n)
{
	for (int i = 0; i < 300 && *counter == 0; i++) {
		pass(0);
		*n = counts();
	}
	assert_true(*counter > 0);
}

#define UNTIL(member)                             \
	do {                                      \
		struct name_counts n_ = counts(); \
		until(&n_.member, &n_);           \
	} while (0)

static void test_bound(void **state)
{
	(void)state;
	active(ID_A, "");
	name_desk_take(desk, ID_A, "t.n1");
	pass(5);
	assert_int_equal(n_reviews, 1);
	assert_int_equal(n_pods, 0); /* the token says it */
	assert_non_null(strstr(body, "\"audiences\":[\"plumb-verifier\"]"));
	/* Not before its evidence says which boot it is of. */
	assert_int_equal(n_nodes, 0);
	assert_string_equal(name_of(ID_A), "");
	active(ID_A, BOOT);
	UNTIL(bound);
	assert_string_equal(name_of(ID_A), "n1");
	assert_int_equal(api_fixture_log_has(&f, "\"action\":\"bind\""), 1);
	assert_int_equal(api_fixture_log_has(&f, "of Kubernetes node n1"), 1);
	assert_int_equal(api_fixture_log_has(&f, "t.n1"), 0);
	/* And is left alone from then on; the same again is nothing. */
	n_nodes = 0;
	pass(5);
	name_desk_take(desk, ID_A, "t.n1");
	pass(5);
	assert_int_equal(n_nodes, 0);
	assert_int_equal(counts().refused, 0);
	assert_int_equal(api_fixture_log_has(&f, "\"action\":\"bind\""), 1);
}

static void test_the_pod_says_it(void **state)
{
	(void)state;
	old = true;
	active(ID_A, BOOT);
	name_desk_take(desk, ID_A, "t.n1");
	UNTIL(bound);
	assert_int_equal(n_pods, 1);
	assert_string_equal(name_of(ID_A), "n1");
}

static void test_another_pod(void **state)
{
	(void)state;
	old = true;
	pod_uid = "aa-9";
	active(ID_A, BOOT);
	name_desk_take(desk, ID_A, "t.n1");
	UNTIL(refused);
	assert_string_equal(name_of(ID_A), "");
	fail_pod = 404;
	name_desk_take(desk, ID_A, "t.n1");
	pass(5);
	assert_int_equal(counts().refused, 2);
	assert_string_equal(name_of(ID_A), "");
}

static void test_false_token(void **state)
{
	(void)state;
	bad = true;
	active(ID_A, BOOT);
	name_desk_take(desk, ID_A, "t.n1");
	UNTIL(refused);
	pass(5);
	assert_string_equal(name_of(ID_A), "");
	assert_int_equal(n_reviews, 1); /* an answer, not asked again */
}

/* Another boot, another Node: the agent's word and the kubelet's are not of one machine. */
static void test_boot(void **state)
{
	(void)state;
	node_boot = OTHER_BOOT;
	active(ID_A, BOOT);
	name_desk_take(desk, ID_A, "t.n1");
	pass(10);
	assert_true(n_nodes > 1);
	assert_string_equal(name_of(ID_A), "");
	assert_int_equal(counts().refused, 0);
	node_boot = "";
	pass(5);
	assert_string_equal(name_of(ID_A), "");
	/* The kubelet of before the reboot had not told yet. */
	node_boot = BOOT;
	UNTIL(bound);
	assert_string_equal(name_of(ID_A), "n1");
}

static void test_boot_never(void **state)
{
	(void)state;
	node_boot = OTHER_BOOT;
	active(ID_A, BOOT);
	name_desk_take(desk, ID_A, "t.n1");
	pass(5);
	f.utc_ns += NAME_CLAIMS_LIFE_S * 1000000000;
	UNTIL(refused);
	node_boot = BOOT;
	pass(5);
	assert_string_equal(name_of(ID_A), "");
}

static void test_another_node(void **state)
{
	(void)state;
	node_uid = "cc-3"; /* deleted and made anew since */
	active(ID_A, BOOT);
	name_desk_take(desk, ID_A, "t.n1");
	UNTIL(refused);
	node_uid = "bb-2";
	pass(5);
	assert_string_equal(name_of(ID_A), "");
	assert_int_equal(api_fixture_log_has(&f, "refused: the Node n1 is another one"), 1);
}

/* Who stole a token of another machine's pod gets no name by it, whoever comes first. */
static void test_replayed(void **state)
{
	(void)state;
	active(ID_A, BOOT);
	active(ID_B, BOOT);
	name_desk_take(desk, ID_A, "t.n1");
	UNTIL(bound);
	name_desk_take(desk, ID_B, "t.n1");
	UNTIL(refused);
	assert_string_equal(name_of(ID_B), "");
	assert_int_equal(api_fixture_log_has(&f, "it is replayed"), 1);
	/* Nor when the machine is gone, and its name free: after a start, too. */
	put_row(ID_A, BOOT, "n1", PLUMB_LIFE_RETIRED);
	open_desk();
	name_desk_take(desk, ID_B, "t.n1");
	UNTIL(refused);
	assert_string_equal(name_of(ID_B), "");
	/* A token of its own. */
	name_desk_take(desk, ID_B, "t.n1-2");
	UNTIL(bound);
	assert_string_equal(name_of(ID_B), "n1");
}

static void test_one_name_one_machine(void **state)
{
	(void)state;
	put_row(ID_A, BOOT, "n1", PLUMB_LIFE_ACTIVE);
	active(ID_B, BOOT);
	name_desk_take(desk, ID_B, "t.n1-3");
	UNTIL(refused);
	assert_string_equal(name_of(ID_B), "");
	assert_string_equal(name_of(ID_A), "n1");
	/* A machine that a person bound is not renamed by a token. */
	name_desk_take(desk, ID_A, "t.n2");
	pass(5);
	assert_int_equal(counts().refused, 2);
	assert_string_equal(name_of(ID_A), "n1");
	assert_int_equal(api_fixture_log_has(&f, "refused: "), 2);
}

/* Bound by a person between the token and the evidence. */
static void test_taken_meanwhile(void **state)
{
	(void)state;
	active(ID_A, "");
	name_desk_take(desk, ID_A, "t.n1");
	pass(5);
	put_row(ID_B, BOOT, "n1", PLUMB_LIFE_ACTIVE);
	active(ID_A, BOOT);
	UNTIL(refused);
	assert_string_equal(name_of(ID_A), "");
}

static void test_not_admitted(void **state)
{
	(void)state;
	put_row(ID_A, BOOT, "", PLUMB_LIFE_REVOKED);
	name_desk_take(desk, ID_A, "t.n1");
	UNTIL(refused);
	assert_string_equal(name_of(ID_A), "");
	/* None that is known. */
	name_desk_take(desk, ID_B, "t.n2");
	pass(5);
	assert_int_equal(counts().refused, 2);
}

/* "Could not be checked" binds nobody, and is tried again. */
static void test_api_away(void **state)
{
	(void)state;
	active(ID_A, BOOT);
	active(ID_B, BOOT);
	fail_review = 503;
	name_desk_take(desk, ID_A, "t.n1");
	name_desk_take(desk, ID_B, "t.n2");
	pass(20);
	assert_true(n_reviews >= 4);
	assert_int_equal(counts().refused + counts().bound, 0);
	assert_string_equal(name_of(ID_A), "");
	fail_review = 403; /* our rights */
	pass(40);
	assert_int_equal(counts().refused + counts().bound, 0);
	fail_review = 0;
	fail_node = 503;
	pass(40);
	assert_true(n_nodes > 0);
	assert_string_equal(name_of(ID_A), "");
	assert_int_equal(counts().refused, 0);
	fail_node = 0;
	UNTIL(bound);
	pass(10);
	assert_string_equal(name_of(ID_A), "n1");
	assert_string_equal(name_of(ID_B), "n2");
}

static void test_in_vain(void **state)
{
	(void)state;
	active(ID_A, BOOT);
	fail_review = 503;
	name_desk_take(desk, ID_A, "t.n1");
	pass(3);
	f.boot_ns += NAME_DESK_WAIT_MS * 1000000ull;
	UNTIL(unchecked);
	fail_review = 0;
	n_reviews = 0;
	pass(5);
	assert_int_equal(n_reviews, 0);
	assert_string_equal(name_of(ID_A), "");
}

static void test_over_a_start(void **state)
{
	(void)state;
	active(ID_A, "");
	name_desk_take(desk, ID_A, "t.n1");
	pass(5);
	open_desk();
	pass(5);
	active(ID_A, BOOT);
	UNTIL(bound);
	assert_string_equal(name_of(ID_A), "n1");
	assert_int_equal(n_reviews, 1);
}

static void test_enrolled_anew(void **state)
{
	struct store_node n = {.version = 0};

	(void)state;
	active(ID_A, "");
	name_desk_take(desk, ID_A, "t.n1");
	pass(5);
	api_fixture_row(&f, ID_A, &n);
	n.incarnation++;
	snprintf(n.boot_id, sizeof(n.boot_id), "%s", BOOT);
	assert_int_equal(f.store.ops->begin(f.store.ctx), 0);
	assert_int_equal(f.store.ops->node_put(f.store.ctx, &n), 0);
	assert_int_equal(f.store.ops->commit(f.store.ctx), 0);
	store_node_done(&n);
	UNTIL(refused);
	assert_string_equal(name_of(ID_A), "");
}

static void test_too_many(void **state)
{
	char id[65];

	(void)state;
	fail_review = 503;
	for (unsigned int i = 0; i < NAME_DESK_MAX + 3; i++) {
		snprintf(id, sizeof(id), "%064u", i);
		name_desk_take(desk, id, "t.n1");
	}
	assert_int_equal(counts().unchecked, 3);
	/* Who has a place may have another token in it. */
	snprintf(id, sizeof(id), "%064u", NAME_DESK_MAX - 1);
	name_desk_take(desk, id, "t.n1-2");
	assert_int_equal(counts().unchecked, 3);
	name_desk_take(NULL, ID_A, "t.n1"); /* nobody asks */
}

/* A machine that enrols again and again has one place, and its last token in it. */
static void test_one_place_each(void **state)
{
	char token[32];

	(void)state;
	active(ID_A, BOOT);
	active(ID_B, BOOT);
	fail_review = 503;
	for (unsigned int i = 0; i < NAME_DESK_MAX + 44; i++) {
		snprintf(token, sizeof(token), "t.n1-%u", i);
		name_desk_take(desk, ID_A, token);
	}
	name_desk_take(desk, ID_B, "t.n2");
	assert_int_equal(counts().unchecked, 0);
	pass(10);
	fail_review = 0;
	pass(60);
	assert_string_equal(name_of(ID_B), "n2");
	assert_string_equal(name_of(ID_A), "n1");
	assert_int_equal(counts().refused + counts().unchecked, 0);
}

/* An answer about a token counts for that one, not for the one that took its place meanwhile. */
static void test_replaced_while_asked(void **state)
{
	(void)state;
	active(ID_A, BOOT);
	active(ID_B, BOOT);
	name_desk_take(desk, ID_A, "t.n1");
	instead = "t.n2";
	pass(1);
	assert_null(instead);
	UNTIL(bound);
	assert_string_equal(name_of(ID_A), "n2");
	assert_int_equal(n_reviews, 2);
	/* It is the second that was used up. */
	name_desk_take(desk, ID_B, "t.n2");
	UNTIL(refused);
	assert_string_equal(name_of(ID_B), "");
	assert_int_equal(api_fixture_log_has(&f, "it is replayed"), 1);
	name_desk_take(desk, ID_B, "t.n1");
	pass(10);
	assert_string_equal(name_of(ID_B), "n1");
}

static void test_account(void **state)
{
	static const char *const accounts[] = {"",	     "plumbd", ":plumbd",
					       "plumbline:", "a/b:c",  "A:b"};
	struct name_desk_options o = {.v = &f.v,
				      .kube = {.base = f.base, .server = server},
				      .audience = "plumb-verifier"};
	struct name_desk *d = NULL;
	struct why why = {""};

	(void)state;
	for (size_t i = 0; i < sizeof(accounts) / sizeof(accounts[0]); i++) {
		o.account = accounts[i];
		assert_int_equal(name_desk_open(&o, &d, &why), -EINVAL);
		assert_non_null(strstr(why.text, "kube_agent_account"));
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_bound),
		T(test_the_pod_says_it),
		T(test_another_pod),
		T(test_false_token),
		T(test_boot),
		T(test_boot_never),
		T(test_another_node),
		T(test_replayed),
		T(test_one_name_one_machine),
		T(test_taken_meanwhile),
		T(test_not_admitted),
		T(test_api_away),
		T(test_in_vain),
		T(test_over_a_start),
		T(test_enrolled_anew),
		T(test_too_many),
		T(test_one_place_each),
		T(test_replaced_while_asked),
		T(test_account),
	};

	return cmocka_run_group_tests_name("name_desk", tests, NULL, NULL);
}
