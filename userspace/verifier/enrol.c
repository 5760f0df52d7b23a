/* SPDX-License-Identifier: Apache-2.0 */
#include "enrol.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cert.h"
#include "cleanup.h"
#include "enrol_body.h"
#include "jsonl.h"
#include "log.h"
#include "makecred.h"
#include "order_desk.h"
#include "quote.h"
#include "record.h"
#include "reply.h"

#define MAX_SESSIONS 1024
#define PROOF_MS 60000ull
#define APPROVAL_MS (24 * 3600 * 1000ull)
#define NAME_SIZE 34

/* One that was begun; at most one an EK. */
struct session {
	char id[ENROL_BODY_SESSION_HEX + 1];
	char node[65];
	struct enrol_body body;
	struct digest secret, client_key, proof;
	struct quote_info counts; /* of the TPM2_Certify */
	char *csr_key_pem; /* the client's public key */
	bool proven;
	uint64_t until_ns; /* boot time */
};

struct enrol {
	struct enrol_options o;
	struct session *sessions[MAX_SESSIONS];
};

int enrol_open(const struct enrol_options *o, struct enrol **ret)
{
	struct enrol *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->o = *o;
	*ret = e;
	return 0;
}

static void session_free(struct session *s)
{
	if (!s)
		return;
	OPENSSL_cleanse(&s->secret, sizeof(s->secret));
	enrol_body_done(&s->body);
	free(s->csr_key_pem);
	free(s);
}

static void session_free_p(struct session **s)
{
	session_free(*s);
}

struct enrol *enrol_free(struct enrol *e)
{
	if (!e)
		return NULL;
	for (int i = 0; i < MAX_SESSIONS; i++)
		session_free(e->sessions[i]);
	free(e);
	return NULL;
}

/* One an EK, so that one machine cannot fill the table; those whose time is over make room. */
static int keep_session(struct enrol *e, struct session *s)
{
	uint64_t now = clock_boot_ns(e->o.v->clock);
	int place = -1;

	for (int i = 0; i < MAX_SESSIONS; i++) {
		struct session *other = e->sessions[i];

		if (other && (other->until_ns < now || strcmp(other->node, s->node) == 0)) {
			session_free(other);
			e->sessions[i] = other = NULL;
		}
		if (!other && place < 0)
			place = i;
	}
	if (place < 0)
		return -EAGAIN;
	e->sessions[place] = s;
	return 0;
}

static struct session *find_session(struct enrol *e, const char *id)
{
	uint64_t now = clock_boot_ns(e->o.v->clock);

	for (int i = 0; i < MAX_SESSIONS; i++)
		if (e->sessions[i] && e->sessions[i]->until_ns >= now &&
		    CRYPTO_memcmp(e->sessions[i]->id, id, ENROL_BODY_SESSION_HEX) == 0)
			return e->sessions[i];
	return NULL;
}

static void drop_session(struct enrol *e, struct session *s)
{
	for (int i = 0; i < MAX_SESSIONS; i++)
		if (e->sessions[i] == s)
			e->sessions[i] = NULL;
	session_free(s);
}

static struct buf_view view(const struct buf *b)
{
	return (struct buf_view){b->data, b->size};
}

/* All that can be said of the keys without asking the TPM. */
static int check_keys(const struct enrol *e, struct session *s, struct why *ret_why)
{
	const struct enrol_body *b = &s->body;
	const struct buf_view ak = view(&b->ak_public), event = view(&b->event_public);
	struct ekcert_info info;
	struct digest d;
	int r = quote_check_ek(b->ek_public.data, b->ek_public.size, ret_why);

	if (r >= 0)
		r = quote_public_digest(b->ek_public.data, b->ek_public.size, &d, ret_why);
	if (r < 0)
		return r;
	digest_hex(&d, s->node);
	if (b->ek_cert.size == 0)
		return why_set(ret_why, -EKEYREJECTED,
			       "EK certificate: there is none; this TPM's maker put none into it");
	r = ekcert_check(e->o.anchors, b->ek_cert.data, b->ek_cert.size, b->ek_public.data,
			 b->ek_public.size, clock_utc_ns(e->o.v->clock) / 1000000000, &info,
			 ret_why);
	if (r >= 0)
		r = quote_check_ak(b->ak_public.data, b->ak_public.size, ret_why);
	if (r >= 0)
		r = quote_check_event_key(b->event_public.data, b->event_public.size, ret_why);
	if (r >= 0)
		r = record_certify_data(&ak, &event, &d);
	return r < 0 ? r
		     : quote_check_certify(b->event_attest.data, b->event_attest.size,
					   b->event_sig.data, b->event_sig.size, ak.data, ak.size,
					   event.data, event.size, &d, &s->counts, ret_why);
}

static int check_csr(struct session *s, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf pem = {0};
	struct sign_key *key = NULL;
	int r = cert_csr_key(s->body.csr, strlen(s->body.csr), &key, ret_why);

	if (r >= 0 && sign_key_kind(key) == SIGN_RSA)
		r = why_set(ret_why, -EKEYREJECTED, "csr: its key is neither P-256 nor Ed25519");
	if (r >= 0)
		r = sign_key_id(key, &s->client_key);
	if (r >= 0)
		r = sign_key_public_pem(key, &pem);
	if (r >= 0)
		s->csr_key_pem = buf_take(&pem);
	sign_key_free(key);
	return r < 0 ? r : s->csr_key_pem ? 0 : -ENOMEM;
}

static int make_proof(struct session *s)
{
	const struct enrol_body *b = &s->body;
	const struct buf_view ek = view(&b->ek_public), ak = view(&b->ak_public),
			      event = view(&b->event_public);
	struct digest transcript;
	unsigned int size = DIGEST_SIZE;
	int r = record_transcript(s->id, &ek, &ak, &event, &s->client_key, b->label, &transcript);

	if (r < 0)
		return r;
	return HMAC(EVP_sha256(), s->secret.bytes, DIGEST_SIZE, transcript.bytes, DIGEST_SIZE,
		    s->proof.bytes, &size) &&
			       size == DIGEST_SIZE
		       ? 0
		       : -EIO;
}

static int make_credential(struct session *s, struct buf *ret, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf blob = {0}, secret = {0};
	const struct enrol_body *b = &s->body;
	uint8_t id[ENROL_BODY_SESSION_HEX / 2], name[NAME_SIZE];
	struct jsonl j;
	int r;

	if (getrandom(id, sizeof(id), 0) != sizeof(id) ||
	    getrandom(s->secret.bytes, DIGEST_SIZE, 0) != DIGEST_SIZE)
		return -EIO;
	digest_bytes_hex(id, sizeof(id), s->id);
	r = quote_public_name(b->ak_public.data, b->ak_public.size, name, ret_why);
	if (r >= 0)
		r = makecred_make(b->ek_public.data, b->ek_public.size, name, sizeof(name),
				  s->secret.bytes, DIGEST_SIZE, &blob, &secret, ret_why);
	if (r >= 0)
		r = make_proof(s);
	if (r < 0)
		return r;
	jsonl_begin(&j, ret);
	jsonl_str(&j, "session", s->id);
	jsonl_base64(&j, "credential", blob.data, blob.size);
	jsonl_base64(&j, "secret", secret.data, secret.size);
	jsonl_end(&j);
	return buf_status(ret);
}

int enrol_begin(struct enrol *e, const void *body, size_t size, struct buf *ret)
{
	CLEANUP(session_free_p) struct session *s = calloc(1, sizeof(*s));
	struct why why = {""};
	int r = s ? enrol_body_parse(body, size, &s->body, &why) : -ENOMEM;

	if (r == -EBADMSG || r == -E2BIG)
		return reply_error(ret, 400, "use a plumbd of this release", "enrolment: %s",
				   why.text);
	if (r >= 0)
		r = check_keys(e, s, &why);
	if (r >= 0)
		r = check_csr(s, &why);
	if (r >= 0)
		r = make_credential(s, ret, &why);
	if (r == -EKEYREJECTED || r == -EBADMSG || r == -EPERM) {
		log_warning("enrolment=refused label=%s node=%s reason=\"%s\"", s->body.label,
			    s->node, why.text);
		buf_clear(ret);
		return reply_error(ret, 403,
				   "see that the TPM's maker is among ek_anchors (emulated TPMs: "
				   "emulated_anchors)",
				   "enrolment: %s", why.text);
	}
	if (r < 0)
		return r;
	s->until_ns = clock_boot_ns(e->o.v->clock) + PROOF_MS * 1000000;
	r = keep_session(e, s);
	if (r == -EAGAIN) {
		buf_clear(ret);
		return reply_error(ret, 503, "try again in a minute",
				   "too many enrolments are under way");
	}
	s = NULL;
	return r < 0 ? r : 200;
}

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

static int make_record(const struct enrol *e, const struct session *s, const struct store_node *n,
		       struct buf *ret)
{
	const struct verifier *v = e->o.v;
	const struct enrol_body *b = &s->body;
	struct record r = {.incarnation = n->incarnation,
			   .pcr_index = v->pcr_index,
			   .enrolled_ns = n->enrolled_ns};
	struct building building = {&r};
	int result = 0;

	memcpy(r.node, n->id, sizeof(r.node));
	memcpy(r.label, n->label, sizeof(r.label));
	if (snprintf(r.origin, sizeof(r.origin), "%s/node/%s/%" PRIu64, v->log_name, n->id,
		     n->incarnation) >= (int)sizeof(r.origin))
		result = -E2BIG;
	if (n->incarnation > 1) {
		snprintf(r.predecessor_origin, sizeof(r.predecessor_origin), "%s/node/%s/%" PRIu64,
			 v->log_name, n->id, n->incarnation - 1);
		r.predecessor_size = n->head_size;
		r.predecessor_root = n->head_root;
	}
	copy(&r.ek_public, &b->ek_public);
	copy(&r.ek_cert, &b->ek_cert);
	copy(&r.ak_public, &b->ak_public);
	copy(&r.event_public, &b->event_public);
	copy(&r.event_attest, &b->event_attest);
	copy(&r.event_sig, &b->event_sig);
	snprintf(r.witness_name, sizeof(r.witness_name), "%s", v->witness_name);
	if (result >= 0)
		result = sign_key_spki(v->witness_key, &r.witness_key);
	if (result >= 0)
		result = sign_key_spki(v->verdict_key, &r.order_key);
	if (result >= 0)
		result = v->store->ops->operator_each(v->store->ctx, add_baseline_key, &building);
	if (result >= 0)
		result = record_write(&r, ret);
	record_done(&r);
	return result < 0 ? result : 0;
}

struct taken {
	const struct session *s;
	bool label;
};

static int on_label(void *ctx, const struct store_node *n)
{
	struct taken *t = ctx;

	if (strcmp(n->label, t->s->body.label) == 0 && strcmp(n->id, t->s->node) != 0 &&
	    n->life != PLUMB_LIFE_RETIRED)
		t->label = true;
	return 0;
}

/* A new row, or the row of a known EK in its next incarnation: what is open stays open. */
static int make_row(const struct enrol *e, const struct session *s, struct store_node *n)
{
	const struct verifier *v = e->o.v;
	CLEANUP(buf_done) struct buf record = {0};
	uint64_t now = clock_utc_ns(v->clock);
	bool known = n->version > 0;
	int r;

	memcpy(n->id, s->node, sizeof(n->id));
	memcpy(n->label, s->body.label, sizeof(n->label));
	n->incarnation++;
	n->client_key = s->client_key;
	n->enrolled_ns = now;
	if (!known) {
		n->life = PLUMB_LIFE_PROVISIONING;
		n->containment = PLUMB_CONTAIN_FREE;
		n->state_since_ns = now;
		snprintf(n->cause, sizeof(n->cause), "it asks to be enrolled");
	}
	r = make_record(e, s, n, &record);
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

static int give_baseline(const struct enrol *e, struct store_node *n)
{
	struct order o = {.kind = ORDER_BASELINE, .reason = "the baseline of new nodes"};
	static const struct digest none;
	int r;

	if (digest_equal(&n->baseline, &none)) {
		r = e->o.default_baseline
			    ? e->o.default_baseline(e->o.ctx, &n->baseline, &n->baseline_version)
			    : -ENOENT;
		if (r == -ENOENT)
			return 0;
		if (r < 0)
			return r;
	}
	o.document = n->baseline;
	o.version = n->baseline_version;
	return order_desk_give(e->o.v, n, &o, NULL);
}

static int approve(const struct enrol *e, struct store_node *n, const char *how)
{
	const struct transition t = {.v = e->o.v, .contain = e->o.contain};
	const struct transition_cause c = {.text = how};
	int r;

	if (n->life != PLUMB_LIFE_PROVISIONING) {
		/* A known EK: what it is contained for stays; its evidence begins anew. */
		n->life = PLUMB_LIFE_ENROLLED;
		snprintf(n->cause, sizeof(n->cause), "%s", how);
		return 0;
	}
	r = transition_apply(&t, n, NODE_APPROVED, &c);
	return r < 0 ? r : 0;
}

/* In the caller's transaction. HTTP status or < 0; *n is the row as it becomes. */
static int admit(struct enrol *e, struct session *s, struct store_node *n, struct buf *ret)
{
	const struct store *store = e->o.v->store;
	struct taken taken = {.s = s};
	struct digest token;
	char label[254] = "";
	int r = store->ops->node_get(store->ctx, s->node, n);

	if (r == -ENOENT)
		r = 0;
	if (r >= 0 && n->version && n->life == PLUMB_LIFE_RETIRED)
		return reply_error(
			ret, 403,
			"a retired node does not come back; use another TPM, or ask an operator",
			"node %.64s is retired", s->node);
	if (r >= 0)
		r = store->ops->node_each(store->ctx, on_label, &taken);
	if (r < 0)
		return r;
	if (taken.label)
		return reply_error(ret, 409,
				   "give it another label, or retire the node that has it",
				   "label %.100s is another node's", s->body.label);
	if (!s->body.token[0]) {
		if (n->version && n->life == PLUMB_LIFE_PROVISIONING &&
		    digest_equal(&n->client_key, &s->client_key))
			return 202;
		r = make_row(e, s, n);
		n->life = PLUMB_LIFE_PROVISIONING;
		return r < 0 ? r : 202;
	}
	r = digest_sha256(s->body.token, strlen(s->body.token), &token);
	if (r >= 0)
		r = store->ops->token_use(store->ctx, &token, clock_utc_ns(e->o.v->clock), label);
	if (r == -ENOENT || r == -EKEYEXPIRED)
		return reply_error(ret, 403, "make another: plumbctl token create",
				   r == -ENOENT ? "the join token is not known, or was used before"
						: "the join token's time is over");
	if (r >= 0 && label[0] && strcmp(label, s->body.label) != 0)
		return reply_error(ret, 403, "give the node that label, or make another token",
				   "the join token is for label %.100s", label);
	if (r >= 0)
		r = make_row(e, s, n);
	if (r >= 0)
		r = approve(e, n, "enrolled with a join token");
	if (r >= 0)
		r = give_baseline(e, n);
	return r < 0 ? r : 200;
}

static int write_identity(const struct enrol *e, const struct session *s,
			  const struct store_node *n, struct buf *ret)
{
	CLEANUP(buf_done) struct buf pem = {0};
	const struct cert_request q = {
		.kind = CERT_NODE,
		.name = n->id,
		.not_before_s = clock_utc_ns(e->o.v->clock) / 1000000000 - 300,
		.life_s = e->o.node_cert_life_s + 300,
	};
	struct sign_key *key = NULL;
	struct why why;
	struct jsonl j;
	size_t size = n->record.size;
	int r = sign_key_from_pem(s->csr_key_pem, strlen(s->csr_key_pem), &key, &why);

	if (r >= 0)
		r = cert_issue(&q, key, e->o.ca_cert_pem, e->o.ca_key, &pem, &why);
	sign_key_free(key);
	if (r < 0)
		return r;
	while (size > 0 && n->record.data[size - 1] == '\n')
		size--;
	jsonl_begin(&j, ret);
	jsonl_str(&j, "status", "enrolled");
	jsonl_raw(&j, "record", (char *)n->record.data, size);
	jsonl_strn(&j, "certificate", (char *)pem.data, pem.size);
	jsonl_str(&j, "ca", e->o.ca_cert_pem);
	jsonl_end(&j);
	return buf_status(ret) < 0 ? buf_status(ret) : 200;
}

static int write_pending(const struct session *s, struct buf *ret)
{
	struct jsonl j;

	jsonl_begin(&j, ret);
	jsonl_str(&j, "status", "pending");
	jsonl_str(&j, "node", s->node);
	jsonl_end(&j);
	return buf_status(ret) < 0 ? buf_status(ret) : 202;
}

/* Put in one transaction: token, row, order, line of the log. */
static int put_node(struct enrol *e, struct session *s, struct buf *ret)
{
	const struct store *store = e->o.v->store;
	struct store_node n = {.incarnation = 0};
	int status, r = store->ops->begin(store->ctx);

	if (r < 0)
		return r;
	status = admit(e, s, &n, ret);
	r = status;
	if (status == 200 || status == 202) {
		r = store->ops->node_put(store->ctx, &n);
		if (r >= 0)
			r = vlog_sync(e->o.v->vlog);
		if (r >= 0)
			r = store->ops->commit(store->ctx);
	}
	if (r < 0 || (status != 200 && status != 202)) {
		store->ops->rollback(store->ctx);
		store_node_done(&n);
		return r < 0 ? r : status;
	}
	log_notice("node=%s label=%s enrolment=%s incarnation=%" PRIu64, n.id, n.label,
		   status == 200 ? "done" : "waits for an approver", n.incarnation);
	s->proven = true;
	s->until_ns = clock_boot_ns(e->o.v->clock) + APPROVAL_MS * 1000000;
	r = status == 200 ? write_identity(e, s, &n, ret) : write_pending(s, ret);
	store_node_done(&n);
	return r;
}

/* Asked again: was it approved meanwhile? The baseline goes with approval's first answer. */
static int look_again(struct enrol *e, struct session *s, struct buf *ret)
{
	const struct store *store = e->o.v->store;
	struct store_node n = {.incarnation = 0};
	int r = store->ops->node_get(store->ctx, s->node, &n);

	if (r >= 0 &&
	    (!digest_equal(&n.client_key, &s->client_key) || n.life == PLUMB_LIFE_RETIRED))
		r = reply_error(ret, 403, "enrol anew",
				"node %.64s was enrolled otherwise or retired", s->node);
	else if (r >= 0 && n.life == PLUMB_LIFE_PROVISIONING)
		r = write_pending(s, ret);
	else if (r >= 0)
		r = write_identity(e, s, &n, ret);
	store_node_done(&n);
	return r;
}

int enrol_activate(struct enrol *e, const void *body, size_t size, struct buf *ret)
{
	char id[ENROL_BODY_SESSION_HEX + 1];
	struct digest proof;
	struct session *s;
	struct why why = {""};
	int r = enrol_body_parse_proof(body, size, id, &proof, &why);

	if (r == -EBADMSG || r == -E2BIG)
		return reply_error(ret, 400, "use a plumbd of this release", "enrolment: %s",
				   why.text);
	if (r < 0)
		return r;
	s = find_session(e, id);
	if (!s)
		return reply_error(
			ret, 409, "begin the enrolment anew",
			"this enrolment's time is over, or the verifier was started again");
	if (!digest_equal(&proof, &s->proof)) {
		log_warning("enrolment=refused label=%s node=%s reason=\"the TPM did not answer "
			    "the credential\"",
			    s->body.label, s->node);
		drop_session(e, s);
		return reply_error(ret, 403, "the AK must lie in the TPM whose EK this is",
				   "the TPM did not answer the credential");
	}
	r = s->proven ? look_again(e, s, ret) : put_node(e, s, ret);
	/* A token that was refused: the node may come with another, from the start. */
	if (r == 403)
		drop_session(e, s);
	return r;
}
