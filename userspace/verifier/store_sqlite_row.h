/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_sqlite_row.h: a C struct as a table's row, by a list of its fields: one list makes the table, the statements, binds and loads.
 * In: fields. Out: SQL text, bound arguments, filled structs.
 */
#ifndef PLUMB_STORE_SQLITE_ROW_H
#define PLUMB_STORE_SQLITE_ROW_H

#include <stddef.h>
#include "store_sqlite_db.h"

enum store_sqlite_row_kind {
	STORE_SQLITE_ROW_TEXT = 1,	/* char[] */
	STORE_SQLITE_ROW_U64,
	STORE_SQLITE_ROW_U32,		/* and enums */
	STORE_SQLITE_ROW_U8,
	STORE_SQLITE_ROW_BOOL,
	STORE_SQLITE_ROW_FIXED,		/* bytes, digests */
	STORE_SQLITE_ROW_BUF,		/* struct buf, owned by the row */
	STORE_SQLITE_ROW_TREE,		/* struct merkle */
};

struct store_sqlite_row_field {
	const char *name;
	enum store_sqlite_row_kind kind;
	size_t at, size;
};

#define STORE_SQLITE_ROW(kind, type, member) \
	{#member, STORE_SQLITE_ROW_##kind, offsetof(type, member), sizeof(((type *)0)->member)}

/* What stands for each field, comma between, in the middle of a statement. */
enum store_sqlite_row_part {
	STORE_SQLITE_ROW_NAMES = 1,	/* a,b */
	STORE_SQLITE_ROW_MARKS,		/* ?,? */
	STORE_SQLITE_ROW_SETS,		/* a=?,b=? */
	STORE_SQLITE_ROW_COLUMNS,	/* a TEXT NOT NULL,b INTEGER NOT NULL */
};
int store_sqlite_row_sql(const struct store_sqlite_row_field *f, size_t n, const char *before, enum store_sqlite_row_part part,
			 const char *after, char **ret);	/* caller frees */

void store_sqlite_row_bind(struct store_sqlite_q *q, const struct store_sqlite_row_field *f, size_t n, const void *row);
/* The fields that own memory must be empty in row before; they are the caller's to free also after a failure. */
int store_sqlite_row_load(struct store_sqlite_q *q, const struct store_sqlite_row_field *f, size_t n, void *row);

#endif
