/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_writer.h: judges what the sensors measured, writes it into the ledger, and the ledger's own records: log, start, epoch, gap, stop,
 * counters, lost. In: the measure sink, on the loop's thread. Out: lines, handed to commit: at once for what matters, else in batches.
 * What the ledger cannot take is counted and told.
 */
#ifndef PLUMB_LEDGER_WRITER_H
#define PLUMB_LEDGER_WRITER_H

#include <event2/event.h>
#include <stdbool.h>
#include "baseline.h"
#include "clock.h"
#include "commit.h"
#include "measure.h"
#include "record.h"
#include "redact.h"
#include "why.h"

struct ledger_writer;

struct ledger_writer_options {
	const struct fsio *io;		/* borrowed */
	const struct clock *clock;	/* borrowed */
	const char *dir;
	const char *origin;
	const struct baseline *baseline;	/* borrowed; NULL: nothing is judged */
	uint64_t batch_ms;		/* 0: 1000 */
	struct tpm_queue *queue;	/* borrowed; NULL: no TPM, lines are synced and nothing is anchored */
	const struct epoch_seen *now;	/* the TPM at this moment; NULL without one */
	const struct sign_key *event_key;	/* borrowed, public; NULL: nothing is signed */
	void (*provisional)(void *ctx, const struct checkpoint *head);	/* as in commit.h; may be NULL */
	void (*anchored)(void *ctx, const struct checkpoint *head);
	void (*drift)(void *ctx, const struct line *l);	/* a line that is drift, or with judgement ok the end of one, was appended; may be NULL; not during open */
	void (*again)(void *ctx);	/* measurements were not written for want of room, and there is room: tell all that is known again; may be NULL */
	void *ctx;
	bool exec_all;			/* false: each run that is as one before it (told.h) is only counted */
	struct redact *redact;	/* borrowed; NULL: no arguments are wanted */
	const struct record *record;	/* borrowed; who came before this ledger; NULL: nobody */
	uint64_t segment_size;		/* as in ledger_write.h; 0: its default */
	uint64_t max_unsent;		/* bytes that a verifier has not got, beyond which only drift is written; 0: no bound */
};

/* Opens or recovers the ledger and writes log (line 0), start, epoch and gap. Errors as ledger_open() and commit_open(). */
int ledger_writer_open(struct event_base *base, const struct ledger_writer_options *o, struct ledger_writer **ret, struct why *ret_why);
struct ledger_writer *ledger_writer_free(struct ledger_writer *w);	/* after tpm_queue_free(); syncs; logs when that fails */
const struct measure_sink *ledger_writer_sink(const struct ledger_writer *w);	/* borrowed */
/* A record of the ledger's own: members as JSON without braces. */
int ledger_writer_record(struct ledger_writer *w, enum plumb_type type, const char *src, const char *members);
int ledger_writer_stop(struct ledger_writer *w, const char *why, uint64_t order);	/* the `stop` line, synced; order: that announced it; 0: none */
/* Judged by from here on: a `baseline` line; programs that were seen are told again. Borrowed. */
int ledger_writer_set_baseline(struct ledger_writer *w, const struct baseline *b);
/*
 * The same as the sink's measurement, but also beyond the spool's bound, and at once. *ret_size: so many lines must be anchored before the PCR
 * covers it; of a repeat, the one that was written before. -errno: it could not be written.
 */
int ledger_writer_before(struct ledger_writer *w, const struct line *l, uint64_t *ret_size);
/* Lines [from, to), each with LF, at most max bytes, as they are in the ledger. ret_to: the first that is not in ret. -ENODATA: pruned. */
int ledger_writer_lines(struct ledger_writer *w, uint64_t from, uint64_t to, size_t max, struct buf *ret, uint64_t *ret_to);
void ledger_writer_sent(struct ledger_writer *w, uint64_t size);	/* lines that the verifier has: max_unsent counts from there */
uint64_t ledger_writer_sent_size(const struct ledger_writer *w);	/* as it said last; may go down when it lost some */
uint64_t ledger_writer_last_order(const struct ledger_writer *w);	/* highest in an `order` line, as found at the start */
const struct baseline *ledger_writer_baseline(const struct ledger_writer *w);	/* that judges now; NULL: none. Borrowed, until another is set */
struct ledger *ledger_writer_ledger(const struct ledger_writer *w);	/* borrowed */
uint64_t ledger_writer_size(const struct ledger_writer *w);		/* lines appended */
struct commit *ledger_writer_commit(const struct ledger_writer *w);	/* borrowed */

#endif
