/* SPDX-License-Identifier: Apache-2.0 */
#include "boot_desk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "appraise_boot.h"
#include "bootlog_reading.h"
#include "cleanup.h"

#define STATE "boot"
#define LOG "boot_log"
#define BIT(f) (1u << (f))

DEFINE_CLEANUP(struct bootlog_reading *, bootlog_reading_free);

struct desk {
	const struct boot_desk_in *in;
	char name[96];
	struct buf log, state; /* read from the store */
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

/* Nothing where there is nothing: a row for each node that never had a log would be written with each evidence. */
static int keep(struct desk *d, const struct appraise_boot_state *s)
{
	static const struct digest none;
	CLEANUP(buf_done) struct buf b = {0};
	const struct evidence *e = d->in->evidence;
	const struct store *store = d->in->v->store;
	int r = appraise_boot_state_write(s, &b);

	if (r < 0 || (d->state.size == 0 && !s->finding && digest_equal(&s->log, &none)))
		return r;
	if (b.size != d->state.size || memcmp(b.data, d->state.data, b.size) != 0)
		r = store->ops->blob_put(store->ctx, STATE, d->name, b.data, b.size);
	if (r >= 0 && e->boot_log_data.size > 0)
		r = store->ops->blob_put(store->ctx, LOG, d->name, e->boot_log_data.data,
					 e->boot_log_data.size);
	return r;
}

int boot_desk_appraise(const struct boot_desk_in *in, struct boot_desk_result *ret)
{
	struct desk d = {.in = in};
	struct appraise_boot_state s = {.finding = 0};
	const struct evidence *e = in->evidence;
	const struct appraise_boot_in ain = {.pcrs = &e->pcrs,
					     .bound = e->boot_log,
					     .log = on_log,
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
	buf_done(&d.state);
	if (r < 0)
		return own(r);
	ret->findings = s.finding ? BIT(s.finding) : 0;
	ret->good = s.good;
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
	jsonl_str(j, "finding", s.finding ? terms_finding_name((enum plumb_finding)s.finding) : "");
	jsonl_str(j, "found", s.text);
	jsonl_object(j, "claims");
	/* What no register proves is not shown. */
	if (s.read && s.finding != PLUMB_FINDING_BOOT_MISMATCH)
		r = put_claims(v, n, j);
	jsonl_close(j);
	jsonl_close(j);
	return r;
}
