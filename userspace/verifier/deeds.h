/* SPDX-License-Identifier: Apache-2.0 */
/*
 * taints.h: keeps the taints of bound Kubernetes nodes as their containment is. A message says only which node is to be looked at; what is
 * wanted is read when it is sent, so that the last word counts. Contained ones are looked at again every minute: taints are taken off by
 * people, and a deleted Node comes back without. In: nodes, inside the caller's transaction. Out: calls of kube.
 */
#ifndef PLUMB_TAINTS_H
#define PLUMB_TAINTS_H

#include "kube.h"
#include "outbox.h"
#include "store.h"

#define TAINTS_TARGET "kube"
#define TAINTS_LOOK_S 60

struct taints;

/* Takes a lane of the outbox. All borrowed. */
int taints_open(const struct store *store, const struct clock *clock, struct outbox *o, const struct kube_options *k,
		struct taints **ret, struct why *ret_why);
struct taints *taints_free(struct taints *t);
/* Inside the caller's transaction, which also puts the row. */
int taints_queue(struct taints *t, const struct store_node *n);
/* n: as it becomes. old_name: what it was bound to, or "". */
int taints_bound(struct taints *t, const struct store_node *n, const char *old_name);

#endif
