/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "anchor_cut.h"
#include "cleanup.h"
#include "evidence.h"
#include "log.h"
#include "plumb/wire.h"
#include "quote_line.h"

#define MIN_WAIT_MS 200
#define MAX_WAIT_MS 30000
#define REFUSED_WAIT_MS 60000
#define MAX_LINES_BYTES (10u << 20) /* of one body, beside the anchors */
#define NONCE_MARGIN_NS 1000000000ull

enum phase {
	PHASE_IDLE = 0,
	PHASE_NONCE,
	PHASE_READY,
	PHASE_QUOTING,
	PHASE_SENDING,
	PHASE_BACKLOG
};

struct report {
	struct report_options o;
	struct commit *commit;
	struct event *timer; /* schedule, or the end of a back-off */
	struct event
		*drift_event; /* one message for all that was written in this turn of the loop */
	enum phase phase;
	bool wanted, waiting; /* waiting: for the end of a back-off */
	bool leaving, last;
	uint64_t want_size;
	uint64_t wait_ms;
	bool away;
	uint64_t away_since_ns;
	bool drift_wanted, drift_in_flight;
	bool knows_size;
	uint64_t size; /* lines that the verifier has stored */
	struct evidence_nonce nonce;
	uint64_t nonce_until_ns; /* boot time */
	struct checkpoint head; /* that the quote or the signature at hand is over */
	struct digest qualifying;
	uint64_t last_order, baseline_version; /* as bound into the quote */
};

static void attempt(struct report *r);
static void on_evidence(void *ctx, int result, const struct evidence_answer *a,
			const struct why *why);

static void arm(struct report *r, uint64_t ms)
{
	const struct timeval tv = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};

	event_add(r->timer, &tv);
}

/* Told once when it goes away and once when it is back. */
static void tell_away(struct report *r, const struct why *why)
{
	if (r->away)
		return;
	r->away = true;
	r->away_since_ns = clock_boot_ns(r->o.clock);
	log_warning("verifier=away error=\"%s\" next=\"the ledger keeps what is new; tried again\"",
		    why->text);
}

static void tell_back(struct report *r)
{
	if (!r->away)
		return;
	r->away = false;
	log_notice("verifier=back after_s=%" PRIu64 " lines_waiting=%" PRIu64,
		   (clock_boot_ns(r->o.clock) - r->away_since_ns) / 1000000000,
		   ledger_writer_size(r->o.writer) - r->size);
}

/* Tried again later, later each time; a little apart from other nodes that lost the same verifier. */
static void back_off(struct report *r, uint64_t least_ms)
{
	uint64_t jitter;

	r->phase = PHASE_IDLE;
	r->wait_ms = r->wait_ms ? r->wait_ms * 2 : MIN_WAIT_MS;
	if (r->wait_ms > MAX_WAIT_MS)
		r->wait_ms = MAX_WAIT_MS;
	if (r->wait_ms < least_ms)
		r->wait_ms = least_ms;
	jitter = clock_boot_ns(r->o.clock) / 1000 % (r->wait_ms / 4 + 1);
	r->waiting = true;
	arm(r, r->wait_ms + jitter);
}

static void fail(struct report *r, int result, const struct why *why)
{
	if (result == -ECANCELED) {
		r->phase = PHASE_IDLE;
		return;
	}
	if (result == -EPERM) {
		log_error("verifier=refuses error=\"%s\" next=\"tried again in a minute\"",
			  why->text);
		back_off(r, REFUSED_WAIT_MS);
		return;
	}
	if (result != -ESTALE)
		tell_away(r, why);
	back_off(r, 0);
}

static void settled(struct report *r)
{
	r->phase = PHASE_IDLE;
	r->wait_ms = 0;
	tell_back(r);
}

/* What is new for the verifier, bounded. */
static int read_lines(struct report *r, uint64_t from, uint64_t to, struct buf *ret,
		      uint64_t *ret_to)
{
	uint64_t most = r->o.max_lines ? r->o.max_lines : WIRE_MAX_EVIDENCE_LINES;

	if (to - from > most)
		to = from + most;
	return ledger_writer_lines(r->o.writer, from, to, MAX_LINES_BYTES, ret, ret_to);
}

static void fill(const struct report *r, struct evidence *e, const struct checkpoint *head,
		 uint64_t from, const struct buf *lines)
{
	const struct record *rec = &r->o.identity->record;

	*e = (struct evidence){.incarnation = rec->incarnation,
			       .checkpoint = *head,
			       .from = from,
			       .n_lines = head->size - from,
			       .judge_version = PLUMB_JUDGE_VERSION,
			       .lines = {lines->data, lines->size}};
	memcpy(e->node, rec->node, sizeof(e->node));
	snprintf(e->agent_version, sizeof(e->agent_version), "%s", PLUMB_VERSION);
	e->sent_ns = clock_utc_ns(r->o.clock);
	r->o.standing(r->o.ctx, &e->last_order, &e->baseline_version);
}

static void keep_cosignature(struct report *r, const struct evidence_answer *a,
			     const struct checkpoint *head)
{
	int result;

	if (!a->cosignature[0])
		return;
	result = ledger_note(ledger_writer_ledger(r->o.writer), head->size, &head->root,
			     a->cosignature, strlen(a->cosignature));
	if (result < 0)
		log_warning("cosignature=unkept size=%" PRIu64
			    " error=\"%s\" next=\"the next one covers it\"",
			    head->size, strerror(-result));
}

static void take_size(struct report *r, uint64_t size)
{
	r->size = size;
	r->knows_size = true;
	ledger_writer_sent(r->o.writer, size);
}

/* Provisional drift: lines that are on disk, no TPM in the way. Unsigned, it binds nobody: evidence follows it. */
static void on_provisional(void *ctx, int result, const struct evidence_answer *a,
			   const struct why *why)
{
	struct report *r = ctx;

	r->drift_in_flight = false;
	if (result == -ECANCELED)
		return;
	if (result < 0) {
		/* Evidence carries the same lines, and is tried until it arrives. */
		if (result != -EPERM)
			tell_away(r, why);
		r->drift_wanted = false;
		return;
	}
	take_size(r, a->size);
	if (a->n_orders > 0)
		r->o.orders(r->o.ctx, a->orders, a->n_orders);
	if (r->drift_wanted)
		event_active(r->drift_event, EV_TIMEOUT, 0);
}

static int send_provisional(struct report *r, const struct checkpoint *head, const struct buf *note,
			    void (*done)(void *ctx, int result, const struct evidence_answer *a,
					 const struct why *why))
{
	CLEANUP(buf_done) struct buf lines = {0}, body = {0};
	struct evidence e;
	uint64_t to = r->size;
	int result = read_lines(r, r->size, head->size, &lines, &to);

	if (result < 0)
		return result;
	if (to != head->size)
		return -E2BIG;
	fill(r, &e, head, r->size, &lines);
	e.provisional = true;
	if (note && note->size < sizeof(e.notes[0])) {
		memcpy(e.notes[0], note->data, note->size);
		e.n_notes = 1;
	}
	result = evidence_write(&e, &body);
	return result < 0 ? result : transport_evidence(r->o.transport, true, &body, done, r);
}

static void on_drift(evutil_socket_t fd, short what, void *ctx)
{
	struct report *r = ctx;
	struct checkpoint head = {.size = 0};
	int result;

	(void)fd;
	(void)what;
	if (!r->drift_wanted || r->drift_in_flight || r->phase == PHASE_BACKLOG || !r->knows_size ||
	    r->away)
		return;
	/* On disk before anybody hears of it: what was told must never be missing after a power cut. */
	result = ledger_sync(ledger_writer_ledger(r->o.writer));
	if (result >= 0)
		result = ledger_head(ledger_writer_ledger(r->o.writer), &head);
	r->drift_wanted = false;
	if (result >= 0 && head.size > r->size)
		result = send_provisional(r, &head, NULL, on_provisional);
	r->drift_in_flight = result >= 0;
	if (result < 0 && result != -E2BIG)
		log_warning("drift=untold error=\"%s\" next=\"evidence carries it\"",
			    strerror(-result));
}

void report_drift(struct report *r)
{
	r->drift_wanted = true;
	event_active(r->drift_event, EV_TIMEOUT, 0);
	report_now(r);
}

static int send_evidence(struct report *r, const struct tpm_job *job)
{
	CLEANUP(buf_done) struct buf lines = {0}, body = {0};
	struct evidence e;
	uint64_t to = r->nonce.size;
	int result = read_lines(r, r->nonce.size, r->head.size, &lines, &to);

	if (result < 0)
		return result;
	if (to != r->head.size)
		return -E2BIG;
	fill(r, &e, &r->head, r->nonce.size, &lines);
	e.last_order = r->last_order;
	e.baseline_version = r->baseline_version;
	memcpy(e.nonce, r->nonce.nonce, sizeof(e.nonce));
	e.pcr_index = r->o.identity->now.pcr_index;
	e.pcrs = job->pcrs;
	e.leaving = r->leaving;
	buf_put(&e.attest, job->attest.data, job->attest.size);
	buf_put(&e.sig, job->sig.data, job->sig.size);
	result = anchor_cut_read(r->o.io, r->o.ledger_dir, &r->nonce, &e.anchors);
	if (result >= 0)
		result = evidence_write(&e, &body);
	evidence_done(&e);
	return result < 0 ? result
			  : transport_evidence(r->o.transport, false, &body, on_evidence, r);
}

static int check_quote(const struct report *r, const struct tpm_job *job, struct why *ret_why)
{
	const struct buf *ak = &r->o.identity->record.ak_public;
	struct quote_info info;
	struct epoch_seen epoch;
	int result = quote_check(job->attest.data, job->attest.size, job->sig.data, job->sig.size,
				 ak->data, ak->size, &r->qualifying, &job->pcrs, &info, ret_why);

	if (result < 0)
		return result;
	commit_epoch(r->commit, &epoch);
	if (info.reset_count != epoch.reset_count || info.restart_count != epoch.restart_count ||
	    !digest_equal(&job->pcrs.values[r->o.identity->now.pcr_index], commit_fold(r->commit)))
		return why_set(ret_why, -ESTALE,
			       "the PCR or the counts are not as the anchors say");
	return 0;
}

static void on_quoted(void *ctx, struct tpm_job *job)
{
	struct report *r = ctx;
	struct quote_line line = {.nonce = r->nonce.nonce,
				  .head = &r->head,
				  .job = job,
				  .pcr_index = r->o.identity->now.pcr_index,
				  .baseline_version = r->baseline_version,
				  .last_order = r->last_order,
				  .client_key = r->o.client_key};
	struct why why = {""};
	int result = job->result;

	r->phase = PHASE_IDLE;
	if (result == -ECANCELED)
		return;
	if (result >= 0)
		result = check_quote(r, job, &why);
	if (result >= 0) {
		/* Read before the register may change again; the line comes after the head that it covers. */
		result = send_evidence(r, job);
		if (result >= 0)
			r->phase = PHASE_SENDING;
		if (quote_line_write(r->o.writer, &line) < 0)
			log_warning("quote=unwritten next=\"the verifier has it\"");
	}
	commit_hold(r->commit, false);
	if (result == -ESTALE)
		commit_look(r->commit);
	if (result < 0) {
		log_warning("evidence=unmade error=\"%s\" next=\"tried again\"",
			    why.text[0] ? why.text : strerror(-result));
		back_off(r, 0);
	}
}

static int bind_quote(struct report *r)
{
	char text[CHECKPOINT_MAX_TEXT];
	struct quote_binding b = {.nonce = {r->nonce.nonce, WIRE_NONCE_SIZE},
				  .node = r->o.identity->record.node,
				  .incarnation = r->o.identity->record.incarnation,
				  .checkpoint = text,
				  .client_key = r->o.client_key};
	size_t size;
	int result = checkpoint_text(&r->head, text, &size);

	r->o.standing(r->o.ctx, &r->last_order, &r->baseline_version);
	b.last_order = r->last_order;
	b.baseline_version = r->baseline_version;
	return result < 0 ? result : quote_qualifying_data(&b, &r->qualifying);
}

/* More than one body takes: signed provisionals first, which the verifier stores. */
static void on_backlog(void *ctx, int result, const struct evidence_answer *a,
		       const struct why *why)
{
	struct report *r = ctx;

	if (result < 0) {
		fail(r, result, why);
		return;
	}
	if (a->size <= r->size && a->result != PLUMB_RESULT_STORED) {
		log_warning("backlog=%s reason=\"%s\" next=\"tried again\"",
			    terms_result_name(a->result), a->reason);
		take_size(r, a->size);
		back_off(r, 1000);
		return;
	}
	take_size(r, a->size);
	settled(r);
	attempt(r);
}

static void on_backlog_signed(void *ctx, struct tpm_job *job)
{
	CLEANUP(buf_done) struct buf der = {0}, note = {0};
	struct report *r = ctx;
	struct why why = {""};
	int result = job->result;

	if (result == -ECANCELED) {
		r->phase = PHASE_IDLE;
		return;
	}
	if (result >= 0)
		result = quote_signature_der(job->sig.data, job->sig.size, &der, &why);
	if (result >= 0)
		result = checkpoint_note_line(CHECKPOINT_SIG_P256, r->head.origin,
					      r->o.identity->event_key, der.data, der.size, &note);
	if (result >= 0)
		result = send_provisional(r, &r->head, &note, on_backlog);
	if (result < 0) {
		log_warning("backlog=unsent error=\"%s\" next=\"tried again\"", strerror(-result));
		back_off(r, 0);
	}
}

static void send_backlog(struct report *r, uint64_t to)
{
	struct ledger *l = ledger_writer_ledger(r->o.writer);
	struct tpm_job job = {.kind = TPM_JOB_SIGN, .done = on_backlog_signed, .ctx = r};
	int result;

	commit_head(r->commit, &r->head);
	r->head.size = to;
	result = ledger_root_at(l, to, &r->head.root);
	if (result >= 0)
		result = checkpoint_digest(&r->head, &job.digest);
	if (result >= 0)
		result = tpm_queue_submit(r->o.queue, &job);
	r->phase = PHASE_BACKLOG;
	if (result < 0)
		back_off(r, 0);
}

/* A nonce is in hand, and the register holds what the anchors say. */
static void quote(struct report *r)
{
	CLEANUP(buf_done) struct buf lines = {0};
	struct tpm_job job = {.kind = TPM_JOB_QUOTE, .done = on_quoted, .ctx = r};
	uint64_t to = r->nonce.size;

	if (clock_boot_ns(r->o.clock) + NONCE_MARGIN_NS > r->nonce_until_ns) {
		r->phase = PHASE_IDLE;
		attempt(r);
		return;
	}
	commit_head(r->commit, &r->head);
	if (!commit_is_quiet(r->commit) || r->head.size < r->nonce.size || r->head.size == 0) {
		commit_appended(r->commit, true);
		return;
	}
	if (read_lines(r, r->nonce.size, r->head.size, &lines, &to) < 0 ||
	    (to != r->head.size && to == r->nonce.size)) {
		back_off(r, 0);
		return;
	}
	if (to != r->head.size) {
		r->size = r->nonce.size;
		send_backlog(r, to);
		return;
	}
	if (bind_quote(r) < 0) {
		back_off(r, 0);
		return;
	}
	job.pcr_mask = QUOTE_LINE_BOOT_PCRS | 1u << r->o.identity->now.pcr_index;
	job.digest = r->qualifying;
	commit_hold(r->commit, true);
	if (tpm_queue_submit(r->o.queue, &job) < 0) {
		commit_hold(r->commit, false);
		back_off(r, 0);
		return;
	}
	r->phase = PHASE_QUOTING;
}

static void on_nonce(void *ctx, int result, const struct evidence_nonce *n, const struct why *why)
{
	struct report *r = ctx;

	if (result < 0) {
		fail(r, result, why);
		return;
	}
	tell_back(r);
	r->nonce = *n;
	r->nonce_until_ns = clock_boot_ns(r->o.clock) + n->life_ms * 1000000;
	take_size(r, n->size);
	r->phase = PHASE_READY;
	quote(r);
}

static void attempt(struct report *r)
{
	struct checkpoint head;
	int result;

	if (!r->wanted || r->waiting || r->phase != PHASE_IDLE)
		return;
	commit_head(r->commit, &head);
	if (head.size == 0 || head.size < r->want_size || !commit_is_quiet(r->commit)) {
		commit_appended(r->commit, true);
		return;
	}
	result = transport_nonce(r->o.transport, on_nonce, r);
	if (result < 0)
		back_off(r, 0);
	else
		r->phase = PHASE_NONCE;
}

static void on_evidence(void *ctx, int result, const struct evidence_answer *a,
			const struct why *why)
{
	struct report *r = ctx;

	if (result < 0) {
		fail(r, result, why);
		return;
	}
	if (a->result == PLUMB_RESULT_ACCEPTED) {
		take_size(r, a->size);
		keep_cosignature(r, a, &r->head);
		/* What came meanwhile, and is wanted, goes next; else the schedule. */
		r->wanted = r->want_size > r->head.size;
		settled(r);
		log_debug("evidence=accepted size=%" PRIu64 " state=%s", r->head.size, a->state);
	} else {
		log_warning("evidence=%s reason=\"%s\"%s", terms_result_name(a->result), a->reason,
			    a->result == PLUMB_RESULT_FORKED ? " cure=\"this incarnation has two "
							       "histories: enrol the node anew\""
							     : " next=\"tried again\"");
		tell_back(r);
		back_off(r, a->result == PLUMB_RESULT_SEND_AGAIN ? 0
			    : a->result == PLUMB_RESULT_FORKED	 ? REFUSED_WAIT_MS
								 : 1000);
		take_size(r, a->size);
	}
	if (a->n_orders > 0)
		r->o.orders(r->o.ctx, a->orders, a->n_orders);
	if (r->phase == PHASE_IDLE && !r->waiting && !r->last)
		arm(r, r->o.interval_ms);
	attempt(r);
}

void report_now(struct report *r)
{
	r->wanted = true;
	r->want_size = ledger_writer_size(r->o.writer);
	attempt(r);
}

void report_last(struct report *r, bool leaving)
{
	r->last = true;
	r->leaving = leaving;
	/* A verifier that is away is not waited for: the ledger has it, and the next start sends it. */
	if (!r->away)
		report_now(r);
}

void report_anchored(struct report *r)
{
	if (r->phase == PHASE_READY)
		quote(r);
	else
		attempt(r);
}

bool report_is_idle(const struct report *r)
{
	return r->away || (!r->wanted && r->phase == PHASE_IDLE && !r->drift_in_flight);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct report *r = ctx;

	(void)fd;
	(void)what;
	r->waiting = false;
	report_now(r);
}

int report_open(struct event_base *base, const struct report_options *o, struct report **ret,
		struct why *ret_why)
{
	struct report *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->o = *o;
	r->commit = ledger_writer_commit(o->writer);
	r->timer = evtimer_new(base, on_timer, r);
	r->drift_event = evtimer_new(base, on_drift, r);
	if (!r->timer || !r->drift_event) {
		report_free(r);
		return why_set(ret_why, -ENOMEM, "no timer for evidence");
	}
	*ret = r;
	return 0;
}

struct report *report_free(struct report *r)
{
	if (!r)
		return NULL;
	if (r->timer)
		event_free(r->timer);
	if (r->drift_event)
		event_free(r->drift_event);
	free(r);
	return NULL;
}
