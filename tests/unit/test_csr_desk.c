/* SPDX-License-Identifier: Apache-2.0 */
/* Requests are approved for good nodes and keys that their ledgers show, and for nobody else: over an API that answers as the real one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "api_fixture.h"
#include "checkpoint.h"
#include "cleanup.h"
#include "csr_desk.h"
#include "fake_http.h"
#include "kubelet_csr.h"
#include "kubelet_keys.h"
#include "kubelet_proof.h"
#include "line.h"

#define BOOT "system:bootstrap:abc123"
#define BOOT_GROUPS "[\"system:bootstrappers\"]"
#define USAGES "[\"digital signature\",\"client auth\"]"
#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static struct api_fixture f;
static struct bound_nodes *nodes;
static struct csr_desk *desk;
static struct fake_http *api;
static struct sign_key *key, *other;
static struct csr_desk_options options;

/*
 * The API: objects that stay as they are put until they are approved. A list, and a watch that goes on, as the real one's: what is asked for
 * later comes as an event.
 */
static struct buf objects[8];
static bool approved[8];
static uint32_t n_objects, n_lists, n_watches, n_patches;
static uint64_t n_told; /* objects that it named */
static int fail_status, fail_patch, fail_watch;
static bool mute; /* the watch says nothing */
static struct buf last_patch;
static char watch_path[512];

static void say_list(struct fake_http_answer *a)
{
	struct buf b = {0};

	buf_puts(&b, "{\"kind\":\"CertificateSigningRequestList\",\"metadata\":{"
		     "\"resourceVersion\":\"307\"},\"items\":[");
	for (uint32_t i = 0, n = 0; i < n_objects; i++) {
		if (approved[i])
			continue;
		buf_printf(&b, "%s%s", n++ ? "," : "", (char *)objects[i].data);
		n_told++;
	}
	buf_puts(&b, "]}");
	fake_http_say(a, 200, (char *)b.data);
	buf_done(&b);
}

/* To the watch, if there is one. */
static void push(const char *type, uint32_t i)
{
	struct buf b = {0};

	if (mute)
		return;
	buf_printf(&b, "{\"type\":\"%s\",\"object\":%s}\n", type, (char *)objects[i].data);
	n_told += fake_http_push(api, (char *)b.data);
	buf_done(&b);
}

static void say_get(const struct fake_http_request *q, struct fake_http_answer *a)
{
	assert_non_null(strstr(q->path, "kube-apiserver-client-kubelet"));
	if (!strstr(q->path, "watch=1")) {
		n_lists++;
		say_list(a);
		return;
	}
	n_watches++;
	snprintf(watch_path, sizeof(watch_path), "%s", q->path);
	if (fail_watch == 0)
		fake_http_stream(a);
	else
		fake_http_say(a, fail_watch, "{}");
}

static void on_request(void *ctx, const struct fake_http_request *q, struct fake_http_answer *a)
{
	unsigned int i = 99;
	const char *name = strstr(q->path, "certificatesigningrequests/csr-");

	(void)ctx;
	assert_non_null(strstr(q->path, "/apis/certificates.k8s.io/v1/certificatesigningrequests"));
	if (fail_status) {
		fake_http_say(a, fail_status, "{}");
		return;
	}
	if (strcmp(q->method, "GET") == 0) {
		say_get(q, a);
		return;
	}
	assert_string_equal(q->method, "PATCH");
	assert_non_null(name);
	assert_int_equal(sscanf(name, "certificatesigningrequests/csr-%u/approval", &i), 1);
	n_patches++;
	if (fail_patch) {
		fake_http_say(a, fail_patch, "{}");
		return;
	}
	assert_true(i < n_objects && !approved[i]);
	approved[i] = true;
	buf_clear(&last_patch);
	buf_put(&last_patch, q->body, q->size);
	fake_http_say(a, 200, "{}");
}

static int setup(void **state)
{
	(void)state;
	api_fixture_open(&f);
	assert_int_equal(sign_key_generate(SIGN_P256, &key), 0);
	assert_int_equal(sign_key_generate(SIGN_P256, &other), 0);
	assert_int_equal(bound_nodes_open(&f.store, &nodes), 0);
	api = fake_http_open(f.base, NULL, NULL, on_request, NULL);
	n_objects = n_lists = n_watches = n_patches = 0;
	n_told = 0;
	fail_status = fail_patch = fail_watch = 0;
	memset(approved, 0, sizeof(approved));
	options = (struct csr_desk_options){
		.v = &f.v, .contain = f.contain, .nodes = nodes, .chained = true, .look_ms = 5};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	desk = csr_desk_free(desk);
	fake_http_free(api);
	nodes = bound_nodes_free(nodes);
	sign_key_free(key);
	sign_key_free(other);
	for (uint32_t i = 0; i < ARRAY_SIZE(objects); i++)
		buf_done(&objects[i]);
	buf_done(&last_patch);
	api_fixture_done(&f);
	return 0;
}

static void turn(void)
{
	const struct timeval ms = {0, 2000};

	event_base_loopexit(f.base, &ms);
	event_base_loop(f.base, EVLOOP_ONCE);
}

static void open_desk(void)
{
	static char url[64];
	struct why why = {""};

	snprintf(url, sizeof(url), "http://127.0.0.1:%d", fake_http_port(api));
	options.kube = (struct kube_options){.base = f.base, .server = url};
	assert_int_equal(csr_desk_open(&options, &desk, &why), 0);
}

static struct csr_counts counts(void)
{
	struct csr_counts n;

	csr_desk_counts(desk, &n);
	return n;
}

/* Until all that the API named is there, and every request was looked at three times more. */
static void looks(void)
{
	uint64_t until;

	if (!desk)
		open_desk();
	for (int i = 0; i < 20000 && (n_watches == 0 || counts().told < n_told); i++)
		turn();
	assert_true(n_watches > 0 && counts().told == n_told);
	until = counts().looks + 3;
	for (int i = 0; i < 20000 && counts().looks < until; i++)
		turn();
	assert_true(counts().looks >= until);
}

static void put_node(const char *id, const char *name, enum plumb_appraisal appraisal,
		     enum plumb_containment containment, uint64_t base_size)
{
	struct store_node n = {.version = 0};

	if (f.store.ops->node_get(f.store.ctx, id, &n) < 0)
		snprintf(n.id, sizeof(n.id), "%s", id);
	snprintf(n.label, sizeof(n.label), "label-%.1s", id);
	snprintf(n.kube_name, sizeof(n.kube_name), "%s", name);
	n.incarnation = 2;
	n.life = PLUMB_LIFE_ACTIVE;
	n.freshness = PLUMB_FRESHNESS_FRESH;
	n.appraisal = appraisal;
	n.containment = containment;
	n.has_base = base_size > 0;
	n.base_size = base_size;
	assert_int_equal(f.store.ops->begin(f.store.ctx), 0);
	assert_int_equal(f.store.ops->node_put(f.store.ctx, &n), 0);
	assert_int_equal(f.store.ops->commit(f.store.ctx), 0);
	store_node_done(&n);
}

static void good_node(const char *id, const char *name)
{
	put_node(id, name, PLUMB_APPRAISAL_TRUSTED, PLUMB_CONTAIN_FREE, 100);
}

/* A line of id's ledger as its agent writes it: origin_id and incarnation are what the key signs for. */
static void show_as(const char *id, const struct sign_key *k, uint64_t seq, const char *origin_id,
		    int incarnation)
{
	char origin[CHECKPOINT_MAX_ORIGIN];
	struct buf pem = {0}, body = {0}, text = {0};
	struct store_node n = {.version = 0};
	struct digest d;
	struct line l = {.seq = seq,
			 .utc_ns = f.utc_ns,
			 .boot = "11111111-2222-3333-4444-555555555555",
			 .src = "agent",
			 .type = PLUMB_TYPE_KUBELET_KEY};

	snprintf(origin, sizeof(origin), "%s/node/%s/%d", f.v.log_name, origin_id, incarnation);
	assert_int_equal(sign_key_private_pem(k, &pem), 0);
	assert_int_equal(kubelet_proof_make((char *)pem.data, pem.size, origin, &body, &d, NULL),
			 0);
	l.body = (char *)body.data;
	buf_puts(&text, "{\"type\":\"kubelet_key\",\"no\":\"line\"}\n");
	assert_int_equal(line_write(&l, &text), 0);
	buf_puts(&text, "\n{\"other\":1}\n");
	api_fixture_row(&f, id, &n);
	assert_int_equal(f.store.ops->begin(f.store.ctx), 0);
	assert_int_equal(kubelet_keys_take(&f.v, &n, (struct buf_view){text.data, text.size}), 0);
	assert_int_equal(f.store.ops->commit(f.store.ctx), 0);
	store_node_done(&n);
	buf_done(&pem);
	buf_done(&body);
	buf_done(&text);
}

static void show(const char *id, const struct sign_key *k, uint64_t seq)
{
	show_as(id, k, seq, id, 2);
}

/* Its index. */
static uint32_t ask(const char *node, const struct sign_key *k, bool renews)
{
	struct buf pem = {0};
	char name[32], user[80];

	snprintf(name, sizeof(name), "csr-%u", n_objects);
	snprintf(user, sizeof(user), "system:node:%s", node);
	kubelet_csr_of(node, k, &pem);
	buf_clear(&objects[n_objects]);
	kubelet_csr_object(name, &pem, renews ? user : BOOT,
			   renews ? "[\"system:nodes\"]" : BOOT_GROUPS, USAGES,
			   ",\"note\":\"\\u0000\"", /* the API takes it, of anybody */
			   &objects[n_objects]);
	buf_done(&pem);
	push("ADDED", n_objects);
	return n_objects++;
}

static void test_approved(void **state)
{
	struct csr_counts n;
	uint32_t one;

	(void)state;
	good_node(ID_A, "n1");
	show(ID_A, key, 42);
	one = ask("n1", key, false);
	looks();
	assert_true(approved[one]);
	assert_non_null(
		strstr((char *)last_patch.data, "\"type\":\"Approved\",\"status\":\"True\""));
	assert_non_null(strstr((char *)last_patch.data, "\"resourceVersion\":\"7\""));
	assert_non_null(strstr((char *)last_patch.data, ID_A ", line 42 "));
	assert_int_equal(api_fixture_log_has(&f, "\"approve_csr\""), 1);
	csr_desk_counts(desk, &n);
	assert_int_equal(n.approved, 1);
}

/* An attested node gets no certificate for another machine: neither for its own name nor for that one's. */
static void test_relayed_key(void **state)
{
	uint32_t own, others;

	(void)state;
	good_node(ID_A, "n1");
	show(ID_A, key, 42);
	own = ask("n1", other, false);
	others = ask("n2", key, false);
	looks();
	assert_false(approved[own] || approved[others]);
	/* What the other machine's key signed for its own ledger is nothing in this one's. */
	show_as(ID_A, other, 43, ID_B, 2);
	show_as(ID_A, other, 44, ID_A, 1);
	looks();
	assert_false(approved[own]);
	show(ID_A, other, 45);
	looks();
	assert_true(approved[own]);
	assert_false(approved[others]);
}

static void test_left_pending(void **state)
{
	struct csr_counts n;
	uint32_t one;

	(void)state;
	good_node(ID_A, "n1");
	show(ID_A, key, 42);
	put_node(ID_A, "n1", PLUMB_APPRAISAL_DEGRADED, PLUMB_CONTAIN_FREE, 100);
	one = ask("n1", key, false);
	looks();
	assert_false(approved[one]);
	put_node(ID_A, "n1", PLUMB_APPRAISAL_TRUSTED, PLUMB_CONTAIN_HELD, 100);
	looks();
	assert_false(approved[one]);
	/* No quote covers the line yet. */
	put_node(ID_A, "n1", PLUMB_APPRAISAL_TRUSTED, PLUMB_CONTAIN_FREE, 42);
	looks();
	assert_false(approved[one]);
	csr_desk_counts(desk, &n);
	assert_int_equal(n.left, 3); /* each reason once, however often it was looked at */
	assert_int_equal(n.approved, 0);
	put_node(ID_A, "n1", PLUMB_APPRAISAL_TRUSTED, PLUMB_CONTAIN_FREE, 43);
	looks();
	assert_true(approved[one]);
}

static void test_binding(void **state)
{
	struct store_node n = {.version = 0};
	uint32_t one, two, three;

	(void)state;
	options.bind = true;
	good_node(ID_A, "");
	good_node(ID_B, "n2");
	show(ID_A, key, 42);
	show(ID_B, other, 42);
	one = ask("n1", key, false);
	looks();
	assert_true(approved[one]);
	api_fixture_row(&f, ID_A, &n);
	assert_string_equal(n.kube_name, "n1");
	store_node_done(&n);
	assert_int_equal(api_fixture_log_has(&f, "\"action\":\"bind\""), 1);
	/* One node has one name, and one name one node. */
	two = ask("n3", key, false);
	three = ask("n1", other, false);
	looks();
	assert_false(approved[two] || approved[three]);
	/* A key that two nodes show is neither's. */
	put_node(ID_A, "", PLUMB_APPRAISAL_TRUSTED, PLUMB_CONTAIN_FREE, 100);
	show(ID_B, key, 43);
	looks();
	assert_false(approved[two]);
}

static void test_binds_only_when_wanted(void **state)
{
	uint32_t one;

	(void)state;
	good_node(ID_A, "");
	show(ID_A, key, 42);
	one = ask("n1", key, false);
	looks();
	assert_false(approved[one]);
}

/* A stolen key buys one certificate more, and no second. */
static void test_renewals(void **state)
{
	struct sign_key *third = NULL;
	uint32_t one, two, back;

	(void)state;
	assert_int_equal(sign_key_generate(SIGN_P256, &third), 0);
	good_node(ID_A, "n1");
	one = ask("n1", other, true);
	looks();
	assert_false(approved[one]); /* it never showed any */
	show(ID_A, key, 42);
	looks();
	assert_true(approved[one]);
	two = ask("n1", third, true);
	looks();
	assert_false(approved[two]); /* the one before is not shown yet */
	back = ask("n1", key, true);
	looks();
	assert_true(approved[back]); /* one that is shown is good at any time */
	looks();
	assert_false(approved[two]); /* which says nothing of the other */
	show(ID_A, other, 43);
	looks();
	assert_true(approved[two]);
	sign_key_free(third);
}

static void test_renewals_shown(void **state)
{
	uint32_t one, two;

	(void)state;
	options.chained = false;
	good_node(ID_A, "n1");
	show(ID_A, key, 42);
	one = ask("n1", other, true);
	two = ask("n1", key, true);
	looks();
	assert_false(approved[one]);
	assert_true(approved[two]);
}

/* The watch's end, cleanly or not. A new one goes on from the last word; what came meanwhile comes. */
static void until_watches(uint32_t n)
{
	for (int i = 0; i < 20000 && n_watches < n; i++)
		turn();
	assert_true(n_watches >= n);
}

static void test_api_away(void **state)
{
	uint32_t one, two;

	(void)state;
	good_node(ID_A, "n1");
	show(ID_A, key, 42);
	looks();
	fail_patch = 503;
	one = ask("n1", key, false);
	looks();
	assert_false(approved[one]);
	assert_true(n_patches > 0);
	fail_patch = 0;
	looks();
	assert_true(approved[one]);
	/* It was written once that it is approved. */
	assert_int_equal(api_fixture_log_has(&f, "\"approve_csr\""), 1);
	assert_int_equal(counts().approved, 1);
	/* It went away altogether: what is asked meanwhile is in what it tells then. */
	fail_status = 503;
	fake_http_drop(api);
	for (int i = 0; i < 100; i++)
		turn();
	show(ID_A, other, 43);
	two = ask("n1", other, false);
	assert_false(approved[two]);
	fail_status = 0;
	until_watches(2);
	/* The watch goes on from its last word, and the server tells what came after it. */
	push("ADDED", two);
	looks();
	assert_true(approved[two]);
	assert_int_equal(n_lists, 1);
}

/* Nothing is asked of the API while nothing happens. */
static void test_quiet(void **state)
{
	(void)state;
	good_node(ID_A, "n1");
	ask("n1", key, false);
	looks();
	looks();
	assert_int_equal(n_lists, 1);
	assert_int_equal(n_watches, 1);
	assert_int_equal(n_patches, 0);
	assert_non_null(strstr(watch_path, "fieldSelector=spec.signerName%3Dkubernetes.io%2F"));
	assert_non_null(strstr(watch_path, "resourceVersion=307"));
	fake_http_end(api);
	until_watches(2);
	assert_int_equal(n_lists, 1);
}

static void test_too_old(void **state)
{
	uint32_t one, two;

	(void)state;
	good_node(ID_A, "n1");
	show(ID_A, key, 42);
	one = ask("n1", other, false);
	looks();
	/* Its memory is too short: a list, which has what came meanwhile, and not what is gone. */
	mute = true;
	two = ask("n1", key, false);
	mute = false;
	approved[one] = true;
	fake_http_push(api,
		       "{\"type\":\"ERROR\",\"object\":{\"code\":410,\"message\":\"too old\"}}\n");
	for (int i = 0; i < 20000 && n_lists < 2; i++)
		turn();
	assert_int_equal(n_lists, 2);
	until_watches(2);
	looks();
	assert_true(approved[two]);
	show(ID_A, other, 43);
	looks();
	assert_int_equal(counts().approved, 1);
}

/* Who may list, and not watch, goes on with lists. */
static void test_no_watch(void **state)
{
	uint32_t one;

	(void)state;
	good_node(ID_A, "n1");
	show(ID_A, key, 42);
	fail_watch = 403;
	looks();
	one = ask("n1", key, false);
	for (int i = 0; i < 20000 && !approved[one]; i++)
		turn();
	assert_true(approved[one]);
	assert_true(n_lists >= 2);
}

/* Decided by somebody else, changed, deleted: as the watch has it. */
static void test_others(void **state)
{
	struct buf as_it_was = {0};
	uint32_t one, two;

	(void)state;
	good_node(ID_A, "n1");
	looks();
	one = ask("n1", key, false);
	two = ask("n1", other, false);
	looks();
	assert_int_equal(n_patches, 0);
	buf_put(&as_it_was, objects[one].data, objects[one].size + 1);
	/* Denied: it is approved no more, whatever its ledger shows. */
	buf_cut(&objects[one], objects[one].size - 1);
	buf_puts(&objects[one], ",\"status\":{\"conditions\":[{\"type\":\"Denied\"}]}}");
	push("MODIFIED", one);
	push("DELETED", two);
	looks();
	show(ID_A, key, 42);
	show(ID_A, other, 43);
	looks();
	assert_int_equal(n_patches, 0);
	/* Somebody was faster with another change (409): nothing is lost. */
	buf_clear(&objects[one]);
	buf_put(&objects[one], as_it_was.data, as_it_was.size - 1);
	fail_patch = 409;
	push("MODIFIED", one);
	looks();
	assert_true(n_patches > 0);
	fail_patch = 0;
	looks();
	assert_true(approved[one]);
	buf_done(&as_it_was);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_approved, setup, teardown),
		cmocka_unit_test_setup_teardown(test_relayed_key, setup, teardown),
		cmocka_unit_test_setup_teardown(test_left_pending, setup, teardown),
		cmocka_unit_test_setup_teardown(test_binding, setup, teardown),
		cmocka_unit_test_setup_teardown(test_binds_only_when_wanted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_renewals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_renewals_shown, setup, teardown),
		cmocka_unit_test_setup_teardown(test_api_away, setup, teardown),
		cmocka_unit_test_setup_teardown(test_quiet, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_old, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_watch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_others, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
