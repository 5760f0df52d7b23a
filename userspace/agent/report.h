/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.h: tells the verifier: drift at once and provisionally, evidence under a fresh nonce on schedule and when there is news; and
 * hands on its orders. In: "drift was written", heads from commit. Out: evidence over transport; cosignatures into notes; quote lines;
 * orders to the caller. The ledger on disk is the spool: what was not acknowledged is sent again from where the verifier stands.
 */
#ifndef PLUMB_REPORT_H
#define PLUMB_REPORT_H

#include <event2/event.h>
#include <stdbool.h>
#include "clock.h"
#include "identity.h"
#include "ima_keep.h"
#include "ledger_writer.h"
#include "ima_list.h"
#include "tpm_queue.h"
#include "transport.h"

struct report;

struct report_options {			/* all borrowed */
	struct transport *transport;
	struct tpm_queue *queue;
	struct ledger_writer *writer;
	const struct identity *identity;
	const struct clock *clock;
	const struct fsio *io;
	const char *ledger_dir;
	struct ima_list *ima;		/* NULL: there is none */
	struct ima_keep *ima_keep;	/* NULL: it is not kept */
	struct digest client_key;	/* SPKI of the certificate's key */
	uint64_t interval_ms;		/* 60000 */
	/* DSSE envelopes of an answer, oldest first, unverified. */
	void (*orders)(void *ctx, const struct buf *envelopes, uint32_t n);
	/* A certificate that came with accepted evidence, PEM, unverified. May be NULL. */
	void (*renewed)(void *ctx, const struct buf *pem);
	/* Evidence up to there was accepted, and its cosignature is kept. May be NULL. */
	void (*confirmed)(void *ctx, uint64_t size);
	/* What quotes and evidence say of us. */
	void (*standing)(void *ctx, uint64_t *ret_last_order, uint64_t *ret_baseline_version);
	void *ctx;
	uint32_t max_lines;		/* of one body; 0: WIRE_MAX_EVIDENCE_LINES (tests) */
	size_t max_bytes;		/* of the lines of one body; 0: EVIDENCE_MAKER_BYTES (tests) */
};

int report_open(struct event_base *base, const struct report_options *o, struct report **ret, struct why *ret_why);
struct report *report_free(struct report *r);		/* after tpm_queue_free() and then transport_free() */
void report_drift(struct report *r);			/* drift was written: it leaves at once, and evidence after it */
void report_anchored(struct report *r);			/* called when a checkpoint was anchored */
void report_now(struct report *r);			/* evidence as soon as all that is appended by now is anchored */
void report_last(struct report *r, bool leaving);	/* the last evidence before a stop; leaving: the stop was announced */
bool report_is_idle(const struct report *r);		/* nothing is in flight, and nothing wanted of a verifier that is there; the last: nor of one that would answer the same again */

#endif
