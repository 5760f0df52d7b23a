/* SPDX-License-Identifier: Apache-2.0 */
/* A ledger in pieces: what the verifier's route gives, however small the pieces, is what plumbctl makes a directory of that checks. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api_fixture.h"
#include "jsonl.h"
#include "ledger_check.h"
#include "ledger_dir.h"
#include "ledger_fixture.h"
#include "plumb/wire.h"
#include "record.h"
#include "remote_ledger.h"

#define MAX_FILE (1u << 20)

static struct api_fixture f;
static struct store_node n;
static struct why why;
static char dir[] = "/tmp/plumb-test-pieces-XXXXXX", from[64], to[64];
static int asked; /* requests so far */
static int renew_at; /* the node is enrolled anew before the request of that number */

static int on_line(void *ctx, uint64_t seq, const char *line, size_t size)
{
	struct buf text = {0};
	struct digest leaf;

	(void)ctx;
	buf_put(&text, line, size);
	buf_puts(&text, "\n");
	assert_int_equal(f.store.ops->lines_put(f.store.ctx, n.id, n.incarnation, seq, text.data,
						text.size, 1),
			 0);
	assert_int_equal(merkle_leaf(line, size, &leaf), 0);
	assert_int_equal(merkle_add(&n.frontier, &leaf), 0);
	buf_done(&text);
	return 0;
}

static void read_one(const char *where, const char *name, struct buf *ret)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", where, name);
	assert_int_equal(fsio_read_file(fsio_system(), path, MAX_FILE, ret), 0);
}

/* As evidence after evidence brought it. */
static void append(const char *kind, const void *data, size_t size)
{
	char name[96];

	snprintf(name, sizeof(name), "%s/%llu", n.id, (unsigned long long)n.incarnation);
	for (size_t at = 0; at < size; at += 100)
		assert_int_equal(f.store.ops->blob_append(f.store.ctx, kind, name,
							  (const char *)data + at,
							  size - at < 100 ? size - at : 100),
				 0);
}

/* The fixture's ledger as one of a node's. */
static void keep_story(void)
{
	const size_t magic = strlen(LEDGER_ANCHORS_MAGIC);
	struct buf anchors = {0}, notes = {0};
	struct record r;

	ledger_fixture_story(from);
	read_one(from, "record.json", &n.record);
	read_one(from, "anchors", &anchors);
	read_one(from, "notes", &notes);
	assert_int_equal(record_parse(n.record.data, n.record.size, &r, &why), 0);
	strcpy(n.id, r.node);
	strcpy(n.label, "one");
	n.incarnation = r.incarnation;
	n.life = PLUMB_LIFE_ENROLLED;
	record_done(&r);
	assert_int_equal(f.store.ops->begin(f.store.ctx), 0);
	assert_int_equal(ledger_check_each(fsio_system(), from, 0, on_line, NULL, &why), 0);
	append("anchors", anchors.data + magic, anchors.size - magic);
	append("notes", notes.data, notes.size);
	assert_int_equal(f.store.ops->node_put(f.store.ctx, &n), 0);
	assert_int_equal(f.store.ops->commit(f.store.ctx), 0);
	buf_done(&anchors);
	buf_done(&notes);
}

static int setup(void **state)
{
	(void)state;
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(from, sizeof(from), "%s/from", dir);
	snprintf(to, sizeof(to), "%s/to", dir);
	n = (struct store_node){.incarnation = 0};
	asked = renew_at = 0;
	api_fixture_open(&f);
	keep_story();
	return 0;
}

static int teardown(void **state)
{
	char command[96];

	(void)state;
	store_node_done(&n);
	api_fixture_done(&f);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
	return 0;
}

/* What was had before stays to be had, under its number. */
static void renew(void)
{
	char name[96], size[24];

	snprintf(name, sizeof(name), "%s/%llu", n.id, (unsigned long long)n.incarnation);
	snprintf(size, sizeof(size), "%llu", (unsigned long long)n.frontier.size);
	assert_int_equal(f.store.ops->begin(f.store.ctx), 0);
	assert_int_equal(
		f.store.ops->blob_put(f.store.ctx, "record", name, n.record.data, n.record.size),
		0);
	assert_int_equal(f.store.ops->blob_put(f.store.ctx, "size", name, size, strlen(size)), 0);
	n.incarnation++;
	merkle_init(&n.frontier);
	assert_int_equal(f.store.ops->node_put(f.store.ctx, &n), 0);
	assert_int_equal(f.store.ops->commit(f.store.ctx), 0);
}

static void get(const char *query, int status)
{
	char route[256];

	snprintf(route, sizeof(route), "/v1/ledger/%s%s", n.id, query);
	assert_int_equal(api_fixture_call(&f, "GET", route, &f.viewer.who, "", 0), status);
}

static int on_get(void *ctx, const char *node, const char *query, struct buf *ret)
{
	(void)ctx;
	assert_string_equal(node, n.id);
	if (++asked == renew_at)
		renew();
	get(query, 200);
	buf_put(ret, f.reply.body.data, f.reply.body.size);
	return 0;
}

static void same(const char *name)
{
	struct buf a = {0}, b = {0};

	read_one(from, name, &a);
	read_one(to, name, &b);
	assert_int_equal(a.size, b.size);
	assert_memory_equal(a.data, b.data, a.size);
	buf_done(&a);
	buf_done(&b);
}

static void take_and_check(uint32_t piece)
{
	struct ledger_check_report *report = calloc(1, sizeof(*report));
	struct remote_ledger_source s = {.get = on_get};
	struct buf origin = {0};
	int r;

	assert_non_null(report);
	f.v.ledger_piece = piece;
	r = remote_ledger_take(&s, n.id, to, &origin, &why);
	if (r < 0)
		fail_msg("%s", why.text);
	same("record.json");
	same("anchors");
	same("notes");
	assert_int_equal(ledger_check(fsio_system(), to, NULL, report, &why), 0);
	assert_int_equal(report->n_lines, 15);
	assert_int_equal(ledger_check_result(report), LEDGER_CHECK_GOOD);
	assert_non_null(strstr((char *)origin.data, n.id));
	buf_done(&origin);
	free(report);
}

static void test_one_item_a_piece(void **state)
{
	(void)state;
	take_and_check(1);
	assert_true(asked > 1 + 15 + 2);
}

static void test_some_items_a_piece(void **state)
{
	(void)state;
	take_and_check(1500);
	assert_true(asked > 4 && asked < 15);
}

static void test_all_in_one(void **state)
{
	(void)state;
	take_and_check(0);
	assert_int_equal(asked, 4);
}

/* All of it is of the incarnation that the first answer told of. */
static void test_enrolled_anew_meanwhile(void **state)
{
	(void)state;
	renew_at = 5;
	take_and_check(1);
	assert_true(asked > 1 + 15 + 2);
}

static void test_queries(void **state)
{
	static const char *const bad[] = {"?part=tiles",	"?part=events&from=x",
					  "?part=events&from=", "?part=head&part=events",
					  "?part=%00",		"?part=head&incarnation=x"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (i != 2) /* no value: from the first on */
			get(bad[i], 400);
	get("?part=events&from=14", 200);
	assert_non_null(strstr(api_fixture_text(&f), "\"from\":14,\"n\":1}\n{"));
	get("?part=events&from=15", 200);
	assert_non_null(strstr(api_fixture_text(&f), "\"from\":15,\"n\":0}\n"));
	get("?part=anchors&from=999999", 200);
	assert_non_null(strstr(api_fixture_text(&f), "\"n\":0}\n"));
	get("?part=head&incarnation=9", 404);
}

/* As plumbctl of before asks: all of it, or a refusal. */
static void test_whole(void **state)
{
	struct buf origin = {0}, filler = {0};
	int lines = 0;

	(void)state;
	f.v.ledger_piece = 1;
	get("", 200);
	assert_int_equal(
		remote_ledger_save(f.reply.body.data, f.reply.body.size, n.id, to, &origin, &why),
		0);
	same("anchors");
	same("notes");
	for (int i = 0; i < 60000; i++)
		buf_puts(&filler, "x");
	assert_int_equal(f.store.ops->begin(f.store.ctx), 0);
	for (; lines <= (int)(WIRE_MAX_LEDGER / 60000); lines++)
		on_line(NULL, 15 + (uint64_t)lines, (char *)filler.data, filler.size);
	assert_int_equal(f.store.ops->node_put(f.store.ctx, &n), 0);
	assert_int_equal(f.store.ops->commit(f.store.ctx), 0);
	get("", 400);
	assert_non_null(strstr(api_fixture_text(&f), "larger than 64 MiB"));
	get("?part=head", 200);
	f.v.ledger_piece = 0;
	get("?part=events&from=15", 200);
	assert_true(f.reply.body.size > WIRE_LEDGER_PIECE);
	assert_true(f.reply.body.size < WIRE_LEDGER_PIECE + 70000);
	buf_done(&origin);
	buf_done(&filler);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_one_item_a_piece), T(test_some_items_a_piece),
		T(test_all_in_one),	  T(test_enrolled_anew_meanwhile),
		T(test_queries),	  T(test_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
