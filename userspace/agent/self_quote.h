/* SPDX-License-Identifier: Apache-2.0 */
/*
 * self_quote.h: quotes of the node's own, as lines of type quote, so that a ledger directory proves itself offline while no verifier asks.
 * In: an identity with a TPM, the anchored head. Out: on schedule: flush, extend, hold extends, quote, line. The nonce is derived from the
 * checkpoint: it proves order and completeness up to there, not the time.
 */
#ifndef PLUMB_SELF_QUOTE_H
#define PLUMB_SELF_QUOTE_H

#include <event2/event.h>
#include "commit.h"
#include "identity.h"
#include "ima_keep.h"
#include "ledger_writer.h"
#include "tpm_queue.h"

#define SELF_QUOTE_DOMAIN "plumb-self-quote-v1"

struct self_quote;

struct self_quote_options {
	struct tpm_queue *queue;		/* borrowed, as all here */
	struct ledger_writer *writer;
	const struct identity *identity;
	struct ima_keep *ima_keep;		/* NULL: there is no list of IMA's */
	uint64_t interval_ms;
	uint64_t baseline_version;		/* 0: none */
	void (*quoted)(void *ctx, uint64_t size);	/* a quote's line was written; may be NULL */
	void *ctx;
};

int self_quote_open(struct event_base *base, const struct self_quote_options *o, struct self_quote **ret);
struct self_quote *self_quote_free(struct self_quote *s);	/* after tpm_queue_free() */
void self_quote_now(struct self_quote *s);	/* as soon as all that is appended by now is anchored */
void self_quote_last(struct self_quote *s);	/* now, and none after it */
void self_quote_anchored(struct self_quote *s);	/* called when a checkpoint was anchored */
bool self_quote_is_idle(const struct self_quote *s);	/* none is wanted or being made */

/* Nonce of a quote of its own: SHA-256(SELF_QUOTE_DOMAIN ‖ checkpoint text). */
int self_quote_nonce(const struct checkpoint *c, struct digest *ret);

#endif
