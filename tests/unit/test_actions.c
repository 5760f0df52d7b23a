/* SPDX-License-Identifier: Apache-2.0 */
/* What operators do to nodes: who may, what is refused and leaves nothing behind, what it changes, what the log says of it. */
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
#include "order.h"
#include "plumb/wire.h"

static struct api_fixture f;
static struct api_fixture_machine m, waiting;

static int setup(void **state)
{
	(void)state;
	api_fixture_open(&f);
	api_fixture_enrol(&f, &m, f.maker, "one");
	api_fixture_machine_open(&f, &waiting, f.maker, "two");
	assert_int_equal(api_fixture_begin(&f, &waiting), 200);
	assert_int_equal(api_fixture_activate(&f, &waiting, true), 202);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	api_fixture_machine_done(&m);
	api_fixture_machine_done(&waiting);
	api_fixture_done(&f);
	return 0;
}

static void says(const char *text)
{
	if (!strstr(api_fixture_text(&f), text))
		fail_msg("\"%s\" is not in %.300s", text, api_fixture_text(&f));
}

static int act(const struct api_fixture_person *p, const char *action, const char *node,
	       const char *value)
{
	return api_fixture_act(&f, p, action, node, "because", value);
}

static struct store_node row(void)
{
	struct store_node n;

	api_fixture_row(&f, m.id, &n);
	return n;
}

static void put_row(struct store_node *n)
{
	assert_int_equal(f.store.ops->begin(f.store.ctx), 0);
	assert_int_equal(f.store.ops->node_put(f.store.ctx, n), 0);
	assert_int_equal(f.store.ops->commit(f.store.ctx), 0);
	store_node_done(n);
}

static void contain_node(enum plumb_containment c)
{
	struct store_node n = row();

	n.life = PLUMB_LIFE_ACTIVE;
	n.containment = c;
	put_row(&n);
}

static const char policy[] =
	"{\"v\":1,\"name\":\"p\",\"version\":%d,\"rules\":[{\"id\":\"R-1\",\"title\":\"t\","
	"\"when\":{\"type\":\"exec\"},\"severity\":\"high\",\"action\":\"quarantine\","
	"\"mode\":\"report\",\"release\":\"ack\",\"score\":500,\"grace_ms\":0,"
	"\"claim\":\"executables\",\"value\":33}]}";

static int push_policy(int version)
{
	struct buf b = {0};
	char text[512];
	int status;

	snprintf(text, sizeof(text), policy, version);
	assert_int_equal(dsse_sign(WIRE_DSSE_POLICY, text, strlen(text),
				   (const struct sign_key *const *)&f.approver.key, 1, &b),
			 0);
	status = api_fixture_call(&f, "POST", "/v1/policies", &f.approver.who, b.data, b.size);
	buf_done(&b);
	return status;
}

static bool is_open(uint64_t id)
{
	struct store_case *k = calloc(1, sizeof(*k));
	bool is;

	assert_int_equal(f.store.ops->case_get(f.store.ctx, id, k), 0);
	is = k->closed_ns == 0;
	free(k);
	return is;
}

/* Each action by each role; the approver's come last, so that what was refused before can still be done. */
static void test_roles(void **state)
{
	static const struct {
		const char *action, *node, *value;
		enum plumb_role role;
	} table[] = {
		{"acknowledge", "one", "", PLUMB_ROLE_RESPONDER},
		{"challenge", "one", "", PLUMB_ROLE_RESPONDER},
		{"scan", "one", "", PLUMB_ROLE_RESPONDER},
		{"restart", "one", "60000", PLUMB_ROLE_RESPONDER},
		{"approve", "two", "", PLUMB_ROLE_APPROVER},
		{"bind", "one", "kube-1", PLUMB_ROLE_APPROVER},
		{"release", "one", "", PLUMB_ROLE_APPROVER},
		{"arm", "", "R-1", PLUMB_ROLE_APPROVER},
		{"disarm", "", "all", PLUMB_ROLE_APPROVER},
		{"retire", "one", "", PLUMB_ROLE_APPROVER},
	};
	const struct api_fixture_person *by[] = {NULL, &f.viewer, &f.responder, &f.approver};

	(void)state;
	assert_int_equal(push_policy(1), 200);
	api_fixture_case(&f, m.id, "R-1", "exec:/x", PLUMB_ACTION_REPORT, false);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		for (enum plumb_role role = PLUMB_ROLE_VIEWER; role <= PLUMB_ROLE_APPROVER;
		     role++) {
			int want = role < table[i].role ? 403 : 200;

			/* Not twice what can be done once. */
			if (role > table[i].role)
				continue;
			if (act(by[role], table[i].action, table[i].node, table[i].value) != want)
				fail_msg("%s by %s: %d, %.200s", table[i].action,
					 terms_role_name(role), f.reply.status,
					 api_fixture_text(&f));
			says(want == 200 ? "\"undo\":\"" : "takes the role");
		}
		/* A role that is not enough does not even learn whether there is such a node. */
		if (table[i].node[0]) {
			assert_int_equal(act(&f.viewer, table[i].action, "none", ""), 403);
			says("takes the role");
		}
		assert_int_equal(act(&f.revoked, table[i].action, table[i].node, ""), 403);
		says("was revoked");
		assert_int_equal(act(&f.stranger, table[i].action, table[i].node, ""), 403);
		says("is not known");
	}
	assert_int_equal(api_fixture_log_has(&f, "\"action\":\"retire\""), 4);
	assert_int_equal(api_fixture_log_has(&f, "\"result\":\"retire takes the role approver"), 3);
}

static void send_as(const struct api_fixture_person *sender, const struct buf *envelope, int status,
		    const char *text)
{
	assert_int_equal(api_fixture_call(&f, "POST", "/v1/actions", &sender->who, envelope->data,
					  envelope->size),
			 status);
	says(text);
}

static void test_signature(void **state)
{
	struct buf b = {0}, payload = {0};
	size_t keyid;

	(void)state;
	/* An approver's signature, sent by somebody else; and a stranger's, sent by an approver. */
	api_fixture_envelope(&f, &f.approver, "challenge", "one", "x", "", &b);
	send_as(&f.responder, &b, 403, "action");
	buf_clear(&b);
	api_fixture_envelope(&f, &f.stranger, "challenge", "one", "x", "", &b);
	send_as(&f.approver, &b, 403, "action");
	buf_clear(&b);
	/* Good, and its twins; but for the key's id, which is a hint and not signed. */
	api_fixture_envelope(&f, &f.approver, "challenge", "one", "x", "", &b);
	keyid = (size_t)(strstr((char *)b.data, "\"keyid\"") - (char *)b.data);
	for (size_t i = 0; i < b.size; i += 11) {
		b.data[i] ^= 1;
		if (i < keyid || i > keyid + 75)
			assert_int_not_equal(api_fixture_call(&f, "POST", "/v1/actions",
							      &f.approver.who, b.data, b.size),
					     200);
		b.data[i] ^= 1;
		assert_int_not_equal(
			api_fixture_call(&f, "POST", "/v1/actions", &f.approver.who, b.data, i),
			200);
	}
	send_as(&f.approver, &b, 200, "asked for evidence");
	/* Another document of the same operator is no action. */
	buf_clear(&b);
	buf_puts(&payload, "{\"v\":1}");
	assert_int_equal(dsse_sign(WIRE_DSSE_POLICY, payload.data, payload.size,
				   (const struct sign_key *const *)&f.approver.key, 1, &b),
			 0);
	send_as(&f.approver, &b, 400, "action");
	buf_done(&b);
	buf_done(&payload);
}

/* The same bytes, and the same payload in another envelope. */
static void test_replay(void **state)
{
	struct buf b = {0}, again = {0}, payload = {0}, type = {0};

	(void)state;
	api_fixture_envelope(&f, &f.approver, "challenge", "one", "x", "", &b);
	send_as(&f.approver, &b, 200, "asked");
	send_as(&f.approver, &b, 409, "sent before");
	buf_puts(&b, " ");
	send_as(&f.approver, &b, 409, "sent before");
	buf_cut(&b, b.size - 1);
	assert_int_equal(dsse_peek(b.data, b.size, 65536, &payload, &type, NULL), 0);
	assert_int_equal(dsse_sign(WIRE_DSSE_ACTION, payload.data, payload.size,
				   (const struct sign_key *const *)&f.approver.key, 1, &again),
			 0);
	send_as(&f.approver, &again, 409, "sent before");
	/* What was refused is no more good later. */
	buf_clear(&b);
	api_fixture_envelope(&f, &f.approver, "challenge", "none", "x", "", &b);
	send_as(&f.approver, &b, 404, "there is no node");
	send_as(&f.approver, &b, 409, "sent before");
	buf_done(&b);
	buf_done(&again);
	buf_done(&payload);
	buf_done(&type);
}

static void test_time(void **state)
{
	static const int64_t off_s[] = {-301, 301, -86400, 86400};
	struct buf b = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(off_s) / sizeof(off_s[0]); i++) {
		buf_clear(&b);
		api_fixture_envelope(&f, &f.approver, "challenge", "one", "x", "", &b);
		f.utc_ns += (uint64_t)(off_s[i] * 1000000000);
		send_as(&f.approver, &b, 400, "set the clocks");
		f.utc_ns -= (uint64_t)(off_s[i] * 1000000000);
	}
	f.utc_ns += 299000000000;
	send_as(&f.approver, &b, 200, "asked");
	buf_done(&b);
}

static void test_bodies(void **state)
{
	(void)state;
	assert_int_equal(api_fixture_act(&f, &f.approver, "challenge", "one", "", ""), 400);
	says("no reason");
	assert_int_equal(act(&f.approver, "destroy", "one", ""), 400);
	says("there is no destroy");
	assert_int_equal(act(&f.approver, "challenge", "none", ""), 404);
	assert_int_equal(act(&f.approver, "challenge", "", ""), 404);
	assert_int_equal(api_fixture_log_has(&f, "\"action\":\"destroy\""), 0);
}

/* An id, its first digits, a label; a retired node's label is the next one's. */
static void test_names(void **state)
{
	struct api_fixture_machine next[2];
	char prefix[65];

	(void)state;
	assert_int_equal(act(&f.approver, "challenge", m.id, ""), 200);
	snprintf(prefix, sizeof(prefix), "%.12s", m.id);
	assert_int_equal(act(&f.approver, "challenge", prefix, ""), 200);
	prefix[3] = 0;
	assert_int_equal(act(&f.approver, "challenge", prefix, ""), 404);
	/* Whichever of the two ids comes first. */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(act(&f.approver, "retire", "one", ""), 200);
		api_fixture_enrol(&f, &next[i], f.maker, "one");
		assert_int_equal(act(&f.approver, "challenge", "one", ""), 200);
		assert_int_equal(api_fixture_log_has(&f, next[i].id) > 0, 1);
	}
	assert_int_equal(act(&f.approver, "retire", "one", ""), 200);
	/* Three that are retired: which is meant? */
	assert_int_equal(act(&f.approver, "retire", "one", ""), 409);
	says("more than one");
	assert_int_equal(act(&f.approver, "challenge", m.id, ""), 409);
	says("takes no orders");
	assert_int_equal(act(&f.approver, "restart", "two", ""), 409);
	api_fixture_machine_done(&next[0]);
	api_fixture_machine_done(&next[1]);
}

/* What the lists print of an id is a label, too, to whoever enrols under it. */
static void test_label_of_an_id(void **state)
{
	struct api_fixture_machine decoy;
	struct store_node n;
	char label[32];

	(void)state;
	snprintf(label, sizeof(label), "%.12s", m.id);
	api_fixture_enrol(&f, &decoy, f.maker, label);
	assert_int_equal(act(&f.approver, "revoke", label, ""), 409);
	says("more than one");
	assert_int_equal(act(&f.approver, "retire", decoy.id, ""), 200);
	assert_int_equal(act(&f.approver, "revoke", label, ""), 409);
	assert_int_equal(act(&f.approver, "revoke", m.id, ""), 200);
	n = row();
	assert_int_equal(n.life, PLUMB_LIFE_REVOKED);
	store_node_done(&n);
	api_fixture_machine_done(&decoy);
}

static void test_acknowledge(void **state)
{
	uint64_t report = api_fixture_case(&f, m.id, "R-1", "exec:/a", PLUMB_ACTION_REPORT, false);
	uint64_t armed =
		api_fixture_case(&f, m.id, "R-1", "exec:/b", PLUMB_ACTION_QUARANTINE, true);
	uint64_t others =
		api_fixture_case(&f, waiting.id, "R-1", "exec:/b", PLUMB_ACTION_REPORT, false);
	struct buf b = {0}, payload = {0};
	char at[CLOCK_TEXT_SIZE];

	(void)state;
	clock_text(f.utc_ns, at);
	buf_printf(&payload,
		   "{\"v\":1,\"action\":\"acknowledge\",\"node\":\"one\",\"reason\":\"x\","
		   "\"cases\":[%llu,%llu],\"value\":\"\",\"at\":\"%s\"}",
		   (unsigned long long)report, (unsigned long long)others, at);
	assert_int_equal(dsse_sign(WIRE_DSSE_ACTION, payload.data, payload.size,
				   (const struct sign_key *const *)&f.responder.key, 1, &b),
			 0);
	send_as(&f.responder, &b, 200, "1 case of one acknowledged");
	assert_false(is_open(report));
	assert_true(is_open(armed));
	assert_true(is_open(others));
	assert_int_equal(act(&f.responder, "acknowledge", "one", ""), 200);
	assert_false(is_open(armed));
	assert_true(is_open(others));
	assert_int_equal(act(&f.responder, "acknowledge", "one", ""), 404);
	says("no open case");
	buf_done(&b);
	buf_done(&payload);
}

static void test_release(void **state)
{
	uint64_t report = api_fixture_case(&f, m.id, "R-2", "exec:/a", PLUMB_ACTION_REPORT, false);
	uint64_t armed =
		api_fixture_case(&f, m.id, "R-1", "exec:/b", PLUMB_ACTION_QUARANTINE, true);
	struct store_node n;

	(void)state;
	assert_int_equal(act(&f.approver, "release", "one", ""), 200);
	says("nothing to release");
	contain_node(PLUMB_CONTAIN_QUARANTINED);
	assert_int_equal(act(&f.approver, "release", "one", ""), 200);
	says("1 case settled");
	assert_true(is_open(report));
	assert_false(is_open(armed));
	n = row();
	assert_int_not_equal(n.containment, PLUMB_CONTAIN_QUARANTINED);
	n.forked = true;
	n.containment = PLUMB_CONTAIN_QUARANTINED;
	put_row(&n);
	assert_int_equal(act(&f.approver, "release", "one", ""), 409);
	says("forked");
}

/* Signed and refused like the others; the log has the operator's word and the move that it made. */
static void test_remedy(void **state)
{
	(void)state;
	assert_int_equal(act(&f.viewer, "remedy", "one", ""), 403);
	assert_int_equal(act(&f.responder, "remedy", "one", ""), 409);
	says("nothing to remedy");
	contain_node(PLUMB_CONTAIN_QUARANTINED);
	assert_int_equal(api_fixture_call(&f, "GET", "/v1/nodes/one", &f.viewer.who, "", 0), 200);
	says("\"remedy\":null");
	assert_int_equal(act(&f.responder, "remedy", "one", "pray"), 400);
	assert_int_equal(act(&f.responder, "remedy", "one", "keys"), 403);
	says("takes the role approver");
	assert_int_equal(act(&f.responder, "remedy", "one", ""), 200);
	says("isolate runs until ");
	says("plumbctl node remedy one stop");
	assert_int_equal(api_fixture_call(&f, "GET", "/v1/nodes/one", &f.viewer.who, "", 0), 200);
	says("\"remedy\":{\"step\":\"isolate\",\"phase\":\"runs\",");
	says("\"leaving_until\":null");
	assert_int_equal(act(&f.responder, "remedy", "one", "skip"), 200);
	says("snapshot is next");
	assert_int_equal(act(&f.responder, "remedy", "one", "stop"), 200);
	assert_int_equal(act(&f.responder, "remedy", "one", "stop"), 409);
	/* begun, started, skipped, stopped; and each of the eight that was asked for. */
	assert_int_equal(api_fixture_log_has(&f, "\"event\":\""), 4);
	assert_int_equal(api_fixture_log_has(&f, "\"action\":\"remedy\""), 4 + 8);
}

/* When the grace of a case's rule ends is told of an open one that asks for something by then, and of no other. */
static void test_grace_is_told(void **state)
{
	uint64_t id = api_fixture_case(&f, m.id, "R-1", "exec:/b", PLUMB_ACTION_HOLD, true);
	struct store_case *k = malloc(sizeof(*k));

	(void)state;
	assert_non_null(k);
	assert_int_equal(api_fixture_call(&f, "GET", "/v1/nodes/one", &f.viewer.who, "", 0), 200);
	assert_null(strstr(api_fixture_text(&f), "\"acts\""));
	assert_int_equal(f.store.ops->begin(f.store.ctx), 0);
	assert_int_equal(f.store.ops->case_get(f.store.ctx, id, k), 0);
	k->opened_ns = 1795462800000000000ull;
	k->grace_ms = 60000;
	assert_int_equal(f.store.ops->case_put(f.store.ctx, k), 0);
	assert_int_equal(f.store.ops->commit(f.store.ctx), 0);
	free(k);
	assert_int_equal(api_fixture_call(&f, "GET", "/v1/nodes/one", &f.viewer.who, "", 0), 200);
	says("\"acts\":\"2026-11-23T19:41:00.000000000Z\"");
	assert_int_equal(act(&f.approver, "acknowledge", "one", ""), 200);
	assert_int_equal(api_fixture_call(&f, "GET", "/v1/nodes/one", &f.viewer.who, "", 0), 200);
	assert_null(strstr(api_fixture_text(&f), "\"acts\""));
}

struct kube_message {
	char text[2][200];
	int n;
};

/* What would go to Kubernetes, oldest first. */
static struct kube_message kube_messages(void)
{
	struct kube_message all = {.n = 0};
	struct store_message k = {.id = 0};

	f.store.ops->begin(f.store.ctx);
	while (f.store.ops->message_next(f.store.ctx, "kube", f.utc_ns, &k) == 0) {
		assert_true(all.n < 2);
		snprintf(all.text[all.n++], sizeof(all.text[0]), "%.*s", (int)k.body.size,
			 (char *)k.body.data);
		assert_int_equal(f.store.ops->message_done(f.store.ctx, k.id), 0);
		store_message_done(&k);
	}
	f.store.ops->commit(f.store.ctx);
	return all;
}

/* The taint goes with the name. */
static void test_bind(void **state)
{
	static const char *const bad[] = {"-a", "a-", ".a", "A", "a b", "a/b", "a_b"};
	struct kube_message k;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(act(&f.approver, "bind", "one", bad[i]), 400);
	assert_int_equal(act(&f.approver, "bind", "one", "kube-1"), 200);
	says("node bind one \\\"\\\"");
	k = kube_messages(); /* to be looked at: is it this machine? */
	assert_int_equal(k.n, 1);
	assert_non_null(strstr(k.text[0], "\"kube-1\""));
	assert_int_equal(act(&f.approver, "bind", "two", "kube-1"), 409);
	assert_int_equal(kube_messages().n, 0);
	contain_node(PLUMB_CONTAIN_QUARANTINED);
	assert_int_equal(act(&f.approver, "bind", "one", "kube-2"), 200);
	says("our taints come off kube-1");
	k = kube_messages();
	assert_int_equal(k.n, 2);
	assert_non_null(strstr(k.text[0], "\"kube-1\""));
	assert_non_null(strstr(k.text[1], "\"kube-2\""));
	assert_int_equal(act(&f.approver, "bind", "one", "kube-2"), 200);
	assert_int_equal(kube_messages().n, 1);
	assert_int_equal(act(&f.approver, "bind", "one", ""), 200);
	k = kube_messages();
	assert_int_equal(k.n, 1);
	assert_non_null(strstr(k.text[0], "\"kube-2\""));
	/* Who is retired gives its name up, and gets none. */
	assert_int_equal(act(&f.approver, "bind", "one", "kube-1"), 200);
	assert_int_equal(act(&f.approver, "retire", "one", ""), 200);
	assert_int_equal(act(&f.approver, "bind", "one", "kube-3"), 409);
	says("retired");
	assert_int_equal(act(&f.approver, "bind", "two", "kube-1"), 200);
	/* The log says which name it was. */
	assert_int_equal(api_fixture_log_has(&f, "two is Kubernetes node kube-1 from here on"), 1);
}

static void test_restart(void **state)
{
	static const char *const bad[] = {"0",	"-1",	"+5",	   " 5",
					  "5x", "0x10", "3600001", "99999999999999999999999"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(act(&f.responder, "restart", "one", bad[i]), 400);
	assert_int_equal(act(&f.responder, "restart", "one", ""), 200);
	says("within 300 s");
	assert_int_equal(act(&f.responder, "restart", "one", "3600000"), 200);
	says("within 3600 s");
}

/* One that an approver chose for it before it was approved stays; and a second approval is none. */
static void test_approve(void **state)
{
	struct store_node n;
	struct digest chosen = {{7}};

	(void)state;
	api_fixture_row(&f, waiting.id, &n);
	n.baseline = chosen;
	n.baseline_version = 3;
	put_row(&n);
	assert_int_equal(act(&f.approver, "approve", "two", ""), 200);
	api_fixture_row(&f, waiting.id, &n);
	assert_int_equal(n.life, PLUMB_LIFE_ENROLLED);
	assert_true(digest_equal(&n.baseline, &chosen));
	assert_int_equal(n.last_order, 1);
	store_node_done(&n);
	assert_int_equal(act(&f.approver, "approve", "two", ""), 409);
	says("does not wait");
}

static void test_arm(void **state)
{
	uint64_t id;

	(void)state;
	assert_int_equal(act(&f.approver, "arm", "", "all"), 400);
	says("there is no policy yet");
	assert_int_equal(push_policy(1), 200);
	assert_int_equal(act(&f.approver, "arm", "", "R-9"), 400);
	says("no rule R-9");
	id = api_fixture_case(&f, m.id, "R-1", "exec:/b", PLUMB_ACTION_QUARANTINE, false);
	assert_int_equal(act(&f.approver, "arm", "", "R-1"), 200);
	says("plumbctl policy disarm R-1");
	assert_int_equal(policy_rule(documents_policy(f.documents), 0)->mode, POLICY_MODE_ARMED);
	assert_true(is_open(id));
	/* The signed bundle comes again, newer: what was armed by id stays so. */
	assert_int_equal(push_policy(2), 200);
	assert_int_equal(policy_rule(documents_policy(f.documents), 0)->mode, POLICY_MODE_ARMED);
	assert_int_equal(push_policy(1), 409);
}

/* The store fails at the last step: memory, store and the log agree that nothing was done. */
static int no_commit(void *ctx)
{
	(void)ctx;
	return -ENOSPC;
}

static void test_commit_fails(void **state)
{
	struct store_ops ops = *f.store.ops;
	const struct store_ops *good = f.store.ops;

	(void)state;
	assert_int_equal(push_policy(1), 200);
	ops.commit = no_commit;
	f.store.ops = &ops;
	assert_int_equal(act(&f.approver, "arm", "", "R-1"), 500);
	says("No space left");
	f.store.ops = good;
	assert_int_equal(policy_rule(documents_policy(f.documents), 0)->mode, POLICY_MODE_REPORT);
	assert_int_equal(api_fixture_log_has(&f, "failed, not done"), 1);
	f.store.ops = &ops;
	assert_int_equal(push_policy(2), 500);
	f.store.ops = good;
	assert_int_equal(policy_version(documents_policy(f.documents)), 1);
	assert_int_equal(api_fixture_log_has(&f, "failed, not done"), 2);
	/* And it can be done again. */
	assert_int_equal(push_policy(2), 200);
	assert_int_equal(act(&f.approver, "arm", "", "R-1"), 200);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_roles),	   EACH(test_signature), EACH(test_replay),
		EACH(test_time),	   EACH(test_bodies),	 EACH(test_names),
		EACH(test_acknowledge),	   EACH(test_release),	 EACH(test_bind),
		EACH(test_restart),	   EACH(test_approve),	 EACH(test_arm),
		EACH(test_commit_fails),   EACH(test_remedy),	 EACH(test_grace_is_told),
		EACH(test_label_of_an_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
