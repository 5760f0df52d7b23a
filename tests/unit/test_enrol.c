/* SPDX-License-Identifier: Apache-2.0 */
/* Machines with a TPM in memory enrol: with a token, without, anew; and those that are no such machines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "api_fixture.h"
#include "jsonl.h"
#include "record.h"

static struct api_fixture f;
static struct api_fixture_machine m, other;

static int setup(void **state)
{
	(void)state;
	api_fixture_open(&f);
	api_fixture_machine_open(&f, &m, f.maker, "one");
	api_fixture_machine_open(&f, &other, f.maker, "two");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	api_fixture_machine_done(&m);
	api_fixture_machine_done(&other);
	api_fixture_done(&f);
	return 0;
}

static void says(const char *text)
{
	if (!strstr(api_fixture_text(&f), text))
		fail_msg("\"%s\" is not in %.300s", text, api_fixture_text(&f));
}

static void refused(int status, const char *text)
{
	assert_int_equal(f.reply.status, status);
	says(text);
	says("\"cure\":\"");
}

static void with_token(struct api_fixture_machine *who, const char *label)
{
	api_fixture_token(&f, label, 3600, who->token);
	assert_int_equal(api_fixture_begin(&f, who), 200);
}

static struct store_node row(const struct api_fixture_machine *who)
{
	struct store_node n;

	api_fixture_row(&f, who->id, &n);
	return n;
}

static bool has_row(const struct api_fixture_machine *who)
{
	struct store_node n = {.incarnation = 0};
	int r = f.store.ops->node_get(f.store.ctx, who->id, &n);

	store_node_done(&n);
	return r == 0;
}

static void test_token(void **state)
{
	struct record record = {.incarnation = 0};
	struct store_node n;
	json_t *o = NULL, *in = NULL;
	char *text;

	(void)state;
	with_token(&m, "one");
	assert_false(has_row(&m));
	assert_int_equal(api_fixture_activate(&f, &m, true), 200);
	assert_string_equal(m.person.who.name, m.id);
	assert_int_equal(m.person.who.kind, CERT_NODE);
	n = row(&m);
	assert_int_equal(n.life, PLUMB_LIFE_ENROLLED);
	assert_int_equal(n.incarnation, 1);
	assert_true(digest_equal(&n.client_key, &m.person.who.key_id));
	/* The record of the answer is the row's. */
	assert_int_equal(jsonl_parse(f.reply.body.data, f.reply.body.size, 1 << 20, &o, NULL), 0);
	assert_int_equal(jsonl_get_object(o, "record", &in, NULL), 0);
	text = json_dumps(in, JSON_COMPACT);
	assert_int_equal(record_parse(text, strlen(text), &record, NULL), 0);
	assert_string_equal(record.node, m.id);
	assert_string_equal(record.label, "one");
	assert_int_equal(record.n_baseline_keys, 1); /* alice's; ron was revoked */
	assert_int_equal(memcmp(n.record.data, text, strlen(text)), 0);
	free(text);
	json_decref(o);
	record_done(&record);
	store_node_done(&n);
	assert_int_equal(api_fixture_log_has(&f, "\"cause\":\"enrolled with a join token"), 1);
	assert_int_equal(api_fixture_call(&f, "POST", "/v1/nonce", &m.person.who, "{}", 2), 200);
	/* Who lost the answer asks again, for a minute. */
	assert_int_equal(api_fixture_activate(&f, &m, true), 200);
	f.boot_ns += 61000000000;
	api_fixture_activate(&f, &m, true);
	refused(409, "time is over");
}

static void test_token_once(void **state)
{
	(void)state;
	with_token(&m, "");
	assert_int_equal(api_fixture_activate(&f, &m, true), 200);
	memcpy(other.token, m.token, sizeof(other.token));
	assert_int_equal(api_fixture_begin(&f, &other), 200);
	api_fixture_activate(&f, &other, true);
	refused(403, "used before");
	assert_false(has_row(&other));
	/* Refused, the session is gone too. */
	api_fixture_activate(&f, &other, true);
	refused(409, "anew");
}

/* Cut off between the verifier's commit and its own: the same machine with the same keys is enrolled once, for one token. */
static void test_lost_answer(void **state)
{
	(void)state;
	with_token(&m, "one");
	assert_int_equal(api_fixture_activate(&f, &m, true), 200);
	f.boot_ns += 3600000000000;
	assert_int_equal(api_fixture_begin(&f, &m), 200);
	assert_int_equal(api_fixture_activate(&f, &m, true), 200);
	assert_int_equal(api_fixture_log_has(&f, "\"cause\":\"enrolled with a join token"), 1);
	/* Whoever does not have its TPM has nothing of it, and another label is another enrolment. */
	assert_int_equal(api_fixture_begin(&f, &m), 200);
	assert_int_equal(api_fixture_activate(&f, &m, false), 403);
	snprintf(m.label, sizeof(m.label), "uno");
	assert_int_equal(api_fixture_begin(&f, &m), 200);
	api_fixture_activate(&f, &m, true);
	refused(403, "used before");
}

static void test_token_label(void **state)
{
	(void)state;
	with_token(&m, "two");
	api_fixture_activate(&f, &m, true);
	refused(403, "the join token is for label two");
	assert_false(has_row(&m));
	/* It was not used up by the one that it was not for. */
	memcpy(other.token, m.token, sizeof(other.token));
	assert_int_equal(api_fixture_begin(&f, &other), 200);
	assert_int_equal(api_fixture_activate(&f, &other, true), 200);
}

static void test_token_time(void **state)
{
	(void)state;
	with_token(&m, "one");
	f.utc_ns += 3600000000000;
	api_fixture_activate(&f, &m, true);
	refused(403, "time is over");
	assert_false(has_row(&m));
	snprintf(m.token, sizeof(m.token), "plumb1.%064d.%032d", 7, 7);
	assert_int_equal(api_fixture_begin(&f, &m), 200);
	api_fixture_activate(&f, &m, true);
	refused(403, "not known");
}

static void test_wrong_tpm(void **state)
{
	struct buf ak = {0};
	char session[65];

	(void)state;
	with_token(&m, "one");
	api_fixture_activate(&f, &m, false);
	refused(403, "did not answer the credential");
	/* One try a session. */
	api_fixture_activate(&f, &m, true);
	refused(409, "anew");
	/* Another's AK under this EK: its TPM does not open the credential. */
	memcpy(session, m.session, sizeof(session));
	buf_put(&ak, m.ak.data, m.ak.size);
	buf_clear(&m.ak);
	buf_put(&m.ak, other.ak.data, other.ak.size);
	api_fixture_begin(&f, &m);
	refused(403, "enrolment");
	buf_clear(&m.ak);
	buf_put(&m.ak, ak.data, ak.size);
	buf_done(&ak);
	/* A session that nobody was given. */
	assert_int_equal(api_fixture_begin(&f, &m), 200);
	m.session[0] = m.session[0] == 'a' ? 'b' : 'a';
	api_fixture_activate(&f, &m, true);
	refused(409, "anew");
	assert_false(has_row(&m));
}

/* All keys another machine's, in the name of this EK: only activation tells. */
static void test_borrowed_ek(void **state)
{
	(void)state;
	buf_clear(&other.ek);
	buf_put(&other.ek, m.ek.data, m.ek.size);
	buf_clear(&other.ek_cert);
	buf_put(&other.ek_cert, m.ek_cert.data, m.ek_cert.size);
	with_token(&other, "two");
	api_fixture_activate(&f, &other, true);
	refused(403, "did not answer the credential");
	assert_false(has_row(&m));
}

static void test_ek_certificate(void **state)
{
	EVP_PKEY *stranger = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");

	(void)state;
	api_fixture_mint(&m, stranger);
	api_fixture_begin(&f, &m);
	refused(403, "no chain");
	says("ek_anchors");
	buf_clear(&m.ek_cert);
	buf_put(&m.ek_cert, other.ek_cert.data, other.ek_cert.size);
	api_fixture_begin(&f, &m);
	refused(403, "another key");
	buf_clear(&m.ek_cert);
	api_fixture_begin(&f, &m);
	refused(403, "there is none");
	api_fixture_mint(&m, f.maker);
	assert_int_equal(api_fixture_begin(&f, &m), 200);
	EVP_PKEY_free(stranger);
}

/* TPM2B_PUBLIC of a signing key: attributes at bytes 6 to 9. */
static void test_keys(void **state)
{
	struct buf *const keys[] = {&m.ak, &m.event, &m.ek};

	(void)state;
	m.ak.data[7] ^= 0x05; /* neither restricted nor noDA */
	api_fixture_begin(&f, &m);
	refused(403, "AK");
	m.ak.data[7] ^= 0x05;
	m.event.data[7] ^= 0x01; /* restricted */
	api_fixture_begin(&f, &m);
	refused(403, "event key");
	m.event.data[7] ^= 0x01;
	/* Each with one byte of its point turned, and cut short. */
	for (size_t i = 0; i < 3; i++) {
		struct buf *k = keys[i];

		k->data[k->size - 1] ^= 1;
		api_fixture_begin(&f, &m);
		refused(403, "enrolment");
		k->data[k->size - 1] ^= 1;
		k->size--;
		api_fixture_begin(&f, &m);
		refused(403, "enrolment");
		k->size++;
	}
	assert_int_equal(api_fixture_begin(&f, &m), 200);
}

static void test_certify(void **state)
{
	(void)state;
	buf_clear(&m.attest);
	buf_clear(&m.sig);
	buf_put(&m.attest, other.attest.data, other.attest.size);
	buf_put(&m.sig, other.sig.data, other.sig.size);
	api_fixture_begin(&f, &m);
	refused(403, "");
	api_fixture_certify_event(&m);
	for (size_t i = 0; i < m.attest.size; i += 7) {
		m.attest.data[i] ^= 4;
		api_fixture_begin(&f, &m);
		refused(403, "");
		m.attest.data[i] ^= 4;
	}
	/* The event key of another, with this machine's certificate of its own. */
	buf_clear(&m.event);
	buf_put(&m.event, other.event.data, other.event.size);
	api_fixture_begin(&f, &m);
	refused(403, "");
	assert_false(has_row(&m));
}

static void test_csr(void **state)
{
	(void)state;
	buf_clear(&m.csr);
	buf_puts(&m.csr, "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE "
			 "REQUEST-----\n");
	api_fixture_begin(&f, &m);
	refused(403, "");
	buf_clear(&m.csr);
	assert_int_equal(cert_csr_make(m.person.key, "x", &m.csr), 0);
	m.csr.data[m.csr.size - 60] ^= 1;
	api_fixture_begin(&f, &m);
	refused(403, "");
}

static void test_labels(void **state)
{
	static const char *const bad[] = {"", "a b", "a/b", "a\"", "$(x)", "a\n", "\xc3\xa4"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(m.label, sizeof(m.label), "%s", bad[i]);
		api_fixture_begin(&f, &m);
		refused(400, "label");
	}
	snprintf(m.label, sizeof(m.label), "web-1.example_x");
	assert_int_equal(api_fixture_begin(&f, &m), 200);
}

static void test_approval(void **state)
{
	struct store_node n;

	(void)state;
	assert_int_equal(api_fixture_begin(&f, &m), 200);
	assert_int_equal(api_fixture_activate(&f, &m, true), 202);
	says("\"pending\"");
	n = row(&m);
	assert_int_equal(n.life, PLUMB_LIFE_PROVISIONING);
	store_node_done(&n);
	assert_int_equal(api_fixture_activate(&f, &m, true), 202);
	assert_int_equal(api_fixture_act(&f, &f.responder, "approve", "one", "test", ""), 403);
	f.boot_ns += 3600000000000; /* it may take its time */
	assert_int_equal(api_fixture_activate(&f, &m, true), 202);
	assert_int_equal(api_fixture_act(&f, &f.approver, "approve", "one", "test", ""), 200);
	assert_int_equal(api_fixture_activate(&f, &m, true), 200);
	n = row(&m);
	assert_int_equal(n.life, PLUMB_LIFE_ENROLLED);
	assert_int_equal(n.incarnation, 1);
	store_node_done(&n);
	f.boot_ns += 61000000000;
	api_fixture_activate(&f, &m, true);
	refused(409, "time is over");
}

static void origin_of(const struct api_fixture_machine *of, char ret[CHECKPOINT_MAX_ORIGIN])
{
	struct store_node n = row(of);

	assert_int_equal(record_origin(n.record.data, n.record.size, ret), 0);
	store_node_done(&n);
}

/* A store that was put back from before an enrolment gives its number again, and not its name: no origin is two histories'. */
static void test_number_again(void **state)
{
	char first[CHECKPOINT_MAX_ORIGIN], again[CHECKPOINT_MAX_ORIGIN];
	struct store_node n;

	(void)state;
	with_token(&m, "one");
	assert_int_equal(api_fixture_activate(&f, &m, true), 200);
	origin_of(&m, first);
	n = row(&m);
	n.incarnation = 0;
	n.last_evidence_ns = 1;
	f.store.ops->begin(f.store.ctx);
	assert_int_equal(f.store.ops->node_put(f.store.ctx, &n), 0);
	assert_int_equal(f.store.ops->commit(f.store.ctx), 0);
	store_node_done(&n);
	with_token(&m, "one");
	assert_int_equal(api_fixture_activate(&f, &m, true), 200);
	n = row(&m);
	assert_int_equal(n.incarnation, 1);
	store_node_done(&n);
	origin_of(&m, again);
	assert_string_not_equal(first, again);
	assert_int_equal(strlen(first), strlen(again));
}

static void test_known_ek(void **state)
{
	struct api_fixture_machine anew;
	struct store_node n;
	struct store_case *k = calloc(1, sizeof(*k));
	struct record record = {.incarnation = 0};
	char origin[CHECKPOINT_MAX_ORIGIN];
	struct why why = {""};
	uint64_t id;

	(void)state;
	with_token(&m, "one");
	assert_int_equal(api_fixture_activate(&f, &m, true), 200);
	origin_of(&m, origin);
	id = api_fixture_case(&f, m.id, "R-1", "exec:/x", PLUMB_ACTION_QUARANTINE, true);
	n = row(&m);
	n.life = PLUMB_LIFE_ACTIVE;
	n.appraisal = PLUMB_APPRAISAL_UNTRUSTED;
	n.containment = PLUMB_CONTAIN_QUARANTINED;
	n.last_order = 5;
	n.head_size = 77;
	n.forked = true;
	f.store.ops->begin(f.store.ctx);
	assert_int_equal(f.store.ops->node_put(f.store.ctx, &n), 0);
	assert_int_equal(f.store.ops->commit(f.store.ctx), 0);
	store_node_done(&n);
	anew = m; /* the same TPM, another key */
	assert_int_equal(sign_key_generate(SIGN_P256, &anew.person.key), 0);
	anew.csr = anew.credential = anew.secret = anew.person.cert_pem = anew.person.key_pem =
		(struct buf){0};
	assert_int_equal(cert_csr_make(anew.person.key, "x", &anew.csr), 0);
	with_token(&anew, "one");
	assert_int_equal(api_fixture_activate(&f, &anew, true), 200);
	n = row(&m);
	assert_int_equal(n.incarnation, 2);
	assert_int_equal(n.life, PLUMB_LIFE_ENROLLED);
	assert_int_equal(n.containment, PLUMB_CONTAIN_QUARANTINED);
	assert_int_equal(n.last_order, 5);
	assert_false(n.forked);
	assert_int_equal(n.frontier.size, 0);
	assert_int_equal(record_parse(n.record.data, n.record.size, &record, &why), 0);
	assert_string_equal(record.predecessor_origin, origin);
	assert_string_not_equal(record.origin, origin);
	assert_non_null(strstr(record.origin, "/2."));
	record_done(&record);
	assert_non_null(strstr((char *)n.record.data, "77"));
	store_node_done(&n);
	assert_int_equal(f.store.ops->case_get(f.store.ctx, id, k), 0);
	assert_int_equal(k->closed_ns, 0);
	assert_int_equal(api_fixture_log_has(&f, "enrolled anew with a join token, incarnation 2"),
			 1);
	/* What vouches for it is told with it: that an emulated TPM is one above all. */
	assert_int_equal(api_fixture_log_has(&f, "incarnation 2; an emulated TPM, id:"), 1);
	/* The certificate of before is nobody's. */
	assert_int_equal(api_fixture_call(&f, "POST", "/v1/nonce", &m.person.who, "{}", 2), 403);
	assert_int_equal(api_fixture_call(&f, "POST", "/v1/nonce", &anew.person.who, "{}", 2), 200);
	sign_key_free(anew.person.key);
	buf_done(&anew.csr);
	buf_done(&anew.credential);
	buf_done(&anew.secret);
	buf_done(&anew.person.cert_pem);
	buf_done(&anew.person.key_pem);
	free(k);
}

static void test_retired(void **state)
{
	(void)state;
	with_token(&m, "one");
	assert_int_equal(api_fixture_activate(&f, &m, true), 200);
	assert_int_equal(api_fixture_act(&f, &f.approver, "retire", "one", "test", ""), 200);
	with_token(&m, "one");
	api_fixture_activate(&f, &m, true);
	refused(403, "is retired");
	/* Its label is free. */
	snprintf(other.label, sizeof(other.label), "one");
	with_token(&other, "one");
	assert_int_equal(api_fixture_activate(&f, &other, true), 200);
}

static void test_label_taken(void **state)
{
	(void)state;
	with_token(&m, "one");
	assert_int_equal(api_fixture_activate(&f, &m, true), 200);
	snprintf(other.label, sizeof(other.label), "one");
	with_token(&other, "one");
	api_fixture_activate(&f, &other, true);
	refused(409, "label one is another node's");
	assert_false(has_row(&other));
	other.token[0] = 0;
	assert_int_equal(api_fixture_begin(&f, &other), 200);
	api_fixture_activate(&f, &other, true);
	refused(409, "another node's");
}

/* Who only waits, with whatever TPM, keeps a label from nobody whom a token vouches for; and is not approved under it afterwards. */
static void test_squatter(void **state)
{
	(void)state;
	snprintf(other.label, sizeof(other.label), "one");
	assert_int_equal(api_fixture_begin(&f, &other), 200);
	assert_int_equal(api_fixture_activate(&f, &other, true), 202);
	with_token(&m, "one");
	assert_int_equal(api_fixture_activate(&f, &m, true), 200);
	assert_int_equal(api_fixture_act(&f, &f.approver, "approve", other.id, "test", ""), 409);
	says("label one is another node's");
	assert_int_equal(api_fixture_act(&f, &f.approver, "retire", other.id, "test", ""), 200);
}

/* Strangers begin in the name of an EK whose machine waits for its approval: it is not pushed out. */
static void test_sessions_of_one_ek(void **state)
{
	char waiting[65], fifth[65], fourth[65];
	struct buf credential = {0}, secret = {0};

	(void)state;
	assert_int_equal(api_fixture_begin(&f, &m), 200);
	assert_int_equal(api_fixture_activate(&f, &m, true), 202);
	memcpy(waiting, m.session, sizeof(waiting));
	buf_put(&credential, m.credential.data, m.credential.size);
	buf_put(&secret, m.secret.data, m.secret.size);
	for (int i = 0; i < 2000; i++) {
		f.boot_ns += 1000;
		assert_int_equal(api_fixture_begin(&f, &m), 200);
		if (i == 1995)
			memcpy(fifth, m.session, sizeof(fifth));
		if (i == 1996)
			memcpy(fourth, m.session, sizeof(fourth));
	}
	/* The newest four are there, this one with a proof that is not its own; the one before them is gone. */
	memcpy(m.session, fourth, sizeof(fourth));
	api_fixture_activate(&f, &m, false);
	refused(403, "did not answer");
	memcpy(m.session, fifth, sizeof(fifth));
	api_fixture_activate(&f, &m, true);
	refused(409, "anew");
	memcpy(m.session, waiting, sizeof(waiting));
	buf_clear(&m.credential);
	buf_clear(&m.secret);
	buf_put(&m.credential, credential.data, credential.size);
	buf_put(&m.secret, secret.data, secret.size);
	assert_int_equal(api_fixture_activate(&f, &m, true), 202);
	buf_done(&credential);
	buf_done(&secret);
}

static void test_proof_bodies(void **state)
{
	static const char *const bad[] = {
		"", "{}", "[]", "{\"session\":\"00\",\"proof\":\"\"}",
		"{\"session\":"
		"\"0000000000000000000000000000000000000000000000000000000000000000\","
		"\"proof\":\"AA==\"}"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		api_fixture_call(&f, "POST", "/v1/enrol/activate", NULL, bad[i], strlen(bad[i]));
		refused(400, "enrolment");
		api_fixture_call(&f, "POST", "/v1/enrol", NULL, bad[i], strlen(bad[i]));
		refused(400, "enrolment");
	}
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_token),
		EACH(test_token_once),
		EACH(test_lost_answer),
		EACH(test_token_label),
		EACH(test_token_time),
		EACH(test_wrong_tpm),
		EACH(test_borrowed_ek),
		EACH(test_ek_certificate),
		EACH(test_keys),
		EACH(test_certify),
		EACH(test_csr),
		EACH(test_labels),
		EACH(test_approval),
		EACH(test_known_ek),
		EACH(test_number_again),
		EACH(test_retired),
		EACH(test_label_taken),
		EACH(test_squatter),
		EACH(test_sessions_of_one_ek),
		EACH(test_proof_bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
