/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote_ledger.h: plumbctl ledger fetch: a node's ledger as the verifier stored it, as a directory that checks offline. In: arguments, the
 * verifier's answers (hostile). Out: files; an exit code.
 */
#ifndef PLUMB_REMOTE_LEDGER_H
#define PLUMB_REMOTE_LEDGER_H

#include <stddef.h>
#include <stdio.h>
#include "buf.h"
#include "why.h"

struct remote_ledger_source {
	/* GET of that node's ledger with that query. An exit code; what went wrong was told. */
	int (*get)(void *ctx, const char *node, const char *query, struct buf *ret);
	void *ctx;
	const char *incarnation;	/* decimal; NULL: the present one */
	int code;			/* the last that get returned */
};

void remote_ledger_help(FILE *f);
int remote_ledger_get(void *client, const char *node, const char *query, struct buf *ret);	/* a struct client's get */
/*
 * A ledger as a directory that is not there yet: all of it or nothing, as it was with the first answer: of that node and that incarnation,
 * up to the size that it had then. -EBADMSG: it is no whole ledger of that node; -ECANCELED: get failed. Lines, anchors and notes are not
 * judged here: ledger_check does. The origin is appended.
 */
int remote_ledger_take(struct remote_ledger_source *s, const char *node, const char *dir, struct buf *ret_origin,
		       struct why *ret_why);
/* The same of one answer that is all of it, as verifiers of a release before give. */
int remote_ledger_save(const void *answer, size_t size, const char *node, const char *dir, struct buf *ret_origin,
		       struct why *ret_why);
int remote_ledger(int argc, char **argv);

#endif
