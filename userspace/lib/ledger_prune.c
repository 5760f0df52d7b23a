/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_prune.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "ledger_read.h"
#include "ledger_tiles.h"
#include "line.h"

static const char *const endings[] = {"", ".zst", ".zst.new"};

int ledger_prune_write(const struct ledger_prune_claim *c, struct buf *ret)
{
	struct jsonl j = {.buf = ret};

	jsonl_uint(&j, "from", c->from);
	jsonl_uint(&j, "first", c->first);
	jsonl_hex(&j, "root", c->root.bytes, DIGEST_SIZE);
	jsonl_uint(&j, "bytes", c->bytes);
	jsonl_str(&j, "why", c->why);
	jsonl_uint(&j, "order", c->order);
	return buf_status(ret);
}

static int read_members(const json_t *o, struct ledger_prune_claim *ret, struct why *ret_why)
{
	const char *why;
	int r = jsonl_get_uint(o, "first", INT64_MAX, &ret->first, ret_why);

	if (r >= 0)
		r = jsonl_get_uint(o, "from", INT64_MAX, &ret->from, ret_why);
	if (r >= 0)
		r = jsonl_get_hex(o, "root", ret->root.bytes, DIGEST_SIZE, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(o, "bytes", INT64_MAX, &ret->bytes, ret_why);
	if (r >= 0)
		r = jsonl_get_str(o, "why", sizeof(ret->why) - 1, &why, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(o, "order", INT64_MAX, &ret->order, ret_why);
	if (r < 0)
		return -EBADMSG;
	if (strcmp(why, "age") != 0 && strcmp(why, "size") != 0)
		return why_set(ret_why, -EBADMSG, "why is neither age nor size");
	snprintf(ret->why, sizeof(ret->why), "%s", why);
	if (ret->from >= ret->first || ret->first > ret->seq)
		return why_set(ret_why, -EBADMSG,
			       "it says that lines %" PRIu64 " to %" PRIu64
			       " went: they are none, or not before it",
			       ret->from, ret->first - 1);
	return 0;
}

int ledger_prune_read(const char *line, size_t size, struct ledger_prune_claim *ret,
		      struct why *ret_why)
{
	static const char sign[] = "\"type\":\"pruned\"";
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct ledger_prune_claim c = {.seq = 0};
	struct line l;
	int r;

	/* Most lines are something else, and this is asked of every one. */
	if (!memmem(line, size, sign, sizeof(sign) - 1))
		return -ENOENT;
	r = line_parse(line, size, &o, &l, ret_why);
	if (r < 0 || l.type != PLUMB_TYPE_PRUNED)
		return r < 0 ? r : -ENOENT;
	c.seq = l.seq;
	c.utc_ns = l.utc_ns;
	r = read_members(o, &c, ret_why);
	if (r >= 0)
		*ret = c;
	return r;
}

static int path_of(const char *dir, uint64_t first, const char *end, char ret[PATH_MAX])
{
	int n = snprintf(ret, PATH_MAX, "%s/events-%020" PRIu64 ".jsonl%s", dir, first, end);

	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static uint64_t size_of(const char *dir, uint64_t first)
{
	char path[PATH_MAX];
	struct stat st;
	uint64_t size = 0;

	for (size_t i = 0; i < ARRAY_SIZE(endings); i++)
		if (path_of(dir, first, endings[i], path) >= 0 && stat(path, &st) == 0)
			size += (uint64_t)st.st_size;
	return size;
}

static int stop_there(void *ctx, const struct ledger_read_segment *s)
{
	*(struct merkle *)ctx = s->frontier;
	return 1;
}

static int frontier_of(const struct fsio *io, const char *dir, uint64_t first, struct merkle *ret,
		       struct why *ret_why)
{
	const struct ledger_read_calls calls = {ret, stop_there, NULL, NULL, NULL};
	int r = ledger_read_one(io, dir, first, &calls, ret_why);

	return r == 0 ? -EBADMSG : r < 0 ? r : 0;
}

static int first_time(void *ctx, const struct ledger_read_segment *s, uint64_t seq,
		      const char *text, size_t size)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct line l;
	struct why why;
	int r = line_parse(text, size, &o, &l, &why);

	(void)s;
	(void)seq;
	if (r < 0)
		return r;
	*(uint64_t *)ctx = l.utc_ns;
	return 1;
}

static int no_line(void *ctx, const struct ledger_read_segment *s, uint64_t at, size_t size)
{
	(void)ctx;
	(void)s;
	(void)at;
	(void)size;
	return 0;
}

int ledger_prune_begun(const struct fsio *io, const char *dir, uint64_t segment,
		       uint64_t *ret_utc_ns, struct why *ret_why)
{
	const struct ledger_read_calls calls = {ret_utc_ns, NULL, first_time, no_line, NULL};
	int r;

	*ret_utc_ns = 0;
	r = ledger_read_one(io, dir, segment, &calls, ret_why);
	return r < 0 ? r : 0;
}

/* All of a segment is older than the first line after it. */
static int is_old(const struct fsio *io, const char *dir, uint64_t next,
		  const struct ledger_prune_limits *limits, struct why *ret_why)
{
	uint64_t t;
	int r;

	if (!limits->keep_age_ns)
		return 0;
	r = ledger_prune_begun(io, dir, next, &t, ret_why);
	return r < 0 ? r : t && t < limits->now_ns && limits->now_ns - t > limits->keep_age_ns;
}

/* How many of the oldest segments go. */
static int count(const struct fsio *io, const char *dir, const uint64_t *firsts, uint32_t n,
		 const struct ledger_prune_limits *limits, struct ledger_prune_claim *c,
		 struct why *ret_why)
{
	uint64_t total = 0;
	int i = 0;

	for (uint32_t k = 0; k < n; k++)
		total += size_of(dir, firsts[k]);
	for (; (uint32_t)i + 1 < n && i < LEDGER_PRUNE_MAX && firsts[i + 1] <= limits->safe; i++) {
		if (i > 0 && firsts[i + 1] - firsts[0] > LEDGER_PRUNE_LINES)
			break;
		bool big = limits->keep_size && total > limits->keep_size;
		int old = big ? 0 : is_old(io, dir, firsts[i + 1], limits, ret_why);
		uint64_t size = size_of(dir, firsts[i]);

		if (old < 0)
			return old;
		if (!big && !old)
			break;
		if (i == 0)
			snprintf(c->why, sizeof(c->why), "%s", big ? "size" : "age");
		c->bytes += size;
		total -= size;
	}
	return i;
}

/*
 * Once the lines are gone, tiles/ alone has their hashes, and the tree stands on them: they are held against the headers, and synced,
 * while the lines are still there to make them anew.
 */
static int settle_tiles(const struct fsio *io, const char *dir, struct ledger_prune_claim *c,
			struct why *ret_why)
{
	struct merkle m = {.size = 0}, want = {.size = 0};
	int r = frontier_of(io, dir, c->from, &m, ret_why);

	if (r >= 0)
		r = frontier_of(io, dir, c->first, &want, ret_why);
	if (r >= 0)
		r = ledger_tiles_walk(io, dir, &m, c->first, NULL, NULL);
	if (r == -ENODATA ||
	    (r >= 0 && (want.size != m.size ||
			memcmp(want.hashes, m.hashes, want.n_hashes * sizeof(*m.hashes)) != 0)))
		return why_set(ret_why, -EBADMSG,
			       "%s: tiles/ does not lead from line %" PRIu64 " to line %" PRIu64,
			       dir, c->from, c->first);
	if (r >= 0)
		r = merkle_root(&m, &c->root);
	if (r >= 0)
		r = ledger_tiles_sync(io, dir, c->from, c->first);
	return r;
}

int ledger_prune_plan(const struct fsio *io, const char *dir,
		      const struct ledger_prune_limits *limits, struct ledger_prune_claim *ret,
		      struct why *ret_why)
{
	CLEANUP_FREE uint64_t *firsts = NULL;
	struct ledger_prune_claim c = {.seq = 0};
	uint32_t n = 0;
	int r = ledger_read_list(dir, &firsts, &n, ret_why);

	if (r >= 0)
		r = count(io, dir, firsts, n, limits, &c, ret_why);
	if (r <= 0)
		return r;
	c.from = firsts[0];
	c.first = firsts[r];
	r = settle_tiles(io, dir, &c, ret_why);
	if (r < 0)
		return r;
	*ret = c;
	return 1;
}

static int remove_segment(const struct fsio *io, const char *dir, uint64_t first)
{
	char path[PATH_MAX];
	int r = 0;

	for (size_t i = ARRAY_SIZE(endings); i-- > 0 && r >= 0;) {
		r = path_of(dir, first, endings[i], path);
		if (r >= 0)
			r = fsio_unlink(io, path);
		r = r == -ENOENT ? 0 : r;
	}
	/* One after the other on the disk, too: a hole in the middle would be a ledger that nobody goes on with. */
	return r < 0 ? r : fsio_sync_dir(io, dir);
}

int ledger_prune_carry_out(const struct fsio *io, const char *dir, uint64_t first)
{
	CLEANUP_FREE uint64_t *firsts = NULL;
	struct why why;
	uint32_t n = 0;
	int r = ledger_read_list(dir, &firsts, &n, &why);

	for (uint32_t i = 0; i + 1 < n && firsts[i + 1] <= first && r >= 0; i++)
		r = remove_segment(io, dir, firsts[i]);
	return r;
}

struct newest {
	struct ledger_prune_claim claim;
	bool found;
};

static int take_claim(void *ctx, const struct ledger_read_segment *s, uint64_t seq,
		      const char *text, size_t size)
{
	struct newest *n = ctx;
	struct why why;

	(void)s;
	(void)seq;
	n->found |= ledger_prune_read(text, size, &n->claim, &why) >= 0;
	return 0;
}

int ledger_prune_newest(const struct fsio *io, const char *dir, struct ledger_prune_claim *ret,
			struct why *ret_why)
{
	CLEANUP_FREE uint64_t *firsts = NULL;
	struct newest newest = {.found = false};
	const struct ledger_read_calls calls = {&newest, NULL, take_claim, no_line, NULL};
	uint32_t n = 0;
	int r = ledger_read_list(dir, &firsts, &n, ret_why);

	while (r >= 0 && n > 0 && !newest.found)
		r = ledger_read_one(io, dir, firsts[--n], &calls, ret_why);
	if (r < 0)
		return r;
	if (!newest.found)
		return -ENOENT;
	*ret = newest.claim;
	return 0;
}
