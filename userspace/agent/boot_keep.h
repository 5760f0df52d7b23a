/* SPDX-License-Identifier: Apache-2.0 */
/*
 * boot_keep.h: keeps the logs of this boot beside the ledger, by their digest (docs/ledger.md), so that its quotes can be held against them when
 * the machine is long gone. In: bytes of a log. Out: a file, synced; the oldest of its kind go beyond the bounds of ledger_boot.h. Blocks.
 */
#ifndef PLUMB_BOOT_KEEP_H
#define PLUMB_BOOT_KEEP_H

#include "ledger_boot.h"

/* 0, also for no bytes; -EFBIG: more than the bound. */
int boot_keep(const struct fsio *io, const char *ledger_dir, enum ledger_boot_file what, const struct buf *data);

#endif
