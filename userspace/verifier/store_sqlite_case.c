/* SPDX-License-Identifier: Apache-2.0 */
#include "store_sqlite_case.h"

#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "store_sqlite_row.h"

/* EACH + 1: open ones, + 2: of one node, + 3: both */
enum { BY_ID, FIND, INSERT, UPDATE, EACH, N_SQL = EACH + 4 };

#define F(kind, member) STORE_SQLITE_ROW(kind, struct store_case, member)

static const struct store_sqlite_row_field fields[] = {
	F(U64, id),	   F(TEXT, node),	 F(U64, incarnation),  F(TEXT, rule),
	F(TEXT, key),	   F(TEXT, scope),	 F(TEXT, expected),    F(TEXT, found),
	F(TEXT, who),	   F(U32, type),	 F(U32, finding),      F(U32, severity),
	F(U32, action),	   F(BOOL, armed),	 F(BOOL, provisional), F(U64, first_seq),
	F(U64, last_seq),  F(U64, count),	 F(U64, opened_ns),    F(U64, last_ns),
	F(U64, closed_ns), F(TEXT, closed_why),	 F(U8, release),       F(U32, score),
	F(U64, grace_ms),  F(U32, opened_reset), F(TEXT, ack_by),
};
#define N ARRAY_SIZE(fields)

static const struct {
	const char *before;
	enum store_sqlite_row_part part;
	const char *after;
	size_t skip; /* 1: without the id */
} texts[N_SQL] = {
	[BY_ID] = {"SELECT ", STORE_SQLITE_ROW_NAMES, " FROM cases WHERE id=?", 0},
	[FIND] = {"SELECT ", STORE_SQLITE_ROW_NAMES,
		  " FROM cases WHERE node=? AND rule=? AND scope=? AND key=? AND closed_ns=0", 0},
	[INSERT] = {"INSERT INTO cases VALUES(NULL,", STORE_SQLITE_ROW_MARKS, ")", 1},
	[UPDATE] = {"UPDATE cases SET ", STORE_SQLITE_ROW_SETS, " WHERE id=?", 1},
	[EACH] = {"SELECT ", STORE_SQLITE_ROW_NAMES, " FROM cases WHERE id>? ORDER BY id LIMIT 1",
		  0},
	[EACH + 1] = {"SELECT ", STORE_SQLITE_ROW_NAMES,
		      " FROM cases WHERE id>? AND closed_ns=0 ORDER BY id LIMIT 1", 0},
	[EACH + 2] = {"SELECT ", STORE_SQLITE_ROW_NAMES,
		      " FROM cases WHERE id>? AND node=? ORDER BY id LIMIT 1", 0},
	[EACH + 3] = {"SELECT ", STORE_SQLITE_ROW_NAMES,
		      " FROM cases WHERE id>? AND node=? AND closed_ns=0 ORDER BY id LIMIT 1", 0},
};

int store_sqlite_case_prepare(struct store_sqlite_db *d, char **ret_create)
{
	int r = 0;

	for (size_t i = 0; i < N_SQL && r >= 0; i++)
		r = store_sqlite_row_sql(fields + texts[i].skip, N - texts[i].skip, texts[i].before,
					 texts[i].part, texts[i].after, &d->case_sql[i]);
	if (r >= 0)
		r = store_sqlite_row_sql(
			fields + 1, N - 1,
			"CREATE TABLE cases(id INTEGER PRIMARY KEY AUTOINCREMENT,",
			STORE_SQLITE_ROW_COLUMNS,
			");CREATE UNIQUE INDEX cases_open ON cases(node,rule,scope,key) WHERE "
			"closed_ns=0;CREATE INDEX cases_all_open ON cases(id) WHERE closed_ns=0;"
			"CREATE INDEX cases_node ON cases(node,id)",
			ret_create);
	return r;
}

int store_sqlite_case_put(void *ctx, struct store_case *c)
{
	CLEANUP(store_sqlite_db_end) struct store_sqlite_q q = {.stmt = NULL};
	struct store_sqlite_db *d = ctx;
	int r;

	q = store_sqlite_db_change(d, d->case_sql[c->id ? UPDATE : INSERT]);
	store_sqlite_row_bind(&q, fields + 1, N - 1, c);
	if (c->id)
		store_sqlite_db_u64(&q, c->id);
	r = store_sqlite_db_run(&q);
	if (r < 0)
		return r;
	if (c->id && r == 0)
		return -ENOENT;
	if (!c->id)
		c->id = (uint64_t)sqlite3_last_insert_rowid(d->db);
	return 0;
}

static int load_one(struct store_sqlite_q *q, struct store_case *ret)
{
	struct store_case c; /* large: wiped only where there is a row */
	int r = store_sqlite_db_step(q);

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	memset(&c, 0, sizeof(c));
	r = store_sqlite_row_load(q, fields, N, &c);
	if (r >= 0)
		*ret = c;
	return r;
}

int store_sqlite_case_find(void *ctx, const char *node, const char *rule, const char *scope,
			   const char *key, struct store_case *ret)
{
	struct store_sqlite_db *d = ctx;
	CLEANUP(store_sqlite_db_end)
	struct store_sqlite_q q = store_sqlite_db_read(d, d->case_sql[FIND]);

	store_sqlite_db_text(&q, node);
	store_sqlite_db_text(&q, rule);
	store_sqlite_db_text(&q, scope);
	store_sqlite_db_text(&q, key);
	return load_one(&q, ret);
}

int store_sqlite_case_get(void *ctx, uint64_t id, struct store_case *ret)
{
	struct store_sqlite_db *d = ctx;
	CLEANUP(store_sqlite_db_end)
	struct store_sqlite_q q = store_sqlite_db_read(d, d->case_sql[BY_ID]);

	store_sqlite_db_u64(&q, id);
	return load_one(&q, ret);
}

int store_sqlite_case_count(void *ctx, const char *node, uint64_t *ret)
{
	CLEANUP(store_sqlite_db_end)
	struct store_sqlite_q q = store_sqlite_db_read(
		ctx, "SELECT count(*) FROM cases WHERE node=? AND closed_ns=0");
	int r;

	store_sqlite_db_text(&q, node);
	r = store_sqlite_db_step(&q);
	if (r > 0)
		r = store_sqlite_db_get_u64(&q, ret);
	return r < 0 ? r : 0;
}

static int next(struct store_sqlite_db *d, int which, uint64_t after, const char *node,
		struct store_case *ret)
{
	CLEANUP(store_sqlite_db_end)
	struct store_sqlite_q q = store_sqlite_db_read(d, d->case_sql[which]);

	store_sqlite_db_u64(&q, after);
	if (node)
		store_sqlite_db_text(&q, node);
	return load_one(&q, ret);
}

/* One row at a time, by the next id: fn may change rows. */
int store_sqlite_case_each(void *ctx, const char *node, bool open_only,
			   int (*fn)(void *fn_ctx, const struct store_case *c), void *fn_ctx)
{
	struct store_case c;
	uint64_t after = 0;
	int r;

	for (;;) {
		r = next(ctx, EACH + open_only + 2 * (node != NULL), after, node, &c);
		if (r < 0)
			return r == -ENOENT ? 0 : r;
		after = c.id;
		r = fn(fn_ctx, &c);
		if (r != 0)
			return r;
	}
}
