/* SPDX-License-Identifier: Apache-2.0 */
/* Machines that the verifier knows: another certificate by the TPM's word, other keys by an approver's, and those who are gone for good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>

#include "api_fixture.h"
#include "dsse.h"
#include "jsonl.h"
#include "order.h"
#include "record.h"
#include "rekey_permit.h"

static struct api_fixture f;
static struct api_fixture_machine m, other;

static int setup(void **state)
{
	(void)state;
	api_fixture_open(&f);
	api_fixture_enrol(&f, &m, f.maker, "one");
	m.token[0] = 0;
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

static void refused(int status, const char *text)
{
	assert_int_equal(f.reply.status, status);
	if (!strstr(api_fixture_text(&f), text))
		fail_msg("\"%s\" is not in %.300s", text, api_fixture_text(&f));
}

static int again(struct api_fixture_machine *who)
{
	return api_fixture_begin_at(&f, who, "/v1/enrol/again");
}

static struct store_node row(void)
{
	struct store_node n;

	api_fixture_row(&f, m.id, &n);
	return n;
}

static void act(const char *action)
{
	assert_int_equal(api_fixture_act(&f, &f.approver, action, "one", "because", ""), 200);
}

/* The keys of `other` under the EK of m: what a machine has after it made new ones. */
static void other_keys(void)
{
	struct buf blobs = {0};
	struct tpm *t = fake_tpm_door(m.tpm);

	buf_clear(&m.ak);
	buf_clear(&m.event);
	assert_int_equal(t->ops->keys_open(t->ctx, &blobs, &m.ak, &m.event), 0);
	api_fixture_certify_event(&m);
	buf_done(&blobs);
}

static void test_certificate(void **state)
{
	struct store_node before = row(), after;

	(void)state;
	assert_int_equal(again(&m), 200);
	assert_int_equal(api_fixture_activate(&f, &m, true), 200);
	after = row();
	assert_int_equal(after.version, before.version);
	assert_int_equal(after.incarnation, 1);
	assert_true(strstr(api_fixture_text(&f), "-----BEGIN CERTIFICATE-----"));
	assert_int_equal(api_fixture_log_has(&f, "\"action\":\"certificate\""), 1);
	assert_int_equal(api_fixture_call(&f, "POST", "/v1/nonce", &m.person.who, "{}", 2), 200);
	store_node_done(&before);
	store_node_done(&after);
	/* Nobody but its TPM. */
	assert_int_equal(again(&m), 200);
	assert_int_equal(api_fixture_activate(&f, &m, false), 403);
	/* Who was never enrolled, or only waits. */
	assert_int_equal(again(&other), 200);
	api_fixture_activate(&f, &other, true);
	refused(403, "is not enrolled");
	assert_int_equal(api_fixture_begin(&f, &other), 200);
	assert_int_equal(api_fixture_activate(&f, &other, true), 202);
	assert_int_equal(again(&other), 200);
	api_fixture_activate(&f, &other, true);
	refused(403, "is not enrolled");
}

/* The EK's certificate ended long ago, and its maker is no longer among ours: both were asked when it was enrolled. */
static void test_ek_over(void **state)
{
	EVP_PKEY *maker = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");

	(void)state;
	f.utc_ns = 2000000001ull * 1000000000;
	assert_int_equal(again(&m), 200);
	assert_int_equal(api_fixture_activate(&f, &m, true), 200);
	again(&other);
	refused(403, "EK certificate");
	api_fixture_mint(&m, maker);
	assert_int_equal(again(&m), 200);
	assert_int_equal(api_fixture_activate(&f, &m, true), 200);
	EVP_PKEY_free(maker);
	/* Anew is another matter. */
	api_fixture_begin(&f, &m);
	refused(403, "EK certificate");
}

static void test_other_keys(void **state)
{
	struct sign_key *kept = m.person.key;
	struct store_node n;

	(void)state;
	/* Another client key. */
	assert_int_equal(sign_key_generate(SIGN_P256, &m.person.key), 0);
	buf_clear(&m.csr);
	assert_int_equal(cert_csr_make(m.person.key, "x", &m.csr), 0);
	assert_int_equal(again(&m), 200);
	api_fixture_activate(&f, &m, true);
	refused(403, "its keys are not those");
	sign_key_free(m.person.key);
	m.person.key = kept;
	buf_clear(&m.csr);
	assert_int_equal(cert_csr_make(m.person.key, "x", &m.csr), 0);
	/* Another AK of the same TPM. */
	other_keys();
	assert_int_equal(again(&m), 200);
	api_fixture_activate(&f, &m, true);
	refused(403, "plumbctl node rekey");
	n = row();
	assert_int_equal(n.incarnation, 1);
	assert_int_equal(n.life, PLUMB_LIFE_ENROLLED);
	store_node_done(&n);
	assert_int_equal(api_fixture_log_has(&f, "\"action\":\"certificate\""), 0);
}

static void test_gone(void **state)
{
	(void)state;
	act("revoke");
	api_fixture_call(&f, "POST", "/v1/nonce", &m.person.who, "{}", 2);
	refused(403, "revoked by alice: because");
	assert_int_equal(again(&m), 200);
	api_fixture_activate(&f, &m, true);
	refused(403, "revoked by alice: because");
	api_fixture_token(&f, "one", 3600, m.token);
	assert_int_equal(api_fixture_begin(&f, &m), 200);
	api_fixture_activate(&f, &m, true);
	refused(403, "is revoked");
	m.token[0] = 0;
	assert_int_equal(api_fixture_act(&f, &f.approver, "release", "one", "x", ""), 409);
	assert_int_equal(api_fixture_act(&f, &f.approver, "revoke", "one", "x", ""), 409);
	assert_int_equal(api_fixture_act(&f, &f.approver, "scan", "one", "x", ""), 409);
	assert_int_equal(api_fixture_act(&f, &f.approver, "rekey", "one", "x", ""), 409);
	assert_int_equal(api_fixture_act(&f, &f.responder, "revoke", "one", "x", ""), 403);
	/* Its label is free, and it can still be retired. */
	snprintf(other.label, sizeof(other.label), "one");
	api_fixture_token(&f, "one", 3600, other.token);
	assert_int_equal(api_fixture_begin(&f, &other), 200);
	assert_int_equal(api_fixture_activate(&f, &other, true), 200);
	assert_int_equal(api_fixture_act(&f, &f.approver, "retire", m.id, "scrapped", ""), 200);
	assert_int_equal(again(&m), 200);
	api_fixture_activate(&f, &m, true);
	refused(403, "is retired");
}

/* Once, for this machine alone, for a day; a token that it shows is not used up. */
static void test_rekey(void **state)
{
	struct record record = {.incarnation = 0};
	struct store_node n;
	char path[128];

	(void)state;
	assert_int_equal(api_fixture_act(&f, &f.responder, "rekey", "one", "x", ""), 403);
	act("rekey");
	n = row();
	assert_int_equal(n.last_order, 1);
	store_node_done(&n);
	other_keys();
	assert_int_equal(api_fixture_begin(&f, &m), 200);
	assert_int_equal(api_fixture_activate(&f, &m, false), 403);
	assert_int_equal(api_fixture_begin(&f, &m), 200);
	assert_int_equal(api_fixture_activate(&f, &m, true), 200);
	n = row();
	assert_int_equal(n.incarnation, 2);
	assert_int_equal(n.life, PLUMB_LIFE_ENROLLED);
	assert_int_equal(record_parse(n.record.data, n.record.size, &record, NULL), 0);
	assert_string_not_equal(record.predecessor_origin, "");
	assert_int_equal(record.ak_public.size, m.ak.size);
	assert_memory_equal(record.ak_public.data, m.ak.data, m.ak.size);
	record_done(&record);
	store_node_done(&n);
	assert_int_equal(api_fixture_log_has(&f, "other keys, as alice allowed"), 1);
	/* Its first ledger is had by its number, with its own record. */
	snprintf(path, sizeof(path), "/v1/ledger/%s?incarnation=1", m.id);
	assert_int_equal(api_fixture_call(&f, "GET", path, &f.viewer.who, NULL, 0), 200);
	assert_non_null(strstr(api_fixture_text(&f), "\"incarnation\":1"));
	path[strlen(path) - 1] = '3';
	assert_int_equal(api_fixture_call(&f, "GET", path, &f.viewer.who, NULL, 0), 404);
	/* Used up: the next time somebody must act. */
	other_keys();
	assert_int_equal(api_fixture_begin(&f, &m), 200);
	assert_int_equal(api_fixture_activate(&f, &m, true), 202);
}

static int on_order(void *ctx, uint64_t number, const void *envelope, size_t size)
{
	struct buf payload = {0}, type = {0}, *all = ctx;
	struct why why = {""};
	struct order o;

	assert_int_equal(dsse_peek(envelope, size, 8192, &payload, &type, &why), 0);
	assert_int_equal(order_parse(payload.data, payload.size, &o, &why), 0);
	assert_int_equal(o.number, number);
	buf_printf(all, "%u:%s ", (unsigned int)o.incarnation, order_kind_name(o.kind));
	buf_done(&payload);
	buf_done(&type);
	return 0;
}

static void ordered(const char *want)
{
	struct buf all = {0};

	assert_int_equal(f.store.ops->order_each(f.store.ctx, m.id, 0, on_order, &all), 0);
	buf_puts(&all, "");
	assert_string_equal((char *)all.data, want);
	buf_done(&all);
}

/* What isolates it outlives its keys: a release that it never took is given to it under the next ones, also to one that waits, and once to that. */
static void test_release_outlives_keys(void **state)
{
	(void)state;
	act("release");
	act("rekey");
	other_keys();
	assert_int_equal(api_fixture_begin(&f, &m), 200);
	assert_int_equal(api_fixture_activate(&f, &m, true), 200);
	ordered("1:release 1:rekey 2:release ");
	for (int i = 0; i < 2; i++) {
		other_keys();
		assert_int_equal(api_fixture_begin(&f, &m), 200);
		assert_int_equal(api_fixture_activate(&f, &m, true), 202);
		ordered("1:release 1:rekey 2:release 2:challenge 3:release ");
	}
}

static void test_rekey_over(void **state)
{
	(void)state;
	act("rekey");
	f.utc_ns += REKEY_PERMIT_LIFE_NS;
	other_keys();
	assert_int_equal(api_fixture_begin(&f, &m), 200);
	assert_int_equal(api_fixture_activate(&f, &m, true), 202);
}

static void test_rekey_label(void **state)
{
	(void)state;
	act("rekey");
	other_keys();
	snprintf(m.label, sizeof(m.label), "uno");
	assert_int_equal(api_fixture_begin(&f, &m), 200);
	assert_int_equal(api_fixture_activate(&f, &m, true), 202);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_certificate, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ek_over, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_keys, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rekey, setup, teardown),
		cmocka_unit_test_setup_teardown(test_release_outlives_keys, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rekey_over, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rekey_label, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
