/* SPDX-License-Identifier: Apache-2.0 */
/*
 * boot_files.h: logs of a node's boots in the store, by digest, so that months later its quotes can be held against them (docs/ledger.md).
 * In: logs that the quoted registers agreed with, inside the caller's transaction. Out: each of them, oldest first. Beyond the bounds the oldest of their kind go.
 */
#ifndef PLUMB_BOOT_FILES_H
#define PLUMB_BOOT_FILES_H

#include "digest.h"
#include "store.h"

#define BOOT_FILES_MAX 32u		/* of each kind, of one incarnation */
#define BOOT_FILES_MAX_BYTES (16u << 20)	/* of each kind */

enum boot_file { BOOT_FILE_LOG = 1, BOOT_FILE_MEASURED = 2 };	/* firmware's; what systemd measured since */

/* One that is there already is not kept twice. */
int boot_files_keep(const struct store *s, const char *node, uint64_t incarnation, enum boot_file what, const void *data, size_t size);
/* fn returns 0 to go on. */
int boot_files_each(const struct store *s, const char *node, uint64_t incarnation,
		    int (*fn)(void *ctx, enum boot_file what, const void *data, size_t size), void *ctx);

#endif
