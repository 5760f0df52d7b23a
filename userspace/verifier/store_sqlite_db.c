/* SPDX-License-Identifier: Apache-2.0 */
#include "store_sqlite_db.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int store_sqlite_db_error(int code)
{
	if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY)
		return -EEXIST;
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_TOOBIG:
		return -E2BIG;
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_CANTOPEN:
		return -ENOENT;
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		return -EBADMSG;
	default:
		return -EIO;
	}
}

int store_sqlite_db_exec(struct store_sqlite_db *d, const char *sql)
{
	return store_sqlite_db_error(sqlite3_exec(d->db, sql, NULL, NULL, NULL));
}

void store_sqlite_db_close(struct store_sqlite_db *d)
{
	for (uint32_t i = 0; i < d->n_kept; i++)
		sqlite3_finalize(d->kept[i].stmt);
	d->n_kept = 0;
	for (size_t i = 0; i < sizeof(d->node_sql) / sizeof(d->node_sql[0]); i++)
		free(d->node_sql[i]);
	for (size_t i = 0; i < sizeof(d->case_sql) / sizeof(d->case_sql[0]); i++)
		free(d->case_sql[i]);
	sqlite3_close(d->db);
	*d = (struct store_sqlite_db){.db = NULL};
}

struct store_sqlite_q store_sqlite_db_read(struct store_sqlite_db *d, const char *sql)
{
	struct store_sqlite_q q = {.d = d, .sql = sql};

	/* A statement that a caller further up still walks is not among those kept, so nesting gives each its own. */
	for (uint32_t i = 0; i < d->n_kept; i++) {
		if (d->kept[i].sql != sql)
			continue;
		q.stmt = d->kept[i].stmt;
		d->kept[i] = d->kept[--d->n_kept];
		return q;
	}
	q.error = store_sqlite_db_error(
		sqlite3_prepare_v3(d->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &q.stmt, NULL));
	return q;
}

struct store_sqlite_q store_sqlite_db_change(struct store_sqlite_db *d, const char *sql)
{
	if (sqlite3_get_autocommit(d->db))
		return (struct store_sqlite_q){.d = d, .sql = sql, .error = -EPROTO};
	return store_sqlite_db_read(d, sql);
}

void store_sqlite_db_end(struct store_sqlite_q *q)
{
	struct store_sqlite_db *d = q->d;

	if (!q->stmt)
		return;
	sqlite3_reset(q->stmt);
	sqlite3_clear_bindings(q->stmt);
	if (d->n_kept < STORE_SQLITE_DB_MAX_STATEMENTS) {
		d->kept[d->n_kept].sql = q->sql;
		d->kept[d->n_kept++].stmt = q->stmt;
	} else {
		sqlite3_finalize(q->stmt);
	}
	q->stmt = NULL;
}

static void bound(struct store_sqlite_q *q, int code)
{
	if (!q->error)
		q->error = store_sqlite_db_error(code);
}

void store_sqlite_db_text(struct store_sqlite_q *q, const char *text)
{
	q->n_bound++;
	if (!q->error)
		bound(q, sqlite3_bind_text(q->stmt, q->n_bound, text, -1, SQLITE_STATIC));
}

void store_sqlite_db_blob(struct store_sqlite_q *q, const void *data, size_t size)
{
	q->n_bound++;
	/* A NULL pointer would be stored as SQL NULL, which is no blob of no bytes. */
	if (!q->error)
		bound(q, sqlite3_bind_blob64(q->stmt, q->n_bound, data ? data : "", size,
					     SQLITE_STATIC));
}

void store_sqlite_db_u64(struct store_sqlite_q *q, uint64_t v)
{
	q->n_bound++;
	if (!q->error && v > INT64_MAX)
		q->error = -ERANGE;
	if (!q->error)
		bound(q, sqlite3_bind_int64(q->stmt, q->n_bound, (sqlite3_int64)v));
}

int store_sqlite_db_step(struct store_sqlite_q *q)
{
	int code;

	if (q->error)
		return q->error;
	q->column = 0;
	code = sqlite3_step(q->stmt);
	if (code == SQLITE_ROW)
		return 1;
	if (code == SQLITE_DONE)
		return 0;
	q->error = store_sqlite_db_error(code);
	return q->error ? q->error : -EIO;
}

int store_sqlite_db_run(struct store_sqlite_q *q)
{
	int r;

	do
		r = store_sqlite_db_step(q);
	while (r > 0);
	return r < 0 ? r : sqlite3_changes(q->d->db);
}

void store_sqlite_db_again(struct store_sqlite_q *q)
{
	if (q->stmt)
		sqlite3_reset(q->stmt);
	q->n_bound = 0;
}

int store_sqlite_db_get_view(struct store_sqlite_q *q, struct buf_view *ret)
{
	int i = q->column++, type = sqlite3_column_type(q->stmt, i);
	const void *data;

	if (type != SQLITE_BLOB && type != SQLITE_TEXT)
		return -EIO;
	data = sqlite3_column_blob(q->stmt, i);
	ret->size = (size_t)sqlite3_column_bytes(q->stmt, i);
	if (!data && ret->size > 0)
		return -ENOMEM;
	ret->data = data;
	return 0;
}

int store_sqlite_db_get_text(struct store_sqlite_q *q, char *ret, size_t room)
{
	struct buf_view v;
	int r = store_sqlite_db_get_view(q, &v);

	if (r < 0)
		return r;
	if (v.size >= room || (v.size > 0 && memchr(v.data, 0, v.size)))
		return -EIO;
	if (v.size > 0)
		memcpy(ret, v.data, v.size);
	ret[v.size] = 0;
	return 0;
}

int store_sqlite_db_get_u64(struct store_sqlite_q *q, uint64_t *ret)
{
	int i = q->column++;
	sqlite3_int64 v;

	if (sqlite3_column_type(q->stmt, i) != SQLITE_INTEGER)
		return -EIO;
	v = sqlite3_column_int64(q->stmt, i);
	if (v < 0)
		return -EIO;
	*ret = (uint64_t)v;
	return 0;
}

int store_sqlite_db_get_fixed(struct store_sqlite_q *q, void *ret, size_t size)
{
	struct buf_view v;
	int r = store_sqlite_db_get_view(q, &v);

	if (r < 0)
		return r;
	if (v.size != size)
		return -EIO;
	if (size > 0)
		memcpy(ret, v.data, size);
	return 0;
}

int store_sqlite_db_get_buf(struct store_sqlite_q *q, struct buf *ret)
{
	struct buf_view v;
	int r = store_sqlite_db_get_view(q, &v);

	if (r < 0)
		return r;
	if (v.size > 0)
		buf_put(ret, v.data, v.size);
	return buf_status(ret);
}
