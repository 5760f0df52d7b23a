/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate that comes with evidence: only ours, only later, kept before it is used, and none on a full disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "agent_fixture.h"
#include "cert.h"
#include "fault_fsio.h"
#include "node_fixture.h"
#include "renewal.h"

#define NODE "5e930b1b2b6c65de46679df72b3a7316a54a84f4b0d1e2159f483657fba3be43"
#define OTHER "6e930b1b2b6c65de46679df72b3a7316a54a84f4b0d1e2159f483657fba3be43"

struct world {
	struct agent_fixture f;
	struct renewal n;
	char path[128];
};

static int make(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	agent_fixture_init(&w->f);
	snprintf(w->path, sizeof(w->path), "%s/client.crt", w->f.dir);
	assert_int_equal(fsio_replace_file(fsio_system(), w->path, "old", 3, 0600), 0);
	w->n = (struct renewal){.io = fsio_system(),
				.path = w->path,
				.node = NODE,
				.client_key = w->f.client_id,
				.transport = w->f.transport,
				.not_after_s = (uint64_t)time(NULL) + 1000};
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	agent_fixture_done(&w->f);
	free(w);
	return 0;
}

static void expect_file(const struct world *w, const char *text)
{
	struct buf b = {0};
	struct stat st;

	assert_int_equal(fsio_read_file(fsio_system(), w->path, 65536, &b), 0);
	assert_string_equal((char *)b.data, text);
	assert_int_equal(stat(w->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	buf_done(&b);
}

static void refused(struct world *w, const char *node, const struct sign_key *key, uint64_t life_s,
		    const char *text)
{
	struct buf pem = {0};
	struct why why = {""};
	uint64_t before = w->n.not_after_s;

	fake_verifier_issue(&w->f.verifier, node, key, life_s, &pem);
	assert_int_equal(renewal_take(&w->n, &pem, &why), -EKEYREJECTED);
	assert_non_null(strstr(why.text, text));
	assert_int_equal(w->n.not_after_s, before);
	expect_file(w, "old");
	buf_done(&pem);
}

static void test_refused(void **state)
{
	struct world *w = *state;
	struct buf pem = {0};
	struct why why = {""};

	refused(w, OTHER, w->f.client_key, 5000, "not for this node's key");
	refused(w, NODE, w->f.verifier.order_key, 5000, "not for this node's key");
	refused(w, NODE, w->f.client_key, 1000, "no later");
	buf_puts(&pem, "-----BEGIN CERTIFICATE-----\njunk\n-----END CERTIFICATE-----\n");
	assert_int_equal(renewal_take(&w->n, &pem, &why), -EKEYREJECTED);
	/* A CA's is no client's. */
	assert_int_equal(renewal_take(&w->n, &w->f.verifier.ca, &why), -EKEYREJECTED);
	expect_file(w, "old");
	buf_done(&pem);
}

static void test_taken(void **state)
{
	struct world *w = *state;
	struct buf pem = {0};
	struct why why = {""};

	fake_verifier_issue(&w->f.verifier, NODE, w->f.client_key, 5000, &pem);
	assert_int_equal(renewal_take(&w->n, &pem, &why), 0);
	expect_file(w, (char *)pem.data);
	/* Replayed it changes nothing. */
	assert_int_equal(renewal_take(&w->n, &pem, &why), -EKEYREJECTED);
	expect_file(w, (char *)pem.data);
	buf_done(&pem);
}

static void test_full_disk(void **state)
{
	struct world *w = *state;
	struct fault_fsio fault;
	struct buf pem = {0};
	struct why why;

	fake_verifier_issue(&w->f.verifier, NODE, w->f.client_key, 5000, &pem);
	for (long left = 0; left < 3; left++) {
		fault_fsio_init(&fault, left, true, -ENOSPC);
		w->n.io = &fault.io;
		why.text[0] = 0;
		assert_true(renewal_take(&w->n, &pem, &why) < 0);
		expect_file(w, "old");
	}
	w->n.io = fsio_system();
	why.text[0] = 0;
	assert_int_equal(renewal_take(&w->n, &pem, &why), 0);
	buf_done(&pem);
}

/* The verifier's half: only in accepted evidence, only after a third of its life, only for the key that the quote was bound to. */
struct verifying {
	struct verifier_fixture v;
	struct node_fixture n;
	struct sign_key *ca, *key;
	struct buf ca_pem;
};

#define LIFE_S 3000u

static void open_verifying(struct verifying *v)
{
	struct cert_request q = {.kind = CERT_CA, .name = "ca", .life_s = 86400};
	struct intake_options o;
	struct buf spki = {0};

	verifier_fixture_open(&v->v);
	node_fixture_open(&v->n, &v->v, 1);
	q.not_before_s = v->v.utc_ns / 1000000000 - 10;
	assert_int_equal(sign_key_generate(SIGN_P256, &v->ca), 0);
	assert_int_equal(sign_key_generate(SIGN_P256, &v->key), 0);
	assert_int_equal(cert_issue(&q, v->ca, NULL, NULL, &v->ca_pem, NULL), 0);
	assert_int_equal(sign_key_spki(v->key, &spki), 0);
	memcpy(v->n.who.spki, spki.data, spki.size);
	v->n.who.spki_size = spki.size;
	buf_done(&spki);
	o = (struct intake_options){.v = &v->v.v,
				    .documents = v->v.documents,
				    .ca_cert_pem = (char *)v->ca_pem.data,
				    .ca_key = v->ca,
				    .node_cert_life_s = LIFE_S};
	intake_free(v->v.intake);
	assert_int_equal(intake_open(&o, &v->v.intake), 0);
}

static void close_verifying(struct verifying *v)
{
	node_fixture_done(&v->n);
	verifier_fixture_done(&v->v);
	sign_key_free(v->ca);
	sign_key_free(v->key);
	buf_done(&v->ca_pem);
}

/* Seconds that the certificate of the answer lives from now on; 0: there was none. */
static uint64_t life_given(struct verifying *v)
{
	const struct buf *pem = &v->n.answer.certificate;
	struct cert_identity id;
	struct digest key;

	if (pem->size == 0)
		return 0;
	assert_int_equal(cert_identity_pem((char *)pem->data, pem->size, &id, NULL), 0);
	assert_int_equal(id.kind, CERT_NODE);
	assert_string_equal(id.name, v->n.record.node);
	assert_int_equal(sign_key_id(v->key, &key), 0);
	assert_true(digest_equal(&key, &id.key_id));
	return id.not_after_s - v->v.utc_ns / 1000000000;
}

static void test_verifier(void **state)
{
	struct verifying v = {.ca = NULL};
	uint64_t now_s;

	(void)state;
	open_verifying(&v);
	now_s = v.v.utc_ns / 1000000000;
	v.n.who.not_after_s = now_s + LIFE_S / 3 * 2 + 1;
	assert_int_equal(node_fixture_evidence(&v.n), PLUMB_RESULT_ACCEPTED);
	assert_int_equal(life_given(&v), 0);
	v.n.who.not_after_s = now_s + LIFE_S / 3 * 2;
	assert_int_equal(node_fixture_evidence(&v.n), PLUMB_RESULT_ACCEPTED);
	assert_int_equal(life_given(&v), LIFE_S);
	/* Nothing in a provisional, in what is refused, or for a key that cannot be had from the certificate. */
	node_fixture_exec(&v.n, "/tmp/x");
	assert_int_equal(node_fixture_drift(&v.n, true), PLUMB_RESULT_STORED);
	assert_int_equal(life_given(&v), 0);
	v.n.who.spki_size = 0;
	assert_int_equal(node_fixture_evidence(&v.n), PLUMB_RESULT_ACCEPTED);
	assert_int_equal(life_given(&v), 0);
	close_verifying(&v);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, make, end)
	const struct CMUnitTest tests[] = {T(test_refused), T(test_taken), T(test_full_disk),
					   cmocka_unit_test(test_verifier)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
