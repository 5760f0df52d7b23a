/* SPDX-License-Identifier: Apache-2.0 */
/* Who waits for an approver asks as often as it likes, under as many keys: nothing grows by it, nobody is told again, and what was before stays its past. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "api_fixture.h"
#include "record.h"

#define HEAD_SIZE 77

static struct api_fixture f;
static struct api_fixture_machine m;

static int setup(void **state)
{
	(void)state;
	api_fixture_open(&f);
	api_fixture_machine_open(&f, &m, f.maker, "one");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	api_fixture_machine_done(&m);
	api_fixture_done(&f);
	return 0;
}

static struct store_node row(void)
{
	struct store_node n;

	api_fixture_row(&f, m.id, &n);
	return n;
}

static struct record record(void)
{
	struct record r = {.incarnation = 0};
	struct store_node n = row();
	struct why why;

	assert_int_equal(record_parse(n.record.data, n.record.size, &r, &why), 0);
	store_node_done(&n);
	return r;
}

static void other_key(void)
{
	sign_key_free(m.person.key);
	assert_int_equal(sign_key_generate(SIGN_P256, &m.person.key), 0);
	buf_clear(&m.csr);
	assert_int_equal(cert_csr_make(m.person.key, "x", &m.csr), 0);
}

static void asks(int status)
{
	assert_int_equal(api_fixture_begin(&f, &m), 200);
	assert_int_equal(api_fixture_activate(&f, &m, true), status);
}

static int count_blob(void *ctx, const char *name, const void *data, size_t size)
{
	(void)name;
	(void)data;
	(void)size;
	*(unsigned int *)ctx += 1;
	return 0;
}

struct amount {
	unsigned int records, sizes;
	uint64_t lines;
};

static struct amount amount(void)
{
	struct amount a = {.lines = vlog_size(f.vlog)};
	const struct store *s = &f.store;

	assert_int_equal(s->ops->blob_each(s->ctx, "record", count_blob, &a.records), 0);
	assert_int_equal(s->ops->blob_each(s->ctx, "size", count_blob, &a.sizes), 0);
	return a;
}

/* Fifty keys, and some labels. */
static void asks_often(void)
{
	struct amount before, after;

	asks(202);
	other_key();
	asks(202);
	before = amount();
	for (int i = 0; i < 48; i++) {
		other_key();
		snprintf(m.label, sizeof(m.label), i % 8 ? "one" : "one-%d", i);
		asks(202);
	}
	after = amount();
	assert_int_equal(after.records, before.records);
	assert_int_equal(after.sizes, before.sizes);
	assert_true(after.lines == before.lines);
}

/* It asks again under the same key: the same row. Under another: the first asker is out. */
static void test_again(void **state)
{
	struct store_node n;
	char first[65];

	(void)state;
	asks(202);
	asks(202);
	memcpy(first, m.session, sizeof(first));
	other_key();
	asks(202);
	n = row();
	assert_int_equal(n.incarnation, 1);
	assert_true(n.life == PLUMB_LIFE_PROVISIONING);
	store_node_done(&n);
	memcpy(m.session, first, sizeof(first));
	assert_int_equal(api_fixture_activate(&f, &m, true), 409);
}

/* Booted again while it waits: its evidence is held against the counts of the day on which it asked last. */
static void test_reboot(void **state)
{
	struct store_node n;
	uint32_t before;

	(void)state;
	asks(202);
	n = row();
	before = n.base_reset;
	store_node_done(&n);
	fake_tpm_reboot(m.tpm);
	api_fixture_certify_event(&m);
	asks(202);
	n = row();
	assert_int_equal(n.base_reset, before + 1);
	assert_int_equal(n.incarnation, 1);
	store_node_done(&n);
	assert_int_equal(api_fixture_act(&f, &f.approver, "approve", m.id, "new", ""), 200);
	assert_int_equal(api_fixture_activate(&f, &m, true), 200);
}

/* Its TPM's keys were made anew, its client key is what it was: what is approved has the keys that it has. */
static void test_other_ak(void **state)
{
	struct tpm *t = fake_tpm_door(m.tpm);
	struct buf blobs = {0};
	struct record r;

	(void)state;
	asks(202);
	buf_clear(&m.ak);
	buf_clear(&m.event);
	assert_int_equal(t->ops->keys_open(t->ctx, &blobs, &m.ak, &m.event), 0);
	api_fixture_certify_event(&m);
	asks(202);
	assert_int_equal(api_fixture_log_has(&f, "it asks to be enrolled"), 1);
	assert_int_equal(api_fixture_act(&f, &f.approver, "approve", m.id, "new", ""), 200);
	assert_int_equal(api_fixture_activate(&f, &m, true), 200);
	r = record();
	assert_int_equal(r.incarnation, 1);
	assert_int_equal(r.ak_public.size, m.ak.size);
	assert_memory_equal(r.ak_public.data, m.ak.data, m.ak.size);
	assert_memory_equal(r.event_public.data, m.event.data, m.event.size);
	record_done(&r);
	buf_done(&blobs);
}

static void test_unknown(void **state)
{
	struct record r;

	(void)state;
	asks_often();
	assert_int_equal(amount().records, 0);
	assert_int_equal(api_fixture_log_has(&f, "it asks to be enrolled"), 1);
	assert_int_equal(api_fixture_act(&f, &f.approver, "approve", m.id, "new", ""), 200);
	assert_int_equal(api_fixture_activate(&f, &m, true), 200);
	assert_string_equal(m.person.who.name, m.id);
	r = record();
	assert_int_equal(r.incarnation, 1);
	assert_string_equal(r.predecessor_origin, "");
	record_done(&r);
}

/* Enrolled, and with evidence; its origin. */
static void becomes_known(char ret_origin[CHECKPOINT_MAX_ORIGIN])
{
	struct store_node n;
	struct record r;

	api_fixture_token(&f, "one", 3600, m.token);
	asks(200);
	m.token[0] = 0;
	n = row();
	n.life = PLUMB_LIFE_ACTIVE;
	n.last_evidence_ns = f.utc_ns;
	n.head_size = HEAD_SIZE;
	memset(n.head_root.bytes, 7, DIGEST_SIZE);
	assert_int_equal(f.store.ops->begin(f.store.ctx), 0);
	assert_int_equal(f.store.ops->node_put(f.store.ctx, &n), 0);
	assert_int_equal(f.store.ops->commit(f.store.ctx), 0);
	store_node_done(&n);
	r = record();
	memcpy(ret_origin, r.origin, sizeof(r.origin));
	record_done(&r);
}

/* Its record says what the first incarnation's head was. */
static void follows(const char *origin)
{
	struct digest root;
	struct record r = record();

	memset(root.bytes, 7, DIGEST_SIZE);
	assert_int_equal(r.incarnation, 2);
	assert_non_null(strstr(r.origin, "/2."));
	assert_string_equal(r.predecessor_origin, origin);
	assert_int_equal(r.predecessor_size, HEAD_SIZE);
	assert_true(digest_equal(&r.predecessor_root, &root));
	record_done(&r);
	assert_int_equal(amount().records, 1);
	assert_int_equal(amount().sizes, 1);
}

static void test_known(void **state)
{
	char origin[CHECKPOINT_MAX_ORIGIN];
	struct store_node n;

	(void)state;
	becomes_known(origin);
	other_key();
	asks_often();
	follows(origin);
	n = row();
	/* It is missed as it was. */
	assert_int_equal(n.freshness, PLUMB_FRESHNESS_SILENT);
	assert_int_equal(n.findings, 1u << PLUMB_FINDING_SILENT);
	store_node_done(&n);
	assert_int_equal(api_fixture_act(&f, &f.approver, "approve", m.id, "known", ""), 200);
	assert_int_equal(api_fixture_activate(&f, &m, true), 200);
	follows(origin);
}

/* A token ends the wait. */
static void test_token(void **state)
{
	char origin[CHECKPOINT_MAX_ORIGIN];

	(void)state;
	becomes_known(origin);
	other_key();
	asks(202);
	other_key();
	api_fixture_token(&f, "one", 3600, m.token);
	asks(200);
	follows(origin);
	assert_int_equal(api_fixture_log_has(&f, "enrolled anew with a join token, incarnation 2"),
			 1);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_again),   EACH(test_reboot), EACH(test_other_ak),
		EACH(test_unknown), EACH(test_known),  EACH(test_token),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
