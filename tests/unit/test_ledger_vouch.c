/* SPDX-License-Identifier: Apache-2.0 */
/* Whose signature a note is: of the event key, of the witness's key of now or of then, of nobody that the record knows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "ledger_fixture.h"
#include "ledger_vouch.h"
#include "scratch.h"

#define TIME_S 1790000000u

static struct ledger_vouch *vouch_of(const struct record *record)
{
	struct ledger_vouch *v = NULL;
	struct buf text = {0};
	struct why why = {""};

	assert_int_equal(record_write(record, &text), 0);
	if (ledger_vouch_open(text.data, text.size, &v, &why) < 0)
		fail_msg("%s", why.text);
	buf_done(&text);
	return v;
}

/* What is said of a cosignature by this key of a head of so many lines. */
static int asked(const struct ledger_vouch *v, const struct sign_key *key, uint64_t size,
		 bool turned, enum ledger_vouch_who *ret_who)
{
	const struct record *k = ledger_vouch_record(v);
	struct checkpoint c = {.size = size, .root = {{7}}};
	struct buf line = {0};
	struct why why = {""};
	uint64_t time_s = 0;
	int r;

	snprintf(c.origin, sizeof(c.origin), "%s", k->origin);
	assert_int_equal(
		checkpoint_sign(&c, CHECKPOINT_SIG_COSIGN, k->witness_name, key, TIME_S, &line), 0);
	c.size += turned;
	r = ledger_vouch_note(v, &c, (char *)line.data + 4, line.size - 4, ret_who, &time_s, &why);
	if (r >= 0 && *ret_who == LEDGER_VOUCH_WITNESS)
		assert_int_equal(time_s, TIME_S);
	buf_done(&line);
	return r;
}

static void assert_who(const struct ledger_vouch *v, const struct sign_key *key, uint64_t size,
		       enum ledger_vouch_who want)
{
	enum ledger_vouch_who who = LEDGER_VOUCH_NOBODY;

	assert_int_equal(asked(v, key, size, false, &who), 0);
	assert_int_equal(who, want);
}

static void change(struct record *record, const struct sign_key *key, uint64_t size)
{
	struct buf spki = {0};

	assert_int_equal(sign_key_spki(key, &spki), 0);
	assert_int_equal(record_change_witness(record, spki.data, spki.size, size), 1);
	buf_done(&spki);
}

static void test_witnesses(void **state)
{
	struct sign_key *second = NULL, *third = NULL;
	enum ledger_vouch_who who;
	struct ledger_fixture f;
	struct ledger_vouch *v;
	char dir[SCRATCH_SIZE];

	(void)state;
	scratch_open(dir, "vouch");
	ledger_fixture_open(&f, NULL, dir, 0);
	assert_int_equal(sign_key_generate(SIGN_ED25519, &second), 0);
	assert_int_equal(sign_key_generate(SIGN_ED25519, &third), 0);
	v = vouch_of(&f.record);
	assert_who(v, f.witness, 100, LEDGER_VOUCH_WITNESS);
	assert_who(v, second, 100, LEDGER_VOUCH_NOBODY);
	assert_int_equal(asked(v, f.witness, 100, true, &who), -EBADMSG);
	ledger_vouch_free(v);
	change(&f.record, second, 100);
	v = vouch_of(&f.record);
	assert_who(v, f.witness, 99, LEDGER_VOUCH_WITNESS);
	assert_who(v, f.witness, 100, LEDGER_VOUCH_WITNESS);
	/* Whoever found the old key's private part cannot go on with it. */
	assert_int_equal(asked(v, f.witness, 101, false, &who), -EBADMSG);
	assert_int_equal(asked(v, f.witness, 100, true, &who), -EBADMSG);
	assert_who(v, second, 100, LEDGER_VOUCH_WITNESS);
	assert_who(v, second, 4711, LEDGER_VOUCH_WITNESS);
	assert_who(v, third, 101, LEDGER_VOUCH_NOBODY);
	ledger_vouch_free(v);
	change(&f.record, third, 200);
	v = vouch_of(&f.record);
	assert_who(v, f.witness, 100, LEDGER_VOUCH_WITNESS);
	assert_int_equal(asked(v, f.witness, 150, false, &who), -EBADMSG);
	assert_who(v, second, 200, LEDGER_VOUCH_WITNESS);
	assert_int_equal(asked(v, second, 201, false, &who), -EBADMSG);
	assert_who(v, third, 201, LEDGER_VOUCH_WITNESS);
	ledger_vouch_free(v);
	ledger_fixture_done(&f);
	scratch_done(dir);
	sign_key_free(second);
	sign_key_free(third);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_witnesses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
