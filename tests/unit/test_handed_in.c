/* SPDX-License-Identifier: Apache-2.0 */
/* Baselines, policies and tokens as operators hand them in: by whom, signed by whom, for whom, and what the answers and lists then say. */
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
#include "dsse.h"
#include "jsonl.h"
#include "plumb/wire.h"
#include "verifier_fixture.h"

static struct api_fixture f;
static struct api_fixture_machine one, two;

static int setup(void **state)
{
	(void)state;
	api_fixture_open(&f);
	api_fixture_enrol(&f, &one, f.maker, "one");
	api_fixture_enrol(&f, &two, f.maker, "two");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	api_fixture_machine_done(&one);
	api_fixture_machine_done(&two);
	api_fixture_done(&f);
	return 0;
}

static void says(const char *text)
{
	if (!strstr(api_fixture_text(&f), text))
		fail_msg("\"%s\" is not in %.300s", text, api_fixture_text(&f));
}

static int push(const struct api_fixture_person *by, const char *route, const struct buf *b)
{
	return api_fixture_call(&f, "POST", route, &by->who, b->data, b->size);
}

static int push_baseline(const char *name, uint64_t version, const struct sign_key *key,
			 const char *route)
{
	struct buf b = {0};
	int status;

	verifier_fixture_baseline(name, version, "", key, &b);
	status = push(&f.approver, route, &b);
	buf_done(&b);
	return status;
}

static uint64_t assigned(const struct api_fixture_machine *m, uint64_t *ret_orders)
{
	struct store_node n;
	uint64_t version;

	api_fixture_row(&f, m->id, &n);
	version = n.baseline_version;
	if (ret_orders)
		*ret_orders = n.last_order;
	store_node_done(&n);
	return version;
}

static void test_baselines(void **state)
{
	struct api_fixture_machine later;
	uint64_t orders;
	struct buf b = {0};
	size_t keyid;

	(void)state;
	verifier_fixture_baseline("base", 1, "", f.approver.key, &b);
	/* Signed well, but handed in by one who may not; and the other way round. */
	assert_int_equal(push(&f.viewer, "/v1/baselines", &b), 403);
	assert_int_equal(push(&f.responder, "/v1/baselines", &b), 403);
	assert_int_equal(push(&f.revoked, "/v1/baselines", &b), 403);
	assert_int_equal(push_baseline("base", 1, f.responder.key, "/v1/baselines"), 403);
	says("sign it with an approver's key");
	assert_int_equal(push_baseline("base", 1, f.revoked.key, "/v1/baselines"), 403);
	assert_int_equal(assigned(&one, NULL), 0);
	/* Cut short, and one byte turned; but for the key's id, which is a hint and not signed. */
	keyid = (size_t)(strstr((char *)b.data, "\"keyid\"") - (char *)b.data);
	for (size_t size = 0; size < b.size; size += 13) {
		assert_int_not_equal(api_fixture_call(&f, "POST", "/v1/baselines", &f.approver.who,
						      b.data, size),
				     200);
		b.data[size] ^= 1;
		if (size < keyid || size > keyid + 75)
			assert_int_not_equal(push(&f.approver, "/v1/baselines", &b), 200);
		b.data[size] ^= 1;
	}
	assert_int_equal(assigned(&one, NULL), 0);
	assert_int_equal(api_fixture_log_has(&f, "\"action\":\"baseline\""), 0);
	/* For one node, not for the next that comes. */
	assert_int_equal(push(&f.approver, "/v1/baselines?node=one", &b), 200);
	says("for 1 node");
	assert_int_equal(assigned(&one, &orders), 1);
	assert_int_equal(orders, 1);
	assert_int_equal(assigned(&two, &orders), 0);
	assert_int_equal(orders, 0);
	/* For all, and those to come. */
	assert_int_equal(push_baseline("base", 2, f.approver.key, "/v1/baselines"), 200);
	says("for 2 nodes");
	assert_int_equal(assigned(&one, NULL), 2);
	assert_int_equal(assigned(&two, NULL), 2);
	api_fixture_enrol(&f, &later, f.maker, "later");
	assert_int_equal(assigned(&later, &orders), 2);
	assert_int_equal(orders, 1);
	assert_int_equal(push(&f.approver, "/v1/baselines", &b), 409);
	assert_int_equal(assigned(&one, NULL), 2);
	assert_int_equal(push_baseline("base", 3, f.approver.key, "/v1/baselines?node=none"), 404);
	assert_int_equal(push_baseline("base", 3, f.approver.key, "/v1/baselines?node=%"), 400);
	assert_int_equal(api_fixture_log_has(&f, "\"action\":\"baseline\""), 2);
	/* What was refused with 404 is not known either. */
	assert_int_equal(api_fixture_call(&f, "GET", "/v1/baselines", &f.viewer.who, "", 0), 200);
	says("\"version\":2,");
	assert_null(strstr(api_fixture_text(&f), "\"version\":3,"));
	says("\"nodes\":3}");
	assert_int_equal(api_fixture_act(&f, &f.approver, "retire", "two", "x", ""), 200);
	assert_int_equal(push_baseline("base", 3, f.approver.key, "/v1/baselines?node=two"), 409);
	says("is retired");
	buf_done(&b);
	api_fixture_machine_done(&later);
}

static const char policy[] =
	"{\"v\":1,\"name\":\"p\",\"version\":%d,\"rules\":[{\"id\":\"R-1\",\"title\":\"t\","
	"\"when\":{\"type\":\"exec\"},\"severity\":\"high\",\"action\":\"quarantine\","
	"\"mode\":\"report\",\"release\":\"ack\",\"score\":500,\"grace_ms\":0,"
	"\"claim\":\"executables\",\"value\":33}]}";

static void sign_policy(int version, const struct sign_key *key, const char *type, struct buf *ret)
{
	char text[512];

	snprintf(text, sizeof(text), policy, version);
	buf_clear(ret);
	assert_int_equal(
		dsse_sign(type, text, strlen(text), (const struct sign_key *const *)&key, 1, ret),
		0);
}

static void test_policies(void **state)
{
	struct buf b = {0};

	(void)state;
	api_fixture_case(&f, one.id, "", "exec:/x", PLUMB_ACTION_REPORT, false);
	assert_int_equal(api_fixture_call(&f, "POST", "/v1/policies/preview", &f.viewer.who, "", 0),
			 404);
	says("plumbctl policy push");
	sign_policy(1, f.approver.key, WIRE_DSSE_POLICY, &b);
	assert_int_equal(push(&f.responder, "/v1/policies", &b), 403);
	/* A viewer may ask what it would do; nothing changes by that. */
	assert_int_equal(push(&f.viewer, "/v1/policies/preview", &b), 200);
	says("\"rule\":\"R-1\"");
	says("\"nodes\":1}");
	assert_null(documents_policy(f.documents));
	assert_int_equal(push(&f.approver, "/v1/policies", &b), 200);
	assert_int_equal(push(&f.approver, "/v1/policies", &b), 200); /* the same again */
	assert_int_equal(api_fixture_call(&f, "POST", "/v1/policies/preview", &f.viewer.who, "", 0),
			 200);
	says("\"nodes\":1}");
	assert_int_equal(api_fixture_call(&f, "GET", "/v1/policies", &f.viewer.who, "", 0), 200);
	says("\"id\":\"R-1\"");
	says("\"open\":1}");
	sign_policy(2, f.responder.key, WIRE_DSSE_POLICY, &b);
	assert_int_equal(push(&f.approver, "/v1/policies", &b), 403);
	sign_policy(2, f.approver.key, WIRE_DSSE_ACTION, &b);
	assert_int_equal(push(&f.approver, "/v1/policies", &b), 400);
	assert_int_equal(policy_version(documents_policy(f.documents)), 1);
	buf_done(&b);
}

static int token(const char *body)
{
	return api_fixture_call(&f, "POST", "/v1/tokens", &f.approver.who, body, strlen(body));
}

static void test_tokens(void **state)
{
	static const char *const bad[] = {
		"",
		"{}",
		"{\"label\":\"\"}",
		"{\"label\":\"a b\",\"life_s\":60}",
		"{\"label\":\"x\",\"life_s\":0}",
		"{\"label\":\"x\",\"life_s\":2592001}",
		"{\"label\":\"x\",\"life_s\":-1}",
		"{\"label\":7,\"life_s\":60}",
	};
	char text[128], other[128];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(token(bad[i]), 400);
		says("\"error\":\"token: ");
	}
	api_fixture_token(&f, "", 2592000, text);
	assert_int_equal(strlen(text), 7 + 64 + 1 + 32);
	api_fixture_token(&f, "", 2592000, other);
	assert_string_not_equal(text, other);
	/* Its secret is in no line; its digest is. */
	assert_int_equal(api_fixture_log_has(&f, text + 72), 0);
	assert_int_equal(api_fixture_log_has(&f, "\"action\":\"token\""), 4);
}

static int no_commit(void *ctx)
{
	(void)ctx;
	return -EIO;
}

/* A token that was not stored is not given; a baseline that was not is nobody's. */
static void test_commit_fails(void **state)
{
	struct store_ops ops = *f.store.ops;
	const struct store_ops *good = f.store.ops;

	(void)state;
	ops.commit = no_commit;
	f.store.ops = &ops;
	assert_int_equal(token("{\"label\":\"\",\"life_s\":60}"), 500);
	assert_null(strstr(api_fixture_text(&f), "plumb1."));
	assert_int_equal(push_baseline("base", 1, f.approver.key, "/v1/baselines"), 500);
	f.store.ops = good;
	assert_int_equal(assigned(&one, NULL), 0);
	assert_int_equal(api_fixture_log_has(&f, "failed, not done"), 2);
	assert_int_equal(push_baseline("base", 1, f.approver.key, "/v1/baselines"), 200);
	assert_int_equal(assigned(&one, NULL), 1);
}

/* The same drift on two nodes, found in turns: two nodes, and the worst of it is what people see. */
static void test_summary(void **state)
{
	struct store_case *k = calloc(1, sizeof(*k));
	uint64_t id;

	(void)state;
	api_fixture_case(&f, one.id, "R-1", "exec:/tmp/0123456789abcdef", PLUMB_ACTION_REPORT,
			 false);
	api_fixture_case(&f, two.id, "R-1", "exec:/tmp/fedcba9876543210", PLUMB_ACTION_REPORT,
			 false);
	id = api_fixture_case(&f, one.id, "R-2", "exec:/tmp/00000000", PLUMB_ACTION_REPORT, false);
	assert_int_equal(f.store.ops->case_get(f.store.ctx, id, k), 0);
	k->severity = PLUMB_SEVERITY_CRITICAL;
	snprintf(k->who, sizeof(k->who), "uid 0, /usr/bin/evil ((sd (x)/9)");
	f.store.ops->begin(f.store.ctx);
	assert_int_equal(f.store.ops->case_put(f.store.ctx, k), 0);
	assert_int_equal(f.store.ops->commit(f.store.ctx), 0);
	assert_int_equal(api_fixture_call(&f, "GET", "/v1/drift/summary", &f.viewer.who, "", 0),
			 200);
	says("\"key\":\"exec:/tmp/*\",\"exe\":\"/usr/bin/evil\",\"rule\":\"R-1\","
	     "\"severity\":\"high\",\"nodes\":2,\"count\":2,");
	/* A name of a process that looks like the end of another program's path hides nothing. */
	says("\"exe\":\"/usr/bin/evil ((sd\",\"rule\":\"R-2\",\"severity\":\"critical\"");
	snprintf(k->who, sizeof(k->who), "uid 0, /usr/bin/evil (evil/9)");
	f.store.ops->begin(f.store.ctx);
	assert_int_equal(f.store.ops->case_put(f.store.ctx, k), 0);
	assert_int_equal(f.store.ops->commit(f.store.ctx), 0);
	assert_int_equal(
		api_fixture_call(&f, "GET", "/v1/drift/summary?open=1", &f.viewer.who, "", 0), 200);
	says("\"rule\":\"R-2\",\"severity\":\"critical\",\"nodes\":2,\"count\":3,");
	assert_null(strstr(api_fixture_text(&f), "\"more\""));
	/* Each of its own program: more groups than are told, and it says so. */
	f.store.ops->begin(f.store.ctx);
	for (int i = 0; i < 1001; i++) {
		k->id = 0;
		snprintf(k->key, sizeof(k->key), "exec:/usr/bin/x%dy", i);
		assert_int_equal(f.store.ops->case_put(f.store.ctx, k), 0);
	}
	assert_int_equal(f.store.ops->commit(f.store.ctx), 0);
	assert_int_equal(api_fixture_call(&f, "GET", "/v1/drift/summary", &f.viewer.who, "", 0),
			 200);
	says("],\"more\":true}");
	assert_int_equal(
		api_fixture_call(&f, "GET", "/v1/drift/summary?node=two", &f.viewer.who, "", 0),
		200);
	says("\"nodes\":1,\"count\":1,");
	free(k);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_baselines),	 EACH(test_policies), EACH(test_tokens),
		EACH(test_commit_fails), EACH(test_summary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
