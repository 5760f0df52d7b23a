/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "absence.h"
#include "cleanup.h"
#include "evidence_maker.h"
#include "ledger_past.h"
#include "log.h"
#include "plumb/wire.h"
#include "quote_line.h"

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
	struct evidence_maker maker;
	struct anchor_cut cut;
	struct commit *commit;
	struct event *timer; /* schedule, or the end of a back-off */
	struct event
		*drift_event; /* one message for all that was written in this turn of the loop */
	enum phase phase;
	bool wanted, waiting, long_wait; /* waiting: for the end of a back-off */
	bool leaving, last;
	uint64_t want_size;
	uint64_t least_size; /* of the head that the nonce at hand is used for */
	struct absence absence;
	bool drift_wanted, drift_in_flight;
	bool knows_size;
	uint64_t size; /* lines that the verifier has stored */
	size_t sent; /* bytes of the evidence or the piece on its way; 0: a nonce is */
	uint64_t nonce_until_ns; /* boot time */
	uint64_t
		ima_sent_from; /* of the last evidence that had no room for all; UINT64_MAX: it had */
	struct evidence_maker_bound at_hand; /* what the quote or the signature at hand is over */
};

static void attempt(struct report *r);
static void on_evidence(void *ctx, int result, const struct evidence_answer *a,
			const struct why *why);

static void arm(struct report *r, uint64_t ms)
{
	const struct timeval tv = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};

	event_add(r->timer, &tv);
}

static void tell_back(struct report *r)
{
	uint64_t size = ledger_writer_size(r->o.writer);

	absence_back(&r->absence, size > r->size ? size - r->size : 0);
}

static void back_off(struct report *r, uint64_t least_ms)
{
	r->phase = PHASE_IDLE;
	r->waiting = true;
	r->long_wait = least_ms >= ABSENCE_REFUSED_MS;
	arm(r, absence_wait_ms(&r->absence, least_ms));
	/* What nobody takes need not be anchored each second, and evidence must hold all anchors since the last that was accepted. */
	if (absence_is_long(&r->absence) && !r->last)
		commit_slow(r->commit, true);
}

static void fail(struct report *r, int result, const struct why *why)
{
	uint64_t least_ms = 0;

	/* The verifier, or a proxy before it, takes less than the wire allows; or it was on its way for longer than a nonce lives. */
	if (result == -EMSGSIZE || result == -ESTALE || result == -ETIMEDOUT)
		evidence_maker_less(&r->maker, r->sent, result == -EMSGSIZE, why);
	switch (result) {
	case -ECANCELED:
		r->phase = PHASE_IDLE;
		return;
	case -EPERM:
		log_error("verifier=refuses error=\"%s\" cure=\"" ABSENCE_CURE_ANEW
			  "\" next=\"tried again in a minute\"",
			  why->text);
		least_ms = ABSENCE_REFUSED_MS;
		break;
	case -ESTALE:
		log_warning("evidence=outdated error=\"%s\" next=\"made anew\"", why->text);
		break;
	case -EMSGSIZE:
		break;
	default:
		absence_tell(&r->absence, result, why);
	}
	back_off(r, least_ms);
}

static void settled(struct report *r)
{
	r->phase = PHASE_IDLE;
	absence_reset(&r->absence);
	tell_back(r);
}

static bool keep_cosignature(struct report *r, const struct evidence_answer *a,
			     const struct checkpoint *head)
{
	int result;

	if (!a->cosignature[0])
		return false;
	result = ledger_note(ledger_writer_ledger(r->o.writer), head->size, &head->root,
			     a->cosignature, strlen(a->cosignature));
	if (result < 0)
		log_warning("cosignature=unkept size=%" PRIu64
			    " error=\"%s\" next=\"the next one covers it\"",
			    head->size, strerror(-result));
	return result >= 0;
}

static void take_size(struct report *r, uint64_t size)
{
	r->size = size;
	r->knows_size = true;
	ledger_writer_sent(r->o.writer, size);
}

static void stand(struct report *r, struct evidence_maker_bound *b)
{
	r->o.standing(r->o.ctx, &b->last_order, &b->baseline_version);
}

static void wake_drift(struct report *r)
{
	if (r->drift_wanted)
		event_active(r->drift_event, EV_TIMEOUT, 0);
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
		/* Evidence carries the same lines, and is tried until it arrives: what is wrong is told there. */
		if (result != -EPERM && result != -ESTALE && result != -EMSGSIZE)
			absence_tell(&r->absence, result, why);
		r->drift_wanted = false;
		return;
	}
	take_size(r, a->size);
	if (a->n_orders > 0)
		r->o.orders(r->o.ctx, a->orders, a->n_orders);
	wake_drift(r);
}

static int send_provisional(struct report *r, const struct checkpoint *head, const struct buf *note,
			    void (*done)(void *ctx, int result, const struct evidence_answer *a,
					 const struct why *why))
{
	CLEANUP(buf_done) struct buf body = {0};
	struct evidence_maker_bound standing = {.last_order = 0};
	int result;

	stand(r, &standing);
	result = evidence_maker_provisional(&r->maker, &standing, head, r->size, note, &body);
	if (note)
		r->sent = body.size;
	return result < 0 ? result : transport_evidence(r->o.transport, true, &body, done, r);
}

static void on_drift(evutil_socket_t fd, short what, void *ctx)
{
	struct report *r = ctx;
	struct checkpoint head = {.size = 0};
	int result;

	(void)fd;
	(void)what;
	/* Kept wanted until the verifier is there and said where it stands. */
	if (!r->drift_wanted || r->drift_in_flight || r->phase == PHASE_BACKLOG || !r->knows_size ||
	    r->absence.away)
		return;
	/* On disk before anybody hears of it: what was told must never be missing after a power cut. */
	result = ledger_sync(ledger_writer_ledger(r->o.writer));
	if (result >= 0)
		result = ledger_head(ledger_writer_ledger(r->o.writer), &head);
	r->drift_wanted = false;
	if (result >= 0 && head.size <= r->size)
		return;
	if (result >= 0)
		result = send_provisional(r, &head, NULL, on_provisional);
	r->drift_in_flight = result >= 0;
	if (result < 0 && result != -E2BIG)
		log_warning("drift=untold error=\"%s\" next=\"evidence carries it\"",
			    strerror(-result));
}

void report_drift(struct report *r)
{
	r->drift_wanted = true;
	wake_drift(r);
	report_now(r);
}

/* Told each time, and tried again: no evidence is never good. */
static void unmade(struct report *r, int result, const struct why *why)
{
	log_warning("evidence=unmade error=\"%s\" next=\"tried again\"",
		    why->text[0] ? why->text : strerror(-result));
	back_off(r, result == -E2BIG ? ABSENCE_REFUSED_MS : 0);
}

static int send_evidence(struct report *r, const struct tpm_job *job, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf body = {0};
	int result =
		evidence_maker_evidence(&r->maker, &r->at_hand, job, r->leaving, &body, ret_why);

	r->sent = body.size;
	return result < 0 ? result
			  : transport_evidence(r->o.transport, false, &body, on_evidence, r);
}

static void on_quoted(void *ctx, struct tpm_job *job)
{
	struct report *r = ctx;
	struct quote_line line = {.nonce = r->at_hand.nonce.nonce,
				  .head = &r->at_hand.head,
				  .job = job,
				  .pcr_index = r->o.identity->now.pcr_index,
				  .boot_log = r->o.identity->boot_log,
				  .baseline_version = r->at_hand.baseline_version,
				  .last_order = r->at_hand.last_order,
				  .ima_cursor = r->at_hand.ima_cursor,
				  .ima_keep = r->o.ima_keep,
				  .client_key = r->o.client_key};
	struct why why = {""};
	int result = job->result;

	r->phase = PHASE_IDLE;
	if (result == -ECANCELED)
		return;
	if (result >= 0)
		result = evidence_maker_check(&r->maker, &r->at_hand, job, &why);
	if (result >= 0) {
		/* Read before the register may change again; the line comes after the head that it covers. */
		result = send_evidence(r, job, &why);
		if (result >= 0)
			r->phase = PHASE_SENDING;
		if (quote_line_write(r->o.writer, &line) < 0)
			log_warning("quote=unwritten next=\"the verifier has it\"");
	}
	commit_hold(r->commit, false);
	if (result == -ESTALE)
		commit_look(r->commit);
	if (result < 0)
		unmade(r, result, &why);
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
		back_off(r, absence_least_ms(a->result, 1000, r->last));
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
		result = checkpoint_note_line(CHECKPOINT_SIG_P256, r->at_hand.head.origin,
					      r->o.identity->event_key, der.data, der.size, &note);
	if (result >= 0)
		result = send_provisional(r, &r->at_hand.head, &note, on_backlog);
	if (result < 0) {
		log_warning("backlog=unsent error=\"%s\" next=\"tried again\"",
			    why.text[0] ? why.text : strerror(-result));
		back_off(r, 0);
	}
}

static void send_backlog(struct report *r, uint64_t to)
{
	struct tpm_job job = {.kind = TPM_JOB_SIGN, .done = on_backlog_signed, .ctx = r};
	struct checkpoint *head = &r->at_hand.head;
	int result;

	head->size = to;
	result = ledger_root_at(ledger_writer_ledger(r->o.writer), to, &head->root);
	if (result >= 0)
		result = checkpoint_digest(head, &job.digest);
	if (result >= 0)
		result = tpm_queue_submit(r->o.queue, &job);
	r->phase = PHASE_BACKLOG;
	if (result < 0)
		back_off(r, 0);
}

static void ask_quote(struct report *r)
{
	struct tpm_job job = {.kind = TPM_JOB_QUOTE, .done = on_quoted, .ctx = r};

	stand(r, &r->at_hand);
	if (evidence_maker_bind(&r->maker, &r->at_hand) < 0) {
		back_off(r, 0);
		return;
	}
	job.pcr_mask = QUOTE_LINE_BOOT_PCRS | 1u << r->o.identity->now.pcr_index;
	job.digest = r->at_hand.qualifying;
	commit_hold(r->commit, true);
	if (tpm_queue_submit(r->o.queue, &job) < 0) {
		commit_hold(r->commit, false);
		back_off(r, 0);
		return;
	}
	r->phase = PHASE_QUOTING;
}

/* A nonce is in hand, and the register holds what the anchors say. */
static void quote(struct report *r)
{
	struct checkpoint *head = &r->at_hand.head;
	uint64_t from = r->at_hand.nonce.size, to = from;

	/* The register took long: another nonce, but not in a hurry. */
	if (clock_boot_ns(r->o.clock) + NONCE_MARGIN_NS > r->nonce_until_ns) {
		back_off(r, 0);
		return;
	}
	commit_head(r->commit, head);
	if (!commit_is_quiet(r->commit) || head->size < from || head->size < r->least_size ||
	    head->size == 0) {
		commit_appended(r->commit, true);
		return;
	}
	if (evidence_maker_reach(&r->maker, from, head->size, &to) < 0 ||
	    (to != head->size && to == from)) {
		back_off(r, 0);
	} else if (to != head->size) {
		r->size = from;
		send_backlog(r, to);
	} else {
		ask_quote(r);
	}
}

static void on_nonce(void *ctx, int result, const struct evidence_nonce *n, const struct why *why)
{
	struct report *r = ctx;
	uint64_t size = ledger_writer_size(r->o.writer);

	if (result < 0) {
		fail(r, result, why);
		return;
	}
	/* The quote tells of it as well, by the orders that it has seen: both in one evidence, or it is found twice. */
	r->least_size =
		absence_compare(&r->absence, r->o.writer, n) ? ledger_writer_size(r->o.writer) : 0;
	take_size(r, n->size);
	tell_back(r);
	if (n->size > size) {
		/* Put back from a copy, or somebody cut it: only a new incarnation can go on, and silence tells it there. */
		log_error("ledger=shorter lines=%" PRIu64 " verifier_has=%" PRIu64
			  " cure=\"" ABSENCE_CURE_ANEW
			  "; keep this ledger for whoever looks into it\"",
			  size, n->size);
		back_off(r, ABSENCE_REFUSED_MS);
		return;
	}
	r->at_hand.nonce = *n;
	r->nonce_until_ns =
		clock_boot_ns(r->o.clock) +
		(n->life_ms < WIRE_NONCE_LIFE_MS ? n->life_ms : WIRE_NONCE_LIFE_MS) * 1000000;
	r->phase = PHASE_READY;
	/* News that waited for the verifier, or for where it stands, does not wait for the TPM too. */
	wake_drift(r);
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
	r->sent = 0;
	result = transport_nonce(r->o.transport, on_nonce, r);
	if (result < 0)
		back_off(r, 0);
	else
		r->phase = PHASE_NONCE;
}

/* What one evidence had no room for follows at once, as long as the verifier gets on with it. */
static bool ima_goes_on(struct report *r)
{
	const struct evidence_maker_bound *b = &r->at_hand;
	bool more = b->ima_more && b->ima_from != r->ima_sent_from;

	r->ima_sent_from = b->ima_more ? b->ima_from : UINT64_MAX;
	return more;
}

static void accepted(struct report *r, const struct evidence_answer *a)
{
	const struct checkpoint *head = &r->at_hand.head;
	bool kept;

	take_size(r, a->size);
	r->absence.accepted = a->size;
	evidence_maker_good(&r->maker);
	kept = keep_cosignature(r, a, head);
	/* What came meanwhile, and is wanted, goes next; else the schedule. */
	if (r->maker.ima && !r->at_hand.nonce.has_ima)
		ima_list_taken(r->maker.ima, r->at_hand.ima_end);
	r->wanted = r->want_size > head->size || ima_goes_on(r);
	settled(r);
	absence_taken(&r->absence);
	commit_slow(r->commit, false);
	if (a->certificate.size > 0 && r->o.renewed)
		r->o.renewed(r->o.ctx, &a->certificate);
	log_debug("evidence=accepted size=%" PRIu64 " state=%s", head->size, a->state);
	if (kept && r->o.confirmed)
		r->o.confirmed(r->o.ctx, head->size);
}

static void not_accepted(struct report *r, const struct evidence_answer *a)
{
	bool forked = a->result == PLUMB_RESULT_FORKED;

	log_warning("evidence=%s reason=\"%s\"%s", terms_result_name(a->result), a->reason,
		    forked ? " cure=\"this incarnation has two histories: " ABSENCE_CURE_ANEW "\""
			   : " next=\"tried again\"");
	tell_back(r);
	back_off(r, absence_least_ms(a->result, 0, r->last));
	take_size(r, a->size);
}

static void on_evidence(void *ctx, int result, const struct evidence_answer *a,
			const struct why *why)
{
	struct report *r = ctx;

	if (result < 0) {
		fail(r, result, why);
		return;
	}
	if (a->result == PLUMB_RESULT_ACCEPTED)
		accepted(r, a);
	else
		not_accepted(r, a);
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
	commit_slow(r->commit, false);
	/* Once more also when it was away; when it still is, the ledger has it, and the next start sends it. */
	event_del(r->timer);
	absence_reset(&r->absence);
	r->waiting = false;
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
	return r->phase == PHASE_IDLE && !r->drift_in_flight &&
	       (!r->wanted || (r->waiting && (r->absence.away || (r->last && r->long_wait))));
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
	r->ima_sent_from = UINT64_MAX;
	r->maker = (struct evidence_maker){
		.writer = o->writer,
		.identity = o->identity,
		.clock = o->clock,
		.io = o->io,
		.ledger_dir = o->ledger_dir,
		.client_key = o->client_key,
		.cut = &r->cut,
		.ima = o->ima,
		.max_lines = o->max_lines ? o->max_lines : WIRE_MAX_EVIDENCE_LINES,
		.max_bytes = o->max_bytes ? o->max_bytes : EVIDENCE_MAKER_BYTES,
	};
	r->maker.most_bytes = r->maker.max_bytes;
	r->absence.clock = o->clock;
	/* What earlier runs were told of: a verifier that was put back while nobody ran is noticed as well. */
	if (ledger_past_cosigned(o->io, o->ledger_dir, o->identity->record.witness_name,
				 &r->absence.accepted) < 0)
		log_warning("notes=unread next=\"that the verifier went back may go unnoticed\"");
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
