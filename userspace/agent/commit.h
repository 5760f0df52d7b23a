/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commit.h: group commit: makes appended lines durable, anchors them in the PCR, and signs the newest checkpoint when idle.
 * In: "a line was appended". Out: sync → extend record → provisional call → extend → done record → anchored call → signature in notes.
 * One extend is in flight; what arrives meanwhile is the next batch. A full disk or a failing TPM is tried again with back-off. Loop's thread.
 */
#ifndef PLUMB_COMMIT_H
#define PLUMB_COMMIT_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include "epoch.h"
#include "ledger_write.h"
#include "sign.h"
#include "tpm_queue.h"

#define COMMIT_BATCH_MS 1000
#define COMMIT_BATCH_LINES 256

struct commit;

/* Each may be NULL. Lines may be appended from inside a call; commit must not be freed there. */
struct commit_calls {
	void *ctx;
	void (*provisional)(void *ctx, const struct checkpoint *head);	/* lines and extend record are synced; may be sent */
	void (*anchored)(void *ctx, const struct checkpoint *head);	/* extended, done record synced */
	void (*epoch)(void *ctx, const struct epoch_seen *now, const struct epoch_ruling *r);	/* a new epoch while running: a line is due */
	void (*foreign)(void *ctx, const struct epoch_seen *now, const struct epoch_ruling *r);	/* somebody else extended: a line is due */
};

struct commit_options {
	struct ledger *ledger;		/* borrowed, as all here */
	struct tpm_queue *queue;	/* NULL: no TPM; lines are synced, nothing is anchored */
	const struct sign_key *event_key;	/* public; NULL: nothing is signed */
	uint64_t batch_ms;		/* 0: COMMIT_BATCH_MS */
	uint32_t batch_lines;		/* 0: COMMIT_BATCH_LINES */
	uint32_t slow_extends;		/* after so many while it is slow, urgent ones wait as long as others; 0: 2000 */
	uint32_t slow_awaited;		/* and after so many more those that somebody is held for; 0: 20000 */
	struct commit_calls calls;
};

/*
 * found: what ledger_open() told. now: the TPM at this moment; NULL without one. Writes the anchor records that the start asks for
 * and says in *ret_ruling what the start was. -EBADMSG: what is anchored is not in the ledger.
 */
int commit_open(struct event_base *base, const struct commit_options *o, const struct ledger_recovery *found,
		const struct epoch_seen *now, struct commit **ret, struct epoch_ruling *ret_ruling, struct why *ret_why);
struct commit *commit_free(struct commit *c);		/* after tpm_queue_free(): no job may be left */

void commit_appended(struct commit *c, bool urgent);	/* urgent: all that is appended goes at once */
void commit_awaited(struct commit *c);			/* the same, and somebody is held until then: also while it is slow, two seconds after the last extend at most */
void commit_hold(struct commit *c, bool hold);		/* no new extend begins (a quote is made); lines are still synced in time */
void commit_slow(struct commit *c, bool slow);		/* extends are spared: nobody hears of them for long; lines are synced as before */
void commit_look(struct commit *c);			/* reads the register and the counts anew: something was not as expected */

bool commit_is_idle(const struct commit *c);		/* nothing in flight, waiting or retried, signatures included */
bool commit_is_quiet(const struct commit *c);		/* no extend is in flight: the PCR holds commit_fold() */
bool commit_is_anchored(const struct commit *c);	/* quiet, and all appended lines are */
void commit_head(const struct commit *c, struct checkpoint *ret);	/* newest anchored; size 0: none in this epoch */
uint64_t commit_signed_size(const struct commit *c);	/* lines that a signature of this run covers, and notes has it */
const struct digest *commit_fold(const struct commit *c);	/* what the PCR must hold when no extend is in flight; borrowed */
void commit_epoch(const struct commit *c, struct epoch_seen *ret);	/* counts of the epoch that the fold belongs to */

#endif
