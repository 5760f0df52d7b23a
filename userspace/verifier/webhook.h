/* SPDX-License-Identifier: Apache-2.0 */
/*
 * webhook.h: the body that webhooks get (docs/wire.md): a transition as JSON in a DSSE envelope. In: a transition, the verifier's key.
 * Out: bytes. Pure.
 */
#ifndef PLUMB_WEBHOOK_H
#define PLUMB_WEBHOOK_H

#include "sign.h"
#include "store.h"

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
	uint64_t at_ns;
	uint64_t event_ns;		/* node's UTC of the measurement; 0: none */
};

int webhook_body(const struct webhook_transition *t, const struct sign_key *key, struct buf *ret);

#endif
