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

#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define ENOUGH 1 /* ends the walk over lines */

struct vlog {
	const struct fsio *io;
	const struct clock *clock;
	const struct sign_key *key;
	char *dir;
	char origin[CHECKPOINT_MAX_ORIGIN];
	char boot[37];
	struct ledger *ledger;
	uint64_t signed_size;
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
	ledger_free(v->ledger);
	free(v->dir);
	free(v);
	return NULL;
}

int vlog_add(struct vlog *v, enum plumb_type type, const char *body_members, uint64_t *ret_seq)
{
	CLEANUP(buf_done) struct buf b = {0};
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct line l = {
		.seq = ledger_next_seq(v->ledger),
		.utc_ns = clock_utc_ns(v->clock),
		.boot_ns = clock_boot_ns(v->clock),
		.boot = v->boot,
		.src = "verifier",
		.type = type,
		.body = body_members,
	};
	struct line back;
	int r;

	if (type < PLUMB_TYPE_VERDICT)
		return -EINVAL;
	r = line_write(&l, &b);
	/* What is in the log stays there: members that break the line, or say its envelope again, must not come that far. */
	if (r >= 0)
		r = line_parse(b.data, b.size, &o, &back, NULL);
	if (r >= 0)
		r = ledger_append(v->ledger, b.data, b.size);
	if (r >= 0)
		*ret_seq = l.seq;
	return r < 0 ? r : 0;
}

int vlog_sync(struct vlog *v)
{
	bool more = ledger_next_seq(v->ledger) > ledger_synced_size(v->ledger);
	int r = ledger_sync(v->ledger);

	if (r >= 0)
		r = sign_head(v);
	if (r >= 0 && more && v->on_sync)
		v->on_sync(v->on_sync_ctx);
	return r;
}

uint64_t vlog_size(const struct vlog *v)
{
	return ledger_next_seq(v->ledger);
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

void vlog_on_sync(struct vlog *v, void (*fn)(void *ctx), void *ctx)
{
	v->on_sync = fn;
	v->on_sync_ctx = ctx;
}
