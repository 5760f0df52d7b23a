/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate that is over, or refused: another is had by the TPM's word; verifiers that are old, away, say no or lie; clocks that are off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <time.h>

#include "agent_fixture.h"
#include "cert.h"
#include "jsonl.h"
#include "makecred.h"
#include "reactivation.h"

#define NODE_LABEL "web-1"
#define YEAR (365 * 86400ull)

enum answer { GOOD, OLD, REFUSES, OTHER_INCARNATION, OTHER_KEY };

struct world {
	struct agent_fixture f;
	struct record own;
	struct reactivation *r;
	struct digest secret, proof;
	char path[128];
	uint64_t utc_ns, boot_ns;
	struct clock clock;
	enum answer answer;
	uint64_t life_s;
	unsigned int n_begun, n_proven;
};

static uint64_t utc(void *ctx)
{
	return ((struct world *)ctx)->utc_ns;
}

static uint64_t boot(void *ctx)
{
	return ((struct world *)ctx)->boot_ns;
}

static void expect_proof(struct world *w)
{
	const struct record *o = &w->own;
	struct buf_view ek = {o->ek_public.data, o->ek_public.size},
			ak = {o->ak_public.data, o->ak_public.size},
			event = {o->event_public.data, o->event_public.size};
	char session[65];
	struct digest transcript;
	unsigned int size = DIGEST_SIZE;

	memset(session, 'a', 64);
	session[64] = 0;
	assert_int_equal(record_transcript(session, &ek, &ak, &event, &w->f.client_id, NODE_LABEL,
					   &transcript),
			 0);
	assert_non_null(HMAC(EVP_sha256(), w->secret.bytes, DIGEST_SIZE, transcript.bytes,
			     DIGEST_SIZE, w->proof.bytes, &size));
}

static void say_begun(struct world *w, struct fake_http_answer *a)
{
	const struct record *o = &w->own;
	struct buf blob = {0}, secret = {0}, out = {0};
	uint8_t name[34];
	struct jsonl j;

	memset(w->secret.bytes, 0x5a, DIGEST_SIZE);
	expect_proof(w);
	assert_int_equal(quote_public_name(o->ak_public.data, o->ak_public.size, name, NULL), 0);
	assert_int_equal(makecred_make(o->ek_public.data, o->ek_public.size, name, sizeof(name),
				       w->secret.bytes, DIGEST_SIZE, &blob, &secret, NULL),
			 0);
	jsonl_begin(&j, &out);
	jsonl_str(&j, "session",
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	jsonl_base64(&j, "credential", blob.data, blob.size);
	jsonl_base64(&j, "secret", secret.data, secret.size);
	jsonl_end(&j);
	fake_http_say(a, 200, (char *)out.data);
	buf_done(&blob);
	buf_done(&secret);
	buf_done(&out);
}

static void say_identity(struct world *w, struct fake_http_answer *a)
{
	struct buf record = {0}, pem = {0}, out = {0};
	struct record r = w->own;
	struct sign_key *other = NULL;
	struct jsonl j;

	r.incarnation += w->answer == OTHER_INCARNATION;
	assert_int_equal(record_write(&r, &record), 0);
	assert_int_equal(sign_key_generate(SIGN_P256, &other), 0);
	fake_verifier_issue(&w->f.verifier, w->own.node,
			    w->answer == OTHER_KEY ? other : w->f.client_key, w->life_s, &pem);
	sign_key_free(other);
	jsonl_begin(&j, &out);
	jsonl_str(&j, "status", "enrolled");
	jsonl_raw(&j, "record", (char *)record.data, record.size - 1);
	jsonl_strn(&j, "certificate", (char *)pem.data, pem.size);
	jsonl_str(&j, "ca", (char *)w->f.verifier.ca.data);
	jsonl_end(&j);
	fake_http_say(a, 200, (char *)out.data);
	buf_done(&record);
	buf_done(&pem);
	buf_done(&out);
}

static bool serve(void *ctx, const struct fake_http_request *q, struct fake_http_answer *a)
{
	struct world *w = ctx;
	struct buf proof = {0};
	json_t *o = NULL;

	/* Never the route on which an older verifier would make the node wait for an approver. */
	assert_string_not_equal(q->path, "/v1/enrol");
	if (strcmp(q->path, "/v1/enrol/again") == 0) {
		w->n_begun++;
		if (w->answer == OLD)
			fake_http_say(a, 404,
				      "{\"error\":\"there is no such route\",\"cure\":\"\"}");
		else if (w->answer == REFUSES)
			fake_http_say(a, 403, "{\"error\":\"revoked by alice\",\"cure\":\"x\"}");
		else
			say_begun(w, a);
		return true;
	}
	if (strcmp(q->path, "/v1/enrol/activate") != 0)
		return false;
	assert_int_equal(jsonl_parse(q->body, q->size, 4096, &o, NULL), 0);
	assert_int_equal(jsonl_get_base64(o, "proof", DIGEST_SIZE, &proof, NULL), 0);
	assert_int_equal(proof.size, DIGEST_SIZE);
	assert_memory_equal(proof.data, w->proof.bytes, DIGEST_SIZE);
	w->n_proven++;
	say_identity(w, a);
	json_decref(o);
	buf_done(&proof);
	return true;
}

/* The certificate in use ends so many seconds from now. */
static void open_it(struct world *w, int64_t left_s)
{
	struct why why = {""};
	struct reactivation_options o = {
		.url = w->f.verifier.url,
		.ca_pem = (char *)w->f.verifier.ca.data,
		.key_pem = (char *)w->f.client_pem.data,
		.record = &w->own,
		.clock = &w->clock,
		.queue = w->f.queue,
		.renewal = {.io = fsio_system(),
			    .path = w->path,
			    .node = w->own.node,
			    .client_key = w->f.client_id,
			    .transport = w->f.transport,
			    .not_after_s = (uint64_t)((int64_t)(w->utc_ns / 1000000000) + left_s)},
		.every_ms = 10,
	};

	if (reactivation_open(w->f.base, &o, &w->r, &why) < 0)
		fail_msg("%s", why.text);
}

static int make(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	agent_fixture_init(&w->f);
	agent_fixture_start(&w->f);
	w->f.verifier.other = serve;
	w->f.verifier.ctx = w;
	w->utc_ns = (uint64_t)time(NULL) * 1000000000;
	w->boot_ns = 1000000000000;
	w->clock = (struct clock){.utc_ns = utc, .boot_ns = boot, .ctx = w};
	w->life_s = YEAR;
	w->own = w->f.identity.record;
	w->own.incarnation = 3;
	snprintf(w->own.label, sizeof(w->own.label), NODE_LABEL);
	w->own.witness_key = w->own.order_key = w->own.event_public; /* any bytes do */
	snprintf(w->own.witness_name, sizeof(w->own.witness_name), "v.example/verifier");
	snprintf(w->path, sizeof(w->path), "%s/client.crt", w->f.dir);
	assert_int_equal(fsio_replace_file(fsio_system(), w->path, "old", 3, 0600), 0);
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	agent_fixture_stop(&w->f);
	reactivation_free(w->r);
	agent_fixture_done(&w->f);
	free(w);
	return 0;
}

static void turn(struct world *w, unsigned int ms)
{
	const struct timeval tick = {0, 10000};
	uint64_t until = clock_boot_ns(clock_system()) + ms * 1000000ull;

	/* An end that was asked for before may come first. */
	while (clock_boot_ns(clock_system()) < until) {
		event_base_loopexit(w->f.base, &tick);
		event_base_dispatch(w->f.base);
	}
}

static bool is_new(void *ctx)
{
	const struct world *w = ctx;
	struct buf b = {0};
	bool other;

	assert_int_equal(fsio_read_file(fsio_system(), w->path, 65536, &b), 0);
	other = strncmp((char *)b.data, "-----BEGIN", 10) == 0;
	buf_done(&b);
	return other;
}

static bool has_asked(void *ctx)
{
	return ((struct world *)ctx)->n_begun > 0;
}

static void test_in_time(void **state)
{
	struct world *w = *state;

	open_it(w, 1000);
	turn(w, 100);
	assert_int_equal(w->n_begun, 0);
	w->utc_ns += 1001 * 1000000000ull;
	agent_fixture_until(&w->f, is_new, w, "a new certificate");
	assert_int_equal(w->n_proven, 1);
	turn(w, 100);
	assert_int_equal(w->n_begun, 1);
}

/* Over by the verifier's clock alone: TLS says so. */
static void test_refused_by_tls(void **state)
{
	struct world *w = *state;

	open_it(w, 1000);
	turn(w, 50);
	reactivation_refused(w->r);
	agent_fixture_until(&w->f, is_new, w, "a new certificate");
	turn(w, 100);
	assert_int_equal(w->n_begun, 1);
}

/* Given while the verifier's clock was years ahead: one that ends much earlier takes its place, but only because TLS refuses it. */
static void test_verifier_was_ahead(void **state)
{
	struct world *w = *state;
	struct buf pem = {0};

	w->life_s = 30 * 86400;
	open_it(w, 2 * YEAR);
	fake_verifier_issue(&w->f.verifier, w->own.node, w->f.client_key, w->life_s, &pem);
	reactivation_renew(w->r, &pem);
	assert_false(is_new(w));
	reactivation_refused(w->r);
	agent_fixture_until(&w->f, is_new, w, "a new certificate");
	turn(w, 100);
	assert_int_equal(w->n_begun, 1);
	/* It is the one in use now: what ends no later is kept out again. */
	assert_int_equal(fsio_replace_file(fsio_system(), w->path, "old", 3, 0600), 0);
	reactivation_renew(w->r, &pem);
	assert_false(is_new(w));
	buf_done(&pem);
}

/* One that is not kept changes nothing: the end of the one in use counts as before. */
static void test_refused_then_other_key(void **state)
{
	struct world *w = *state;
	struct buf pem = {0};

	w->life_s = 30 * 86400;
	w->answer = OTHER_KEY;
	open_it(w, 2 * YEAR);
	reactivation_refused(w->r);
	agent_fixture_until(&w->f, has_asked, w, "a try");
	turn(w, 300);
	assert_int_equal(w->n_proven, 1);
	fake_verifier_issue(&w->f.verifier, w->own.node, w->f.client_key, w->life_s, &pem);
	reactivation_renew(w->r, &pem);
	assert_false(is_new(w));
	buf_done(&pem);
}

/* Over by this node's clock alone, which is years ahead, also with the new one: asked once. */
static void test_clock_ahead(void **state)
{
	struct world *w = *state;

	w->utc_ns += 20 * YEAR * 1000000000;
	open_it(w, -20 * (int64_t)YEAR + 10);
	agent_fixture_until(&w->f, is_new, w, "a new certificate");
	turn(w, 100);
	w->boot_ns += 3600 * 1000000000ull;
	turn(w, 100);
	assert_int_equal(w->n_begun, 1);
	/* The verifier's word still counts. */
	w->life_s = YEAR + 100;
	reactivation_refused(w->r);
	turn(w, 300);
	assert_int_equal(w->n_proven, 2);
}

static void never(struct world *w, enum answer answer)
{
	w->answer = answer;
	open_it(w, -10);
	agent_fixture_until(&w->f, has_asked, w, "a try");
	turn(w, 300);
	assert_false(is_new(w));
	/* Not without end: ten seconds, and then longer. */
	assert_int_equal(w->n_begun, 1);
	w->boot_ns += 10000000000;
	turn(w, 300);
	assert_int_equal(w->n_begun, 2);
	w->boot_ns += 10000000000;
	turn(w, 100);
	assert_int_equal(w->n_begun, 2);
	w->answer = GOOD;
	w->boot_ns += 10000000000;
	agent_fixture_until(&w->f, is_new, w, "a new certificate");
}

static void test_old(void **state)
{
	never(*state, OLD);
}

static void test_refuses(void **state)
{
	never(*state, REFUSES);
}

static void test_incarnation(void **state)
{
	never(*state, OTHER_INCARNATION);
}

static void test_other_key(void **state)
{
	never(*state, OTHER_KEY);
}

static void test_tpm_gone(void **state)
{
	struct world *w = *state;

	fake_tpm_faults(w->f.tpm)->fail = -ENODEV;
	open_it(w, -10);
	agent_fixture_until(&w->f, has_asked, w, "a try");
	turn(w, 200);
	assert_false(is_new(w));
	assert_int_equal(w->n_proven, 0);
	fake_tpm_faults(w->f.tpm)->fail = 0;
	w->boot_ns += 10000000000;
	agent_fixture_until(&w->f, is_new, w, "a new certificate");
}

#define T(name) cmocka_unit_test_setup_teardown(name, make, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_in_time),
		T(test_refused_by_tls),
		T(test_verifier_was_ahead),
		T(test_refused_then_other_key),
		T(test_clock_ahead),
		T(test_old),
		T(test_refuses),
		T(test_incarnation),
		T(test_other_key),
		T(test_tpm_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
