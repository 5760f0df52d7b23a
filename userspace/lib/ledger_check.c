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
#include "ledger_read.h"
#include "ledger_tiles.h"
#include "line.h"

#define MAX_ANCHORS (256u * 1024 * 1024)
#define MAX_MARKS 4000000u

/* A size whose root somebody vouched for. */
struct mark {
	uint64_t size;
	struct digest root;
};

struct check {
	const struct fsio *io;
	const char *dir;
	struct ledger_check_report *report;
	struct merkle tree;
	bool begun;
	char origin[CHECKPOINT_MAX_ORIGIN];
	struct mark *marks; /* sorted by size */
	uint32_t n_marks, at_mark;
	bool no_tiles;
	struct ledger_tiles_cache tiles;
};

static void __attribute__((format(printf, 4, 5)))
problem(struct check *c, bool has_line, uint64_t line, const char *format, ...)
{
	struct ledger_check_report *r = c->report;
	va_list ap;

	if (r->n_problems < LEDGER_CHECK_MAX_PROBLEMS) {
		va_start(ap, format);
		vsnprintf(r->problems[r->n_problems].text, sizeof(r->problems[0].text), format, ap);
		va_end(ap);
		r->problems[r->n_problems].has_line = has_line;
		r->problems[r->n_problems].line = line;
	}
	r->n_problems++;
}

static void unchecked(struct ledger_check_report *r, const char *text)
{
	if (r->n_unchecked < ARRAY_SIZE(r->unchecked))
		snprintf(r->unchecked[r->n_unchecked++], sizeof(r->unchecked[0]), "%s", text);
}

static int add_mark(struct check *c, uint64_t size, const struct digest *root)
{
	struct mark *more;

	if (c->n_marks >= MAX_MARKS)
		return -E2BIG;
	/* Doubles whenever the number is a power of two. */
	if ((c->n_marks & (c->n_marks - 1)) == 0) {
		more = realloc(c->marks, (c->n_marks ? c->n_marks * 2ul : 1) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		c->marks = more;
	}
	c->marks[c->n_marks++] = (struct mark){size, *root};
	return 0;
}

static int compare_marks(const void *a, const void *b)
{
	const struct mark *x = a, *y = b;

	return x->size < y->size ? -1 : x->size > y->size;
}

/* The roots that were extended or signed, for the size that the tree has now. */
static int check_marks(struct check *c)
{
	struct digest root;
	int r;

	while (c->at_mark < c->n_marks && c->marks[c->at_mark].size <= c->tree.size) {
		const struct mark *m = &c->marks[c->at_mark++];

		if (m->size < c->tree.size)
			continue;
		r = merkle_root(&c->tree, &root);
		if (r < 0)
			return r;
		if (!digest_equal(&root, &m->root))
			problem(c, true, m->size - 1,
				"line %" PRIu64
				" or one before it is not what was anchored: checkpoint %" PRIu64
				" has another root",
				m->size - 1, m->size);
	}
	return 0;
}

static int on_segment(void *ctx, const struct ledger_read_segment *s)
{
	struct check *c = ctx;
	struct ledger_check_report *r = c->report;

	r->n_segments++;
	if (!c->begun) {
		c->begun = true;
		c->tree = s->frontier;
		r->first_seq = s->first;
		snprintf(c->origin, sizeof(c->origin), "%s", s->origin);
		return 0;
	}
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

static void count_line(struct ledger_check_report *r, const struct line *l)
{
	r->n_epochs += l->type == PLUMB_TYPE_EPOCH;
	r->n_quotes += l->type == PLUMB_TYPE_QUOTE;
	r->n_gaps += l->type == PLUMB_TYPE_GAP;
	r->n_drift += l->judgement == PLUMB_JUDGE_DRIFT;
}

static int on_line(void *ctx, const struct ledger_read_segment *s, uint64_t seq, const char *text,
		   size_t size)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct check *c = ctx;
	struct digest leaf, tile;
	struct line l;
	struct why why;
	int r = merkle_leaf(text, size, &leaf);

	if (r < 0)
		return r;
	c->report->n_lines++;
	if (!c->no_tiles && ledger_tiles_leaf(c->io, c->dir, &c->tiles, seq, &tile) < 0) {
		c->no_tiles = true;
		unchecked(c->report, "tiles/ is absent or short: a changed line is known only as "
				     "far as its checkpoint");
	} else if (!c->no_tiles && !digest_equal(&leaf, &tile)) {
		problem(c, true, seq,
			"%s: line %" PRIu64 " was changed: its hash is not the one in tiles/",
			s->name, seq);
	}
	r = line_parse(text, size, &o, &l, &why);
	if (r < 0)
		problem(c, true, seq, "%s: line %" PRIu64 ": %s", s->name, seq, why.text);
	else if (l.seq != seq)
		problem(c, true, seq, "%s: line %" PRIu64 " says that it is %" PRIu64, s->name, seq,
			l.seq);
	else
		count_line(c->report, &l);
	r = merkle_add(&c->tree, &leaf);
	return r < 0 ? r : check_marks(c);
}

static int on_torn(void *ctx, const struct ledger_read_segment *s, uint64_t at, size_t size)
{
	struct check *c = ctx;

	(void)size;
	problem(c, true, c->tree.size, "%s: byte %" PRIu64 ": line %" PRIu64 " has no end", s->name,
		at, c->tree.size);
	return 0;
}

/* The PCR's value replays from these records alone. */
static int replay_anchors(struct check *c, const struct buf *b)
{
	struct buf_reader reader = buf_reader_of(b->data, b->size);
	struct ledger_check_report *r = c->report;
	struct checkpoint pending = {.size = 0};
	struct digest fold = {{0}}, d;
	struct ledger_anchor a;
	struct buf_view magic;
	bool has_pending = false;
	struct why why;
	int e;

	if (buf_read_bytes(&reader, strlen(LEDGER_ANCHORS_MAGIC), &magic) < 0 ||
	    memcmp(magic.data, LEDGER_ANCHORS_MAGIC, magic.size) != 0) {
		problem(c, false, 0, "anchors: does not start with plumb-anchors-v1");
		return 0;
	}
	snprintf(pending.origin, sizeof(pending.origin), "%s", c->origin);
	while ((e = ledger_dir_anchor_read(&reader, &a, &why)) > 0) {
		if (a.kind == LEDGER_ANCHOR_EPOCH && a.epoch.base != LEDGER_BASE_CONTINUES) {
			fold = a.epoch.found;
		} else if (a.kind == LEDGER_ANCHOR_EXTEND) {
			pending.size = a.extend.size;
			pending.root = a.extend.root;
			has_pending = true;
			r->n_extends++;
			e = add_mark(c, a.extend.size, &a.extend.root);
		} else if (a.kind == LEDGER_ANCHOR_FOREIGN) {
			fold = a.foreign.found;
			r->n_foreign++;
		} else if (a.kind == LEDGER_ANCHOR_DONE) {
			e = checkpoint_digest(&pending, &d);
			if (e >= 0 && has_pending)
				e = checkpoint_fold(&fold, &d);
			if (e >= 0 && (!has_pending || !digest_equal(&fold, &a.done.pcr)))
				problem(c, false, 0,
					"anchors: byte %zu: PCR after checkpoint %" PRIu64
					" does not replay",
					reader.at, pending.size);
			fold = a.done.pcr;
			r->anchored_size = pending.size;
			has_pending = false;
		}
		if (e < 0)
			return e;
	}
	if (e < 0)
		problem(c, false, 0, "%s", why.text);
	return 0;
}

static int check_anchors(struct check *c)
{
	CLEANUP(buf_done) struct buf b = {0};
	char path[PATH_MAX];
	int r;

	if (snprintf(path, sizeof(path), "%s/anchors", c->dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	r = fsio_read_file(c->io, path, MAX_ANCHORS, &b);
	if (r == -ENOENT) {
		unchecked(c->report,
			  "anchors is absent: nothing says that these lines were ever in a TPM");
		return 0;
	}
	if (r >= 0)
		r = replay_anchors(c, &b);
	if (r >= 0 && c->n_marks > 0)
		qsort(c->marks, c->n_marks, sizeof(*c->marks), compare_marks);
	return r;
}

/* The origin stands in the first header; the anchors are needed before the lines, so it is read ahead. */
static int first_header(void *ctx, const struct ledger_read_segment *s)
{
	struct check *c = ctx;

	snprintf(c->origin, sizeof(c->origin), "%s", s->origin);
	return 1;
}

static void say_what_is_open(struct check *c)
{
	struct ledger_check_report *r = c->report;

	if (r->anchored_size == 0)
		unchecked(r, "no TPM anchor: that lines are missing at the end, or that all were "
			     "rewritten, cannot be told");
	if (r->n_quotes == 0)
		unchecked(r, "no quote: nothing ties the anchors to a TPM");
	else
		unchecked(r,
			  "quotes are counted, their signatures are not checked by this version");
	for (; c->at_mark < c->n_marks; c->at_mark++)
		if (c->marks[c->at_mark].size > c->tree.size)
			problem(c, true, c->tree.size,
				"line %" PRIu64
				" and those after it are missing: checkpoint %" PRIu64
				" was anchored",
				c->tree.size, c->marks[c->at_mark].size);
}

int ledger_check(const struct fsio *io, const char *dir, const char *record_path,
		 struct ledger_check_report *ret, struct why *ret_why)
{
	struct check c = {.io = io, .dir = dir, .report = ret};
	const struct ledger_read_calls ahead = {&c, first_header, NULL, on_torn};
	const struct ledger_read_calls calls = {&c, on_segment, on_line, on_torn};
	int r;

	(void)record_path;
	*ret = (struct ledger_check_report){0};
	ret_why->text[0] = 0;
	r = ledger_read_all(io, dir, 0, &ahead, ret_why);
	if (r >= 0)
		r = check_anchors(&c);
	if (r >= 0)
		r = ledger_read_all(io, dir, 0, &calls, ret_why);
	/* A file that cannot be read as a ledger is a problem of the ledger; one that cannot be read at all is ours. */
	if (r == -EBADMSG) {
		problem(&c, true, c.tree.size, "%s (at line %" PRIu64 ")", ret_why->text,
			c.tree.size);
		r = 0;
	}
	if (r >= 0)
		say_what_is_open(&c);
	free(c.marks);
	if (r < 0 && !ret_why->text[0])
		why_set(ret_why, r, "%s: %s", dir, strerror(-r));
	return r < 0 ? r : 0;
}

struct each {
	uint64_t from;
	int (*fn)(void *ctx, uint64_t seq, const char *line, size_t size);
	void *ctx;
};

static int each_line(void *ctx, const struct ledger_read_segment *s, uint64_t seq, const char *line,
		     size_t size)
{
	struct each *e = ctx;

	(void)s;
	return seq < e->from ? 0 : e->fn(e->ctx, seq, line, size);
}

/* A running agent may be in the middle of its last line. */
static int each_torn(void *ctx, const struct ledger_read_segment *s, uint64_t at, size_t size)
{
	(void)ctx;
	(void)s;
	(void)at;
	(void)size;
	return 0;
}

int ledger_check_each(const struct fsio *io, const char *dir, uint64_t from,
		      int (*fn)(void *ctx, uint64_t seq, const char *line, size_t size), void *ctx,
		      struct why *ret_why)
{
	struct each e = {from, fn, ctx};
	const struct ledger_read_calls calls = {&e, NULL, each_line, each_torn};

	return ledger_read_all(io, dir, from, &calls, ret_why);
}
