/* SPDX-License-Identifier: Apache-2.0 */
#include "enrol_admit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "ek_owner.h"
#include "jsonl.h"
#include "node.h"
#include "node_origin.h"
#include "order_desk.h"
#include "record.h"
#include "rekey_permit.h"
#include "reply.h"

struct building {
	struct record *record;
};

static int add_baseline_key(void *ctx, const struct store_operator *o)
{
	struct record *r = ((struct building *)ctx)->record;

	if (o->role != PLUMB_ROLE_APPROVER || o->revoked || r->n_baseline_keys == RECORD_MAX_KEYS)
		return 0;
	buf_put(&r->baseline_keys[r->n_baseline_keys], o->spki.data, o->spki.size);
	return buf_status(&r->baseline_keys[r->n_baseline_keys++]);
}

static void copy(struct buf *to, const struct buf *from)
{
	buf_put(to, from->data, from->size);
}

/* Whom the node obeys and believes from its enrolment on. */
static int put_keys(const struct verifier *v, struct record *r)
{
	struct building building = {r};
	int result;

	snprintf(r->witness_name, sizeof(r->witness_name), "%s", v->witness_name);
	result = sign_key_spki(v->witness_key, &r->witness_key);
	if (result >= 0)
		result = sign_key_spki(v->verdict_key, &r->order_key);
	return result < 0
		       ? result
		       : v->store->ops->operator_each(v->store->ctx, add_baseline_key, &building);
}

/* Its row waits for an approver, and never had evidence: who asks again asks for the same incarnation. */
static bool waits(const struct store_node *n)
{
	return n->version > 0 && n->life == PLUMB_LIFE_PROVISIONING && n->frontier.size == 0 &&
	       n->record.size > 0;
}

/* The row still has the record of the incarnation before; or that of one who waits, which knows better what was before than its empty history. */
static int put_predecessor(const struct enrol_admit *a, const struct store_node *n,
			   struct record *r)
{
	struct record waiting = {.incarnation = 0};
	struct why why;
	int result;

	if (!waits(n)) {
		r->predecessor_size = n->head_size;
		r->predecessor_root = n->head_root;
		return node_origin_of(a->v->log_name, n, r->predecessor_origin);
	}
	result = record_parse(n->record.data, n->record.size, &waiting, &why);
	if (result < 0)
		return result == -EBADMSG ? -EIO : result;
	memcpy(r->predecessor_origin, waiting.predecessor_origin, sizeof(r->predecessor_origin));
	r->predecessor_size = waiting.predecessor_size;
	r->predecessor_root = waiting.predecessor_root;
	record_done(&waiting);
	return 0;
}

static int make_record(const struct enrol_admit *a, const struct enrol_session *s,
		       const struct store_node *n, struct buf *ret)
{
	const struct verifier *v = a->v;
	const struct enrol_body *b = &s->body;
	struct record r = {.incarnation = n->incarnation,
			   .pcr_index = v->pcr_index,
			   .enrolled_ns = n->enrolled_ns};
	int result;

	memcpy(r.node, n->id, sizeof(r.node));
	memcpy(r.label, n->label, sizeof(r.label));
	result = node_origin_draw(v->log_name, n, r.origin);
	if (result >= 0 && n->incarnation > 1)
		result = put_predecessor(a, n, &r);
	copy(&r.ek_public, &b->ek_public);
	copy(&r.ek_cert, &b->ek_cert);
	copy(&r.ak_public, &b->ak_public);
	copy(&r.event_public, &b->event_public);
	copy(&r.event_attest, &b->event_attest);
	copy(&r.event_sig, &b->event_sig);
	if (result >= 0)
		result = put_keys(v, &r);
	if (result >= 0)
		result = record_write(&r, ret);
	record_done(&r);
	return result < 0 ? result : 0;
}

int enrol_admit_approved(const struct verifier *v, struct store_node *n)
{
	CLEANUP(buf_done) struct buf text = {0};
	struct record r = {.incarnation = 0};
	struct why why;
	int result;

	if (n->record.size == 0)
		return 0;
	result = record_parse(n->record.data, n->record.size, &r, &why);
	if (result < 0)
		return result == -EBADMSG ? -EIO : result;
	buf_clear(&r.witness_key);
	buf_clear(&r.order_key);
	for (uint32_t i = 0; i < r.n_baseline_keys; i++)
		buf_clear(&r.baseline_keys[i]);
	r.n_baseline_keys = 0;
	result = put_keys(v, &r);
	if (result >= 0)
		result = record_write(&r, &text);
	record_done(&r);
	if (result < 0)
		return result;
	buf_done(&n->record);
	n->record = text;
	text = (struct buf){0};
	return 0;
}

struct taken {
	const struct enrol_session *s;
	bool token, label;
	uint32_t n_pending;
};

static int on_label(void *ctx, const struct store_node *n)
{
	struct taken *t = ctx;
	bool pending = n->life == PLUMB_LIFE_PROVISIONING;

	if (strcmp(n->id, t->s->node) == 0)
		return 0;
	t->n_pending += pending;
	/* Who only waits cannot keep a label from one whom a token vouches for. */
	if (strcmp(n->label, t->s->body.label) == 0 && !node_is_gone(n->life) &&
	    !(pending && t->token))
		t->label = true;
	return 0;
}

/* The incarnation before goes on to be checked by its own record and size. */
static int keep_past(const struct enrol_admit *a, const struct store_node *n)
{
	const struct store *store = a->v->store;
	char name[96], size[32];
	int r;

	if (n->record.size == 0 || waits(n))
		return 0;
	snprintf(name, sizeof(name), "%s/%" PRIu64, n->id, n->incarnation - 1);
	snprintf(size, sizeof(size), "%" PRIu64, n->frontier.size);
	r = store->ops->blob_put(store->ctx, "record", name, n->record.data, n->record.size);
	return r < 0 ? r : store->ops->blob_put(store->ctx, "size", name, size, strlen(size));
}

/* A new row, or the row of a known EK in its next incarnation, or of one that waits in the same: what is open stays open. */
static int make_row(const struct enrol_admit *a, const struct enrol_session *s,
		    struct store_node *n)
{
	const struct verifier *v = a->v;
	CLEANUP(buf_done) struct buf record = {0};
	uint64_t now = clock_utc_ns(v->clock);
	bool known = n->version > 0;
	int r;

	memcpy(n->id, s->node, sizeof(n->id));
	memcpy(n->label, s->body.label, sizeof(n->label));
	n->incarnation += !waits(n);
	n->client_key = s->client_key;
	n->enrolled_ns = now;
	if (!known) {
		n->life = PLUMB_LIFE_PROVISIONING;
		n->containment = PLUMB_CONTAIN_FREE;
	}
	r = make_record(a, s, n, &record);
	if (r < 0)
		return r;
	r = keep_past(a, n);
	if (r < 0)
		return r;
	buf_done(&n->record);
	n->record = record;
	record = (struct buf){0};
	n->appraisal = PLUMB_APPRAISAL_NONE;
	n->freshness = PLUMB_FRESHNESS_FRESH;
	n->deadline_ns = now + v->silent_after_ms * 1000000;
	n->leaving_until_ns = n->last_evidence_ns = 0;
	n->head_size = n->prov_size = n->prov_since_ns = n->base_size = 0;
	n->prov_root = n->base_pcr = n->evidence_digest = (struct digest){{0}};
	n->prov_binding = n->has_base = n->forked = false;
	merkle_init(&n->frontier);
	merkle_init(&n->base_frontier);
	r = merkle_root(&n->frontier, &n->head_root);
	n->base_reset = s->counts.reset_count;
	n->base_restart = s->counts.restart_count;
	n->base_clock_ms = 0;
	n->findings = 0;
	n->boot_id[0] = 0;
	return r;
}

/* What isolates a node outlives its keys: a release that it never took is given to its next incarnation. */
static int make_next(const struct enrol_admit *a, const struct enrol_session *s,
		     struct store_node *n)
{
	struct order o;
	int due = n->version > 0 && !waits(n) ? order_desk_unreleased(a->v, n, &o) : 0;
	int r = due < 0 ? due : make_row(a, s, n);

	if (r >= 0 && due > 0)
		r = order_desk_give(a->v, n, &o, NULL);
	return r;
}

static int give_baseline(const struct enrol_admit *a, struct store_node *n)
{
	struct order o = {.kind = ORDER_BASELINE, .reason = "the baseline of new nodes"};
	static const struct digest none;
	int r;

	if (digest_equal(&n->baseline, &none)) {
		r = a->default_baseline
			    ? a->default_baseline(a->ctx, &n->baseline, &n->baseline_version)
			    : -ENOENT;
		if (r == -ENOENT)
			return 0;
		if (r < 0)
			return r;
	}
	o.document = n->baseline;
	o.version = n->baseline_version;
	return order_desk_give(a->v, n, &o, NULL);
}

/* A known EK: what it is contained for stays, its evidence begins anew. People hear of it either way. */
static int enter(const struct enrol_admit *a, const struct enrol_session *s, struct store_node *n,
		 const struct node_state *before, enum plumb_life life, const char *how)
{
	const struct transition t = {.v = a->v, .contain = a->contain};
	char text[512];
	const struct transition_cause c = {.text = text};

	n->life = life;
	snprintf(text, sizeof(text), "%s, incarnation %" PRIu64 "%s%.100s%s%s", how, n->incarnation,
		 s->named_by[0] ? ", its EK named by " : "", s->named_by, s->maker[0] ? "; " : "",
		 s->maker);
	return transition_enrolled(&t, n, before, &c);
}

static struct node_state state_of(const struct store_node *n)
{
	return (struct node_state){n->life, n->appraisal, n->freshness, n->containment, n->forked};
}

/* Enrolled, or it was when it first asked: it is missed for as long as it waits. */
static bool is_missed(const struct store_node *n)
{
	return n->life == PLUMB_LIFE_ENROLLED || n->life == PLUMB_LIFE_ACTIVE ||
	       (n->life == PLUMB_LIFE_PROVISIONING && n->freshness == PLUMB_FRESHNESS_SILENT);
}

/* The row of before is what is silent: its findings stay open, and evidence in the next incarnation ends them. */
static int miss(const struct enrol_admit *a, const struct enrol_session *s, struct store_node *n,
		struct node_state *ret_before)
{
	int r = intake_asks_anew(a->intake, n);

	if (r < 0)
		return r;
	*ret_before = state_of(n);
	r = make_next(a, s, n);
	n->freshness = PLUMB_FRESHNESS_SILENT;
	n->findings = 1u << PLUMB_FINDING_SILENT;
	return r;
}

static bool same(const struct buf *a, const struct buf *b)
{
	return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

static int has_its_keys(const struct enrol_session *s, const struct store_node *n)
{
	struct record record = {.incarnation = 0};
	struct why why;
	bool its_keys;
	int r;

	if (!digest_equal(&n->client_key, &s->client_key))
		return 0;
	r = record_parse(n->record.data, n->record.size, &record, &why);
	if (r < 0)
		return r == -EBADMSG ? -EIO : r;
	its_keys = same(&record.ak_public, &s->body.ak_public) &&
		   same(&record.event_public, &s->body.event_public);
	record_done(&record);
	return its_keys;
}

/* Without a token: its row waits for an approver. That is told once, however often it asks, and under however many keys. */
static int admit_pending(const struct enrol_admit *a, struct enrol_session *s, struct store_node *n)
{
	struct node_state before = state_of(n);
	bool known = n->version > 0;
	int r = 0;

	s->waited = waits(n);
	if (s->waited && strcmp(n->label, s->body.label) == 0)
		r = has_its_keys(s, n);
	if (r < 0)
		return r;
	if (r > 0) {
		/* Its machine may have booted again meanwhile. */
		n->base_reset = s->counts.reset_count;
		n->base_restart = s->counts.restart_count;
		return 202;
	}
	r = known && is_missed(n) ? miss(a, s, n, &before) : make_next(a, s, n);
	if (r >= 0 && !s->waited)
		r = enter(a, s, n, known ? &before : NULL, PLUMB_LIFE_PROVISIONING,
			  known ? "it asks to be enrolled anew" : "it asks to be enrolled");
	return r < 0 ? r : 202;
}

static int admit_now(const struct enrol_admit *a, const struct enrol_session *s,
		     struct store_node *n, const char *how)
{
	const struct node_state before = state_of(n);
	bool known = n->version > 0;
	int r = make_next(a, s, n);

	if (r >= 0)
		r = enter(a, s, n, known ? &before : NULL, PLUMB_LIFE_ENROLLED, how);
	if (r >= 0)
		r = give_baseline(a, n);
	return r < 0 ? r : 200;
}

/* 0: it is good for this label, and used up. */
static int use_token(const struct enrol_admit *a, const struct enrol_session *s, struct buf *ret)
{
	const struct store *store = a->v->store;
	struct digest token;
	char label[254] = "";
	int r = digest_sha256(s->body.token, strlen(s->body.token), &token);

	if (r >= 0)
		r = store->ops->token_use(store->ctx, &token, clock_utc_ns(a->v->clock), label);
	if (r == -ENOENT || r == -EKEYEXPIRED)
		return reply_error(ret, 403, "make another: plumbctl token create",
				   r == -ENOENT ? "the join token is not known, or was used before"
						: "the join token's time is over");
	if (r >= 0 && label[0] && strcmp(label, s->body.label) != 0)
		return reply_error(ret, 403, "give the node that label, or make another token",
				   "the join token is for label %.100s", label);
	return r < 0 ? r : 0;
}

/*
 * Enrolled, and it never heard of it: the answer was lost, or the node was cut off before it could keep it. Its token is used up. The same
 * TPM, its same keys and the same client key, all proven again, get the same answer, until the first evidence.
 */
static int lost_its_answer(const struct enrol_session *s, const struct store_node *n)
{
	if (n->version == 0 || n->life != PLUMB_LIFE_ENROLLED || n->last_evidence_ns ||
	    n->frontier.size > 0 || strcmp(n->label, s->body.label) != 0)
		return 0;
	return has_its_keys(s, n);
}

/* An approver lets it change its keys: no token is asked, and one that it shows is not used up. */
static int admit_permitted(const struct enrol_admit *a, const struct enrol_session *s,
			   struct store_node *n)
{
	char by[128], how[200];
	int r;

	if (n->version == 0 || n->life == PLUMB_LIFE_PROVISIONING ||
	    strcmp(n->label, s->body.label) != 0)
		return 0;
	r = rekey_permit_take(a->v->store, n->id, clock_utc_ns(a->v->clock), by);
	if (r <= 0)
		return r;
	snprintf(how, sizeof(how), "enrolled anew with other keys, as %.100s allowed", by);
	return admit_now(a, s, n, how);
}

static int refuse_gone(const struct enrol_session *s, const struct store_node *n, struct buf *ret)
{
	return reply_error(ret, 403, "it does not come back; use another TPM, or ask an operator",
			   "node %.64s is %s: %.200s", s->node, terms_life_name(n->life), n->cause);
}

/* 0: its EK is no other node's, and its own from here on. */
static int claim_ek(const struct enrol_admit *a, const struct enrol_session *s, struct buf *ret)
{
	char owner[65];
	int r = ek_owner_claim(a->v->store, &s->body.ek_public, s->node, owner);

	return r > 0 ? reply_error(ret, 403, "enrol it as the node that it is, or use another TPM",
				   "the EK of node %.64s is that of node %.64s, written otherwise",
				   s->node, owner)
		     : r;
}

static int log_again(const struct enrol_admit *a, const struct store_node *n)
{
	CLEANUP(buf_done) struct buf b = {0};
	static const struct digest none;
	struct jsonl j = {.buf = &b};
	uint64_t seq;

	jsonl_str(&j, "operator", "");
	jsonl_str(&j, "action", "certificate");
	jsonl_str(&j, "node", n->id);
	jsonl_str(&j, "reason", "its TPM proved EK, AK, event key and client key");
	jsonl_hex(&j, "envelope", none.bytes, DIGEST_SIZE);
	jsonl_str(&j, "result", "a new certificate for the same incarnation");
	return buf_status(&b) < 0 ? buf_status(&b)
				  : vlog_add(a->v->vlog, PLUMB_TYPE_ACTION, (char *)b.data, &seq);
}

int enrol_admit_again(const struct enrol_admit *a, const struct enrol_session *s,
		      struct store_node *n, struct buf *ret)
{
	int r = claim_ek(a, s, ret);

	if (r != 0)
		return r;
	r = a->v->store->ops->node_get(a->v->store->ctx, s->node, n);
	if (r == -ENOENT || (r >= 0 && n->life == PLUMB_LIFE_PROVISIONING))
		return reply_error(ret, 403, "enrol it with a token, or approve it",
				   "node %.64s is not enrolled", s->node);
	if (r >= 0 && node_is_gone(n->life))
		return refuse_gone(s, n, ret);
	if (r >= 0)
		r = has_its_keys(s, n);
	if (r < 0)
		return r;
	if (r == 0)
		return reply_error(ret, 403, "enrol it anew: plumbctl node rekey, or a token",
				   "node %.64s: its keys are not those that it was enrolled with",
				   s->node);
	r = log_again(a, n);
	return r < 0 ? r : 200;
}

/* In the caller's transaction. HTTP status or < 0; *n is the row as it becomes. */
int enrol_admit(const struct enrol_admit *a, struct enrol_session *s, struct store_node *n,
		struct buf *ret)
{
	const struct store *store = a->v->store;
	struct taken taken = {.s = s, .token = s->body.token[0] != 0};
	int r = claim_ek(a, s, ret);

	if (r != 0)
		return r;
	r = store->ops->node_get(store->ctx, s->node, n);
	if (r == -ENOENT)
		r = 0;
	if (r >= 0 && n->version && node_is_gone(n->life))
		return refuse_gone(s, n, ret);
	if (r >= 0)
		r = store->ops->node_each(store->ctx, on_label, &taken);
	if (r < 0)
		return r;
	if (taken.label)
		return reply_error(ret, 409,
				   "give it another label, or retire the node that has it",
				   "label %.100s is another node's", s->body.label);
	if (!taken.token && taken.n_pending >= ENROL_ADMIT_MAX_PENDING)
		return reply_error(ret, 503, "use a join token, or ask an approver to clear up",
				   "%u nodes wait for an approver", taken.n_pending);
	r = lost_its_answer(s, n);
	if (r != 0)
		return r < 0 ? r : 200;
	r = admit_permitted(a, s, n);
	if (r != 0)
		return r;
	if (!taken.token)
		return admit_pending(a, s, n);
	r = use_token(a, s, ret);
	return r != 0 ? r
		      : admit_now(a, s, n,
				  n->version > 0 ? "enrolled anew with a join token"
						 : "enrolled with a join token");
}
