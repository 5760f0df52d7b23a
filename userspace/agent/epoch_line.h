/* SPDX-License-Identifier: Apache-2.0 */
/*
 * epoch_line.h: what happened to the register, as members of an `epoch` line (docs/ledger.md). In: what was seen, and the ruling. Out: text. Pure.
 */
#ifndef PLUMB_EPOCH_LINE_H
#define PLUMB_EPOCH_LINE_H

#include "epoch.h"

int epoch_line_members(const struct epoch_seen *now, const struct epoch_ruling *rule, struct buf *ret);	/* appends */

#endif
