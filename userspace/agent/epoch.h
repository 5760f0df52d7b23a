/* SPDX-License-Identifier: Apache-2.0 */
/*
 * epoch.h: what happened between the last anchor record and now: the one table of legal moves of (boot id, counts, PCR).
 * In: what the anchors say, and what the TPM says now. Out: the move's name, what explains the PCR's value, and what becomes of a batch
 * that was pending. Pure: the same table serves the start and a surprise in the register while running.
 */
#ifndef PLUMB_EPOCH_H
#define PLUMB_EPOCH_H

#include <stdbool.h>
#include <stdint.h>
#include "ledger_write.h"

enum epoch_move {
	EPOCH_FIRST = 1,	/* "first": no epoch record yet */
	EPOCH_SAME,		/* "same": the agent restarted, or looked again */
	EPOCH_KEXEC,		/* "kexec": another boot id, the TPM went on */
	EPOCH_SUSPEND,		/* "suspend": restart count up, PCR kept */
	EPOCH_HIBERNATE,	/* "hibernate": the boot id was kept, the PCR was reset */
	EPOCH_REBOOT,		/* "reboot" */
	EPOCH_CLEARED,		/* "cleared": the reset count fell */
	EPOCH_OTHER,		/* "other": none that is known */
};

/* Rules of recovery (docs/design.md, write-ahead). A pending batch is never dropped and never replaced by other lines. */
enum epoch_pending {
	EPOCH_PENDING_NONE = 0,	/* nothing was pending, and nothing is asked for */
	EPOCH_PENDING_DONE,	/* it was extended: only its done record is missing */
	EPOCH_PENDING_EXTEND,	/* it was not: extend it now, as it stands */
	EPOCH_PENDING_HEAD,	/* cannot be told: keep the lines and extend the head anew */
};

struct epoch_seen {
	uint8_t boot_id[16];
	uint32_t reset_count, restart_count;
	uint8_t pcr_index;
	struct digest pcr;
	bool explained;			/* systemd's measurement log leads from an empty register to pcr, each digest made anew */
	struct digest measure_log;	/* of that log; zero: none */
	char unexplained[160];		/* why it does not; "": there is no log, or nothing to explain */
};

struct epoch_ruling {
	enum epoch_move move;
	enum ledger_base base;
	enum epoch_pending pending;
	bool is_new;		/* counts, boot id or register are others than in the last epoch record */
	bool foreign;		/* within unchanged counts somebody else extended: a foreign record is due */
	struct digest expected;	/* with foreign: what the PCR should have been */
	struct digest fold;	/* from here the fold goes on */
};

void epoch_rule(const struct ledger_recovery *known, const struct epoch_seen *now, struct epoch_ruling *ret);
const char *epoch_move_name(enum epoch_move m);		/* static */
const char *epoch_base_name(enum ledger_base b);	/* static */

#endif
