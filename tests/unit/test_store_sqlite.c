/* SPDX-License-Identifier: Apache-2.0 */
/* The store keeps what was committed and nothing else; a row that changed since it was read is not overwritten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store_sqlite.h"

struct place {
	char dir[64], path[96];
	struct store s;
};

static int open_place(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	struct why why = {""};

	assert_non_null(p);
	snprintf(p->dir, sizeof(p->dir), "/tmp/plumb-store-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->path, sizeof(p->path), "%s/db", p->dir);
	assert_int_equal(store_sqlite_open(p->path, &p->s, &why), 0);
	*state = p;
	return 0;
}

static int close_place(void **state)
{
	static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
	struct place *p = *state;
	char path[128];

	if (p->s.ops)
		p->s.ops->close(p->s.ctx);
	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s%s", p->path, ends[i]);
		unlink(path);
	}
	rmdir(p->dir);
	free(p);
	return 0;
}

static void open_again(struct place *p)
{
	p->s.ops->close(p->s.ctx);
	assert_int_equal(store_sqlite_open(p->path, &p->s, NULL), 0);
}

#define DO(p, call, ...) ((p)->s.ops->call((p)->s.ctx, ##__VA_ARGS__))

static void fill_node(struct store_node *n, const char *id)
{
	struct digest leaf = {{7}};

	*n = (struct store_node){.incarnation = 3, .life = PLUMB_LIFE_ACTIVE};
	snprintf(n->id, sizeof(n->id), "%s", id);
	snprintf(n->label, sizeof(n->label), "worker-7");
	snprintf(n->cause, sizeof(n->cause), "quotes \" and ' and ü");
	snprintf(n->boot_id, sizeof(n->boot_id), "0f0e0d0c-0000-4000-8000-000000000001");
	n->appraisal = PLUMB_APPRAISAL_DEGRADED;
	n->freshness = PLUMB_FRESHNESS_SILENT;
	n->containment = PLUMB_CONTAIN_HELD;
	buf_put(&n->record, "{\"a\":\0}", 7);
	n->client_key.bytes[31] = 9;
	n->head_size = 5;
	n->prov_size = INT64_MAX;
	n->prov_binding = n->has_base = n->forked = true;
	n->base_reset = UINT32_MAX;
	n->last_nonce[0] = 255;
	merkle_init(&n->frontier);
	merkle_init(&n->base_frontier);
	for (int i = 0; i < 5; i++)
		assert_int_equal(merkle_add(&n->frontier, &leaf), 0);
}

static void test_node_comes_back(void **state)
{
	struct place *p = *state;
	struct store_node n, back;

	fill_node(&n, "aa");
	assert_int_equal(DO(p, begin), 0);
	assert_int_equal(DO(p, node_put, &n), 0);
	assert_int_equal(n.version, 1);
	assert_int_equal(DO(p, commit), 0);
	open_again(p);
	assert_int_equal(DO(p, node_get, "aa", &back), 0);
	assert_int_equal(back.version, 1);
	assert_int_equal(back.incarnation, 3);
	assert_string_equal(back.label, "worker-7");
	assert_string_equal(back.cause, n.cause);
	assert_string_equal(back.boot_id, n.boot_id);
	assert_string_equal(back.kube_name, "");
	assert_int_equal(back.life, PLUMB_LIFE_ACTIVE);
	assert_int_equal(back.appraisal, PLUMB_APPRAISAL_DEGRADED);
	assert_int_equal(back.freshness, PLUMB_FRESHNESS_SILENT);
	assert_int_equal(back.containment, PLUMB_CONTAIN_HELD);
	assert_int_equal(back.record.size, 7);
	assert_memory_equal(back.record.data, "{\"a\":\0}", 7);
	assert_memory_equal(&back.client_key, &n.client_key, 32);
	assert_int_equal(back.prov_size, INT64_MAX);
	assert_true(back.prov_binding && back.has_base && back.forked);
	assert_int_equal(back.base_reset, UINT32_MAX);
	assert_int_equal(back.frontier.size, 5);
	assert_int_equal(back.frontier.n_hashes, 2);
	assert_memory_equal(back.frontier.hashes, n.frontier.hashes, 64);
	assert_int_equal(back.last_nonce[0], 255);
	assert_int_equal(DO(p, node_get, "ab", &n), -ENOENT);
	store_node_done(&n);
	store_node_done(&back);
}

static void put_committed(struct place *p, struct store_node *n)
{
	assert_int_equal(DO(p, begin), 0);
	assert_int_equal(DO(p, node_put, n), 0);
	assert_int_equal(DO(p, commit), 0);
}

/* Two replicas read the same row: the second to write must read again, whichever of its fields changed. */
static void test_stale_row(void **state)
{
	struct place *p = *state, other = *p;
	struct store_node n, a, b;

	assert_int_equal(store_sqlite_open(p->path, &other.s, NULL), 0);
	fill_node(&n, "aa");
	put_committed(p, &n);
	assert_int_equal(DO(p, node_get, "aa", &a), 0);
	assert_int_equal(DO(&other, node_get, "aa", &b), 0);
	snprintf(a.cause, sizeof(a.cause), "first");
	put_committed(p, &a);
	assert_int_equal(a.version, 2);
	b.head_size = 99;
	assert_int_equal(DO(&other, begin), 0);
	assert_int_equal(DO(&other, node_put, &b), -ESTALE);
	assert_int_equal(b.version, 1);
	DO(&other, rollback);
	store_node_done(&b);
	assert_int_equal(DO(&other, node_get, "aa", &b), 0);
	assert_string_equal(b.cause, "first");
	assert_int_equal(b.head_size, 5);
	b.head_size = 99;
	put_committed(&other, &b);
	assert_int_equal(b.version, 3);
	/* A row that went is no row that changed. */
	snprintf(b.id, sizeof(b.id), "zz");
	assert_int_equal(DO(p, begin), 0);
	assert_int_equal(DO(p, node_put, &b), -ENOENT);
	b.version = 0;
	snprintf(b.id, sizeof(b.id), "aa");
	assert_int_equal(DO(p, node_put, &b), -EEXIST);
	assert_int_equal(b.version, 0);
	DO(p, rollback);
	other.s.ops->close(other.s.ctx);
	store_node_done(&n);
	store_node_done(&a);
	store_node_done(&b);
}

static void test_transactions(void **state)
{
	struct place *p = *state;
	struct store_node n, back;

	fill_node(&n, "aa");
	assert_int_equal(DO(p, node_put, &n), -EPROTO);
	assert_int_equal(DO(p, setting_put, "a", "b"), -EPROTO);
	assert_int_equal(DO(p, commit), -EPROTO);
	assert_int_equal(DO(p, begin), 0);
	assert_int_equal(DO(p, node_put, &n), 0);
	DO(p, rollback);
	assert_int_equal(DO(p, node_get, "aa", &back), -ENOENT);
	/* What a process that died left open is not there. */
	n.version = 0;
	assert_int_equal(DO(p, begin), 0);
	assert_int_equal(DO(p, node_put, &n), 0);
	open_again(p);
	assert_int_equal(DO(p, node_get, "aa", &back), -ENOENT);
	n.version = 0;
	n.prov_size = (uint64_t)INT64_MAX + 1;
	assert_int_equal(DO(p, begin), 0);
	assert_int_equal(DO(p, node_put, &n), -ERANGE);
	DO(p, rollback);
	store_node_done(&n);
}

struct seen {
	char text[256];
	struct place *p;
};

static int change_and_note(void *ctx, const struct store_node *n)
{
	struct seen *s = ctx;
	struct store_node copy;
	size_t used = strlen(s->text);

	snprintf(s->text + used, sizeof(s->text) - used, "%s ", n->id);
	assert_int_equal(DO(s->p, node_get, n->id, &copy), 0);
	copy.last_order++;
	assert_int_equal(DO(s->p, node_put, &copy), 0);
	store_node_done(&copy);
	return strcmp(n->id, "cc") == 0 ? 7 : 0;
}

static void test_each_node(void **state)
{
	static const char *const ids[] = {"cc", "aa", "dd", "bb"};
	struct place *p = *state;
	struct seen s = {"", p};
	struct store_node n;

	assert_int_equal(DO(p, begin), 0);
	for (int i = 0; i < 4; i++) {
		fill_node(&n, ids[i]);
		assert_int_equal(DO(p, node_put, &n), 0);
		store_node_done(&n);
	}
	assert_int_equal(DO(p, node_each, change_and_note, &s), 7);
	assert_string_equal(s.text, "aa bb cc ");
	assert_int_equal(DO(p, commit), 0);
}

static int note_line(void *ctx, uint64_t seq, const char *line, size_t size)
{
	struct seen *s = ctx;
	size_t used = strlen(s->text);

	snprintf(s->text + used, sizeof(s->text) - used, "%d=%.*s ", (int)seq, (int)size, line);
	return 0;
}

static const char *lines_of(struct place *p, uint64_t from, uint64_t to)
{
	static struct seen s;

	s.text[0] = 0;
	if (DO(p, lines_each, "aa", 1, from, to, note_line, &s) == -ENOENT)
		return "absent";
	return s.text;
}

static void test_lines(void **state)
{
	struct place *p = *state;

	assert_int_equal(DO(p, begin), 0);
	assert_int_equal(DO(p, lines_put, "aa", 1, 4, "four\n\nsix\n", 10, 3), 0);
	assert_int_equal(DO(p, lines_put, "aa", 1, 7, "seven\n", 6, 1), 0);
	assert_int_equal(DO(p, lines_put, "aa", 2, 0, "other\n", 6, 1), 0);
	assert_int_equal(DO(p, lines_put, "aa", 1, 8, "", 0, 0), 0);
	assert_int_equal(DO(p, lines_put, "aa", 1, 7, "again\n", 6, 1), -EEXIST);
	assert_int_equal(DO(p, lines_put, "aa", 1, 9, "hole\n", 5, 1), -ENOENT);
	assert_int_equal(DO(p, lines_put, "aa", 1, 8, "no end", 6, 1), -EINVAL);
	assert_int_equal(DO(p, lines_put, "aa", 1, 8, "one\ntwo\n", 8, 1), -EINVAL);
	assert_int_equal(DO(p, lines_put, "aa", 1, 8, "one\n", 4, 2), -EINVAL);
	assert_int_equal(DO(p, commit), 0);
	assert_string_equal(lines_of(p, 4, 8), "4=four 5= 6=six 7=seven ");
	assert_string_equal(lines_of(p, 5, 7), "5= 6=six ");
	assert_string_equal(lines_of(p, 7, 8), "7=seven ");
	assert_string_equal(lines_of(p, 6, 6), "");
	assert_string_equal(lines_of(p, 3, 5), "absent");
	assert_string_equal(lines_of(p, 7, 9), "absent");
}

static void test_blobs_and_settings(void **state)
{
	struct place *p = *state;
	struct buf b = {0};

	assert_int_equal(DO(p, blob_get, "anchors", "aa", &b), -ENOENT);
	assert_int_equal(DO(p, begin), 0);
	assert_int_equal(DO(p, blob_append, "anchors", "aa", "one\0", 4), 0);
	assert_int_equal(DO(p, blob_append, "anchors", "aa", "two", 3), 0);
	assert_int_equal(DO(p, blob_append, "anchors", "bb", "no", 2), 0);
	assert_int_equal(DO(p, blob_put, "empty", "aa", NULL, 0), 0);
	assert_int_equal(DO(p, setting_put, "name", "old"), 0);
	assert_int_equal(DO(p, setting_put, "name", "new"), 0);
	assert_int_equal(DO(p, commit), 0);
	assert_int_equal(DO(p, blob_get, "anchors", "aa", &b), 0);
	assert_int_equal(b.size, 7);
	assert_memory_equal(b.data, "one\0two", 7);
	assert_int_equal(DO(p, blob_get, "empty", "aa", &b), 0);
	assert_int_equal(b.size, 7);
	assert_int_equal(DO(p, begin), 0);
	assert_int_equal(DO(p, blob_put, "anchors", "aa", "three", 5), 0);
	assert_int_equal(DO(p, commit), 0);
	buf_clear(&b);
	assert_int_equal(DO(p, blob_get, "anchors", "aa", &b), 0);
	assert_int_equal(b.size, 5);
	/* What does not fit leaves the caller's bytes as they were. */
	b.max = 8;
	assert_int_equal(DO(p, blob_get, "anchors", "aa", &b), -E2BIG);
	buf_done(&b);
	assert_int_equal(DO(p, setting_get, "name", &b), 0);
	assert_string_equal((char *)b.data, "new");
	assert_int_equal(DO(p, setting_get, "none", &b), -ENOENT);
	buf_done(&b);
}

static void fill_case(struct store_case *c, const char *node, const char *scope, const char *key)
{
	*c = (struct store_case){.severity = PLUMB_SEVERITY_HIGH, .armed = true, .release = 2};
	snprintf(c->node, sizeof(c->node), "%s", node);
	snprintf(c->rule, sizeof(c->rule), "R-1");
	snprintf(c->scope, sizeof(c->scope), "%s", scope);
	snprintf(c->key, sizeof(c->key), "%s", key);
	c->opened_ns = 100;
}

static int count_case(void *ctx, const struct store_case *c)
{
	struct seen *s = ctx;
	size_t used = strlen(s->text);

	snprintf(s->text + used, sizeof(s->text) - used, "%d ", (int)c->id);
	return 0;
}

static const char *cases_of(struct place *p, const char *node, bool open_only)
{
	static struct seen s;

	s.text[0] = 0;
	assert_int_equal(DO(p, case_each, node, open_only, count_case, &s), 0);
	return s.text;
}

static void test_cases(void **state)
{
	struct place *p = *state;
	struct store_case c, again, back;

	assert_int_equal(DO(p, begin), 0);
	fill_case(&c, "aa", "host", "file:/etc/x");
	assert_int_equal(DO(p, case_put, &c), 0);
	assert_int_equal(c.id, 1);
	fill_case(&again, "aa", "host", "file:/etc/x");
	assert_int_equal(DO(p, case_put, &again), -EEXIST);
	assert_int_equal(again.id, 0);
	fill_case(&again, "aa", "image:1", "file:/etc/x");
	assert_int_equal(DO(p, case_put, &again), 0);
	fill_case(&again, "bb", "host", "file:/etc/x");
	assert_int_equal(DO(p, case_put, &again), 0);
	assert_int_equal(DO(p, case_find, "aa", "R-1", "host", "file:/etc/x", &back), 0);
	assert_int_equal(back.id, 1);
	assert_true(back.armed);
	assert_int_equal(back.release, 2);
	assert_int_equal(back.severity, PLUMB_SEVERITY_HIGH);
	c.closed_ns = 200;
	c.count = 5;
	assert_int_equal(DO(p, case_put, &c), 0);
	assert_int_equal(DO(p, case_find, "aa", "R-1", "host", "file:/etc/x", &back), -ENOENT);
	assert_int_equal(DO(p, case_get, 1, &back), 0);
	assert_int_equal(back.count, 5);
	/* Once it is closed the same drift opens another. */
	fill_case(&c, "aa", "host", "file:/etc/x");
	assert_int_equal(DO(p, case_put, &c), 0);
	c.id = 77;
	assert_int_equal(DO(p, case_put, &c), -ENOENT);
	assert_int_equal(DO(p, commit), 0);
	assert_string_equal(cases_of(p, NULL, false), "1 2 3 4 ");
	assert_string_equal(cases_of(p, NULL, true), "2 3 4 ");
	assert_string_equal(cases_of(p, "aa", false), "1 2 4 ");
	assert_string_equal(cases_of(p, "aa", true), "2 4 ");
	assert_string_equal(cases_of(p, "cc", true), "");
}

static void test_tokens_once(void **state)
{
	struct place *p = *state;
	struct digest a = {{1}}, b = {{2}};
	char label[254] = "untouched";

	assert_int_equal(DO(p, begin), 0);
	assert_int_equal(DO(p, token_put, &a, "worker-7", 1000), 0);
	assert_int_equal(DO(p, token_put, &a, "again", 1000), -EEXIST);
	assert_int_equal(DO(p, commit), 0);
	assert_int_equal(DO(p, token_use, &a, 999, label), -EPROTO);
	assert_int_equal(DO(p, begin), 0);
	assert_int_equal(DO(p, token_use, &b, 0, label), -ENOENT);
	assert_int_equal(DO(p, token_use, &a, 1000, label), -EKEYEXPIRED);
	assert_string_equal(label, "untouched");
	assert_int_equal(DO(p, token_use, &a, 0, label), 0);
	assert_string_equal(label, "worker-7");
	assert_int_equal(DO(p, token_use, &a, 0, label), -ENOENT);
	DO(p, rollback);
	assert_int_equal(DO(p, begin), 0);
	assert_int_equal(DO(p, token_use, &a, 999, label), 0);
	assert_int_equal(DO(p, commit), 0);
	open_again(p);
	assert_int_equal(DO(p, begin), 0);
	assert_int_equal(DO(p, token_use, &a, 999, label), -ENOENT);
	DO(p, rollback);
}

static int first_operator(void *ctx, const struct store_operator *o)
{
	snprintf(ctx, 128, "%s", o->name);
	return 1;
}

static void test_operators(void **state)
{
	struct place *p = *state;
	struct store_operator o = {.role = PLUMB_ROLE_APPROVER, .key_id = {{4}}}, back;
	char name[128] = "";

	snprintf(o.name, sizeof(o.name), "zoe");
	buf_put(&o.spki, "spki", 4);
	assert_int_equal(DO(p, begin), 0);
	assert_int_equal(DO(p, operator_put, &o), 0);
	o.revoked = true;
	assert_int_equal(DO(p, operator_put, &o), 0);
	o.key_id.bytes[0] = 5;
	snprintf(o.name, sizeof(o.name), "ann");
	assert_int_equal(DO(p, operator_put, &o), 0);
	assert_int_equal(DO(p, commit), 0);
	o.key_id.bytes[0] = 4;
	assert_int_equal(DO(p, operator_get, &o.key_id, &back), 0);
	assert_true(back.revoked);
	assert_string_equal(back.name, "zoe");
	assert_int_equal(back.spki.size, 4);
	store_operator_done(&back);
	assert_int_equal(DO(p, operator_each, first_operator, name), 1);
	assert_string_equal(name, "ann");
	o.key_id.bytes[0] = 6;
	assert_int_equal(DO(p, operator_get, &o.key_id, &back), -ENOENT);
	store_operator_done(&o);
}

static int note_order(void *ctx, uint64_t number, const void *envelope, size_t size)
{
	return note_line(ctx, number, envelope, size);
}

static void test_orders(void **state)
{
	struct place *p = *state;
	struct seen s = {"", p};

	assert_int_equal(DO(p, begin), 0);
	assert_int_equal(DO(p, order_put, "aa", 2, "two", 3), 0);
	assert_int_equal(DO(p, order_put, "aa", 1, "one", 3), 0);
	assert_int_equal(DO(p, order_put, "aa", 2, "fake", 4), -EEXIST);
	assert_int_equal(DO(p, order_put, "bb", 2, "other", 5), 0);
	assert_int_equal(DO(p, order_put, "aa", 3, "three", 5), 0);
	assert_int_equal(DO(p, commit), 0);
	assert_int_equal(DO(p, order_each, "aa", 1, note_order, &s), 0);
	assert_string_equal(s.text, "2=two 3=three ");
}

static uint64_t next_message(struct place *p, uint64_t now)
{
	struct store_message m;
	uint64_t id;

	if (DO(p, message_next, "webhook:0", now, &m) < 0)
		return 0;
	id = m.id;
	store_message_done(&m);
	return id;
}

static void put_message(struct place *p, const char *target, const char *node)
{
	struct store_message m = {.next_ns = 10};

	snprintf(m.target, sizeof(m.target), "%s", target);
	snprintf(m.node, sizeof(m.node), "%s", node);
	buf_puts(&m.body, "body");
	assert_int_equal(DO(p, message_put, &m), 0);
	store_message_done(&m);
}

/* A node's second message waits for the first, also while that waits for its next try; other nodes do not. */
static void test_outbox_order(void **state)
{
	struct place *p = *state;

	assert_int_equal(DO(p, begin), 0);
	put_message(p, "webhook:0", "aa"); /* 1 */
	put_message(p, "webhook:0", "aa"); /* 2 */
	put_message(p, "kube", "aa"); /* 3 */
	put_message(p, "webhook:0", "bb"); /* 4 */
	assert_int_equal(next_message(p, 9), 0);
	assert_int_equal(next_message(p, 10), 1);
	assert_int_equal(DO(p, message_retry, 1, 50), 0);
	assert_int_equal(next_message(p, 10), 4);
	assert_int_equal(DO(p, message_done, 4), 0);
	assert_int_equal(next_message(p, 49), 0);
	assert_int_equal(next_message(p, 50), 1);
	assert_int_equal(DO(p, message_done, 1), 0);
	assert_int_equal(DO(p, message_done, 1), -ENOENT);
	assert_int_equal(DO(p, message_retry, 1, 2), -ENOENT);
	assert_int_equal(DO(p, message_put_off, 1, 2), -ENOENT);
	assert_int_equal(next_message(p, 10), 2);
	assert_int_equal(DO(p, commit), 0);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void change(const char *path, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/* Broken twins: no database, another program's, another version's, rows that we did not write. */
static void test_foreign_files(void **state)
{
	struct place *p = *state;
	struct why why = {""};
	struct store other;
	struct store_node n;
	struct stat st;
	char path[128];

	assert_int_equal(stat(p->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	snprintf(path, sizeof(path), "%s/none/db", p->dir);
	assert_int_equal(store_sqlite_open(path, &other, &why), -ENOENT);
	snprintf(path, sizeof(path), "%s/other", p->dir);
	write_file(path, "this is a text file, long enough that it cannot be mistaken for an empty "
			 "database, which SQLite would gladly take for one of its own making");
	assert_int_equal(store_sqlite_open(path, &other, &why), -EBADMSG);
	assert_non_null(strstr(why.text, path));
	unlink(path);
	change(path, "CREATE TABLE shopping(item)");
	assert_int_equal(store_sqlite_open(path, &other, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "another program"));
	snprintf(path, sizeof(path), "rm -f %s/other*", p->dir);
	assert_int_equal(system(path), 0);

	fill_node(&n, "aa");
	put_committed(p, &n);
	store_node_done(&n);
	change(p->path, "UPDATE node SET frontier=x'00'");
	assert_int_equal(DO(p, node_get, "aa", &n), -EIO);
	change(p->path, "UPDATE node SET frontier=x'0000000000000000',prov_binding=2");
	assert_int_equal(DO(p, node_get, "aa", &n), -EIO);
	change(p->path, "UPDATE node SET prov_binding=1,base_reset=-1");
	assert_int_equal(DO(p, node_get, "aa", &n), -EIO);
	change(p->path, "UPDATE node SET base_reset=1,boot_id=hex(zeroblob(40))");
	assert_int_equal(DO(p, node_get, "aa", &n), -EIO);
	change(p->path, "UPDATE node SET boot_id='',client_key=x'01'");
	assert_int_equal(DO(p, node_get, "aa", &n), -EIO);
	change(p->path, "UPDATE node SET client_key=zeroblob(32)");
	assert_int_equal(DO(p, node_get, "aa", &n), 0);
	store_node_done(&n);
	change(p->path, "PRAGMA user_version=2");
	assert_int_equal(store_sqlite_open(p->path, &other, &why), -EPROTONOSUPPORT);
	assert_non_null(strstr(why.text, "form 2"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_place, close_place)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_node_comes_back), TEST(test_stale_row),    TEST(test_transactions),
		TEST(test_each_node),	    TEST(test_lines),	     TEST(test_blobs_and_settings),
		TEST(test_cases),	    TEST(test_tokens_once),  TEST(test_operators),
		TEST(test_orders),	    TEST(test_outbox_order), TEST(test_foreign_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
