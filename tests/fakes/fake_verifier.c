/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_verifier.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <cmocka.h>

#include "cert.h"
#include "ledger_check.h"
#include "merkle.h"
#include "quote.h"

static void say_nonce(struct fake_verifier *v, struct fake_http_answer *a)
{
	struct evidence_nonce n = {.life_ms = v->life_ms,
				   .size = v->size,
				   .has_base = v->has_base,
				   .base_pcr = v->base_pcr,
				   .base_reset = v->base_reset,
				   .base_restart = v->base_restart,
				   .has_base_size = v->says_base_size,
				   .base_size = v->confirmed,
				   .asks_boot_log = v->asks_boot_log,
				   .boot_log = v->held_boot_log};
	struct buf b = {0};

	v->n_nonce++;
	assert_int_equal(getrandom(v->nonce, sizeof(v->nonce), 0), sizeof(v->nonce));
	v->has_nonce = true;
	memcpy(n.nonce, v->nonce, sizeof(n.nonce));
	assert_int_equal(evidence_nonce_write(&n, &b), 0);
	fake_http_say(a, 200, (char *)b.data);
	buf_done(&b);
}

/* What is new of it is kept; what is known must be the same. */
static void take_lines(struct fake_verifier *v, const struct evidence *e)
{
	const uint8_t *at = e->lines.data, *end = at + e->lines.size;

	v->n_overlap += e->from < v->size;
	for (uint64_t seq = e->from; seq < e->checkpoint.size; seq++) {
		const uint8_t *lf = memchr(at, '\n', (size_t)(end - at));

		assert_non_null(lf);
		if (seq == v->size) {
			buf_put(&v->lines, at, (size_t)(lf + 1 - at));
			v->size++;
		}
		at = lf + 1;
	}
}

static void check_root(const struct fake_verifier *v, const struct checkpoint *c)
{
	struct merkle m;
	struct digest leaf, root;
	const uint8_t *at = v->lines.data, *end = at + v->lines.size;

	merkle_init(&m);
	while (m.size < c->size) {
		const uint8_t *lf = memchr(at, '\n', (size_t)(end - at));

		assert_non_null(lf);
		assert_int_equal(merkle_leaf(at, (size_t)(lf - at), &leaf), 0);
		assert_int_equal(merkle_add(&m, &leaf), 0);
		at = lf + 1;
	}
	assert_int_equal(merkle_root(&m, &root), 0);
	assert_true(digest_equal(&root, &c->root));
}

/* As the real one: nonce, node, counts, and what the quote is bound to. */
static void check_quote(struct fake_verifier *v, const struct evidence *e)
{
	const struct record *k = v->record;
	char text[CHECKPOINT_MAX_TEXT];
	struct quote_binding b = {.nonce = {v->nonce, WIRE_NONCE_SIZE},
				  .node = k->node,
				  .incarnation = k->incarnation,
				  .checkpoint = text,
				  .boot_log = e->boot_log,
				  .ima_cursor = e->ima_cursor,
				  .baseline_version = e->baseline_version,
				  .last_order = e->last_order,
				  .client_key = v->client_key};
	struct digest qualifying;
	struct quote_info info;
	struct why why = {""};
	size_t size;

	assert_memory_equal(e->nonce, v->nonce, WIRE_NONCE_SIZE);
	assert_int_equal(checkpoint_text(&e->checkpoint, text, &size), 0);
	assert_int_equal(quote_qualifying_data(&b, &qualifying), 0);
	if (quote_check(e->attest.data, e->attest.size, e->sig.data, e->sig.size, k->ak_public.data,
			k->ak_public.size, &qualifying, &e->pcrs, &info, &why) < 0)
		fail_msg("%s", why.text);
	v->has_base = true;
	v->base_pcr = e->pcrs.values[e->pcr_index];
	v->base_reset = info.reset_count;
	v->base_restart = info.restart_count;
	v->bound_boot_log = e->boot_log;
	if (e->boot_log_data.size > 0) {
		v->held_boot_log = e->boot_log;
		v->n_boot_logs++;
	}
}

static void answer(struct fake_verifier *v, const struct evidence *e, enum plumb_result result,
		   struct fake_http_answer *a)
{
	struct evidence_answer answer = {.result = result,
					 .size = v->size,
					 .confirmed_size = v->confirmed,
					 .state = "trusted"};
	struct buf b = {0};

	if (result != PLUMB_RESULT_ACCEPTED && result != PLUMB_RESULT_STORED)
		snprintf(answer.reason, sizeof(answer.reason), "the test says so");
	if (v->order.size > 0 && e->last_order < v->order_number) {
		buf_put(&answer.orders[0], v->order.data, v->order.size);
		answer.n_orders = 1;
	}
	if (result == PLUMB_RESULT_ACCEPTED)
		buf_put(&answer.certificate, v->certificate.data, v->certificate.size);
	assert_int_equal(evidence_answer_write(&answer, &b), 0);
	fake_http_say(a, 200, (char *)b.data);
	evidence_answer_done(&answer);
	buf_done(&b);
}

static void take(struct fake_verifier *v, const struct fake_http_request *q, bool provisional,
		 struct fake_http_answer *a)
{
	struct evidence e;
	struct why why = {""};
	enum plumb_result result = provisional ? PLUMB_RESULT_STORED : PLUMB_RESULT_ACCEPTED;

	if (q->size > v->largest)
		v->largest = q->size;
	if (v->max_body && q->size > v->max_body) {
		fake_http_say(a, 413, "{\"error\":\"too large\",\"cure\":\"send less\"}");
		return;
	}
	if (evidence_parse(q->body, q->size, &e, &why) < 0)
		fail_msg("%s", why.text);
	assert_int_equal(e.provisional, provisional);
	/* Good once; libcurl itself sends anew what a kept connection lost. */
	if (!provisional && !v->has_nonce) {
		fake_http_say(a, 409,
			      "{\"error\":\"the nonce was used\",\"cure\":\"ask for another\"}");
		evidence_done(&e);
		return;
	}
	v->has_nonce &= provisional;
	if (v->give) {
		result = v->give;
	} else if (e.from > v->size || e.checkpoint.size < v->size) {
		result = PLUMB_RESULT_SEND_AGAIN;
	} else {
		if (!provisional)
			check_quote(v, &e);
		take_lines(v, &e);
		check_root(v, &e.checkpoint);
		v->n_signed += e.n_notes;
	}
	if (result == PLUMB_RESULT_ACCEPTED) {
		v->n_accepted++;
		v->confirmed = e.checkpoint.size;
		v->leaving = e.leaving;
		v->last_order = e.last_order;
		v->baseline_version = e.baseline_version;
	}
	answer(v, &e, result, a);
	evidence_done(&e);
}

static void serve(struct fake_verifier *v, const struct fake_http_request *q,
		  struct fake_http_answer *a)
{
	if (strcmp(q->path, WIRE_ROUTE_NONCE) == 0) {
		say_nonce(v, a);
	} else if (strcmp(q->path, WIRE_ROUTE_EVIDENCE) == 0) {
		v->n_evidence++;
		take(v, q, false, a);
	} else if (strcmp(q->path, WIRE_ROUTE_DRIFT) == 0) {
		v->n_drift++;
		take(v, q, true, a);
	} else if (strncmp(q->path, WIRE_ROUTE_BASELINE_GET, strlen(WIRE_ROUTE_BASELINE_GET)) ==
			   0 &&
		   v->document.size > 0) {
		v->n_baseline++;
		fake_http_say(a, 200, (char *)v->document.data);
	} else {
		fake_http_say(a, 404, "{\"error\":\"no such thing\",\"cure\":\"none\"}");
	}
}

static void on_request(void *ctx, const struct fake_http_request *q, struct fake_http_answer *a)
{
	struct fake_verifier *v = ctx;

	if (v->faults == 0 || strncmp(q->path, v->fault_path, strlen(v->fault_path)) != 0) {
		if (!v->other || !v->other(v->ctx, q, a))
			serve(v, q, a);
		return;
	}
	v->faults--;
	switch (v->fault) {
	case FAKE_VERIFIER_STATUS:
		fake_http_say(a, v->status,
			      "{\"error\":\"the test's error\",\"cure\":\"its cure\"}");
		break;
	case FAKE_VERIFIER_EMPTY:
		fake_http_say(a, v->status, "");
		break;
	case FAKE_VERIFIER_GARBAGE:
		fake_http_say(a, 200, "{\"v\":1,\"result\":");
		break;
	case FAKE_VERIFIER_SILENT:
		a->silent = true;
		break;
	case FAKE_VERIFIER_TAKEN:
		serve(v, q, a);
		buf_clear(&a->bytes);
		a->close = true;
		break;
	default:
		a->close = true;
	}
}

void fake_verifier_fail(struct fake_verifier *v, const char *path, enum fake_verifier_fault fault,
			int status, unsigned int n)
{
	v->fault_path = path;
	v->fault = fault;
	v->status = status;
	v->faults = n;
}

void fake_verifier_issue(struct fake_verifier *v, const char *node, const struct sign_key *key,
			 uint64_t life_s, struct buf *ret)
{
	const struct cert_request q = {.kind = CERT_NODE,
				       .name = node,
				       .not_before_s = (uint64_t)time(NULL) - 60,
				       .life_s = life_s};

	assert_int_equal(cert_issue(&q, key, (char *)v->ca.data, v->ca_key, ret, NULL), 0);
}

static int compare_line(void *ctx, uint64_t seq, const char *line, size_t size)
{
	struct buf_reader *r = ctx;

	(void)seq;
	if (buf_left(r) == 0)
		return 1;
	assert_true(buf_left(r) > size);
	assert_memory_equal(r->data + r->at, line, size);
	assert_int_equal(r->data[r->at + size], '\n');
	r->at += size + 1;
	return 0;
}

void fake_verifier_expect_whole(const struct fake_verifier *v, const char *ledger_dir)
{
	struct buf_reader r = buf_reader_of(v->lines.data, v->lines.size);
	struct why why = {""};

	assert_true(ledger_check_each(fsio_system(), ledger_dir, 0, compare_line, &r, &why) >= 0);
	assert_int_equal(buf_left(&r), 0);
}

static void make_certs(struct fake_verifier *v)
{
	const char *host = "127.0.0.1";
	const uint64_t now = (uint64_t)time(NULL);
	const struct cert_request ca = {
		.kind = CERT_CA, .name = "test-ca", .not_before_s = now - 60, .life_s = 86400};
	const struct cert_request server = {.kind = CERT_SERVER,
					    .name = "test-server",
					    .hosts = &host,
					    .n_hosts = 1,
					    .not_before_s = now - 60,
					    .life_s = 86400};

	assert_int_equal(sign_key_generate(SIGN_P256, &v->ca_key), 0);
	assert_int_equal(sign_key_generate(SIGN_P256, &v->server_key), 0);
	assert_int_equal(sign_key_generate(SIGN_P256, &v->order_key), 0);
	assert_int_equal(cert_issue(&ca, v->ca_key, NULL, NULL, &v->ca, NULL), 0);
	assert_int_equal(
		cert_issue(&server, v->server_key, (char *)v->ca.data, v->ca_key, &v->chain, NULL),
		0);
	buf_put(&v->chain, v->ca.data, v->ca.size);
	assert_int_equal(sign_key_private_pem(v->server_key, &v->server_pem), 0);
}

void fake_verifier_open(struct fake_verifier *v, struct event_base *base)
{
	*v = (struct fake_verifier){.base = base, .life_ms = WIRE_NONCE_LIFE_MS};
	make_certs(v);
	fake_verifier_start(v);
}

void fake_verifier_start(struct fake_verifier *v)
{
	v->http =
		fake_http_open_at(v->base, v->url[0] ? atoi(strrchr(v->url, ':') + 1) : 0,
				  (char *)v->chain.data, (char *)v->server_pem.data, on_request, v);
	assert_non_null(v->http);
	snprintf(v->url, sizeof(v->url), "https://127.0.0.1:%d", fake_http_port(v->http));
}

void fake_verifier_stop(struct fake_verifier *v)
{
	v->http = fake_http_free(v->http);
}

void fake_verifier_done(struct fake_verifier *v)
{
	fake_http_free(v->http);
	sign_key_free(v->ca_key);
	sign_key_free(v->server_key);
	sign_key_free(v->order_key);
	buf_done(&v->ca);
	buf_done(&v->chain);
	buf_done(&v->server_pem);
	buf_done(&v->lines);
	buf_done(&v->certificate);
	buf_done(&v->order);
	buf_done(&v->document);
}
