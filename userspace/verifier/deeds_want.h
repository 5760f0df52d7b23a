/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deeds_want.h: the deeds that can be done to a node in the cluster, as one table, and what is wanted of each by the node's row. In: row, entry,
 * which deeds are on. Out: a job for kube. Pure but for its texts, which lie in the answer.
 */
#ifndef PLUMB_DEEDS_WANT_H
#define PLUMB_DEEDS_WANT_H

#include "contain_book.h"
#include "kube.h"
#include "store.h"

enum deeds_kind {
	DEEDS_TAINT = 1u << 0,
	DEEDS_UNATTESTED = 1u << 1,
	DEEDS_LABEL = 1u << 2,
	DEEDS_ANNOTATION = 1u << 3,
	DEEDS_CONDITION = 1u << 4,
	DEEDS_EVENT = 1u << 5,
	DEEDS_CORDON = 1u << 6,
	DEEDS_EVICT = 1u << 7,
};
#define DEEDS_DEFAULT (DEEDS_TAINT | DEEDS_UNATTESTED | DEEDS_LABEL | DEEDS_ANNOTATION | DEEDS_CONDITION | DEEDS_EVENT)

/* What each is, how it is undone and when it is done again: for people, and for what words the setting takes. */
struct deeds_row {
	enum deeds_kind kind;
	const char *name;
	const char *done, *undone, *again;
};
extern const struct deeds_row deeds_table[];
extern const uint32_t deeds_n;
uint32_t deeds_kind_of(const char *name);	/* 0: there is no such deed */

struct deeds_wanted {
	struct kube_job job;
	struct kube_condition condition;
	struct kube_event event;
	char label[64], note[1024];
	bool has_event;
};

struct deeds_in {			/* all borrowed */
	const struct store_node *row;	/* NULL: nobody is bound to the name any more: all of ours goes */
	const struct contain_entry *entry;	/* NULL with it */
	const char *kube_name;
	uint32_t kinds;
	bool cordoned;			/* by us, when nobody is bound to it any more */
	bool still;			/* paused, or a dry run: nothing is added, what must go goes */
	const char *verdict;		/* the annotation; "": none yet */
	uint64_t now_ns;
};

void deeds_want(const struct deeds_in *in, struct deeds_wanted *ret);
/* NoExecute waits while pods are asked to leave. */
enum kube_want deeds_containment(const struct contain_entry *e, uint32_t kinds, uint64_t now_ns);
enum kube_mark deeds_unattested(const struct contain_entry *e, uint32_t kinds);
/* Is what the cluster says of it (entry->facts) as it was left, and as is wanted? */
bool deeds_differ(const struct contain_entry *e, uint32_t kinds, uint64_t now_ns);

#endif
