/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube.h: taints a Kubernetes node, or takes our taints off: read the node, patch its list with a `test` of the list and of the object as
 * they were read, and again when somebody was faster. In: one node at a time. Out: done or not, on the loop's thread. The only room that
 * talks to the API.
 */
#ifndef PLUMB_KUBE_H
#define PLUMB_KUBE_H

#include <event2/event.h>
#include "kube_patch.h"
#include "why.h"

struct kube;

struct kube_options {			/* all borrowed but copied where kept */
	struct event_base *base;
	const char *server;		/* "https://…:6443" */
	const char *token_file;		/* read anew each time: it rotates */
	const char *ca_file;		/* and this when the server's certificate is not taken */
};

/*
 * r: 0 done, and uid is the object's, "" unless it is the attested machine's for certain. -ENOENT there is no such node. -EXDEV another
 * machine has the name: nothing was tainted, and taken off if that was wanted. -EBUSY others were faster, five times. -EBADMSG the API said
 * something that is no Node, or refused the patch. -EACCES our token or our rights. -ECANCELED kube_free. Others: the API is down.
 */
typedef void kube_fn(void *ctx, int r, const char *uid, const struct why *why);

int kube_open(const struct kube_options *o, struct kube **ret, struct why *ret_why);
struct kube *kube_free(struct kube *k);
int kube_taint(struct kube *k, const struct kube_job *j, kube_fn *done, void *ctx, struct why *ret_why);	/* one at a time (-EBUSY) */

#endif
