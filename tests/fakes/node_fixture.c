/* SPDX-License-Identifier: Apache-2.0 */
#include "node_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "ledger_dir.h"
#include "line.h"
#include "node.h"

#define PCR 15u
#define MASK (0x47ffu | 1u << PCR)

static void must(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "node_fixture: %s: %s\n", what, strerror(-r));
	abort();
}

void node_fixture_raw(struct node_fixture *n, const char *line)
{
	struct digest leaf;

	must(merkle_leaf(line, strlen(line), &leaf), "leaf");
	must(merkle_add(&n->tree, &leaf), "tree");
	buf_puts(&n->lines, line);
	buf_puts(&n->lines, "\n");
	must(buf_status(&n->lines), "lines");
}

static void add_line(struct node_fixture *n, struct line *l)
{
	CLEANUP(buf_done) struct buf b = {0};

	l->seq = n->tree.size;
	l->utc_ns = n->v->utc_ns;
	l->boot_ns = n->v->boot_ns;
	l->boot = n->boot;
	must(line_write(l, &b), "line");
	node_fixture_raw(n, (char *)b.data);
}

void node_fixture_record(struct node_fixture *n, const char *type, const char *members)
{
	struct line l = {.type = (enum plumb_type)terms_type_from_name(type),
			 .src = "agent",
			 .body = members};

	add_line(n, &l);
}

void node_fixture_measure(struct node_fixture *n, enum plumb_type type, const char *key,
			  const char *found, int judgement, const char *expected)
{
	struct line l = {.type = type,
			 .src = "bpf",
			 .has_kernel = type == PLUMB_TYPE_EXEC,
			 .ksess = 0x0123456789abcdefull,
			 .kseq = ++n->kseq,
			 .scope = "host",
			 .key = key,
			 .found = found,
			 .hash_src = type == PLUMB_TYPE_EXEC ? "user" : NULL,
			 .op = type == PLUMB_TYPE_FILE ? "write" : NULL,
			 .judgement = (enum plumb_judgement)judgement,
			 .expected = expected,
			 .judge_version = n->judge_version,
			 .baseline_version = n->baseline_version,
			 .has_actor = type != PLUMB_TYPE_CLAIM,
			 .actor = {.known = true,
				   .pid = 4711,
				   .ppid = 1,
				   .start_ns = 1,
				   .comm = "sh",
				   .exe = "/usr/bin/dash",
				   .cgroup = "/test"}};

	add_line(n, &l);
}

void node_fixture_exec_in(struct node_fixture *n, const char *key, const char *scope,
			  const char *layer)
{
	struct line l = {.type = PLUMB_TYPE_EXEC,
			 .src = "bpf",
			 .has_kernel = true,
			 .ksess = 0x0123456789abcdefull,
			 .kseq = ++n->kseq,
			 .scope = scope,
			 .key = key,
			 .found =
				 "sha256:"
				 "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc",
			 .hash_src = "user",
			 .layer = layer,
			 .judgement = PLUMB_JUDGE_UNJUDGED,
			 .judge_version = n->judge_version,
			 .baseline_version = n->baseline_version,
			 .has_actor = true,
			 .actor = {.known = true,
				   .pid = 4711,
				   .ppid = 1,
				   .start_ns = 1,
				   .comm = "sh",
				   .exe = "/usr/bin/dash",
				   .cgroup = "/test"}};

	add_line(n, &l);
}

void node_fixture_exec(struct node_fixture *n, const char *path)
{
	char key[256];

	snprintf(key, sizeof(key), "exec:%s", path);
	node_fixture_measure(n, PLUMB_TYPE_EXEC, key,
			     "sha256:"
			     "00000000000000000000000000000000000000000000000000000000000000ff",
			     n->baseline_version ? PLUMB_JUDGE_DRIFT : 0, "listed");
}

void node_fixture_file(struct node_fixture *n, const char *path, const char *found)
{
	char key[256];
	bool good = strcmp(found, "reg one") == 0;

	snprintf(key, sizeof(key), "file:%s", path);
	node_fixture_measure(n, PLUMB_TYPE_CLAIM, key, found,
			     !n->baseline_version ? 0
			     : good		  ? PLUMB_JUDGE_OK
						  : PLUMB_JUDGE_DRIFT,
			     "reg one");
}

static void put_anchor(struct node_fixture *n, const struct ledger_anchor *a)
{
	must(ledger_dir_anchor_write(a, &n->anchors), "anchor");
}

static struct digest *pcr(struct node_fixture *n)
{
	return &fake_tpm_pcrs(n->tpm)->values[PCR];
}

static void put_epoch(struct node_fixture *n)
{
	const struct tpm_clock *c = fake_tpm_clock(n->tpm);
	struct ledger_anchor a = {.kind = LEDGER_ANCHOR_EPOCH};

	a.epoch.reset_count = c->reset_count;
	a.epoch.restart_count = c->restart_count;
	a.epoch.pcr_index = PCR;
	a.epoch.base = LEDGER_BASE_ZERO;
	a.epoch.found = *pcr(n);
	put_anchor(n, &a);
	node_fixture_record(n, "epoch", "\"base\":\"zero\"");
}

static struct checkpoint head(const struct node_fixture *n)
{
	struct checkpoint c = {.size = n->tree.size};

	snprintf(c.origin, sizeof(c.origin), "%s", n->record.origin);
	must(merkle_root(&n->tree, &c.root), "root");
	return c;
}

void node_fixture_extend(struct node_fixture *n)
{
	struct tpm *t = fake_tpm_door(n->tpm);
	struct checkpoint c = head(n);
	struct ledger_anchor a = {.kind = LEDGER_ANCHOR_EXTEND};
	struct digest d;

	a.extend.size = c.size;
	a.extend.root = c.root;
	put_anchor(n, &a);
	must(checkpoint_digest(&c, &d), "checkpoint");
	must(t->ops->pcr_extend(t->ctx, PCR, &d), "extend");
	fake_tpm_clock(n->tpm)->clock_ms++;
	a = (struct ledger_anchor){.kind = LEDGER_ANCHOR_DONE};
	a.done.pcr = *pcr(n);
	put_anchor(n, &a);
}

void node_fixture_junk(struct node_fixture *n)
{
	const struct digest junk = {{0xee}};
	struct tpm *t = fake_tpm_door(n->tpm);
	struct ledger_anchor a = {.kind = LEDGER_ANCHOR_FOREIGN};

	must(t->ops->pcr_extend(t->ctx, PCR, &junk), "extend");
	a.foreign.found = *pcr(n);
	put_anchor(n, &a);
}

static void start(struct node_fixture *n, bool stopped)
{
	node_fixture_record(n, "start", "\"agent\":\"0.1.0\"");
	node_fixture_record(
		n, "gap",
		stopped ? "\"from\":\"2026-11-24T00:00:00.000000000Z\",\"stopped\":true"
			: "\"from\":\"2026-11-24T00:00:00.000000000Z\",\"stopped\":false");
}

void node_fixture_restart(struct node_fixture *n)
{
	start(n, false);
}

void node_fixture_restart_in_order(struct node_fixture *n)
{
	node_fixture_record(n, "stop", "\"on\":\"order\"");
	start(n, true);
}

static void boot(struct node_fixture *n, bool stopped)
{
	fake_tpm_reboot(n->tpm);
	n->boot[0] ^= 1;
	start(n, stopped);
	put_epoch(n);
}

void node_fixture_reboot(struct node_fixture *n)
{
	boot(n, false);
}

void node_fixture_reboot_in_order(struct node_fixture *n)
{
	node_fixture_record(n, "stop", "\"on\":\"order\"");
	boot(n, true);
}

static void enrol(struct node_fixture *n, unsigned int seed)
{
	struct verifier_fixture *v = n->v;
	struct store_node row = {.incarnation = 1,
				 .life = PLUMB_LIFE_ENROLLED,
				 .appraisal = PLUMB_APPRAISAL_NONE,
				 .freshness = PLUMB_FRESHNESS_FRESH,
				 .containment = PLUMB_CONTAIN_FREE,
				 .enrolled_ns = v->utc_ns,
				 .deadline_ns = v->utc_ns + v->v.silent_after_ms * 1000000,
				 .base_reset = fake_tpm_clock(n->tpm)->reset_count,
				 .base_restart = fake_tpm_clock(n->tpm)->restart_count,
				 .client_key = n->who.key_id};

	snprintf(row.id, sizeof(row.id), "%s", n->record.node);
	snprintf(row.label, sizeof(row.label), "node-%u", seed);
	must(record_write(&n->record, &row.record), "record");
	merkle_init(&row.frontier);
	merkle_init(&row.base_frontier);
	must(merkle_root(&row.frontier, &row.head_root), "root");
	must(v->ops.begin(v->store.ctx), "begin");
	must(v->ops.node_put(v->store.ctx, &row), "node");
	must(v->ops.commit(v->store.ctx), "commit");
	store_node_done(&row);
}

void node_fixture_open(struct node_fixture *n, struct verifier_fixture *v, unsigned int seed)
{
	CLEANUP(buf_done) struct buf blobs = {0};
	struct record *k = &n->record;
	struct digest id;
	struct tpm *t;

	*n = (struct node_fixture){.v = v, .judge_version = PLUMB_JUDGE_VERSION};
	must(fake_tpm_open(&n->tpm), "TPM");
	t = fake_tpm_door(n->tpm);
	must(t->ops->keys_open(t->ctx, &blobs, &k->ak_public, &k->event_public), "keys");
	must(digest_sha256(&seed, sizeof(seed), &id), "id");
	digest_hex(&id, k->node);
	k->incarnation = 1;
	k->pcr_index = PCR;
	k->enrolled_ns = v->utc_ns;
	buf_puts(&k->ek_public, "no EK in this test");
	buf_puts(&k->event_attest, "none");
	buf_puts(&k->event_sig, "none");
	snprintf(k->label, sizeof(k->label), "node-%u", seed);
	snprintf(k->origin, sizeof(k->origin), "%s/node/%s/1", v->v.log_name, k->node);
	snprintf(k->witness_name, sizeof(k->witness_name), "%s", v->v.witness_name);
	must(sign_key_spki(v->v.witness_key, &k->witness_key), "witness key");
	snprintf(n->boot, sizeof(n->boot), "5eb63bbb-e01e-4ed0-93cb-22bb8f5acdc3");
	n->who.kind = CERT_NODE;
	snprintf(n->who.name, sizeof(n->who.name), "%s", k->node);
	must(digest_sha256(k->node, 64, &n->who.key_id), "client key");
	merkle_init(&n->tree);
	enrol(n, seed);
	node_fixture_record(n, "log", "\"predecessor\":null,\"agent\":\"0.1.0\",\"jv\":1");
	node_fixture_record(n, "start", "\"agent\":\"0.1.0\"");
	put_epoch(n);
}

void node_fixture_done(struct node_fixture *n)
{
	record_done(&n->record);
	evidence_answer_done(&n->answer);
	buf_done(&n->lines);
	buf_done(&n->anchors);
	fake_tpm_free(n->tpm);
}

void node_fixture_assign(struct node_fixture *n, const struct baseline_info *i)
{
	struct verifier_fixture *v = n->v;
	struct store_node row = verifier_fixture_node(v, n->record.node);

	row.baseline = i->document;
	row.baseline_version = i->version;
	must(v->ops.begin(v->store.ctx), "begin");
	must(v->ops.node_put(v->store.ctx, &row), "node");
	must(v->ops.commit(v->store.ctx), "commit");
	store_node_done(&row);
	n->baseline_version = i->version;
}

#define ENTRIES                                                                                \
	"{\"s\":\"host\",\"k\":\"exec:sha256:"                                                 \
	"0000000000000000000000000000000000000000000000000000000000000001\",\"x\":\"/usr/bin/" \
	"true\"}\n"                                                                            \
	"{\"s\":\"host\",\"k\":\"file:/etc/a\",\"x\":\"reg one\"}\n"                           \
	"{\"s\":\"host\",\"k\":\"file:/etc/b\",\"x\":\"reg one\"}\n"

void node_fixture_baseline(struct node_fixture *n)
{
	CLEANUP(buf_done) struct buf file = {0};
	struct baseline_info info;
	struct why why = {""};

	verifier_fixture_baseline("base", 1, ENTRIES, n->v->approver, &file);
	must(verifier_fixture_put_baseline(n->v, &file, &info, &why), why.text);
	node_fixture_assign(n, &info);
}

const char *node_fixture_shown(struct node_fixture *n)
{
	struct store_node row = verifier_fixture_node(n->v, n->record.node);
	const struct node_state s = {row.life, row.appraisal, row.freshness, row.containment,
				     row.forked};

	store_node_done(&row);
	return node_shown(&s);
}

struct store_case *node_fixture_case(struct node_fixture *n, const char *key)
{
	static struct store_case k;

	verifier_fixture_cases(n->v, n->record.node, key, &k);
	return &k;
}

bool node_fixture_is_open(struct node_fixture *n, const char *key)
{
	const struct store_case *k = node_fixture_case(n, key);

	return k->id != 0 && k->closed_ns == 0;
}

int node_fixture_nonce(struct node_fixture *n)
{
	CLEANUP(buf_done) struct buf answer = {0};
	struct evidence_nonce given;
	struct why why = {""};
	int r = intake_nonce(n->v->intake, &n->who, &answer);

	snprintf(n->text, sizeof(n->text), "%s", answer.data ? (char *)answer.data : "");
	if (r != 200)
		return r;
	must(evidence_nonce_parse(answer.data, answer.size, &given, &why), why.text);
	memcpy(n->nonce, given.nonce, sizeof(n->nonce));
	n->held = given.boot_log;
	n->held_measured = given.measure_log;
	return r;
}

static void quote(struct node_fixture *n, struct evidence *e)
{
	struct tpm *t = fake_tpm_door(n->tpm);
	char text[CHECKPOINT_MAX_TEXT];
	struct quote_binding b = {.nonce = {e->nonce, WIRE_NONCE_SIZE},
				  .node = e->node,
				  .incarnation = e->incarnation,
				  .checkpoint = text,
				  .baseline_version = e->baseline_version,
				  .last_order = e->last_order,
				  .ima_cursor = e->ima_cursor,
				  .boot_log = e->boot_log,
				  .client_key = n->who.key_id};
	struct digest d;
	size_t size;

	must(checkpoint_text(&e->checkpoint, text, &size), "checkpoint");
	must(quote_qualifying_data(&b, &d), "qualifying data");
	must(t->ops->quote(t->ctx, MASK, &d, &e->attest, &e->sig, &e->pcrs), "quote");
}

static void put_boot_log(struct node_fixture *n, struct evidence *e)
{
	struct digest d;

	must(digest_sha256(n->measure_log.data, n->measure_log.size, &d), "measurement log");
	if (n->measure_log.size > 0 && !digest_equal(&n->held_measured, &d))
		buf_put(&e->measure_log, n->measure_log.data, n->measure_log.size);
	if (n->boot_log.size == 0)
		return;
	must(digest_sha256(n->boot_log.data, n->boot_log.size, &e->boot_log), "boot log");
	if (!n->boot_log_kept && !digest_equal(&n->held, &e->boot_log))
		buf_put(&e->boot_log_data, n->boot_log.data, n->boot_log.size);
}

static void sign(struct node_fixture *n, struct evidence *e)
{
	CLEANUP(buf_done) struct buf sig = {0}, der = {0}, line = {0};
	struct tpm *t = fake_tpm_door(n->tpm);
	struct sign_key *key = NULL;
	struct digest d;

	must(checkpoint_digest(&e->checkpoint, &d), "checkpoint");
	must(t->ops->sign_event(t->ctx, &d, &sig), "signature");
	must(quote_signature_der(sig.data, sig.size, &der, NULL), "signature");
	must(quote_public_key(n->record.event_public.data, n->record.event_public.size, &key, NULL),
	     "event key");
	must(checkpoint_note_line(CHECKPOINT_SIG_P256, n->record.origin, key, der.data, der.size,
				  &line),
	     "note");
	snprintf(e->notes[0], sizeof(e->notes[0]), "%s", (char *)line.data);
	e->n_notes = 1;
	sign_key_free(key);
}

void node_fixture_body(struct node_fixture *n, uint64_t from, bool provisional, bool notes,
		       struct buf *ret)
{
	struct evidence *e = calloc(1, sizeof(*e));
	const uint8_t *at = n->lines.data;

	if (!e)
		abort();
	for (uint64_t i = 0; i < from; i++)
		at = (const uint8_t *)strchr((const char *)at, '\n') + 1;
	e->provisional = provisional;
	memcpy(e->node, n->record.node, sizeof(e->node));
	e->incarnation = n->record.incarnation;
	e->checkpoint = head(n);
	e->from = from;
	e->n_lines = n->tree.size - from;
	memcpy(e->nonce, n->nonce, sizeof(e->nonce));
	e->pcr_index = PCR;
	e->baseline_version = n->baseline_version;
	e->last_order = n->last_order;
	e->leaving = n->leaving;
	e->judge_version = n->judge_version;
	snprintf(e->agent_version, sizeof(e->agent_version), "0.1.0");
	e->sent_ns = n->v->utc_ns + (uint64_t)n->clock_off_s * VERIFIER_FIXTURE_S;
	e->lines = (struct buf_view){at, n->lines.size - (size_t)(at - n->lines.data)};
	if (!provisional) {
		e->ima_from = n->ima_from;
		e->ima_cursor = n->ima_cursor;
		e->ima_end = n->ima_end;
		e->has_ima_end = n->has_ima_end;
		buf_put(&e->ima, n->ima.data, n->ima.size);
		put_boot_log(n, e);
		quote(n, e);
		buf_put(&e->anchors, n->anchors.data + n->anchors_kept,
			n->anchors.size - n->anchors_kept);
	}
	if (notes)
		sign(n, e);
	must(evidence_write(e, ret), "evidence");
	evidence_done(e);
	free(e);
}

int node_fixture_give(struct node_fixture *n, bool provisional, const struct buf *body)
{
	CLEANUP(buf_done) struct buf answer = {0};
	struct why why = {""};

	n->status =
		provisional
			? intake_drift(n->v->intake, &n->who, body->data, body->size, &answer)
			: intake_evidence(n->v->intake, &n->who, body->data, body->size, &answer);
	evidence_answer_done(&n->answer);
	snprintf(n->text, sizeof(n->text), "%s", answer.data ? (char *)answer.data : "");
	if (n->status == 200)
		must(evidence_answer_parse(answer.data, answer.size, &n->answer, &why), why.text);
	if (n->status == 200 && n->answer.result == PLUMB_RESULT_ACCEPTED)
		n->anchors_kept = n->anchors.size;
	return n->status;
}

static uint64_t stored(struct node_fixture *n)
{
	struct store_node row = verifier_fixture_node(n->v, n->record.node);
	uint64_t size = row.frontier.size;

	store_node_done(&row);
	return size;
}

enum plumb_result node_fixture_evidence(struct node_fixture *n)
{
	CLEANUP(buf_done) struct buf body = {0};

	node_fixture_extend(n);
	must(node_fixture_nonce(n) == 200 ? 0 : -EPROTO, "nonce");
	node_fixture_body(n, stored(n), false, true, &body);
	if (node_fixture_give(n, false, &body) != 200) {
		fprintf(stderr, "node_fixture: evidence: %d %s\n", n->status, n->text);
		abort();
	}
	return n->answer.result;
}

enum plumb_result node_fixture_drift(struct node_fixture *n, bool notes)
{
	CLEANUP(buf_done) struct buf body = {0};

	node_fixture_body(n, stored(n), true, notes, &body);
	if (node_fixture_give(n, true, &body) != 200) {
		fprintf(stderr, "node_fixture: drift: %d %s\n", n->status, n->text);
		abort();
	}
	return n->answer.result;
}
