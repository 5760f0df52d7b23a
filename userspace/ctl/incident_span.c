/* SPDX-License-Identifier: Apache-2.0 */
#include "incident_span.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture_file.h"
#include "cleanup.h"
#include "fsio.h"
#include "incident_beside.h"
#include "jsonl.h"
#include "ledger_read.h"
#include "line_scan.h"
#include "print.h"

enum { ENOUGH = 1, LEFT_OUT };

/*
 * Segments that follow one another are a run; where one breaks, lines are missing, and another run begins. The span is of one of them: the first
 * that has a line of it.
 */
struct cut {
	struct incident_span *s;
	struct merkle tree; /* before the next line */
	struct line_scan scan;
	struct capture_file *file;
	bool begun, found, quoted;
	uint64_t run, run_of_span; /* where the run that is read begins, and the span's */
	uint64_t seen; /* after the last line of that run */
	char origin[CHECKPOINT_MAX_ORIGIN];
};

static int join(const char *dir, const char *name, char ret[PATH_MAX])
{
	return snprintf(ret, PATH_MAX, "%s/%s", dir, name) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* The end of a ledger that is being written on. */
static int nothing_torn(void *ctx, const struct ledger_read_segment *s, uint64_t at, size_t size)
{
	(void)ctx;
	(void)s;
	(void)at;
	(void)size;
	return 0;
}

static int on_segment(void *ctx, const struct ledger_read_segment *s)
{
	struct cut *c = ctx;

	if (c->begun && s->first == c->tree.size)
		return 0;
	/* What stands there already is not taken twice; and a span has no gap. */
	if (c->begun && (s->first < c->tree.size || c->found || c->file)) {
		if (!c->file)
			print_note("%s: line %" PRIu64 " should come next: it is left out", s->name,
				   c->tree.size);
		return s->first < c->tree.size ? LEFT_OUT : ENOUGH;
	}
	if (!c->begun && !c->file)
		c->s->kept = s->first;
	memcpy(c->origin, s->origin, sizeof(c->origin));
	c->begun = true;
	c->tree = s->frontier;
	c->run = s->first;
	return 0;
}

static bool covers(const struct line *l, const json_t *o, uint64_t end)
{
	uint64_t size = 0;

	return l->type == PLUMB_TYPE_QUOTE && o &&
	       jsonl_get_uint(o, "size", INT64_MAX, &size, NULL) >= 0 && size >= end;
}

/* Which lines: by each one's own time, for a clock may be set back. */
static int look(void *ctx, const struct ledger_read_segment *g, uint64_t seq, const char *text,
		size_t size)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct cut *c = ctx;
	struct incident_span *s = c->s;
	struct line l;
	int r = line_scan_or_parse(&c->scan, text, size, &o, &l, NULL);

	(void)g;
	c->tree.size = seq + 1; /* only the number is looked at here */
	if (r >= 0 && !c->found)
		c->run_of_span = c->run;
	if (c->run == c->run_of_span)
		c->seen = seq + 1;
	/* What cannot be read is evidence as well. */
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	if (l.utc_ns >= s->from_ns && l.utc_ns <= s->to_ns) {
		s->first = c->found ? s->first : seq;
		s->end = seq + 1;
		c->found = true;
		c->quoted = false;
	} else if (!c->found) {
		s->first = seq;
		s->end = seq + 1;
		c->quoted = false;
	}
	if (!c->quoted && covers(&l, o, s->end)) {
		s->last = seq + 1;
		c->quoted = true;
	}
	return 0;
}

static bool is_broken(int error)
{
	return error == -EBADMSG || error == -EFBIG || error == -ENODATA;
}

/* From the segment on that begins there. One that breaks is taken up to there: it is evidence, and what else is there is, too. */
static int walk(const char *dir, struct cut *c, uint64_t from,
		int (*line)(void *ctx, const struct ledger_read_segment *s, uint64_t seq,
			    const char *text, size_t size),
		struct why *ret_why)
{
	const struct ledger_read_calls calls = {c, on_segment, line, nothing_torn, NULL};
	CLEANUP_FREE uint64_t *firsts = NULL;
	uint32_t n = 0;
	int r = ledger_read_list(dir, &firsts, &n, ret_why);

	c->begun = false;
	for (uint32_t i = 0; i < n && r >= 0 && r != ENOUGH; i++) {
		struct why why = {""};

		if (firsts[i] < from)
			continue;
		r = ledger_read_one(fsio_system(), dir, firsts[i], &calls, &why);
		if (is_broken(r) && !c->file)
			print_note("segment %" PRIu64 ": %s: what is behind that is left out",
				   firsts[i], why.text);
		if (r < 0)
			*ret_why = is_broken(r) ? *ret_why : why;
		r = is_broken(r) ? 0 : r;
	}
	return r < 0 ? r : 0;
}

static int put_header(struct cut *c)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct jsonl j;

	jsonl_begin(&j, &b);
	jsonl_str(&j, "plumb", "segment");
	jsonl_uint(&j, "v", 1);
	jsonl_str(&j, "origin", c->origin);
	jsonl_uint(&j, "first", c->tree.size);
	jsonl_array(&j, "frontier");
	for (uint32_t i = 0; i < c->tree.n_hashes; i++)
		jsonl_base64(&j, NULL, c->tree.hashes[i].bytes, DIGEST_SIZE);
	jsonl_close(&j);
	jsonl_end(&j);
	buf_puts(&b, "\n");
	return buf_status(&b) < 0 ? buf_status(&b) : capture_file_put(c->file, b.data, b.size);
}

static int copy_line(void *ctx, const struct ledger_read_segment *g, uint64_t seq, const char *text,
		     size_t size)
{
	struct cut *c = ctx;
	struct digest leaf;
	int r = merkle_leaf(text, size, &leaf);

	(void)g;
	if (seq >= c->s->last)
		return ENOUGH;
	if (r >= 0 && seq == c->s->first)
		r = put_header(c);
	if (r >= 0 && seq >= c->s->first) {
		r = capture_file_put(c->file, text, size);
		if (r >= 0)
			r = capture_file_put(c->file, "\n", 1);
	}
	return r < 0 ? r : merkle_add(&c->tree, &leaf);
}

static int write_lines(const char *from, const char *to, struct cut *c, struct why *ret_why)
{
	char name[64], path[PATH_MAX];
	int r;

	snprintf(name, sizeof(name), "events-%020" PRIu64 ".jsonl", c->s->first);
	r = join(to, name, path);
	if (r >= 0)
		r = capture_file_open(fsio_system(), path, &c->file);
	if (r < 0)
		return r;
	r = walk(from, c, c->run_of_span, copy_line, ret_why);
	if (r >= 0 && c->tree.size != c->s->last)
		r = why_set(ret_why, -EBADMSG, "%.200s: its lines changed meanwhile", from);
	if (r >= 0)
		return capture_file_commit(c->file);
	capture_file_abandon(c->file);
	return r;
}

int incident_span_cut(const char *from, const char *to, struct incident_span *s,
		      struct why *ret_why)
{
	CLEANUP_FREE struct cut *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return why_set(ret_why, -ENOMEM, "no memory");
	ret_why->text[0] = 0;
	*s = (struct incident_span){.from_ns = s->from_ns, .to_ns = s->to_ns};
	c->s = s;
	r = walk(from, c, 0, look, ret_why);
	if (r >= 0 && s->end == 0)
		r = why_set(ret_why, -ENOENT, "%.200s: there is no line", from);
	if (!c->quoted)
		s->last = c->seen;
	if (r >= 0)
		r = write_lines(from, to, c, ret_why);
	if (r >= 0)
		r = incident_beside_notes(from, to, s->first, s->last);
	if (r >= 0)
		r = incident_beside_copy(from, to);
	if (r < 0 && !ret_why->text[0])
		why_set(ret_why, r, "%.200s: %s", from, strerror(-r));
	return r < 0 ? r : 0;
}
