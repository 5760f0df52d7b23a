/* SPDX-License-Identifier: Apache-2.0 */
/*
 * order_desk.h: gives a node its orders: numbered, signed, stored; and says which of them a node still has to hear of.
 * In: what is ordered. Out: DSSE envelopes in the store and in answers. Inside the caller's transaction; the caller puts the row.
 */
#ifndef PLUMB_ORDER_DESK_H
#define PLUMB_ORDER_DESK_H

#include "appraise_drift.h"
#include "evidence.h"
#include "order.h"
#include "verifier.h"

#define ORDER_DESK_LIFE_MS 300000u

/* what: kind, case_id, reason, life_ms (0: ORDER_DESK_LIFE_MS), document, version. The rest is filled in from n, whose last_order grows. */
int order_desk_give(const struct verifier *v, struct store_node *n, const struct order *what, uint64_t *ret_number);
/* Those above `seen` that have not expired by issued + life, oldest first, EVIDENCE_MAX_ORDERS at most. Baseline, quarantine and release never expire. */
int order_desk_answer(const struct verifier *v, const struct store_node *n, uint64_t seen, struct evidence_answer *a);
/*
 * 1: it was ordered a baseline above `seen` that it may not know of yet, or be fetching: the answers that carried it are no older than the
 * time after which it would be silent. Longer it is not believed to be under way.
 */
int order_desk_under_way(const struct verifier *v, const struct store_node *n, uint64_t seen);
/*
 * The node has carried out every baseline order (seen: the last it knows) and does not judge by its baseline: a copy that was lost or spoilt.
 * Ordered anew, but not more often than once in the time after which it would be silent: it may have its reasons. 1: it was.
 */
int order_desk_again(const struct verifier *v, struct store_node *n, uint64_t seen);
/*
 * Of these lines of the node, those that tell of an order whose number this store gave to another one: it was put back from a copy, and what it
 * ordered since the node was last heard of was never taken. Such an order is given again, above what the row has given, unless a later one took its
 * place or its time is over. now_ns: of the evidence that they came with, which the row has as its last when all is well. *ret_n: how many.
 */
int order_desk_missed(const struct verifier *v, struct store_node *n, struct buf_view lines, uint64_t now_ns, uint32_t *ret_n);
/* 1: of the orders to isolate and to release that it was given, in whatever incarnation, the last one isolates. */
int order_desk_isolates(const struct verifier *v, const struct store_node *n);
/* 1: the last one, *ret, releases it, is of this incarnation, and no line of it says that it was taken: before the row becomes that of the next one. */
int order_desk_unreleased(const struct verifier *v, const struct store_node *n, struct order *ret);
/* Restart orders given to this incarnation, in order of their numbers. */
int order_desk_restarts(const struct verifier *v, const struct store_node *n, struct appraise_drift_restart *ret, uint32_t max, uint32_t *ret_n);

#endif
