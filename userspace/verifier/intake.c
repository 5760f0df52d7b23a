/* SPDX-License-Identifier: Apache-2.0 */
#include "intake.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "appraisal.h"
#include "appraisal_ima.h"
#include "appraise_quote.h"
#include "boot_desk.h"
#include "cleanup.h"
#include "deadlines.h"
#include "first_line.h"
#include "ledger_dir.h"
#include "log.h"
#include "node_records.h"
#include "nonces.h"
#include "order_desk.h"
#include "reply.h"

#define TRIES 3
#define CURE_ENROL "enrol the node: give it a join token, or approve it"
#define CURE_LATER "try again; nothing was changed"

struct intake {
	const struct verifier *v;
	struct documents *documents;
	struct transition t;
	struct nonces *nonces;
	struct node_records *records;
	const char *ca_cert_pem;
	const struct sign_key *ca_key;
	uint64_t node_cert_life_s;
	struct deadlines *deadlines;
};

static const struct store_ops *ops(const struct intake *in)
{
	return in->v->store->ops;
}

static void *store_ctx(const struct intake *in)
{
	return in->v->store->ctx;
}

int intake_open(const struct intake_options *o, struct intake **ret)
{
	struct intake *in = calloc(1, sizeof(*in));
	int r;

	if (!in)
		return -ENOMEM;
	in->v = o->v;
	in->documents = o->documents;
	in->ca_cert_pem = o->ca_cert_pem;
	in->ca_key = o->ca_key;
	in->node_cert_life_s = o->node_cert_life_s;
	in->t = (struct transition){.v = o->v, .contain = o->contain};
	r = nonces_open(o->v->clock, &in->nonces);
	if (r >= 0)
		r = node_records_open(&in->records);
	if (r >= 0)
		r = deadlines_open(&in->t, in->documents, &in->deadlines);
	if (r < 0) {
		intake_free(in);
		return r;
	}
	*ret = in;
	return 0;
}

struct intake *intake_free(struct intake *in)
{
	if (!in)
		return NULL;
	nonces_free(in->nonces);
	node_records_free(in->records);
	deadlines_free(in->deadlines);
	free(in);
	return NULL;
}

/* 0: *ret is the sender's row, or an HTTP status with the answer written. */
static int sender(const struct intake *in, const struct cert_identity *who, struct store_node *ret,
		  struct buf *answer)
{
	int r;

	if (!who || who->kind != CERT_NODE)
		return reply_error(answer, 403, CURE_ENROL, "this takes a node's certificate");
	r = ops(in)->node_get(store_ctx(in), who->name, ret);
	if (r == -ENOENT)
		return reply_error(answer, 403, CURE_ENROL, "node %.64s is not known", who->name);
	if (r < 0)
		return r;
	if (node_is_gone(ret->life))
		r = reply_error(answer, 403, "use another TPM, or ask an operator",
				"%.150s; node %.64s and its certificate are refused", ret->cause,
				who->name);
	else if (!digest_equal(&ret->client_key, &who->key_id))
		r = reply_error(answer, 403, CURE_ENROL,
				"node %.64s: this certificate is not the one it has now",
				who->name);
	else if (ret->life != PLUMB_LIFE_ENROLLED && ret->life != PLUMB_LIFE_ACTIVE &&
		 ret->life != PLUMB_LIFE_LEAVING)
		r = reply_error(answer, 403, CURE_ENROL, "node %.64s is %s", who->name,
				terms_life_name(ret->life));
	if (r != 0)
		store_node_done(ret);
	return r;
}

int intake_nonce(struct intake *in, const struct cert_identity *who, struct buf *ret)
{
	struct evidence_nonce n = {
		.life_ms = WIRE_NONCE_LIFE_MS, .asks_boot_log = true, .asks_measure_log = true};
	struct store_node row = {.incarnation = 0};
	int r = sender(in, who, &row, ret);

	if (r != 0)
		return r;
	n.size = row.frontier.size;
	n.has_base = row.has_base;
	n.base_pcr = row.base_pcr;
	n.base_reset = row.base_reset;
	n.base_restart = row.base_restart;
	n.has_base_size = true;
	n.base_size = row.base_size;
	r = boot_desk_held(in->v, &row, &n.boot_log);
	if (r >= 0)
		r = boot_desk_measured_held(in->v, &row, &n.measure_log);
	if (r >= 0)
		r = appraisal_ima_wanted(in->v, row.id, row.incarnation, n.ima_boot, &n.ima_from);
	n.has_ima = true;
	store_node_done(&row);
	if (r < 0)
		return r;
	r = nonces_give(in->nonces, who->name, n.nonce);
	if (r >= 0)
		r = evidence_nonce_write(&n, ret);
	return r < 0 ? r : 200;
}

/* One piece of evidence on its way through. */
struct passage {
	const struct cert_identity *who;
	struct evidence e;
	struct quote_info quote;
	bool event_signed;
	struct digest body;
	struct store_node row;
	enum plumb_result result;
	struct why why;
};

static void passage_done(struct passage *p)
{
	evidence_done(&p->e);
	store_node_done(&p->row);
}

static int check_quote(const struct intake *in, struct passage *p, struct buf *answer)
{
	struct appraise_quote_in q = {.evidence = &p->e,
				      .nonce = p->e.nonce,
				      .client_key = p->who->key_id,
				      .pcr_mask = in->v->boot_pcr_mask};
	const bool noted = p->e.n_notes > 0;
	struct why why = {""};
	bool good = false;
	int r = node_records_get(in->records, p->row.record.data, p->row.record.size, &q.record,
				 &p->why);

	if (r >= 0 && !p->e.provisional) {
		/* Good once, whatever comes of it. */
		r = nonces_take(in->nonces, p->who->name, p->e.nonce);
		if (r == -ENOENT || r == -ETIMEDOUT)
			return reply_error(answer, 409, "ask for a nonce and send anew",
					   r == -ENOENT
						   ? "the nonce is not the one that was given out"
						   : "the nonce is too old");
		if (r >= 0)
			r = appraise_quote(&q, &good, &p->quote, &p->why);
		if (r >= 0 && !good)
			p->result = PLUMB_RESULT_REFUSED;
	}
	if (r >= 0)
		r = appraise_quote_event_signed(&p->e, q.record, &p->event_signed, &why);
	if (r < 0)
		p->why = why;
	/* Who has no event key sends no note; one that is false is a lie. */
	if (r >= 0 && noted && !p->event_signed && p->result != PLUMB_RESULT_REFUSED) {
		p->result = PLUMB_RESULT_REFUSED;
		why_set(&p->why, 0, "none of the notes is the event key's: %.150s", why.text);
	}
	if (r >= 0 && p->result != PLUMB_RESULT_REFUSED && p->e.from == 0 &&
	    !first_line_is_good(q.record, p->e.lines.data, p->e.lines.size, &p->why))
		p->result = PLUMB_RESULT_REFUSED;
	return r < 0 ? r : 0;
}

/* Stored, then signed: nobody ever has a cosignature over what the store may have lost. */
static int cosign(const struct intake *in, struct passage *p, struct evidence_answer *a)
{
	CLEANUP(buf_done) struct buf line = {0}, note = {0};
	const struct checkpoint *c = &p->e.checkpoint;
	char name[96];
	int r = checkpoint_sign(c, CHECKPOINT_SIG_COSIGN, in->v->witness_name, in->v->witness_key,
				clock_utc_ns(in->v->clock) / 1000000000, &line);

	if (r >= 0 && line.size >= sizeof(a->cosignature))
		r = -E2BIG;
	if (r < 0)
		return r;
	memcpy(a->cosignature, line.data, line.size + 1);
	r = ledger_dir_note_write(c->size, &c->root, (char *)line.data, line.size, &note);
	snprintf(name, sizeof(name), "%s/%" PRIu64, p->row.id, p->row.incarnation);
	if (r >= 0)
		r = ops(in)->begin(store_ctx(in));
	if (r < 0)
		return r;
	r = ops(in)->blob_append(store_ctx(in), "notes", name, note.data, note.size);
	if (r >= 0)
		return ops(in)->commit(store_ctx(in));
	ops(in)->rollback(store_ctx(in));
	return r;
}

/*
 * The quote of accepted evidence is bound to the key of the certificate that it came with: only then, and for that key, there is
 * a new one, once a third of the old one's life is over. A stolen key without the TPM dies with its certificate.
 */
static int renew(const struct intake *in, const struct passage *p, struct buf *ret)
{
	uint64_t now_s = clock_utc_ns(in->v->clock) / 1000000000;
	const struct cert_request q = {
		.kind = CERT_NODE,
		.name = p->row.id,
		.not_before_s = now_s - 300,
		.life_s = in->node_cert_life_s + 300,
	};
	struct sign_key *key = NULL;
	struct why why = {""};
	int r;

	if (!in->ca_key || p->result != PLUMB_RESULT_ACCEPTED || p->who->spki_size == 0 ||
	    p->who->not_after_s > now_s + in->node_cert_life_s / 3 * 2)
		return 0;
	r = sign_key_from_spki(p->who->spki, p->who->spki_size, &key, &why);
	if (r >= 0)
		r = cert_issue(&q, key, in->ca_cert_pem, in->ca_key, ret, &why);
	sign_key_free(key);
	if (r < 0) {
		log_error(
			"node=%s certificate=unrenewed error=\"%s\" next=\"the next evidence gets "
			"one\"",
			p->row.id, why.text[0] ? why.text : strerror(-r));
		buf_clear(ret);
	} else {
		log_notice("node=%s label=%s certificate=renewed", p->row.id, p->row.label);
	}
	return 0;
}

static struct node_state state_of(const struct store_node *n)
{
	return (struct node_state){n->life, n->appraisal, n->freshness, n->containment, n->forked};
}

static int answer(const struct intake *in, struct passage *p, struct buf *ret)
{
	struct evidence_answer a = {.result = p->result};
	const struct node_state s = state_of(&p->row);
	int r = 0;

	snprintf(a.reason, sizeof(a.reason), "%s",
		 p->result == PLUMB_RESULT_ACCEPTED || p->result == PLUMB_RESULT_STORED
			 ? ""
			 : p->why.text);
	a.size = p->row.frontier.size;
	a.confirmed_size = p->row.has_base ? p->row.base_size : 0;
	snprintf(a.state, sizeof(a.state), "%s", node_shown(&s));
	if (p->result == PLUMB_RESULT_ACCEPTED && cosign(in, p, &a) < 0)
		log_error("node=%s cosignature=none next=\"the next head gets one\"", p->row.id);
	r = order_desk_answer(in->v, &p->row, p->e.last_order, &a);
	if (r >= 0)
		r = renew(in, p, &a.certificate);
	if (r >= 0)
		r = evidence_answer_write(&a, ret);
	evidence_answer_done(&a);
	return r < 0 ? r : 200;
}

/* The row is read again under the write lock: what was read before it was only good for looking at the quote. */
static int commit_once(const struct intake *in, struct passage *p)
{
	const struct appraisal_in ain = {
		.t = in->t,
		.documents = in->documents,
		.evidence = &p->e,
		.quote = p->e.provisional ? NULL : &p->quote,
		.event_signed = p->event_signed,
		.body = p->body,
	};
	struct store_node row = {.incarnation = 0};
	bool changed = false;
	int r = ops(in)->begin(store_ctx(in));

	if (r < 0)
		return r;
	r = ops(in)->node_get(store_ctx(in), p->row.id, &row);
	/* A row that cannot be read is not the evidence's fault. */
	if (r == -EBADMSG)
		r = -EIO;
	if (r >= 0 && (row.incarnation != p->row.incarnation ||
		       !digest_equal(&row.client_key, &p->who->key_id)))
		r = -ESTALE;
	if (r >= 0)
		r = appraisal_run(&ain, &row, &p->result, &changed, &p->why);
	if (r >= 0 && changed)
		r = ops(in)->node_put(store_ctx(in), &row);
	if (r >= 0 && changed)
		r = ops(in)->commit(store_ctx(in));
	else
		ops(in)->rollback(store_ctx(in));
	if (r < 0) {
		store_node_done(&row);
		return r;
	}
	store_node_done(&p->row);
	p->row = row;
	return 0;
}

static int commit_passage(const struct intake *in, struct passage *p, struct buf *ret)
{
	int r = -EBUSY;

	for (int i = 0; i < TRIES && (r == -ESTALE || r == -EBUSY); i++)
		r = commit_once(in, p);
	if (r == -EBADMSG) {
		p->result = PLUMB_RESULT_REFUSED;
		return 0;
	}
	if (r == -ESTALE || r == -EBUSY)
		return reply_error(ret, 503, CURE_LATER, "the store is busy");
	if (r < 0)
		log_error(
			"node=%s evidence=unchecked error=\"%s\" next=\"the node sends it again\"",
			p->row.id, p->why.text[0] ? p->why.text : strerror(-r));
	return r;
}

static int parse(struct passage *p, const void *body, size_t size, bool provisional,
		 struct buf *ret)
{
	int r = evidence_parse(body, size, &p->e, &p->why);

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return reply_error(ret, r == -E2BIG ? 413 : 400, "send what docs/wire.md says",
				   "evidence: %s", p->why.text);
	if (p->e.provisional != provisional)
		return reply_error(ret, 400, "send each kind to its own route",
				   "evidence: kind is not this route's");
	if (strcmp(p->e.node, p->row.id) != 0)
		return reply_error(ret, 403, CURE_ENROL, "evidence: it is another node's");
	if (p->e.incarnation != p->row.incarnation)
		return reply_error(ret, 409, CURE_ENROL,
				   "evidence: incarnation %" PRIu64 ", and the node has %" PRIu64,
				   p->e.incarnation, p->row.incarnation);
	return digest_sha256(body, size, &p->body);
}

static int take(struct intake *in, const struct cert_identity *who, const void *body, size_t size,
		bool provisional, struct buf *ret)
{
	CLEANUP(passage_done) struct passage p = {.who = who};
	int r = deadlines_clock(in->deadlines);

	if (r >= 0)
		r = sender(in, who, &p.row, ret);
	if (r == 0)
		r = parse(&p, body, size, provisional, ret);
	if (r == 0)
		r = check_quote(in, &p, ret);
	if (r == 0 && p.result != PLUMB_RESULT_REFUSED)
		r = commit_passage(in, &p, ret);
	if (r != 0)
		return r;
	if (p.result == PLUMB_RESULT_REFUSED || p.result == PLUMB_RESULT_FORKED)
		log_warning("node=%s label=%s evidence=%s reason=\"%s\"", p.row.id, p.row.label,
			    terms_result_name(p.result), p.why.text);
	r = answer(in, &p, ret);
	contain_kick(in->t.contain);
	return r;
}

int intake_evidence(struct intake *in, const struct cert_identity *who, const void *body,
		    size_t size, struct buf *ret)
{
	return take(in, who, body, size, false, ret);
}

int intake_drift(struct intake *in, const struct cert_identity *who, const void *body, size_t size,
		 struct buf *ret)
{
	return take(in, who, body, size, true, ret);
}

int intake_derive(struct intake *in, struct store_node *n, const char *cause,
		  const char *operator_name, const char *reason)
{
	const struct transition_cause c = {
		.text = cause, .operator_name = operator_name, .reason = reason};
	bool appraise = n->life == PLUMB_LIFE_ACTIVE && n->freshness == PLUMB_FRESHNESS_FRESH &&
			n->has_base && !n->forked;

	deadlines_changed(in->deadlines);
	return appraisal_derive(&in->t, in->documents, n, appraise, &c);
}

int intake_asks_anew(struct intake *in, struct store_node *n)
{
	return deadlines_asks_anew(in->deadlines, n);
}

uint64_t intake_behind_ns(const struct intake *in)
{
	return deadlines_behind_ns(in->deadlines);
}

int intake_tick(struct intake *in)
{
	return deadlines_tick(in->deadlines);
}
