/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.h: tells the verifier: drift at once and provisionally, evidence under a fresh nonce on schedule and when there is news; and
 * takes its orders. In: heads from commit, "a drift was written". Out: evidence over transport; cosignatures into notes; quote lines;
 * orders to the caller. The ledger on disk is the spool: what was not acknowledged is sent again from where the verifier stands.
 */
#ifndef PLUMB_REPORT_H
#define PLUMB_REPORT_H

#include "clock.h"
#include "identity.h"
#include "ledger_writer.h"
#include "order.h"
#include "tpm_queue.h"
#include "transport.h"
#include <event2/event.h>
#include <stdbool.h>

struct report;

struct report_options { /* all borrowed */
	struct transport *transport;
	struct tpm_queue *queue;
	struct ledger_writer *writer;
	const struct identity *identity;
	const struct clock *clock;
	struct digest client_key; /* SPKI of the certificate's key */
	uint64_t interval_ms; /* 60000 */
	uint64_t last_order; /* recovered from the ledger */
	uint64_t baseline_version; /* 0: none */
	/* A verified order that is new: carry it out and write its line. 0: carried out. Number, kind, node and incarnation were checked. */
	int (*order)(void *ctx, const struct order *o);
	void *ctx;
};

int report_open(struct event_base *base, const struct report_options *o, struct report **ret,
		struct why *ret_why);
struct report *report_free(struct report *r); /* after tpm_queue_free() and transport_free() */
void report_provisional(struct report *r, const struct checkpoint *head,
			bool drift); /* from commit: synced, may be sent; drift: sent at once */
void report_anchored(struct report *r, const struct checkpoint *head);
void report_now(struct report *r); /* evidence as soon as all that is appended is anchored */
void report_leaving(struct report *r); /* the last evidence before an ordered stop */
bool report_is_idle(const struct report *r);
void report_baseline(struct report *r, uint64_t version); /* judged by from here on */

#endif
