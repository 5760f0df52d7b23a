/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube_evict.h: asks the pods of a node to leave, one round: each is evicted, so that disruption budgets hold; with force, what is left is deleted,
 * budgets or not. In: one node at a time. Out: how many are left, on the loop's thread.
 */
#ifndef PLUMB_KUBE_EVICT_H
#define PLUMB_KUBE_EVICT_H

#include "kube_door.h"

struct kube_evict;

struct kube_evict_round {
	uint32_t asked;			/* took the eviction, or the DELETE */
	uint32_t kept;			/* by a disruption budget, or for another reason; why has the last */
};

/* r: 0: the round is over. Else the list could not be had, or -ECANCELED. */
typedef void kube_evict_fn(void *ctx, int r, const struct kube_evict_round *round, const struct why *why);

int kube_evict_open(const struct kube_options *o, struct kube_evict **ret, struct why *ret_why);
struct kube_evict *kube_evict_free(struct kube_evict *e);
/* One at a time (-EBUSY). node: a name that was checked. */
int kube_evict_start(struct kube_evict *e, const char *node, bool force, kube_evict_fn *done, void *ctx, struct why *ret_why);

#endif
