/* SPDX-License-Identifier: Apache-2.0 */
#include "commit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "anchors.h"
#include "cleanup.h"
#include "log.h"
#include "quote.h"

#define MIN_RETRY_MS 100
#define MAX_RETRY_MS 30000
#define SLOW_PAUSE_MS 2000 /* between two extends, whatever is urgent */
#define SLOW_BATCH_MS 30000
#define SLOW_EXTENDS \
	2000 /* an hour of such; evidence has room for 45,000 (WIRE_MAX_ANCHORS), which are two weeks of long batches */
#define SLOW_AWAITED \
	20000 /* after those, for whom somebody is held: half a day without a break; a week of long batches is left */
#define SLOW_BATCH_LINES 4096
#define CURE_DISK "make room on the ledger's disk, or see to it"
#define CURE_TPM "see to the TPM; plumbd goes on when it answers"

/* What comes next for the one batch that is in flight. */
enum step {
	STEP_IDLE = 0,
	STEP_EXTEND, /* its extend record is synced; the job is to be submitted */
	STEP_DONE, /* extended; the done record is to be written */
	STEP_LOOK, /* the register is not as expected: read it and the counts */
	STEP_RULE, /* that was read and ruled on; anchor records are to be written */
};

struct commit {
	struct ledger *ledger;
	struct tpm_queue *queue;
	const struct sign_key *event_key;
	struct commit_calls calls;
	struct event *timer; /* a batch fills, or a failure is tried again */
	struct event
		*sync_timer; /* while the TPM is slow or away, lines become durable all the same */
	uint64_t batch_ms, retry_ms;
	uint32_t batch_lines;
	enum step step;
	bool armed; /* timer runs */
	bool paused; /* until timer: the step at hand failed, or a flood is slowed down */
	bool in_flight; /* an extend or a look is with the TPM's thread */
	bool urgent; /* do not wait for the batch to fill */
	bool held;
	bool slow;
	bool resting; /* paused only to be slow */
	bool awaited; /* somebody is held until what is appended is extended */
	bool long_rest; /* while resting: the pause that it is at least is over */
	uint32_t slow_extends, slow_awaited;
	uint32_t n_slow, n_awaited; /* since it is slow */
	bool signing;
	struct anchors anchors;
	struct checkpoint signed_head; /* the newest one that a signature was asked for */
	uint64_t signed_size; /* lines that a signature in notes covers */
	struct epoch_seen now;
	struct epoch_seen looked; /* written on the TPM's thread while a look is in flight */
	struct epoch_ruling ruling, told; /* of that look: what is left to write, and as it was */
};

static void run(struct commit *c);

static struct timeval milliseconds(uint64_t ms)
{
	return (struct timeval){(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};
}

static void arm(struct commit *c, uint64_t ms)
{
	const struct timeval tv = milliseconds(ms);

	event_add(c->timer, &tv);
	c->armed = true;
}

/* It is tried again, later each time. Nothing is given up. */
static void back_off(struct commit *c, const char *what, int r, const char *cure)
{
	c->paused = true;
	if (r == -ECANCELED) /* the queue closes */
		return;
	c->retry_ms = c->retry_ms ? c->retry_ms * 2 : MIN_RETRY_MS;
	if (c->retry_ms > MAX_RETRY_MS)
		c->retry_ms = MAX_RETRY_MS;
	log_error("commit=%s error=\"%s\" unsynced_lines=%" PRIu64 " next_try_ms=%" PRIu64
		  " cure=\"%s\"",
		  what, strerror(-r), ledger_next_seq(c->ledger) - ledger_synced_size(c->ledger),
		  c->retry_ms, cure);
	arm(c, c->retry_ms);
}

static uint64_t waiting_lines(const struct commit *c)
{
	return c->queue ? anchors_waiting(&c->anchors)
			: ledger_next_seq(c->ledger) - ledger_synced_size(c->ledger);
}

static void on_extended(void *ctx, struct tpm_job *job)
{
	struct commit *c = ctx;

	c->in_flight = false;
	if (job->result == -ECANCELED)
		return;
	/* Failed, and perhaps extended all the same; or somebody else extended as well: only a look can tell. */
	c->step = STEP_LOOK;
	if (job->result < 0) {
		back_off(c, "extend_failed", job->result, CURE_TPM);
		return;
	}
	c->retry_ms = 0;
	if (digest_equal(&job->pcr_after, &c->anchors.st.fold_pending))
		c->step = STEP_DONE;
	run(c);
}

static void submit_extend(struct commit *c)
{
	struct tpm_job job = {.kind = TPM_JOB_EXTEND,
			      .pcr_index = c->now.pcr_index,
			      .done = on_extended,
			      .ctx = c};
	int r = checkpoint_digest(&c->anchors.pending, &job.digest);

	if (r >= 0)
		r = tpm_queue_submit(c->queue, &job);
	if (r < 0)
		back_off(c, "extend_refused", r, CURE_TPM);
	else
		c->in_flight = true;
}

/* On the TPM's thread. Counts before and after the value, so that both belong together. */
static int look(struct tpm *tpm, void *ctx)
{
	struct commit *c = ctx;
	const uint32_t mask = 1u << c->looked.pcr_index;
	struct quote_pcrs pcrs = {.mask = 0};
	struct tpm_clock before, after;

	for (int tries = 0; tries < 3; tries++) {
		int r = tpm->ops->read_clock(tpm->ctx, &before);

		if (r >= 0)
			r = tpm->ops->pcr_read(tpm->ctx, mask, &pcrs);
		if (r >= 0)
			r = tpm->ops->read_clock(tpm->ctx, &after);
		if (r < 0)
			return r;
		if (before.reset_count != after.reset_count ||
		    before.restart_count != after.restart_count || !(pcrs.mask & mask))
			continue;
		c->looked.reset_count = after.reset_count;
		c->looked.restart_count = after.restart_count;
		c->looked.pcr = pcrs.values[c->looked.pcr_index];
		return 0;
	}
	return -EIO;
}

static void on_looked(void *ctx, struct tpm_job *job)
{
	struct commit *c = ctx;

	c->in_flight = false;
	if (job->result == -ECANCELED)
		return;
	if (job->result < 0) {
		back_off(c, "look_failed", job->result, CURE_TPM);
		return;
	}
	c->retry_ms = 0;
	/* The log was read at the start, and explains what was there then. */
	if (!digest_equal(&c->looked.pcr, &c->now.pcr))
		c->looked.explained = false;
	c->now = c->looked;
	epoch_rule(&c->anchors.st, &c->now, &c->ruling);
	c->told = c->ruling;
	c->step = STEP_RULE;
	run(c);
}

static void submit_look(struct commit *c)
{
	const struct tpm_job job = {
		.kind = TPM_JOB_CALL, .call = look, .done = on_looked, .ctx = c};
	int r;

	c->looked = c->now;
	r = tpm_queue_submit(c->queue, &job);
	if (r < 0)
		back_off(c, "look_refused", r, CURE_TPM);
	else
		c->in_flight = true;
}

static void rule(struct commit *c)
{
	int r = anchors_carry_out(&c->anchors, &c->now, &c->ruling, false);

	if (r < 0) {
		back_off(c, "anchor_unwritten", r, CURE_DISK);
		return;
	}
	c->retry_ms = 0;
	c->urgent = true;
	c->step = c->anchors.st.has_pending ? STEP_EXTEND : STEP_IDLE;
	if (c->told.foreign) {
		/* Whoever extends without end gets one line a batch, not one each time. */
		c->paused = true;
		arm(c, c->batch_ms);
	}
	if (c->told.pending == EPOCH_PENDING_DONE && c->calls.anchored)
		c->calls.anchored(c->calls.ctx, &c->anchors.head);
	if (c->told.is_new && c->calls.epoch)
		c->calls.epoch(c->calls.ctx, &c->now, &c->told);
	if (c->told.foreign && c->calls.foreign)
		c->calls.foreign(c->calls.ctx, &c->now, &c->told);
}

/* Lines synced, then the extend record synced; only after that anybody may hear of this head. */
static void begin(struct commit *c)
{
	int r = ledger_sync(c->ledger);

	if (r < 0) {
		back_off(c, "lines_unwritten", r, CURE_DISK);
		return;
	}
	event_del(c->timer);
	c->armed = false;
	c->retry_ms = 0;
	if (!c->queue)
		c->urgent = false;
	if (!c->queue || c->held)
		return;
	r = anchors_extend(&c->anchors);
	if (r < 0) {
		back_off(c, "anchor_unwritten", r, CURE_DISK);
		return;
	}
	c->urgent = c->awaited = false;
	c->step = STEP_EXTEND;
	if (c->calls.provisional)
		c->calls.provisional(c->calls.ctx, &c->anchors.pending);
}

static void rest(struct commit *c)
{
	c->paused = c->resting = true;
	c->long_rest = false;
	c->n_slow++;
	arm(c, SLOW_PAUSE_MS);
}

/* Whoever is held does not wait for the long part of a pause, as long as evidence has room for so many. */
static bool is_cut_short(struct commit *c)
{
	bool is = c->awaited && c->n_awaited < c->slow_awaited;

	c->n_awaited += is;
	return is;
}

static void confirm(struct commit *c)
{
	int r = anchors_done(&c->anchors);

	if (r < 0) {
		back_off(c, "anchor_unwritten", r, CURE_DISK);
		return;
	}
	c->retry_ms = 0;
	c->step = STEP_IDLE;
	if (c->slow)
		rest(c);
	if (c->calls.anchored)
		c->calls.anchored(c->calls.ctx, &c->anchors.head);
}

static int write_note(struct commit *c, const struct tpm_job *job)
{
	CLEANUP(buf_done) struct buf der = {0}, line = {0};
	const struct checkpoint *head = &c->signed_head;
	struct why why = {""};
	int r = quote_signature_der(job->sig.data, job->sig.size, &der, &why);

	if (r >= 0)
		r = checkpoint_note_line(CHECKPOINT_SIG_P256, head->origin, c->event_key, der.data,
					 der.size, &line);
	return r < 0 ? r
		     : ledger_note(c->ledger, head->size, &head->root, (const char *)line.data,
				   line.size);
}

static void on_signed(void *ctx, struct tpm_job *job)
{
	struct commit *c = ctx;
	int r = job->result;

	c->signing = false;
	if (r == -ECANCELED)
		return;
	if (r >= 0)
		r = write_note(c, job);
	if (r >= 0)
		c->signed_size = c->signed_head.size;
	if (r < 0)
		log_warning("commit=unsigned size=%" PRIu64 " error=\"%s\" next=\"the next "
			    "checkpoint's signature covers it\"",
			    c->signed_head.size, strerror(-r));
	run(c);
}

/* The newest checkpoint alone, and only while there is nothing to extend: it covers those before it, and chips sign slowly. */
static void sign(struct commit *c)
{
	struct tpm_job job = {.kind = TPM_JOB_SIGN, .done = on_signed, .ctx = c};

	if (!c->event_key || c->signing || c->held || c->anchors.head.size <= c->signed_head.size ||
	    checkpoint_digest(&c->anchors.head, &job.digest) < 0)
		return;
	c->signed_head = c->anchors.head;
	c->signing = tpm_queue_submit(c->queue, &job) >= 0;
}

/* True: there may be another step right away. */
static bool step(struct commit *c)
{
	enum step before = c->step;

	switch (before) {
	case STEP_IDLE:
		if (waiting_lines(c) == 0)
			c->urgent = false;
		else if (c->urgent ||
			 waiting_lines(c) >= (c->slow ? SLOW_BATCH_LINES : c->batch_lines))
			begin(c);
		break;
	case STEP_EXTEND:
		submit_extend(c);
		break;
	case STEP_DONE:
		confirm(c);
		break;
	case STEP_LOOK:
		submit_look(c);
		break;
	case STEP_RULE:
		rule(c);
		break;
	}
	return !c->paused && !c->in_flight && c->step != before;
}

static void run(struct commit *c)
{
	const struct timeval batch = milliseconds(c->batch_ms);

	while (!c->paused && !c->in_flight && step(c))
		;
	if (c->queue && ledger_next_seq(c->ledger) > ledger_synced_size(c->ledger) &&
	    !event_pending(c->sync_timer, EV_TIMEOUT, NULL))
		event_add(c->sync_timer, &batch);
	if (c->paused || c->in_flight || c->step != STEP_IDLE)
		return;
	if (waiting_lines(c) > 0 && !c->armed && !c->held)
		arm(c, c->slow && c->batch_ms < SLOW_BATCH_MS ? SLOW_BATCH_MS : c->batch_ms);
	if (c->queue && !c->urgent)
		sign(c);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct commit *c = ctx;

	(void)fd;
	(void)what;
	c->armed = false;
	if (c->resting && !c->long_rest && c->n_slow > c->slow_extends && !is_cut_short(c)) {
		c->long_rest = true;
		arm(c, SLOW_BATCH_MS - SLOW_PAUSE_MS);
		return;
	}
	if (!c->paused)
		c->urgent = true;
	c->paused = c->resting = false;
	run(c);
}

static void on_sync(evutil_socket_t fd, short what, void *ctx)
{
	struct commit *c = ctx;

	(void)fd;
	(void)what;
	/* A disk that refuses is told by the step that needs it; here it is tried again in a batch's time. */
	if (ledger_next_seq(c->ledger) > ledger_synced_size(c->ledger))
		ledger_sync(c->ledger);
	run(c);
}

void commit_appended(struct commit *c, bool urgent)
{
	if (urgent) /* a store for each line would hold up run(), which reads this with its neighbours */
		c->urgent = true;
	run(c);
}

void commit_awaited(struct commit *c)
{
	c->urgent = true;
	c->awaited = waiting_lines(c) > 0;
	if (c->resting && c->long_rest && is_cut_short(c)) {
		event_del(c->timer);
		c->armed = c->paused = c->resting = false;
	}
	run(c);
}

void commit_hold(struct commit *c, bool hold)
{
	c->held = hold;
	run(c);
}

void commit_slow(struct commit *c, bool slow)
{
	if (c->slow == slow)
		return;
	c->slow = slow;
	c->n_slow = c->n_awaited = 0;
	if (slow)
		return;
	if (c->resting)
		c->paused = c->resting = false;
	/* What a long batch was waited for goes now. */
	if (c->armed && !c->paused) {
		event_del(c->timer);
		c->armed = false;
		c->urgent = true;
	}
	run(c);
}

void commit_look(struct commit *c)
{
	if (!c->queue || c->step != STEP_IDLE)
		return; /* what is in flight will be compared anyway */
	c->step = STEP_LOOK;
	run(c);
}

bool commit_is_quiet(const struct commit *c)
{
	return c->step == STEP_IDLE && !c->in_flight;
}

bool commit_is_anchored(const struct commit *c)
{
	return commit_is_quiet(c) && waiting_lines(c) == 0;
}

bool commit_is_idle(const struct commit *c)
{
	return commit_is_anchored(c) && !c->signing &&
	       (!c->queue || !c->event_key || c->signed_head.size >= c->anchors.head.size);
}

uint64_t commit_signed_size(const struct commit *c)
{
	return c->signed_size;
}

void commit_head(const struct commit *c, struct checkpoint *ret)
{
	*ret = c->anchors.head;
}

const struct digest *commit_fold(const struct commit *c)
{
	return &c->anchors.st.fold;
}

void commit_epoch(const struct commit *c, struct epoch_seen *ret)
{
	*ret = c->now;
}

static int begin_epoch(struct commit *c, const struct ledger_recovery *found,
		       const struct epoch_seen *now, struct epoch_ruling *ret, struct why *ret_why)
{
	int r = anchors_open(c->ledger, found, &c->anchors, ret_why);

	if (r < 0)
		return r;
	c->now = *now;
	epoch_rule(&c->anchors.st, now, &c->ruling);
	*ret = c->ruling;
	r = anchors_carry_out(&c->anchors, now, &c->ruling, true);
	c->step = c->anchors.st.has_pending ? STEP_EXTEND : STEP_IDLE;
	return r < 0 ? why_set(ret_why, r, "anchors: %s", strerror(-r)) : 0;
}

int commit_open(struct event_base *base, const struct commit_options *o,
		const struct ledger_recovery *found, const struct epoch_seen *now,
		struct commit **ret, struct epoch_ruling *ret_ruling, struct why *ret_why)
{
	struct commit *c = calloc(1, sizeof(*c));
	int r = 0;

	if (!c)
		return -ENOMEM;
	c->ledger = o->ledger;
	c->queue = o->queue;
	c->event_key = o->event_key;
	c->calls = o->calls;
	c->batch_ms = o->batch_ms ? o->batch_ms : COMMIT_BATCH_MS;
	c->slow_extends = o->slow_extends ? o->slow_extends : SLOW_EXTENDS;
	c->slow_awaited = o->slow_awaited ? o->slow_awaited : SLOW_AWAITED;
	c->batch_lines = o->batch_lines ? o->batch_lines : COMMIT_BATCH_LINES;
	c->timer = evtimer_new(base, on_timer, c);
	c->sync_timer = evtimer_new(base, on_sync, c);
	if (!c->timer || !c->sync_timer)
		r = -ENOMEM;
	else if (c->queue)
		r = begin_epoch(c, found, now, ret_ruling, ret_why);
	if (r < 0) {
		commit_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

struct commit *commit_free(struct commit *c)
{
	if (!c)
		return NULL;
	if (c->timer)
		event_free(c->timer);
	if (c->sync_timer)
		event_free(c->sync_timer);
	free(c);
	return NULL;
}
