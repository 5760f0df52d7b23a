/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_epochs.h: in which order kernels ran, and under which reset count, by the epochs in `anchors`: those stay when lines are pruned and whatever part
 * of a ledger is cut out. In: epochs in the order of time, said by the node alone. Out: whether a kernel began, or went on, without a reset of the TPM.
 */
#ifndef PLUMB_LEDGER_EPOCHS_H
#define PLUMB_LEDGER_EPOCHS_H

#include <stdbool.h>
#include <stdint.h>

#define LEDGER_EPOCHS_MAX 4000000u	/* changes of boot or reset count; beyond it -E2BIG */

struct ledger_epochs_one {
	uint8_t boot_id[16];
	uint32_t reset_count;
};
struct ledger_epochs {			/* zero-initialise */
	struct ledger_epochs_one *all;	/* the same twice in a row is one */
	uint32_t n;
};

int ledger_epochs_add(struct ledger_epochs *e, const uint8_t boot_id[16], uint32_t reset_count);
/* boot: 32 hex digits. The kernel before it ran under the same reset count (kexec), or it has two (resumed from a disk). */
bool ledger_epochs_moved(const struct ledger_epochs *e, const char *boot);
void ledger_epochs_done(struct ledger_epochs *e);

#endif
