/* SPDX-License-Identifier: Apache-2.0 */
#include "forge_node.h"

#include <errno.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dsse.h"
#include "jsonl.h"
#include "ledger_dir.h"
#include "line.h"
#include "order.h"
#include "plumb/wire.h"
#include "record.h"

#define MUST(x)                                                  \
	do {                                                     \
		if (!(x)) {                                      \
			fprintf(stderr, "forge_node: %s\n", #x); \
			abort();                                 \
		}                                                \
	} while (0)

static struct digest *pcr(struct forge_node *n)
{
	return &fake_tpm_pcrs(n->m.tpm)->values[FORGE_PCR];
}

void forge_node_open(struct forge_node *n, const struct forge_wire *w, EVP_PKEY *maker,
		     const char *label)
{
	memset(n, 0, sizeof(*n));
	n->wire = w;
	api_fixture_machine_open(NULL, &n->m, maker, label);
	merkle_init(&n->tree);
}

void forge_node_done(struct forge_node *n)
{
	api_fixture_machine_done(&n->m);
	buf_done(&n->lines);
	buf_done(&n->anchors);
}

void forge_node_copy(const struct forge_node *n, struct forge_copy *ret)
{
	memset(ret, 0, sizeof(*ret));
	buf_put(&ret->lines, n->lines.data, n->lines.size);
	buf_put(&ret->anchors, n->anchors.data, n->anchors.size);
	ret->tree = n->tree;
	ret->anchors_kept = n->anchors_kept;
	ret->pcrs = *fake_tpm_pcrs(n->m.tpm);
	ret->clock = *fake_tpm_clock(n->m.tpm);
	memcpy(ret->boot, n->boot, sizeof(ret->boot));
	ret->baseline_version = n->baseline_version;
	ret->last_order = n->last_order;
}

void forge_node_put_back(struct forge_node *n, struct forge_copy *c)
{
	buf_done(&n->lines);
	buf_done(&n->anchors);
	n->lines = c->lines;
	n->anchors = c->anchors;
	n->tree = c->tree;
	n->anchors_kept = c->anchors_kept;
	*fake_tpm_pcrs(n->m.tpm) = c->pcrs;
	*fake_tpm_clock(n->m.tpm) = c->clock;
	memcpy(n->boot, c->boot, sizeof(n->boot));
	n->baseline_version = c->baseline_version;
	n->last_order = c->last_order;
	memset(c, 0, sizeof(*c));
}

void forge_node_raw(struct forge_node *n, const void *line, size_t size)
{
	struct digest leaf;

	MUST(merkle_leaf(line, size, &leaf) == 0);
	MUST(merkle_add(&n->tree, &leaf) == 0);
	buf_put(&n->lines, line, size);
	buf_put(&n->lines, "\n", 1);
	MUST(buf_status(&n->lines) == 0);
}

static void add_line(struct forge_node *n, struct line *l)
{
	struct buf b = {0};

	l->seq = n->tree.size;
	l->utc_ns = clock_utc_ns(clock_system());
	l->boot_ns = clock_boot_ns(clock_system());
	l->boot = n->boot;
	MUST(line_write(l, &b) == 0);
	forge_node_raw(n, b.data, b.size);
	buf_done(&b);
}

void forge_node_record(struct forge_node *n, const char *type, const char *members)
{
	struct line l = {.type = (enum plumb_type)terms_type_from_name(type),
			 .src = "agent",
			 .body = members};

	add_line(n, &l);
}

void forge_node_work(struct forge_node *n)
{
	struct line l = {.type = PLUMB_TYPE_CLAIM,
			 .src = "scan",
			 .scope = "host",
			 .key = "file:/etc/a",
			 .found = "reg one",
			 .judgement = n->baseline_version ? PLUMB_JUDGE_OK : 0,
			 .judge_version = PLUMB_JUDGE_VERSION,
			 .baseline_version = n->baseline_version};

	add_line(n, &l);
}

void forge_node_exec(struct forge_node *n, int judgement, uint32_t judge_version)
{
	struct line l = {.type = PLUMB_TYPE_EXEC,
			 .src = "scan",
			 .scope = "host",
			 .key = "exec:/tmp/evil",
			 .found =
				 "sha256:"
				 "00000000000000000000000000000000000000000000000000000000000000ff",
			 .hash_src = "user",
			 .judgement = (enum plumb_judgement)judgement,
			 .expected = "listed",
			 .judge_version = judge_version,
			 .baseline_version = n->baseline_version,
			 .has_actor = true,
			 .actor = {.known = true, .pid = 4711, .ppid = 1, .start_ns = 1}};

	add_line(n, &l);
}

void forge_node_head(const struct forge_node *n, struct checkpoint *ret)
{
	*ret = (struct checkpoint){.size = n->tree.size};
	snprintf(ret->origin, sizeof(ret->origin), "%s", n->origin);
	MUST(merkle_root(&n->tree, &ret->root) == 0);
}

void forge_node_extend(struct forge_node *n)
{
	struct tpm *t = fake_tpm_door(n->m.tpm);
	struct ledger_anchor a = {.kind = LEDGER_ANCHOR_EXTEND};
	struct checkpoint c;
	struct digest d;

	forge_node_head(n, &c);
	a.extend.size = c.size;
	a.extend.root = c.root;
	MUST(ledger_dir_anchor_write(&a, &n->anchors) == 0);
	MUST(checkpoint_digest(&c, &d) == 0);
	MUST(t->ops->pcr_extend(t->ctx, FORGE_PCR, &d) == 0);
	fake_tpm_clock(n->m.tpm)->clock_ms++;
	a = (struct ledger_anchor){.kind = LEDGER_ANCHOR_DONE};
	a.done.pcr = *pcr(n);
	MUST(ledger_dir_anchor_write(&a, &n->anchors) == 0);
}

void forge_node_anchor_foreign(struct forge_node *n)
{
	struct ledger_anchor a = {.kind = LEDGER_ANCHOR_FOREIGN};

	a.foreign.found = *pcr(n);
	MUST(ledger_dir_anchor_write(&a, &n->anchors) == 0);
}

/* As an agent begins its ledger: its own line, a start, an epoch. */
void forge_node_start(struct forge_node *n)
{
	const struct tpm_clock *c = fake_tpm_clock(n->m.tpm);
	struct ledger_anchor a = {.kind = LEDGER_ANCHOR_EPOCH};

	snprintf(n->boot, sizeof(n->boot), "5eb63bbb-e01e-4ed0-93cb-22bb8f5acdc3");
	buf_clear(&n->lines);
	buf_clear(&n->anchors);
	merkle_init(&n->tree);
	n->anchors_kept = 0;
	forge_node_record(n, "log", "\"predecessor\":null,\"agent\":\"0.1.0\",\"jv\":1");
	forge_node_record(n, "start", "\"agent\":\"0.1.0\"");
	a.epoch.reset_count = c->reset_count;
	a.epoch.restart_count = c->restart_count;
	a.epoch.pcr_index = FORGE_PCR;
	a.epoch.base = LEDGER_BASE_ZERO;
	a.epoch.found = *pcr(n);
	MUST(ledger_dir_anchor_write(&a, &n->anchors) == 0);
	forge_node_record(n, "epoch", "\"base\":\"zero\"");
}

void forge_told_set(struct forge_told *told, const struct forge_answer *a)
{
	json_t *o = NULL;
	const char *text = "";

	memset(told, 0, sizeof(*told));
	if (a->status == 0) {
		snprintf(told->answer, sizeof(told->answer), a->late ? "nothing" : "closed");
		return;
	}
	snprintf(told->answer, sizeof(told->answer), "%d", a->status);
	if (a->body.size > 0 && jsonl_parse(a->body.data, a->body.size, 1u << 26, &o, NULL) == 0 &&
	    jsonl_get_str(o, "error", 4096, &text, NULL) == 0)
		snprintf(told->reason, sizeof(told->reason), "%s", text);
	else
		snprintf(told->reason, sizeof(told->reason), "%.200s",
			 a->body.size ? (char *)a->body.data : "");
	json_decref(o);
}

static bool keep_session(struct forge_node *n, const struct forge_answer *a)
{
	json_t *o = NULL;
	bool ok;

	buf_clear(&n->m.credential);
	buf_clear(&n->m.secret);
	ok = jsonl_parse(a->body.data, a->body.size, 65536, &o, NULL) == 0 &&
	     jsonl_get_text(o, "session", n->m.session, sizeof(n->m.session), NULL) == 0 &&
	     jsonl_get_base64(o, "credential", 4096, &n->m.credential, NULL) == 0 &&
	     jsonl_get_base64(o, "secret", 4096, &n->m.secret, NULL) == 0;
	json_decref(o);
	return ok;
}

bool forge_node_begin(struct forge_node *n, struct forge_told *told)
{
	struct api_fixture_machine *m = &n->m;
	struct forge_answer a;
	struct buf b = {0};
	struct jsonl j;
	bool ok;

	jsonl_begin(&j, &b);
	jsonl_uint(&j, "v", 1);
	jsonl_str(&j, "token", m->token);
	jsonl_str(&j, "label", m->label);
	jsonl_base64(&j, "ek_public", m->ek.data, m->ek.size);
	jsonl_base64(&j, "ek_cert", m->ek_cert.data, m->ek_cert.size);
	jsonl_base64(&j, "ak_public", m->ak.data, m->ak.size);
	jsonl_base64(&j, "event_public", m->event.data, m->event.size);
	jsonl_base64(&j, "event_attest", m->attest.data, m->attest.size);
	jsonl_base64(&j, "event_sig", m->sig.data, m->sig.size);
	jsonl_strn(&j, "csr", (char *)m->csr.data, m->csr.size);
	jsonl_str(&j, "agent", "0.1.0");
	jsonl_end(&j);
	forge_wire_call(n->wire, NULL, "POST", n->again ? WIRE_ROUTE_ENROL_AGAIN : WIRE_ROUTE_ENROL,
			WIRE_TYPE_JSON, b.data, b.size, &a);
	forge_told_set(told, &a);
	ok = a.status == 200 && keep_session(n, &a);
	forge_answer_done(&a);
	buf_done(&b);
	return ok;
}

static bool keep_identity(struct forge_node *n, const struct forge_answer *a)
{
	json_t *o = NULL, *record = NULL;
	const char *pem;
	bool ok = jsonl_parse(a->body.data, a->body.size, 1 << 20, &o, NULL) == 0 &&
		  jsonl_get_str(o, "certificate", 65536, &pem, NULL) == 0 &&
		  jsonl_get_object(o, "record", &record, NULL) == 0 &&
		  jsonl_get_text(record, "origin", n->origin, sizeof(n->origin), NULL) == 0 &&
		  jsonl_get_uint(record, "incarnation", INT64_MAX, &n->incarnation, NULL) == 0;

	if (ok) {
		buf_clear(&n->m.person.cert_pem);
		buf_clear(&n->m.person.key_pem);
		buf_puts(&n->m.person.cert_pem, pem);
		ok = sign_key_private_pem(n->m.person.key, &n->m.person.key_pem) == 0 &&
		     cert_identity_pem(pem, strlen(pem), &n->m.person.who, NULL) == 0;
	}
	json_decref(o);
	return ok;
}

bool forge_node_activate(struct forge_node *n, bool right, struct forge_told *told)
{
	struct api_fixture_machine *m = &n->m;
	const struct buf_view ek = {m->ek.data, m->ek.size}, ak = {m->ak.data, m->ak.size},
			      event = {m->event.data, m->event.size};
	struct tpm *t = fake_tpm_door(m->tpm);
	struct buf plain = {0}, body = {0};
	struct digest transcript, client;
	struct forge_answer a;
	uint8_t proof[32] = {0};
	struct jsonl j;
	bool ok;

	if (right && t->ops->activate(t->ctx, m->credential.data, m->credential.size,
				      m->secret.data, m->secret.size, &plain) == 0) {
		MUST(sign_key_id(m->person.key, &client) == 0);
		MUST(record_transcript(m->session, &ek, &ak, &event, &client, m->label,
				       &transcript) == 0);
		HMAC(EVP_sha256(), plain.data, (int)plain.size, transcript.bytes, 32, proof, NULL);
	}
	jsonl_begin(&j, &body);
	jsonl_str(&j, "session", m->session);
	jsonl_base64(&j, "proof", proof, sizeof(proof));
	if (n->kube_token[0])
		jsonl_str(&j, "kube_token", n->kube_token);
	jsonl_end(&j);
	forge_wire_call(n->wire, NULL, "POST", WIRE_ROUTE_ENROL_ACTIVATE, WIRE_TYPE_JSON, body.data,
			body.size, &a);
	forge_told_set(told, &a);
	ok = a.status == 200 && keep_identity(n, &a);
	forge_answer_done(&a);
	buf_done(&plain);
	buf_done(&body);
	return ok;
}

bool forge_node_nonce(struct forge_node *n, struct forge_told *told)
{
	struct evidence_nonce given;
	struct forge_answer a;
	bool ok;

	forge_wire_call(n->wire, &n->m.person, "POST", WIRE_ROUTE_NONCE, WIRE_TYPE_JSON, "{}", 2,
			&a);
	forge_told_set(told, &a);
	ok = a.status == 200 && evidence_nonce_parse(a.body.data, a.body.size, &given, NULL) == 0;
	if (ok) {
		memcpy(n->nonce, given.nonce, sizeof(n->nonce));
		n->stored = given.size;
	}
	forge_answer_done(&a);
	return ok;
}

void forge_node_fill(struct forge_node *n, struct evidence *e)
{
	const uint8_t *at = n->lines.data;

	memcpy(e->node, n->m.id, sizeof(e->node));
	e->incarnation = n->incarnation;
	forge_node_head(n, &e->checkpoint);
	e->from = n->stored < n->tree.size ? n->stored : n->tree.size;
	for (uint64_t i = 0; i < e->from; i++)
		at = (const uint8_t *)memchr(at, '\n',
					     n->lines.size - (size_t)(at - n->lines.data)) +
		     1;
	e->n_lines = n->tree.size - e->from;
	e->lines = (struct buf_view){at, n->lines.size - (size_t)(at - n->lines.data)};
	memcpy(e->nonce, n->nonce, sizeof(e->nonce));
	e->pcr_index = FORGE_PCR;
	e->baseline_version = n->baseline_version;
	e->last_order = n->last_order;
	e->judge_version = PLUMB_JUDGE_VERSION;
	snprintf(e->agent_version, sizeof(e->agent_version), "0.1.0");
	e->sent_ns = clock_utc_ns(clock_system());
	if (!e->provisional)
		buf_put(&e->anchors, n->anchors.data + n->anchors_kept,
			n->anchors.size - n->anchors_kept);
}

void forge_node_binding(const struct forge_node *n, const struct evidence *e,
			struct quote_binding *ret, char text[CHECKPOINT_MAX_TEXT])
{
	size_t size;

	*ret = (struct quote_binding){.nonce = {e->nonce, WIRE_NONCE_SIZE},
				      .node = e->node,
				      .incarnation = e->incarnation,
				      .checkpoint = text,
				      .boot_log = e->boot_log,
				      .ima_cursor = e->ima_cursor,
				      .baseline_version = e->baseline_version,
				      .last_order = e->last_order,
				      .client_key = n->m.person.who.key_id};
	MUST(checkpoint_text(&e->checkpoint, text, &size) == 0);
}

void forge_node_quote(struct forge_node *n, struct evidence *e, const struct quote_binding *b,
		      uint32_t mask)
{
	struct tpm *t = fake_tpm_door(n->m.tpm);
	struct digest d;

	MUST(quote_qualifying_data(b, &d) == 0);
	buf_clear(&e->attest);
	buf_clear(&e->sig);
	MUST(t->ops->quote(t->ctx, mask, &d, &e->attest, &e->sig, &e->pcrs) == 0);
}

void forge_node_note(struct forge_node *n, struct evidence *e, const struct checkpoint *c)
{
	struct buf sig = {0}, der = {0}, line = {0};
	struct tpm *t = fake_tpm_door(n->m.tpm);
	struct sign_key *key = NULL;
	struct digest d;

	MUST(e->n_notes < EVIDENCE_MAX_NOTES);
	MUST(checkpoint_digest(c, &d) == 0);
	MUST(t->ops->sign_event(t->ctx, &d, &sig) == 0);
	MUST(quote_signature_der(sig.data, sig.size, &der, NULL) == 0);
	MUST(quote_public_key(n->m.event.data, n->m.event.size, &key, NULL) == 0);
	MUST(checkpoint_note_line(CHECKPOINT_SIG_P256, n->origin, key, der.data, der.size, &line) ==
	     0);
	snprintf(e->notes[e->n_notes++], sizeof(e->notes[0]), "%s", (char *)line.data);
	sign_key_free(key);
	buf_done(&sig);
	buf_done(&der);
	buf_done(&line);
}

/* The orders of an answer are the verifier's own here: what they say is done, unsigned or not. */
static void take_orders(struct forge_node *n, const struct evidence_answer *a)
{
	for (uint32_t i = 0; i < a->n_orders; i++) {
		struct buf payload = {0}, type = {0};
		struct order o;

		MUST(dsse_peek(a->orders[i].data, a->orders[i].size, 65536, &payload, &type,
			       NULL) == 0);
		MUST(order_parse(payload.data, payload.size, &o, NULL) == 0);
		if (o.kind == ORDER_BASELINE)
			n->baseline_version = o.version;
		if (o.number > n->last_order)
			n->last_order = o.number;
		buf_done(&payload);
		buf_done(&type);
	}
}

void forge_node_send(struct forge_node *n, bool provisional, const struct buf *body,
		     struct forge_told *told)
{
	struct evidence_answer *e = calloc(1, sizeof(*e));
	struct forge_answer a;

	MUST(e);
	forge_wire_call(n->wire, &n->m.person, "POST",
			provisional ? WIRE_ROUTE_DRIFT : WIRE_ROUTE_EVIDENCE, WIRE_TYPE_EVIDENCE,
			body->data, body->size, &a);
	forge_told_set(told, &a);
	if (a.status == 200 && evidence_answer_parse(a.body.data, a.body.size, e, NULL) == 0) {
		snprintf(told->answer, sizeof(told->answer), "%s", terms_result_name(e->result));
		snprintf(told->reason, sizeof(told->reason), "%s", e->reason);
		if (e->result == PLUMB_RESULT_ACCEPTED) {
			n->anchors_kept = n->anchors.size;
			take_orders(n, e);
		}
		evidence_answer_done(e);
	}
	forge_answer_done(&a);
	free(e);
}

bool forge_node_evidence(struct forge_node *n, struct forge_told *told)
{
	struct evidence *e = calloc(1, sizeof(*e));
	char text[CHECKPOINT_MAX_TEXT];
	struct quote_binding b;
	struct buf body = {0};
	struct checkpoint c;
	bool ok;

	MUST(e);
	forge_node_work(n);
	forge_node_extend(n);
	ok = forge_node_nonce(n, told);
	if (ok) {
		forge_node_fill(n, e);
		forge_node_binding(n, e, &b, text);
		forge_node_quote(n, e, &b, FORGE_MASK);
		forge_node_head(n, &c);
		forge_node_note(n, e, &c);
		MUST(evidence_write(e, &body) == 0);
		forge_node_send(n, false, &body, told);
		ok = strcmp(told->answer, "accepted") == 0;
	}
	evidence_done(e);
	free(e);
	buf_done(&body);
	return ok;
}
