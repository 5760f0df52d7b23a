/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deeds.h: keeps bound Kubernetes nodes as their rows want them (deeds_want). A message says only which node is to be looked at; what is wanted is
 * read when it is sent, so that the last word counts. The cluster is watched: what a third party changes is put right when it is told, and contained
 * ones are looked at every minute besides. In: nodes, inside the caller's transaction. Out: calls of kube.
 */
#ifndef PLUMB_DEEDS_H
#define PLUMB_DEEDS_H

#include "deeds_want.h"
#include "kube.h"
#include "kube_watch.h"
#include "outbox.h"
#include "sign.h"
#include "store.h"
#include "vlog.h"

#define DEEDS_TARGET "kube"
#define DEEDS_LOOK_S 60

struct deeds;

struct deeds_options {			/* all borrowed */
	const struct store *store;
	const struct clock *clock;
	struct outbox *outbox;		/* a lane of it is taken */
	struct contain_book *book;
	const struct kube_options *kube;
	const struct sign_key *key;	/* signs annotations; NULL: none */
	struct vlog *vlog;		/* each change of taints, cordon, and each eviction gets a line; NULL: none */
	uint32_t kinds;			/* enum deeds_kind */
	bool evict_force;		/* what has not left in time is deleted */
	uint32_t watch_s;		/* 0: as kube_watch has it */
	bool (*still)(void *ctx);	/* nothing is added now */
	void *ctx;
};

int deeds_open(const struct deeds_options *o, struct deeds **ret, struct why *ret_why);
struct deeds *deeds_free(struct deeds *t);
/* Inside the caller's transaction, which also puts the row. shown: people see another state now. */
int deeds_queue(struct deeds *t, const struct store_node *n, bool shown);
/* n: as it becomes. old_name: what it was bound to, or "". */
int deeds_bound(struct deeds *t, const struct store_node *n, const char *old_name);
/* Every second: boots that are attested by now. */
void deeds_tick(struct deeds *t);
void deeds_due(struct deeds *t, struct contain_entry *e);	/* it is to be looked at */
void deeds_watch_state(const struct deeds *t, struct kube_watch_state *ret);

#endif
