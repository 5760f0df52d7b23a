/* SPDX-License-Identifier: Apache-2.0 */
#include "store_sqlite_lines.h"

#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "store_sqlite_db.h"

#define MAX_NAME 256

/* The number after the last line stored. 0: there is none, 1: *ret is set. */
static int stored_end(struct store_sqlite_db *d, const char *node, uint64_t incarnation,
		      uint64_t *ret)
{
	CLEANUP(store_sqlite_db_end)
	struct store_sqlite_q q =
		store_sqlite_db_read(d, "SELECT first,n FROM lines WHERE node=? AND incarnation=? "
					"ORDER BY first DESC LIMIT 1");
	uint64_t first, n;
	int r;

	store_sqlite_db_text(&q, node);
	store_sqlite_db_u64(&q, incarnation);
	r = store_sqlite_db_step(&q);
	if (r <= 0)
		return r;
	r = store_sqlite_db_get_u64(&q, &first);
	if (r >= 0)
		r = store_sqlite_db_get_u64(&q, &n);
	if (r < 0)
		return r;
	*ret = first + n;
	return 1;
}

static uint64_t count_lines(const char *lines, size_t size)
{
	uint64_t n = 0;

	for (size_t i = 0; i < size; i++)
		n += lines[i] == '\n';
	return n;
}

int store_sqlite_lines_put(void *ctx, const char *node, uint64_t incarnation, uint64_t from,
			   const void *lines, size_t size, uint64_t n)
{
	CLEANUP(store_sqlite_db_end) struct store_sqlite_q q = {.stmt = NULL};
	struct store_sqlite_db *d = ctx;
	uint64_t end = from;
	int r;

	if (n == 0 && size == 0)
		return 0;
	if (size == 0 || ((const char *)lines)[size - 1] != '\n' || count_lines(lines, size) != n)
		return -EINVAL;
	r = stored_end(d, node, incarnation, &end);
	if (r < 0)
		return r;
	if (from != end)
		return from < end ? -EEXIST : -ENOENT;
	q = store_sqlite_db_change(
		d, "INSERT INTO lines(node,incarnation,first,n,data) VALUES(?,?,?,?,?)");
	store_sqlite_db_text(&q, node);
	store_sqlite_db_u64(&q, incarnation);
	store_sqlite_db_u64(&q, from);
	store_sqlite_db_u64(&q, n);
	store_sqlite_db_blob(&q, lines, size);
	r = store_sqlite_db_run(&q);
	return r < 0 ? r : 0;
}

struct each {
	uint64_t next, to; /* lines still to be handed out */
	int (*fn)(void *fn_ctx, uint64_t seq, const char *line, size_t size);
	void *ctx;
};

/* The lines of one batch, which begins at number first. 0: go on. */
static int each_of(struct each *e, uint64_t first, uint64_t n, const struct buf_view *v)
{
	const char *at = (const char *)v->data, *end = at + v->size, *lf;
	int r;

	for (uint64_t seq = first; seq < first + n && e->next < e->to; seq++, at = lf + 1) {
		lf = memchr(at, '\n', (size_t)(end - at));
		if (!lf)
			return -EIO;
		if (seq < e->next)
			continue;
		r = e->fn(e->ctx, seq, at, (size_t)(lf - at));
		if (r != 0)
			return r;
		e->next = seq + 1;
	}
	return 0;
}

int store_sqlite_lines_each(void *ctx, const char *node, uint64_t incarnation, uint64_t from,
			    uint64_t to,
			    int (*fn)(void *fn_ctx, uint64_t seq, const char *line, size_t size),
			    void *fn_ctx)
{
	CLEANUP(store_sqlite_db_end)
	struct store_sqlite_q q = store_sqlite_db_read(
		ctx, "SELECT first,n,data FROM lines WHERE node=?1 AND incarnation=?2 AND first>="
		     "ifnull((SELECT max(first) FROM lines WHERE node=?1 AND incarnation=?2 AND "
		     "first<=?3),0) AND first<?4 ORDER BY first");
	struct each e = {from, to, fn, fn_ctx};
	struct buf_view v;
	uint64_t first, n;
	int r;

	store_sqlite_db_text(&q, node);
	store_sqlite_db_u64(&q, incarnation);
	store_sqlite_db_u64(&q, from);
	store_sqlite_db_u64(&q, to);
	while (e.next < e.to) {
		r = store_sqlite_db_step(&q);
		if (r <= 0)
			return r < 0 ? r : -ENOENT;
		r = store_sqlite_db_get_u64(&q, &first);
		if (r >= 0)
			r = store_sqlite_db_get_u64(&q, &n);
		if (r >= 0)
			r = store_sqlite_db_get_view(&q, &v);
		if (r >= 0 && (first > e.next || n == 0 || first + n <= e.next))
			return -ENOENT;
		if (r >= 0)
			r = each_of(&e, first, n, &v);
		if (r != 0)
			return r;
	}
	return 0;
}

/* A blob is the row of its parts, so that appending does not copy what is there. */
int store_sqlite_lines_blob_append(void *ctx, const char *kind, const char *name, const void *data,
				   size_t size)
{
	CLEANUP(store_sqlite_db_end)
	struct store_sqlite_q q = store_sqlite_db_change(
		ctx, "INSERT INTO blob(kind,name,part,data) VALUES(?1,?2,ifnull((SELECT "
		     "max(part)+1 FROM blob WHERE kind=?1 AND name=?2),0),?3)");
	int r;

	store_sqlite_db_text(&q, kind);
	store_sqlite_db_text(&q, name);
	store_sqlite_db_blob(&q, data, size);
	r = store_sqlite_db_run(&q);
	return r < 0 ? r : 0;
}

int store_sqlite_lines_blob_put(void *ctx, const char *kind, const char *name, const void *data,
				size_t size)
{
	CLEANUP(store_sqlite_db_end)
	struct store_sqlite_q q =
		store_sqlite_db_change(ctx, "DELETE FROM blob WHERE kind=? AND name=?");
	int r;

	store_sqlite_db_text(&q, kind);
	store_sqlite_db_text(&q, name);
	r = store_sqlite_db_run(&q);
	return r < 0 ? r : store_sqlite_lines_blob_append(ctx, kind, name, data, size);
}

int store_sqlite_lines_blob_get(void *ctx, const char *kind, const char *name, struct buf *ret)
{
	CLEANUP(store_sqlite_db_end)
	struct store_sqlite_q q = store_sqlite_db_read(
		ctx, "SELECT data FROM blob WHERE kind=? AND name=? ORDER BY part");
	size_t before = ret->size;
	bool any = false;
	int r;

	store_sqlite_db_text(&q, kind);
	store_sqlite_db_text(&q, name);
	while ((r = store_sqlite_db_step(&q)) > 0) {
		any = true;
		r = store_sqlite_db_get_buf(&q, ret);
		if (r < 0)
			break;
	}
	if (r < 0)
		buf_cut(ret, before);
	else if (!any)
		r = -ENOENT;
	return r;
}

int store_sqlite_lines_blob_parts(void *ctx, const char *kind, const char *name, uint64_t *ret_n)
{
	CLEANUP(store_sqlite_db_end)
	struct store_sqlite_q q = store_sqlite_db_read(
		ctx, "SELECT ifnull(max(part)+1,0) FROM blob WHERE kind=? AND name=?");
	int r;

	store_sqlite_db_text(&q, kind);
	store_sqlite_db_text(&q, name);
	r = store_sqlite_db_step(&q);
	return r <= 0 ? (r < 0 ? r : -EIO) : store_sqlite_db_get_u64(&q, ret_n);
}

int store_sqlite_lines_blob_parts_each(void *ctx, const char *kind, const char *name, uint64_t from,
				       int (*fn)(void *fn_ctx, uint64_t part, const void *data,
						 size_t size),
				       void *fn_ctx)
{
	CLEANUP(store_sqlite_db_end)
	struct store_sqlite_q q = store_sqlite_db_read(ctx, "SELECT part,data FROM blob WHERE "
							    "kind=? AND name=? AND part>=? "
							    "ORDER BY part");
	struct buf_view v;
	uint64_t part;
	int r;

	store_sqlite_db_text(&q, kind);
	store_sqlite_db_text(&q, name);
	store_sqlite_db_u64(&q, from);
	while ((r = store_sqlite_db_step(&q)) > 0) {
		r = store_sqlite_db_get_u64(&q, &part);
		if (r >= 0)
			r = store_sqlite_db_get_view(&q, &v);
		if (r >= 0)
			r = fn(fn_ctx, part, v.data, v.size);
		if (r != 0)
			return r;
	}
	return r;
}

int store_sqlite_lines_blob_remove(void *ctx, const char *kind, const char *name)
{
	CLEANUP(store_sqlite_db_end)
	struct store_sqlite_q q =
		store_sqlite_db_change(ctx, "DELETE FROM blob WHERE kind=? AND name=?");
	int r;

	store_sqlite_db_text(&q, kind);
	store_sqlite_db_text(&q, name);
	r = store_sqlite_db_run(&q);
	return r < 0 ? r : r > 0 ? 0 : -ENOENT;
}

int store_sqlite_lines_blob_each(void *ctx, const char *kind,
				 int (*fn)(void *fn_ctx, const char *name, const void *data,
					   size_t size),
				 void *fn_ctx)
{
	CLEANUP(store_sqlite_db_end)
	struct store_sqlite_q q = store_sqlite_db_read(
		ctx, "SELECT name,data FROM blob WHERE kind=? AND part=0 ORDER BY name");
	char name[MAX_NAME];
	struct buf_view v;
	int r;

	store_sqlite_db_text(&q, kind);
	while ((r = store_sqlite_db_step(&q)) > 0) {
		r = store_sqlite_db_get_text(&q, name, sizeof(name));
		if (r >= 0)
			r = store_sqlite_db_get_view(&q, &v);
		if (r >= 0)
			r = fn(fn_ctx, name, v.data, v.size);
		if (r != 0)
			return r;
	}
	return r;
}

int store_sqlite_lines_setting_put(void *ctx, const char *name, const char *value)
{
	CLEANUP(store_sqlite_db_end)
	struct store_sqlite_q q = store_sqlite_db_change(
		ctx, "INSERT OR REPLACE INTO setting(name,value) VALUES(?,?)");
	int r;

	store_sqlite_db_text(&q, name);
	store_sqlite_db_text(&q, value);
	r = store_sqlite_db_run(&q);
	return r < 0 ? r : 0;
}

int store_sqlite_lines_setting_get(void *ctx, const char *name, struct buf *ret)
{
	CLEANUP(store_sqlite_db_end)
	struct store_sqlite_q q =
		store_sqlite_db_read(ctx, "SELECT value FROM setting WHERE name=?");
	int r;

	store_sqlite_db_text(&q, name);
	r = store_sqlite_db_step(&q);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	return store_sqlite_db_get_buf(&q, ret);
}
