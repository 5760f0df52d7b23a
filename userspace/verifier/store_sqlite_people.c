/* SPDX-License-Identifier: Apache-2.0 */
#include "store_sqlite_people.h"

#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "store_sqlite_row.h"

#define F(kind, member) STORE_SQLITE_ROW(kind, struct store_operator, member)
#define MAX_PUT_OFF_NS (600ull * 1000000000)
#define OPERATOR_COLUMNS "key_id,name,role,spki,added_ns,revoked"

static const struct store_sqlite_row_field fields[] = {
	F(FIXED, key_id), F(TEXT, name),    F(U32, role),
	F(BUF, spki),	  F(U64, added_ns), F(BOOL, revoked),
};

/* To the end; 0, or -ENOENT when it had to change a row and changed none. */
static int run(struct store_sqlite_q *q, bool must)
{
	int r = store_sqlite_db_run(q);

	if (r < 0)
		return r;
	return must && r == 0 ? -ENOENT : 0;
}

int store_sqlite_people_token_put(void *ctx, const struct digest *token, const char *label,
				  uint64_t expires_ns)
{
	CLEANUP(store_sqlite_db_end)
	struct store_sqlite_q q = store_sqlite_db_change(
		ctx, "INSERT INTO token(token,label,expires_ns,used_ns) VALUES(?,?,?,0)");

	store_sqlite_db_blob(&q, token->bytes, DIGEST_SIZE);
	store_sqlite_db_text(&q, label);
	store_sqlite_db_u64(&q, expires_ns);
	return run(&q, false);
}

static int token_get(struct store_sqlite_db *d, const struct digest *token, uint64_t *ret_expires,
		     char ret_label[254])
{
	CLEANUP(store_sqlite_db_end)
	struct store_sqlite_q q = store_sqlite_db_read(
		d, "SELECT expires_ns,label FROM token WHERE token=? AND used_ns=0");
	int r;

	store_sqlite_db_blob(&q, token->bytes, DIGEST_SIZE);
	r = store_sqlite_db_step(&q);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	r = store_sqlite_db_get_u64(&q, ret_expires);
	return r < 0 ? r : store_sqlite_db_get_text(&q, ret_label, 254);
}

int store_sqlite_people_token_use(void *ctx, const struct digest *token, uint64_t now_ns,
				  char ret_label[254])
{
	/* used_ns 0 means unused, whatever the clock says. */
	uint64_t used_ns = now_ns ? now_ns : 1, expires_ns;
	CLEANUP(store_sqlite_db_end)
	struct store_sqlite_q q = store_sqlite_db_change(
		ctx, "UPDATE token SET used_ns=? WHERE token=? AND used_ns=0");
	char label[254];
	int r = q.error ? q.error : token_get(ctx, token, &expires_ns, label);

	if (r < 0)
		return r;
	if (now_ns >= expires_ns)
		return -EKEYEXPIRED;
	store_sqlite_db_u64(&q, used_ns);
	store_sqlite_db_blob(&q, token->bytes, DIGEST_SIZE);
	r = run(&q, true);
	if (r >= 0)
		memcpy(ret_label, label, sizeof(label));
	return r;
}

int store_sqlite_people_operator_put(void *ctx, const struct store_operator *o)
{
	CLEANUP(store_sqlite_db_end)
	struct store_sqlite_q q = store_sqlite_db_change(
		ctx, "INSERT OR REPLACE INTO operator(" OPERATOR_COLUMNS ") VALUES(?,?,?,?,?,?)");

	store_sqlite_row_bind(&q, fields, ARRAY_SIZE(fields), o);
	return run(&q, false);
}

static int operator_load(struct store_sqlite_q *q, struct store_operator *ret)
{
	struct store_operator o = {.added_ns = 0};
	int r = store_sqlite_db_step(q);

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	r = store_sqlite_row_load(q, fields, ARRAY_SIZE(fields), &o);
	if (r < 0)
		store_operator_done(&o);
	else
		*ret = o;
	return r;
}

int store_sqlite_people_operator_get(void *ctx, const struct digest *key_id,
				     struct store_operator *ret)
{
	CLEANUP(store_sqlite_db_end)
	struct store_sqlite_q q = store_sqlite_db_read(ctx, "SELECT " OPERATOR_COLUMNS
							    " FROM operator WHERE key_id=?");

	store_sqlite_db_blob(&q, key_id->bytes, DIGEST_SIZE);
	return operator_load(&q, ret);
}

int store_sqlite_people_operator_each(void *ctx,
				      int (*fn)(void *fn_ctx, const struct store_operator *o),
				      void *fn_ctx)
{
	CLEANUP(store_sqlite_db_end)
	struct store_sqlite_q q = store_sqlite_db_read(ctx, "SELECT " OPERATOR_COLUMNS
							    " FROM operator ORDER BY name,key_id");
	struct store_operator o;
	int r;

	for (;;) {
		r = operator_load(&q, &o);
		if (r < 0)
			return r == -ENOENT ? 0 : r;
		r = fn(fn_ctx, &o);
		store_operator_done(&o);
		if (r != 0)
			return r;
	}
}

int store_sqlite_people_order_put(void *ctx, const char *node, uint64_t number,
				  const void *envelope, size_t size)
{
	CLEANUP(store_sqlite_db_end)
	struct store_sqlite_q q = store_sqlite_db_change(
		ctx, "INSERT INTO orders(node,number,envelope) VALUES(?,?,?)");

	store_sqlite_db_text(&q, node);
	store_sqlite_db_u64(&q, number);
	store_sqlite_db_blob(&q, envelope, size);
	return run(&q, false);
}

int store_sqlite_people_order_each(void *ctx, const char *node, uint64_t above,
				   int (*fn)(void *fn_ctx, uint64_t number, const void *envelope,
					     size_t size),
				   void *fn_ctx)
{
	CLEANUP(store_sqlite_db_end)
	struct store_sqlite_q q = store_sqlite_db_read(
		ctx,
		"SELECT number,envelope FROM orders WHERE node=? AND number>? ORDER BY number");
	struct buf_view v;
	uint64_t number;
	int r;

	store_sqlite_db_text(&q, node);
	store_sqlite_db_u64(&q, above);
	while ((r = store_sqlite_db_step(&q)) > 0) {
		r = store_sqlite_db_get_u64(&q, &number);
		if (r >= 0)
			r = store_sqlite_db_get_view(&q, &v);
		if (r >= 0)
			r = fn(fn_ctx, number, v.data, v.size);
		if (r != 0)
			return r;
	}
	return r;
}

int store_sqlite_people_message_put(void *ctx, const struct store_message *m)
{
	CLEANUP(store_sqlite_db_end)
	struct store_sqlite_q q = store_sqlite_db_change(
		ctx, "INSERT INTO message(target,node,body,tries,next_ns) VALUES(?,?,?,?,?)");

	store_sqlite_db_text(&q, m->target);
	store_sqlite_db_text(&q, m->node);
	store_sqlite_db_blob(&q, m->body.data, m->body.size);
	store_sqlite_db_u64(&q, m->tries);
	store_sqlite_db_u64(&q, m->next_ns);
	return run(&q, false);
}

/* Only the oldest of a node can be next, so a node's messages never overtake one another. */
int store_sqlite_people_message_next(void *ctx, const char *target, uint64_t now_ns,
				     struct store_message *ret)
{
	CLEANUP(store_sqlite_db_end)
	struct store_sqlite_q q = store_sqlite_db_read(
		ctx, "SELECT id,target,node,body,tries,next_ns FROM message AS m WHERE target=? "
		     "AND (next_ns<=? OR next_ns>?) AND NOT EXISTS(SELECT 1 FROM message WHERE "
		     "target=m.target AND node=m.node AND id<m.id) ORDER BY id LIMIT 1");
	static const struct store_sqlite_row_field columns[] = {
		STORE_SQLITE_ROW(U64, struct store_message, id),
		STORE_SQLITE_ROW(TEXT, struct store_message, target),
		STORE_SQLITE_ROW(TEXT, struct store_message, node),
		STORE_SQLITE_ROW(BUF, struct store_message, body),
		STORE_SQLITE_ROW(U32, struct store_message, tries),
		STORE_SQLITE_ROW(U64, struct store_message, next_ns),
	};
	struct store_message m = {.id = 0};
	int r;

	store_sqlite_db_text(&q, target);
	store_sqlite_db_u64(&q, now_ns);
	store_sqlite_db_u64(&q, now_ns + MAX_PUT_OFF_NS);
	r = store_sqlite_db_step(&q);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	r = store_sqlite_row_load(&q, columns, ARRAY_SIZE(columns), &m);
	if (r < 0)
		store_message_done(&m);
	else
		*ret = m;
	return r;
}

int store_sqlite_people_message_done(void *ctx, uint64_t id)
{
	CLEANUP(store_sqlite_db_end)
	struct store_sqlite_q q = store_sqlite_db_change(ctx, "DELETE FROM message WHERE id=?");

	store_sqlite_db_u64(&q, id);
	return run(&q, true);
}

int store_sqlite_people_message_retry(void *ctx, uint64_t id, uint64_t next_ns)
{
	CLEANUP(store_sqlite_db_end)
	struct store_sqlite_q q = store_sqlite_db_change(
		ctx, "UPDATE message SET tries=tries+1,next_ns=? WHERE id=?");

	store_sqlite_db_u64(&q, next_ns);
	store_sqlite_db_u64(&q, id);
	return run(&q, true);
}

int store_sqlite_people_message_put_off(void *ctx, uint64_t id, uint64_t next_ns)
{
	CLEANUP(store_sqlite_db_end)
	struct store_sqlite_q q =
		store_sqlite_db_change(ctx, "UPDATE message SET next_ns=? WHERE id=?");

	store_sqlite_db_u64(&q, next_ns);
	store_sqlite_db_u64(&q, id);
	return run(&q, true);
}

int store_sqlite_people_message_forget(void *ctx, const char *target, const char *node)
{
	CLEANUP(store_sqlite_db_end)
	struct store_sqlite_q q =
		store_sqlite_db_change(ctx, node ? "DELETE FROM message WHERE target=? AND node=?"
						 : "DELETE FROM message WHERE target=?");

	store_sqlite_db_text(&q, target);
	if (node)
		store_sqlite_db_text(&q, node);
	return store_sqlite_db_run(&q);
}

static int count_messages(void *ctx, const char *target, uint64_t *ret)
{
	CLEANUP(store_sqlite_db_end)
	struct store_sqlite_q q =
		store_sqlite_db_read(ctx, "SELECT count(*) FROM message WHERE target=?");
	int r;

	store_sqlite_db_text(&q, target);
	r = store_sqlite_db_step(&q);
	if (r <= 0)
		return r < 0 ? r : -EIO;
	return store_sqlite_db_get_u64(&q, ret);
}

/* Counted along the index, then the few that go are found by walking the table from its oldest row on. */
int store_sqlite_people_message_trim(void *ctx, const char *target, uint32_t keep)
{
	CLEANUP(store_sqlite_db_end)
	struct store_sqlite_q q = store_sqlite_db_change(
		ctx, "DELETE FROM message WHERE id IN (SELECT id FROM message NOT INDEXED WHERE "
		     "target=? ORDER BY id LIMIT ?)");
	uint64_t n = 0;
	int r = count_messages(ctx, target, &n);

	if (r < 0)
		return r;
	store_sqlite_db_text(&q, target);
	store_sqlite_db_u64(&q, n > keep ? n - keep : 0);
	return store_sqlite_db_run(&q);
}

int store_sqlite_people_message_targets(void *ctx,
					int (*fn)(void *fn_ctx, const char *target, uint64_t n),
					void *fn_ctx)
{
	static const struct store_sqlite_row_field columns[] = {
		STORE_SQLITE_ROW(TEXT, struct store_message, target),
		STORE_SQLITE_ROW(U64, struct store_message, id), /* stands for the count */
	};
	CLEANUP(store_sqlite_db_end)
	struct store_sqlite_q q = store_sqlite_db_read(
		ctx, "SELECT target,count(*) FROM message GROUP BY target ORDER BY target");
	struct store_message m = {.id = 0};
	int r;

	while ((r = store_sqlite_db_step(&q)) > 0) {
		r = store_sqlite_row_load(&q, columns, ARRAY_SIZE(columns), &m);
		if (r >= 0)
			r = fn(fn_ctx, m.target, m.id);
		if (r != 0)
			return r;
	}
	return r;
}
