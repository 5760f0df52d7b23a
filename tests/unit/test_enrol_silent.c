/* SPDX-License-Identifier: Apache-2.0 */
/* A known machine that asks to be enrolled anew without a token is silent by that: as the policy says of silence, until it is heard again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include "api_fixture.h"
#include "cases.h"
#include "dsse.h"
#include "node_fixture.h"

#define RULE NODE_FIXTURE_RULE
#define SILENT "{\"finding\":\"silent\"}"
#define KEY "finding:silent"

static struct api_fixture f;
static struct api_fixture_machine m, other;

static void policy(const char *rules)
{
	struct buf b = {0}, envelope = {0};
	const struct sign_key *key = f.approver.key;
	struct why why = {""};

	buf_printf(&b, "{\"v\":1,\"name\":\"test\",\"version\":1,\"rules\":%s}", rules);
	assert_int_equal(dsse_sign(WIRE_DSSE_POLICY, b.data, b.size, &key, 1, &envelope), 0);
	assert_int_equal(f.store.ops->begin(f.store.ctx), 0);
	if (documents_put_policy(f.documents, envelope.data, envelope.size, &why) < 0)
		fail_msg("%s", why.text);
	assert_int_equal(f.store.ops->commit(f.store.ctx), 0);
	buf_done(&b);
	buf_done(&envelope);
}

static void put(struct store_node *n)
{
	assert_int_equal(f.store.ops->begin(f.store.ctx), 0);
	assert_int_equal(f.store.ops->node_put(f.store.ctx, n), 0);
	assert_int_equal(f.store.ops->commit(f.store.ctx), 0);
	store_node_done(n);
}

static struct store_node row(const struct api_fixture_machine *who)
{
	struct store_node n;

	api_fixture_row(&f, who->id, &n);
	return n;
}

static int setup(void **state)
{
	struct store_node n;

	(void)state;
	api_fixture_open(&f);
	api_fixture_enrol(&f, &m, f.maker, "one");
	m.token[0] = 0;
	api_fixture_machine_open(&f, &other, f.maker, "two");
	n = row(&m);
	n.life = PLUMB_LIFE_ACTIVE;
	n.appraisal = PLUMB_APPRAISAL_TRUSTED;
	n.last_evidence_ns = f.utc_ns;
	n.has_base = true;
	n.base_size = n.head_size = 12;
	put(&n);
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

/* Time goes by, and nothing is heard. */
static void pass(unsigned int s)
{
	while (s-- > 0) {
		f.utc_ns += 1000000000;
		f.boot_ns += 1000000000;
		assert_int_equal(intake_tick(f.intake), 0);
	}
}

static void other_key(void)
{
	sign_key_free(m.person.key);
	assert_int_equal(sign_key_generate(SIGN_P256, &m.person.key), 0);
	buf_clear(&m.csr);
	assert_int_equal(cert_csr_make(m.person.key, "x", &m.csr), 0);
}

static void asks_anew(void)
{
	other_key();
	assert_int_equal(api_fixture_begin(&f, &m), 200);
	assert_int_equal(api_fixture_activate(&f, &m, true), 202);
}

static int on_case(void *ctx, const struct store_case *k)
{
	struct store_case *found = ctx;

	if (strcmp(k->key, KEY) == 0)
		*found = *k;
	return 0;
}

/* Is the silence open, and in these words? "": not open. */
static void silence(const struct api_fixture_machine *who, const char *words)
{
	struct store_case *k = calloc(1, sizeof(*k));

	assert_non_null(k);
	assert_int_equal(f.store.ops->case_each(f.store.ctx, who->id, true, on_case, k), 0);
	assert_int_equal(k->id != 0, words[0] != 0);
	if (!strstr(k->found, words))
		fail_msg("\"%s\" is not in %.300s", words, k->found);
	assert_false(k->provisional);
	free(k);
}

static void is(enum plumb_life life, enum plumb_freshness freshness,
	       enum plumb_containment containment)
{
	struct store_node n = row(&m);

	assert_int_equal(n.life, life);
	assert_int_equal(n.freshness, freshness);
	assert_int_equal(n.containment, containment);
	store_node_done(&n);
}
#define WAITS PLUMB_LIFE_PROVISIONING, PLUMB_FRESHNESS_SILENT

static void test_held_at_once(void **state)
{
	struct store_node n;
	uint64_t lines;

	(void)state;
	policy("[" RULE("S", SILENT, "armed", "claim", "0") "]");
	asks_anew();
	silence(&m, "enrolled anew, without a token: until a person admits it, nothing of it");
	is(WAITS, PLUMB_CONTAIN_HELD);
	n = row(&m);
	assert_int_equal(n.appraisal, PLUMB_APPRAISAL_NONE);
	assert_int_equal(n.findings, 1u << PLUMB_FINDING_SILENT);
	assert_int_equal(n.incarnation, 2);
	store_node_done(&n);
	assert_int_equal(api_fixture_log_has(&f, "\"from\":\"trusted\",\"to\":\"silent\""), 1);
	assert_int_equal(api_fixture_log_has(&f, "\"deeds\":[\"hold\"]"), 1);
	assert_int_equal(api_fixture_log_has(&f, "\"to\":\"provisioning\""), 1);
	/* The same again says nothing new. */
	assert_int_equal(api_fixture_begin(&f, &m), 200);
	assert_int_equal(api_fixture_activate(&f, &m, true), 202);
	assert_int_equal(api_fixture_log_has(&f, "\"to\":\"provisioning\""), 1);
	/* Nor does it under other keys, and it stays missed. */
	lines = vlog_size(f.vlog);
	for (int i = 0; i < 5; i++)
		asks_anew();
	assert_true(vlog_size(f.vlog) == lines);
	silence(&m, "without a token");
	is(WAITS, PLUMB_CONTAIN_HELD);
}

/* Grace ends while it waits. */
static void test_grace(void **state)
{
	(void)state;
	policy("[" RULE("S", SILENT, "armed", "claim", "60000") "]");
	asks_anew();
	silence(&m, "without a token");
	is(WAITS, PLUMB_CONTAIN_REPORT);
	pass(58);
	is(WAITS, PLUMB_CONTAIN_REPORT);
	pass(4);
	is(WAITS, PLUMB_CONTAIN_HELD);
}

/* An absence that it announced itself, and one of silence that was settled before, excuse nothing. */
static void test_leaving(void **state)
{
	struct store_node n = row(&m);

	(void)state;
	n.freshness = PLUMB_FRESHNESS_LEAVING;
	n.leaving_until_ns = n.deadline_ns = f.utc_ns + 600000000000;
	put(&n);
	asks_anew();
	silence(&m, "without a token");
	is(WAITS, PLUMB_CONTAIN_REPORT);
	assert_int_equal(api_fixture_act(&f, &f.responder, "acknowledge", "one", "seen", ""), 200);
	silence(&m, "");
	is(WAITS, PLUMB_CONTAIN_FREE);
	asks_anew();
	silence(&m, "without a token");
	is(WAITS, PLUMB_CONTAIN_REPORT);
}

/* What the first evidence of the new incarnation does with cases. */
static void heard(void)
{
	const struct cases_accepted accepted = {.size = 1};
	struct store_node n = row(&m);
	struct cases c = {.v = &f.v,
			  .policy = documents_policy(f.documents),
			  .node = &n,
			  .bound = true,
			  .now_ns = f.utc_ns};

	assert_int_equal(f.store.ops->begin(f.store.ctx), 0);
	assert_int_equal(cases_accepted(&c, &accepted), 0);
	assert_int_equal(f.store.ops->commit(f.store.ctx), 0);
	cases_done(&c);
	store_node_done(&n);
}

static void test_approved(void **state)
{
	(void)state;
	policy("[" RULE("S", SILENT, "armed", "claim", "0") "]");
	asks_anew();
	assert_int_equal(api_fixture_act(&f, &f.approver, "approve", "one", "reinstalled", ""),
			 200);
	/* A word is no evidence. */
	is(PLUMB_LIFE_ENROLLED, PLUMB_FRESHNESS_SILENT, PLUMB_CONTAIN_HELD);
	silence(&m, "without a token");
	assert_int_equal(api_fixture_activate(&f, &m, true), 200);
	pass(3);
	heard();
	silence(&m, "");
}

/* Settled before it was admitted: from then on it is missed as a new node is. */
static void test_approved_settled(void **state)
{
	struct store_node n;

	(void)state;
	policy("[" RULE("S", SILENT, "armed", "claim", "0") "]");
	asks_anew();
	assert_int_equal(api_fixture_act(&f, &f.approver, "release", "one", "known", ""), 200);
	silence(&m, "");
	assert_int_equal(api_fixture_act(&f, &f.approver, "approve", "one", "reinstalled", ""),
			 200);
	is(PLUMB_LIFE_ENROLLED, PLUMB_FRESHNESS_FRESH, PLUMB_CONTAIN_REMEDIATING);
	n = row(&m);
	assert_int_equal(n.findings, 0);
	store_node_done(&n);
	assert_int_equal(api_fixture_log_has(&f, "\"from\":\"provisioning\",\"to\":\"enrolled\""),
			 1);
	assert_int_equal(api_fixture_activate(&f, &m, true), 200);
	pass((unsigned int)(f.v.silent_after_ms / 1000) - 1);
	silence(&m, "");
	pass(3);
	silence(&m, "no evidence for");
	is(PLUMB_LIFE_ENROLLED, PLUMB_FRESHNESS_SILENT, PLUMB_CONTAIN_HELD);
}

static void test_with_token(void **state)
{
	(void)state;
	policy("[" RULE("S", SILENT, "armed", "claim", "0") "]");
	asks_anew();
	api_fixture_token(&f, "one", 3600, m.token);
	assert_int_equal(api_fixture_begin(&f, &m), 200);
	assert_int_equal(api_fixture_activate(&f, &m, true), 200);
	is(PLUMB_LIFE_ENROLLED, PLUMB_FRESHNESS_FRESH, PLUMB_CONTAIN_HELD);
	heard();
	silence(&m, "");
	/* With a token from the start there is none of it. */
	other_key();
	api_fixture_token(&f, "one", 3600, m.token);
	assert_int_equal(api_fixture_begin(&f, &m), 200);
	assert_int_equal(api_fixture_activate(&f, &m, true), 200);
	silence(&m, "");
}

/* A person may let it go before: it is as good as one that is to prove itself. */
static void test_released(void **state)
{
	(void)state;
	policy("[" RULE("S", SILENT, "armed", "claim", "0") "]");
	asks_anew();
	assert_int_equal(api_fixture_act(&f, &f.approver, "release", "one", "known", ""), 200);
	silence(&m, "");
	is(WAITS, PLUMB_CONTAIN_REMEDIATING);
}

/* Who knows the EK and no more: all public parts are the machine's own, and its TPM is not there to answer. */
static void test_stranger(void **state)
{
	(void)state;
	policy("[" RULE("S", SILENT, "armed", "claim", "0") "]");
	other_key();
	assert_int_equal(api_fixture_begin(&f, &m), 200);
	assert_int_equal(api_fixture_activate(&f, &m, false), 403);
	silence(&m, "");
	is(PLUMB_LIFE_ACTIVE, PLUMB_FRESHNESS_FRESH, PLUMB_CONTAIN_FREE);
	/* Its own keys under that EK. */
	buf_clear(&other.ek);
	buf_put(&other.ek, m.ek.data, m.ek.size);
	buf_clear(&other.ek_cert);
	buf_put(&other.ek_cert, m.ek_cert.data, m.ek_cert.size);
	assert_int_equal(api_fixture_begin(&f, &other), 200);
	assert_int_equal(api_fixture_activate(&f, &other, true), 403);
	silence(&m, "");
	is(PLUMB_LIFE_ACTIVE, PLUMB_FRESHNESS_FRESH, PLUMB_CONTAIN_FREE);
}

/* A machine that nobody knew is missed by nobody, however long it waits and however often it asks. */
static void test_new(void **state)
{
	struct store_node n;

	(void)state;
	policy("[" RULE("S", SILENT, "armed", "claim", "0") "]");
	assert_int_equal(api_fixture_begin(&f, &other), 200);
	assert_int_equal(api_fixture_activate(&f, &other, true), 202);
	sign_key_free(other.person.key);
	assert_int_equal(sign_key_generate(SIGN_P256, &other.person.key), 0);
	buf_clear(&other.csr);
	assert_int_equal(cert_csr_make(other.person.key, "x", &other.csr), 0);
	assert_int_equal(api_fixture_begin(&f, &other), 200);
	assert_int_equal(api_fixture_activate(&f, &other, true), 202);
	pass(300);
	silence(&other, "");
	n = row(&other);
	assert_int_equal(n.incarnation, 1);
	assert_int_equal(n.freshness, PLUMB_FRESHNESS_FRESH);
	assert_int_equal(n.containment, PLUMB_CONTAIN_FREE);
	store_node_done(&n);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_held_at_once), EACH(test_grace),	EACH(test_leaving),
		EACH(test_approved),	 EACH(test_with_token), EACH(test_released),
		EACH(test_stranger),	 EACH(test_new),	EACH(test_approved_settled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
