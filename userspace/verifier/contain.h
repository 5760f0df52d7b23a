/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contain.h: carries out what a transition asks for: the signed webhook, and the taint of a bound Kubernetes node.
 * In: one transition, inside the transaction that made it (it is queued in the store, so nothing is lost); contain_kick() after commit.
 * Out: messages in the outbox, sent with retries.
 */
#ifndef PLUMB_CONTAIN_H
#define PLUMB_CONTAIN_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include "clock.h"
#include "sign.h"
#include "store.h"
#include "why.h"

struct contain;

struct contain_options {
	struct event_base *base;	/* all borrowed */
	const struct store *store;
	const struct clock *clock;
	const struct sign_key *key;	/* P-256: signs webhook bodies (DSSE, WIRE_DSSE_WEBHOOK) */
	const char *const *webhooks;	/* URLs; each is a target of its own, known by its URL */
	uint32_t n_webhooks;
	const char *webhook_ca;		/* PEM file for https, NULL: system */
	const char *kube_server;	/* NULL: no Kubernetes */
	const char *kube_token_file, *kube_ca_file;
};

struct contain_transition {
	const struct store_node *node;	/* after it */
	const char *from, *to;		/* derived states: "trusted", "quarantined", … */
	const char *cause;		/* sentence */
	const char *rule;		/* or "" */
	const char *key, *expected, *found, *who;	/* of the case that caused it, or "" */
	uint64_t ledger_line;
	uint64_t log_seq;		/* of the transition's line in the verifier's log */
	const char *verdict_jwt;	/* or "" */
	bool provisional;
	uint64_t event_ns;		/* node's UTC of the measurement; 0: none */
	uint32_t deeds;			/* bits enum node_deed: HOLD, QUARANTINE, LIFT go to Kubernetes when the node is bound */
};

int contain_open(const struct contain_options *o, struct contain **ret, struct why *ret_why);
struct contain *contain_free(struct contain *c);
/* A node was bound to another Kubernetes name (old_name: the one before, or ""); inside the transaction that puts its row. c NULL: nothing. */
int contain_bound(struct contain *c, const struct store_node *n, const char *old_name);
int contain_queue(struct contain *c, const struct contain_transition *t);	/* inside the caller's transaction */
void contain_kick(struct contain *c);		/* after commit: sends what is due; c NULL: nothing */

#endif
