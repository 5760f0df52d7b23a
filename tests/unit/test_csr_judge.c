/* SPDX-License-Identifier: Apache-2.0 */
/* How often a key is good for a certificate: of who joins as often as it asks, of who renews for one request, however that is asked for again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "api_fixture.h"
#include "checkpoint.h"
#include "csr_judge.h"
#include "kubelet_keys.h"
#include "kubelet_proof.h"
#include "line.h"

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define USED "was approved for this key before"

static struct api_fixture f;
static struct bound_nodes *nodes;
static struct sign_key *first, *second, *third;
static struct csr_judge judge;

static void put_node(void)
{
	struct store_node n = {.version = 0};

	snprintf(n.id, sizeof(n.id), ID_A);
	snprintf(n.label, sizeof(n.label), "one");
	snprintf(n.kube_name, sizeof(n.kube_name), "n1");
	n.incarnation = 2;
	n.life = PLUMB_LIFE_ACTIVE;
	n.freshness = PLUMB_FRESHNESS_FRESH;
	n.appraisal = PLUMB_APPRAISAL_TRUSTED;
	n.containment = PLUMB_CONTAIN_FREE;
	n.has_base = true;
	n.base_size = 100;
	assert_int_equal(f.store.ops->begin(f.store.ctx), 0);
	assert_int_equal(f.store.ops->node_put(f.store.ctx, &n), 0);
	assert_int_equal(f.store.ops->commit(f.store.ctx), 0);
	store_node_done(&n);
}

static int setup(void **state)
{
	(void)state;
	api_fixture_open(&f);
	put_node();
	assert_int_equal(sign_key_generate(SIGN_P256, &first), 0);
	assert_int_equal(sign_key_generate(SIGN_P256, &second), 0);
	assert_int_equal(sign_key_generate(SIGN_P256, &third), 0);
	assert_int_equal(bound_nodes_open(&f.store, &nodes), 0);
	judge = (struct csr_judge){&f.v, f.contain, nodes, false, true};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sign_key_free(first);
	sign_key_free(second);
	sign_key_free(third);
	nodes = bound_nodes_free(nodes);
	api_fixture_done(&f);
	return 0;
}

static void show(const struct sign_key *k, uint64_t seq)
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

	snprintf(origin, sizeof(origin), "%s/node/" ID_A "/2", f.v.log_name);
	assert_int_equal(sign_key_private_pem(k, &pem), 0);
	assert_int_equal(kubelet_proof_make((char *)pem.data, pem.size, origin, &body, &d, NULL),
			 0);
	l.body = (char *)body.data;
	assert_int_equal(line_write(&l, &text), 0);
	api_fixture_row(&f, ID_A, &n);
	assert_int_equal(f.store.ops->begin(f.store.ctx), 0);
	assert_int_equal(kubelet_keys_take(&f.v, &n, (struct buf_view){text.data, text.size}), 0);
	assert_int_equal(f.store.ops->commit(f.store.ctx), 0);
	store_node_done(&n);
	buf_done(&pem);
	buf_done(&body);
	buf_done(&text);
}

/* Approved, or why not. All objects bear one name: it says nothing. */
static const char *ask(const struct sign_key *k, bool renews, const char *uid)
{
	static struct why why;
	struct csr_check c = {.name = "csr-x", .version = "7", .renews = renews};
	struct csr_judged what;
	int r;

	why.text[0] = 0;
	snprintf(c.uid, sizeof(c.uid), "%s", uid);
	snprintf(c.request.node, sizeof(c.request.node), "n1");
	assert_int_equal(sign_key_id(k, &c.request.key), 0);
	r = csr_judge(&judge, &c, &what, &why);
	assert_true(r >= 0);
	if (r == 0)
		return why.text;
	assert_true(csr_judge_keep(&judge, &c, &what, &why) >= 0);
	return "";
}

static void approved(const struct sign_key *k, bool renews, const char *uid)
{
	assert_string_equal(ask(k, renews, uid), "");
}

static void left(const struct sign_key *k, bool renews, const char *uid, const char *text)
{
	const char *why = ask(k, renews, uid);

	if (!strstr(why, text))
		fail_msg("\"%s\" is not in \"%s\"", text, why);
}

static int n_approved(void)
{
	return api_fixture_log_has(&f, "\"approve_csr\"");
}

/* A kubelet whose answer was lost asks again with the key that it kept; who has that key and certificate renews nothing with it. */
static void test_joins(void **state)
{
	(void)state;
	show(first, 42);
	approved(first, false, "a");
	approved(first, false, "b");
	approved(first, false, "b");
	assert_int_equal(n_approved(), 2);
	left(first, true, "c", USED);
	approved(first, false, "d");
	/* The kubelet's own renewal has another key. */
	approved(second, true, "e");
}

static void test_renews(void **state)
{
	(void)state;
	show(first, 42);
	approved(first, true, "a");
	approved(first, true, "a"); /* the API did not hear of it */
	assert_int_equal(n_approved(), 1);
	left(first, true, "b", USED);
	/* Shown once more it is no other key. */
	show(first, 50);
	left(first, true, "b", USED);
	approved(first, true, "a");
	assert_int_equal(n_approved(), 1);
}

/* A key that was not shown yet when it was approved. */
static void test_chained(void **state)
{
	(void)state;
	show(first, 42);
	approved(second, true, "a");
	approved(second, true, "a");
	left(second, true, "b", USED);
	show(second, 43);
	left(second, true, "b", USED);
	approved(second, true, "a");
	approved(third, true, "c");
	assert_int_equal(n_approved(), 2);
	/* The next renewal does not make it forgotten. */
	left(second, true, "b", USED);
	left(second, true, "d", USED);
	/* first was approved before there was a verifier, for all that is known. */
	approved(first, true, "e");
	left(first, true, "g", USED);
}

/* What a verifier of before kept: a key without a use, a request by its name. */
static void test_of_before(void **state)
{
	const struct store *s = &f.store;
	char hex[DIGEST_HEX_SIZE], text[DIGEST_HEX_SIZE + 32];
	struct digest d;

	(void)state;
	assert_int_equal(sign_key_id(first, &d), 0);
	digest_hex(&d, hex);
	snprintf(text, sizeof(text), "2 42 %s\n", hex);
	assert_int_equal(s->ops->begin(s->ctx), 0);
	assert_int_equal(s->ops->blob_put(s->ctx, "kubelet_keys", ID_A, text, strlen(text)), 0);
	assert_int_equal(sign_key_id(second, &d), 0);
	digest_hex(&d, hex);
	snprintf(text, sizeof(text), "2 %s csr-x", hex);
	assert_int_equal(s->ops->setting_put(s->ctx, "csr_chained:" ID_A, text), 0);
	assert_int_equal(s->ops->setting_put(s->ctx, "csr_approved:" ID_A, text), 0);
	assert_int_equal(s->ops->commit(s->ctx), 0);
	approved(second, true, "a"); /* on its way to the API */
	left(second, true, "b", USED);
	approved(first, true, "c");
	left(first, true, "d", USED);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_joins),
		EACH(test_renews),
		EACH(test_chained),
		EACH(test_of_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
