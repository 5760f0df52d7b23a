/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_zst.h: the door to zstd: closed segments are compressed a little at a time, and read again as a bounded stream.
 * In: a segment's file. Out: the same with .zst, synced, then the plain one goes; or its bytes. A crash between leaves both: the
 * plain one counts.
 */
#ifndef PLUMB_LEDGER_ZST_H
#define PLUMB_LEDGER_ZST_H

#include <stddef.h>
#include <stdint.h>
#include "fsio.h"

#define LEDGER_ZST_MAX (1ull << 30)	/* bytes of a segment, unpacked; beyond it reading ends with -EFBIG */

struct ledger_zst_job;

/* path: of the plain segment. Writes PATH.zst.new, which takes the place of PATH.zst when it is whole and on disk. */
int ledger_zst_begin(const struct fsio *io, const char *dir, const char *path, struct ledger_zst_job **ret);
int ledger_zst_step(struct ledger_zst_job *j, size_t budget);	/* about so many bytes. 1: all is done; 0: go on */
struct ledger_zst_job *ledger_zst_free(struct ledger_zst_job *j);	/* not done: the plain file stays as it is */

struct ledger_zst_reader;

int ledger_zst_reader_open(const struct fsio *io, int fd, struct ledger_zst_reader **ret);	/* fd: borrowed */
/* Fills data unless the end comes first. -EBADMSG: not zstd, damaged, cut short, or bytes after its end. */
int ledger_zst_reader_read(struct ledger_zst_reader *r, void *data, size_t size, size_t *ret_size);
struct ledger_zst_reader *ledger_zst_reader_free(struct ledger_zst_reader *r);

#endif
