/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anchors.h: the anchor records of a running agent, and what the PCR must hold by them. In: heads, values of the register, rulings of epoch.
 * Out: synced records; the fold. After each call the state is what recovery would find in the file; after a failed one nothing has
 * changed, and the call is simply made again. Knows no TPM. One thread.
 */
#ifndef PLUMB_ANCHORS_H
#define PLUMB_ANCHORS_H

#include "epoch.h"
#include "ledger_write.h"

struct anchors {
	struct ledger *ledger;		/* borrowed */
	struct ledger_recovery st;	/* as ledger_open() would tell it now */
	struct checkpoint pending;	/* with st.has_pending: extend record written, done record not */
	struct checkpoint head;		/* newest anchored; size 0: none in this epoch by this agent */
};

/* -EBADMSG: what was extended is not in the ledger: lines were cut or replaced, and to go on would be a fork. */
int anchors_open(struct ledger *l, const struct ledger_recovery *found, struct anchors *ret, struct why *ret_why);
int anchors_extend(struct anchors *a);	/* the ledger's head, whose lines are synced, becomes pending; its extend record is synced */
int anchors_done(struct anchors *a);	/* the PCR holds st.fold_pending */
/*
 * Writes what a ruling asks for: done, foreign, epoch (force_epoch: also when nothing is new). Takes from *rule what is written, so
 * that a second try goes on where the first one failed.
 */
int anchors_carry_out(struct anchors *a, const struct epoch_seen *now, struct epoch_ruling *rule, bool force_epoch);
uint64_t anchors_waiting(const struct anchors *a);	/* lines appended and not anchored */

#endif
