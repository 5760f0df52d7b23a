/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote_ledger.h: plumbctl ledger fetch: a node's ledger as the verifier stored it, as a directory that checks offline. In: arguments, the
 * verifier's answer (hostile). Out: files; an exit code.
 */
#ifndef PLUMB_REMOTE_LEDGER_H
#define PLUMB_REMOTE_LEDGER_H

#include <stddef.h>
#include <stdio.h>
#include "buf.h"
#include "why.h"

void remote_ledger_help(FILE *f);
/*
 * The answer as a directory that is not there yet: all of it or nothing. -EBADMSG: it is no whole ledger of that node. Lines, anchors and
 * notes are not judged here: ledger_check does. The origin is appended.
 */
int remote_ledger_save(const void *answer, size_t size, const char *node, const char *dir, struct buf *ret_origin,
		       struct why *ret_why);
int remote_ledger(int argc, char **argv);

#endif
