/* SPDX-License-Identifier: Apache-2.0 */
#include "isolate_all.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "isolate_exec.h"
#include "isolate_freeze.h"
#include "jsonl.h"
#include "log.h"
#include "snapshot.h"
#include "snapshot_files.h"
#include "standing.h"

struct isolate_all {
	struct isolate *isolate;
	struct isolate_all_parts parts;
	struct isolate_exec *exec;
	struct isolate_freeze freeze;
	struct standing *standing; /* NULL: it does nothing by itself */
};

static const struct baseline *on_baseline(void *ctx)
{
	return ledger_writer_baseline(ctx);
}

static void put_result(struct jsonl *j, const struct snapshot *s, const struct buf *b,
		       const char *name, const struct digest *d)
{
	jsonl_str(j, "file", name);
	jsonl_hex(j, "sha256", d->bytes, DIGEST_SIZE);
	jsonl_uint(j, "size", b->size);
	jsonl_uint(j, "processes", s->n_processes);
	jsonl_uint(j, "sockets", s->n_sockets);
	jsonl_uint(j, "modules", s->n_modules);
	jsonl_uint(j, "mounts", s->n_mounts);
	jsonl_bool(j, "cut", s->cut[0] || s->cut[1] || s->cut[2] || s->cut[3]);
}

/* Sealed: the line that has its digest is in the PCR. The file first, as the line says that there is one. */
static int on_snapshot(void *ctx, uint64_t number)
{
	struct isolate_all *a = ctx;
	const struct isolate_all_parts *p = &a->parts;
	CLEANUP(buf_done) struct buf b = {0}, members = {0};
	struct jsonl j = {.buf = &members};
	struct snapshot s = {.hashes = p->hashes,
			     .held = proctab_held(p->proctab),
			     .redact = p->settings->redact,
			     .number = number,
			     .utc_ns = clock_utc_ns(p->clock),
			     .lines = ledger_writer_size(p->writer)};
	char name[SNAPSHOT_FILES_NAME];
	struct digest d;
	int r = snapshot_take(&s, &b);

	if (r >= 0)
		r = snapshot_files_keep(p->settings->io, p->settings->state_dir, s.lines, &b, name,
					&d);
	jsonl_uint(&j, "number", number);
	if (r >= 0)
		put_result(&j, &s, &b, name, &d);
	else
		jsonl_str(&j, "why", strerror(-r));
	if (r < 0)
		log_error("snapshot=none error=\"%s\" next=\"the ledger says so\"", strerror(-r));
	r = buf_status(&members);
	if (r >= 0)
		r = ledger_writer_record(p->writer, PLUMB_TYPE_SNAPSHOT, "agent",
					 (char *)members.data);
	commit_appended(ledger_writer_commit(p->writer), true);
	return r;
}

static void on_standing(void *ctx, const char *reason)
{
	struct isolate_all *a = ctx;
	const struct isolate_cause cause = {"standing", 0, "", reason, NULL};
	char result[ISOLATE_RESULT];

	isolate_begin(a->isolate, &cause, a->parts.settings->standing, result);
	log_warning("standing result=\"%s\"", result);
}

static int open_standing(struct isolate_all *a, struct event_base *base)
{
	const struct isolate_all_settings *s = a->parts.settings;
	const struct standing_options o = {.clock = a->parts.clock,
					   .io = s->io,
					   .state_dir = s->state_dir,
					   .boot_id = s->boot_id,
					   .size = ledger_writer_size(a->parts.writer),
					   .after_ms = s->standing_after_ms,
					   .keys = s->standing_keys,
					   .n_keys = s->n_standing_keys,
					   .act = on_standing,
					   .ctx = a};

	return s->standing ? standing_open(base, &o, &a->standing) : 0;
}

int isolate_all_go(struct event_base *base, const struct isolate_all_parts *p,
		   struct isolate_all **ret, struct why *ret_why)
{
	const struct isolate_all_settings *s = p->settings;
	const struct isolate_exec_options exec = {
		.loader = p->bpf ? sensor_bpf_loader(p->bpf) : NULL,
		.hashes = p->hashes,
		.baseline = on_baseline,
		.ctx = p->writer,
		.forbidden = s->exec_forbidden,
	};
	struct isolate_parts parts = {.writer = p->writer,
				      .node = p->node,
				      .keys = s->operators,
				      .n_keys = s->n_operators,
				      .door = s->release_dir,
				      .snapshot = on_snapshot,
				      .evidence = p->evidence,
				      .evidence_ctx = p->ctx};
	struct isolate_all *a;
	int r;

	if (!s->isolate)
		return 0;
	a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	a->parts = *p;
	parts.ctx = a;
	a->freeze = (struct isolate_freeze){.root = p->cgroups ? cgroups_root(p->cgroups) : NULL,
					    .named = s->freeze,
					    .n_named = s->n_freeze};
	r = isolate_exec_open(base, &exec, &a->exec);
	if (r >= 0) {
		parts.exec = (struct isolate_means){isolate_exec_begin, isolate_exec_end, a->exec};
		parts.freeze = (struct isolate_means){isolate_freeze_begin, isolate_freeze_end,
						      &a->freeze};
		a->isolate = s->isolate;
		*ret = a; /* what begins now may ask for it */
		r = isolate_go(s->isolate, base, &parts, ret_why);
		r = r < 0 ? r : open_standing(a, base);
	}
	if (r < 0)
		*ret = isolate_all_free(a);
	return r;
}

struct isolate_all *isolate_all_free(struct isolate_all *a)
{
	if (!a)
		return NULL;
	isolate_stop(a->isolate);
	standing_free(a->standing);
	isolate_exec_free(a->exec);
	free(a);
	return NULL;
}

void isolate_all_drift(struct isolate_all *a, const struct line *l)
{
	if (a && l->judgement == PLUMB_JUDGE_DRIFT)
		standing_drift(a->standing, l, ledger_writer_size(a->parts.writer));
}

void isolate_all_heard(struct isolate_all *a, uint64_t size)
{
	if (a)
		standing_heard(a->standing, size);
}

void isolate_all_judged(struct isolate_all *a)
{
	if (!a)
		return;
	isolate_judged(a->isolate);
	isolate_exec_again(a->exec);
}
