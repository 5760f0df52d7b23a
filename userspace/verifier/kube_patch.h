/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube_patch.h: a Kubernetes Node object as the API gave it, and what we want of it, to a JSON Patch that only we are named in. In: foreign
 * JSON. Out: a patch with a `test` of all that it rests on, so that nobody else's taint is lost. Pure.
 */
#ifndef PLUMB_KUBE_PATCH_H
#define PLUMB_KUBE_PATCH_H

#include <stdbool.h>
#include "buf.h"
#include "why.h"

#define KUBE_PATCH_TAINT "plumbline.io/quarantined"
#define KUBE_PATCH_MAX_NODE (4u << 20)	/* bytes of a Node object */
#define KUBE_PATCH_MAX_NAME 254
#define KUBE_PATCH_MAX_UID 64

enum kube_want { KUBE_FREE = 1, KUBE_HOLD = 2, KUBE_QUARANTINE = 3 };	/* no taint; NoSchedule; NoSchedule and NoExecute */

struct kube_job {
	char node[KUBE_PATCH_MAX_NAME];
	char uid[KUBE_PATCH_MAX_UID];	/* of the object that was seen to be the attested machine's; "": none was */
	char boot_id[37];		/* of the attested machine; "": not known */
	enum kube_want want;
};

struct kube_seen {
	char uid[KUBE_PATCH_MAX_UID];
	bool certain;			/* it is the attested machine's object */
	bool other;			/* it is another machine's */
};

/*
 * 1: a patch is in *ret; 0: it is so already. -EBADMSG: no Node object. -EXDEV: another machine's, and it is not tainted; taking our taints
 * off is right all the same.
 */
int kube_patch_make(const void *node, size_t size, const struct kube_job *j, struct buf *ret, struct kube_seen *ret_seen,
		    struct why *ret_why);
bool kube_patch_is_name(const char *name);	/* DNS-1123 subdomain, as Kubernetes wants node names */

#endif
