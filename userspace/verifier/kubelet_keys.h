/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kubelet_keys.h: which keys the kubelet of a node showed that it has: in lines of the node's ledger, signed by the key itself. In: new lines
 * of evidence whose event key or quote was checked, inside the caller's transaction. Out: is this key this node's? Whose is it?
 */
#ifndef PLUMB_KUBELET_KEYS_H
#define PLUMB_KUBELET_KEYS_H

#include "verifier.h"

#define KUBELET_KEYS_MAX 16u	/* of one node; the oldest goes */
#define KUBELET_KEYS_USE_SIZE 64

/* lines: new, checked against the head; the last 2 * KUBELET_KEYS_MAX that show keys count. One that proves nothing is told in the log, and is no key. */
int kubelet_keys_take(const struct verifier *v, const struct store_node *row, struct buf_view lines);
/* 1: shown by this incarnation, and a quote covers the line; *ret_seq: which. 0: not. */
int kubelet_keys_has(const struct verifier *v, const struct store_node *row, const struct digest *key, uint64_t *ret_seq);
/* 1: a certificate was approved for it, when this asked: *ret_use as it was given. 0: not, or it is not shown. */
int kubelet_keys_used(const struct verifier *v, const struct store_node *row, const struct digest *key, char ret_use[KUBELET_KEYS_USE_SIZE]);
/* use: a word. A key that is not shown is passed over. */
int kubelet_keys_use(const struct verifier *v, const struct store_node *row, const struct digest *key, const char *use);
/* How many keys it has shown so. */
int kubelet_keys_count(const struct verifier *v, const struct store_node *row);
/* The node that showed it, covered or not: -ENOENT none, -ENOTUNIQ two. */
int kubelet_keys_owner(const struct verifier *v, const struct digest *key, char ret_id[65]);

#endif
