/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's way to its verifier: which answers are what, one of a kind at a time, and none that is left without an end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "agent_fixture.h"

struct world {
	struct agent_fixture f;
	enum plumb_result give;
	char proven[64], at[64];
	unsigned int n_proven, n_failed;
	unsigned int n;
	int result;
	struct why why;
	struct buf body;
};

static int make(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	agent_fixture_init(&w->f);
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	agent_fixture_done(&w->f);
	buf_done(&w->body);
	free(w);
	return 0;
}

static void on_nonce(void *ctx, int r, const struct evidence_nonce *n, const struct why *why)
{
	struct world *w = ctx;

	(void)n;
	w->n++;
	w->result = r;
	w->why = *why;
}

static void on_answer(void *ctx, int r, const struct evidence_answer *a, const struct why *why)
{
	(void)a;
	on_nonce(ctx, r, NULL, why);
}

static void on_document(void *ctx, int r, const struct buf *body, const struct why *why)
{
	struct world *w = ctx;

	buf_clear(&w->body);
	buf_put(&w->body, body->data, body->size);
	on_nonce(ctx, r, NULL, why);
}

static bool has_ended(void *ctx)
{
	return ((const struct world *)ctx)->n > 0;
}

static void expect(struct world *w, int result, const char *text)
{
	agent_fixture_until(&w->f, has_ended, w, "it ended");
	assert_int_equal(w->n, 1);
	assert_int_equal(w->result, result);
	if (!strstr(w->why.text, text))
		fail_msg("\"%s\" is not in: %s", text, w->why.text);
	w->n = 0;
}

static void test_statuses(void **state)
{
	static const struct {
		int status, result;
	} statuses[] = {
		{401, -EPERM},	  {403, -EPERM},  {404, -ENOENT}, {409, -ESTALE},
		{413, -EMSGSIZE}, {429, -EAGAIN}, {500, -EAGAIN}, {503, -EAGAIN},
		{400, -EPROTO},	  {418, -EPROTO}, {302, -EPROTO},
	};
	const struct buf body = {(uint8_t *)"x", 1, 0, 0, 0};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		for (int k = 0; k < 3; k++) {
			fake_verifier_fail(&w->f.verifier, "/v1/", FAKE_VERIFIER_STATUS,
					   statuses[i].status, 1);
			assert_int_equal(k == 0 ? transport_nonce(w->f.transport, on_nonce, w)
						: transport_evidence(w->f.transport, k == 1, &body,
								     on_answer, w),
					 0);
			expect(w, statuses[i].result, "the test's error; its cure");
		}
	fake_verifier_fail(&w->f.verifier, "/v1/", FAKE_VERIFIER_GARBAGE, 200, 3);
	for (int k = 0; k < 3; k++) {
		assert_int_equal(
			k == 0 ? transport_nonce(w->f.transport, on_nonce, w)
			       : transport_evidence(w->f.transport, k == 1, &body, on_answer, w),
			0);
		expect(w, -EPROTO, "");
	}
	assert_int_equal(transport_nonce(w->f.transport, on_nonce, w), 0);
	expect(w, 0, "");
}

static void test_baseline(void **state)
{
	struct world *w = *state;
	struct digest d = {{7}};

	assert_int_equal(transport_baseline(w->f.transport, &d, on_document, w), 0);
	expect(w, -ENOENT, "no such thing");
	buf_puts(&w->f.verifier.document, "a document");
	assert_int_equal(transport_baseline(w->f.transport, &d, on_document, w), 0);
	expect(w, 0, "");
	assert_string_equal((char *)w->body.data, "a document");
}

static void test_one_of_a_kind(void **state)
{
	struct world *w = *state;

	fake_verifier_fail(&w->f.verifier, "/v1/", FAKE_VERIFIER_SILENT, 0, 1);
	assert_int_equal(transport_nonce(w->f.transport, on_nonce, w), 0);
	assert_int_equal(transport_nonce(w->f.transport, on_nonce, w), -EALREADY);
	assert_int_equal(w->n, 0);
	/* What is in flight ends with the way itself. */
	w->f.transport = transport_free(w->f.transport);
	expect(w, -ECANCELED, "");
}

static void test_urls(void **state)
{
	static const char *const bad[] = {"",
					  "https://",
					  "http://127.0.0.1:1",
					  "127.0.0.1:1",
					  "https://127.0.0.1:1/",
					  "https://127.0.0.1:1/v1"};
	struct world *w = *state;
	struct transport *t;
	char url[1024];

	memset(url, 'a', sizeof(url));
	memcpy(url, "https://", 8);
	url[sizeof(url) - 1] = 0;
	for (size_t i = 0; i <= sizeof(bad) / sizeof(bad[0]); i++) {
		const struct transport_options o = {i < sizeof(bad) / sizeof(bad[0]) ? bad[i] : url,
						    (char *)w->f.verifier.ca.data, NULL, NULL};
		struct why why = {""};

		assert_int_equal(transport_open(w->f.base, &o, &t, &why), -EINVAL);
		assert_non_null(strstr(why.text, "https://HOST:PORT"));
	}
	assert_null(transport_free(NULL));
}

/* Another's server is told nothing. */
static void test_wrong_server(void **state)
{
	struct world *w = *state;
	const struct transport_options o = {w->f.verifier.url, (char *)w->f.client_cert.data,
					    (char *)w->f.client_cert.data,
					    (char *)w->f.client_pem.data};
	struct why why = {""};

	transport_free(w->f.transport);
	assert_int_equal(transport_open(w->f.base, &o, &w->f.transport, &why), 0);
	assert_int_equal(transport_nonce(w->f.transport, on_nonce, w), 0);
	expect(w, -EKEYREJECTED, "");
	assert_int_equal(w->f.verifier.n_nonce, 0);
}

static bool on_other(void *ctx, const struct fake_http_request *q, struct fake_http_answer *a)
{
	struct world *w = ctx;
	struct evidence_answer answer = {.result = w->give, .reason = "so", .state = "trusted"};
	struct buf b = {0};

	if (!strstr(q->path, "evidence") && !strstr(q->path, "drift"))
		return false;
	if (w->give == PLUMB_RESULT_ACCEPTED)
		answer.reason[0] = '\0';
	assert_int_equal(evidence_answer_write(&answer, &b), 0);
	fake_http_say(a, 200, (char *)b.data);
	buf_done(&b);
	return true;
}

static void on_proven(void *ctx, const char *address)
{
	struct world *w = ctx;

	w->n_proven++;
	snprintf(w->proven, sizeof(w->proven), "%s", address);
}

static const char *on_at(void *ctx, bool failed)
{
	struct world *w = ctx;

	w->n_failed += failed;
	return w->at[0] ? w->at : NULL;
}

static void send_to(struct world *w, bool provisional, enum plumb_result give, int result)
{
	const struct buf body = {(uint8_t *)"x", 1, 0, 0, 0};

	w->give = give;
	assert_int_equal(transport_evidence(w->f.transport, provisional, &body, on_answer, w), 0);
	expect(w, result, "");
}

/* Where the verifier is, is what accepted evidence says, and nothing less. It is found there whatever the name and the port say. */
static void test_way(void **state)
{
	struct world *w = *state;
	const struct transport_options o = {"https://127.0.0.1:1", (char *)w->f.verifier.ca.data,
					    (char *)w->f.client_cert.data,
					    (char *)w->f.client_pem.data};
	const struct transport_way way = {on_proven, on_at, w};
	struct why why = {""};

	w->f.verifier.other = on_other;
	w->f.verifier.ctx = w;
	transport_go_by(w->f.transport, &way);
	send_to(w, true, PLUMB_RESULT_ACCEPTED, 0);
	send_to(w, false, PLUMB_RESULT_STORED, 0);
	send_to(w, false, PLUMB_RESULT_FORKED, 0);
	assert_int_equal(w->n_proven, 0);
	send_to(w, false, PLUMB_RESULT_ACCEPTED, 0);
	assert_int_equal(w->n_proven, 1);
	assert_string_equal(w->proven, w->f.verifier.url + strlen("https://"));
	transport_free(w->f.transport);
	assert_int_equal(transport_open(w->f.base, &o, &w->f.transport, &why), 0);
	transport_go_by(w->f.transport, &way);
	send_to(w, false, PLUMB_RESULT_ACCEPTED, -ECONNREFUSED);
	assert_int_equal(w->n_failed, 0);
	snprintf(w->at, sizeof(w->at), "%s", w->proven);
	send_to(w, false, PLUMB_RESULT_ACCEPTED, 0);
	assert_int_equal(w->n_failed, 1);
	assert_int_equal(w->n_proven, 2);
	assert_string_equal(w->proven, w->at);
	send_to(w, false, PLUMB_RESULT_ACCEPTED, 0);
	assert_int_equal(w->n_failed, 1);
	/* Who is there must still be the one whose name it is. */
	transport_free(w->f.transport);
	assert_int_equal(
		transport_open(w->f.base,
			       &(struct transport_options){"https://other.example:1", o.ca_pem,
							   o.cert_pem, o.key_pem},
			       &w->f.transport, &why),
		0);
	transport_go_by(w->f.transport, &way);
	send_to(w, false, PLUMB_RESULT_ACCEPTED, -EKEYREJECTED);
}

/* Who answers and does nothing for this node is not gone to again, as if nobody had answered. */
static void test_refused(void **state)
{
	static const struct {
		int status;
		bool elsewhere;
	} statuses[] = {
		{503, true}, {500, true}, {429, true}, {401, true},  {403, true},
		{404, true}, {400, true}, {302, true}, {409, false}, {413, false},
	};
	struct world *w = *state;
	const struct transport_way way = {on_proven, on_at, w};
	const struct buf body = {(uint8_t *)"x", 1, 0, 0, 0};
	struct digest d = {{7}};

	w->f.verifier.other = on_other;
	w->f.verifier.ctx = w;
	w->give = PLUMB_RESULT_ACCEPTED;
	transport_go_by(w->f.transport, &way);
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		for (int k = 0; k < 3; k++) {
			fake_verifier_fail(&w->f.verifier, "/v1/", FAKE_VERIFIER_STATUS,
					   statuses[i].status, 1);
			w->n_failed = 0;
			assert_int_equal(k == 0 ? transport_nonce(w->f.transport, on_nonce, w)
						: transport_evidence(w->f.transport, k == 1, &body,
								     on_answer, w),
					 0);
			agent_fixture_until(&w->f, has_ended, w, "it ended");
			w->n = 0;
			assert_int_equal(w->n_failed, 0);
			send_to(w, false, PLUMB_RESULT_ACCEPTED, 0);
			assert_int_equal(w->n_failed, statuses[i].elsewhere);
			send_to(w, false, PLUMB_RESULT_ACCEPTED, 0);
			assert_int_equal(w->n_failed, statuses[i].elsewhere);
		}
	for (int k = 0; k < 3; k++) {
		fake_verifier_fail(&w->f.verifier, "/v1/", FAKE_VERIFIER_GARBAGE, 200, 1);
		w->n_failed = 0;
		assert_int_equal(
			k == 0 ? transport_nonce(w->f.transport, on_nonce, w)
			       : transport_evidence(w->f.transport, k == 1, &body, on_answer, w),
			0);
		expect(w, -EPROTO, "");
		send_to(w, false, PLUMB_RESULT_ACCEPTED, 0);
		assert_int_equal(w->n_failed, 1);
	}
	/* That it has no such document says nothing of it. */
	w->n_failed = 0;
	assert_int_equal(transport_baseline(w->f.transport, &d, on_document, w), 0);
	expect(w, -ENOENT, "no such thing");
	send_to(w, false, PLUMB_RESULT_ACCEPTED, 0);
	assert_int_equal(w->n_failed, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, make, end)
	const struct CMUnitTest tests[] = {
		T(test_statuses),     T(test_baseline), T(test_one_of_a_kind), T(test_urls),
		T(test_wrong_server), T(test_way),	T(test_refused)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
