/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_writer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "counters_line.h"
#include "epoch_line.h"
#include "judge.h"
#include "ledger_lines.h"
#include "ledger_past.h"
#include "line.h"
#include "log.h"
#include "repeats.h"
#include "spool.h"
#include "tail.h"
#include "told.h"

#define REPEATS_MS 60000

struct ledger_writer {
	const struct clock *clock;
	const struct baseline *baseline;
	struct ledger *ledger;
	struct commit *commit; /* NULL until the first lines of this start are written */
	struct measure_sink sink;
	char boot[37];
	bool exec_all;
	struct redact *redact;
	void (*provisional)(void *ctx, const struct checkpoint *head);
	void (*anchored)(void *ctx, const struct checkpoint *head);
	void *ctx;
	const struct fsio *io;
	char *dir;
	const struct record *record;
	struct tail *tail;
	void (*drift)(void *ctx, const struct line *l);
	uint64_t last_order;
	uint64_t asked; /* for lines that were pruned, from this one less 1: told once */
	struct spool spool;
	struct buf line; /* the one at work; its memory is kept for the next */
	void (*again)(void *ctx);
	struct event *again_event; /* not from inside the sink: who tells again uses it */
	uint64_t n_repeats; /* execs that got no line of their own since the last `counters` line */
	struct repeats *repeats; /* the same by program, since the last `repeats` line */
	struct event *repeats_event;
	struct told told;
};

static int write_line(struct ledger_writer *w, struct line *l, bool urgent)
{
	struct buf *b = &w->line;
	int r;

	buf_clear(b);
	l->seq = ledger_next_seq(w->ledger);
	l->utc_ns = clock_utc_ns(w->clock);
	if (!l->boot_ns)
		l->boot_ns = clock_boot_ns(w->clock);
	l->boot = w->boot;
	r = line_write_fitting(l, b);
	if (r >= 0)
		r = ledger_append(w->ledger, b->data, b->size);
	if (r < 0) {
		spool_refused(&w->spool, r);
		if (w->spool.dropped == 1)
			log_error("ledger=line_refused type=%s error=\"%s\" next=\"counted, told "
				  "in a lost line\"",
				  terms_type_name(l->type), strerror(-r));
		return r;
	}
	tail_add(w->tail, l->seq, b->data, b->size);
	spool_written(&w->spool, b->size + 1);
	if (w->commit)
		commit_appended(w->commit, urgent);
	return 0;
}

int ledger_writer_record(struct ledger_writer *w, enum plumb_type type, const char *src,
			 const char *members)
{
	struct line l = {.type = type, .src = src, .body = members};

	return write_line(w, &l, false);
}

/* As soon as something can be written. */
static int tell_lost(struct ledger_writer *w)
{
	char members[160];
	uint64_t n = w->spool.dropped;
	int r;

	if (n == 0)
		return 0;
	snprintf(members, sizeof(members),
		 "\"of\":\"ledger\",\"n\":%" PRIu64
		 ",\"what\":\"lines that the ledger refused or the spool had no room for\"",
		 n);
	w->spool.dropped = 0;
	r = ledger_writer_record(w, PLUMB_TYPE_LOST, "agent", members);
	if (r < 0)
		w->spool.dropped = n;
	return r;
}

/* What was not written; and all that is known is told again when there is room, also if a line since then said already how many were lost. */
static void tell_dropped(struct ledger_writer *w)
{
	if (tell_lost(w) < 0 || !w->spool.forgot || w->spool.full)
		return;
	w->spool.forgot = false;
	told_forget(&w->told);
	if (w->again)
		event_active(w->again_event, EV_TIMEOUT, 0);
}

static void on_again(evutil_socket_t fd, short what, void *ctx)
{
	struct ledger_writer *w = ctx;

	(void)fd;
	(void)what;
	w->again(w->ctx);
}

/* Programs that ran again, and how often: a line that bears no news, so it does not hurry. */
static void tell_repeats(struct ledger_writer *w)
{
	CLEANUP(buf_done) struct buf members = {0};

	if (repeats_n(w->repeats) == 0)
		return;
	if (repeats_members(w->repeats, &members) >= 0 &&
	    ledger_writer_record(w, PLUMB_TYPE_REPEATS, "agent", (char *)members.data) >= 0)
		repeats_restart(w->repeats);
}

static void on_repeats(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	tell_repeats(ctx);
}

static bool is_urgent(enum plumb_type type)
{
	return type == PLUMB_TYPE_MODULE || type == PLUMB_TYPE_LOAD || type == PLUMB_TYPE_BPF ||
	       type == PLUMB_TYPE_FILE || type == PLUMB_TYPE_MOUNT || type == PLUMB_TYPE_SURFACE;
}

/* What could not be measured is never taken for something seen before. */
static bool may_repeat(const struct line *l)
{
	/* That a program has executable memory, or an interpreter runs a text, is nothing that has a digest. */
	if (l->type == PLUMB_TYPE_CODE &&
	    (strncmp(l->key, "memory:", 7) == 0 || strncmp(l->key, "unnamed:", 8) == 0))
		return true;
	return (l->type == PLUMB_TYPE_EXEC || l->type == PLUMB_TYPE_LOAD ||
		l->type == PLUMB_TYPE_CODE) &&
	       strncmp(l->found, "sha256:", 7) == 0;
}

/* at_once: it may not wait, nor be refused by the spool. 0: there is a line of it; 1: the spool is full, which was counted; -errno. */
static int measure(struct ledger_writer *w, const struct line *l, bool at_once)
{
	struct judge_result judged; /* not cleared: it has room for the longest value */
	struct line copy = *l;
	bool news, can_repeat = may_repeat(l);
	CLEANUP(buf_done) struct buf args = {0};
	struct told_run run;
	int r;

	told_hash(&w->told, l, &run);
	/* Whoever wants every run gets none that is known while a storm might push out what is new. */
	if (can_repeat &&
	    (!w->exec_all || l->type == PLUMB_TYPE_CODE || spool_is_half_full(&w->spool)) &&
	    told_knows(&w->told, &run)) {
		w->n_repeats++;
		repeats_count(w->repeats, l, &run);
		return 0;
	}
	if (w->baseline &&
	    judge_measurement(w->baseline, l->type, l->scope, l->key, l->found, &judged) >= 0) {
		copy.judgement = judged.judgement;
		copy.expected = judged.expected;
		copy.judge_version = PLUMB_JUDGE_VERSION;
		copy.baseline_version = baseline_info(w->baseline)->version;
	}
	if (!spool_takes(&w->spool, at_once || copy.judgement == PLUMB_JUDGE_DRIFT, run.unit))
		return 1;
	tell_dropped(w);
	/* Only now: of a repeat they are not told. Without them the line is better than no line. */
	if (w->redact && (l->args || l->args_missing) &&
	    redact_args(w->redact, l->args, &args) >= 0)
		copy.body = (const char *)args.data;
	news = told_ends_drift(&w->told, l, copy.judgement) || copy.judgement == PLUMB_JUDGE_DRIFT;
	r = write_line(w, &copy, news || at_once || is_urgent(l->type));
	/* Only what was written is not written again. */
	if (r >= 0 && can_repeat)
		told_put(&w->told, &run);
	if (r >= 0 && news && w->drift)
		w->drift(w->ctx, &copy);
	return r;
}

static void on_measurement(void *ctx, const struct line *l)
{
	(void)measure(ctx, l, false);
}

int ledger_writer_before(struct ledger_writer *w, const struct line *l, uint64_t *ret_size)
{
	int r = measure(w, l, true);

	if (r < 0)
		return r;
	*ret_size = ledger_next_seq(w->ledger);
	commit_awaited(
		w->commit); /* of a repeat, too: the line before may still wait for its batch */
	return 0;
}

static void on_counters(void *ctx, uint64_t ksess, uint32_t cpu, const struct plumb_counters *c,
			uint64_t received)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct ledger_writer *w = ctx;
	const struct counters_line line = {ksess, cpu, received, w->n_repeats, c};
	int r = counters_line_members(&line, &b);

	tell_dropped(w);
	if (r >= 0)
		r = ledger_writer_record(w, PLUMB_TYPE_COUNTERS, "agent", (char *)b.data);
	if (r >= 0)
		w->n_repeats = 0;
}

static void on_lost(void *ctx, const char *src, uint64_t n, const char *what)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct ledger_writer *w = ctx;
	struct jsonl j = {.buf = &b};

	jsonl_str(&j, "of", src);
	jsonl_uint(&j, "n", n);
	jsonl_str(&j, "what", what);
	log_warning("lost=%" PRIu64 " source=%s what=\"%s\"", n, src, what);
	if (buf_status(&b) == 0)
		ledger_writer_record(w, PLUMB_TYPE_LOST, "agent", (char *)b.data);
}

static void on_provisional(void *ctx, const struct checkpoint *head)
{
	struct ledger_writer *w = ctx;

	if (w->provisional)
		w->provisional(w->ctx, head);
}

static void on_anchored(void *ctx, const struct checkpoint *head)
{
	struct ledger_writer *w = ctx;

	if (w->anchored)
		w->anchored(w->ctx, head);
}

static int read_boot_id(char ret[37])
{
	CLEANUP(buf_done) struct buf b = {0};
	int r = fsio_read_file(fsio_system(), "/proc/sys/kernel/random/boot_id", 256, &b);

	if (r < 0)
		return r;
	if (b.size < 36)
		return -EBADMSG;
	memcpy(ret, b.data, 36);
	ret[36] = 0;
	return 0;
}

static int write_log(struct ledger_writer *w, const char *origin)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct jsonl j = {.buf = &b};

	jsonl_str(&j, "origin", origin);
	if (w->record && w->record->predecessor_origin[0]) {
		jsonl_object(&j, "predecessor");
		jsonl_str(&j, "origin", w->record->predecessor_origin);
		jsonl_uint(&j, "size", w->record->predecessor_size);
		jsonl_hex(&j, "root", w->record->predecessor_root.bytes, DIGEST_SIZE);
		jsonl_close(&j);
	} else {
		jsonl_null(&j, "predecessor");
	}
	jsonl_str(&j, "agent", PLUMB_VERSION);
	jsonl_uint(&j, "jv", PLUMB_JUDGE_VERSION);
	return buf_status(&b) < 0
		       ? buf_status(&b)
		       : ledger_writer_record(w, PLUMB_TYPE_LOG, "agent", (char *)b.data);
}

/* From here to there nobody looked: every source was blind, on whoever's word. */
static int write_gap(struct ledger_writer *w, const struct ledger_past *last)
{
	char from[CLOCK_TEXT_SIZE], members[320];

	clock_text(last->utc_ns, from);
	snprintf(members, sizeof(members),
		 "\"after\":%" PRIu64 ",\"from\":\"%s\",\"from_bt\":%" PRIu64
		 ",\"from_boot\":\"%s\",\"stopped\":%s,\"blind\":[\"bpf\",\"fanotify\",\"proc_"
		 "connector\",\"mountinfo\"]",
		 last->seq, from, last->boot_ns, last->boot, last->stopped ? "true" : "false");
	return ledger_writer_record(w, PLUMB_TYPE_GAP, "agent", members);
}

static int write_baseline(struct ledger_writer *w)
{
	const struct baseline_info *info = baseline_info(w->baseline);
	char hex[DIGEST_HEX_SIZE], members[320];

	digest_hex(&info->document, hex);
	snprintf(members, sizeof(members),
		 "\"version\":%" PRIu64 ",\"sha256\":\"%s\",\"signer\":\"%s\",\"count\":%" PRIu64,
		 info->version, hex, info->signer, info->count);
	return ledger_writer_record(w, PLUMB_TYPE_BASELINE, "agent", members);
}

/* What happened to the register since the anchors were last written: see epoch.h. */
static int write_epoch(struct ledger_writer *w, const struct epoch_seen *now,
		       const struct epoch_ruling *rule)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct line l = {.type = PLUMB_TYPE_EPOCH, .src = "tpm"};
	int r = epoch_line_members(now, rule, &b);

	l.body = (char *)b.data;
	return r < 0 ? r : write_line(w, &l, true);
}

static void on_epoch(void *ctx, const struct epoch_seen *now, const struct epoch_ruling *rule)
{
	log_notice("tpm=epoch move=%s base=%s reset=%u restart=%u", epoch_move_name(rule->move),
		   epoch_base_name(rule->base), now->reset_count, now->restart_count);
	write_epoch(ctx, now, rule);
}

static void on_foreign(void *ctx, const struct epoch_seen *now, const struct epoch_ruling *rule)
{
	log_warning("tpm=foreign pcr=%u next=\"the head is extended anew; the verifier will tell\"",
		    now->pcr_index);
	write_epoch(ctx, now, rule);
}

static int begin(struct ledger_writer *w, const struct ledger_writer_options *o,
		 const struct ledger_recovery *found, const struct epoch_ruling *rule,
		 const struct ledger_past *last)
{
	char members[160];
	int r = ledger_next_seq(w->ledger) == 0 ? write_log(w, o->origin) : 0;

	snprintf(members, sizeof(members),
		 "\"agent\":\"%s\",\"torn_line\":%" PRIu64 ",\"torn_anchor\":%" PRIu64,
		 PLUMB_VERSION, found->torn_line_bytes, found->torn_anchor_bytes);
	if (r >= 0)
		r = ledger_writer_record(w, PLUMB_TYPE_START, "agent", members);
	/* At once after the start: the verifier wants it there. */
	if (r >= 0 && last->any)
		r = write_gap(w, last);
	if (r >= 0 && o->now)
		r = write_epoch(w, o->now, rule);
	if (r >= 0 && o->baseline)
		r = write_baseline(w);
	return r < 0 ? r : ledger_sync(w->ledger);
}

static int open_commit(struct event_base *base, struct ledger_writer *w,
		       const struct ledger_writer_options *o, const struct ledger_recovery *found,
		       const struct ledger_past *last, struct why *ret_why)
{
	const struct commit_options co = {
		.ledger = w->ledger,
		.queue = o->queue,
		.event_key = o->event_key,
		.batch_ms = o->batch_ms,
		.calls = {w, on_provisional, on_anchored, on_epoch, on_foreign},
	};
	struct epoch_ruling rule;
	struct commit *commit;
	int r = commit_open(base, &co, found, o->now, &commit, &rule, ret_why);

	if (r < 0)
		return r;
	r = begin(w, o, found, &rule, last);
	w->commit = commit;
	if (r >= 0)
		commit_appended(commit, true);
	return r;
}

static int open_ledger(struct event_base *base, struct ledger_writer *w,
		       const struct ledger_writer_options *o, struct why *ret_why)
{
	const struct ledger_options lo = {
		.io = o->io,
		.dir = o->dir,
		.origin = o->origin,
		.segment_size = o->segment_size,
		.create = true,
	};
	struct ledger_recovery found;
	struct ledger_past past = {.any = false};
	int r = ledger_open(&lo, &w->ledger, &found, ret_why);

	if (r < 0)
		return r;
	r = ledger_past_read(o->io, o->dir, ledger_next_seq(w->ledger), o->queue != NULL, &past,
			     ret_why);
	w->last_order = past.last_order;
	w->spool.sent = past.quote_seq;
	w->spool.unsent = past.bytes;
	if (r >= 0)
		r = open_commit(base, w, o, &found, &past, ret_why);
	return r < 0 && !ret_why->text[0] ? why_set(ret_why, r, "%s: %s", o->dir, strerror(-r)) : r;
}

int ledger_writer_open(struct event_base *base, const struct ledger_writer_options *o,
		       struct ledger_writer **ret, struct why *ret_why)
{
	const struct timeval repeats = {REPEATS_MS / 1000, 0};
	struct ledger_writer *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->clock = o->clock;
	w->baseline = o->baseline;
	w->exec_all = o->exec_all;
	w->redact = o->redact;
	w->io = o->io;
	w->record = o->record;
	w->spool.max = o->max_unsent;
	w->provisional = o->provisional;
	w->anchored = o->anchored;
	w->drift = o->drift;
	w->again = o->again;
	w->ctx = o->ctx;
	w->sink = (struct measure_sink){w, on_measurement, on_counters, on_lost};
	ret_why->text[0] = 0;
	w->dir = strdup(o->dir);
	w->again_event = evtimer_new(base, on_again, w);
	w->repeats_event = event_new(base, -1, EV_PERSIST, on_repeats, w);
	r = w->dir && w->again_event && w->repeats_event &&
			    event_add(w->repeats_event, &repeats) == 0
		    ? tail_open(&w->tail)
		    : -ENOMEM;
	if (r >= 0)
		r = repeats_open(&w->repeats);
	if (r < 0) {
		ledger_writer_free(w);
		return r;
	}
	r = told_init(&w->told);
	if (r < 0)
		why_set(ret_why, r, "no random numbers");
	if (r >= 0)
		r = read_boot_id(w->boot);
	if (r < 0 && !ret_why->text[0])
		why_set(ret_why, r, "boot id: %s", strerror(-r));
	if (r >= 0)
		r = open_ledger(base, w, o, ret_why);
	if (r < 0) {
		ledger_writer_free(w);
		return r;
	}
	*ret = w;
	return 0;
}

struct ledger_writer *ledger_writer_free(struct ledger_writer *w)
{
	if (!w)
		return NULL;
	if (w->ledger && ledger_sync(w->ledger) < 0)
		log_error("ledger=unwritten lines=%" PRIu64
			  " next=\"they are lost with this process\"",
			  ledger_next_seq(w->ledger) - ledger_synced_size(w->ledger));
	commit_free(w->commit);
	ledger_free(w->ledger);
	tail_free(w->tail);
	buf_done(&w->line);
	repeats_free(w->repeats);
	if (w->repeats_event)
		event_free(w->repeats_event);
	if (w->again_event)
		event_free(w->again_event);
	free(w->dir);
	free(w);
	return NULL;
}

const struct measure_sink *ledger_writer_sink(const struct ledger_writer *w)
{
	return &w->sink;
}

uint64_t ledger_writer_size(const struct ledger_writer *w)
{
	return ledger_next_seq(w->ledger);
}

struct commit *ledger_writer_commit(const struct ledger_writer *w)
{
	return w->commit;
}

int ledger_writer_stop(struct ledger_writer *w, const char *why, uint64_t order)
{
	char members[128];
	int r;

	tell_repeats(w);
	tell_dropped(w);
	if (order)
		snprintf(members, sizeof(members), "\"why\":\"%s\",\"order\":%" PRIu64, why, order);
	else
		snprintf(members, sizeof(members), "\"why\":\"%s\",\"order\":null", why);
	r = ledger_writer_record(w, PLUMB_TYPE_STOP, "agent", members);
	if (r >= 0)
		commit_appended(w->commit, true);
	return r < 0 ? r : ledger_sync(w->ledger);
}

int ledger_writer_set_baseline(struct ledger_writer *w, const struct baseline *b)
{
	const struct baseline *before = w->baseline;
	int r;

	w->baseline = b;
	r = write_baseline(w);
	if (r < 0) {
		w->baseline = before;
		return r;
	}
	told_forget(&w->told);
	commit_appended(w->commit, true);
	return 0;
}

int ledger_writer_lines(struct ledger_writer *w, uint64_t from, uint64_t to, size_t max,
			struct buf *ret, uint64_t *ret_to)
{
	int r = ledger_lines_read(w->io, w->dir, w->tail, from, to, max, ret, ret_to);

	if (r == -ENODATA && w->asked != from + 1) {
		w->asked = from + 1;
		log_error("verifier=asks_for_pruned from=%" PRIu64
			  " error=\"those lines are not kept any more\" next=\"nothing can be "
			  "sent\" cure=\"give the verifier its newest store back, or enrol this "
			  "node anew\"",
			  from);
	}
	return r;
}

void ledger_writer_sent(struct ledger_writer *w, uint64_t size)
{
	spool_sent(&w->spool, size, ledger_next_seq(w->ledger));
	/* Not only with the next measurement, which may be long in coming. */
	if (w->spool.full && w->spool.unsent <= w->spool.max && spool_takes(&w->spool, true, 0))
		tell_dropped(w);
}

uint64_t ledger_writer_sent_size(const struct ledger_writer *w)
{
	return w->spool.sent;
}

uint64_t ledger_writer_last_order(const struct ledger_writer *w)
{
	return w->last_order;
}

const struct baseline *ledger_writer_baseline(const struct ledger_writer *w)
{
	return w->baseline;
}

struct ledger *ledger_writer_ledger(const struct ledger_writer *w)
{
	return w->ledger;
}
