/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot_files.h: where snapshots are kept: <state>/snapshots/<line, 20 digits>.json, by the number of the ledger's line that has their digest.
 * In: bytes. Out: a synced file; the oldest go beyond SNAPSHOT_FILES_KEPT.
 */
#ifndef PLUMB_SNAPSHOT_FILES_H
#define PLUMB_SNAPSHOT_FILES_H

#include "digest.h"
#include "fsio.h"

#define SNAPSHOT_FILES_DIR "snapshots"
#define SNAPSHOT_FILES_KEPT 8u
#define SNAPSHOT_FILES_NAME 32

/* ret_name: below SNAPSHOT_FILES_DIR. */
int snapshot_files_keep(const struct fsio *io, const char *state_dir, uint64_t line, const struct buf *b, char ret_name[SNAPSHOT_FILES_NAME],
			struct digest *ret);

#endif
