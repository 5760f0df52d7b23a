/* SPDX-License-Identifier: Apache-2.0 */
/*
 * actions.h: what operators do to nodes: acknowledge, approve, release, retire, bind, restart, arm, disarm, challenge; and documents
 * that they hand in. In: DSSE envelopes signed by the key of the certificate that sent them (docs/wire.md). Out: status and JSON: what
 * was done and how to undo it; a line in the verifier's log for each, also for what was refused after its signature held.
 */
#ifndef PLUMB_ACTIONS_H
#define PLUMB_ACTIONS_H

#include "cert.h"
#include "documents.h"
#include "intake.h"
#include "transition.h"
#include "verifier.h"

struct actions;

struct actions_options {		/* all borrowed */
	const struct verifier *v;
	struct documents *documents;
	struct intake *intake;
	struct contain *contain;	/* NULL: nobody is told */
};

int actions_open(const struct actions_options *o, struct actions **ret);
struct actions *actions_free(struct actions *a);

/* HTTP status and JSON in *ret; < 0: our own failure, nothing changed. */
int actions_act(struct actions *a, const struct cert_identity *who, const void *envelope, size_t size, struct buf *ret);
int actions_baseline(struct actions *a, const struct cert_identity *who, const char *node, const void *body, size_t size, struct buf *ret);	/* node "": all */
int actions_policy(struct actions *a, const struct cert_identity *who, const void *body, size_t size, struct buf *ret);
int actions_preview(struct actions *a, const struct cert_identity *who, const void *body, size_t size, struct buf *ret);	/* empty body: the one in force, as if all armed */
int actions_token(struct actions *a, const struct cert_identity *who, const void *body, size_t size, const struct digest *ca_fingerprint, struct buf *ret);

/* A node by id, label, or a unique prefix of the id. -ENOENT; -ENOTUNIQ: several; why says which. Caller calls store_node_done(). */
int actions_find_node(const struct verifier *v, const char *name, struct store_node *ret, struct why *ret_why);

#endif
