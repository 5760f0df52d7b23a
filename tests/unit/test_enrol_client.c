/* SPDX-License-Identifier: Apache-2.0 */
/* A node asks to be enrolled at verifiers that refuse, lie, lose the answer, or are not the one that the token names. */
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
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent_fixture.h"
#include "cert.h"
#include "clock.h"
#include "enrol_client.h"
#include "jsonl.h"
#include "makecred.h"

#define SECRET "0123456789abcdef0123456789abcdef"
#define LABEL "web-1"

enum lie { LIE_NONE, LIE_NODE, LIE_AK, LIE_PCR, LIE_KEY, LIE_CA, LIE_NO_WITNESS, LIE_INCARNATION };

struct world {
	struct agent_fixture f;
	struct identity_options io;
	char token_path[128], ca_path[128], token[160];
	/* the verifier's side, on its own thread while a node enrols */
	struct digest secret;
	char session[65];
	struct digest ek_of_session, key_of_csr, proof;
	struct buf csr_pem;
	enum lie lie;
	unsigned int pending, n_begin, n_activate, n_proven;
	const char *kube_token_file;
	char kube_token[8300]; /* as it came with the last proof; "": none did */
	const char *next_kube_token; /* the file's, from the next one on; NULL: as it is */
	unsigned int stop_after, n_stopped;
	atomic_bool over;
};

static void must(bool good)
{
	if (!good)
		abort();
}

static void get_blob(json_t *o, const char *key, struct buf *ret)
{
	must(jsonl_get_base64(o, key, 8192, ret, NULL) >= 0);
}

/* The proof that the right TPM will give: over what came. */
static void expect_proof(struct world *w, json_t *o)
{
	struct buf ek = {0}, ak = {0}, event = {0};
	struct buf_view views[3];
	struct digest transcript;
	unsigned int size = DIGEST_SIZE;

	get_blob(o, "ek_public", &ek);
	get_blob(o, "ak_public", &ak);
	get_blob(o, "event_public", &event);
	views[0] = (struct buf_view){ek.data, ek.size};
	views[1] = (struct buf_view){ak.data, ak.size};
	views[2] = (struct buf_view){event.data, event.size};
	must(record_transcript(w->session, &views[0], &views[1], &views[2], &w->key_of_csr, LABEL,
			       &transcript) >= 0);
	must(HMAC(EVP_sha256(), w->secret.bytes, DIGEST_SIZE, transcript.bytes, DIGEST_SIZE,
		  w->proof.bytes, &size) != NULL);
	buf_done(&ek);
	buf_done(&ak);
	buf_done(&event);
}

static void begin(struct world *w, const struct fake_http_request *q, struct fake_http_answer *a)
{
	struct buf ek = {0}, ak = {0}, blob = {0}, secret = {0}, out = {0};
	json_t *o = NULL;
	const char *text;
	struct sign_key *key = NULL;
	uint8_t name[34];
	struct jsonl j;

	w->n_begin++;
	must(jsonl_parse(q->body, q->size, 65536, &o, NULL) >= 0);
	must(jsonl_get_str(o, "token", 200, &text, NULL) >= 0 &&
	     (!*text || strcmp(text, w->token) == 0));
	must(jsonl_get_str(o, "csr", 8192, &text, NULL) >= 0 &&
	     cert_csr_key(text, strlen(text), &key, NULL) >= 0);
	must(sign_key_id(key, &w->key_of_csr) >= 0);
	buf_clear(&w->csr_pem);
	must(sign_key_public_pem(key, &w->csr_pem) >= 0);
	sign_key_free(key);
	memset(w->secret.bytes, 0x5a, DIGEST_SIZE);
	memset(w->session, 'a' + (int)w->n_begin % 6, 64);
	expect_proof(w, o);
	get_blob(o, "ek_public", &ek);
	get_blob(o, "ak_public", &ak);
	must(quote_public_name(ak.data, ak.size, name, NULL) >= 0);
	must(makecred_make(ek.data, ek.size, name, sizeof(name), w->secret.bytes, DIGEST_SIZE,
			   &blob, &secret, NULL) >= 0);
	jsonl_begin(&j, &out);
	jsonl_str(&j, "session", w->session);
	jsonl_base64(&j, "credential", blob.data, blob.size);
	jsonl_base64(&j, "secret", secret.data, secret.size);
	jsonl_end(&j);
	fake_http_say(a, 200, (char *)out.data);
	json_decref(o);
	buf_done(&ek);
	buf_done(&ak);
	buf_done(&blob);
	buf_done(&secret);
	buf_done(&out);
}

static void make_record(struct world *w, struct buf *ret)
{
	const struct record *own = &w->f.identity.record;
	struct record r = *own;

	r.incarnation = w->lie == LIE_INCARNATION ? 0 : 1;
	snprintf(r.origin, sizeof(r.origin), "v.example/node/%s/1", own->node);
	snprintf(r.witness_name, sizeof(r.witness_name), "v.example/verifier");
	if (w->lie != LIE_NO_WITNESS)
		r.witness_key = own->event_public; /* any bytes do */
	r.order_key = own->event_public;
	if (w->lie == LIE_NODE)
		r.node[0] = r.node[0] == '0' ? '1' : '0';
	if (w->lie == LIE_AK)
		r.ak_public = own->event_public;
	if (w->lie == LIE_PCR)
		r.pcr_index = 14;
	must(record_write(&r, ret) >= 0);
}

static void say_identity(struct world *w, struct fake_http_answer *a)
{
	struct buf record = {0}, pem = {0}, out = {0};
	struct sign_key *key = NULL;
	struct jsonl j;

	make_record(w, &record);
	must(sign_key_from_pem((char *)w->csr_pem.data, w->csr_pem.size, &key, NULL) >= 0);
	fake_verifier_issue(&w->f.verifier, w->f.identity.record.node,
			    w->lie == LIE_KEY ? w->f.client_key : key, 3600, &pem);
	sign_key_free(key);
	jsonl_begin(&j, &out);
	jsonl_str(&j, "status", "enrolled");
	jsonl_raw(&j, "record", (char *)record.data, record.size - 1);
	jsonl_strn(&j, "certificate", (char *)pem.data, pem.size);
	jsonl_str(&j, "ca", w->lie == LIE_CA ? (char *)pem.data : (char *)w->f.verifier.ca.data);
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
	const char *session = "";
	json_t *o = NULL;

	if (strcmp(q->path, WIRE_ROUTE_ENROL) == 0) {
		begin(w, q, a);
		return true;
	}
	if (strcmp(q->path, WIRE_ROUTE_ENROL_ACTIVATE) != 0)
		return false;
	w->n_activate++;
	must(jsonl_parse(q->body, q->size, 16384, &o, NULL) >= 0);
	must(jsonl_get_str(o, "session", 65, &session, NULL) >= 0);
	get_blob(o, "proof", &proof);
	snprintf(w->kube_token, sizeof(w->kube_token), "%s",
		 json_object_get(o, "kube_token")
			 ? json_string_value(json_object_get(o, "kube_token"))
			 : "");
	if (w->next_kube_token)
		must(fsio_replace_file(fsio_system(), w->kube_token_file, w->next_kube_token,
				       strlen(w->next_kube_token), 0600) == 0);
	if (strcmp(session, w->session) != 0) {
		fake_http_say(a, 409, "{\"error\":\"time is over\",\"cure\":\"begin anew\"}");
	} else {
		must(proof.size == DIGEST_SIZE &&
		     memcmp(proof.data, w->proof.bytes, DIGEST_SIZE) == 0);
		w->n_proven++;
		if (w->pending > 0 && w->pending--)
			fake_http_say(a, 202, "{\"status\":\"pending\",\"node\":\"x\"}");
		else
			say_identity(w, a);
	}
	json_decref(o);
	buf_done(&proof);
	return true;
}

static void write_file(const char *path, const char *text)
{
	assert_int_equal(fsio_replace_file(fsio_system(), path, text, strlen(text), 0600), 0);
}

static int make(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct digest pin;
	char hex[DIGEST_HEX_SIZE];
	struct why why = {""};

	agent_fixture_init(&w->f);
	w->f.verifier.other = serve;
	w->f.verifier.ctx = w;
	w->io = (struct identity_options){.io = fsio_system(),
					  .clock = clock_system(),
					  .ledger_dir = w->f.ledger,
					  .state_dir = w->f.state,
					  .log_name = "test.example",
					  .pcr_index = 15,
					  .enrolment = ENROL_CLIENT_CERT};
	if (identity_open(&w->io, fake_tpm_door(w->f.tpm), &w->f.identity, &why) < 0)
		fail_msg("%s", why.text);
	assert_int_equal(cert_fingerprint_pem((char *)w->f.verifier.ca.data, w->f.verifier.ca.size,
					      &pin, NULL),
			 0);
	digest_hex(&pin, hex);
	snprintf(w->token, sizeof(w->token), "plumb1.%s." SECRET, hex);
	snprintf(w->token_path, sizeof(w->token_path), "%s/token", w->f.dir);
	snprintf(w->ca_path, sizeof(w->ca_path), "%s/verifier-ca", w->f.dir);
	write_file(w->token_path, w->token);
	write_file(w->ca_path, (char *)w->f.verifier.ca.data);
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	buf_done(&w->csr_pem);
	agent_fixture_done(&w->f);
	free(w);
	return 0;
}

static bool stopped(void *ctx)
{
	struct world *w = ctx;

	return ++w->n_stopped > w->stop_after;
}

static void *run_server(void *ctx)
{
	const struct timeval tick = {0, 5000};
	struct world *w = ctx;

	while (!atomic_load(&w->over)) {
		event_base_loopexit(w->f.base, &tick);
		event_base_loop(w->f.base, EVLOOP_ONCE);
	}
	return NULL;
}

static int enrol(struct world *w, const char *token, const char *ca, struct record *ret,
		 struct why *why)
{
	const struct enrol_client_options o = {.io = fsio_system(),
					       .clock = clock_system(),
					       .state_dir = w->f.state,
					       .url = w->f.verifier.url,
					       .token_file = token,
					       .ca_file = ca,
					       .label = LABEL,
					       .kube_token_file = w->kube_token_file,
					       .own = &w->f.identity.record,
					       .tpm = fake_tpm_door(w->f.tpm),
					       .stopped = w->stop_after ? stopped : NULL,
					       .ctx = w};
	pthread_t server;
	int r;

	why->text[0] = 0;
	*ret = (struct record){.incarnation = 0};
	atomic_store(&w->over, false);
	assert_int_equal(pthread_create(&server, NULL, run_server, w), 0);
	r = enrol_client_run(&o, ret, why);
	atomic_store(&w->over, true);
	pthread_join(server, NULL);
	return r;
}

static void expect_good(struct world *w, const char *token, const char *ca)
{
	struct record r;
	struct why why;

	if (enrol(w, token, ca, &r, &why) < 0)
		fail_msg("%s", why.text);
	assert_int_equal(r.incarnation, 1);
	record_done(&r);
}

static void expect_refused(struct world *w, const char *token, const char *ca, const char *text)
{
	struct record r;
	struct why why;

	assert_int_equal(enrol(w, token, ca, &r, &why), -EKEYREJECTED);
	if (!strstr(why.text, text))
		fail_msg("\"%s\" is not in: %s", text, why.text);
	/* Nobody's token in what is logged. */
	assert_null(strstr(why.text, SECRET));
}

static void read_state(const struct world *w, const char *name, struct buf *ret)
{
	char path[160];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", w->f.state, name);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(fsio_read_file(fsio_system(), path, 65536, ret), 0);
}

/* The pod's token goes with the proof, as its file has it at that moment; without it the node is enrolled all the same. */
static void test_kube_token(void **state)
{
	static const char *const none[] = {"", "\n", "eyJ.a b\n", "{\"token\":\"eyJ\"}\n", "@"};
	struct world *w = *state;
	char path[160];

	snprintf(path, sizeof(path), "%s/kube-token", w->f.dir);
	w->kube_token_file = path;
	write_file(path, "eyJ.first-_\n");
	w->pending = 1;
	w->next_kube_token = "eyJ.second";
	expect_good(w, w->token_path, NULL);
	assert_int_equal(w->n_activate, 2);
	assert_string_equal(w->kube_token, "eyJ.second");
	w->next_kube_token = NULL;
	write_file(path, "eyJ.first-_\n");
	expect_good(w, w->token_path, NULL);
	assert_string_equal(w->kube_token, "eyJ.first-_");
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		if (none[i][0] == '@')
			assert_int_equal(unlink(path), 0);
		else
			write_file(path, none[i]);
		expect_good(w, w->token_path, NULL);
		assert_string_equal(w->kube_token, "");
	}
}

static void test_good(void **state)
{
	struct world *w = *state;
	struct buf key = {0}, again = {0}, cert = {0}, ca = {0};
	struct cert_identity id;

	expect_good(w, w->token_path, NULL);
	read_state(w, ENROL_CLIENT_KEY, &key);
	read_state(w, ENROL_CLIENT_CERT, &cert);
	read_state(w, ENROL_CLIENT_CA, &ca);
	assert_string_equal((char *)ca.data, (char *)w->f.verifier.ca.data);
	assert_int_equal(cert_identity_pem((char *)cert.data, cert.size, &id, NULL), 0);
	assert_true(digest_equal(&id.key_id, &w->key_of_csr));
	/* Once more, as after a lost answer: with the same key. By the CA's file, without a token. */
	expect_good(w, NULL, w->ca_path);
	read_state(w, ENROL_CLIENT_KEY, &again);
	assert_string_equal((char *)again.data, (char *)key.data);
	buf_done(&key);
	buf_done(&again);
	buf_done(&cert);
	buf_done(&ca);
}

static void test_tokens(void **state)
{
	struct world *w = *state;
	char text[200], missing[200];

	snprintf(missing, sizeof(missing), "%s/none", w->f.dir);
	expect_refused(w, missing, NULL, "plumbctl token create");
	expect_refused(w, NULL, NULL, "join_token_file or verifier_ca");
	expect_refused(w, NULL, missing, "verifier_ca: ");
	for (int i = 0; i < 7; i++) {
		snprintf(text, sizeof(text), "%s", w->token);
		if (i == 0)
			text[0] = 0;
		else if (i == 1)
			text[strlen(text) - 1] = 0;
		else if (i == 2)
			strcat(text, "0");
		else if (i == 3)
			text[5] = '2';
		else if (i == 4)
			text[8] = 'G';
		else if (i == 5)
			text[71] = ':';
		else
			memmove(text + 1, w->token, strlen(w->token) + 1);
		write_file(w->token_path, text);
		expect_refused(w, w->token_path, NULL, "plumbctl token create");
	}
	assert_int_equal(w->n_begin, 0);
	/* Of another verifier: it is not even shown to this one. */
	snprintf(text, sizeof(text), "plumb1.%064d." SECRET "\n", 7);
	write_file(w->token_path, text);
	expect_refused(w, w->token_path, NULL, "");
	assert_int_equal(w->n_begin, 0);
	snprintf(text, sizeof(text), "%s \r\nand a word to it", w->token);
	write_file(w->token_path, text);
	expect_good(w, w->token_path, NULL);
}

static void test_faults(void **state)
{
	static const struct {
		const char *path;
		enum fake_verifier_fault fault;
		int status;
	} faults[] = {
		{WIRE_ROUTE_ENROL, FAKE_VERIFIER_STATUS, 503},
		{WIRE_ROUTE_ENROL, FAKE_VERIFIER_GARBAGE, 200},
		{WIRE_ROUTE_ENROL, FAKE_VERIFIER_EMPTY, 200},
		{WIRE_ROUTE_ENROL, FAKE_VERIFIER_CLOSE, 0},
		{WIRE_ROUTE_ENROL_ACTIVATE, FAKE_VERIFIER_STATUS, 500},
		{WIRE_ROUTE_ENROL_ACTIVATE, FAKE_VERIFIER_GARBAGE, 200},
		{WIRE_ROUTE_ENROL_ACTIVATE, FAKE_VERIFIER_EMPTY, 409},
		{WIRE_ROUTE_ENROL_ACTIVATE, FAKE_VERIFIER_STATUS, 409},
		{WIRE_ROUTE_ENROL_ACTIVATE, FAKE_VERIFIER_TAKEN, 0},
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		fake_verifier_fail(&w->f.verifier, faults[i].path, faults[i].fault,
				   faults[i].status, 1);
		expect_good(w, w->token_path, NULL);
		assert_int_equal(w->f.verifier.faults, 0);
	}
}

static void test_refused(void **state)
{
	static const int statuses[] = {400, 401, 403, 404, 413};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		fake_verifier_fail(&w->f.verifier, WIRE_ROUTE_ENROL, FAKE_VERIFIER_STATUS,
				   statuses[i], 1);
		expect_refused(w, w->token_path, NULL, "the test's error; its cure");
		fake_verifier_fail(&w->f.verifier, WIRE_ROUTE_ENROL_ACTIVATE, FAKE_VERIFIER_STATUS,
				   statuses[i], 1);
		expect_refused(w, w->token_path, NULL, "the test's error; its cure");
	}
}

/* Whatever a verifier says of us must be what we are. */
static void test_lies(void **state)
{
	static const struct {
		enum lie lie;
		const char *text;
	} lies[] = {
		{LIE_NODE, "not of this node's keys"},
		{LIE_AK, "not of this node's keys"},
		{LIE_PCR, "set pcr_index: 14 here"},
		{LIE_KEY, "not for this node's key"},
		{LIE_CA, "CA is not the join token's"},
		{LIE_NO_WITNESS, "no incarnation or keys"},
		{LIE_INCARNATION, "no incarnation or keys"},
	};
	struct world *w = *state;
	char path[160];

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		w->lie = lies[i].lie;
		expect_refused(w, w->token_path, NULL, lies[i].text);
		/* Nothing is kept that would count as an enrolment. */
		snprintf(path, sizeof(path), "%s/%s", w->f.state, ENROL_CLIENT_CERT);
		assert_int_equal(access(path, F_OK), -1);
	}
}

static void test_pending_and_stopped(void **state)
{
	struct world *w = *state;
	struct record r;
	struct why why;

	w->pending = 1;
	expect_good(w, NULL, w->ca_path);
	assert_int_equal(w->n_begin, 1);
	assert_int_equal(w->n_proven, 2);
	w->pending = 1000;
	w->stop_after = 3;
	assert_int_equal(enrol(w, NULL, w->ca_path, &r, &why), -EINTR);
}

/* Keys of another TPM: the credential is not opened, and nothing is sent after it. */
static void test_spoilt_key(void **state)
{
	struct world *w = *state;
	struct record r;
	struct why why;
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", w->f.state, ENROL_CLIENT_KEY);
	write_file(path, "junk");
	assert_true(enrol(w, w->token_path, NULL, &r, &why) < 0);
	assert_non_null(strstr(why.text, "remove it"));
	assert_int_equal(w->n_begin, 0);
	assert_int_equal(unlink(path), 0);
	fake_tpm_faults(w->f.tpm)->fail = -EPERM;
	assert_int_equal(enrol(w, w->token_path, NULL, &r, &why), -EPERM);
	assert_non_null(strstr(why.text, "credential"));
	assert_int_equal(w->n_activate, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, make, end)
	const struct CMUnitTest tests[] = {
		T(test_kube_token),
		T(test_good),
		T(test_tokens),
		T(test_faults),
		T(test_refused),
		T(test_lies),
		T(test_pending_and_stopped),
		T(test_spoilt_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
