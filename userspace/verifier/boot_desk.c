/* SPDX-License-Identifier: Apache-2.0 */
#include "boot_desk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "appraise_boot.h"
#include "boot_files.h"
#include "bootlog_reading.h"
#include "cleanup.h"

#define STATE "boot"
#define LOG "boot_log"
#define MEASURED "measure_log"
#define BIT(f) (1u << (f))

DEFINE_CLEANUP(struct bootlog_reading *, bootlog_reading_free);

struct desk {
	const struct boot_desk_in *in;
	char name[96];
	struct buf log, measured, state; /* read from the store */
};

static void name_of(const struct store_node *n, char ret[96])
{
	snprintf(ret, 96, "%s/%" PRIu64, n->id, n->incarnation);
}

/* What is stored and cannot be read is our fault, not the evidence's. */
static int own(int r)
{
	return r == -EBADMSG ? -EIO : r;
}

static int get(const struct verifier *v, const struct store_node *n, const char *kind,
	       struct buf *ret)
{
	char name[96];

	name_of(n, name);
	return v->store->ops->blob_get(v->store->ctx, kind, name, ret);
}

/* Appends the bytes, too. */
static int load(const struct verifier *v, const struct store_node *n, struct buf *b,
		struct appraise_boot_state *ret)
{
	int r = get(v, n, STATE, b);

	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : own(appraise_boot_state_parse(b->data, b->size, ret));
}

int boot_desk_held(const struct verifier *v, const struct store_node *n, struct digest *ret)
{
	CLEANUP(buf_done) struct buf b = {0};
	int r = get(v, n, STATE, &b);

	*ret = (struct digest){{0}};
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : own(appraise_boot_state_log(b.data, b.size, ret));
}

int boot_desk_measured(const struct verifier *v, const struct store_node *n,
		       const struct evidence *e, struct buf *ret)
{
	if (e && e->measure_log.size > 0) {
		buf_put(ret, e->measure_log.data, e->measure_log.size);
		return buf_status(ret);
	}
	return get(v, n, MEASURED, ret);
}

int boot_desk_measured_held(const struct verifier *v, const struct store_node *n,
			    struct digest *ret)
{
	CLEANUP(buf_done) struct buf b = {0};
	int r = get(v, n, MEASURED, &b);

	*ret = (struct digest){{0}};
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : digest_sha256(b.data, b.size, ret);
}

static int on_measured(void *ctx, struct buf_view *ret)
{
	struct desk *d = ctx;
	int r = boot_desk_measured(d->in->v, d->in->row, d->in->evidence, &d->measured);

	*ret = (struct buf_view){d->measured.data, d->measured.size};
	return own(r);
}

/* As it came with this evidence, else as it came before: its digest says whether it is the one. */
static int on_log(void *ctx, struct buf_view *ret)
{
	struct desk *d = ctx;
	const struct evidence *e = d->in->evidence;
	struct digest is;
	int r;

	if (e->boot_log_data.size > 0) {
		*ret = (struct buf_view){e->boot_log_data.data, e->boot_log_data.size};
		return 0;
	}
	r = get(d->in->v, d->in->row, LOG, &d->log);
	if (r >= 0)
		r = digest_sha256(d->log.data, d->log.size, &is);
	if (r >= 0 && !digest_equal(&is, &e->boot_log))
		r = -ENOENT;
	*ret = (struct buf_view){d->log.data, d->log.size};
	return own(r);
}

static int on_item(void *ctx, const struct appraise_drift_item *i)
{
	struct desk *d = ctx;

	return own(cases_item(d->in->cases, i));
}

static int on_found(void *ctx, enum plumb_finding f, const char *expected, const char *text)
{
	struct desk *d = ctx;

	return own(
		cases_finding(d->in->cases, f, d->in->evidence->checkpoint.size, expected, text));
}

static bool agrees(const struct appraise_boot_state *s)
{
	return s->read && s->finding != PLUMB_FINDING_BOOT_MISMATCH;
}

/* Logs that the registers agree with are kept for whoever asks months later. */
static int keep_files(struct desk *d, const struct appraise_boot_state *s)
{
	const struct evidence *e = d->in->evidence;
	const struct store_node *n = d->in->row;
	struct buf_view log;
	int r;

	if (!agrees(s))
		return 0;
	buf_clear(&d->log);
	r = on_log(d, &log);
	return r < 0 ? r
		     : boot_files_keep(d->in->v->store, e->node, n->incarnation, BOOT_FILE_LOG,
				       log.data, log.size);
}

/* It explains a register's first value, or one that was extended since; no register says that all of it is true. */
static int keep_measured(struct desk *d)
{
	const struct evidence *e = d->in->evidence;
	const struct store *store = d->in->v->store;
	int r;

	if (e->measure_log.size == 0)
		return 0;
	r = store->ops->blob_put(store->ctx, MEASURED, d->name, e->measure_log.data,
				 e->measure_log.size);
	return r < 0 ? r
		     : boot_files_keep(store, e->node, d->in->row->incarnation, BOOT_FILE_MEASURED,
				       e->measure_log.data, e->measure_log.size);
}

/* Nothing where there is nothing: a row for each node that never had a log would be written with each evidence. */
static int keep(struct desk *d, const struct appraise_boot_state *s)
{
	static const struct digest none;
	CLEANUP(buf_done) struct buf b = {0};
	const struct evidence *e = d->in->evidence;
	const struct store *store = d->in->v->store;
	int r = appraise_boot_state_write(s, &b);

	if (r >= 0)
		r = keep_measured(d);
	if (r < 0 || (d->state.size == 0 && !s->finding && digest_equal(&s->log, &none)))
		return r;
	if (r >= 0 && e->boot_log_data.size > 0)
		r = store->ops->blob_put(store->ctx, LOG, d->name, e->boot_log_data.data,
					 e->boot_log_data.size);
	if (r < 0 || (b.size == d->state.size && memcmp(b.data, d->state.data, b.size) == 0))
		return r;
	r = store->ops->blob_put(store->ctx, STATE, d->name, b.data, b.size);
	return r < 0 ? r : keep_files(d, s);
}

int boot_desk_appraise(const struct boot_desk_in *in, struct boot_desk_result *ret)
{
	struct desk d = {.in = in};
	struct appraise_boot_state s = {.finding = 0};
	const struct evidence *e = in->evidence;
	const struct appraise_boot_in ain = {.pcrs = &e->pcrs,
					     .bound = e->boot_log,
					     .log = on_log,
					     .measured = on_measured,
					     .baseline = in->baseline,
					     .document = in->row->baseline,
					     .seq = e->checkpoint.size,
					     .utc_ns = in->cases->now_ns,
					     .item = on_item,
					     .found = on_found,
					     .ctx = &d};
	int r = load(in->v, in->row, &d.state, &s);

	name_of(in->row, d.name);
	if (r >= 0)
		r = appraise_boot(&ain, &s);
	if (r >= 0)
		r = keep(&d, &s);
	buf_done(&d.log);
	buf_done(&d.measured);
	buf_done(&d.state);
	if (r < 0)
		return own(r);
	ret->findings = s.finding ? BIT(s.finding) : 0;
	ret->good = s.good;
	ret->agrees = agrees(&s);
	memcpy(ret->values, s.values, sizeof(ret->values));
	return 0;
}

static const char *finding_name(const struct appraise_boot_state *s)
{
	return s->finding ? terms_finding_name((enum plumb_finding)s->finding) : "";
}

int boot_desk_told(const struct verifier *v, const struct store_node *n, struct boot_desk_told *ret)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct appraise_boot_state s = {.finding = 0};
	int r = load(v, n, &b, &s);

	if (r < 0)
		return r;
	*ret = (struct boot_desk_told){.proven = s.read && !s.finding && s.judged,
				       .log = s.log,
				       .finding = finding_name(&s)};
	memcpy(ret->found, s.text, sizeof(ret->found));
	memcpy(ret->secure_boot, s.secure_boot, sizeof(ret->secure_boot));
	return 0;
}

static int put_claim(void *ctx, const char *key, const char *value)
{
	struct jsonl *j = ctx;

	jsonl_str(j, key, value);
	return buf_status(j->buf);
}

static int put_claims(const struct verifier *v, const struct store_node *n, struct jsonl *j)
{
	CLEANUP(buf_done) struct buf log = {0};
	CLEANUP(bootlog_reading_free_p) struct bootlog_reading *g = NULL;
	struct why why = {""};
	int r = get(v, n, LOG, &log);

	if (r >= 0)
		r = bootlog_reading_open(log.data, log.size, &g, &why);
	return r < 0 ? own(r) : bootlog_reading_claims(g, put_claim, j);
}

int boot_desk_view(const struct verifier *v, const struct store_node *n, struct jsonl *j)
{
	static const struct digest none;
	CLEANUP(buf_done) struct buf b = {0};
	struct appraise_boot_state s = {.finding = 0};
	int r = load(v, n, &b, &s);

	if (r < 0 || (!s.finding && digest_equal(&s.log, &none)))
		return r;
	jsonl_object(j, "measured");
	jsonl_hex(j, "log", s.log.bytes, DIGEST_SIZE);
	jsonl_str(j, "finding", finding_name(&s));
	jsonl_str(j, "found", s.text);
	jsonl_object(j, "claims");
	/* What no register proves is not shown. */
	if (s.read && s.finding != PLUMB_FINDING_BOOT_MISMATCH)
		r = put_claims(v, n, j);
	jsonl_close(j);
	jsonl_close(j);
	return r;
}
