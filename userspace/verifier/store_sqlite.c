/* SPDX-License-Identifier: Apache-2.0 */
#include "store_sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "store_sqlite_case.h"
#include "store_sqlite_db.h"
#include "store_sqlite_lines.h"
#include "store_sqlite_node.h"
#include "store_sqlite_people.h"

#define SCHEMA_VERSION 1
#define APPLICATION_ID 0x504c4d42 /* "PLMB" */
#define BUSY_MS 5000
#define TEXT_OF_(x) #x
#define TEXT_OF(x) TEXT_OF_(x)

static const char other_tables[] =
	"CREATE TABLE lines(node TEXT NOT NULL,incarnation INTEGER NOT NULL,first INTEGER NOT "
	"NULL,n INTEGER NOT NULL,data BLOB NOT NULL,PRIMARY KEY(node,incarnation,first));"
	"CREATE TABLE blob(kind TEXT NOT NULL,name TEXT NOT NULL,part INTEGER NOT NULL,data BLOB "
	"NOT NULL,PRIMARY KEY(kind,name,part));"
	"CREATE TABLE setting(name TEXT PRIMARY KEY NOT NULL,value TEXT NOT NULL);"
	"CREATE TABLE token(token BLOB PRIMARY KEY NOT NULL,label TEXT NOT NULL,expires_ns INTEGER "
	"NOT NULL,used_ns INTEGER NOT NULL);"
	"CREATE TABLE operator(key_id BLOB PRIMARY KEY NOT NULL,name TEXT NOT NULL,role INTEGER "
	"NOT NULL,spki BLOB NOT NULL,added_ns INTEGER NOT NULL,revoked INTEGER NOT NULL);"
	"CREATE TABLE orders(node TEXT NOT NULL,number INTEGER NOT NULL,envelope BLOB NOT "
	"NULL,PRIMARY KEY(node,number));"
	"CREATE TABLE message(id INTEGER PRIMARY KEY AUTOINCREMENT,target TEXT NOT NULL,node TEXT "
	"NOT NULL,body BLOB NOT NULL,tries INTEGER NOT NULL,next_ns INTEGER NOT NULL);"
	"CREATE INDEX message_node ON message(target,node,id);"
	"PRAGMA application_id=" TEXT_OF(APPLICATION_ID) ";"
							 "PRAGMA user_version=" TEXT_OF(
								 SCHEMA_VERSION) ";";

static void follow(void *ctx, const struct store_follower *f)
{
	struct store_sqlite_db *d = ctx;

	d->followed = f != NULL;
	if (f)
		d->follower = *f;
}

static void watch(void *ctx, const struct store_watcher *w)
{
	struct store_sqlite_db *d = ctx;

	d->watcher = w ? *w : (struct store_watcher){.put = NULL};
}

static void tell_end(struct store_sqlite_db *d, bool committed)
{
	if (d->followed)
		d->follower.ended(d->follower.ctx, committed);
	if (d->watcher.put)
		d->watcher.ended(d->watcher.ctx, committed);
}

static int begin(void *ctx)
{
	struct store_sqlite_db *d = ctx;
	int r = store_sqlite_db_exec(d, "BEGIN IMMEDIATE");

	if (r >= 0 && d->followed)
		d->follower.began(d->follower.ctx);
	return r;
}

/* SQLite ends a transaction by itself when the disk is full: the follower is told all the same. */
static void rollback(void *ctx)
{
	struct store_sqlite_db *d = ctx;

	if (!sqlite3_get_autocommit(d->db))
		store_sqlite_db_exec(d, "ROLLBACK");
	tell_end(d, false);
}

/* After a failure nothing of it is there. */
static int commit(void *ctx)
{
	struct store_sqlite_db *d = ctx;
	int r = sqlite3_get_autocommit(d->db) ? -EPROTO : 0;

	if (r >= 0 && d->followed)
		r = d->follower.commit(d->follower.ctx);
	if (r >= 0)
		r = store_sqlite_db_exec(d, "COMMIT");
	if (r < 0)
		rollback(ctx);
	else
		tell_end(d, true);
	return r;
}

static void close_store(void *ctx)
{
	struct store_sqlite_db *d = ctx;

	rollback(d);
	store_sqlite_db_close(d);
	free(d);
}

static const struct store_ops ops = {
	.watch = watch,
	.follow = follow,
	.begin = begin,
	.commit = commit,
	.rollback = rollback,
	.node_get = store_sqlite_node_get,
	.node_put = store_sqlite_node_put,
	.node_each = store_sqlite_node_each,
	.lines_put = store_sqlite_lines_put,
	.lines_each = store_sqlite_lines_each,
	.blob_put = store_sqlite_lines_blob_put,
	.blob_get = store_sqlite_lines_blob_get,
	.blob_append = store_sqlite_lines_blob_append,
	.blob_parts = store_sqlite_lines_blob_parts,
	.blob_parts_each = store_sqlite_lines_blob_parts_each,
	.blob_remove = store_sqlite_lines_blob_remove,
	.blob_each = store_sqlite_lines_blob_each,
	.case_put = store_sqlite_case_put,
	.case_find = store_sqlite_case_find,
	.case_get = store_sqlite_case_get,
	.case_count = store_sqlite_case_count,
	.case_each = store_sqlite_case_each,
	.order_put = store_sqlite_people_order_put,
	.order_each = store_sqlite_people_order_each,
	.token_put = store_sqlite_people_token_put,
	.token_use = store_sqlite_people_token_use,
	.operator_put = store_sqlite_people_operator_put,
	.operator_get = store_sqlite_people_operator_get,
	.operator_each = store_sqlite_people_operator_each,
	.message_put = store_sqlite_people_message_put,
	.message_next = store_sqlite_people_message_next,
	.message_done = store_sqlite_people_message_done,
	.message_retry = store_sqlite_people_message_retry,
	.message_put_off = store_sqlite_people_message_put_off,
	.message_forget = store_sqlite_people_message_forget,
	.message_trim = store_sqlite_people_message_trim,
	.message_targets = store_sqlite_people_message_targets,
	.setting_put = store_sqlite_lines_setting_put,
	.setting_get = store_sqlite_lines_setting_get,
	.close = close_store,
};

/* One number or word that a PRAGMA answers. */
static int ask(struct store_sqlite_db *d, const char *sql, char *ret, size_t room)
{
	sqlite3_stmt *stmt = NULL;
	const char *text;
	int code = sqlite3_prepare_v2(d->db, sql, -1, &stmt, NULL), r = -EIO;

	if (code == SQLITE_OK)
		code = sqlite3_step(stmt);
	if (code == SQLITE_ROW) {
		text = (const char *)sqlite3_column_text(stmt, 0);
		if (text && strlen(text) < room) {
			memcpy(ret, text, strlen(text) + 1);
			r = 0;
		}
	} else if (store_sqlite_db_error(code) < 0) {
		r = store_sqlite_db_error(code);
	}
	sqlite3_finalize(stmt);
	return r;
}

static int ask_number(struct store_sqlite_db *d, const char *sql, uint64_t *ret)
{
	char text[32];
	int r = ask(d, sql, text, sizeof(text));

	if (r >= 0)
		*ret = strtoull(text, NULL, 10);
	return r;
}

/* Inside the transaction that checks and makes the tables, so that two processes do not both make them. */
static int check_schema(struct store_sqlite_db *d, const char *path, const char *const *creates,
			size_t n_creates, struct why *ret_why)
{
	uint64_t version, application, n_tables;
	int r = ask_number(d, "PRAGMA user_version", &version);

	if (r >= 0)
		r = ask_number(d, "PRAGMA application_id", &application);
	if (r >= 0)
		r = ask_number(d, "SELECT count(*) FROM sqlite_master", &n_tables);
	if (r < 0)
		return why_set(ret_why, r, "%s: cannot be read as a database: %s", path,
			       sqlite3_errmsg(d->db));
	if (n_tables == 0) {
		for (size_t i = 0; i < n_creates && r >= 0; i++)
			r = store_sqlite_db_exec(d, creates[i]);
		return r < 0 ? why_set(ret_why, r, "%s: tables cannot be made: %s", path,
				       sqlite3_errmsg(d->db))
			     : 0;
	}
	if (application != APPLICATION_ID)
		return why_set(ret_why, -EBADMSG, "%s: is a database of another program", path);
	if (version != SCHEMA_VERSION)
		return why_set(ret_why, -EPROTONOSUPPORT,
			       "%s: has form %llu, this program knows %d: use the program that "
			       "made it, or a newer one",
			       path, (unsigned long long)version, SCHEMA_VERSION);
	return 0;
}

static int set_up(struct store_sqlite_db *d, const char *path, struct why *ret_why)
{
	CLEANUP_FREE char *node_create = NULL, *case_create = NULL;
	char mode[16] = "";
	int r;

	sqlite3_extended_result_codes(d->db, 1);
	sqlite3_busy_timeout(d->db, BUSY_MS);
	r = ask(d, "PRAGMA journal_mode=WAL", mode, sizeof(mode));
	if (r >= 0 && strcmp(mode, "wal") != 0)
		r = -EOPNOTSUPP;
	if (r >= 0)
		r = store_sqlite_db_exec(d, "PRAGMA synchronous=FULL;PRAGMA trusted_schema=OFF;"
					    "PRAGMA cell_size_check=ON");
	if (r < 0)
		return why_set(ret_why, r, "%s: WAL mode with full syncs cannot be had: %s", path,
			       sqlite3_errmsg(d->db));
	r = store_sqlite_node_prepare(d, &node_create);
	if (r >= 0)
		r = store_sqlite_case_prepare(d, &case_create);
	if (r >= 0)
		r = begin(d);
	if (r < 0)
		return why_set(ret_why, r, "%s: %s", path, strerror(-r));
	r = check_schema(d, path, (const char *const[]){node_create, case_create, other_tables}, 3,
			 ret_why);
	if (r < 0)
		rollback(d);
	else if ((r = commit(d)) < 0)
		why_set(ret_why, r, "%s: %s", path, strerror(-r));
	return r;
}

/* SQLite would make it readable to all. An existing file is not opened here: closing it would drop SQLite's own locks. */
static int make_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return errno == EEXIST ? 0 : -errno;
	close(fd);
	return 0;
}

int store_sqlite_open(const char *path, struct store *ret, struct why *ret_why)
{
	struct store_sqlite_db *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	r = make_file(path);
	if (r >= 0)
		r = store_sqlite_db_error(
			sqlite3_open_v2(path, &d->db, SQLITE_OPEN_READWRITE, NULL));
	if (r < 0)
		why_set(ret_why, r, "%s: cannot be opened: %s", path, strerror(-r));
	else
		r = set_up(d, path, ret_why);
	if (r < 0) {
		store_sqlite_db_close(d);
		free(d);
		return r;
	}
	*ret = (struct store){&ops, d};
	return 0;
}
