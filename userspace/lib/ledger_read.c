/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_read.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "jsonl.h"
#include "ledger_zst.h"

#define MAX_LINE 65535
#define CHUNK (4 * (MAX_LINE + 1))

int ledger_read_header(const char *line, size_t size, struct ledger_read_segment *ret,
		       struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct digest hashes[MERKLE_MAX_LEVELS];
	const char *mark, *origin;
	uint64_t v, first;
	json_t *frontier, *item;
	size_t i;
	int r = jsonl_parse(line, size, MAX_LINE, &o, ret_why);

	if (r < 0)
		return r;
	if (jsonl_get_str(o, "plumb", 16, &mark, ret_why) < 0 || strcmp(mark, "segment") != 0)
		return why_set(ret_why, -EBADMSG, "segment header lacks \"plumb\":\"segment\"");
	if (jsonl_get_uint(o, "v", 1, &v, ret_why) < 0 ||
	    jsonl_get_str(o, "origin", CHECKPOINT_MAX_ORIGIN - 1, &origin, ret_why) < 0 ||
	    jsonl_get_uint(o, "first", INT64_MAX, &first, ret_why) < 0 ||
	    jsonl_get_array(o, "frontier", MERKLE_MAX_LEVELS, &frontier, ret_why) < 0)
		return -EBADMSG;
	json_array_foreach (frontier, i, item) {
		CLEANUP(buf_done) struct buf b = {0};

		if (!json_is_string(item) ||
		    digest_from_base64(json_string_value(item), json_string_length(item), &b) < 0 ||
		    b.size != DIGEST_SIZE)
			return why_set(ret_why, -EBADMSG,
				       "segment header: frontier %zu is not 32 bytes in base64", i);
		memcpy(hashes[i].bytes, b.data, DIGEST_SIZE);
	}
	r = merkle_from_frontier(first, hashes, (uint32_t)json_array_size(frontier),
				 &ret->frontier);
	if (r < 0)
		return why_set(ret_why, r, "segment header: frontier does not fit first %" PRIu64,
			       first);
	ret->first = first;
	snprintf(ret->origin, sizeof(ret->origin), "%s", origin);
	return 0;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* A crash while one was packed leaves a plain file and a .zst. */
static uint32_t each_once(uint64_t *firsts, uint32_t n)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n; i++)
		if (kept == 0 || firsts[kept - 1] != firsts[i])
			firsts[kept++] = firsts[i];
	return kept;
}

int ledger_read_list(const char *dir, uint64_t **ret_firsts, uint32_t *ret_n, struct why *ret_why)
{
	uint64_t *firsts = NULL;
	uint32_t n = 0;
	DIR *d = opendir(dir);
	int r = 0;

	if (!d)
		return why_set(ret_why, -errno, "%s cannot be opened: %s", dir, strerror(errno));
	for (struct dirent *e = readdir(d); e && r == 0; e = readdir(d)) {
		uint64_t *more, first;
		int end = 0;

		if (sscanf(e->d_name, "events-%20" SCNu64 ".jsonl%n", &first, &end) != 1 ||
		    end != 33 || (e->d_name[end] && strcmp(e->d_name + end, ".zst") != 0))
			continue;
		more = n < LEDGER_READ_MAX_SEGMENTS ? realloc(firsts, (n + 1) * sizeof(*firsts))
						    : NULL;
		if (!more) {
			r = -E2BIG;
			break;
		}
		firsts = more;
		firsts[n++] = first;
	}
	closedir(d);
	if (r < 0) {
		free(firsts);
		return why_set(ret_why, r, "%s has too many segments", dir);
	}
	if (n > 0)
		qsort(firsts, n, sizeof(*firsts), compare);
	*ret_firsts = firsts;
	*ret_n = each_once(firsts, n);
	return 0;
}

struct walk {
	const struct fsio *io;
	const struct ledger_read_calls *c;
	struct ledger_read_segment s;
	struct ledger_zst_reader *zst; /* NULL: plain */
	int fd;
	uint64_t at; /* offset of data[0] */
	uint64_t n_lines; /* lines read, the header included */
	size_t held; /* bytes in data */
	uint64_t
		passed; /* bytes of a line too long to be held, which may still prove to be a torn end */
	char *data;
};

/* What the caller makes of it; else an error. */
static int broken(const struct walk *w, uint64_t seq, int error)
{
	int r = w->c->broken ? w->c->broken(w->c->ctx, &w->s, seq) : 0;

	return r ? r : error;
}

static int take_line(struct walk *w, const char *line, size_t size, uint64_t first,
		     struct why *ret_why)
{
	int r;

	if (w->n_lines++ > 0)
		return w->c->line(w->c->ctx, &w->s, first + w->n_lines - 2, line, size);
	r = ledger_read_header(line, size, &w->s, ret_why);
	if (r < 0)
		return broken(w, first, r);
	if (w->s.first != first)
		return why_set(ret_why, -EBADMSG, "%s: header says first %" PRIu64, w->s.name,
			       w->s.first);
	w->s.header_size = size + 1;
	return w->c->segment ? w->c->segment(w->c->ctx, &w->s) : 0;
}

static int too_long(const struct walk *w, uint64_t first, struct why *ret_why)
{
	return broken(w, w->s.header_size ? first + w->n_lines - 1 : first,
		      why_set(ret_why, -EBADMSG, "%s: line %" PRIu64 " has more than %d bytes",
			      w->s.name, w->n_lines, MAX_LINE));
}

/* Hands on all whole lines in data and moves the rest to the front. */
static int take_lines(struct walk *w, uint64_t first, struct why *ret_why)
{
	size_t from = 0;

	for (;;) {
		char *end = memchr(w->data + from, '\n', w->held - from);
		int r;

		if (!end)
			break;
		if ((size_t)(end - w->data) - from > MAX_LINE)
			return too_long(w, first, ret_why);
		r = take_line(w, w->data + from, (size_t)(end - w->data) - from, first, ret_why);
		if (r != 0)
			return r;
		from = (size_t)(end - w->data) + 1;
	}
	if (w->held - from > MAX_LINE)
		w->passed = w->held - from;
	else
		memmove(w->data, w->data + from, w->held - from);
	w->held = w->passed ? 0 : w->held - from;
	w->at += from;
	return 0;
}

/* A power cut can leave more zeros at the end than a line may have bytes: torn when no LF follows, else a line too long. */
static int pass(struct walk *w, size_t n, uint64_t first, struct why *ret_why)
{
	if (!w->c->torn || memchr(w->data, '\n', n))
		return too_long(w, first, ret_why);
	w->passed += n;
	return 0;
}

static int read_more(struct walk *w, size_t *ret_n)
{
	if (w->zst)
		return ledger_zst_reader_read(w->zst, w->data + w->held, CHUNK - w->held, ret_n);
	return fsio_read_full(w->io, w->fd, w->data + w->held, CHUNK - w->held,
			      w->at + w->passed + w->held, ret_n);
}

static int walk(struct walk *w, uint64_t first, struct why *ret_why)
{
	size_t n;
	int r = 0;

	while (r == 0) {
		r = read_more(w, &n);
		if (r < 0)
			return why_set(ret_why, r, "%s: %s", w->s.name,
				       r == -EBADMSG ? "is damaged or cut short (zstd)"
						     : strerror(-r));
		if (n == 0)
			break;
		if (w->passed) {
			r = pass(w, n, first, ret_why);
			continue;
		}
		w->held += n;
		r = take_lines(w, first, ret_why);
	}
	if (r == 0 && (w->held > 0 || w->passed > 0 || w->n_lines == 0))
		r = w->c->torn
			    ? w->c->torn(w->c->ctx, &w->s, w->at, w->held + w->passed)
			    : why_set(ret_why, -ENODATA, "%s: the last line has no end", w->s.name);
	return r;
}

static int open_segment(struct walk *w, const char *dir, uint64_t first, struct why *ret_why)
{
	char path[PATH_MAX];
	int r;

	for (int packed = 0; packed < 2; packed++) {
		w->s.packed = packed;
		snprintf(w->s.name, sizeof(w->s.name), "events-%020" PRIu64 ".jsonl%s", first,
			 packed ? ".zst" : "");
		r = snprintf(path, sizeof(path), "%s/%s", dir, w->s.name);
		if (r >= (int)sizeof(path))
			return -ENAMETOOLONG;
		w->fd = fsio_open_plain(w->io, path);
		if (w->fd != -ENOENT)
			break;
	}
	if (w->fd == -EBADMSG)
		return why_set(ret_why, w->fd, "%s is no plain file", path);
	if (w->fd < 0)
		return why_set(ret_why, w->fd, "%s: %s", path, strerror(-w->fd));
	r = w->s.packed ? ledger_zst_reader_open(w->io, w->fd, &w->zst) : 0;
	if (r < 0)
		fsio_close(w->io, w->fd);
	return r;
}

int ledger_read_one(const struct fsio *io, const char *dir, uint64_t first,
		    const struct ledger_read_calls *c, struct why *ret_why)
{
	struct walk w = {.io = io, .c = c, .data = malloc(CHUNK)};
	int r = w.data ? open_segment(&w, dir, first, ret_why) : -ENOMEM;

	if (r < 0) {
		free(w.data);
		return r;
	}
	w.s.first = first;
	r = walk(&w, first, ret_why);
	ledger_zst_reader_free(w.zst);
	fsio_close(io, w.fd);
	free(w.data);
	return r;
}

int ledger_read_all(const struct fsio *io, const char *dir, uint64_t from,
		    const struct ledger_read_calls *c, struct why *ret_why)
{
	CLEANUP_FREE uint64_t *firsts = NULL;
	uint32_t n = 0;
	int r = ledger_read_list(dir, &firsts, &n, ret_why);

	if (r < 0)
		return r;
	if (n == 0)
		return why_set(ret_why, -ENOENT, "%s has no events-*.jsonl", dir);
	for (uint32_t i = 0; i < n && r == 0; i++)
		if (i + 1 == n || firsts[i + 1] > from)
			r = ledger_read_one(io, dir, firsts[i], c, ret_why);
	return r;
}

/* A running agent may be in the middle of its last line. */
static int nothing_torn(void *ctx, const struct ledger_read_segment *s, uint64_t at, size_t size)
{
	(void)ctx;
	(void)s;
	(void)at;
	(void)size;
	return 0;
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

int ledger_read_each(const struct fsio *io, const char *dir, uint64_t from,
		     int (*fn)(void *ctx, uint64_t seq, const char *line, size_t size), void *ctx,
		     struct why *ret_why)
{
	struct each e = {from, fn, ctx};
	const struct ledger_read_calls calls = {&e, NULL, each_line, nothing_torn, NULL};

	return ledger_read_all(io, dir, from, &calls, ret_why);
}

static int take_origin(void *ctx, const struct ledger_read_segment *s)
{
	snprintf(ctx, CHECKPOINT_MAX_ORIGIN, "%s", s->origin);
	return 1;
}

int ledger_read_origin(const struct fsio *io, const char *dir, char ret[CHECKPOINT_MAX_ORIGIN],
		       struct why *ret_why)
{
	CLEANUP_FREE uint64_t *firsts = NULL;
	const struct ledger_read_calls calls = {ret, take_origin, NULL, nothing_torn, NULL};
	uint32_t n = 0;
	int r = ledger_read_list(dir, &firsts, &n, ret_why);

	if (r < 0)
		return r;
	if (n == 0)
		return why_set(ret_why, -ENOENT, "%s has no events-*.jsonl", dir);
	for (uint32_t i = 0; i < n; i++) {
		r = ledger_read_one(io, dir, firsts[i], &calls, ret_why);
		if (r > 0)
			return 0;
	}
	return r < 0 ? r : why_set(ret_why, -EBADMSG, "%s: no segment has a header", dir);
}
