/* SPDX-License-Identifier: Apache-2.0 */
/*
 * action_desk.h: what all that operators do has in common: who may, which node is meant, the line in the log, another look at all nodes.
 * In: a certificate's identity, names. Out: rows, lines, answers; inside the caller's transaction where it writes.
 */
#ifndef PLUMB_ACTION_DESK_H
#define PLUMB_ACTION_DESK_H

#include "cert.h"
#include "documents.h"
#include "intake.h"
#include "verifier.h"

struct action_desk {			/* all borrowed */
	const struct verifier *v;
	struct documents *documents;
	struct intake *intake;
	struct contain *contain;	/* NULL: nobody is told */
};

/* 0, or an HTTP status with the answer written, or < 0. The role that counts is the store's: a certificate cannot be taken back. */
int action_desk_operator(const struct action_desk *a, const struct cert_identity *who, enum plumb_role needed, struct store_operator *ret,
			 struct buf *answer);
/* A node by id, label, or a unique prefix of the id. -ENOENT; -ENOTUNIQ: several, also one by its label and another by its prefix; why says which. Caller calls store_node_done(). */
int action_desk_find(const struct verifier *v, const char *name, struct store_node *ret, struct why *ret_why);
int action_desk_log(const struct action_desk *a, const char *who, const char *what, const char *node, const char *reason,
		    const struct digest *envelope, const char *result);

/* Our own failure inside a transaction: rolled back, in memory too, and the log says so. */
void action_desk_undo(const struct action_desk *a, const char *who, const char *what, const struct digest *envelope, int error);

/* Ids of all nodes that are not retired; the caller frees ids. */
struct action_desk_nodes { char (*ids)[65]; uint32_t n, max; };
int action_desk_nodes(const struct action_desk *a, struct action_desk_nodes *ret);
/* Every open case of every node by the policy as it is now. */
int action_desk_rejudge(const struct action_desk *a, const char *cause, const struct store_operator *op, const char *reason);
int action_desk_answer(const char *text, const char *undo, struct buf *ret);	/* 200 or < 0 */

#endif
