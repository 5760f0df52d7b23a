/* SPDX-License-Identifier: Apache-2.0 */
#include "reactivation.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "enrol_answer.h"
#include "enrol_request.h"
#include "fetch.h"
#include "jsonl.h"
#include "log.h"
#include "plumb/terms.h"
#include "plumb/wire.h"

#define EVERY_MS 5000u
#define AGAIN_MIN_NS (10ull * 1000000000) /* after a failure; doubled up to the next */
#define AGAIN_MAX_NS (600ull * 1000000000)
#define MAX_URL 1024

enum step { IDLE, BEGINNING, OPENING, PROVING };

struct reactivation {
	struct reactivation_options o;
	struct fetch *fetch;
	struct event *timer;
	struct sign_key *key;
	struct digest key_id;
	enum step step;
	bool refused;
	uint64_t
		settled_s; /* the end of the certificate that is as it is by this clock's word alone */
	uint64_t not_before_ns, wait_ns; /* boot time */
	struct enrol_answer_begun begun;
	struct buf opened;
	char told[sizeof(((struct why *)0)->text)];
};

static void rest(struct reactivation *a)
{
	a->step = IDLE;
	enrol_answer_begun_done(&a->begun);
	if (a->opened.data)
		OPENSSL_cleanse(a->opened.data, a->opened.size);
	buf_done(&a->opened);
}

/* Each reason once, until it is another. */
static void fail(struct reactivation *a, const char *text)
{
	rest(a);
	a->wait_ns = a->wait_ns ? a->wait_ns * 2 : AGAIN_MIN_NS;
	if (a->wait_ns > AGAIN_MAX_NS)
		a->wait_ns = AGAIN_MAX_NS;
	a->not_before_ns = clock_boot_ns(a->o.clock) + a->wait_ns;
	if (strcmp(a->told, text) == 0)
		return;
	snprintf(a->told, sizeof(a->told), "%s", text);
	log_error(
		"certificate=ended error=\"%s\" next=\"tried again; the ledger is written all the "
		"same\"",
		text);
}

static void done_with(struct reactivation *a)
{
	uint64_t now_s = clock_utc_ns(a->o.clock) / 1000000000;

	rest(a);
	a->told[0] = 0;
	a->wait_ns = 0;
	a->refused = false;
	a->settled_s = a->o.renewal.not_after_s;
	if (a->settled_s <= now_s)
		log_warning("certificate=new clock=\"by this node's clock it is over, too\" "
			    "next=\"it is used: the verifier's clock counts; set this node's\"");
}

static const char *error_of(const struct buf *body, int status, struct why *why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	const char *error = "", *cure = "";
	struct why ignored;

	if (status == 404)
		return "the verifier is of a release that gives no certificate without a token";
	if (jsonl_parse(body->data, body->size, ENROL_ANSWER_MAX, &o, &ignored) >= 0) {
		jsonl_get_str(o, "error", 512, &error, &ignored);
		jsonl_get_str(o, "cure", 512, &cure, &ignored);
	}
	why_set(why, 0, "HTTP %d: %.130s; %.90s", status, error, cure);
	return why->text;
}

static int post(struct reactivation *a, const char *route, const struct buf *body,
		void (*done)(void *ctx, int r, int status, const struct buf *body,
			     const struct why *why))
{
	char url[MAX_URL];
	const struct fetch_request q = {.method = "POST",
					.url = url,
					.type = WIRE_TYPE_JSON,
					.body = body->data,
					.size = body->size,
					.max = ENROL_ANSWER_MAX,
					.done = done,
					.ctx = a};

	if (snprintf(url, sizeof(url), "%s%s", a->o.url, route) >= (int)sizeof(url))
		return -EINVAL;
	return fetch_start(a->fetch, &q);
}

static bool same(const struct buf *a, const struct buf *b)
{
	return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

/* What TLS refuses has no end to keep: a verifier whose clock was ahead gave one that begins, and ends, later than any it gives now. */
static int use(struct reactivation *a, const struct buf *pem, struct why *ret_why)
{
	struct renewal *n = &a->o.renewal;
	uint64_t end_s = n->not_after_s;
	int r;

	if (a->refused)
		n->not_after_s = 0;
	r = renewal_take(n, pem, ret_why);
	if (r < 0)
		n->not_after_s = end_s;
	return r;
}

static void take(struct reactivation *a, const struct buf *body)
{
	CLEANUP(enrol_answer_done) struct enrol_answer got = {.pending = false};
	const struct record *own = a->o.record;
	struct why why = {""};
	int r = enrol_answer_parse(body->data, body->size, &got, &why);

	if (r >= 0 && got.pending)
		r = why_set(&why, -EPERM, "an approver must act: plumbctl node approve %.64s",
			    own->node);
	if (r >= 0)
		r = enrol_answer_check(&got, own, &a->key_id, NULL, &why);
	if (r >= 0 && (got.record.incarnation != own->incarnation ||
		       !same(&got.record.ak_public, &own->ak_public)))
		r = why_set(&why, -EKEYREJECTED,
			    "the verifier has another incarnation of this node");
	if (r >= 0)
		r = use(a, &got.cert_pem, &why);
	if (r < 0)
		fail(a, why.text[0] ? why.text : strerror(-r));
	else
		done_with(a);
}

static void on_proven(void *ctx, int r, int status, const struct buf *body, const struct why *why)
{
	struct reactivation *a = ctx;
	struct why own;

	if (r == -ECANCELED)
		return;
	if (r < 0)
		fail(a, why->text);
	else if (status != 200)
		fail(a, error_of(body, status, &own));
	else
		take(a, body);
}

static void on_opened(void *ctx, struct tpm_job *job)
{
	CLEANUP(buf_done) struct buf body = {0};
	struct reactivation *a = ctx;
	struct why why;
	int r = job->result;

	if (r == -ECANCELED) {
		rest(a);
		return;
	}
	if (r < 0) {
		why_set(&why, r, "the TPM does not open the verifier's credential: %s",
			strerror(-r));
		fail(a, why.text);
		return;
	}
	r = enrol_request_proof(a->o.record, &a->key_id, a->begun.session, a->o.record->label,
				&a->opened, &body);
	a->step = PROVING;
	if (r >= 0)
		r = post(a, WIRE_ROUTE_ENROL_ACTIVATE, &body, on_proven);
	if (r < 0)
		fail(a, strerror(-r));
}

static int open_credential(struct tpm *tpm, void *ctx)
{
	struct reactivation *a = ctx;
	const struct enrol_answer_begun *b = &a->begun;

	return tpm->ops->activate(tpm->ctx, b->credential.data, b->credential.size, b->secret.data,
				  b->secret.size, &a->opened);
}

static void on_begun(void *ctx, int r, int status, const struct buf *body, const struct why *why)
{
	struct reactivation *a = ctx;
	const struct tpm_job job = {
		.kind = TPM_JOB_CALL, .call = open_credential, .done = on_opened, .ctx = a};
	struct why own = {""};

	if (r == -ECANCELED)
		return;
	if (r < 0 || status != 200) {
		fail(a, r < 0 ? why->text : error_of(body, status, &own));
		return;
	}
	r = enrol_answer_begun_parse(body->data, body->size, &a->begun, &own);
	a->step = OPENING;
	if (r >= 0)
		r = tpm_queue_submit(a->o.queue, &job);
	if (r < 0)
		fail(a, own.text[0] ? own.text : strerror(-r));
}

static void begin(struct reactivation *a)
{
	CLEANUP(buf_done) struct buf body = {0};
	int r = enrol_request_begin(a->o.record, a->key, "", a->o.record->label, &body);

	a->step = BEGINNING;
	if (r >= 0)
		r = post(a, WIRE_ROUTE_ENROL_AGAIN, &body, on_begun);
	if (r < 0)
		fail(a, strerror(-r));
	else if (!a->told[0])
		log_notice("certificate=%s next=\"another is asked for, by the TPM's word\"",
			   a->refused ? "refused" : "ended");
}

/* This clock's word is asked once a certificate: one that is far ahead would ask without end. */
static bool is_over(const struct reactivation *a)
{
	uint64_t end_s = a->o.renewal.not_after_s;

	return end_s != a->settled_s && clock_utc_ns(a->o.clock) / 1000000000 >= end_s;
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct reactivation *a = ctx;

	(void)fd;
	(void)what;
	if (a->step == IDLE && (a->refused || is_over(a)) &&
	    clock_boot_ns(a->o.clock) >= a->not_before_ns)
		begin(a);
}

void reactivation_renew(struct reactivation *a, const struct buf *pem)
{
	struct why why = {""};

	renewal_take(&a->o.renewal, pem, &why);
}

void reactivation_refused(struct reactivation *a)
{
	a->refused = true;
}

static void on_refused(void *ctx)
{
	reactivation_refused(ctx);
}

static int open_parts(struct event_base *base, struct reactivation *a, struct why *ret_why)
{
	const struct fetch_options f = {
		.base = base, .ca_pem = a->o.ca_pem, .user_agent = "plumbd/" PLUMB_VERSION};
	uint32_t ms = a->o.every_ms ? a->o.every_ms : EVERY_MS;
	const struct timeval every = {ms / 1000, (ms % 1000) * 1000};
	int r = sign_key_from_pem(a->o.key_pem, strlen(a->o.key_pem), &a->key, ret_why);

	if (r >= 0)
		r = sign_key_id(a->key, &a->key_id);
	if (r >= 0)
		r = fetch_open(&f, &a->fetch, ret_why);
	if (r < 0)
		return r;
	transport_on_refused(a->o.renewal.transport, on_refused, a);
	a->timer = event_new(base, -1, EV_PERSIST, on_timer, a);
	return a->timer && event_add(a->timer, &every) == 0 ? 0 : -ENOMEM;
}

int reactivation_open(struct event_base *base, const struct reactivation_options *o,
		      struct reactivation **ret, struct why *ret_why)
{
	struct reactivation *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	a->o = *o;
	r = open_parts(base, a, ret_why);
	if (r < 0) {
		reactivation_free(a);
		return r;
	}
	*ret = a;
	return 0;
}

struct reactivation *reactivation_free(struct reactivation *a)
{
	if (!a)
		return NULL;
	if (a->timer)
		event_free(a->timer);
	fetch_free(a->fetch);
	rest(a);
	sign_key_free(a->key);
	free(a);
	return NULL;
}
