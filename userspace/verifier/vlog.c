/* SPDX-License-Identifier: Apache-2.0 */
#include "vlog.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint.h"
#include "cleanup.h"
#include "ledger_check.h"
#include "ledger_write.h"
#include "line.h"
#include "members.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define ENOUGH 1 /* ends the walk over lines */
#define KEPT "log_kept" /* setting: lines that the store's transactions answer for */
#define MAX_PENDING (64u << 20)

struct vlog {
	const struct fsio *io;
	const struct clock *clock;
	const struct sign_key *key;
	char *dir;
	char origin[CHECKPOINT_MAX_ORIGIN];
	char boot[37];
	struct ledger *ledger;
	uint64_t signed_size;
	struct buf note; /* of that head, as a signed note */
	const struct store *store; /* NULL: not joined */
	bool in_transaction;
	bool answered; /* this transaction put how far the store answers for the log */
	struct buf pending; /* lines of this transaction, each with LF */
	uint64_t n_pending;
	uint64_t kept; /* lines that were committed, too */
	void (*on_sync)(void *ctx);
	void *on_sync_ctx;
};

static int read_boot_id(struct vlog *v)
{
	CLEANUP(buf_done) struct buf b = {0};
	int r = fsio_read_file(fsio_system(), BOOT_ID, 256, &b);

	if (r < 0)
		return r;
	if (b.size < 36)
		return -EBADMSG;
	memcpy(v->boot, b.data, 36);
	return 0;
}

static int keep_note(struct vlog *v, const struct checkpoint *c, const struct buf *line)
{
	char text[CHECKPOINT_MAX_TEXT];
	size_t size;
	int r = checkpoint_text(c, text, &size);

	if (r < 0)
		return r;
	buf_clear(&v->note);
	buf_put(&v->note, text, size);
	buf_puts(&v->note, "\n");
	buf_put(&v->note, line->data, line->size);
	buf_puts(&v->note, "\n");
	return buf_status(&v->note);
}

/* A head that is durable and not signed yet, also when the last run ended between the two. */
static int sign_head(struct vlog *v)
{
	CLEANUP(buf_done) struct buf note = {0};
	struct checkpoint c = {.size = 0};
	int r;

	if (ledger_next_seq(v->ledger) == v->signed_size)
		return 0;
	r = ledger_head(v->ledger, &c);
	if (r >= 0)
		r = checkpoint_sign(&c, CHECKPOINT_SIG_ED25519, v->origin, v->key, 0, &note);
	if (r >= 0)
		r = ledger_note(v->ledger, c.size, &c.root, (char *)note.data, note.size);
	if (r >= 0)
		r = keep_note(v, &c, &note);
	if (r >= 0)
		v->signed_size = c.size;
	return r;
}

static int open_ledger(struct vlog *v, struct why *ret_why)
{
	const struct ledger_options o = {
		.io = v->io, .dir = v->dir, .origin = v->origin, .create = true};
	struct ledger_recovery found;
	int r = ledger_open(&o, &v->ledger, &found, ret_why);

	if (r < 0)
		return r;
	r = sign_head(v);
	return r < 0 ? why_set(ret_why, r, "%s: its head cannot be signed: %s", v->dir,
			       strerror(-r))
		     : 0;
}

int vlog_open(const struct fsio *io, const struct clock *clock, const char *dir,
	      const char *log_name, const struct sign_key *key, struct vlog **ret,
	      struct why *ret_why)
{
	struct vlog *v = calloc(1, sizeof(*v));
	int r;

	if (!v)
		return -ENOMEM;
	v->io = io;
	v->clock = clock;
	v->key = key;
	v->dir = strdup(dir);
	r = v->dir ? read_boot_id(v) : -ENOMEM;
	if (r < 0)
		why_set(ret_why, r, "boot id: %s", strerror(-r));
	else if (sign_key_kind(key) != SIGN_ED25519 || !sign_key_is_private(key))
		r = why_set(ret_why, -EKEYREJECTED, "the log's key must be a private Ed25519 key");
	else if (snprintf(v->origin, sizeof(v->origin), "%s/verifier", log_name) >=
		 (int)sizeof(v->origin))
		r = why_set(ret_why, -ENAMETOOLONG, "the log's name is too long");
	else
		r = open_ledger(v, ret_why);
	if (r < 0) {
		vlog_free(v);
		return r;
	}
	*ret = v;
	return 0;
}

struct vlog *vlog_free(struct vlog *v)
{
	if (!v)
		return NULL;
	if (v->store)
		v->store->ops->follow(v->store->ctx, NULL);
	buf_done(&v->pending);
	buf_done(&v->note);
	ledger_free(v->ledger);
	free(v->dir);
	free(v);
	return NULL;
}

static int put_line(struct vlog *v, const struct buf *line)
{
	int r;

	if (!v->store)
		return ledger_append(v->ledger, line->data, line->size);
	if (v->pending.size + line->size >= MAX_PENDING)
		return -ENOBUFS;
	buf_put(&v->pending, line->data, line->size);
	buf_put(&v->pending, "\n", 1);
	r = buf_status(&v->pending);
	v->n_pending += r >= 0;
	return r;
}

/* What is in the log stays there: members that break the line, or say its envelope again, must not come that far. */
static int check_line(const struct buf *b, const char *body_members)
{
	static const char *const envelope[] = {"v",   "seq",   "t",   "bt",   "boot",
					       "src", "ksess", "cpu", "kseq", "type"};
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct line back;

	if (members_are_plain(body_members, envelope, ARRAY_SIZE(envelope)))
		return 0;
	return line_parse(b->data, b->size, &o, &back, NULL);
}

static int add(struct vlog *v, enum plumb_type type, const char *body_members)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct line l = {
		.seq = vlog_size(v),
		.utc_ns = clock_utc_ns(v->clock),
		.boot_ns = clock_boot_ns(v->clock),
		.boot = v->boot,
		.src = "verifier",
		.type = type,
		.body = body_members,
	};
	int r = line_write(&l, &b);

	if (r >= 0)
		r = check_line(&b, body_members);
	return r < 0 ? r : put_line(v, &b);
}

/* What is in the log cannot be taken out of it, but it can be said that it did not come to pass. */
static int add_void(struct vlog *v)
{
	CLEANUP(buf_done) struct buf b = {0};
	static const struct digest none;
	struct jsonl j = {.buf = &b};

	jsonl_str(&j, "operator", "");
	jsonl_str(&j, "action", "void");
	jsonl_str(&j, "node", "");
	jsonl_str(&j, "reason", "the store does not have what these lines tell");
	jsonl_hex(&j, "envelope", none.bytes, DIGEST_SIZE);
	jsonl_str(&j, "result", "not done");
	jsonl_uint(&j, "from", v->kept);
	jsonl_uint(&j, "to", ledger_next_seq(v->ledger));
	return buf_status(&b) < 0 ? buf_status(&b) : add(v, PLUMB_TYPE_ACTION, (char *)b.data);
}

int vlog_add(struct vlog *v, enum plumb_type type, const char *body_members, uint64_t *ret_seq)
{
	uint64_t seq;
	int r = 0;

	if (type < PLUMB_TYPE_VERDICT)
		return -EINVAL;
	if (v->store && v->n_pending == 0 && v->kept < ledger_next_seq(v->ledger))
		r = add_void(v);
	seq = vlog_size(v);
	if (r >= 0)
		r = add(v, type, body_members);
	if (r >= 0)
		*ret_seq = seq;
	return r < 0 ? r : 0;
}

static void drop(struct vlog *v)
{
	buf_clear(&v->pending);
	v->pending.error = 0;
	v->n_pending = 0;
}

static int append_pending(struct vlog *v)
{
	const char *at = (char *)v->pending.data, *lf;
	int r = 0;

	for (uint64_t i = 0; i < v->n_pending && r >= 0; i++, at = lf + 1) {
		lf = strchr(at, '\n');
		r = ledger_append(v->ledger, at, (size_t)(lf - at));
	}
	drop(v);
	return r;
}

static int make_durable(struct vlog *v)
{
	int r = ledger_sync(v->ledger);

	return r < 0 ? r : sign_head(v);
}

static void began(void *ctx)
{
	struct vlog *v = ctx;

	v->in_transaction = true;
	v->answered = false;
}

static int put_kept(struct vlog *v)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, ledger_next_seq(v->ledger));
	return v->store->ops->setting_put(v->store->ctx, KEPT, text);
}

static int on_commit(void *ctx)
{
	struct vlog *v = ctx;
	int r;

	if (v->n_pending == 0)
		return 0;
	r = append_pending(v);
	if (r >= 0)
		r = make_durable(v);
	if (r >= 0)
		r = put_kept(v);
	v->answered = r >= 0;
	return r;
}

static void ended(void *ctx, bool committed)
{
	struct vlog *v = ctx;
	/* One without lines says nothing of what a failed one before it left in the log. */
	bool more = committed && v->answered;

	v->in_transaction = false;
	drop(v);
	if (more)
		v->kept = ledger_next_seq(v->ledger);
	if (more && v->on_sync)
		v->on_sync(v->on_sync_ctx);
}

/* 0: *ret is how far the store answers for the log. */
static int get_kept(struct vlog *v, const struct store *store, uint64_t *ret)
{
	CLEANUP(buf_done) struct buf text = {0};
	char *end;
	int r = store->ops->setting_get(store->ctx, KEPT, &text);

	if (r == -ENOENT) {
		*ret = ledger_next_seq(v->ledger);
		return 0;
	}
	if (r < 0)
		return r;
	*ret = strtoull((char *)text.data, &end, 10);
	return *end || text.size == 0 ? -EBADMSG : 0;
}

int vlog_join(struct vlog *v, const struct store *store, struct why *ret_why)
{
	const struct store_follower f = {began, on_commit, ended, v};
	uint64_t kept, size = ledger_next_seq(v->ledger);
	int r = get_kept(v, store, &kept);

	if (r < 0)
		return why_set(ret_why, r, "%s: how far the store knows it cannot be read", v->dir);
	if (kept > size)
		return why_set(ret_why, -EBADMSG,
			       "%s: has %" PRIu64 " lines, and the store knows of %" PRIu64
			       ": restore log and store of the same moment",
			       v->dir, size, kept);
	v->store = store;
	v->kept = kept;
	store->ops->follow(store->ctx, &f);
	if (kept == size)
		return 0;
	r = store->ops->begin(store->ctx);
	if (r >= 0)
		r = add_void(v);
	if (r >= 0)
		r = store->ops->commit(store->ctx);
	else
		store->ops->rollback(store->ctx);
	return r < 0 ? why_set(ret_why, r, "%s: cannot be gone on with: %s", v->dir, strerror(-r))
		     : 0;
}

int vlog_sync(struct vlog *v)
{
	bool more = ledger_next_seq(v->ledger) > ledger_synced_size(v->ledger);
	int r;

	if (v->store && (v->in_transaction || v->n_pending == 0))
		return 0;
	if (v->store) {
		/* Lines that no transaction goes with get one of their own. */
		r = v->store->ops->begin(v->store->ctx);
		return r < 0 ? r : v->store->ops->commit(v->store->ctx);
	}
	r = make_durable(v);
	if (r >= 0 && more && v->on_sync)
		v->on_sync(v->on_sync_ctx);
	return r;
}

uint64_t vlog_size(const struct vlog *v)
{
	return ledger_next_seq(v->ledger) + v->n_pending;
}

uint64_t vlog_synced_size(const struct vlog *v)
{
	return ledger_synced_size(v->ledger);
}

struct lines {
	struct buf *ret;
	size_t max, used;
	uint64_t next, end;
};

static int on_line(void *ctx, uint64_t seq, const char *line, size_t size)
{
	struct lines *w = ctx;

	if (seq >= w->end || w->max - w->used < size + 1)
		return ENOUGH;
	buf_put(w->ret, line, size);
	buf_put(w->ret, "\n", 1);
	w->used += size + 1;
	w->next = seq + 1;
	return buf_status(w->ret);
}

int vlog_lines(struct vlog *v, uint64_t from, size_t max, struct buf *ret, uint64_t *ret_to)
{
	struct lines w = {
		.ret = ret, .max = max, .next = from, .end = ledger_synced_size(v->ledger)};
	size_t before = ret->size;
	struct why why;
	int r;

	if (from > w.end)
		return -ERANGE;
	if (from < w.end) {
		r = ledger_check_each(v->io, v->dir, from, on_line, &w, &why);
		if (r >= 0 && w.next == from)
			r = r == ENOUGH ? -E2BIG : -EIO;
		if (r < 0) {
			buf_cut(ret, before);
			return r;
		}
	}
	*ret_to = w.next;
	return 0;
}

int vlog_note(const struct vlog *v, struct buf *ret, uint64_t *ret_size)
{
	if (v->note.size == 0)
		return -ENOENT;
	buf_put(ret, v->note.data, v->note.size);
	*ret_size = v->signed_size;
	return buf_status(ret);
}

int vlog_prove(struct vlog *v, uint64_t seq, uint64_t size,
	       struct digest ret_proof[MERKLE_MAX_LEVELS], uint32_t *ret_n)
{
	if (seq >= size || size > v->signed_size)
		return -ERANGE;
	return ledger_prove_inclusion(v->ledger, seq, size, ret_proof, ret_n);
}

void vlog_on_sync(struct vlog *v, void (*fn)(void *ctx), void *ctx)
{
	v->on_sync = fn;
	v->on_sync_ctx = ctx;
}
