/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_export.h: a ledger directory in the forms that others read: C2SP signed notes, a C2SP tlog-proof of one line, CEL-JSON.
 * In: a directory. Out: text. Reads only; signatures are handed on, not judged (ledger_check).
 */
#ifndef PLUMB_LEDGER_EXPORT_H
#define PLUMB_LEDGER_EXPORT_H

#include <stdint.h>
#include "buf.h"
#include "fsio.h"
#include "why.h"

/* All signed checkpoints, oldest first: each a signed note (text, empty line, signature lines) with an empty line after it. */
int ledger_export_notes(const struct fsio *io, const char *dir, struct buf *ret, struct why *ret_why);
/* "c2sp.org/tlog-proof@v1" that line seq is in the newest signed checkpoint. -ENOENT: none covers it. The proof was checked against its root. */
int ledger_export_proof(const struct fsio *io, const char *dir, uint64_t seq, struct buf *ret, struct why *ret_why);
/* A JSON array with one record per extend that was done, content type "plumb.checkpoint" (our own); it has the signed note where there is one. */
int ledger_export_cel(const struct fsio *io, const char *dir, struct buf *ret, struct why *ret_why);

#endif
