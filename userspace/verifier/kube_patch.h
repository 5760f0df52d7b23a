/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube_patch.h: a Kubernetes Node object as the API gave it, and what we want of it, to patches that only we are named in. In: foreign JSON.
 * Out: JSON Patches with a `test` of all that they rest on, so that nobody else's taint is lost, and one for its status. Pure.
 */
#ifndef PLUMB_KUBE_PATCH_H
#define PLUMB_KUBE_PATCH_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "kube_facts.h"
#include "why.h"

#define KUBE_PATCH_MAX_VERDICT 8192

#define KUBE_PATCH_TAINT KUBE_FACTS_QUARANTINED

enum kube_want { KUBE_FREE = 1, KUBE_HOLD = 2, KUBE_QUARANTINE = 3 };	/* no taint; NoSchedule; NoSchedule and NoExecute */
enum kube_mark { KUBE_KEEP = 0, KUBE_PUT, KUBE_TAKE };

struct kube_condition {
	const char *status;		/* "True", "False", "Unknown"; "": taken off */
	char reason[32], message[512];
};

struct kube_job {			/* borrowed texts */
	char node[KUBE_FACTS_MAX_NAME];
	char uid[KUBE_FACTS_MAX_UID];	/* of the object that was seen to be the attested machine's; "": none was */
	char boot_id[37];		/* of the attested machine; "": not known */
	enum kube_want want;
	bool still;			/* nothing is added; what is there and not wanted goes */
	bool leave;			/* nobody is bound to it: what is ours comes off, whosever it is */
	/* Done only to what is the attested machine's object for certain; taken off an object that is another's. */
	enum kube_mark unattested;
	enum kube_mark cordon;
	const char *label, *verdict;	/* NULL: no matter of ours; "": taken off */
	const struct kube_condition *condition;	/* NULL: no matter of ours */
	uint64_t now_ns;		/* for its times */
};

struct kube_seen {
	struct kube_facts facts;	/* before anything was done */
	bool certain;			/* it is the attested machine's object */
	bool other;			/* it is another machine's */
	bool cordons;			/* the patch cordons it: it was not */
};

/* Empty: it is so already. What enforces goes alone: a kubelet may fill its annotations until no other fits, and would keep the taint off. */
struct kube_patches {
	struct buf taints, shown;	/* JSON Patches: taints and cordon; label and annotation */
	struct buf status;		/* a strategic merge patch */
};

/*
 * 0. -EBADMSG: no Node object. -EXDEV: another machine's, and it is not tainted; taking our taints off is right all the same.
 */
int kube_patch_make(const void *node, size_t size, const struct kube_job *j, struct kube_patches *ret, struct kube_seen *ret_seen,
		    struct why *ret_why);
void kube_patches_done(struct kube_patches *p);
bool kube_patch_is_name(const char *name);	/* DNS-1123 subdomain, as Kubernetes wants node names */

#endif
