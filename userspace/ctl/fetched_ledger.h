/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetched_ledger.h: a ledger that comes from a verifier, as a directory that checks offline: made beside, under its name only when it is
 * whole. In: lines, anchors, notes, logs of boots, in order, in any number of pieces. Out: files. Judges nothing: ledger_check does.
 */
#ifndef PLUMB_FETCHED_LEDGER_H
#define PLUMB_FETCHED_LEDGER_H

#include <jansson.h>
#include "buf.h"

#define FETCHED_LEDGER_MAX_PART (256u << 20)	/* bytes of anchors, of notes: what checkers read */

struct fetched_ledger;

int fetched_ledger_open(const char *dir, const char *origin, struct fetched_ledger **ret);
/* Ended by exactly one of the two, which free f. -EEXIST: there is something of that name by now. */
int fetched_ledger_commit(struct fetched_ledger *f, const struct buf_view *record);
void fetched_ledger_abandon(struct fetched_ledger *f);	/* nothing stays. NULL is allowed */

int fetched_ledger_event(struct fetched_ledger *f, const struct buf_view *line);	/* without its LF */
/* -E2BIG: more than FETCHED_LEDGER_MAX_PART in all. */
int fetched_ledger_anchors(struct fetched_ledger *f, const void *data, size_t size);
int fetched_ledger_notes(struct fetched_ledger *f, const void *data, size_t size);
/* Those of o's members "boot_logs" and "measure_logs" that are there. Names are what the bytes come to. */
int fetched_ledger_boots(struct fetched_ledger *f, const json_t *o);

#endif
