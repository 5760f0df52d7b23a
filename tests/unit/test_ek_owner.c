/* SPDX-License-Identifier: Apache-2.0 */
/* One endorsement key is one node, however its public area is written; also where it was enrolled before that was kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "api_fixture.h"
#include "ek_owner.h"
#include "fsio.h"
#include "record.h"
#include "tpm_public.h"

static struct api_fixture f;
static struct api_fixture_machine m;
static char other[65];

/* One key of 256 has a y with a leading zero. */
static void open_machine(void)
{
	for (;;) {
		api_fixture_machine_open(&f, &m, f.maker, "one");
		if (m.ek.data[m.ek.size - 32] == 0)
			return;
		api_fixture_machine_done(&m);
	}
}

static int setup(void **state)
{
	(void)state;
	api_fixture_open(&f);
	open_machine();
	memset(other, 'a', 64);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	api_fixture_machine_done(&m);
	api_fixture_done(&f);
	return 0;
}

/* The same key with y's leading zero left out, as some chips write it; and another id. */
static void write_otherwise(struct buf *ek, char ret_id[65])
{
	struct digest d;

	memmove(ek->data + ek->size - 32, ek->data + ek->size - 31, 31);
	ek->size--;
	ek->data[ek->size - 32]--;
	ek->data[1]--;
	assert_int_equal(quote_check_ek(ek->data, ek->size, NULL), 0);
	assert_int_equal(quote_public_digest(ek->data, ek->size, &d, NULL), 0);
	digest_hex(&d, ret_id);
}

static int claim(const struct buf *ek, const char *node, char ret_owner[65])
{
	int r;

	assert_int_equal(f.store.ops->begin(f.store.ctx), 0);
	r = ek_owner_claim(&f.store, ek, node, ret_owner);
	assert_int_equal(f.store.ops->commit(f.store.ctx), 0);
	return r;
}

static void test_key_id(void **state)
{
	struct buf rsa = {0};
	struct digest a, b;
	uint8_t *exponent;
	char id[65];

	(void)state;
	assert_int_equal(tpm_public_key_id(m.ek.data, m.ek.size, &a, NULL), 0);
	write_otherwise(&m.ek, id);
	assert_string_not_equal(id, m.id);
	assert_int_equal(tpm_public_key_id(m.ek.data, m.ek.size, &b, NULL), 0);
	assert_true(digest_equal(&a, &b));
	assert_int_equal(
		fsio_read_file(fsio_system(), "tests/data/quote/keylime/ek.pub", 4096, &rsa), 0);
	assert_int_equal(tpm_public_key_id(rsa.data, rsa.size, &a, NULL), 0);
	exponent = rsa.data + rsa.size - 258 - 4;
	exponent[1] = exponent[3] = 1;
	assert_int_equal(tpm_public_key_id(rsa.data, rsa.size, &b, NULL), 0);
	assert_true(digest_equal(&a, &b));
	exponent[1] = 0;
	assert_int_equal(tpm_public_key_id(rsa.data, rsa.size, &b, NULL), -EKEYREJECTED);
	assert_int_equal(tpm_public_key_id(rsa.data, 40, &b, NULL), -EBADMSG);
	buf_done(&rsa);
}

static void test_claim(void **state)
{
	char owner[65] = "nobody", id[65];

	(void)state;
	assert_int_equal(claim(&m.ek, m.id, owner), 0);
	assert_int_equal(claim(&m.ek, m.id, owner), 0);
	assert_string_equal(owner, "nobody");
	write_otherwise(&m.ek, id);
	assert_int_equal(claim(&m.ek, id, owner), 1);
	assert_string_equal(owner, m.id);
	assert_int_equal(claim(&m.ak, other, owner), 0);
	m.ek.size--;
	assert_int_equal(claim(&m.ek, id, owner), -EKEYREJECTED);
}

static int enrols(void)
{
	api_fixture_token(&f, "", 3600, m.token);
	assert_int_equal(api_fixture_begin(&f, &m), 200);
	return api_fixture_activate(&f, &m, true);
}

static void refused(const char *text)
{
	assert_int_equal(f.reply.status, 403);
	if (!strstr(api_fixture_text(&f), text))
		fail_msg("\"%s\" is not in %.300s", text, api_fixture_text(&f));
}

/* Revoked, its root writes its EK otherwise: with a token, with an approver to ask, and for a certificate anew. */
static void test_enrolment(void **state)
{
	char real[65], id[65], words[200];

	(void)state;
	memcpy(real, m.id, sizeof(real));
	assert_int_equal(enrols(), 200);
	assert_int_equal(api_fixture_act(&f, &f.approver, "revoke", "one", "stolen", ""), 200);
	write_otherwise(&m.ek, id);
	snprintf(m.label, sizeof(m.label), "two");
	snprintf(words, sizeof(words), "the EK of node %s is that of node %s", id, real);
	enrols();
	refused(words);
	m.token[0] = 0;
	assert_int_equal(api_fixture_begin(&f, &m), 200);
	api_fixture_activate(&f, &m, true);
	refused(words);
	assert_int_equal(api_fixture_begin_at(&f, &m, "/v1/enrol/again"), 200);
	api_fixture_activate(&f, &m, true);
	refused(words);
}

/* One that only waits has its key, too. */
static void test_waits(void **state)
{
	char id[65];

	(void)state;
	assert_int_equal(api_fixture_begin(&f, &m), 200);
	assert_int_equal(api_fixture_activate(&f, &m, true), 202);
	write_otherwise(&m.ek, id);
	enrols();
	refused("written otherwise");
}

/* As the store of an earlier release has it: rows, and nothing by their keys. */
static void forget(void)
{
	struct digest d;
	char key[DIGEST_HEX_SIZE];

	assert_int_equal(tpm_public_key_id(m.ek.data, m.ek.size, &d, NULL), 0);
	digest_hex(&d, key);
	assert_int_equal(f.store.ops->begin(f.store.ctx), 0);
	assert_int_equal(f.store.ops->blob_remove(f.store.ctx, "ekkey", key), 0);
	assert_int_equal(f.store.ops->commit(f.store.ctx), 0);
}

static void test_gather(void **state)
{
	char owner[65], id[65];

	(void)state;
	assert_int_equal(enrols(), 200);
	forget();
	assert_int_equal(ek_owner_gather(&f.store), 0);
	write_otherwise(&m.ek, id);
	assert_int_equal(claim(&m.ek, id, owner), 1);
	assert_string_equal(owner, m.id);
	/* Once. */
	forget();
	assert_int_equal(ek_owner_gather(&f.store), 0);
	assert_int_equal(claim(&m.ek, id, owner), 0);
}

/* It was two nodes already: the one that is gone stays the one that it is. */
static void two(bool first_is_gone)
{
	char real[65], id[65], owner[65];
	const char *gone;

	memcpy(real, m.id, sizeof(real));
	assert_int_equal(enrols(), 200);
	forget();
	write_otherwise(&m.ek, id);
	snprintf(m.label, sizeof(m.label), "two");
	assert_int_equal(enrols(), 200);
	forget();
	gone = (strcmp(real, id) < 0) == first_is_gone ? real : id;
	assert_int_equal(api_fixture_act(&f, &f.approver, "revoke", gone, "stolen", ""), 200);
	assert_int_equal(ek_owner_gather(&f.store), 0);
	assert_int_equal(claim(&m.ek, gone == real ? id : real, owner), 1);
	assert_string_equal(owner, gone);
}

static void test_first_is_gone(void **state)
{
	(void)state;
	two(true);
}

static void test_second_is_gone(void **state)
{
	(void)state;
	two(false);
}

/* An area that no enrolment takes any more has no claim but to stay gone. */
static void test_other_area(void **state)
{
	struct record record = {.incarnation = 0};
	char owner[65] = "nobody";
	struct store_node n;
	struct why why;

	(void)state;
	assert_int_equal(enrols(), 200);
	forget();
	api_fixture_row(&f, m.id, &n);
	assert_int_equal(record_parse(n.record.data, n.record.size, &record, &why), 0);
	record.ek_public.data[8] |= 4; /* noDA */
	buf_clear(&n.record);
	assert_int_equal(record_write(&record, &n.record), 0);
	record_done(&record);
	assert_int_equal(f.store.ops->begin(f.store.ctx), 0);
	assert_int_equal(f.store.ops->node_put(f.store.ctx, &n), 0);
	assert_int_equal(f.store.ops->commit(f.store.ctx), 0);
	store_node_done(&n);
	assert_int_equal(ek_owner_gather(&f.store), 0);
	assert_int_equal(claim(&m.ek, other, owner), 0);
	assert_string_equal(owner, "nobody");
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_key_id),	   EACH(test_claim),	  EACH(test_enrolment),
		EACH(test_waits),	   EACH(test_gather),	  EACH(test_first_is_gone),
		EACH(test_second_is_gone), EACH(test_other_area),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
