/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enrol_admit.h: may a machine whose TPM answered become this node, and what its row and record are then: a new one, or a known EK in its
 * next incarnation. In: a proven session; inside the caller's transaction. Out: the row as it becomes (the caller puts it), its line in
 * the log, the baseline order; or a refusal.
 */
#ifndef PLUMB_ENROL_ADMIT_H
#define PLUMB_ENROL_ADMIT_H

#include "enrol_session.h"
#include "intake.h"
#include "transition.h"
#include "verifier.h"

#define ENROL_ADMIT_MAX_PENDING 1000u	/* nodes that wait for an approver */

struct enrol_admit {			/* all borrowed */
	const struct verifier *v;
	struct contain *contain;	/* NULL: nobody is told */
	struct intake *intake;
	int (*default_baseline)(void *ctx, struct digest *ret_document, uint64_t *ret_version);	/* NULL: none */
	void *ctx;
};

/* 200 enrolled, 202 an approver must act (s->waited: he was told before), 4xx or 503 with JSON in *ret; < 0: our own failure. */
int enrol_admit(const struct enrol_admit *a, struct enrol_session *s, struct store_node *n, struct buf *ret);
/* Its record was made when it asked; since then keys may have been changed and approvers revoked, of whom it would hear by nobody: so it has those of now. */
int enrol_admit_approved(const struct verifier *v, struct store_node *n);
/*
 * A certificate alone, for a node whose old one is over: 200 when it is enrolled, not gone, and its keys are those of its record and row; the row
 * stays as it is. Its line in the log is an `action` of nobody.
 */
int enrol_admit_again(const struct enrol_admit *a, const struct enrol_session *s, struct store_node *n, struct buf *ret);

#endif
