/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "action_desk.h"
#include "cleanup.h"
#include "dsse.h"
#include "jsonl.h"
#include "plumb/wire.h"
#include "store_sqlite.h"

#define START_NS 1795462800000000000ull

/* The table of functions has no room of its own for what tests want to fail. */
static struct verifier_fixture_faults *faults;
static struct store_ops real;

static void must(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "verifier_fixture: %s: %s\n", what, strerror(-r));
	abort();
}

static uint64_t utc(void *ctx)
{
	return ((struct verifier_fixture *)ctx)->utc_ns;
}

static uint64_t boot(void *ctx)
{
	return ((struct verifier_fixture *)ctx)->boot_ns;
}

static int change(void)
{
	if (!faults || faults->changes < 0)
		return 0;
	if (faults->changes == 0)
		return -EIO;
	faults->changes--;
	return 0;
}

static int f_commit(void *ctx)
{
	if (!faults || !faults->commit)
		return real.commit(ctx);
	real.rollback(ctx);
	return faults->commit;
}

static int f_node_put(void *ctx, struct store_node *n)
{
	int r = faults && faults->node_put ? faults->node_put : change();

	return r < 0 ? r : real.node_put(ctx, n);
}

static int f_lines_put(void *ctx, const char *node, uint64_t incarnation, uint64_t from,
		       const void *lines, size_t size, uint64_t n)
{
	int r = change();

	return r < 0 ? r : real.lines_put(ctx, node, incarnation, from, lines, size, n);
}

static int f_blob_put(void *ctx, const char *kind, const char *name, const void *data, size_t size)
{
	int r = change();

	return r < 0 ? r : real.blob_put(ctx, kind, name, data, size);
}

static int f_blob_append(void *ctx, const char *kind, const char *name, const void *data,
			 size_t size)
{
	int r = change();

	return r < 0 ? r : real.blob_append(ctx, kind, name, data, size);
}

static int f_case_put(void *ctx, struct store_case *c)
{
	int r = change();

	return r < 0 ? r : real.case_put(ctx, c);
}

static int f_order_put(void *ctx, const char *node, uint64_t number, const void *envelope,
		       size_t size)
{
	int r = change();

	return r < 0 ? r : real.order_put(ctx, node, number, envelope, size);
}

static int f_setting_put(void *ctx, const char *name, const char *value)
{
	/* That one comes after the log's lines are on the disk, and has a fault of its own. */
	bool kept = strcmp(name, "log_kept") == 0;
	int r = kept ? 0 : change();

	if (kept && faults && faults->late)
		return faults->late;
	return r < 0 ? r : real.setting_put(ctx, name, value);
}

static void open_store(struct verifier_fixture *f)
{
	char path[96];
	struct why why = {""};

	snprintf(path, sizeof(path), "%s/store.db", f->dir);
	must(store_sqlite_open(path, &f->store, &why), why.text);
	real = *f->store.ops;
	f->ops = real;
	f->ops.commit = f_commit;
	f->ops.node_put = f_node_put;
	f->ops.lines_put = f_lines_put;
	f->ops.blob_put = f_blob_put;
	f->ops.blob_append = f_blob_append;
	f->ops.case_put = f_case_put;
	f->ops.order_put = f_order_put;
	f->ops.setting_put = f_setting_put;
	f->store.ops = &f->ops;
	faults = &f->faults;
}

static void add_approver(struct verifier_fixture *f)
{
	struct store_operator o = {
		.name = "alice", .role = PLUMB_ROLE_APPROVER, .added_ns = START_NS};

	must(sign_key_id(f->approver, &o.key_id), "approver");
	must(sign_key_spki(f->approver, &o.spki), "approver");
	must(f->ops.begin(f->store.ctx), "begin");
	must(f->ops.operator_put(f->store.ctx, &o), "approver");
	must(f->ops.commit(f->store.ctx), "commit");
	store_operator_done(&o);
}

int verifier_fixture_try_start(struct verifier_fixture *f)
{
	struct intake_options o = {.v = &f->v, .contain = f->contain};
	struct why why = {""};
	int r;

	open_store(f);
	r = vlog_open(&f->disk.io, &f->clock, f->log_dir, VERIFIER_FIXTURE_LOG, f->witness,
		      &f->v.vlog, &why);
	if (r >= 0)
		r = vlog_join(f->v.vlog, &f->store, &why);
	if (r >= 0)
		r = documents_open(&f->v, &f->documents, &why);
	o.documents = f->documents;
	return r < 0 ? r : intake_open(&o, &f->intake);
}

void verifier_fixture_start(struct verifier_fixture *f)
{
	must(verifier_fixture_try_start(f), "start");
}

void verifier_fixture_contain(struct verifier_fixture *f, struct contain *contain)
{
	const struct intake_options o = {.v = &f->v, .documents = f->documents, .contain = contain};

	f->contain = contain;
	intake_free(f->intake);
	must(intake_open(&o, &f->intake), "intake");
}

void verifier_fixture_stop(struct verifier_fixture *f)
{
	f->faults = (struct verifier_fixture_faults){.changes = -1};
	f->intake = intake_free(f->intake);
	f->documents = documents_free(f->documents);
	f->v.vlog = vlog_free(f->v.vlog);
	if (f->store.ops)
		real.close(f->store.ctx);
	f->store = (struct store){NULL, NULL};
}

void verifier_fixture_open(struct verifier_fixture *f)
{
	*f = (struct verifier_fixture){
		.utc_ns = START_NS, .boot_ns = 5000 * VERIFIER_FIXTURE_S, .faults.changes = -1};
	snprintf(f->dir, sizeof(f->dir), "/tmp/plumb-verifier-XXXXXX");
	if (!mkdtemp(f->dir))
		must(-errno, f->dir);
	snprintf(f->log_dir, sizeof(f->log_dir), "%s/log", f->dir);
	snprintf(f->baseline_dir, sizeof(f->baseline_dir), "%s/baselines", f->dir);
	fault_fsio_init(&f->disk, -1, false, -EIO);
	f->clock = (struct clock){utc, boot, f};
	must(sign_key_generate(SIGN_P256, &f->verdict), "key");
	must(sign_key_generate(SIGN_ED25519, &f->witness), "key");
	must(sign_key_generate(SIGN_P256, &f->approver), "key");
	must(sign_key_generate(SIGN_P256, &f->stranger), "key");
	f->v = (struct verifier){
		.store = &f->store,
		.clock = &f->clock,
		.io = &f->disk.io,
		.verdict_key = f->verdict,
		.witness_key = f->witness,
		.witness_name = VERIFIER_FIXTURE_LOG "/verifier",
		.log_name = VERIFIER_FIXTURE_LOG,
		.developer = "https://test.example",
		.baseline_dir = f->baseline_dir,
		.pcr_index = 15,
		.boot_pcr_mask = 0xff,
		.silent_after_ms = 180000,
		.unconfirmed_after_ms = 10000,
		.leaving_ms = 600000,
		.verdict_life_s = 300,
	};
	verifier_fixture_start(f);
	add_approver(f);
}

void verifier_fixture_done(struct verifier_fixture *f)
{
	char command[96];

	verifier_fixture_stop(f);
	sign_key_free(f->verdict);
	sign_key_free(f->witness);
	sign_key_free(f->approver);
	sign_key_free(f->stranger);
	faults = NULL;
	snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	must(system(command) == 0 ? 0 : -EIO, command);
}

void verifier_fixture_pass(struct verifier_fixture *f, uint64_t ms)
{
	while (ms > 0) {
		uint64_t step = ms < 1000 ? ms : 1000;

		f->utc_ns += step * 1000000;
		f->boot_ns += step * 1000000;
		ms -= step;
		must(intake_tick(f->intake), "tick");
	}
}

void verifier_fixture_jump(struct verifier_fixture *f, int64_t s)
{
	f->utc_ns += (uint64_t)s * VERIFIER_FIXTURE_S;
}

void verifier_fixture_policy(const char *name, uint64_t version, const char *rules,
			     const struct sign_key *key, struct buf *ret)
{
	CLEANUP(buf_done) struct buf b = {0};

	buf_printf(&b, "{\"v\":1,\"name\":\"%s\",\"version\":%llu,\"rules\":%s}", name,
		   (unsigned long long)version, rules);
	must(dsse_sign(WIRE_DSSE_POLICY, b.data, b.size, &key, 1, ret), "policy");
}

int verifier_fixture_put_policy(struct verifier_fixture *f, const void *envelope, size_t size,
				struct why *ret_why)
{
	int r = f->ops.begin(f->store.ctx);

	must(r, "begin");
	r = documents_put_policy(f->documents, envelope, size, ret_why);
	if (r >= 0)
		r = f->ops.commit(f->store.ctx);
	else
		f->ops.rollback(f->store.ctx);
	return r;
}

void verifier_fixture_rules(struct verifier_fixture *f, uint64_t version, const char *rules)
{
	CLEANUP(buf_done) struct buf envelope = {0};
	const struct action_desk desk = {&f->v, f->documents, f->intake, NULL};
	const struct store_operator alice = {.name = "alice"};
	struct why why = {""};

	verifier_fixture_policy("test", version, rules, f->approver, &envelope);
	must(f->ops.begin(f->store.ctx), "begin");
	must(documents_put_policy(f->documents, envelope.data, envelope.size, &why), why.text);
	must(action_desk_rejudge(&desk, "another policy", &alice, "test"), "rejudge");
	must(f->ops.commit(f->store.ctx), "commit");
}

void verifier_fixture_baseline(const char *name, uint64_t version, const char *entries,
			       const struct sign_key *key, struct buf *ret)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct jsonl j;
	struct digest d;
	uint64_t count = 0;

	for (const char *at = entries; (at = strchr(at, '\n')) != NULL; at++)
		count++;
	must(digest_sha256(entries, strlen(entries), &d), "baseline");
	jsonl_begin(&j, &b);
	jsonl_uint(&j, "v", 1);
	jsonl_str(&j, "name", name);
	jsonl_uint(&j, "version", version);
	jsonl_str(&j, "created", "2026-11-24T00:00:00.000000000Z");
	jsonl_uint(&j, "count", count);
	jsonl_hex(&j, "sha256", d.bytes, DIGEST_SIZE);
	jsonl_array(&j, "scopes");
	jsonl_str(&j, NULL, "host");
	jsonl_close(&j);
	jsonl_array(&j, "closed");
	jsonl_str(&j, NULL, "exec:");
	jsonl_str(&j, NULL, "file:");
	jsonl_close(&j);
	jsonl_end(&j);
	if (key) {
		must(dsse_sign(WIRE_DSSE_BASELINE, b.data, b.size, &key, 1, ret), "baseline");
	} else {
		jsonl_begin(&j, ret);
		jsonl_base64(&j, "payload", b.data, b.size);
		jsonl_str(&j, "payloadType", WIRE_DSSE_BASELINE);
		jsonl_array(&j, "signatures");
		jsonl_close(&j);
		jsonl_end(&j);
	}
	buf_printf(ret, "\n%s", entries);
	must(buf_status(ret), "baseline");
}

int verifier_fixture_put_baseline(struct verifier_fixture *f, const struct buf *file,
				  struct baseline_info *ret, struct why *ret_why)
{
	int r = f->ops.begin(f->store.ctx);

	must(r, "begin");
	r = documents_put_baseline(f->documents, file->data, file->size, ret, ret_why);
	if (r >= 0)
		r = f->ops.commit(f->store.ctx);
	else
		f->ops.rollback(f->store.ctx);
	return r;
}

struct store_node verifier_fixture_node(struct verifier_fixture *f, const char *id)
{
	struct store_node n;

	must(f->ops.node_get(f->store.ctx, id, &n), id);
	return n;
}

struct search {
	const char *key;
	struct store_case *ret;
	uint32_t n_open;
};

static int on_case(void *ctx, const struct store_case *k)
{
	struct search *s = ctx;

	s->n_open += k->closed_ns == 0;
	if (s->key && strcmp(s->key, k->key) == 0 &&
	    (s->ret->id == 0 || s->ret->closed_ns || !k->closed_ns))
		*s->ret = *k;
	return 0;
}

uint32_t verifier_fixture_cases(struct verifier_fixture *f, const char *id, const char *key,
				struct store_case *ret)
{
	struct search s = {key, ret, 0};

	if (key)
		ret->id = 0;
	must(f->ops.case_each(f->store.ctx, id, false, on_case, &s), "cases");
	return s.n_open;
}

uint32_t verifier_fixture_log(struct verifier_fixture *f, const char *text)
{
	CLEANUP(buf_done) struct buf b = {0};
	uint64_t to = 0;
	uint32_t n = 0;

	must(vlog_lines(f->v.vlog, 0, 64u << 20, &b, &to), "log");
	for (const char *at = (char *)b.data; at && (at = strstr(at, text)) != NULL; at++)
		n++;
	return n;
}
