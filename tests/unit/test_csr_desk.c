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

/* The API: objects that stay as they are put until they are approved. */
static struct buf objects[8];
static bool approved[8];
static uint32_t n_objects, n_lists;
static int fail_status;
static struct buf last_patch;

static void say_list(struct fake_http_answer *a)
{
	struct buf b = {0};

	buf_puts(&b, "{\"kind\":\"CertificateSigningRequestList\",\"items\":[");
	for (uint32_t i = 0, n = 0; i < n_objects; i++)
		if (!approved[i])
			buf_printf(&b, "%s%s", n++ ? "," : "", (char *)objects[i].data);
	buf_puts(&b, "]}");
	fake_http_say(a, 200, (char *)b.data);
	buf_done(&b);
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
		assert_non_null(strstr(q->path, "kube-apiserver-client-kubelet"));
		n_lists++;
		say_list(a);
		return;
	}
	assert_string_equal(q->method, "PATCH");
	assert_non_null(name);
	assert_int_equal(sscanf(name, "certificatesigningrequests/csr-%u/approval", &i), 1);
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
	n_objects = n_lists = 0;
	fail_status = 0;
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

/* Until every request was looked at three times more. */
static void looks(void)
{
	uint32_t until = n_lists + 3;
	static char url[64];
	struct why why = {""};

	if (!desk) {
		snprintf(url, sizeof(url), "http://127.0.0.1:%d", fake_http_port(api));
		options.kube = (struct kube_options){.base = f.base, .server = url};
		assert_int_equal(csr_desk_open(&options, &desk, &why), 0);
	}
	for (int i = 0; i < 20000 && n_lists < until; i++)
		turn();
	assert_true(n_lists >= until);
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
			   renews ? "[\"system:nodes\"]" : BOOT_GROUPS, USAGES, "",
			   &objects[n_objects]);
	buf_done(&pem);
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

static void test_api_away(void **state)
{
	struct csr_counts n;
	uint32_t one;

	(void)state;
	good_node(ID_A, "n1");
	show(ID_A, key, 42);
	one = ask("n1", key, false);
	looks();
	assert_true(approved[one]);
	fail_status = 503;
	approved[one] = false;
	for (int i = 0; i < 200; i++)
		turn();
	assert_false(approved[one]);
	fail_status = 0;
	looks();
	assert_true(approved[one]);
	/* It was written once that it is approved. */
	assert_int_equal(api_fixture_log_has(&f, "\"approve_csr\""), 1);
	csr_desk_counts(desk, &n);
	assert_int_equal(n.approved, 2);
}

static void test_keys_kept(void **state)
{
	struct store_node n = {.version = 0};
	struct digest first, last;
	uint64_t seq;

	(void)state;
	good_node(ID_A, "n1");
	assert_int_equal(sign_key_id(key, &first), 0);
	show(ID_A, key, 1);
	for (uint64_t i = 0; i < KUBELET_KEYS_MAX; i++) {
		struct sign_key *k = NULL;

		assert_int_equal(sign_key_generate(SIGN_P256, &k), 0);
		assert_int_equal(sign_key_id(k, &last), 0);
		show(ID_A, k, 2 + i);
		sign_key_free(k);
	}
	api_fixture_row(&f, ID_A, &n);
	assert_int_equal(kubelet_keys_count(&f.v, &n), KUBELET_KEYS_MAX);
	assert_int_equal(kubelet_keys_has(&f.v, &n, &first, &seq), 0);
	assert_int_equal(kubelet_keys_has(&f.v, &n, &last, &seq), 1);
	assert_int_equal(seq, 1 + KUBELET_KEYS_MAX);
	/* Enrolled anew: what it showed before says nothing. */
	n.incarnation++;
	assert_int_equal(kubelet_keys_has(&f.v, &n, &last, &seq), 0);
	store_node_done(&n);
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
		cmocka_unit_test_setup_teardown(test_keys_kept, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
