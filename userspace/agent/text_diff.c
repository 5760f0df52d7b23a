/* SPDX-License-Identifier: Apache-2.0 */
#include "text_diff.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

#define EDITS TEXT_DIFF_MAX_EDITS
#define WIDTH (2 * EDITS + 3) /* diagonals from -EDITS - 1 to EDITS + 1; -1: not reached */

struct text_line {
	const char *at;
	uint32_t size; /* with its LF: a last line without one is another */
};

struct text {
	struct text_line *lines;
	uint32_t n;
};

/* Without what is alike at both ends: that is most of it, and costs no edits. */
struct texts {
	struct text before, now;
	uint32_t skipped; /* lines that are alike at the beginning */
};

/* The furthest point on each diagonal after each number of edits. x counts lines of the text before. */
struct trace {
	int32_t x[EDITS + 1][WIDTH];
};

enum edit { EDIT_NONE, EDIT_GONE, EDIT_CAME };

/* One edit: line (from 0) of the text before that went, or line of the one now that came; both stand where they stood. */
struct step {
	enum edit what;
	uint32_t before, now;
};

static size_t sequence_of(const uint8_t *p, size_t left)
{
	size_t n = p[0] < 0x80	 ? 1
		   : p[0] < 0xc2 ? 0
		   : p[0] < 0xe0 ? 2
		   : p[0] < 0xf0 ? 3
		   : p[0] < 0xf5 ? 4
				 : 0;

	if (n == 0 || n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* Longer than need be, a surrogate, or beyond Unicode. */
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

bool text_diff_is_text(const char *data, size_t size)
{
	const uint8_t *p = (const uint8_t *)data;

	for (size_t at = 0; at < size;) {
		size_t n = sequence_of(p + at, size - at);

		if (n == 0 || p[at] == 0x7f ||
		    (p[at] < 0x20 && p[at] != '\t' && p[at] != '\n' && p[at] != '\r' &&
		     p[at] != '\f'))
			return false;
		at += n;
	}
	return true;
}

static int split(const struct buf_view *v, struct text *ret)
{
	const char *at = v->size ? (const char *)v->data : "", *end = at + v->size;
	uint32_t n = 0;

	if (v->size > TEXT_DIFF_MAX_SIZE)
		return -EFBIG;
	if (!text_diff_is_text(at, v->size))
		return -EILSEQ;
	for (size_t i = 0; i < v->size; i++)
		n += at[i] == '\n';
	if (n >= TEXT_DIFF_MAX_LINES)
		return -EFBIG;
	ret->lines = calloc(n + 1, sizeof(*ret->lines));
	if (!ret->lines)
		return -ENOMEM;
	while (at < end) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		size_t size = (size_t)((lf ? lf + 1 : end) - at);

		ret->lines[ret->n++] = (struct text_line){at, (uint32_t)size};
		at += size;
	}
	return 0;
}

static bool same(const struct text_line *a, const struct text_line *b)
{
	return a->size == b->size && memcmp(a->at, b->at, a->size) == 0;
}

/* How the furthest path of d edits comes to diagonal k: by a line that went, or one that came; NONE: no path gets there inside the texts. */
static enum edit step_to(const struct text *a, const struct text *b, const int32_t *v, int32_t k,
			 int32_t *ret_x)
{
	const int32_t *at = v + EDITS + 1 + k;
	int32_t gone = at[-1] >= 0 && at[-1] < (int32_t)a->n ? at[-1] + 1 : -1;
	int32_t came = at[1] >= 0 && at[1] - k <= (int32_t)b->n ? at[1] : -1;

	*ret_x = gone > came ? gone : came;
	return *ret_x < 0 ? EDIT_NONE : gone > came ? EDIT_GONE : EDIT_CAME;
}

static int32_t follow(const struct text *a, const struct text *b, int32_t x, int32_t k)
{
	while (x < (int32_t)a->n && x - k < (int32_t)b->n && same(&a->lines[x], &b->lines[x - k]))
		x++;
	return x;
}

/* Number of edits, or -EOVERFLOW. */
static int walk(const struct text *a, const struct text *b, struct trace *t)
{
	int32_t v[WIDTH], x;

	memset(v, 0xff, sizeof(v));
	for (int32_t d = 0; d <= EDITS; d++) {
		for (int32_t k = -d; k <= d; k += 2) {
			if (d == 0)
				x = 0;
			else if (step_to(a, b, v, k, &x) == EDIT_NONE)
				x = -1;
			if (x >= 0)
				x = follow(a, b, x, k);
			v[EDITS + 1 + k] = x;
		}
		memcpy(t->x[d], v, sizeof(v));
		x = (int32_t)a->n - (int32_t)b->n; /* the diagonal that both end on */
		if (x >= -d && x <= d && v[EDITS + 1 + x] == (int32_t)a->n)
			return d;
	}
	return -EOVERFLOW;
}

/* The edits from the last back to the first. */
static void trace_back(const struct text *a, const struct text *b, const struct trace *t, int32_t d,
		       struct step *ret)
{
	int32_t k = (int32_t)a->n - (int32_t)b->n, x;

	for (; d > 0; d--) {
		enum edit what = step_to(a, b, t->x[d - 1], k, &x);

		k += what == EDIT_CAME ? 1 : -1;
		x = t->x[d - 1][EDITS + 1 + k];
		ret[d - 1] = (struct step){what, (uint32_t)x, (uint32_t)(x - k)};
	}
}

static void write_line(const struct text_line *l, char sign, const struct text_diff_writer *w,
		       struct buf *ret)
{
	bool whole = l->size > 0 && l->at[l->size - 1] == '\n';
	size_t size = l->size - whole, from = ret->size;

	if (from > 0)
		buf_put(ret, "\n", 1);
	buf_put(ret, &sign, 1);
	from = ret->size;
	if (w)
		w->write(w->ctx, l->at, size, ret);
	else
		buf_put(ret, l->at, size);
	if (ret->size - from > TEXT_DIFF_MAX_LINE) {
		size = from + TEXT_DIFF_MAX_LINE;
		while (size > from && (ret->data[size] & 0xc0) == 0x80)
			size--;
		buf_cut(ret, size);
		buf_puts(ret, "…");
	}
	if (!whole)
		buf_puts(ret, "\n\\ no newline at the end");
}

/* As in `diff -U0`: an empty side is named by the line before it. */
static void write_range(char sign, uint32_t first, uint32_t n, struct buf *ret)
{
	buf_printf(ret, n == 1 ? "%c%u" : "%c%u,%u", sign, n ? first + 1 : first, n);
}

/* Edits that touch each other are one hunk: all that went, then all that came. Its end in steps. */
static uint32_t write_hunk(const struct texts *t, const struct step *steps, uint32_t n,
			   const struct text_diff_writer *w, struct buf *ret)
{
	uint32_t gone = 0, came = 0, end = 0, x = steps[0].before, y = steps[0].now;

	while (end < n && steps[end].before == x + gone && steps[end].now == y + came) {
		gone += steps[end].what == EDIT_GONE;
		came += steps[end].what == EDIT_CAME;
		end++;
	}
	buf_puts(ret, ret->size > 0 ? "\n@@ " : "@@ ");
	write_range('-', x + t->skipped, gone, ret);
	buf_puts(ret, " ");
	write_range('+', y + t->skipped, came, ret);
	buf_puts(ret, " @@");
	for (uint32_t k = 0; k < gone; k++)
		write_line(&t->before.lines[x + k], '-', w, ret);
	for (uint32_t k = 0; k < came; k++)
		write_line(&t->now.lines[y + k], '+', w, ret);
	return end;
}

static int compare(const struct texts *t, const struct text_diff_writer *w, struct buf *ret)
{
	CLEANUP_FREE struct trace *trace = malloc(sizeof(*trace));
	struct step steps[EDITS];
	int n;

	if (!trace)
		return -ENOMEM;
	n = walk(&t->before, &t->now, trace);
	if (n < 0)
		return n;
	trace_back(&t->before, &t->now, trace, n, steps);
	for (int i = 0; i < n;)
		i += (int)write_hunk(t, steps + i, (uint32_t)(n - i), w, ret);
	return buf_status(ret);
}

static void skip_ends(struct texts *t)
{
	struct text *a = &t->before, *b = &t->now;

	while (a->n > 0 && b->n > 0 && same(&a->lines[0], &b->lines[0])) {
		a->lines++;
		b->lines++;
		a->n--;
		b->n--;
		t->skipped++;
	}
	while (a->n > 0 && b->n > 0 && same(&a->lines[a->n - 1], &b->lines[b->n - 1])) {
		a->n--;
		b->n--;
	}
}

int text_diff(const struct buf_view *before, const struct buf_view *now,
	      const struct text_diff_writer *w, struct buf *ret)
{
	struct text a = {NULL, 0}, b = {NULL, 0};
	int r = split(before, &a);

	if (r >= 0)
		r = split(now, &b);
	if (r >= 0) {
		struct texts t = {a, b, 0};

		skip_ends(&t);
		r = compare(&t, w, ret);
	}
	free(a.lines);
	free(b.lines);
	return r;
}
