/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_check.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint.h"
#include "cleanup.h"
#include "ledger_dir.h"
#include "ledger_marks.h"
#include "ledger_pruned.h"
#include "ledger_quote.h"
#include "ledger_read.h"
#include "ledger_replay.h"
#include "ledger_tiles.h"
#include "ledger_vouch.h"
#include "line_scan.h"

#define MAX_FILE (256u * 1024 * 1024)
#define MAX_RECORD (64u * 1024)

struct check {
	const struct fsio *io;
	const char *dir;
	struct ledger_check_report *report;
	struct merkle tree;
	struct ima_sig *sig; /* NULL: no key was given */
	bool begun, part; /* part: lines before the first and after the last one are elsewhere */
	char origin[CHECKPOINT_MAX_ORIGIN];
	char newest[64]; /* name of the last segment */
	struct ledger_marks marks;
	struct ledger_replay replay;
	struct ledger_vouch *vouch; /* NULL: no record */
	struct ledger_pruned pruned;
	struct ledger_tiles_cache tiles;
	struct line_scan scan;
};

static void __attribute__((format(printf, 4, 5)))
problem(struct check *c, bool has_line, uint64_t line, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	ledger_report_problem(c->report, has_line, line, format, ap);
	va_end(ap);
}

/* The roots that were extended or signed, for the size that the tree has now. */
static int check_marks(struct check *c)
{
	const struct ledger_mark *m;
	struct digest root;

	while ((m = ledger_marks_next(&c->marks, c->tree.size)) != NULL) {
		int r = merkle_root(&c->tree, &root);

		if (r < 0)
			return r;
		if (!digest_equal(&root, &m->root))
			problem(c, true, m->size - 1,
				"line %" PRIu64
				" or one before it is not what was %s: checkpoint %" PRIu64
				" has another root",
				m->size - 1, m->what, m->size);
	}
	return 0;
}

static void on_pruned(void *ctx, bool bad, uint64_t line, const char *text)
{
	struct check *c = ctx;

	if (bad)
		problem(c, true, line, "%s", text);
	else
		ledger_report_unchecked(c->report, text);
}

static int on_leaf(void *ctx, const struct merkle *tree)
{
	(void)tree; /* it is the check's */
	return check_marks(ctx);
}

/* What is before the first line that is kept stands in tiles/ as hashes: the checkpoints of that time are held against those. */
static int begin_lines(struct check *c, const struct ledger_read_segment *s)
{
	int r = c->part ? 0 : ledger_pruned_begin(&c->pruned, &s->frontier, &c->tree, on_leaf, c);

	c->begun = true;
	c->tree = s->frontier;
	c->report->first_seq = s->first;
	return r < 0 ? r : check_marks(c);
}

static int on_segment(void *ctx, const struct ledger_read_segment *s)
{
	struct check *c = ctx;
	struct ledger_check_report *r = c->report;

	r->n_segments++;
	if (!c->begun)
		return begin_lines(c, s);
	if (strcmp(c->origin, s->origin) != 0)
		problem(c, false, 0, "%s: is of another ledger, %s", s->name, s->origin);
	if (s->first != c->tree.size)
		problem(c, true, c->tree.size,
			"%s: starts at line %" PRIu64 ", line %" PRIu64 " should come next",
			s->name, s->first, c->tree.size);
	else if (memcmp(s->frontier.hashes, c->tree.hashes,
			c->tree.n_hashes * sizeof(struct digest)) != 0)
		problem(c, false, 0, "%s: its frontier is not that of the lines before it",
			s->name);
	c->tree = s->frontier;
	return 0;
}

static int check_quote(struct check *c, uint64_t seq, const json_t *o)
{
	const struct ledger_quote_beside beside = {&c->report->boots, &c->report->imas};
	struct why why = {""};
	uint64_t size = 0;
	int r = c->vouch ? ledger_quote_check(c->vouch, &c->replay, &beside, seq, o, &size, &why)
			 : 0;

	if (r > 0)
		problem(c, true, seq, "line %" PRIu64 ": %s", seq, why.text);
	/* What it is bound to does not have its place: a later one that was brought here covers nothing that is here. */
	if (size > seq)
		problem(c, true, seq,
			"line %" PRIu64 ": its quote is of %" PRIu64
			" lines: they do not all stand before it",
			seq, size);
	else if (size > c->report->quoted_size)
		c->report->quoted_size = size;
	return r < 0 ? r : 0;
}

static int check_ima_line(struct check *c, const struct line *l, const json_t *o)
{
	struct why why = {""};
	int r = ledger_imas_line(&c->report->imas, l->seq, l->boot, o, &why);

	if (r > 0)
		problem(c, true, l->seq, "line %" PRIu64 ": %s", l->seq, why.text);
	return r < 0 ? r : 0;
}

static int take_line(struct check *c, const struct line *l, const json_t *o)
{
	struct ledger_check_report *r = c->report;

	r->n_epochs += l->type == PLUMB_TYPE_EPOCH;
	r->n_quotes += l->type == PLUMB_TYPE_QUOTE;
	r->n_gaps += l->type == PLUMB_TYPE_GAP;
	r->n_drift += l->judgement == PLUMB_JUDGE_DRIFT;
	if (l->type == PLUMB_TYPE_IMA)
		return check_ima_line(c, l, o);
	return l->type == PLUMB_TYPE_QUOTE ? check_quote(c, l->seq, o) : 0;
}

static void check_tile(struct check *c, const char *name, uint64_t seq, const struct digest *leaf)
{
	struct digest tile;

	if (c->report->no_tiles)
		return;
	if (ledger_tiles_leaf(c->io, c->dir, &c->tiles, seq, &tile) < 0)
		c->report->no_tiles = true;
	else if (!digest_equal(leaf, &tile))
		problem(c, true, seq,
			"%s: line %" PRIu64 " was changed: its hash is not the one in tiles/", name,
			seq);
}

/*
 * No line at all, at the end of the newest segment, where no checkpoint and no tile says that lines were synced: a power cut may leave the
 * later blocks of what was written last, and not the earlier ones. 1: that is so, and nothing behind it is a line either.
 */
static int cut_short(void *ctx, const struct ledger_read_segment *s, uint64_t seq)
{
	struct check *c = ctx;
	struct digest tile;
	char text[192];

	if (c->part || s->packed || strncmp(s->name, c->newest, 33) != 0 ||
	    c->marks.at < c->marks.n ||
	    ledger_tiles_leaf(c->io, c->dir, &c->tiles, seq, &tile) >= 0)
		return 0;
	snprintf(text, sizeof(text), "%s: line %" PRIu64 ", beyond what is anchored, is none",
		 s->name, seq);
	ledger_report_unchecked(c->report, text);
	return 1;
}

static int on_line(void *ctx, const struct ledger_read_segment *s, uint64_t seq, const char *text,
		   size_t size)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct check *c = ctx;
	struct digest leaf;
	struct line l;
	struct why why = {""};
	int r = merkle_leaf(text, size, &leaf), bad = 0, parsed;

	if (r < 0)
		return r;
	parsed = line_scan_or_parse(&c->scan, text, size, &o, &l, &why);
	if (parsed >= 0 && l.seq != seq)
		parsed = why_set(&why, -EBADMSG, "it says that it is %" PRIu64, l.seq);
	if (parsed < 0 && cut_short(c, s, seq))
		return 1;
	c->report->n_lines++;
	check_tile(c, s->name, seq, &leaf);
	if (parsed < 0)
		problem(c, true, seq, "%s: line %" PRIu64 ": %s", s->name, seq, why.text);
	else
		bad = take_line(c, &l, o);
	if (bad < 0)
		return bad;
	if (!c->part)
		ledger_pruned_line(&c->pruned, seq, text, size);
	r = merkle_add(&c->tree, &leaf);
	return r < 0 ? r : check_marks(c);
}

/* The end of the newest segment may be what an agent is writing just now, or what a crash left. Anywhere else lines are gone. */
static int on_torn(void *ctx, const struct ledger_read_segment *s, uint64_t at, size_t size)
{
	struct check *c = ctx;
	char text[192];

	(void)size;
	snprintf(text, sizeof(text), "%s: byte %" PRIu64 ": line %" PRIu64 " has no end", s->name,
		 at, c->tree.size);
	if (!s->packed && strncmp(s->name, c->newest, 33) == 0)
		ledger_report_unchecked(c->report, text);
	else
		problem(c, true, c->tree.size, "%s", text);
	return 0;
}

static void on_replay(void *ctx, bool bad, const char *text)
{
	struct check *c = ctx;

	if (bad)
		problem(c, false, 0, "%s", text);
	else
		ledger_report_unchecked(c->report, text);
}

static int on_explain(void *ctx, uint8_t pcr_index, const struct digest *found)
{
	struct check *c = ctx;

	return ledger_boot_explains(&c->report->boots.files, pcr_index, found);
}

/* -EBADMSG: it is no plain file, and that is told. */
static int read_file(struct check *c, const char *name, size_t max, struct buf *ret)
{
	char path[PATH_MAX];
	int r;

	if (snprintf(path, sizeof(path), "%s/%s", c->dir, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	r = fsio_read_plain(c->io, path, max, ret);
	if (r == -EBADMSG)
		problem(c, false, 0, "%s is no plain file", name);
	return r;
}

static int check_anchors(struct check *c)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct ledger_check_report *report = c->report;
	int r = read_file(c, "anchors", MAX_FILE, &b);

	if (r == -ENOENT) {
		ledger_report_unchecked(
			report,
			"anchors is absent: nothing says that these lines were ever in a TPM");
		return 0;
	}
	if (r == -EBADMSG)
		return 0;
	if (r >= 0)
		r = ledger_replay(b.data, b.size, c->origin, on_replay, on_explain, c, &c->replay);
	for (uint32_t i = 0; i < c->replay.n_extends && r >= 0; i++)
		r = ledger_marks_add(&c->marks, c->replay.extends[i].size,
				     &c->replay.extends[i].root, "anchored");
	report->n_extends = c->replay.n_extends;
	report->n_foreign = c->replay.n_foreign;
	report->anchored_size = c->replay.anchored_size;
	return r;
}

static void note_counts(struct ledger_check_report *r, enum ledger_vouch_who who, uint64_t size,
			uint64_t time_s)
{
	if (who == LEDGER_VOUCH_EVENT_KEY && size > r->signed_size)
		r->signed_size = size;
	if (who == LEDGER_VOUCH_WITNESS && size >= r->cosigned_size) {
		r->cosigned_size = size;
		r->cosigned_time_s = time_s;
	}
}

static int check_note(struct check *c, uint32_t number, const char *text, size_t size)
{
	enum ledger_vouch_who who = LEDGER_VOUCH_NOBODY;
	struct checkpoint point = {.size = 0};
	struct ledger_note n;
	uint64_t time_s = 0;
	struct why why = {""};
	int r = ledger_dir_note_read(text, size, &n, &why);

	if (r < 0) {
		problem(c, false, 0, "notes: line %u: %s", number, why.text);
		return 0;
	}
	snprintf(point.origin, sizeof(point.origin), "%s", c->origin);
	point.size = n.size;
	point.root = n.root;
	if (c->vouch) {
		r = ledger_vouch_note(c->vouch, &point, n.line, n.line_size, &who, &time_s, &why);
		if (r < 0)
			problem(c, false, 0, "notes: line %u: %s", number, why.text);
		else if (who == LEDGER_VOUCH_NOBODY)
			ledger_report_unchecked(
				c->report, "notes: there are signatures by keys that are not in "
					   "the record");
		if (r >= 0)
			note_counts(c->report, who, n.size, time_s);
	}
	return ledger_marks_add(&c->marks, n.size, &n.root, "signed");
}

static int check_notes(struct check *c)
{
	CLEANUP(buf_done) struct buf b = {0};
	int r = read_file(c, "notes", MAX_FILE, &b);
	const char *at, *end, *stop;
	uint32_t number = 1;

	if (r < 0)
		return r == -ENOENT || r == -EBADMSG ? 0 : r;
	at = (const char *)b.data;
	stop = at + b.size;
	for (; at < stop && r >= 0; at = end + 1, number++) {
		end = memchr(at, '\n', (size_t)(stop - at));
		if (!end) {
			ledger_report_unchecked(c->report, "notes: the last line has no end");
			break;
		}
		r = check_note(c, number, at, (size_t)(end - at));
	}
	return r;
}

static int open_record(struct check *c, const char *path, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf b = {0};
	int r = path ? fsio_read_file(c->io, path, MAX_RECORD, &b)
		     : read_file(c, "record.json", MAX_RECORD, &b);

	if (r == -ENOENT && !path) {
		ledger_report_unchecked(
			c->report,
			"record.json is absent: signatures and quotes cannot be checked");
		return 0;
	}
	if (r == -EBADMSG && !path)
		return 0;
	if (r >= 0)
		r = ledger_vouch_open(b.data, b.size, &c->vouch, ret_why);
	if (r < 0) {
		struct why inner = *ret_why;

		return why_set(ret_why, -EKEYREJECTED, "%s: %s", path ? path : "record.json",
			       inner.text[0] ? inner.text : strerror(-r));
	}
	if (strcmp(ledger_vouch_record(c->vouch)->origin, c->origin) != 0)
		problem(c, false, 0, "%s: is the record of another ledger, %s",
			path ? path : "record.json", ledger_vouch_record(c->vouch)->origin);
	return 0;
}

/* Anchors and notes need the origin before the lines are read. */
static int look_ahead(struct check *c, uint64_t **ret_firsts, uint32_t *ret_n, struct why *ret_why)
{
	int r = ledger_read_origin(c->io, c->dir, c->origin, ret_why);

	if (r >= 0)
		r = ledger_read_list(c->dir, ret_firsts, ret_n, ret_why);
	if (r >= 0 && *ret_n == 0)
		r = -ENOENT;
	if (r < 0)
		return r;
	snprintf(c->newest, sizeof(c->newest), "events-%020" PRIu64 ".jsonl",
		 (*ret_firsts)[*ret_n - 1]);
	return 0;
}

/* A file that cannot be read as a ledger is a problem of the ledger; one that cannot be read at all is ours. */
static int check_lines(struct check *c, const uint64_t *firsts, uint32_t n, struct why *ret_why)
{
	const struct ledger_read_calls calls = {c, on_segment, on_line, on_torn, cut_short};
	int r = 0;

	c->pruned = (struct ledger_pruned){
		.io = c->io, .dir = c->dir, .firsts = firsts, .n = n, .tell = on_pruned, .ctx = c};
	for (uint32_t i = 0; i < n && r >= 0; i++) {
		ret_why->text[0] = 0;
		r = ledger_read_one(c->io, c->dir, firsts[i], &calls, ret_why);
		if (r != -EBADMSG && r != -EFBIG)
			continue;
		problem(c, true, c->tree.size, "%s (at line %" PRIu64 ")", ret_why->text,
			c->tree.size);
		r = 0;
	}
	return r;
}

static int one_more(void *ctx, uint64_t seq, const char *line, size_t size)
{
	(void)seq;
	(void)line;
	(void)size;
	*(bool *)ctx = true;
	return 1;
}

/* A hash in tiles/ without its line: lines were cut off, unless an agent wrote on while we read. */
static void check_tile_after(struct check *c)
{
	uint64_t next = c->tree.size;
	struct digest tile;
	bool more = false;

	if (ledger_tiles_leaf(c->io, c->dir, &c->tiles, next, &tile) < 0)
		return;
	ledger_check_each(c->io, c->dir, next, one_more, &more, NULL);
	if (!more)
		problem(c, true, next, "line %" PRIu64 " is missing: tiles/ has its hash", next);
}

static void say_what_is_missing(struct check *c)
{
	for (; c->marks.at < c->marks.n; c->marks.at++) {
		const struct ledger_mark *m = &c->marks.marks[c->marks.at];

		if (m->size > c->tree.size)
			problem(c, true, c->tree.size,
				"line %" PRIu64
				" and those after it are missing: checkpoint %" PRIu64 " was %s",
				c->tree.size, m->size, m->what);
	}
	check_tile_after(c);
	ledger_pruned_end(&c->pruned);
	c->report->pruned = c->pruned.claim;
}

/* A reset empties the PCR: root writes a history anew, and has that quoted. The witness does not sign a second one. */
static bool lacks_witness(const struct check *c)
{
	return !c->part && c->vouch && ledger_vouch_record(c->vouch)->witness_key.size > 0 &&
	       c->report->cosigned_size == 0;
}

static void say_what_is_open(struct check *c)
{
	struct ledger_check_report *r = c->report;

	if (r->anchored_size == 0)
		ledger_report_unchecked(
			r, "no TPM anchor: that lines are missing at the end, or that all were "
			   "rewritten, cannot be told");
	if (r->quoted_size == 0)
		ledger_report_unchecked(r,
					"no quote that holds: nothing ties the anchors to a TPM");
	if (lacks_witness(c))
		ledger_report_unchecked(
			r, "no cosignature of the witness that the record names: that all was "
			   "written anew after a reset of the TPM cannot be told");
	if (!c->part)
		say_what_is_missing(c);
}

/* What IMA measured; a list that is not there proves nothing, and takes nothing from the lines. */
static int check_imas(struct check *c, struct why *ret_why)
{
	struct ledger_imas *m = &c->report->imas;
	int r = ledger_imas_finish(m, ret_why);

	for (uint32_t i = 0; i < m->n && r >= 0; i++)
		if (m->lists[i].result == LEDGER_BOOT_BAD)
			problem(c, m->lists[i].at_line > 0, m->lists[i].at_line,
				"IMA's list of boot %.8s: %s", m->lists[i].boot, m->lists[i].why);
	if (r >= 0 && m->unread > 0)
		ledger_report_unchecked(
			c->report,
			"lists of IMA are there that were not looked at: there are more than are "
			"told apart");
	return r;
}

static int check(const struct check *how, const char *record_path, struct ledger_check_report *ret,
		 struct why *ret_why)
{
	CLEANUP_FREE uint64_t *firsts = NULL;
	CLEANUP_FREE struct check *c = calloc(1, sizeof(*c));
	uint32_t n = 0;
	int r;

	if (!c)
		return why_set(ret_why, -ENOMEM, "no memory");
	*c = *how;
	c->report = ret;
	*ret = (struct ledger_check_report){
		.no_tiles = c->part,
		.boots.files = {.io = c->io, .dir = c->dir},
		.imas = {.io = c->io, .dir = c->dir, .sig = c->sig, .epochs = &c->replay.epochs}};
	ret_why->text[0] = 0;
	r = look_ahead(c, &firsts, &n, ret_why);
	if (r >= 0)
		r = open_record(c, record_path, ret_why);
	if (r >= 0)
		r = check_anchors(c);
	if (r >= 0)
		r = check_notes(c);
	ledger_marks_sort(&c->marks);
	if (r >= 0)
		r = check_lines(c, firsts, n, ret_why);
	if (r >= 0)
		r = check_imas(c, ret_why);
	if (r >= 0)
		say_what_is_open(c);
	ledger_marks_done(&c->marks);
	ledger_boot_done(&ret->boots.files);
	ledger_imas_done(&ret->imas);
	ret->imas.epochs = NULL;
	ledger_replay_done(&c->replay);
	ledger_vouch_free(c->vouch);
	if (r < 0 && !ret_why->text[0])
		why_set(ret_why, r, "%s: %s", c->dir, strerror(-r));
	return r < 0 ? r : 0;
}

int ledger_check(const struct fsio *io, const char *dir, const char *record_path,
		 struct ledger_check_report *ret, struct why *ret_why)
{
	const struct check how = {.io = io, .dir = dir};

	return check(&how, record_path, ret, ret_why);
}

int ledger_check_part(const struct fsio *io, const char *dir, const char *record_path,
		      struct ledger_check_report *ret, struct why *ret_why)
{
	const struct check how = {.io = io, .dir = dir, .part = true};

	return check(&how, record_path, ret, ret_why);
}

int ledger_check_ima(const struct fsio *io, const char *dir, const char *record_path,
		     struct ima_sig *sig, struct ledger_check_report *ret, struct why *ret_why)
{
	const struct check how = {.io = io, .dir = dir, .sig = sig};

	return check(&how, record_path, ret, ret_why);
}

int ledger_check_each(const struct fsio *io, const char *dir, uint64_t from,
		      int (*fn)(void *ctx, uint64_t seq, const char *line, size_t size), void *ctx,
		      struct why *ret_why)
{
	return ledger_read_each(io, dir, from, fn, ctx, ret_why);
}
