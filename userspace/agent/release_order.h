/* SPDX-License-Identifier: Apache-2.0 */
/*
 * release_order.h: an operator's word, signed offline, that this node is isolated no more (BORDER; docs/wire.md). Pure.
 * In: an envelope (foreign), the keys that the settings pin, this node, the number of the isolation that is in force. Out: the order.
 *
 * The number is the isolation's own, which the node drew at random when it began: a release is good for that one alone, once, whatever
 * became of the verifier, of its numbers or of the node's ledger.
 */
#ifndef PLUMB_RELEASE_ORDER_H
#define PLUMB_RELEASE_ORDER_H

#include "order.h"
#include "sign.h"

#define RELEASE_ORDER_MAX 16384u /* bytes of an envelope */

struct release_order_for {
	const struct sign_key *const *keys; /* borrowed, as all here */
	uint32_t n_keys;
	const char *node;
	uint64_t number; /* 0: none is in force */
};

/*
 * -EBADMSG malformed, -EKEYREJECTED not by a pinned key or for another node, -ESTALE: not of this isolation. *ret_key: which key it was;
 * only set when 0 comes back.
 */
int release_order_open(const void *envelope, size_t size, const struct release_order_for *f,
		       struct order *ret, uint32_t *ret_key, struct why *ret_why);

#endif
