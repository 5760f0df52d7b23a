/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube_watch.h: what the cluster says of its nodes, or of objects of another kind, as it changes: a list, then a watch from there on; again from
 * its last word when it ends, a new list when that is too old, later each time while the API is down. In: its stream. Out: each object, on the
 * loop's thread.
 */
#ifndef PLUMB_KUBE_WATCH_H
#define PLUMB_KUBE_WATCH_H

#include <jansson.h>
#include "kube_door.h"
#include "kube_facts.h"

#define KUBE_WATCH_S 240		/* one watch lasts so long; one that has not ended half a minute later, or its own time again if that is less, is dead */
#define KUBE_WATCH_MAX_RETRY_S 30

struct kube_watch;

struct kube_watch_kind {		/* literals */
	const char *path;		/* "/api/v1/nodes" */
	const char *query;		/* "fieldSelector=…", or "" */
	const char *things;		/* for RBAC and the log */
	const char *meanwhile;		/* what is while the API is down, for the log */
};

struct kube_watch_options {
	const struct kube_options *kube;	/* copied; its texts are borrowed */
	uint32_t turn_s;		/* 0: KUBE_WATCH_S */
	const struct kube_watch_kind *kind;	/* NULL: nodes */
	void (*node)(void *ctx, const struct kube_facts *f, bool deleted);	/* of nodes */
	void (*object)(void *ctx, const json_t *object, bool deleted);		/* of another kind: foreign, and unread */
	void (*listed)(void *ctx, bool begins);	/* around the objects of a whole list: who was not named between the two is no more */
	void *ctx;
};

struct kube_watch_state {		/* for people */
	bool watching;			/* what is known is of now: not while a list is read */
	uint64_t lists, watches;
	struct why why;			/* the last error */
};

int kube_watch_open(const struct kube_watch_options *o, struct kube_watch **ret, struct why *ret_why);	/* starts with the loop */
struct kube_watch *kube_watch_free(struct kube_watch *w);
void kube_watch_renew(struct kube_watch *w);	/* once this watch ends, a list: something that it told was not kept */
void kube_watch_state(const struct kube_watch *w, struct kube_watch_state *ret);

#endif
