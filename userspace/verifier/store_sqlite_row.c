/* SPDX-License-Identifier: Apache-2.0 */
#include "store_sqlite_row.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "merkle.h"

#define MAX_TREE (8 + MERKLE_MAX_LEVELS * DIGEST_SIZE)

static const char *sql_type(enum store_sqlite_row_kind kind)
{
	switch (kind) {
	case STORE_SQLITE_ROW_TEXT:
		return "TEXT";
	case STORE_SQLITE_ROW_FIXED:
	case STORE_SQLITE_ROW_BUF:
	case STORE_SQLITE_ROW_TREE:
		return "BLOB";
	default:
		return "INTEGER";
	}
}

int store_sqlite_row_sql(const struct store_sqlite_row_field *f, size_t n, const char *before,
			 enum store_sqlite_row_part part, const char *after, char **ret)
{
	CLEANUP(buf_done) struct buf b = {0};

	buf_puts(&b, before);
	for (size_t i = 0; i < n; i++) {
		buf_puts(&b, i ? "," : "");
		if (part == STORE_SQLITE_ROW_MARKS)
			buf_puts(&b, "?");
		else
			buf_puts(&b, f[i].name);
		if (part == STORE_SQLITE_ROW_SETS)
			buf_puts(&b, "=?");
		else if (part == STORE_SQLITE_ROW_COLUMNS)
			buf_printf(&b, " %s NOT NULL", sql_type(f[i].kind));
	}
	buf_puts(&b, after);
	if (buf_status(&b) < 0)
		return buf_status(&b);
	*ret = buf_take(&b);
	return *ret ? 0 : -ENOMEM;
}

/* The bytes lie on this function's stack, so they are copied by SQLite. */
static void bind_tree(struct store_sqlite_q *q, const struct merkle *m)
{
	uint8_t bytes[MAX_TREE];
	size_t size = 8 + (size_t)m->n_hashes * DIGEST_SIZE;

	q->n_bound++;
	if (!q->error && m->n_hashes > MERKLE_MAX_LEVELS)
		q->error = -EINVAL;
	if (q->error)
		return;
	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(m->size >> (56 - 8 * i));
	memcpy(bytes + 8, m->hashes, size - 8);
	q->error = store_sqlite_db_error(
		sqlite3_bind_blob64(q->stmt, q->n_bound, bytes, size, SQLITE_TRANSIENT));
}

void store_sqlite_row_bind(struct store_sqlite_q *q, const struct store_sqlite_row_field *f,
			   size_t n, const void *row)
{
	for (size_t i = 0; i < n; i++) {
		const void *at = (const char *)row + f[i].at;
		const struct buf *b = at;
		uint32_t v;

		switch (f[i].kind) {
		case STORE_SQLITE_ROW_TEXT:
			store_sqlite_db_text(q, at);
			break;
		case STORE_SQLITE_ROW_U64:
			store_sqlite_db_u64(q, *(const uint64_t *)at);
			break;
		case STORE_SQLITE_ROW_U32:
			memcpy(&v, at, sizeof(v));
			store_sqlite_db_u64(q, v);
			break;
		case STORE_SQLITE_ROW_U8:
			store_sqlite_db_u64(q, *(const uint8_t *)at);
			break;
		case STORE_SQLITE_ROW_BOOL:
			store_sqlite_db_u64(q, *(const bool *)at);
			break;
		case STORE_SQLITE_ROW_FIXED:
			store_sqlite_db_blob(q, at, f[i].size);
			break;
		case STORE_SQLITE_ROW_BUF:
			store_sqlite_db_blob(q, b->data, b->size);
			break;
		case STORE_SQLITE_ROW_TREE:
			bind_tree(q, at);
			break;
		}
	}
}

static int load_tree(struct store_sqlite_q *q, struct merkle *ret)
{
	struct digest hashes[MERKLE_MAX_LEVELS];
	struct buf_reader reader;
	struct buf_view v, rest;
	uint64_t size;
	int r = store_sqlite_db_get_view(q, &v);

	if (r < 0)
		return r;
	reader = buf_reader_of(v.data, v.size);
	if (v.size > MAX_TREE || buf_read_u64be(&reader, &size) < 0 ||
	    buf_left(&reader) % DIGEST_SIZE != 0)
		return -EIO;
	r = buf_read_bytes(&reader, buf_left(&reader), &rest);
	if (r < 0)
		return -EIO;
	memcpy(hashes, rest.data, rest.size);
	r = merkle_from_frontier(size, hashes, (uint32_t)(rest.size / DIGEST_SIZE), ret);
	return r == -EBADMSG ? -EIO : r;
}

static int load_small(struct store_sqlite_q *q, const struct store_sqlite_row_field *f, void *at)
{
	uint64_t v;
	uint32_t narrow;
	int r = store_sqlite_db_get_u64(q, &v);

	if (r < 0)
		return r;
	if (f->kind == STORE_SQLITE_ROW_U64) {
		*(uint64_t *)at = v;
	} else if (f->kind == STORE_SQLITE_ROW_U32 && v <= UINT32_MAX) {
		narrow = (uint32_t)v;
		memcpy(at, &narrow, sizeof(narrow));
	} else if (f->kind == STORE_SQLITE_ROW_U8 && v <= UINT8_MAX) {
		*(uint8_t *)at = (uint8_t)v;
	} else if (f->kind == STORE_SQLITE_ROW_BOOL && v <= 1) {
		*(bool *)at = v;
	} else {
		return -EIO;
	}
	return 0;
}

int store_sqlite_row_load(struct store_sqlite_q *q, const struct store_sqlite_row_field *f,
			  size_t n, void *row)
{
	int r = 0;

	for (size_t i = 0; i < n && r >= 0; i++) {
		void *at = (char *)row + f[i].at;

		if (f[i].kind == STORE_SQLITE_ROW_TEXT)
			r = store_sqlite_db_get_text(q, at, f[i].size);
		else if (f[i].kind == STORE_SQLITE_ROW_FIXED)
			r = store_sqlite_db_get_fixed(q, at, f[i].size);
		else if (f[i].kind == STORE_SQLITE_ROW_BUF)
			r = store_sqlite_db_get_buf(q, at);
		else if (f[i].kind == STORE_SQLITE_ROW_TREE)
			r = load_tree(q, at);
		else
			r = load_small(q, &f[i], at);
	}
	return r;
}
