/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube_watch.h: what the cluster says of its nodes, as it changes: a list, then a watch from there on; again from its last word when it ends, a
 * new list when that is too old, later each time while the API is down. In: its stream. Out: facts of each node, on the loop's thread.
 */
#ifndef PLUMB_KUBE_WATCH_H
#define PLUMB_KUBE_WATCH_H

#include "kube_door.h"
#include "kube_facts.h"

#define KUBE_WATCH_S 240		/* one watch lasts so long; one that has not ended half a minute later is dead */
#define KUBE_WATCH_MAX_RETRY_S 30

struct kube_watch;

struct kube_watch_options {
	const struct kube_options *kube;
	uint32_t turn_s;		/* 0: KUBE_WATCH_S */
	void (*node)(void *ctx, const struct kube_facts *f, bool deleted);
	void (*listed)(void *ctx, bool begins);	/* around the nodes of a whole list: who was not named between the two is no more */
	void *ctx;
};

struct kube_watch_state {		/* for people */
	bool watching;			/* what is known is of now */
	uint64_t lists, watches;
	struct why why;			/* the last error */
};

int kube_watch_open(const struct kube_watch_options *o, struct kube_watch **ret, struct why *ret_why);	/* starts with the loop */
struct kube_watch *kube_watch_free(struct kube_watch *w);
void kube_watch_state(const struct kube_watch *w, struct kube_watch_state *ret);

#endif
