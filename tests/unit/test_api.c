/* SPDX-License-Identifier: Apache-2.0 */
/* Every route with every method, sent by everybody: who may, and what those who may not are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include "api_fixture.h"
#include "plumb/wire.h"

static struct api_fixture f;
static struct api_fixture_machine node, retired;

static int setup(void **state)
{
	struct store_node n;

	(void)state;
	api_fixture_open(&f);
	api_fixture_enrol(&f, &node, f.maker, "one");
	api_fixture_enrol(&f, &retired, f.maker, "gone");
	assert_int_equal(api_fixture_act(&f, &f.approver, "retire", "gone", "test", ""), 200);
	api_fixture_row(&f, node.id, &n);
	assert_int_equal(n.life, PLUMB_LIFE_ENROLLED);
	store_node_done(&n);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	api_fixture_machine_done(&node);
	api_fixture_machine_done(&retired);
	api_fixture_done(&f);
	return 0;
}

/* What each is answered to an empty body. 0 in a route that bodies are sent to: not 401, 403, 404, 405. */
enum who { NOBODY, NODE, RETIRED, VIEWER, RESPONDER, APPROVER, REVOKED, STRANGER, N_WHO };

static const struct {
	const char *method, *route;
	int status[N_WHO];
} table[] = {
	{"POST", "/v1/enrol", {400, 400, 400, 400, 400, 400, 400, 400}},
	{"POST", "/v1/enrol/activate", {400, 400, 400, 400, 400, 400, 400, 400}},
	{"POST", "/v1/nonce", {401, 200, 403, 403, 403, 403, 403, 403}},
	{"POST", "/v1/evidence", {401, 400, 403, 403, 403, 403, 403, 403}},
	{"POST", "/v1/drift", {401, 400, 403, 403, 403, 403, 403, 403}},
	{"GET", "/v1/baseline/00", {401, 404, 403, 404, 404, 404, 403, 403}},
	{"GET", "/v1/baseline/../store.db", {401, 404, 403, 404, 404, 404, 403, 403}},
	{"GET", "/v1/nodes", {401, 403, 403, 200, 200, 200, 403, 403}},
	{"GET", "/v1/nodes/one", {401, 403, 403, 200, 200, 200, 403, 403}},
	{"GET", "/v1/nodes/none", {401, 403, 403, 404, 404, 404, 403, 403}},
	{"GET", "/v1/drift/summary", {401, 403, 403, 200, 200, 200, 403, 403}},
	{"GET", "/v1/drift/summary?node=none", {401, 403, 403, 404, 404, 404, 403, 403}},
	{"GET", "/v1/drift/summary?node=one&node=two", {401, 403, 403, 400, 400, 400, 403, 403}},
	{"POST", "/v1/actions", {401, 403, 403, 400, 400, 400, 403, 403}},
	{"GET", "/v1/events", {401, 403, 403, 200, 200, 200, 403, 403}},
	{"GET", "/v1/events?since=99999", {401, 403, 403, 400, 400, 400, 403, 403}},
	{"GET", "/v1/events?since=x", {401, 403, 403, 400, 400, 400, 403, 403}},
	{"POST", "/v1/baselines", {401, 403, 403, 403, 403, 400, 403, 403}},
	{"GET", "/v1/baselines", {401, 403, 403, 200, 200, 200, 403, 403}},
	{"POST", "/v1/policies", {401, 403, 403, 403, 403, 400, 403, 403}},
	{"GET", "/v1/policies", {401, 403, 403, 200, 200, 200, 403, 403}},
	{"POST", "/v1/policies/preview", {401, 403, 403, 404, 404, 404, 403, 403}},
	{"POST", "/v1/tokens", {401, 403, 403, 403, 403, 400, 403, 403}},
	{"GET", "/v1/ledger/one", {401, 403, 403, 200, 200, 200, 403, 403}},
	{"GET", "/v1/ledger/none", {401, 403, 403, 404, 404, 404, 403, 403}},
	{"GET", "/v1/statement/one", {401, 403, 403, 200, 200, 200, 403, 403}},
	{"GET", "/v1/statement/one?incarnation=7", {401, 403, 403, 404, 404, 404, 403, 403}},
	{"GET", "/v1/statement/none", {401, 403, 403, 404, 404, 404, 403, 403}},
	{"POST", "/v1/log/proofs", {401, 403, 403, 400, 400, 400, 403, 403}},
	{"GET", "/.well-known/jwks.json", {200, 200, 200, 200, 200, 200, 200, 200}},
	{"GET", "/healthz", {200, 200, 200, 200, 200, 200, 200, 200}},
};

static const struct cert_identity *identity(enum who who)
{
	const struct cert_identity *all[N_WHO] = {
		[NOBODY] = NULL,
		[NODE] = &node.person.who,
		[RETIRED] = &retired.person.who,
		[VIEWER] = &f.viewer.who,
		[RESPONDER] = &f.responder.who,
		[APPROVER] = &f.approver.who,
		[REVOKED] = &f.revoked.who,
		[STRANGER] = &f.stranger.who,
	};

	return all[who];
}

static void call(const char *method, const char *route, enum who who, int status)
{
	int got = api_fixture_call(&f, method, route, identity(who), "", 0);

	if (got != status)
		fail_msg("%s %s by %d: %d, not %d: %.200s", method, route, (int)who, got, status,
			 api_fixture_text(&f));
	if (got >= 400 && (!strstr(api_fixture_text(&f), "{\"error\":\"") ||
			   !strstr(api_fixture_text(&f), "\"cure\":\"")))
		fail_msg("%s %s: %.200s", method, route, api_fixture_text(&f));
}

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		for (int who = 0; who < N_WHO; who++)
			call(table[i].method, table[i].route, (enum who)who, table[i].status[who]);
}

/* A path that there is, by a method that it does not take, is 405 to everybody; what is no path is 404. */
static void test_methods(void **state)
{
	static const char *const both[] = {"/v1/baselines", "/v1/policies"};
	static const char *const none[] = {
		"",	     "/",	   "/v1",	   "/v1/",	    "/v1/nodes/",
		"/v1/Nodes", "/v1/nodesx", "/v1/baseline", "/v1/baseline/", "/v1/ledger/",
		"/healthz/", "//healthz",  "/v2/nodes"};
	char path[64];

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		bool takes_both = false;

		snprintf(path, sizeof(path), "%.*s", (int)strcspn(table[i].route, "?"),
			 table[i].route);
		for (size_t k = 0; k < 2; k++)
			takes_both |= strcmp(both[k], path) == 0;
		for (int who = 0; who < N_WHO; who++) {
			call("other", path, (enum who)who, 405);
			if (!takes_both)
				call(strcmp(table[i].method, "GET") == 0 ? "POST" : "GET", path,
				     (enum who)who, 405);
		}
	}
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		call("GET", none[i], NOBODY, 404);
		call("POST", none[i], APPROVER, 404);
	}
}

/* A name of 253 bytes may be one; a longer one is none, and no route. */
static void test_long_names(void **state)
{
	char route[400] = "/v1/nodes/";

	(void)state;
	memset(route + 10, 'a', 253);
	call("GET", route, VIEWER, 404);
	assert_non_null(strstr(api_fixture_text(&f), "there is no node"));
	memset(route + 10, 'a', 254);
	call("GET", route, VIEWER, 404);
	assert_non_null(strstr(api_fixture_text(&f), "no such route"));
}

static void test_bounds(void **state)
{
	static const struct {
		const char *route;
		enum who who;
		size_t max;
	} bounds[] = {
		{"/v1/enrol", NOBODY, WIRE_MAX_JSON_BODY},
		{"/v1/enrol/activate", NOBODY, WIRE_MAX_JSON_BODY},
		{"/v1/nonce", NODE, 4096},
		{"/v1/evidence", NODE, WIRE_MAX_EVIDENCE_BODY},
		{"/v1/drift", NODE, WIRE_MAX_EVIDENCE_BODY},
		{"/v1/actions", APPROVER, WIRE_MAX_JSON_BODY},
		{"/v1/tokens", APPROVER, 4096},
		{"/v1/policies", APPROVER, 4u << 20},
	};
	char *body = calloc(1, WIRE_MAX_EVIDENCE_BODY + 1);

	(void)state;
	assert_non_null(body);
	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
		assert_int_equal(api_fixture_call(&f, "POST", bounds[i].route,
						  identity(bounds[i].who), body, bounds[i].max + 1),
				 413);
		assert_int_not_equal(api_fixture_call(&f, "POST", bounds[i].route,
						      identity(bounds[i].who), body, bounds[i].max),
				     413);
	}
	assert_int_equal(
		api_fixture_call(&f, "GET", "/v1/nodes", &f.viewer.who, body, WIRE_MAX_JSON_BODY),
		413);
	free(body);
}

/* The certificate says approver; the store, that counts, says viewer. And the name is nothing without the key. */
static void test_certificates_are_not_believed(void **state)
{
	struct cert_identity who = f.viewer.who, twin = node.person.who;

	(void)state;
	who.role = PLUMB_ROLE_APPROVER;
	assert_int_equal(api_fixture_call(&f, "POST", "/v1/tokens", &who, "{}", 2), 403);
	who = f.stranger.who;
	snprintf(who.name, sizeof(who.name), "alice");
	assert_int_equal(api_fixture_call(&f, "GET", "/v1/nodes", &who, "", 0), 403);
	twin.key_id.bytes[0] ^= 1;
	assert_int_equal(api_fixture_call(&f, "POST", "/v1/nonce", &twin, "{}", 2), 403);
	assert_int_equal(api_fixture_call(&f, "GET", "/v1/baseline/00", &twin, "", 0), 403);
	who = f.approver.who;
	who.kind = CERT_SERVER;
	assert_int_equal(api_fixture_call(&f, "GET", "/v1/nodes", &who, "", 0), 403);
	assert_int_equal(api_fixture_call(&f, "POST", "/v1/nonce", &who, "{}", 2), 403);
	/* An operator whose name is a node's id, and the other way round. */
	who = f.approver.who;
	snprintf(who.name, sizeof(who.name), "%s", node.id);
	assert_int_equal(api_fixture_call(&f, "POST", "/v1/nonce", &who, "{}", 2), 403);
	twin = node.person.who;
	twin.key_id = f.approver.who.key_id;
	assert_int_equal(api_fixture_call(&f, "GET", "/v1/nodes", &twin, "", 0), 403);
}

/* Whoever says what he sends must mean what the route takes; an agent that says nothing is let by. */
static void test_types(void **state)
{
	static const struct {
		const char *type;
		int status;
	} types[] = {{NULL, 400},
		     {WIRE_TYPE_EVIDENCE, 400},
		     {WIRE_TYPE_EVIDENCE "; charset=utf-8", 400},
		     {"Application/vnd.plumb.evidence", 400},
		     {WIRE_TYPE_EVIDENCE "s", 415},
		     {WIRE_TYPE_JSON, 415},
		     {"", 415}};
	static const char *const routes[] = {WIRE_ROUTE_EVIDENCE, WIRE_ROUTE_DRIFT};

	(void)state;
	for (size_t i = 0; i < 14; i++) {
		struct api_request q = {.method = "POST",
					.path = routes[i % 2],
					.query = "",
					.type = types[i / 2].type,
					.who = &node.person.who,
					.body = "x",
					.size = 1};

		buf_done(&f.reply.body);
		api_handle(&f.api, &q, &f.reply);
		assert_int_equal(f.reply.status, types[i / 2].status);
	}
}

static void test_following(void **state)
{
	(void)state;
	call("GET", "/v1/events?follow=1&since=0", VIEWER, 200);
	assert_true(f.reply.follow && !f.reply.stream && f.reply.since == 0);
	call("GET", "/v1/events?since=1", VIEWER, 200);
	assert_true(!f.reply.follow && f.reply.stream && f.reply.since == 1);
	assert_true(api_may_follow(&f.api, &f.viewer.who));
	assert_false(api_may_follow(&f.api, &f.revoked.who));
	assert_false(api_may_follow(&f.api, &node.person.who));
	assert_false(api_may_follow(&f.api, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_certificates_are_not_believed),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_following),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
