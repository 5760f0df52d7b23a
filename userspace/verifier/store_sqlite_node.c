/* SPDX-License-Identifier: Apache-2.0 */
#include "store_sqlite_node.h"

#include <errno.h>
#include <stdio.h>

#include "cleanup.h"
#include "store_sqlite_row.h"

enum { BY_ID, AFTER_ID, INSERT, UPDATE };

#define F(kind, member) STORE_SQLITE_ROW(kind, struct store_node, member)

/* id and version stand first and are not in the list that an update sets. */
static const struct store_sqlite_row_field fields[] = {
	F(TEXT, id),
	F(U64, version),
	F(U64, incarnation),
	F(TEXT, label),
	F(TEXT, kube_name),
	F(BUF, record),
	F(FIXED, client_key),
	F(U64, enrolled_ns),
	F(U32, life),
	F(U32, appraisal),
	F(U32, freshness),
	F(U32, containment),
	F(U64, state_since_ns),
	F(TEXT, cause),
	F(U64, deadline_ns),
	F(U64, leaving_until_ns),
	F(U64, last_order),
	F(U64, last_evidence_ns),
	F(U64, head_size),
	F(FIXED, head_root),
	F(TREE, frontier),
	F(U64, prov_size),
	F(FIXED, prov_root),
	F(U64, prov_since_ns),
	F(BOOL, prov_binding),
	F(BOOL, has_base),
	F(U64, base_size),
	F(TREE, base_frontier),
	F(FIXED, base_pcr),
	F(U32, base_reset),
	F(U32, base_restart),
	F(U64, base_clock_ms),
	F(BOOL, forked),
	F(U32, findings),
	F(U64, baseline_version),
	F(FIXED, baseline),
	F(FIXED, evidence_digest),
	F(FIXED, last_nonce),
	F(TEXT, boot_id),
};
#define N ARRAY_SIZE(fields)
#define KEYS 2

int store_sqlite_node_prepare(struct store_sqlite_db *d, char **ret_create)
{
	int r = store_sqlite_row_sql(fields, N, "CREATE TABLE node(", STORE_SQLITE_ROW_COLUMNS,
				     ",PRIMARY KEY(id))", ret_create);

	if (r >= 0)
		r = store_sqlite_row_sql(fields, N, "SELECT ", STORE_SQLITE_ROW_NAMES,
					 " FROM node WHERE id=?", &d->node_sql[BY_ID]);
	if (r >= 0)
		r = store_sqlite_row_sql(fields, N, "SELECT ", STORE_SQLITE_ROW_NAMES,
					 " FROM node WHERE id>? ORDER BY id LIMIT 1",
					 &d->node_sql[AFTER_ID]);
	if (r >= 0)
		r = store_sqlite_row_sql(fields, N, "INSERT INTO node VALUES(",
					 STORE_SQLITE_ROW_MARKS, ")", &d->node_sql[INSERT]);
	if (r >= 0)
		r = store_sqlite_row_sql(
			fields + KEYS, N - KEYS, "UPDATE node SET ", STORE_SQLITE_ROW_SETS,
			",version=version+1 WHERE id=? AND version=?", &d->node_sql[UPDATE]);
	return r;
}

static int get(struct store_sqlite_db *d, int which, const char *id, struct store_node *ret)
{
	CLEANUP(store_sqlite_db_end)
	struct store_sqlite_q q = store_sqlite_db_read(d, d->node_sql[which]);
	struct store_node n = {.version = 0};
	int r;

	store_sqlite_db_text(&q, id);
	r = store_sqlite_db_step(&q);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	r = store_sqlite_row_load(&q, fields, N, &n);
	if (r < 0) {
		store_node_done(&n);
		return r;
	}
	*ret = n;
	return 0;
}

int store_sqlite_node_get(void *ctx, const char *id, struct store_node *ret)
{
	return get(ctx, BY_ID, id, ret);
}

static int insert(struct store_sqlite_db *d, struct store_node *n)
{
	CLEANUP(store_sqlite_db_end)
	struct store_sqlite_q q = store_sqlite_db_change(d, d->node_sql[INSERT]);
	int r;

	n->version = 1;
	store_sqlite_row_bind(&q, fields, N, n);
	r = store_sqlite_db_run(&q);
	if (r < 0)
		n->version = 0;
	return r < 0 ? r : 0;
}

/* Nothing was changed: because somebody else changed it, or because it is not there? */
static int why_unchanged(struct store_sqlite_db *d, const char *id)
{
	CLEANUP(store_sqlite_db_end)
	struct store_sqlite_q q = store_sqlite_db_read(d, "SELECT version FROM node WHERE id=?");
	int r;

	store_sqlite_db_text(&q, id);
	r = store_sqlite_db_step(&q);
	if (r < 0)
		return r;
	return r > 0 ? -ESTALE : -ENOENT;
}

static int update(struct store_sqlite_db *d, struct store_node *n)
{
	CLEANUP(store_sqlite_db_end) struct store_sqlite_q q = {.stmt = NULL};
	int r;

	q = store_sqlite_db_change(d, d->node_sql[UPDATE]);
	store_sqlite_row_bind(&q, fields + KEYS, N - KEYS, n);
	store_sqlite_db_text(&q, n->id);
	store_sqlite_db_u64(&q, n->version);
	r = store_sqlite_db_run(&q);
	if (r == 0)
		return why_unchanged(d, n->id);
	if (r > 0)
		n->version++;
	return r < 0 ? r : 0;
}

int store_sqlite_node_put(void *ctx, struct store_node *n)
{
	struct store_sqlite_db *d = ctx;
	int r = n->version == 0 ? insert(d, n) : update(d, n);

	if (r >= 0 && d->watcher.put)
		d->watcher.put(d->watcher.ctx, n);
	return r;
}

/* One row at a time, by the next id: fn may change rows. */
int store_sqlite_node_each(void *ctx, int (*fn)(void *fn_ctx, const struct store_node *n),
			   void *fn_ctx)
{
	char id[sizeof(((struct store_node *)0)->id)] = "";
	struct store_node n;
	int r;

	for (;;) {
		r = get(ctx, AFTER_ID, id, &n);
		if (r < 0)
			return r == -ENOENT ? 0 : r;
		snprintf(id, sizeof(id), "%s", n.id);
		r = fn(fn_ctx, &n);
		store_node_done(&n);
		if (r != 0)
			return r;
	}
}
