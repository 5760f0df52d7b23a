/* SPDX-License-Identifier: Apache-2.0 */
#include "enrol_client.h"

#include <errno.h>
#include <event2/event.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "enrol_answer.h"
#include "enrol_request.h"
#include "fetch.h"
#include "jsonl.h"
#include "log.h"
#include "plumb/terms.h"
#include "plumb/wire.h"

#define MAX_FILE 65536
#define REQUEST_MS 10000 /* so that a stop is not kept waiting */
#define MIN_WAIT_MS 500
#define MAX_WAIT_MS 30000
#define PENDING_MS 2000
#define TOKEN_PREFIX "plumb1."
#define TOKEN_SIZE (7 + 64 + 1 + 32)

/* What is to be done after a step that did not enrol us. */
enum next { NEXT_DONE = 1, NEXT_AGAIN, NEXT_PENDING };

struct joining {
	const struct enrol_client_options *o;
	struct event_base *base;
	struct fetch *fetch;
	char token[128];
	struct digest pin;
	bool pinned;
	struct buf ca; /* from a file, when nothing was pinned */
	struct sign_key *key;
	struct digest key_id;
	char session[65];
	struct buf proof_body;
	int token_told; /* the error that was last told of the pod's token; 0: none */
	struct enrol_answer got;
};

static void secret_done(struct buf *b)
{
	if (b->data)
		OPENSSL_cleanse(b->data, b->size);
	buf_done(b);
}

static void joining_done(struct joining *j)
{
	OPENSSL_cleanse(j->token, sizeof(j->token));
	fetch_free(j->fetch);
	if (j->base)
		event_base_free(j->base);
	sign_key_free(j->key);
	buf_done(&j->ca);
	buf_done(&j->proof_body);
	enrol_answer_done(&j->got);
}

static int path_of(const struct enrol_client_options *o, const char *name, char ret[PATH_MAX])
{
	return snprintf(ret, PATH_MAX, "%s/%s", o->state_dir, name) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int read_token(struct joining *j, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf b = {0};
	const char *path = j->o->token_file;
	struct stat st;
	char hex[65];
	size_t size;
	int r = fsio_read_file(j->o->io, path, 4096, &b);

	if (r < 0)
		return why_set(ret_why, r == -ENOENT ? -EKEYREJECTED : r,
			       "join_token_file: %.150s: %s; plumbctl token create makes a token",
			       path, strerror(-r));
	if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077))
		log_warning("join_token_file=%s mode=%03o cure=\"chmod 600: whoever reads it first "
			    "can enrol in this node's stead\"",
			    path, (unsigned int)(st.st_mode & 0777));
	size = b.size ? strcspn((char *)b.data, "\r\n \t") : 0;
	if (size != TOKEN_SIZE || memcmp(b.data, TOKEN_PREFIX, 7) != 0 || b.data[71] != '.')
		r = -EKEYREJECTED;
	if (r >= 0) {
		memcpy(hex, b.data + 7, 64);
		hex[64] = 0;
		r = digest_from_hex(hex, &j->pin) < 0 ? -EKEYREJECTED : 0;
	}
	if (r >= 0) {
		memcpy(j->token, b.data, size);
		j->token[size] = 0;
		j->pinned = true;
	}
	OPENSSL_cleanse(b.data, b.size);
	return r < 0 ? why_set(ret_why, r,
			       "join_token_file: %.150s does not begin with a join token; plumbctl "
			       "token create makes one",
			       path)
		     : 0;
}

/* The CA of an enrolment before; whoever was enrolled needs no token's pin to know it. */
static bool has_known_ca(const struct joining *j, char ret_path[PATH_MAX])
{
	return path_of(j->o, ENROL_CLIENT_CA, ret_path) >= 0 && access(ret_path, F_OK) == 0;
}

static int read_trust(struct joining *j, struct why *ret_why)
{
	char known[PATH_MAX];
	bool knows = has_known_ca(j, known);
	bool token = j->o->token_file && !(knows && access(j->o->token_file, F_OK) < 0);
	const char *ca_file = j->o->ca_file ? j->o->ca_file : !token && knows ? known : NULL;
	int r = token ? read_token(j, ret_why) : 0;

	if (r < 0)
		return r;
	if (!j->pinned && !ca_file)
		return why_set(ret_why, -EKEYREJECTED,
			       "join_token_file or verifier_ca is needed to know the verifier by");
	if (ca_file) {
		r = fsio_read_file(j->o->io, ca_file, MAX_FILE, &j->ca);
		if (r < 0)
			return why_set(ret_why, -EKEYREJECTED, "%s: %.150s: %s",
				       j->o->ca_file ? "verifier_ca" : "the verifier's CA", ca_file,
				       strerror(-r));
	}
	return 0;
}

/* Kept before it is used: a node that was enrolled and lost the answer comes back with the same key. */
static int open_key(struct joining *j, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf pem = {0};
	char path[PATH_MAX];
	int r = path_of(j->o, ENROL_CLIENT_KEY, path);

	if (r >= 0)
		r = fsio_read_file(j->o->io, path, MAX_FILE, &pem);
	if (r >= 0) {
		r = sign_key_from_pem((char *)pem.data, pem.size, &j->key, ret_why);
	} else if (r == -ENOENT) {
		r = sign_key_generate(SIGN_P256, &j->key);
		if (r >= 0)
			r = sign_key_private_pem(j->key, &pem);
		if (r >= 0)
			r = fsio_replace_file(j->o->io, path, pem.data, pem.size, 0600);
	}
	if (pem.data)
		OPENSSL_cleanse(pem.data, pem.size);
	if (r >= 0)
		r = sign_key_id(j->key, &j->key_id);
	return r < 0 ? why_set(ret_why, r,
			       "%.150s: %s; remove it, and another key is made for the enrolment",
			       path, strerror(-r))
		     : 0;
}

static int open_fetch(struct joining *j, struct why *ret_why)
{
	const struct fetch_options f = {.base = j->base,
					.ca_pem = j->ca.size ? (char *)j->ca.data : NULL,
					.ca_pin = j->pinned && !j->ca.size ? &j->pin : NULL,
					.total_ms = REQUEST_MS,
					.user_agent = "plumbd/" PLUMB_VERSION};

	return fetch_open(&f, &j->fetch, ret_why);
}

static int post(struct joining *j, const char *route, const struct buf *body, struct buf *ret,
		struct why *ret_why)
{
	char url[1024];
	const struct fetch_request q = {.method = "POST",
					.url = url,
					.type = WIRE_TYPE_JSON,
					.body = body->data,
					.size = body->size,
					.max = ENROL_ANSWER_MAX};

	if (strncmp(j->o->url, "https://", 8) != 0 || strchr(j->o->url + 8, '/') ||
	    snprintf(url, sizeof(url), "%s%s", j->o->url, route) >= (int)sizeof(url))
		return why_set(ret_why, -EINVAL, "verifier: \"%.150s\" is not https://HOST:PORT",
			       j->o->url);
	return fetch_wait(j->fetch, &q, ret, ret_why);
}

static void read_error(const struct buf *body, struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	const char *error = "it did not say why", *cure = "see its log";
	struct why ignored;

	if (jsonl_parse(body->data, body->size, ENROL_ANSWER_MAX, &o, &ignored) >= 0) {
		jsonl_get_str(o, "error", 512, &error, &ignored);
		jsonl_get_str(o, "cure", 512, &cure, &ignored);
	}
	why_set(ret_why, 0, "the verifier refuses: %.130s; %.90s", error, cure);
}

/* Which answers end it, and which are worth another try. 0: go on with the body. */
static int judge_status(int status, const struct buf *body, struct why *ret_why)
{
	if (status == -EKEYREJECTED || status == -EINVAL)
		return status;
	if (status < 0)
		return -EAGAIN;
	if (status == 200 || status == 202)
		return 0;
	read_error(body, ret_why);
	return status >= 500 || status == 429 ? -EAGAIN : -EKEYREJECTED;
}

/* The TPM opens the credential only if EK and AK are both its own; the proof binds what it opened to all that was sent. */
static int make_proof(struct joining *j, const struct buf *credential, const struct buf *secret,
		      struct why *ret_why)
{
	CLEANUP(buf_done) struct buf opened = {0};
	int r = j->o->tpm->ops->activate(j->o->tpm->ctx, credential->data, credential->size,
					 secret->data, secret->size, &opened);

	if (r < 0)
		return why_set(ret_why, r, "the TPM does not open the verifier's credential: %s",
			       strerror(-r));
	buf_clear(&j->proof_body);
	r = enrol_request_proof(j->o->own, &j->key_id, j->session, j->o->label, &opened,
				&j->proof_body);
	OPENSSL_cleanse(opened.data, opened.size);
	return r;
}

static int begin(struct joining *j, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf body = {0}, answer = {0};
	CLEANUP(enrol_answer_begun_done) struct enrol_answer_begun begun = {.session = ""};
	int r = enrol_request_begin(j->o->own, j->key, j->token, j->o->label, &body);

	if (r < 0)
		return r;
	r = judge_status(post(j, WIRE_ROUTE_ENROL, &body, &answer, ret_why), &answer, ret_why);
	OPENSSL_cleanse(body.data, body.size);
	if (r < 0)
		return r;
	if (enrol_answer_begun_parse(answer.data, answer.size, &begun, ret_why) < 0)
		return -EAGAIN;
	memcpy(j->session, begun.session, sizeof(j->session));
	return make_proof(j, &begun.credential, &begun.secret, ret_why);
}

static int take_identity(struct joining *j, const struct buf *answer, struct why *ret_why)
{
	int r;

	enrol_answer_done(&j->got);
	r = enrol_answer_parse(answer->data, answer->size, &j->got, ret_why);
	/* Cut short, or no answer at all: the verifier may have enrolled us, and gives the same again. */
	if (r < 0)
		return r == -ENOMEM ? r : -EAGAIN;
	if (j->got.pending)
		return NEXT_PENDING;
	r = enrol_answer_check(&j->got, j->o->own, &j->key_id, j->pinned ? &j->pin : NULL, ret_why);
	return r < 0 ? r : NEXT_DONE;
}

/* Without it the node is enrolled all the same, and a person binds it to its name. */
static int read_kube_token(struct joining *j, struct buf *ret)
{
	const char *path = j->o->kube_token_file;
	int r = fsio_read_file(j->o->io, path, WIRE_MAX_KUBE_TOKEN, ret);

	while (r >= 0 && ret->size > 0 && ret->data[ret->size - 1] <= ' ')
		buf_cut(ret, ret->size - 1);
	/* The verifier refuses the whole proof for one that is none. */
	if (r >= 0 && (ret->size == 0 || memchr(ret->data, 0, ret->size) ||
		       strspn((char *)ret->data, WIRE_KUBE_TOKEN_CHARS) != ret->size))
		r = -EBADMSG;
	if (r < 0 && r != j->token_told)
		log_warning("kube_token_file=\"%s\" error=\"%s\" next=\"enrolled without: "
			    "plumbctl node bind gives it its Kubernetes name\"",
			    path, r == -EBADMSG ? "there is no token in it" : strerror(-r));
	j->token_told = r < 0 ? r : 0;
	return r;
}

static int post_proof(struct joining *j, struct buf *ret, struct why *ret_why)
{
	CLEANUP(secret_done) struct buf token = {0}, body = {0};

	if (!j->o->kube_token_file || read_kube_token(j, &token) < 0 ||
	    enrol_request_named(&j->proof_body, (char *)token.data, &body) < 0)
		return post(j, WIRE_ROUTE_ENROL_ACTIVATE, &j->proof_body, ret, ret_why);
	return post(j, WIRE_ROUTE_ENROL_ACTIVATE, &body, ret, ret_why);
}

static int activate(struct joining *j, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf answer = {0};
	int status = post_proof(j, &answer, ret_why);
	int r;

	/* The session is gone: the verifier was started again. Its other conflict is a label that is taken. */
	if (status == 409 && !(answer.size > 0 && strstr((char *)answer.data, "label")))
		return NEXT_AGAIN;
	r = judge_status(status, &answer, ret_why);
	return r < 0 ? r : take_identity(j, &answer, ret_why);
}

static int keep(const struct joining *j, const char *name, const struct buf *b)
{
	char path[PATH_MAX];
	int r = path_of(j->o, name, path);

	return r < 0 ? r : fsio_replace_file(j->o->io, path, b->data, b->size, 0600);
}

static bool wait_ms(const struct joining *j, uint64_t ms)
{
	const struct timespec step = {0, 100000000};

	for (uint64_t waited = 0; waited < ms; waited += 100) {
		if (j->o->stopped && j->o->stopped(j->o->ctx))
			return false;
		nanosleep(&step, NULL);
	}
	return !j->o->stopped || !j->o->stopped(j->o->ctx);
}

/* A little apart from other nodes that were started at the same time. */
static uint64_t apart(const struct joining *j, uint64_t ms)
{
	return ms + clock_boot_ns(j->o->clock) / 1000 % (ms / 4 + 1);
}

/* Each once, and again when it was something else meanwhile. */
static void tell(const struct joining *j, int r, int before, const struct why *why)
{
	if (r == before)
		return;
	if (r == NEXT_PENDING)
		log_notice("enrolment=pending node=%s cure=\"plumbctl node approve %s --reason=…\"",
			   j->o->own->node, j->o->label);
	if (r == -EAGAIN)
		log_warning("enrolment=waits error=\"%s\" next=\"tried again until the verifier "
			    "answers\"",
			    why->text);
}

static int run(struct joining *j, struct why *ret_why)
{
	uint64_t wait = MIN_WAIT_MS;
	bool begun = false;
	int before = 0;

	for (;;) {
		int r = begun ? 0 : begin(j, ret_why);

		if (r >= 0) {
			begun = true;
			r = activate(j, ret_why);
		}
		if (r == NEXT_DONE || (r < 0 && r != -EAGAIN))
			return r < 0 ? r : 0;
		if (r == NEXT_AGAIN)
			begun = false;
		tell(j, r, before, ret_why);
		before = r;
		if (!wait_ms(j, r == NEXT_PENDING ? PENDING_MS : apart(j, wait)))
			return why_set(ret_why, -EINTR, "stopped before the node was enrolled");
		wait = wait * 2 > MAX_WAIT_MS ? MAX_WAIT_MS : wait * 2;
	}
}

int enrol_client_run(const struct enrol_client_options *o, struct record *ret_record,
		     struct why *ret_why)
{
	CLEANUP(joining_done) struct joining j = {.o = o};
	int r = read_trust(&j, ret_why);

	if (r < 0)
		return r;
	j.base = event_base_new();
	r = j.base ? fsio_mkdir_all(o->io, o->state_dir, 0700) : -ENOMEM;
	if (r >= 0)
		r = open_key(&j, ret_why);
	if (r >= 0)
		r = open_fetch(&j, ret_why);
	if (r >= 0)
		r = run(&j, ret_why);
	/* The certificate last: with it, and a record, a node counts as enrolled. */
	if (r >= 0)
		r = keep(&j, ENROL_CLIENT_CA, &j.got.ca_pem);
	if (r >= 0)
		r = keep(&j, ENROL_CLIENT_CERT, &j.got.cert_pem);
	if (r < 0)
		return ret_why->text[0] ? r : why_set(ret_why, r, "enrolment: %s", strerror(-r));
	log_notice("enrolment=done node=%s label=%s origin=%s", o->own->node, o->label,
		   j.got.record.origin);
	*ret_record = j.got.record;
	j.got.record = (struct record){.incarnation = 0};
	return 0;
}
