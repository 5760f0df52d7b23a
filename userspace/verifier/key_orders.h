/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key_orders.h: tells every node of the key that signs orders from here on, by an order that the old one signs, too, and of the one that
 * cosigns; once a key. In: the store, at the start. Out: orders, the records that are kept of nodes, a line in the log.
 */
#ifndef PLUMB_KEY_ORDERS_H
#define PLUMB_KEY_ORDERS_H

#include "verifier.h"

/* 1: all were ordered; 0: there is nothing to tell, or it was told before. */
int key_orders_give(const struct verifier *v);

#endif
