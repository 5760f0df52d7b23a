/* SPDX-License-Identifier: Apache-2.0 */
/*
 * webhook.h: the body that webhooks get (docs/webhook.md): a transition as JSON in a DSSE envelope; and which URLs may get one. In: a
 * transition, the verifier's key. Out: bytes. Pure.
 */
#ifndef PLUMB_WEBHOOK_H
#define PLUMB_WEBHOOK_H

#include "sign.h"
#include "store.h"
#include "why.h"

struct webhook_transition {		/* all borrowed */
	const struct store_node *node;	/* after it */
	const char *from, *to;		/* derived states: "trusted", "quarantined", … */
	const char *cause;		/* sentence */
	const char *rule;		/* or "" */
	const char *key, *expected, *found, *who;	/* of the case that caused it, or "" */
	uint64_t ledger_line;
	uint64_t log_seq;		/* of the transition's line in the verifier's log: its id */
	const char *verdict_jwt;	/* or "" */
	bool provisional;
	const char *held_back;		/* NULL: it is not; "": it was, and is not any more */
	const char *remedy_step, *remedy_phase;	/* NULL: it is not about a remedy */
	uint64_t at_ns;
	uint64_t event_ns;		/* node's UTC of the measurement; 0: none */
};

/* https, or http to loopback; no user in it, no control characters. The text says what is wrong with which. */
int webhook_check_url(const char *url, struct why *ret_why);
/* "https://host:port": what a log may say of it. Of a checked URL. */
void webhook_origin(const char *url, char ret[128]);
int webhook_body(const struct webhook_transition *t, const struct sign_key *key, struct buf *ret);
/* The id in a body that webhook_body() made, for the header. */
int webhook_id(const void *body, size_t size, uint64_t *ret);

#endif
