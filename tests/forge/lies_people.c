/* SPDX-License-Identifier: Apache-2.0 */
/* What people may do, done by those who may not. */
#include <stdio.h>
#include <string.h>

#include "forge.h"
#include "verifier_fixture.h"

static void nodes_by_node(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	forge_get(f, &n->m.person, WIRE_ROUTE_NODES, t);
}

static void ledger_by_node(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	char path[128];

	snprintf(path, sizeof(path), WIRE_ROUTE_LEDGER "%s", f->two.m.id);
	forge_get(f, &n->m.person, path, t);
}

static void own_ledger_by_node(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	char path[128];

	snprintf(path, sizeof(path), WIRE_ROUTE_LEDGER "%s", n->m.id);
	forge_get(f, &n->m.person, path, t);
}

static void log_by_node(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	forge_get(f, &n->m.person, WIRE_ROUTE_EVENTS "?since=0", t);
}

static void nodes_by_nobody(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	(void)n;
	forge_get(f, NULL, WIRE_ROUTE_NODES, t);
}

static void nodes_by_revoked(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	(void)n;
	forge_get(f, &f->ron, WIRE_ROUTE_NODES, t);
}

static void nonce_by_operator(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	(void)n;
	forge_post(f, &f->alice, WIRE_ROUTE_NONCE, WIRE_TYPE_JSON, "{}", 2, t);
}

static void token_by(struct forge *f, const struct api_fixture_person *p, const char *body,
		     struct forge_told *t)
{
	forge_post(f, p, WIRE_ROUTE_TOKENS, WIRE_TYPE_JSON, body, strlen(body), t);
}

static void token_by_node(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	token_by(f, &n->m.person, "{\"label\":\"\",\"life_s\":60}", t);
}

static void token_by_responder(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	(void)n;
	token_by(f, &f->rita, "{\"label\":\"\",\"life_s\":60}", t);
}

static void token_for_ever(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	(void)n;
	token_by(f, &f->alice, "{\"label\":\"\",\"life_s\":9223372036854775807}", t);
}

static void act(struct forge *f, const struct api_fixture_person *by, const char *action,
		struct forge_told *t)
{
	forge_action(f, by, by, action, f->one.m.label, "test", 0, t);
}

static void scan_by_viewer(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	(void)n;
	act(f, &f->victor, "scan", t);
}

static void retire_by_responder(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	(void)n;
	act(f, &f->rita, "retire", t);
}

static void act_by_node(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	act(f, &n->m.person, "release", t);
}

static void act_by_revoked(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	(void)n;
	act(f, &f->ron, "retire", t);
}

/* Signed by one, sent by another: the signature decides, and it must be the sender's. */
static void signed_by_other(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	(void)n;
	forge_action(f, &f->alice, &f->rita, "retire", f->one.m.label, "test", 0, t);
}

static void signed_by_lower(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	(void)n;
	forge_action(f, &f->victor, &f->alice, "retire", f->one.m.label, "test", 0, t);
}

static void replayed(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	struct buf b = {0};

	(void)n;
	forge_envelope(&f->rita, "acknowledge", f->two.m.label, "test", 0, &b);
	forge_post(f, &f->rita, WIRE_ROUTE_ACTIONS, WIRE_TYPE_JSON, b.data, b.size, t);
	forge_post(f, &f->rita, WIRE_ROUTE_ACTIONS, WIRE_TYPE_JSON, b.data, b.size, t);
	buf_done(&b);
}

static void of_yesterday(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	(void)n;
	forge_action(f, &f->alice, &f->alice, "retire", f->one.m.label, "test", 86400, t);
}

static void of_tomorrow(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	(void)n;
	forge_action(f, &f->alice, &f->alice, "retire", f->one.m.label, "test", -86400, t);
}

static void without_reason(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	(void)n;
	forge_action(f, &f->alice, &f->alice, "retire", f->one.m.label, "", 0, t);
}

static void for_no_node(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	(void)n;
	forge_action(f, &f->alice, &f->alice, "retire", "three", "test", 0, t);
}

static void unknown_action(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	(void)n;
	act(f, &f->alice, "trust", t);
}

/* Its text changed after it was signed. */
static void changed(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	struct buf b = {0};
	char *at;

	(void)n;
	forge_envelope(&f->alice, "retire", f->one.m.label, "test", 0, &b);
	at = strstr((char *)b.data, "\"payload\":\"") + 40;
	*at = *at == 'A' ? 'B' : 'A';
	forge_post(f, &f->alice, WIRE_ROUTE_ACTIONS, WIRE_TYPE_JSON, b.data, b.size, t);
	buf_done(&b);
}

static void baseline_by(struct forge *f, const struct sign_key *key,
			const struct api_fixture_person *sender, bool spoilt, struct forge_told *t)
{
	struct buf b = {0};

	verifier_fixture_baseline(
		"base", 9, "{\"s\":\"host\",\"k\":\"file:/etc/a\",\"x\":\"reg two\"}\n", key, &b);
	if (spoilt)
		forge_replace(&b, "reg two", "reg 222");
	forge_post(f, sender, WIRE_ROUTE_BASELINES, WIRE_TYPE_BASELINE, b.data, b.size, t);
	buf_done(&b);
}

static void baseline_by_stranger(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	baseline_by(f, n->m.person.key, &f->alice, false, t);
}

static void baseline_by_viewer(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	(void)n;
	baseline_by(f, f->victor.key, &f->victor, false, t);
}

static void baseline_by_node(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	baseline_by(f, f->alice.key, &n->m.person, false, t);
}

static void baseline_spoilt(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	(void)n;
	baseline_by(f, f->alice.key, &f->alice, true, t);
}

static void policy_by(struct forge *f, const struct sign_key *key,
		      const struct api_fixture_person *sender, struct forge_told *t)
{
	struct buf b = {0};

	verifier_fixture_policy("lies", 1, "[]", key, &b);
	forge_post(f, sender, WIRE_ROUTE_POLICIES, WIRE_TYPE_JSON, b.data, b.size, t);
	buf_done(&b);
}

static void policy_by_responder(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	(void)n;
	policy_by(f, f->rita.key, &f->rita, t);
}

static void policy_by_stranger(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	policy_by(f, n->m.person.key, &f->alice, t);
}

static const struct forge_lie lies[] = {
	{"a node asks for all nodes", "403", "this takes an operator's certificate",
	 .tell = nodes_by_node},
	{"a node asks for another's ledger", "403", "this takes an operator's certificate",
	 .tell = ledger_by_node},
	{"a node asks for its own ledger", "403", "this takes an operator's certificate",
	 .tell = own_ledger_by_node},
	{"a node asks for the log", "403", "this takes an operator's certificate",
	 .tell = log_by_node},
	{"nobody asks for all nodes", "401", "this takes a client certificate",
	 .tell = nodes_by_nobody},
	{"a revoked operator", "403", "operator ron was revoked", .tell = nodes_by_revoked},
	{"an operator asks for a nonce", "403", "this takes a node's certificate",
	 .tell = nonce_by_operator},
	{"a node makes a join token", "403", "this takes an operator's certificate",
	 .tell = token_by_node},
	{"a responder makes a join token", "403", "this takes the role approver; rita is responder",
	 .tell = token_by_responder},
	{"a join token for ever", "400", "token", .tell = token_for_ever},
	{"a viewer acts", "403", "victor is viewer", .tell = scan_by_viewer},
	{"a responder retires", "403", "retire takes the role approver; rita is responder",
	 .tell = retire_by_responder},
	{"a node acts", "403", "this takes an operator's certificate", .tell = act_by_node},
	{"a revoked operator acts", "403", "operator ron was revoked", .tell = act_by_revoked},
	{"an approver's action sent by a responder", "403", "sign", .tell = signed_by_other},
	{"a viewer's action sent by an approver", "403", "sign", .tell = signed_by_lower},
	{"an action sent twice", "409", "it was sent before", .tell = replayed},
	{"an action of yesterday", "400", "86400 s away from the verifier's time",
	 .tell = of_yesterday},
	{"an action of tomorrow", "400", "away from the verifier's time", .tell = of_tomorrow},
	{"an action without a reason", "400", "there is no reason", .tell = without_reason},
	{"an action for a node that there is not", "404", "there is no node three",
	 .tell = for_no_node},
	{"an action that there is not", "400", "there is no trust", .tell = unknown_action},
	{"an action changed after it was signed", "403", "sign", .tell = changed},
	{"a baseline by a stranger", "403", "sign", .tell = baseline_by_stranger},
	{"a baseline by a viewer", "403", "victor is viewer", .tell = baseline_by_viewer},
	{"a baseline sent by a node", "403", "this takes an operator's certificate",
	 .tell = baseline_by_node},
	{"a baseline changed after it was signed", "400", "baseline", .tell = baseline_spoilt},
	{"a policy by a responder", "403", "rita is responder", .tell = policy_by_responder},
	{"a policy by a stranger", "403", "sign", .tell = policy_by_stranger},
};
FORGE_TABLE(lies_people, "people", lies);
