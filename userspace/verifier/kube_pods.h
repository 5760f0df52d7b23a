/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube_pods.h: a PodList of one node to the pods that are to leave it, and the eviction of one. In: foreign JSON. Out: bounded names; bodies. Pure.
 */
#ifndef PLUMB_KUBE_PODS_H
#define PLUMB_KUBE_PODS_H

#include <stdint.h>
#include "buf.h"
#include "why.h"

#define KUBE_PODS_MAX 1024u		/* of one node; those beyond it come in the next round */
#define KUBE_PODS_MAX_PAGE (16u << 20)

struct kube_pod { char namespace[64], name[254], uid[64]; };
struct kube_pods { struct kube_pod *all; uint32_t n; };

/*
 * A page of a list, added to pods; *ret_more: where the next one begins, as part of a query; empty: that was the last.
 * Those that run and can leave: not a static pod's mirror (its kubelet keeps it), not a DaemonSet's (it comes back at once), not what is over or
 * leaves already. Names that could not be part of a path are left out. -EBADMSG: no list of pods.
 */
int kube_pods_read(const void *list, size_t size, struct kube_pods *pods, struct buf *ret_more, struct why *ret_why);
void kube_pods_done(struct kube_pods *p);
int kube_pods_eviction(const struct kube_pod *p, const char *version, struct buf *ret);	/* version: "policy/v1" or the like */
int kube_pods_delete(const struct kube_pod *p, struct buf *ret);	/* the DELETE's body: this very pod */
/* Which version of policy has evictions, by GET /apis/policy: "policy/v1" where it is, else v1beta1. */
const char *kube_pods_policy(const void *group, size_t size);

#endif
