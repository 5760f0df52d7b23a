/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_sqlite_db.h: prepared statements, their arguments and results, and SQLite's codes as errno, for the store_sqlite rooms.
 * In: SQL text of static life, values. Out: rows as C values. A u64 above 2^63-1 is refused, never turned negative.
 */
#ifndef PLUMB_STORE_SQLITE_DB_H
#define PLUMB_STORE_SQLITE_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "store.h"
#include "digest.h"
#include "why.h"

#define STORE_SQLITE_DB_MAX_STATEMENTS 64

struct store_sqlite_db {
	sqlite3 *db;
	/* Statements that nobody uses now. The key is the text's address. */
	struct {
		const char *sql;
		sqlite3_stmt *stmt;
	} kept[STORE_SQLITE_DB_MAX_STATEMENTS];
	uint32_t n_kept;
	struct store_follower follower;
	bool followed;
	struct store_watcher watcher;	/* put NULL: nobody */
	char *node_sql[8], *case_sql[8]; /* made once from the tables of columns (store_sqlite_row); owned */
};

/* A statement in use. After a failed bind or prepare, error is set and the rest does nothing. */
struct store_sqlite_q {
	struct store_sqlite_db *d;
	const char *sql;
	sqlite3_stmt *stmt;
	int error;
	int n_bound;	/* binds go from left to right */
	int column;	/* so do reads */
};

int store_sqlite_db_error(int code);	/* a SQLite result as -errno */
int store_sqlite_db_exec(struct store_sqlite_db *d, const char *sql);
void store_sqlite_db_close(struct store_sqlite_db *d);	/* frees what d holds, not d */

/* sql must live as long as d. A change outside a transaction: -EPROTO. */
struct store_sqlite_q store_sqlite_db_read(struct store_sqlite_db *d, const char *sql);
struct store_sqlite_q store_sqlite_db_change(struct store_sqlite_db *d, const char *sql);
void store_sqlite_db_end(struct store_sqlite_q *q);	/* usable with CLEANUP */

/* Borrowed until the statement ends. */
void store_sqlite_db_text(struct store_sqlite_q *q, const char *text);
void store_sqlite_db_blob(struct store_sqlite_q *q, const void *data, size_t size);
void store_sqlite_db_u64(struct store_sqlite_q *q, uint64_t v);

int store_sqlite_db_step(struct store_sqlite_q *q);	/* 1: a row, 0: the end */
int store_sqlite_db_run(struct store_sqlite_q *q);	/* to the end; rows changed */
void store_sqlite_db_again(struct store_sqlite_q *q);	/* reset; binds start anew */

/* Columns of the present row. What does not fit its C value is -EIO: the database is not as we wrote it. */
int store_sqlite_db_get_text(struct store_sqlite_q *q, char *ret, size_t room);
int store_sqlite_db_get_u64(struct store_sqlite_q *q, uint64_t *ret);
int store_sqlite_db_get_fixed(struct store_sqlite_q *q, void *ret, size_t size);
int store_sqlite_db_get_buf(struct store_sqlite_q *q, struct buf *ret);	/* appends */
int store_sqlite_db_get_view(struct store_sqlite_q *q, struct buf_view *ret);	/* borrowed until the next step */

#endif
