/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_lines.h: lines of the ledger as they were written, for the verifier: the newest from memory, older ones from the directory.
 * In: a range, a bound of bytes. Out: the lines, each with LF.
 */
#ifndef PLUMB_LEDGER_LINES_H
#define PLUMB_LEDGER_LINES_H

#include <stddef.h>
#include <stdint.h>
#include "buf.h"
#include "fsio.h"
#include "tail.h"

/* Lines [from, to), at most max bytes. *ret_to: the first that is not in ret. -ENODATA: they are not kept any more. */
int ledger_lines_read(const struct fsio *io, const char *dir, struct tail *tail, uint64_t from, uint64_t to, size_t max,
		      struct buf *ret, uint64_t *ret_to);

#endif
