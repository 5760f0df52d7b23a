/* SPDX-License-Identifier: Apache-2.0 */
/* A quote is good for one node, nonce, key, checkpoint and moment; each field that is another makes it bad, and names why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "appraise_quote.h"
#include "fake_tpm.h"

#define MASK (0xffu | 1u << 10 | 1u << 15)

struct place {
	struct fake_tpm *f;
	struct tpm *t;
	struct record k;
	struct evidence e;
	struct appraise_quote_in in;
	uint8_t nonce[WIRE_NONCE_SIZE];
	struct why why;
	struct quote_info info;
};

static void quote(struct place *p, uint32_t mask)
{
	struct quote_binding b = {.nonce = {p->nonce, sizeof(p->nonce)},
				  .node = p->k.node,
				  .incarnation = p->k.incarnation,
				  .boot_log = p->e.boot_log,
				  .ima_cursor = p->e.ima_cursor,
				  .baseline_version = p->e.baseline_version,
				  .last_order = p->e.last_order,
				  .client_key = p->in.client_key};
	char text[CHECKPOINT_MAX_TEXT];
	struct digest d;
	size_t size;

	assert_int_equal(checkpoint_text(&p->e.checkpoint, text, &size), 0);
	b.checkpoint = text;
	assert_int_equal(quote_qualifying_data(&b, &d), 0);
	buf_clear(&p->e.attest);
	buf_clear(&p->e.sig);
	assert_int_equal(p->t->ops->quote(p->t->ctx, mask, &d, &p->e.attest, &p->e.sig, &p->e.pcrs),
			 0);
}

static void note(struct place *p, uint32_t i)
{
	struct buf sig = {0}, der = {0}, line = {0};
	char text[CHECKPOINT_MAX_TEXT];
	struct sign_key *key;
	struct digest d;
	size_t size;

	assert_int_equal(checkpoint_text(&p->e.checkpoint, text, &size), 0);
	assert_int_equal(digest_sha256(text, size, &d), 0);
	assert_int_equal(p->t->ops->sign_event(p->t->ctx, &d, &sig), 0);
	assert_int_equal(quote_signature_der(sig.data, sig.size, &der, NULL), 0);
	assert_int_equal(
		quote_public_key(p->k.event_public.data, p->k.event_public.size, &key, NULL), 0);
	assert_int_equal(checkpoint_note_line(CHECKPOINT_SIG_P256, p->k.origin, key, der.data,
					      der.size, &line),
			 0);
	snprintf(p->e.notes[i], sizeof(p->e.notes[i]), "%s", (char *)line.data);
	sign_key_free(key);
	buf_done(&sig);
	buf_done(&der);
	buf_done(&line);
}

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	struct buf blobs = {0};

	assert_non_null(p);
	assert_int_equal(fake_tpm_open(&p->f), 0);
	p->t = fake_tpm_door(p->f);
	assert_int_equal(
		p->t->ops->keys_open(p->t->ctx, &blobs, &p->k.ak_public, &p->k.event_public), 0);
	buf_done(&blobs);
	memset(p->k.node, 'a', 64);
	memset(p->nonce, 7, sizeof(p->nonce));
	p->k.incarnation = p->e.incarnation = 2;
	p->k.pcr_index = p->e.pcr_index = 15;
	snprintf(p->k.origin, sizeof(p->k.origin), "test.example/node/aa/2");
	memcpy(p->e.node, p->k.node, sizeof(p->e.node));
	memcpy(p->e.nonce, p->nonce, sizeof(p->nonce));
	p->e.checkpoint = (struct checkpoint){.size = 9, .root = {{1}}};
	snprintf(p->e.checkpoint.origin, sizeof(p->e.checkpoint.origin), "%s", p->k.origin);
	p->e.baseline_version = 3;
	p->e.last_order = 4;
	p->e.n_notes = 1;
	note(p, 0);
	p->in = (struct appraise_quote_in){.evidence = &p->e,
					   .record = &p->k,
					   .nonce = p->nonce,
					   .client_key = {{5}},
					   .pcr_mask = 0xffu | 1u << 10};
	quote(p, MASK);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	evidence_done(&p->e);
	record_done(&p->k);
	fake_tpm_free(p->f);
	free(p);
	return 0;
}

static bool good(struct place *p)
{
	bool is_good = false;

	p->why.text[0] = 0;
	p->info.clock_ms = 4711;
	assert_int_equal(appraise_quote(&p->in, &is_good, &p->info, &p->why), 0);
	assert_true(is_good || p->why.text[0]);
	assert_true(is_good || p->info.clock_ms == 4711);
	return is_good;
}

static bool is_signed(struct place *p)
{
	bool r = false;

	assert_int_equal(appraise_quote_event_signed(&p->e, &p->k, &r, &p->why), 0);
	return r;
}

static void test_good(void **state)
{
	struct place *p = *state;

	fake_tpm_clock(p->f)->reset_count = 12;
	quote(p, MASK);
	assert_true(good(p));
	assert_int_equal(p->info.reset_count, 12);
	quote(p, 0xffffff);
	assert_true(good(p));
	assert_true(is_signed(p));
}

/* One thing that the quote binds is another than when it was made. */
#define OTHER(p, what)                 \
	do {                           \
		assert_true(good(p));  \
		(what) ^= 1;           \
		assert_false(good(p)); \
		(what) ^= 1;           \
		assert_true(good(p));  \
	} while (0)

static void test_each_field_binds(void **state)
{
	struct place *p = *state;

	OTHER(p, p->nonce[31]); /* given out another, or this one again */
	OTHER(p, p->in.client_key.bytes[0]);
	OTHER(p, p->e.checkpoint.size);
	OTHER(p, p->e.checkpoint.root.bytes[9]);
	OTHER(p, p->e.checkpoint.origin[0]);
	OTHER(p, p->e.boot_log.bytes[0]);
	OTHER(p, p->e.ima_cursor);
	OTHER(p, p->e.baseline_version);
	OTHER(p, p->e.last_order);
	OTHER(p, p->e.node[5]);
	OTHER(p, p->e.incarnation);
	OTHER(p, p->e.pcr_index);
	OTHER(p, p->e.pcrs.values[15].bytes[3]);
	OTHER(p, p->e.pcrs.values[0].bytes[3]);
	OTHER(p, p->e.pcrs.mask);
	OTHER(p, p->e.sig.data[p->e.sig.size - 1]);
	OTHER(p, p->e.attest.data[p->e.attest.size - 1]);
	OTHER(p, p->e.attest.size);
	OTHER(p, p->e.provisional);
	/* What the evidence says of its nonce is no matter: the one given out counts. */
	p->e.nonce[0] ^= 1;
	assert_true(good(p));
	/* Node and incarnation of the evidence and of the record, both false. */
	p->k.incarnation = p->e.incarnation = 3;
	assert_false(good(p));
}

static void test_missing_pcrs(void **state)
{
	struct place *p = *state;

	for (uint32_t i = 0; i < QUOTE_N_PCRS; i++) {
		if (!(MASK & 1u << i))
			continue;
		quote(p, MASK & ~(1u << i));
		assert_false(good(p));
		assert_non_null(strstr(p->why.text, "missing"));
	}
	p->in.pcr_mask = 0;
	quote(p, 1u << 15);
	assert_true(good(p));
	quote(p, 1u << 14);
	assert_false(good(p));
}

static void test_other_key(void **state)
{
	struct place *p = *state;
	struct fake_tpm *other = NULL;
	struct buf blobs = {0}, ak = {0}, event = {0};
	char right[CHECKPOINT_MAX_NOTE_LINE];
	struct tpm *t;

	assert_int_equal(fake_tpm_open(&other), 0);
	t = fake_tpm_door(other);
	assert_int_equal(t->ops->keys_open(t->ctx, &blobs, &ak, &event), 0);
	t = p->t;
	p->t = fake_tpm_door(other);
	quote(p, MASK);
	assert_false(good(p));
	note(p, 0);
	assert_false(is_signed(p));
	assert_int_equal(p->e.n_notes, 0);
	/* The right one may stand among others. */
	p->t = t;
	p->e.n_notes = 2;
	note(p, 1);
	memcpy(right, p->e.notes[1], sizeof(right));
	assert_true(is_signed(p));
	/* It alone stays. */
	assert_int_equal(p->e.n_notes, 1);
	assert_string_equal(p->e.notes[0], right);
	p->e.checkpoint.size++;
	assert_false(is_signed(p));
	p->e.n_notes = 0;
	assert_false(is_signed(p));
	/* A record that we cannot use is no verdict on the node. */
	p->k.event_public.size = 3;
	p->e.n_notes = 1;
	assert_true(appraise_quote_event_signed(&p->e, &p->k, &(bool){false}, &p->why) < 0);
	fake_tpm_free(other);
	buf_done(&blobs);
	buf_done(&ak);
	buf_done(&event);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_good),
		TEST(test_each_field_binds),
		TEST(test_missing_pcrs),
		TEST(test_other_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
