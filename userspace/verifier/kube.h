/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube.h: taints a Kubernetes node, or takes our taints off: read the node, patch its list with a `test` of the list as it was read, and
 * once more when somebody was faster. In: a small message. Out: done or not, on the loop's thread. The only room that talks to the API.
 */
#ifndef PLUMB_KUBE_H
#define PLUMB_KUBE_H

#include <event2/event.h>
#include "buf.h"
#include "why.h"

#define KUBE_TAINT "plumbline.io/quarantined"
#define KUBE_MAX_NODE (4u << 20)	/* bytes of a Node object */

enum kube_want { KUBE_FREE = 1, KUBE_HOLD = 2, KUBE_QUARANTINE = 3 };

struct kube;

struct kube_options {			/* all borrowed but copied where kept */
	struct event_base *base;
	const char *server;		/* "https://…:6443" */
	const char *token_file;		/* read anew each time: it rotates */
	const char *ca_file;
};

int kube_open(const struct kube_options *o, struct kube **ret, struct why *ret_why);
struct kube *kube_free(struct kube *k);
/* One at a time (-EBUSY). boot_id "": not compared. done: 0; -ENOENT no such node; -EXDEV another machine has the name; -EAGAIN and others: try again. */
int kube_taint(struct kube *k, const char *node, const char *boot_id, enum kube_want want,
	       void (*done)(void *ctx, int r, const struct why *why), void *ctx);

/*
 * The pure part: a Node object as the API gave it, and what we want, to a JSON Patch. 1: a patch is in *ret; 0: it is so already.
 * -EBADMSG: no Node object. -EXDEV: its boot id is another.
 */
int kube_make_patch(const void *node, size_t size, const char *boot_id, enum kube_want want, struct buf *ret, struct why *ret_why);

#endif
