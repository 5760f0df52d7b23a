/* SPDX-License-Identifier: Apache-2.0 */
#include "epoch.h"

#include <string.h>

#include "cleanup.h"

/* How a count stands to that of the last epoch record. */
enum { SAME = 1, UP = 2, DOWN = 4, ANY = 7 };
/* What the PCR holds. A fold that is still zero is both. */
enum { ZERO = 1, FOLD = 2, PENDING = 4, ELSE = 8, WHATEVER = 15 };
enum { BOOT_SAME = 1, BOOT_OTHER = 2, BOOT_ANY = 3 };

#define AS_IT_WAS EPOCH_PENDING_EXTEND /* when something is pending */

struct row {
	uint8_t reset, restart, boot, pcr;
	uint8_t move, base, pending;
	bool foreign;
};

/*
 * The first row that fits. Resume and restart cannot be told apart by replay: whatever the row, changed counts make an unanchored
 * interval at the verifier. A reset count that rose never lets the fold go on, also when the register looks the same (a replayed log).
 */
static const struct row rows[] = {
	{SAME, SAME, BOOT_SAME, FOLD, EPOCH_SAME, LEDGER_BASE_CONTINUES, AS_IT_WAS, false},
	{SAME, SAME, BOOT_SAME, PENDING, EPOCH_SAME, LEDGER_BASE_CONTINUES, EPOCH_PENDING_DONE,
	 false},
	{SAME, SAME, BOOT_SAME, WHATEVER, EPOCH_SAME, LEDGER_BASE_CONTINUES, EPOCH_PENDING_HEAD,
	 true},
	{SAME, SAME, BOOT_OTHER, FOLD, EPOCH_KEXEC, LEDGER_BASE_CONTINUES, AS_IT_WAS, false},
	{SAME, SAME, BOOT_OTHER, PENDING, EPOCH_KEXEC, LEDGER_BASE_CONTINUES, EPOCH_PENDING_DONE,
	 false},
	{SAME, SAME, BOOT_OTHER, WHATEVER, EPOCH_KEXEC, LEDGER_BASE_CONTINUES, EPOCH_PENDING_HEAD,
	 true},
	{SAME, UP, BOOT_SAME, FOLD, EPOCH_SUSPEND, LEDGER_BASE_CONTINUES, AS_IT_WAS, false},
	{SAME, UP, BOOT_SAME, PENDING, EPOCH_SUSPEND, LEDGER_BASE_CONTINUES, EPOCH_PENDING_DONE,
	 false},
	{SAME | UP, ANY, BOOT_SAME, ZERO, EPOCH_HIBERNATE, LEDGER_BASE_ZERO, EPOCH_PENDING_HEAD,
	 false},
	{SAME | UP, ANY, BOOT_OTHER, ZERO, EPOCH_REBOOT, LEDGER_BASE_ZERO, EPOCH_PENDING_HEAD,
	 false},
	{UP, ANY, BOOT_SAME, WHATEVER, EPOCH_HIBERNATE, LEDGER_BASE_UNPROVEN, EPOCH_PENDING_HEAD,
	 false},
	{UP, ANY, BOOT_OTHER, WHATEVER, EPOCH_REBOOT, LEDGER_BASE_UNPROVEN, EPOCH_PENDING_HEAD,
	 false},
	{DOWN, ANY, BOOT_ANY, ZERO, EPOCH_CLEARED, LEDGER_BASE_ZERO, EPOCH_PENDING_HEAD, false},
	{DOWN, ANY, BOOT_ANY, WHATEVER, EPOCH_CLEARED, LEDGER_BASE_UNPROVEN, EPOCH_PENDING_HEAD,
	 false},
	{ANY, ANY, BOOT_ANY, WHATEVER, EPOCH_OTHER, LEDGER_BASE_UNPROVEN, EPOCH_PENDING_HEAD,
	 false},
};

static uint8_t compare(uint32_t before, uint32_t now)
{
	return now == before ? SAME : now > before ? UP : DOWN;
}

static bool is_zero(const struct digest *d)
{
	static const struct digest zero;

	return digest_equal(d, &zero);
}

static uint8_t pcr_state(const struct ledger_recovery *known, const struct digest *pcr)
{
	uint8_t s = 0;

	if (is_zero(pcr))
		s |= ZERO;
	if (digest_equal(pcr, &known->fold))
		s |= FOLD;
	if (known->has_pending && digest_equal(pcr, &known->fold_pending))
		s |= PENDING;
	return s ? s : ELSE;
}

/* What was in the register before the agent came: nothing proves it, but that a log explains it. */
static enum ledger_base found_there(const struct epoch_seen *now)
{
	return now->explained ? LEDGER_BASE_LOG : LEDGER_BASE_UNPROVEN;
}

/* Nothing is known of this register: zero needs no explanation. */
static void rule_unknown(enum epoch_move move, const struct epoch_seen *now,
			 struct epoch_ruling *ret)
{
	*ret = (struct epoch_ruling){
		.move = move,
		.base = is_zero(&now->pcr) ? LEDGER_BASE_ZERO : found_there(now),
		.pending = EPOCH_PENDING_HEAD,
		.is_new = true,
		.fold = now->pcr,
	};
}

void epoch_rule(const struct ledger_recovery *known, const struct epoch_seen *now,
		struct epoch_ruling *ret)
{
	uint8_t reset, restart, boot, pcr;
	const struct row *row = rows;
	enum ledger_base base;

	if (!known->has_epoch) {
		rule_unknown(EPOCH_FIRST, now, ret);
		return;
	}
	if (known->epoch.epoch.pcr_index != now->pcr_index) {
		rule_unknown(EPOCH_OTHER, now, ret);
		return;
	}
	reset = compare(known->epoch.epoch.reset_count, now->reset_count);
	restart = compare(known->epoch.epoch.restart_count, now->restart_count);
	boot = memcmp(known->epoch.epoch.boot_id, now->boot_id, 16) == 0 ? BOOT_SAME : BOOT_OTHER;
	pcr = pcr_state(known, &now->pcr);
	/* The last row takes everything. */
	while (!((row->reset & reset) && (row->restart & restart) && (row->boot & boot) &&
		 (row->pcr & pcr)))
		row++;
	base = row->base;
	/* Another boot: a log of it says what came before the agent. Within one the anchors say it, and a log is no excuse. */
	if (base == LEDGER_BASE_UNPROVEN &&
	    (row->move == EPOCH_REBOOT || row->move == EPOCH_CLEARED) && boot == BOOT_OTHER)
		base = found_there(now);
	*ret = (struct epoch_ruling){
		.move = row->move,
		.base = base,
		.pending = row->pending == AS_IT_WAS && !known->has_pending ? EPOCH_PENDING_NONE
									    : row->pending,
		.is_new = reset != SAME || restart != SAME || boot != BOOT_SAME,
		.foreign = row->foreign,
		.expected = known->has_pending ? known->fold_pending : known->fold,
		.fold = now->pcr,
	};
}

const char *epoch_move_name(enum epoch_move m)
{
	static const char *const names[] = {
		[EPOCH_FIRST] = "first",	 [EPOCH_SAME] = "same",
		[EPOCH_KEXEC] = "kexec",	 [EPOCH_SUSPEND] = "suspend",
		[EPOCH_HIBERNATE] = "hibernate", [EPOCH_REBOOT] = "reboot",
		[EPOCH_CLEARED] = "cleared",	 [EPOCH_OTHER] = "other"};

	return (unsigned int)m < ARRAY_SIZE(names) && names[m] ? names[m] : "?";
}

const char *epoch_base_name(enum ledger_base b)
{
	static const char *const names[] = {[LEDGER_BASE_ZERO] = "zero",
					    [LEDGER_BASE_CONTINUES] = "continues",
					    [LEDGER_BASE_LOG] = "log",
					    [LEDGER_BASE_UNPROVEN] = "unproven"};

	return (unsigned int)b < ARRAY_SIZE(names) && names[b] ? names[b] : "?";
}
