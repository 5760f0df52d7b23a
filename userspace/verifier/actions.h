/* SPDX-License-Identifier: Apache-2.0 */
/*
 * actions.h: what operators do to nodes: acknowledge, approve, release, retire, bind, restart, arm, disarm, challenge, scan. In: DSSE envelopes
 * signed by the key of the certificate that sent them (docs/wire.md). Out: status and JSON: what was done and how to undo it; a line in
 * the verifier's log for each, also for what was refused after its signature held.
 */
#ifndef PLUMB_ACTIONS_H
#define PLUMB_ACTIONS_H

#include "action_desk.h"

struct actions;

int actions_open(const struct action_desk *o, struct actions **ret);	/* o is copied */
struct actions *actions_free(struct actions *a);
/* HTTP status and JSON in *ret; < 0: our own failure, nothing changed. */
int actions_act(struct actions *a, const struct cert_identity *who, const void *envelope, size_t size, struct buf *ret);

#endif
