/* SPDX-License-Identifier: Apache-2.0 */
/* test_epoch.c: a log explains a register only where another boot, or the first start, may have left something in it; test_commit has the moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "epoch_line.h"

/* What was recorded, and what is seen now: `boot`, `reset` and the register as given; a log explains it. */
static struct epoch_ruling rule(bool known, uint8_t boot, uint32_t reset, uint8_t pcr)
{
	struct ledger_recovery before = {.has_epoch = known, .fold = {{7}}};
	const struct epoch_seen now = {.boot_id = {boot},
				       .reset_count = reset,
				       .pcr_index = 15,
				       .pcr = {{pcr}},
				       .explained = true};
	struct epoch_ruling r;

	before.epoch.epoch.boot_id[0] = 1;
	before.epoch.epoch.reset_count = 5;
	before.epoch.epoch.pcr_index = 15;
	epoch_rule(&before, &now, &r);
	return r;
}

static void a_log_explains_what_came_before_the_agent(void **state)
{
	static const struct {
		bool known;
		uint8_t boot;
		uint32_t reset;
		uint8_t pcr;
		enum epoch_move move;
		enum ledger_base base;
		bool foreign;
	} rows[] = {
		{false, 1, 5, 3, EPOCH_FIRST, LEDGER_BASE_LOG, false},
		{false, 1, 5, 0, EPOCH_FIRST, LEDGER_BASE_ZERO, false},
		{true, 2, 6, 3, EPOCH_REBOOT, LEDGER_BASE_LOG, false},
		{true, 2, 6, 7, EPOCH_REBOOT, LEDGER_BASE_LOG, false},
		{true, 2, 6, 0, EPOCH_REBOOT, LEDGER_BASE_ZERO, false},
		{true, 2, 4, 3, EPOCH_CLEARED, LEDGER_BASE_LOG, false},
		/* Of the same boot the anchors say what came before. */
		{true, 1, 5, 3, EPOCH_SAME, LEDGER_BASE_CONTINUES, true},
		{true, 2, 5, 3, EPOCH_KEXEC, LEDGER_BASE_CONTINUES, true},
		{true, 1, 6, 3, EPOCH_HIBERNATE, LEDGER_BASE_UNPROVEN, false},
		{true, 1, 4, 3, EPOCH_CLEARED, LEDGER_BASE_UNPROVEN, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct epoch_ruling r =
			rule(rows[i].known, rows[i].boot, rows[i].reset, rows[i].pcr);

		assert_int_equal(r.move, rows[i].move);
		assert_int_equal(r.base, rows[i].base);
		assert_int_equal(r.foreign, rows[i].foreign);
	}
}

static void the_line_says_which_log_or_why_not(void **state)
{
	struct epoch_seen now = {.measure_log = {{0xab}},
				 .unexplained = "record 2 is of a \"key\""};
	struct epoch_ruling r = {.move = EPOCH_FIRST, .base = LEDGER_BASE_LOG};
	struct buf b = {0};

	(void)state;
	assert_int_equal(epoch_line_members(&now, &r, &b), 0);
	assert_non_null(strstr((char *)b.data, "\"base\":\"log\",\"measure_log\":\"ab00"));
	assert_null(strstr((char *)b.data, "base_why"));
	buf_clear(&b);
	r.base = LEDGER_BASE_UNPROVEN;
	assert_int_equal(epoch_line_members(&now, &r, &b), 0);
	assert_non_null(
		strstr((char *)b.data,
		       "\"base\":\"unproven\",\"base_why\":\"record 2 is of a \\\"key\\\"\""));
	buf_clear(&b);
	r.base = LEDGER_BASE_ZERO;
	assert_int_equal(epoch_line_members(&now, &r, &b), 0);
	assert_non_null(strstr((char *)b.data, "\"base\":\"zero\",\"pcr_index\""));
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_log_explains_what_came_before_the_agent),
		cmocka_unit_test(the_line_says_which_log_or_why_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
