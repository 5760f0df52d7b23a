/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bound_nodes.h: in memory, which attested machine each Kubernetes node name is bound to, and how it stands: as the store's last commit
 * left it. In: the store, once whole and then what is put. Out: answers without the store, on any thread.
 */
#ifndef PLUMB_BOUND_NODES_H
#define PLUMB_BOUND_NODES_H

#include "node.h"
#include "store.h"

struct bound_nodes;

struct bound_node {
	char id[65];
	uint64_t incarnation;
	char boot_id[37];
	struct node_state state;
};

/* Watches the store from here on, on its thread; borrowed. */
int bound_nodes_open(const struct store *store, struct bound_nodes **ret);
struct bound_nodes *bound_nodes_free(struct bound_nodes *b);
/*
 * -ENOENT: none is. -EIO: what was put could not be kept (no memory), and nothing is told any more until a later one could. A retired
 * machine has given its name up; should two have it, the worse one is told.
 */
int bound_nodes_find(struct bound_nodes *b, const char *name, struct bound_node *ret);

#endif
