/* SPDX-License-Identifier: Apache-2.0 */
/* test_appraise_pcr10.c: lists that are what PCR 10 has, also when one is ahead of the other, and every way in which they are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "appraise_pcr10.h"
#include "ima_maker.h"
#include "plumb/wire.h"

#define S 1000000000ull
#define BOOT "5eb63bbb-e01e-4ed0-93cb-22bb8f5acdc3"

struct place {
	struct appraise_pcr10_state state;
	struct ima_maker m; /* what the kernel did */
	struct quote_pcrs pcrs;
	const char *boot;
	uint32_t reset;
	uint64_t now_ns;
	bool before_quote; /* the list was read before it */
	struct digest at_boot[10];
	bool has_log; /* that says at_boot */
	char got[4096];
	uint32_t n_got, of[32];
	struct why why;
};

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	p->boot = BOOT;
	p->reset = 7;
	p->now_ns = 1000 * S;
	p->pcrs.mask = 0x47ff | 1u << 15;
	for (int i = 0; i < 10; i++)
		memset(p->pcrs.values[i].bytes, i + 1, DIGEST_SIZE);
	ima_maker_open(&p->m);
	ima_maker_aggregate(&p->m, &p->pcrs);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	ima_maker_done(&p->m);
	free(p);
	return 0;
}

static int on_found(void *ctx, enum plumb_finding f, const char *text)
{
	struct place *p = ctx;
	size_t used = strlen(p->got);

	p->n_got++;
	p->of[f]++;
	snprintf(p->got + used, sizeof(p->got) - used, "%s\n", text);
	return 0;
}

/* One evidence with any bytes, with the state going through its stored form. */
static int give(struct place *p, uint64_t from, uint64_t end, struct buf_view entries)
{
	const struct appraise_pcr10_in in = {.boot = p->boot,
					     .reset = p->reset,
					     .pcrs = &p->pcrs,
					     .at_boot = p->has_log ? p->at_boot : NULL,
					     .from = from,
					     .end = end,
					     .after_quote = !p->before_quote,
					     .entries = entries,
					     .now_ns = p->now_ns += 30 * S,
					     .found = on_found,
					     .ctx = p};
	struct appraise_pcr10_state again;
	struct buf b = {0};

	assert_int_equal(appraise_pcr10_state_write(&p->state, &b), 0);
	for (size_t cut = 0; cut < b.size; cut += 7)
		assert_int_equal(appraise_pcr10_state_parse(b.data, cut, &again), -EBADMSG);
	assert_int_equal(appraise_pcr10_state_parse(b.data, b.size, &p->state), 0);
	buf_done(&b);
	p->got[0] = 0;
	p->n_got = 0;
	memset(p->of, 0, sizeof(p->of));
	p->why.text[0] = 0;
	return appraise_pcr10(&in, &p->state, &p->why);
}

/* Entries [from, to) as they are, with a quote that was made when there were `quoted`. */
static void evidence(struct place *p, uint32_t from, uint32_t to, uint32_t quoted)
{
	p->pcrs.values[10] = p->m.pcr[quoted];
	assert_int_equal(give(p, from, to, ima_maker_from(&p->m, from, to)), 0);
}

static void good(struct place *p)
{
	if (p->n_got)
		fail_msg("%s", p->got);
}

static void found(struct place *p, enum plumb_finding f, const char *text)
{
	assert_int_equal(p->of[f], 1);
	if (!strstr(p->got, text))
		fail_msg("\"%s\" is not in \"%s\"", text, p->got);
}

static void run(struct place *p, uint32_t n)
{
	char name[32];

	for (uint32_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "/bin/%u", p->m.n);
		ima_maker_file(&p->m, name, (uint8_t)p->m.n, NULL);
	}
}

static void test_in_step(void **state)
{
	struct place *p = *state;

	run(p, 4);
	evidence(p, 0, 5, 5);
	good(p);
	assert_int_equal(p->state.n, 5);
	/* Nothing new. */
	evidence(p, 5, 5, 5);
	good(p);
	run(p, 3);
	evidence(p, 5, 8, 8);
	good(p);
	assert_int_equal(p->state.n, 8);
	assert_int_equal(p->state.confirmed, 8);
	assert_int_equal(appraise_pcr10_wanted(&p->state, p->now_ns), 8);
}

/* The list was read after the quote: what is more comes again. */
static void test_list_ahead(void **state)
{
	struct place *p = *state;

	run(p, 9);
	evidence(p, 0, 10, 6);
	good(p);
	assert_int_equal(p->state.n, 6);
	evidence(p, 6, 10, 9); /* the last is in the list, and was not extended yet */
	good(p);
	assert_int_equal(p->state.n, 9);
	evidence(p, 9, 10, 10);
	good(p);
	/* The answer was lost: the same again, from where that began. */
	run(p, 1);
	evidence(p, 9, 11, 11);
	good(p);
	assert_int_equal(p->state.n, 11);
	/* An agent that began again. */
	evidence(p, 0, 11, 11);
	good(p);
	assert_int_equal(p->state.n, 11);
}

/* An agent of before reads the list before the quote: once it may be behind. */
static void test_list_behind(void **state)
{
	struct place *p = *state;

	p->before_quote = true;
	run(p, 9);
	evidence(p, 0, 8, 10);
	good(p);
	assert_int_equal(p->state.n, 8);
	evidence(p, 8, 10, 10);
	good(p);
	assert_int_equal(p->state.n, 10);
	run(p, 2);
	evidence(p, 10, 10, 11);
	good(p);
	evidence(p, 10, 10, 12);
	found(p, PLUMB_FINDING_IMA_LIST, "none of entries 10 to 10 leads to");
	/* Told once; good again when it is whole. */
	evidence(p, 10, 10, 12);
	good(p);
	evidence(p, 10, 12, 12);
	good(p);
	run(p, 1);
	p->before_quote = false;
	evidence(p, 12, 12, 13);
	found(p, PLUMB_FINDING_IMA_LIST, "or the newest were never sent");
}

/* Whatever an agent does to the entries, from any of them on. */
static void test_lies(void **state)
{
	struct place *p = *state;
	struct appraise_pcr10_state zero = {.n = 0};

	run(p, 7);
	for (uint32_t i = 0; i < 8; i++) {
		struct buf list = {0};
		struct buf_view a = ima_maker_from(&p->m, 0, i), b, c;

		/* One left out. */
		b = ima_maker_from(&p->m, i + 1, 8);
		buf_put(&list, a.data, a.size);
		buf_put(&list, b.data, b.size);
		p->state = zero;
		p->pcrs.values[10] = p->m.pcr[8];
		assert_int_equal(give(p, 0, 7, (struct buf_view){list.data, list.size}), 0);
		assert_non_null(strstr(p->got, "none of entries 0 to 7 leads to"));
		/* One bit of its name. */
		buf_clear(&list);
		b = ima_maker_from(&p->m, 0, 8);
		buf_put(&list, b.data, b.size);
		list.data[p->m.at[i + 1] - 2] ^= 1;
		p->state = zero;
		assert_int_equal(give(p, 0, 8, (struct buf_view){list.data, list.size}), 0);
		assert_non_null(strstr(p->got, "none of entries 0 to 8 leads to"));
		assert_non_null(strstr(p->got, "1 of the entries to 8 bear a template digest"));
		/* One twice. */
		buf_clear(&list);
		b = ima_maker_from(&p->m, i, i + 1);
		c = ima_maker_from(&p->m, i, 8);
		buf_put(&list, a.data, a.size);
		buf_put(&list, b.data, b.size);
		buf_put(&list, c.data, c.size);
		p->state = zero;
		assert_int_equal(give(p, 0, 9, (struct buf_view){list.data, list.size}), 0);
		if (i ==
		    7) { /* behind the last the quoted value was met before it: told when it was never extended */
			good(p);
			assert_int_equal(p->state.n, 8);
		} else {
			assert_non_null(strstr(p->got, "none of entries 0 to 9 leads to"));
		}
		buf_done(&list);
	}
	/* Two change places. */
	for (uint32_t i = 0; i < 7; i++) {
		struct buf list = {0};
		struct buf_view parts[] = {
			ima_maker_from(&p->m, 0, i), ima_maker_from(&p->m, i + 1, i + 2),
			ima_maker_from(&p->m, i, i + 1), ima_maker_from(&p->m, i + 2, 8)};

		for (int k = 0; k < 4; k++)
			buf_put(&list, parts[k].data, parts[k].size);
		p->state = zero;
		assert_int_equal(give(p, 0, 8, (struct buf_view){list.data, list.size}), 0);
		assert_non_null(strstr(p->got, "none of entries 0 to 8 leads to"));
		buf_done(&list);
	}
}

/* Entries that the kernel never made, behind those that it did. */
static void test_added(void **state)
{
	struct place *p = *state;

	run(p, 9);
	evidence(p, 0, 10, 6);
	good(p);
	evidence(p, 6, 10, 6);
	found(p, PLUMB_FINDING_IMA_LIST,
	      "entries 6 to 10 stood in the list, and PCR 10 was never extended with them");
	evidence(p, 6, 10, 6);
	good(p);
	evidence(p, 6, 10, 10);
	good(p);
	evidence(p, 10, 10, 10);
	good(p);
}

static void test_gaps(void **state)
{
	struct place *p = *state;

	run(p, 9);
	evidence(p, 0, 4, 4);
	good(p);
	evidence(p, 6, 10, 10);
	found(p, PLUMB_FINDING_IMA_LIST, "entries 4 to 6 were never sent");
	assert_int_equal(p->state.n, 4);
	assert_int_equal(appraise_pcr10_wanted(&p->state, p->now_ns), 4);
	evidence(p, 4, 10, 10);
	good(p);
	evidence(p, 3, 10, 10);
	found(p, PLUMB_FINDING_IMA_LIST, "anew from 3 on, where no replay stood");
	/* No entries at all, or no PCR 10. */
	p->pcrs.mask &= ~(1u << 10);
	evidence(p, 10, 10, 10);
	found(p, PLUMB_FINDING_IMA_LIST, "10 entries came, and no quote has PCR 10");
}

/* A list that was wrong is asked for from its beginning, later and again, so that it can be right again. */
static void test_again(void **state)
{
	struct place *p = *state;

	run(p, 4);
	evidence(p, 0, 3, 5);
	found(p, PLUMB_FINDING_IMA_LIST, "none of entries 0 to 3");
	assert_int_equal(appraise_pcr10_wanted(&p->state, p->now_ns), 3);
	p->now_ns += 1800 * S;
	evidence(p, 3, 3, 5);
	good(p);
	p->now_ns += 1800 * S;
	assert_int_equal(appraise_pcr10_wanted(&p->state, p->now_ns), 0);
	evidence(p, 0, 4, 5); /* still not */
	good(p);
	assert_int_equal(appraise_pcr10_wanted(&p->state, p->now_ns), 4);
	p->now_ns += 3600 * S;
	evidence(p, 0, 5, 5);
	good(p);
	assert_int_equal(p->state.confirmed, 5);
	p->now_ns += 36000 * S;
	assert_int_equal(appraise_pcr10_wanted(&p->state, p->now_ns), 5);
}

/* More than one evidence takes: not caught up, and nothing wrong; without end it is. */
static void test_pieces(void **state)
{
	struct place *p = *state;
	uint32_t from = 0, to;

	run(p, 6000);
	while (from < p->m.n) {
		for (to = from; to < p->m.n && p->m.at[to + 1] - p->m.at[from] <= WIRE_MAX_IMA;)
			to++;
		p->now_ns -= 29 * S;
		evidence(p, from, to, p->m.n);
		good(p);
		assert_int_equal(p->state.n, to);
		assert_int_equal(p->state.confirmed, to == p->m.n ? to : 0);
		from = to;
	}
	assert_int_equal(p->state.behind_bytes, 0);
	/* A liar sends what leads nowhere, and always more of it. */
	for (uint32_t i = 0; i < 40; i++) {
		p->now_ns += 3600 * S;
		p->pcrs.values[10].bytes[0] ^= 1;
		assert_int_equal(
			give(p, p->state.n, p->state.n + 1500, ima_maker_from(&p->m, 0, 1500)), 0);
		if (i < 15) /* of each gap a minute counts */
			good(p);
		else if (i == 15)
			assert_int_equal(p->of[PLUMB_FINDING_IMA_LIST], 1);
	}
	assert_true(p->state.behind_ns > APPRAISE_PCR10_MAX_BEHIND_NS);
}

static void test_aggregate(void **state)
{
	struct place *p = *state;

	memcpy(p->at_boot, p->pcrs.values, sizeof(p->at_boot));
	p->at_boot[4].bytes[0] ^= 1;
	p->has_log = true;
	p->pcrs.values[4].bytes[0] ^= 1;
	evidence(p, 0, 1, 1);
	assert_false(appraise_pcr10_aggregate_is_unknown(&p->state));
	found(p, PLUMB_FINDING_IMA_LIST,
	      "boot_aggregate is not the digest of the quoted PCR 0 to 9");
	evidence(p, 0, 1, 1);
	good(p);
	memset(&p->state, 0, sizeof(p->state));
	p->pcrs.values[4].bytes[0] ^= 1;
	p->pcrs.mask &= ~(1u << 8);
	evidence(p, 0, 1, 1);
	found(p, PLUMB_FINDING_IMA_LIST, "boot_aggregate could not be checked: PCR 0 to 9");
	p->pcrs.mask |= 1u << 8;
	memset(&p->state, 0, sizeof(p->state));
	ima_maker_done(&p->m);
	ima_maker_open(&p->m);
	run(p, 2);
	evidence(p, 0, 2, 2);
	found(p, PLUMB_FINDING_IMA_LIST, "the first entry is not boot_aggregate");
}

/* systemd goes on extending what the kernel found: then the boot log says what that was, and without one nobody knows. */
static void test_aggregate_of_before(void **state)
{
	struct place *p = *state;

	memcpy(p->at_boot, p->pcrs.values, sizeof(p->at_boot));
	p->pcrs.values[7].bytes[0] ^= 1;
	p->has_log = true;
	evidence(p, 0, 1, 1);
	good(p);
	assert_false(appraise_pcr10_aggregate_is_unknown(&p->state));
	memset(&p->state, 0, sizeof(p->state));
	p->has_log = false;
	evidence(p, 0, 1, 1);
	good(p);
	assert_true(appraise_pcr10_aggregate_is_unknown(&p->state));
	/* What was never extended is what it was. */
	memset(&p->state, 0, sizeof(p->state));
	memset(p->pcrs.values, 0, 10 * sizeof(p->pcrs.values[0]));
	evidence(p, 0, 1, 1);
	found(p, PLUMB_FINDING_IMA_LIST, "boot_aggregate is not the digest");
	assert_false(appraise_pcr10_aggregate_is_unknown(&p->state));
}

static void test_old_bank(void **state)
{
	struct place *p = *state;
	struct buf data = {0}, field = {0};

	ima_maker_done(&p->m);
	ima_maker_open(&p->m);
	buf_put(&field, "sha1:", 6);
	buf_put(&field, p->pcrs.values[3].bytes, 20);
	ima_maker_field(&data, field.data, field.size);
	ima_maker_field(&data, "boot_aggregate", 15);
	ima_maker_raw(&p->m, 10, "ima-ng", data.data, data.size, false);
	evidence(p, 0, 1, 1);
	found(p, PLUMB_FINDING_IMA_LIST, "boot_aggregate is not of the SHA-256 bank");
	buf_done(&data);
	buf_done(&field);
}

static void test_what_is_reported(void **state)
{
	struct place *p = *state;

	run(p, 1);
	ima_maker_violation(&p->m, "/var/log/\xff");
	ima_maker_violation(&p->m, "/var/log/b");
	evidence(p, 0, 4, 4);
	found(p, PLUMB_FINDING_IMA_VIOLATION,
	      "2 of the entries to 4 are violations: a file was written while IMA measured it; the "
	      "first is /var/log/?\n");
	assert_int_equal(p->n_got, 1);
	ima_maker_raw(&p->m, 10, "d-ng|zz", "x", 1, false);
	evidence(p, 4, 5, 5);
	found(p, PLUMB_FINDING_IMA_LIST, "have a template that is not known");
	/* It counts in the PCR all the same. */
	assert_int_equal(p->state.confirmed, 5);
	ima_maker_raw(&p->m, 11, "d-ng|zz", "x", 1, false);
	run(p, 1);
	evidence(p, 5, 7, 7);
	found(p, PLUMB_FINDING_IMA_LIST, "1 of the entries to 7 are of another PCR than 10");
	assert_int_equal(p->state.confirmed, 7);
	/* What no quote has yet is not told yet. */
	ima_maker_violation(&p->m, "/var/log/c");
	evidence(p, 7, 8, 7);
	good(p);
	evidence(p, 7, 8, 8);
	assert_int_equal(p->of[PLUMB_FINDING_IMA_VIOLATION], 1);
}

/*
 * The register has an entry's data and not its template's name; which names hide something, imalog's test has. Whoever settled the case of one
 * has not looked at the next. A list of fields that are known is none, whatever machine it was made for.
 */
static void test_misnamed(void **state)
{
	static const char hides[] = "bear the name of a template that their",
			  unseen[] = "is not known, and hold a digest or a signature";
	static const struct {
		const char *name, *told; /* NULL: nothing is */
	} of[] = {{"ima-ng", NULL}, {"evmsig|n-ng", hides}, {"evmsig|n-ng", hides},
		  {"zz", unseen},   {"zz", unseen},	    {"d-ng|zz", unseen}};
	uint8_t digest[8 + 32] = "sha256:";
	struct place *p = *state;
	struct buf data = {0};

	ima_maker_field(&data, digest, sizeof(digest));
	ima_maker_field(&data, "/bin/x", 7);
	for (uint32_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		ima_maker_raw(&p->m, 10, of[i].name, data.data, data.size, false);
		evidence(p, i ? i + 1 : 0, i + 2, i + 2);
		if (of[i].told)
			found(p, PLUMB_FINDING_IMA_LIST, of[i].told);
		else
			good(p);
		evidence(p, i + 2, i + 2, i + 2);
		good(p);
	}
	ima_maker_field(&data, "\0\0\0\0", 4);
	ima_maker_raw(&p->m, 10, "d-ng|n-ng|iuid", data.data, data.size, false);
	evidence(p, 7, 8, 8);
	good(p);
	buf_done(&data);
}

static void test_none(void **state)
{
	struct place *p = *state;

	/* No list, and nothing in the register. */
	assert_int_equal(give(p, 0, 0, (struct buf_view){NULL, 0}), 0);
	good(p);
	assert_int_equal(p->state.flags, 0);
	/* But with something in it. */
	p->pcrs.values[10].bytes[0] = 1;
	assert_int_equal(give(p, 0, 0, (struct buf_view){NULL, 0}), 0);
	found(p, PLUMB_FINDING_IMA_LIST, "PCR 10 was extended, and no list of IMA's came");
	assert_int_equal(give(p, 0, 0, (struct buf_view){NULL, 0}), 0);
	good(p);
	/* A list that this TPM has nothing of: IMA began before its driver. Alone, the first entry is nothing that anybody asked for. */
	memset(&p->state, 0, sizeof(p->state));
	evidence(p, 0, 1, 0);
	good(p);
	run(p, 2);
	evidence(p, 1, 3, 0);
	found(p, PLUMB_FINDING_IMA_LIST, "3 entries, and PCR 10 was extended with none");
	assert_int_equal(p->state.n, 3);
	evidence(p, 3, 3, 0);
	good(p);
	p->pcrs.values[10].bytes[0] = 1;
	assert_int_equal(give(p, 3, 3, (struct buf_view){NULL, 0}), 0);
	found(p, PLUMB_FINDING_IMA_LIST, "leads to the PCR 10 that was quoted");
}

static void test_boots(void **state)
{
	struct place *p = *state;
	struct digest old;

	run(p, 5);
	evidence(p, 0, 6, 6);
	good(p);
	old = p->m.pcr[6];
	/* A reboot. */
	ima_maker_done(&p->m);
	ima_maker_open(&p->m);
	ima_maker_aggregate(&p->m, &p->pcrs);
	run(p, 1);
	p->boot = "00000000-e01e-4ed0-93cb-22bb8f5acdc3";
	p->reset++;
	evidence(p, 0, 2, 2);
	good(p);
	/* kexec: the list begins anew, and the register goes on. */
	ima_maker_done(&p->m);
	ima_maker_open(&p->m);
	p->m.pcr[0] = old;
	ima_maker_aggregate(&p->m, &p->pcrs);
	p->boot = "11111111-e01e-4ed0-93cb-22bb8f5acdc3";
	evidence(p, 0, 1, 1);
	found(p, PLUMB_FINDING_IMA_LIST, "as after kexec: the list of the kernel before is gone");
	/* Hibernation: the kernel goes on, and the register began anew. */
	p->reset++;
	memset(&p->state.pcr, 0, sizeof(p->state.pcr));
	memset(&p->state, 0, sizeof(p->state));
	ima_maker_done(&p->m);
	ima_maker_open(&p->m);
	ima_maker_aggregate(&p->m, &p->pcrs);
	evidence(p, 0, 1, 1);
	good(p);
	p->reset++;
	memset(&p->m.pcr[1], 0, DIGEST_SIZE);
	run(p, 1);
	evidence(p, 1, 2, 2);
	found(p, PLUMB_FINDING_IMA_LIST, "as after hibernation");
}

static void test_refused(void **state)
{
	struct place *p = *state;

	run(p, 3);
	p->pcrs.values[10] = p->m.pcr[4];
	assert_int_equal(give(p, 0, 5, ima_maker_from(&p->m, 0, 4)), -EBADMSG);
	assert_non_null(strstr(p->why.text, "not the entries from 0 to 5"));
	assert_int_equal(give(p, 0, 3, ima_maker_from(&p->m, 0, 4)), -EBADMSG);
	assert_int_equal(give(p, 0, 4, (struct buf_view){p->m.list.data, p->m.list.size - 1}),
			 -EBADMSG);
	assert_non_null(strstr(p->why.text, "cut short"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_in_step),	TEST(test_list_ahead),
		TEST(test_list_behind), TEST(test_lies),
		TEST(test_added),	TEST(test_gaps),
		TEST(test_again),	TEST(test_pieces),
		TEST(test_aggregate),	TEST(test_aggregate_of_before),
		TEST(test_old_bank),	TEST(test_misnamed),
		TEST(test_none),	TEST(test_what_is_reported),
		TEST(test_boots),	TEST(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
