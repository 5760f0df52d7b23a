/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_replay.h: replays the runtime PCR from the bytes of `anchors`. Pure.
 * In: foreign bytes, the ledger's origin. Out: every extend, and the PCR's value after each that was done; what does not fit is told.
 */
#ifndef PLUMB_LEDGER_REPLAY_H
#define PLUMB_LEDGER_REPLAY_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "digest.h"
#include "ledger_epochs.h"

#define LEDGER_REPLAY_MAX 4000000u	/* extends; beyond it -E2BIG */

struct ledger_replay_extend {
	uint64_t size;
	struct digest root;
	struct digest pcr;		/* after it, when done */
	bool done;
	bool current;			/* since the PCR's last reset */
	uint8_t pcr_index;
	uint32_t reset_count, restart_count;	/* of the epoch in which it was done */
	uint32_t last_restart;		/* of the last epoch that went on from pcr: a suspend leaves it as it is */
};

struct ledger_replay {
	struct ledger_replay_extend *extends;	/* in the order of time */
	uint32_t n_extends;
	uint64_t n_epochs, n_foreign;
	struct ledger_epochs epochs;	/* in the order of time */
	uint64_t anchored_size;		/* of the newest done extend that is current */
};

/* bad: a defect. Else something that keeps the replay from proving what came before it. */
typedef void (*ledger_replay_tell_fn)(void *ctx, bool bad, const char *text);

/* 1: a log explains what an epoch found in the register (measurelog.h). NULL: nothing is explained. */
typedef int (*ledger_replay_explain_fn)(void *ctx, uint8_t pcr_index, const struct digest *found);

int ledger_replay(const void *data, size_t size, const char *origin, ledger_replay_tell_fn tell,
		  ledger_replay_explain_fn explain, void *ctx, struct ledger_replay *ret);
void ledger_replay_done(struct ledger_replay *r);

#endif
