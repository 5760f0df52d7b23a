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
#include "ek_list.h"
#include "enrol_admit.h"
#include "jsonl.h"
#include "log.h"
#include "makecred.h"
#include "record.h"
#include "reply.h"

#define PROOF_MS 60000ull
#define ANSWER_MS 60000ull /* once enrolled: who lost the answer may ask for it again */
#define APPROVAL_MS (24 * 3600 * 1000ull)
#define TELL_AGAIN_MS 60000ull
#define NAME_SIZE 34

struct enrol {
	struct enrol_options o;
	struct enrol_session_table table;
	uint64_t told_again_ns; /* boot time; 0: never */
	uint64_t n_asked_again; /* of all who wait, since then */
};

int enrol_open(const struct enrol_options *o, struct enrol **ret)
{
	struct enrol *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->o = *o;
	e->table.clock = o->v->clock;
	*ret = e;
	return 0;
}

struct enrol *enrol_free(struct enrol *e)
{
	if (!e)
		return NULL;
	enrol_session_table_done(&e->table);
	free(e);
	return NULL;
}

static void session_free_p(struct enrol_session **s)
{
	enrol_session_free(*s);
}

static struct buf_view view(const struct buf *b)
{
	return (struct buf_view){b->data, b->size};
}

/* Who approves it, and who asks months later, is to know what vouched for it. */
static void describe_maker(const struct ekcert_info *info, char ret[200])
{
	snprintf(ret, 200, "%s%s %s%s", info->emulated ? "an emulated TPM, " : "TPM ",
		 info->manufacturer, info->model,
		 info->expired ? " whose certificate is over" : "");
}

/* Its maker's certificate, or the word of an approver, whose list then says which label it has. */
static int check_ek(const struct enrol *e, struct enrol_session *s, struct why *ret_why)
{
	const struct enrol_body *b = &s->body;
	struct ek_list_entry named;
	struct ekcert_info info;
	int r = ek_list_get(e->o.v->store, s->node, &named);

	if (r >= 0 && named.label[0] && strcmp(named.label, b->label) != 0)
		return why_set(ret_why, -EKEYREJECTED, "its EK was imported for label %.100s",
			       named.label);
	if (r >= 0)
		snprintf(s->named_by, sizeof(s->named_by), "%s", named.by);
	if (r != -ENOENT)
		return r == -EBADMSG ? -EIO : r;
	if (b->ek_cert.size == 0)
		return why_set(ret_why, -EKEYREJECTED,
			       "EK certificate: there is none, this TPM's maker put none into it; "
			       "an approver may name the EK: plumbctl ek import %s",
			       s->node);
	r = ekcert_check(e->o.anchors, b->ek_cert.data, b->ek_cert.size, b->ek_public.data,
			 b->ek_public.size, clock_utc_ns(e->o.v->clock) / 1000000000, &info,
			 ret_why);
	if (r >= 0)
		describe_maker(&info, s->maker);
	return r;
}

/* 1: it asks for a certificate alone, and is enrolled: somebody vouched for this EK then. A node's id is its EK's digest. */
static int is_vouched_for(const struct enrol *e, const struct enrol_session *s)
{
	struct store_node n = {.incarnation = 0};
	int r;

	if (!s->again)
		return 0;
	r = e->o.v->store->ops->node_get(e->o.v->store->ctx, s->node, &n);
	if (r >= 0)
		r = n.life != PLUMB_LIFE_PROVISIONING;
	store_node_done(&n);
	return r == -ENOENT ? 0 : r;
}

/* All that can be said of the keys without asking the TPM. */
static int check_keys(const struct enrol *e, struct enrol_session *s, struct why *ret_why)
{
	const struct enrol_body *b = &s->body;
	const struct buf_view ak = view(&b->ak_public), event = view(&b->event_public);
	struct digest d;
	int r = quote_check_ek(b->ek_public.data, b->ek_public.size, ret_why);

	if (r >= 0)
		r = quote_public_digest(b->ek_public.data, b->ek_public.size, &d, ret_why);
	if (r < 0)
		return r;
	digest_hex(&d, s->node);
	r = is_vouched_for(e, s);
	if (r == 0)
		r = check_ek(e, s, ret_why);
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

static int check_csr(struct enrol_session *s, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf pem = {0};
	struct sign_key *key = NULL;
	int r = cert_csr_key(s->body.csr, strlen(s->body.csr), &key, ret_why);

	if (r >= 0)
		r = cert_csr_is_plain(s->body.csr, strlen(s->body.csr), ret_why);
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

static int make_proof(struct enrol_session *s)
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

static int make_credential(struct enrol_session *s, struct buf *ret, struct why *ret_why)
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

/* All that comes of foreign bytes: it is their sender's fault. */
static bool is_refusal(int r)
{
	return r == -EKEYREJECTED || r == -EBADMSG || r == -EPERM || r == -E2BIG || r == -EINVAL;
}

static int begin(struct enrol *e, bool again, const void *body, size_t size, struct buf *ret)
{
	CLEANUP(session_free_p) struct enrol_session *s = calloc(1, sizeof(*s));
	struct why why = {""};
	int r = s ? enrol_body_parse(body, size, &s->body, &why) : -ENOMEM;

	if (r == -EBADMSG || r == -E2BIG)
		return reply_error(ret, 400, "use a plumbd of this release", "enrolment: %s",
				   why.text);
	if (r >= 0)
		s->again = again;
	if (r >= 0)
		r = check_keys(e, s, &why);
	if (r >= 0)
		r = check_csr(s, &why);
	if (r >= 0)
		r = make_credential(s, ret, &why);
	if (is_refusal(r)) {
		log_warning("enrolment=refused label=%s node=%s reason=\"%s\"", s->body.label,
			    s->node, why.text);
		buf_clear(ret);
		return reply_error(ret, 403,
				   "see that the TPM's maker is among ek_anchors (emulated TPMs: "
				   "emulated_anchors; none: plumbctl ek import)",
				   "enrolment: %s", why.text);
	}
	if (r < 0)
		return r;
	s->until_ns = clock_boot_ns(e->o.v->clock) + PROOF_MS * 1000000;
	r = enrol_session_keep(&e->table, s);
	if (r == -EAGAIN) {
		buf_clear(ret);
		return reply_error(ret, 503, "try again in a minute",
				   "too many enrolments are under way");
	}
	s = NULL;
	return r < 0 ? r : 200;
}

int enrol_begin(struct enrol *e, const void *body, size_t size, struct buf *ret)
{
	return begin(e, false, body, size, ret);
}

int enrol_begin_again(struct enrol *e, const void *body, size_t size, struct buf *ret)
{
	return begin(e, true, body, size, ret);
}

static int write_identity(const struct enrol *e, const struct enrol_session *s,
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

static int write_pending(const struct enrol_session *s, struct buf *ret)
{
	struct jsonl j;

	jsonl_begin(&j, ret);
	jsonl_str(&j, "status", "pending");
	jsonl_str(&j, "node", s->node);
	jsonl_end(&j);
	return buf_status(ret) < 0 ? buf_status(ret) : 202;
}

/* Who waits for an approver may ask as often as it likes: a line a minute tells of all of them. */
static void log_it(struct enrol *e, const struct enrol_session *s, const struct store_node *n,
		   int status)
{
	uint64_t now = clock_boot_ns(e->o.v->clock);

	if (status == 202 && s->waited) {
		e->n_asked_again++;
		if (e->told_again_ns && now - e->told_again_ns < TELL_AGAIN_MS * 1000000)
			return;
		log_notice("node=%s label=%s enrolment=asked_again times=%" PRIu64
			   " next=\"it waits for an approver as before\"",
			   n->id, n->label, e->n_asked_again);
		e->told_again_ns = now;
		e->n_asked_again = 0;
		return;
	}
	log_notice("node=%s label=%s enrolment=%s incarnation=%" PRIu64, n->id, n->label,
		   s->again	   ? "certificate"
		   : status == 200 ? "done"
				   : "waits for an approver",
		   n->incarnation);
}

/* Put in one transaction: token, row, order, line of the log. */
static int put_node(struct enrol *e, struct enrol_session *s, struct buf *ret)
{
	const struct store *store = e->o.v->store;
	const struct enrol_admit a = {.v = e->o.v,
				      .contain = e->o.contain,
				      .intake = e->o.intake,
				      .default_baseline = e->o.default_baseline,
				      .ctx = e->o.ctx};
	struct store_node n = {.incarnation = 0};
	int status, r = store->ops->begin(store->ctx);

	if (r < 0)
		return r;
	status = s->again ? enrol_admit_again(&a, s, &n, ret) : enrol_admit(&a, s, &n, ret);
	r = status;
	if (status == 200 || status == 202) {
		/* A certificate is nothing that the row keeps. */
		r = s->again ? 0 : store->ops->node_put(store->ctx, &n);
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
	log_it(e, s, &n, status);
	enrol_session_prove(&e->table, s, status == 200 ? ANSWER_MS : APPROVAL_MS);
	s->answered = status == 200;
	contain_kick(e->o.contain);
	r = status == 200 ? write_identity(e, s, &n, ret) : write_pending(s, ret);
	store_node_done(&n);
	return r;
}

/* Asked again: was it approved meanwhile? The baseline goes with approval's first answer. */
static int look_again(struct enrol *e, struct enrol_session *s, struct buf *ret)
{
	const struct store *store = e->o.v->store;
	struct store_node n = {.incarnation = 0};
	int r = store->ops->node_get(store->ctx, s->node, &n);

	if (r >= 0 && (!digest_equal(&n.client_key, &s->client_key) || node_is_gone(n.life)))
		r = reply_error(ret, 403, "enrol anew",
				"node %.64s was enrolled otherwise, retired or revoked", s->node);
	else if (r >= 0 && n.life == PLUMB_LIFE_PROVISIONING)
		r = write_pending(s, ret);
	else if (r >= 0)
		r = write_identity(e, s, &n, ret);
	/* The first answer after the approval: the long wait is over. */
	if (r == 200 && !s->answered)
		enrol_session_prove(&e->table, s, ANSWER_MS);
	s->answered |= r == 200;
	store_node_done(&n);
	return r;
}

static void token_wipe_p(struct buf *b)
{
	enrol_body_wipe(b);
}

int enrol_activate(struct enrol *e, const void *body, size_t size, struct buf *ret)
{
	CLEANUP(token_wipe_p) struct buf kube_token = {0};
	char id[ENROL_BODY_SESSION_HEX + 1];
	struct digest proof;
	struct enrol_session *s;
	struct why why = {""};
	int r = enrol_body_parse_proof(body, size, id, &proof, &kube_token, &why);

	if (r == -EBADMSG || r == -E2BIG)
		return reply_error(ret, 400, "use a plumbd of this release", "enrolment: %s",
				   why.text);
	if (r < 0)
		return r;
	s = enrol_session_find(&e->table, id);
	if (!s)
		return reply_error(
			ret, 409, "begin the enrolment anew",
			"this enrolment's time is over, or the verifier was started again");
	if (!digest_equal(&proof, &s->proof)) {
		log_warning("enrolment=refused label=%s node=%s reason=\"the TPM did not answer "
			    "the credential\"",
			    s->body.label, s->node);
		enrol_session_drop(&e->table, s);
		return reply_error(ret, 403, "the AK must lie in the TPM whose EK this is",
				   "the TPM did not answer the credential");
	}
	r = s->proven ? look_again(e, s, ret) : put_node(e, s, ret);
	if (r == 200 && kube_token.size > 0 && e->o.named)
		e->o.named(e->o.named_ctx, s->node, (char *)kube_token.data);
	/* A token that was refused: the node may come with another, from the start. */
	if (r == 403)
		enrol_session_drop(&e->table, s);
	return r;
}
