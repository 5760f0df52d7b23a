/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contain.h: carries out what a transition asks for, as far as the brakes let it: the signed webhook, the deeds in the cluster, the order to the
 * node. In: one transition, inside the transaction that made it (it is queued in the store, so nothing is lost); contain_kick() after commit.
 * Out: messages in the outbox, sent with retries; what is held back is told, and done when there is room.
 */
#ifndef PLUMB_CONTAIN_H
#define PLUMB_CONTAIN_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include "brakes.h"
#include "clock.h"
#include "contain_book.h"
#include "sign.h"
#include "store.h"
#include "verifier.h"
#include "why.h"

#define CONTAIN_PAUSE "contain_pause"	/* a setting of the store: "" or who paused it, since when and why */

struct contain;

struct contain_options {
	struct event_base *base;	/* all borrowed */
	const struct store *store;
	const struct clock *clock;
	const struct sign_key *key;	/* P-256: signs webhook bodies (DSSE, WIRE_DSSE_WEBHOOK) */
	const char *const *webhooks;	/* URLs; each is a target of its own, known by its URL */
	uint32_t n_webhooks;
	const char *webhook_ca;		/* PEM file for https, NULL: system */
	const char *command_file;	/* words of a program that hears of each transition; NULL: none */
	const char *kube_server;	/* NULL: no Kubernetes */
	const char *kube_token_file, *kube_ca_file;
	const struct verifier *v;	/* for orders and the log; NULL: neither */
	uint32_t kinds;			/* enum deeds_kind; 0: DEEDS_DEFAULT */
	uint32_t max_percent;		/* of nodes that are contained at once */
	uint64_t calm_ms;		/* a node is let down once in so long */
	uint64_t evict_ms;		/* how long pods are asked to leave before NoExecute */
	bool evict_force;		/* what has not left by then is deleted */
	bool dry_run;
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
	const char *held_back;		/* a sentence, NULL: it is not */
	const char *remedy_step, *remedy_phase;	/* NULL: it is not about a remedy */
	uint64_t event_ns;		/* node's UTC of the measurement; 0: none */
	uint32_t deeds;			/* bits enum node_deed: HOLD, QUARANTINE, LIFT go to Kubernetes when the node is bound */
};

int contain_open(const struct contain_options *o, struct contain **ret, struct why *ret_why);
struct contain *contain_free(struct contain *c);
/* A node was bound to another Kubernetes name (old_name: the one before, or ""); inside the transaction that puts its row. c NULL: nothing. */
int contain_bound(struct contain *c, const struct store_node *n, const char *old_name);
/*
 * Before anything is done for it, inside the transaction: may this node be contained as its row wants it? OPEN when nothing is to be done. key: of
 * the case that caused it: what is only not known is held, and not quarantined. c NULL: OPEN.
 */
int contain_let(struct contain *c, const struct store_node *n, uint32_t deeds, const char *key, enum brakes_why *ret);
/* It is quarantined by its row for what was only not known, as releases before this one had it: held, and nothing more. */
bool contain_is_unsure(const struct contain *c, const struct store_node *n);
int contain_queue(struct contain *c, const struct contain_transition *t);	/* inside the caller's transaction */
struct contain_held { uint32_t nodes, contained, limit, held_back; bool paused, dry_run; };
void contain_held(const struct contain *c, struct contain_held *ret);
/* Everything that is wanted is looked at again: the pause is over. */
void contain_again(struct contain *c);
bool contain_watches(const struct contain *c, struct why *ret_why);	/* the cluster is known as it is now; why: else */
struct contain_book *contain_book(struct contain *c);	/* borrowed */
void contain_kick(struct contain *c);		/* after commit: sends what is due; c NULL: nothing */

#endif
