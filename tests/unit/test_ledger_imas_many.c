/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ledger_imas_many.c: more lists of IMA than are told apart: the newest, which an agent keeps, are those that are looked at; what is there and was
 * not looked at is counted, what is gone takes nothing away.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "imas_fixture.h"

#define N 6u /* entries of each list */
#define FIRST_LINE 10u /* the first boot's quote; each boot has a quote and then a seal */
#define LAST_SEAL (FIRST_LINE + 1 + 2 * LEDGER_IMAS_MAX)

static void measure(struct ima_maker *ima, const char *name)
{
	for (uint8_t i = 0; i < N; i++)
		ima_maker_file(ima, name, i, NULL);
}

/* Boot n, with a list of its own. */
static void boot(struct imas_fixture *p, uint8_t n, uint32_t reset)
{
	const uint8_t id[16] = {n, 0x11};
	struct ledger_ima_seal s = {.entries = N, .bytes = p->ima.list.size};
	uint64_t line = FIRST_LINE + 2u * n;
	char text[40];

	snprintf(text, sizeof(text), "%02x110000-0000-0000-0000-000000000000", n);
	assert_int_equal(ledger_ima_name(line, id, p->list), 0);
	imas_fixture_put(p, p->list, p->ima.list.data, p->ima.list.size);
	imas_fixture_quote(p, line, text, reset, &p->ima.pcr[N], N);
	memcpy(s.list, p->list, sizeof(s.list));
	assert_int_equal(digest_sha256(p->ima.list.data, p->ima.list.size, &s.sha256), 0);
	imas_fixture_seal(p, line + 1, text, &s);
}

static int set_up(void **state)
{
	imas_fixture_make(state);
	measure(&((struct imas_fixture *)*state)->ima, "/usr/bin/true");
	return 0;
}

/* The table is full, and the newest boot is the last in it. */
static const struct ledger_imas_one *finish(struct imas_fixture *p, enum ledger_boot_result want,
					    const char *why)
{
	const struct ledger_imas_one *o = &p->m.lists[LEDGER_IMAS_MAX - 1];

	p->m.n = 0;
	p->m.more = p->m.unread = 0;
	assert_int_equal(ledger_imas_finish(&p->m, &p->why), 0);
	assert_int_equal(p->m.n, LEDGER_IMAS_MAX);
	assert_int_equal(p->m.more, 1);
	imas_fixture_expect(o, want, why);
	assert_int_equal(o->first_line, LAST_SEAL - 1);
	return o;
}

static void the_newest_are_read(void **state)
{
	struct imas_fixture *p = *state;
	const struct ledger_imas_one *o;

	for (uint8_t i = 0; i <= LEDGER_IMAS_MAX; i++)
		boot(p, i, i);
	o = finish(p, LEDGER_BOOT_GOOD, "");
	assert_string_equal(o->list, p->list);
	assert_int_equal(o->proven, N);
	assert_int_equal(p->m.lists[0].first_line, FIRST_LINE + 2);
	assert_int_equal(p->m.unread, 1);
	scratch_run(p->dir, "rm ima/00000000000000000010-*");
	imas_fixture_put(p, p->list, p->ima.list.data, p->ima.at[N - 1]);
	o = finish(p, LEDGER_BOOT_BAD, "sealed 6 entries, and 5 are there: it was cut");
	assert_int_equal(o->at_line, LAST_SEAL);
	assert_int_equal(p->m.unread, 0);
}

/* Its lines were pruned, or are in another part. */
static void where_no_line_sealed_them_it_is_the_same(void **state)
{
	struct imas_fixture *p = *state;

	for (uint8_t i = 0; i <= LEDGER_IMAS_MAX; i++)
		boot(p, i, i);
	p->m.n_seals = 0;
	assert_string_equal(finish(p, LEDGER_BOOT_GOOD, "")->list, p->list);
	assert_int_equal(p->m.lists[0].first_line, FIRST_LINE + 2);
	assert_int_equal(p->m.unread, 1);
	scratch_run(p->dir, "rm ima/*");
	finish(p, LEDGER_BOOT_UNPROVEN, "no list was kept");
	assert_int_equal(p->m.unread, 0);
	/* What lies there instead cannot be listed: nobody knows what there is. */
	scratch_run(p->dir, "for i in $(seq 1100 2199); do "
			    ": >ima/0000000000000000$i-ff110000000000000000000000000000.list; "
			    "done");
	finish(p, LEDGER_BOOT_UNPROVEN, "no list was kept");
	assert_int_equal(p->m.unread, LEDGER_IMAS_MAX + 1);
}

/* The list before has no room, and the register went on from it all the same. */
static void kexec_from_one_without_room_is_not_bad(void **state)
{
	struct imas_fixture *p = *state;

	boot(p, 0, 1);
	ima_maker_done(&p->ima);
	ima_maker_open(&p->ima);
	p->ima.pcr[0] = p->m.quotes[0].pcr;
	measure(&p->ima, "/usr/bin/next");
	boot(p, 1, 1);
	for (uint8_t i = 2; i <= LEDGER_IMAS_MAX; i++)
		boot(p, i, 1);
	p->m.quotes[LEDGER_IMAS_MAX].reset_count = 2;
	finish(p, LEDGER_BOOT_BAD, "none of its 6 entries leads to");
	assert_int_equal(p->m.lists[0].first_line, FIRST_LINE + 2);
	assert_int_equal(p->m.lists[0].result, LEDGER_BOOT_UNPROVEN);
	assert_non_null(strstr(p->m.lists[0].why, "was started by kexec"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, imas_fixture_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_newest_are_read),
		T(where_no_line_sealed_them_it_is_the_same),
		T(kexec_from_one_without_room_is_not_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
