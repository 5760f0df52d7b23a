/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube.h: brings one Kubernetes node to what is wanted of it: reads it, patches its taints with a `test` of the list and of the object as they
 * were read, and again when somebody was faster; then what is only shown. In: one node at a time. Out: done or not, on the loop's thread.
 */
#ifndef PLUMB_KUBE_H
#define PLUMB_KUBE_H

#include "kube_door.h"
#include "kube_patch.h"
#include "why.h"

struct kube;

struct kube_event {			/* borrowed texts; shown by `kubectl describe node` for an hour: no audit log */
	const char *reason, *action;	/* CamelCase */
	const char *note;
	bool warning;
};

struct kube_done {
	struct kube_seen seen;
	bool tainted;			/* taints or cordon were changed */
	int unshown;			/* < 0: something that is only shown was not taken; why says what */
};

/*
 * r: 0 the taints are as wanted. -ENOENT there is no such node. -EXDEV another machine has the name: nothing was tainted, and taken off if that
 * was wanted. -EBUSY others were faster, five times. -EBADMSG the API said something that is no Node, or refused the patch. -EACCES our token
 * or our rights. -ECANCELED kube_free. Others: the API is down.
 */
typedef void kube_fn(void *ctx, int r, const struct kube_done *d, const struct why *why);

int kube_open(const struct kube_options *o, struct kube **ret, struct why *ret_why);
struct kube *kube_free(struct kube *k);
/* One at a time (-EBUSY). The texts in j and e are borrowed until done. e NULL: no event. */
int kube_apply(struct kube *k, const struct kube_job *j, const struct kube_event *e, kube_fn *done, void *ctx, struct why *ret_why);

#endif
