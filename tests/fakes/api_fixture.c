/* SPDX-License-Identifier: Apache-2.0 */
#include "api_fixture.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dsse.h"
#include "jsonl.h"
#include "order_desk.h"
#include "plumb/wire.h"
#include "store_sqlite.h"

#define MUST(x)                                                                 \
	do {                                                                    \
		if (!(x)) {                                                     \
			fprintf(stderr, "api_fixture: %s: %s\n", #x, why.text); \
			abort();                                                \
		}                                                               \
	} while (0)

static struct why why;

static uint64_t fixture_utc(void *ctx)
{
	return ((struct api_fixture *)ctx)->utc_ns;
}

static uint64_t fixture_boot(void *ctx)
{
	return ((struct api_fixture *)ctx)->boot_ns;
}

void api_fixture_certify(struct api_fixture *f, struct api_fixture_person *p,
			 const struct cert_request *q)
{
	if (!p->key)
		MUST(sign_key_generate(SIGN_P256, &p->key) == 0);
	buf_clear(&p->cert_pem);
	buf_clear(&p->key_pem);
	MUST(cert_issue(q, p->key, (char *)f->ca_pem.data, f->ca, &p->cert_pem, &why) == 0);
	MUST(sign_key_private_pem(p->key, &p->key_pem) == 0);
	MUST(cert_identity_pem((char *)p->cert_pem.data, p->cert_pem.size, &p->who, &why) == 0);
}

static void add_person(struct api_fixture *f, struct api_fixture_person *p, const char *name,
		       enum plumb_role role, bool revoked, bool known)
{
	const struct cert_request q = {.kind = CERT_OPERATOR,
				       .name = name,
				       .role = role,
				       .not_before_s = f->utc_ns / 1000000000 - 60,
				       .life_s = 86400};
	struct store_operator o = {.role = role, .added_ns = f->utc_ns, .revoked = revoked};

	api_fixture_certify(f, p, &q);
	if (!known)
		return;
	snprintf(o.name, sizeof(o.name), "%s", name);
	o.key_id = p->who.key_id;
	MUST(sign_key_spki(p->key, &o.spki) == 0);
	MUST(f->store.ops->begin(f->store.ctx) == 0);
	MUST(f->store.ops->operator_put(f->store.ctx, &o) == 0);
	MUST(f->store.ops->commit(f->store.ctx) == 0);
	store_operator_done(&o);
}

static void person_done(struct api_fixture_person *p)
{
	sign_key_free(p->key);
	buf_done(&p->cert_pem);
	buf_done(&p->key_pem);
}

static void open_keys(struct api_fixture *f)
{
	const struct cert_request q = {.kind = CERT_CA,
				       .name = "fixture-ca",
				       .not_before_s = f->utc_ns / 1000000000 - 3600,
				       .life_s = 864000};

	MUST(sign_key_generate(SIGN_P256, &f->ca) == 0);
	MUST(sign_key_generate(SIGN_P256, &f->verdict) == 0);
	MUST(sign_key_generate(SIGN_ED25519, &f->witness) == 0);
	MUST(cert_issue(&q, f->ca, NULL, NULL, &f->ca_pem, &why) == 0);
}

static void open_doors(struct api_fixture *f)
{
	char path[64];

	snprintf(f->dir, sizeof(f->dir), "/tmp/plumb-api-XXXXXX");
	MUST(mkdtemp(f->dir));
	snprintf(path, sizeof(path), "%s/store.db", f->dir);
	snprintf(f->baseline_dir, sizeof(f->baseline_dir), "%s/baselines", f->dir);
	snprintf(f->log_dir, sizeof(f->log_dir), "%s/log", f->dir);
	snprintf(f->maker_file, sizeof(f->maker_file), "%s/maker.pem", f->dir);
	f->base = event_base_new();
	MUST(f->base);
	MUST(store_sqlite_open(path, &f->store, &why) == 0);
	MUST(vlog_open(fsio_system(), &f->clock, f->log_dir, "test.example", f->witness, &f->vlog,
		       &why) == 0);
	f->v = (struct verifier){.store = &f->store,
				 .clock = &f->clock,
				 .io = fsio_system(),
				 .vlog = f->vlog,
				 .verdict_key = f->verdict,
				 .witness_key = f->witness,
				 .witness_name = "test.example/verifier",
				 .log_name = "test.example",
				 .developer = "https://test.example",
				 .baseline_dir = f->baseline_dir,
				 .pcr_index = 15,
				 .silent_after_ms = 180000,
				 .unconfirmed_after_ms = 10000,
				 .leaving_ms = 600000,
				 .verdict_life_s = 300};
}

static void open_rooms(struct api_fixture *f)
{
	const struct contain_options c = {.base = f->base,
					  .store = &f->store,
					  .clock = &f->clock,
					  .key = f->verdict,
					  .kube_server = "http://127.0.0.1:9",
					  .kube_token_file = "/dev/null",
					  .v = &f->v,
					  .max_percent = 100};
	struct intake_options i = {.v = &f->v};
	struct enrol_options e = {.v = &f->v,
				  .ca_cert_pem = (char *)f->ca_pem.data,
				  .ca_key = f->ca,
				  .node_cert_life_s = 86400,
				  .default_baseline = documents_default_baseline};

	MUST(documents_open(&f->v, &f->documents, &why) == 0);
	MUST(contain_open(&c, &f->contain, &why) == 0);
	i.documents = f->documents;
	i.contain = e.contain = f->contain;
	MUST(intake_open(&i, &f->intake) == 0);
	MUST(ekcert_anchors_open(fsio_system(), NULL, 0, f->maker_file, &f->anchors, &why) == 0);
	e.anchors = f->anchors;
	e.intake = f->intake;
	e.ctx = f->documents;
	MUST(enrol_open(&e, &f->enrol) == 0);
	f->api.desk = (struct action_desk){&f->v, f->documents, f->intake, f->contain};
	MUST(actions_open(&f->api.desk, &f->actions) == 0);
	f->api.enrol = f->enrol;
	f->api.actions = f->actions;
	f->api.ca_cert_pem = (char *)f->ca_pem.data;
}

void api_fixture_open(struct api_fixture *f)
{
	memset(f, 0, sizeof(*f));
	f->utc_ns = clock_utc_ns(clock_system());
	f->boot_ns = 1000000000000;
	f->clock = (struct clock){fixture_utc, fixture_boot, f};
	open_keys(f);
	open_doors(f);
	f->maker = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	MUST(f->maker);
	api_fixture_maker_file(f->maker, f->maker_file);
	open_rooms(f);
	add_person(f, &f->viewer, "victor", PLUMB_ROLE_VIEWER, false, true);
	add_person(f, &f->responder, "rita", PLUMB_ROLE_RESPONDER, false, true);
	add_person(f, &f->approver, "alice", PLUMB_ROLE_APPROVER, false, true);
	add_person(f, &f->revoked, "ron", PLUMB_ROLE_APPROVER, true, true);
	add_person(f, &f->stranger, "stan", PLUMB_ROLE_APPROVER, false, false);
}

void api_fixture_done(struct api_fixture *f)
{
	char command[64];

	buf_done(&f->reply.body);
	actions_free(f->actions);
	enrol_free(f->enrol);
	ekcert_anchors_free(f->anchors);
	intake_free(f->intake);
	contain_free(f->contain);
	documents_free(f->documents);
	vlog_free(f->vlog);
	f->store.ops->close(f->store.ctx);
	event_base_free(f->base);
	person_done(&f->viewer);
	person_done(&f->responder);
	person_done(&f->approver);
	person_done(&f->revoked);
	person_done(&f->stranger);
	sign_key_free(f->ca);
	sign_key_free(f->verdict);
	sign_key_free(f->witness);
	EVP_PKEY_free(f->maker);
	buf_done(&f->ca_pem);
	snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	MUST(system(command) == 0);
}

int api_fixture_call(struct api_fixture *f, const char *method, const char *route,
		     const struct cert_identity *who, const void *body, size_t size)
{
	char path[512];
	const char *query = strchr(route, '?');
	struct api_request q = {.method = method,
				.path = path,
				.query = query ? query + 1 : "",
				.who = who,
				.body = body,
				.size = size};

	snprintf(path, sizeof(path), "%.*s", (int)strcspn(route, "?"), route);
	buf_done(&f->reply.body);
	api_handle(&f->api, &q, &f->reply);
	return f->reply.status;
}

const char *api_fixture_text(const struct api_fixture *f)
{
	return f->reply.body.size ? (char *)f->reply.body.data : "";
}

void api_fixture_envelope(struct api_fixture *f, const struct api_fixture_person *p,
			  const char *action, const char *node, const char *reason,
			  const char *value, struct buf *ret)
{
	struct buf payload = {0};
	char at[CLOCK_TEXT_SIZE];
	struct jsonl j;

	clock_text(f->utc_ns, at);
	jsonl_begin(&j, &payload);
	jsonl_uint(&j, "v", 1);
	jsonl_str(&j, "action", action);
	jsonl_str(&j, "node", node);
	jsonl_str(&j, "reason", reason);
	jsonl_array(&j, "cases");
	jsonl_close(&j);
	jsonl_str(&j, "value", value);
	jsonl_str(&j, "at", at);
	jsonl_end(&j);
	MUST(dsse_sign(WIRE_DSSE_ACTION, payload.data, payload.size,
		       (const struct sign_key *const *)&p->key, 1, ret) == 0);
	buf_done(&payload);
}

int api_fixture_act(struct api_fixture *f, const struct api_fixture_person *p, const char *action,
		    const char *node, const char *reason, const char *value)
{
	struct buf b = {0};
	int status;

	f->utc_ns += 1000000; /* no two alike */
	api_fixture_envelope(f, p, action, node, reason, value, &b);
	status = api_fixture_call(f, "POST", WIRE_ROUTE_ACTIONS, &p->who, b.data, b.size);
	buf_done(&b);
	return status;
}

void api_fixture_row(struct api_fixture *f, const char *id, struct store_node *ret)
{
	*ret = (struct store_node){.incarnation = 0};
	MUST(f->store.ops->node_get(f->store.ctx, id, ret) == 0);
}

uint64_t api_fixture_case(struct api_fixture *f, const char *node, const char *rule,
			  const char *key, enum plumb_action action, bool armed)
{
	struct store_case *k = calloc(1, sizeof(*k));
	uint64_t id;

	MUST(k);
	snprintf(k->node, sizeof(k->node), "%s", node);
	snprintf(k->rule, sizeof(k->rule), "%s", rule);
	snprintf(k->key, sizeof(k->key), "%s", key);
	snprintf(k->scope, sizeof(k->scope), "host");
	snprintf(k->who, sizeof(k->who), "uid 0, /usr/bin/evil (evil/7)");
	k->incarnation = 1;
	k->type = PLUMB_TYPE_EXEC;
	k->severity = PLUMB_SEVERITY_HIGH;
	k->action = action;
	k->armed = armed;
	k->count = 1;
	k->opened_ns = k->last_ns = f->utc_ns;
	k->release = 1;
	MUST(f->store.ops->begin(f->store.ctx) == 0);
	MUST(f->store.ops->case_put(f->store.ctx, k) == 0);
	MUST(f->store.ops->commit(f->store.ctx) == 0);
	id = k->id;
	free(k);
	return id;
}

int api_fixture_log_has(struct api_fixture *f, const char *text)
{
	struct buf lines = {0};
	uint64_t to;
	int n = 0;

	MUST(vlog_lines(f->vlog, 0, 64 << 20, &lines, &to) == 0);
	for (const char *at = (char *)lines.data; at && (at = strstr(at, text)) != NULL; at++)
		n++;
	buf_done(&lines);
	return n;
}
