/* SPDX-License-Identifier: Apache-2.0 */
/* A ledger as the verifier sends it: a whole one becomes a directory that checks; anything else becomes nothing at all. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "jsonl.h"
#include "ledger_check.h"
#include "ledger_dir.h"
#include "ledger_export.h"
#include "ledger_fixture.h"
#include "remote_ledger.h"

#define MAX_FILE (1u << 20)

struct bench {
	char dir[64], from[96], to[96], node[65], label[254];
	struct buf record, anchors, notes, lines;
	uint64_t n;
	struct why why;
};

static int take_line(void *ctx, uint64_t seq, const char *line, size_t size)
{
	struct bench *b = ctx;

	(void)seq;
	buf_put(&b->lines, line, size);
	buf_puts(&b->lines, "\n");
	b->n++;
	return 0;
}

static void read_one(struct bench *b, const char *name, struct buf *ret)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", b->from, name);
	assert_int_equal(fsio_read_file(fsio_system(), path, MAX_FILE, ret), 0);
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct record r;

	assert_non_null(b);
	strcpy(b->dir, "/tmp/plumb-test-fetch-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	snprintf(b->from, sizeof(b->from), "%s/from", b->dir);
	snprintf(b->to, sizeof(b->to), "%s/to", b->dir);
	ledger_fixture_story(b->from);
	read_one(b, "record.json", &b->record);
	read_one(b, "anchors", &b->anchors);
	read_one(b, "notes", &b->notes);
	assert_int_equal(ledger_check_each(fsio_system(), b->from, 0, take_line, b, &b->why), 0);
	assert_int_equal(record_parse(b->record.data, b->record.size, &r, &b->why), 0);
	strcpy(b->node, r.node);
	strcpy(b->label, r.label);
	record_done(&r);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	char command[160];

	buf_done(&b->record);
	buf_done(&b->anchors);
	buf_done(&b->notes);
	buf_done(&b->lines);
	snprintf(command, sizeof(command), "rm -r %s", b->dir);
	assert_int_equal(system(command), 0);
	free(b);
	return 0;
}

/* As api_ledger makes it. */
static void answer(const struct bench *b, uint64_t n, struct buf *ret)
{
	const size_t magic = strlen(LEDGER_ANCHORS_MAGIC);
	struct jsonl j;

	buf_clear(ret);
	buf_put(ret, b->record.data, b->record.size);
	jsonl_begin(&j, ret);
	jsonl_base64(&j, "anchors", b->anchors.data + magic, b->anchors.size - magic);
	jsonl_end(&j);
	buf_puts(ret, "\n");
	jsonl_begin(&j, ret);
	jsonl_strn(&j, "notes", (char *)b->notes.data, b->notes.size);
	jsonl_end(&j);
	buf_printf(ret, "\n{\"events\":%llu}\n", (unsigned long long)n);
	buf_put(ret, b->lines.data, b->lines.size);
	assert_int_equal(buf_status(ret), 0);
}

static int save(struct bench *b, const struct buf *a, const char *node)
{
	struct buf origin = {0};
	int r = remote_ledger_save(a->data, a->size, node, b->to, &origin, &b->why);

	buf_done(&origin);
	return r;
}

/* Nothing stays but the fixture's own directory. */
static void nothing_there_but(const struct bench *b, bool but_to)
{
	struct dirent *e;
	DIR *d = opendir(b->dir);

	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		assert_true(e->d_name[0] == '.' || strcmp(e->d_name, "from") == 0 ||
			    (but_to && strcmp(e->d_name, "to") == 0));
	closedir(d);
}

static void nothing_there(const struct bench *b)
{
	nothing_there_but(b, false);
}

static void refused(struct bench *b, const struct buf *a, const char *text)
{
	assert_int_equal(save(b, a, b->node), -EBADMSG);
	if (!strstr(b->why.text, text))
		print_error("%s\n", b->why.text);
	assert_non_null(strstr(b->why.text, text));
	nothing_there(b);
}

static void test_a_whole_one_checks(void **state)
{
	struct ledger_check_report *report = calloc(1, sizeof(*report));
	struct buf a = {0}, proof = {0}, origin = {0};
	struct bench *b = *state;

	assert_non_null(report);
	answer(b, b->n, &a);
	assert_int_equal(remote_ledger_save(a.data, a.size, b->node, b->to, &origin, &b->why), 0);
	assert_non_null(strstr((char *)origin.data, b->node));
	assert_int_equal(ledger_check(fsio_system(), b->to, NULL, report, &b->why), 0);
	assert_int_equal(report->n_problems, 0);
	assert_int_equal(report->n_lines, b->n);
	assert_false(report->no_tiles);
	assert_int_equal(ledger_check_result(report), LEDGER_CHECK_GOOD);
	assert_int_equal(ledger_export_proof(fsio_system(), b->to, 3, &proof, &b->why), 0);
	/* Once more into what is there now: not touched. */
	assert_int_equal(save(b, &a, b->node), -EEXIST);
	nothing_there_but(b, true);
	buf_done(&a);
	buf_done(&proof);
	buf_done(&origin);
	free(report);
}

static void test_whose_it_is(void **state)
{
	struct bench *b = *state;
	struct buf a = {0};

	answer(b, b->n, &a);
	assert_int_equal(save(b, &a, "another"), -EBADMSG);
	assert_non_null(strstr(b->why.text, "it is the ledger of"));
	b->node[63] = b->node[63] == '0' ? '1' : '0';
	refused(b, &a, "it is the ledger of");
	assert_int_equal(save(b, &a, ""), -EBADMSG);
	nothing_there(b);
	b->node[8] = 0;
	assert_int_equal(save(b, &a, b->node), 0);
	buf_done(&a);
}

static void test_by_its_label(void **state)
{
	struct bench *b = *state;
	struct buf a = {0};

	answer(b, b->n, &a);
	assert_int_equal(save(b, &a, b->label), 0);
	buf_done(&a);
}

/* Wherever it is cut, nothing comes of it. */
static void test_cut(void **state)
{
	struct bench *b = *state;
	struct buf a = {0};

	answer(b, b->n, &a);
	for (size_t size = 0; size < a.size; size += size < b->record.size ? 97 : 31) {
		assert_int_equal(
			remote_ledger_save(a.data, size, b->node, b->to, &b->notes, &b->why),
			-EBADMSG);
		assert_true(b->why.text[0]);
	}
	assert_int_equal(remote_ledger_save(a.data, a.size - 1, b->node, b->to, &b->notes, &b->why),
			 -EBADMSG);
	nothing_there(b);
	buf_done(&a);
}

static void test_wrong_counts(void **state)
{
	struct bench *b = *state;
	struct buf a = {0};

	answer(b, b->n + 1, &a);
	refused(b, &a, "it says 16 lines and has 15");
	answer(b, b->n - 1, &a);
	refused(b, &a, "it says 14 lines and has 15");
	answer(b, 0, &a);
	refused(b, &a, "it says 0 lines");
	answer(b, UINT64_MAX, &a);
	refused(b, &a, "too big");
	answer(b, b->n, &a);
	buf_puts(&a, "{}\n");
	refused(b, &a, "has 16");
	answer(b, b->n, &a);
	buf_puts(&a, "{}");
	refused(b, &a, "line 15 is cut short");
	buf_done(&a);
}

static void test_a_line_too_long(void **state)
{
	struct bench *b = *state;
	struct buf a = {0};

	for (size_t i = 0; i < 65536; i++)
		buf_puts(&b->lines, "x");
	buf_puts(&b->lines, "\n");
	answer(b, b->n + 1, &a);
	refused(b, &a, "line 15 is too long");
	buf_done(&a);
}

static void replace_in(struct buf *b, const char *from, const char *to)
{
	struct buf out = {0};
	char *at = strstr((char *)b->data, from);

	assert_non_null(at);
	buf_put(&out, b->data, (size_t)(at - (char *)b->data));
	buf_puts(&out, to);
	buf_puts(&out, at + strlen(from));
	buf_done(b);
	*b = out;
}

static void test_no_path_comes_from_it(void **state)
{
	struct bench *b = *state;
	struct buf a = {0};

	answer(b, b->n, &a);
	replace_in(&a, "\"origin\":\"", "\"origin\":\"../../../");
	/* It is text in a header, never a path; that it is another ledger's is told when it is checked. */
	if (save(b, &a, b->node) == 0) {
		char path[256];

		snprintf(path, sizeof(path), "%s/events-00000000000000000000.jsonl", b->to);
		assert_int_equal(access(path, F_OK), 0);
	}
	buf_done(&a);
}

static void test_other_members(void **state)
{
	struct bench *b = *state;
	struct buf a = {0};

	answer(b, b->n, &a);
	replace_in(&a, "{\"anchors\":\"", "{\"anchors\":\"!!!!");
	refused(b, &a, "anchors");
	answer(b, b->n, &a);
	replace_in(&a, "{\"anchors\":", "{\"anchor\":");
	refused(b, &a, "anchors");
	answer(b, b->n, &a);
	replace_in(&a, "{\"notes\":\"", "{\"notes\":7,\"x\":\"");
	refused(b, &a, "notes");
	answer(b, b->n, &a);
	replace_in(&a, "{\"events\":15}", "{\"events\":\"15\"}");
	refused(b, &a, "events");
	answer(b, b->n, &a);
	replace_in(&a, "{\"events\":15}", "[15]");
	refused(b, &a, "");
	answer(b, b->n, &a);
	replace_in(&a, "\"pcr_index\":", "\"pcr_indes\":");
	refused(b, &a, "pcr_index");
	buf_done(&a);
}

/* What is well formed and false is for the checker to find. */
static void test_a_changed_line_is_found_later(void **state)
{
	struct ledger_check_report *report = calloc(1, sizeof(*report));
	struct bench *b = *state;
	struct buf a = {0};

	assert_non_null(report);
	replace_in(&b->lines, "/usr/bin/dpkg", "/usr/bin/dpkh");
	answer(b, b->n, &a);
	assert_int_equal(save(b, &a, b->node), 0);
	assert_int_equal(ledger_check(fsio_system(), b->to, NULL, report, &b->why), 0);
	assert_int_equal(ledger_check_result(report), LEDGER_CHECK_BAD);
	buf_done(&a);
	free(report);
}

static void test_nowhere_to_write(void **state)
{
	struct bench *b = *state;
	struct buf a = {0};

	answer(b, b->n, &a);
	snprintf(b->to, sizeof(b->to), "%s/no/such", b->dir);
	assert_int_equal(save(b, &a, b->node), -ENOENT);
	assert_non_null(strstr(b->why.text, "no/such"));
	nothing_there(b);
	buf_done(&a);
}

/* A verifier that hands it out in pieces of two, and what is wrong with it. */
struct giver {
	const struct bench *b;
	const char *part; /* of which `wrong` is done; "head" too */
	enum {
		RIGHT,
		FAILS,
		SHORT,
		NOTHING,
		OTHER_NODE,
		OTHER_TURN,
		OTHER_PART,
		OTHER_FROM,
		LONG,
		TORN,
		MORE
	} wrong;
	int asked;
};

static void header(const struct bench *b, const struct giver *g, const char *part, uint64_t from,
		   uint64_t count, struct buf *ret)
{
	bool wrong = strcmp(part, g->part) == 0;
	struct jsonl j;

	jsonl_begin(&j, ret);
	jsonl_str(&j, "part", wrong && g->wrong == OTHER_PART ? "tiles" : part);
	jsonl_str(&j, "node", wrong && g->wrong == OTHER_NODE ? "00" : b->node);
	jsonl_uint(&j, "incarnation", wrong && g->wrong == OTHER_TURN ? 7 : 1);
	if (strcmp(part, "head") == 0) {
		jsonl_uint(&j, "events", b->n);
		jsonl_uint(&j, "anchors", 1);
		jsonl_uint(&j, "notes", 1);
	} else {
		jsonl_uint(&j, "from", from + (wrong && g->wrong == OTHER_FROM));
		jsonl_uint(&j, "n",
			   wrong && g->wrong == NOTHING ? 0
							: count + (wrong && g->wrong == SHORT) -
								  (wrong && g->wrong == LONG));
	}
	jsonl_end(&j);
	buf_puts(ret, "\n");
}

static uint64_t put_events(const struct bench *b, uint64_t from, struct buf *ret)
{
	const char *at = (char *)b->lines.data, *lf;
	uint64_t count = 0;

	for (uint64_t seq = 0; seq < b->n; seq++, at = lf + 1) {
		lf = strchr(at, '\n');
		if (seq < from || seq >= from + 2)
			continue;
		buf_put(ret, at, (size_t)(lf - at) + 1);
		count++;
	}
	return count;
}

static void put_data(const void *data, size_t size, struct buf *ret)
{
	struct jsonl j;

	jsonl_begin(&j, ret);
	jsonl_base64(&j, "data", data, size);
	jsonl_end(&j);
	buf_puts(ret, "\n");
}

static int give(void *ctx, const char *node, const char *query, struct buf *ret)
{
	const size_t magic = strlen(LEDGER_ANCHORS_MAGIC);
	struct giver *g = ctx;
	const struct bench *b = g->b;
	struct buf items = {0};
	uint64_t from = 0, n = 1;
	char part[16];

	g->asked++;
	if (strcmp(query, "?part=head") == 0) {
		buf_put(ret, b->record.data, b->record.size);
		header(b, g, "head", 0, 0, ret);
		return 0;
	}
	/* The rest is asked for by what the record says. */
	assert_string_equal(node, b->node);
	assert_int_equal(sscanf(query, "?incarnation=1&part=%15[a-z]&from=%lu", part, &from), 2);
	if (g->wrong == FAILS && strcmp(part, g->part) == 0)
		return 2;
	if (strcmp(part, "events") == 0)
		n = put_events(b, from, &items);
	else if (strcmp(part, "anchors") == 0)
		put_data(b->anchors.data + magic, b->anchors.size - magic, &items);
	else
		put_data(b->notes.data, b->notes.size, &items);
	if (g->wrong == MORE && strcmp(part, g->part) == 0 &&
	    (n == 1)) { /* what came since the head was given */
		buf_puts(&items, "{\"data\":\"AAAA\"}\n");
		n++;
	}
	header(b, g, part, from, n, ret);
	buf_put(ret, items.data, items.size - (g->wrong == TORN && strcmp(part, g->part) == 0));
	buf_done(&items);
	return 0;
}

static int take_from(struct bench *b, const char *part, int wrong)
{
	struct giver g = {.b = b, .part = part};
	struct remote_ledger_source s = {.get = give, .ctx = &g};
	struct buf origin = {0};
	int r;

	g.wrong = wrong;
	r = remote_ledger_take(&s, b->label, b->to, &origin, &b->why);
	if (r == -ECANCELED)
		assert_int_equal(s.code, 2);
	if (r == 0)
		assert_int_equal(g.asked, 1 + 8 + 1 + 1);
	buf_done(&origin);
	return r;
}

static void test_pieces(void **state)
{
	static const char *const parts[] = {"events", "anchors", "notes"};
	static const char *const texts[] = {[SHORT] = "cut short",
					    [NOTHING] = "end at",
					    [OTHER_NODE] = "not what was asked for",
					    [OTHER_TURN] = "not what was asked for",
					    [OTHER_PART] = "not what was asked for",
					    [OTHER_FROM] = "end at",
					    [LONG] = "",
					    [TORN] = "cut short"};
	struct bench *b = *state;

	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(take_from(b, parts[i], FAILS), -ECANCELED);
		nothing_there(b);
		for (int wrong = SHORT; wrong <= TORN; wrong++) {
			/* Of what is beyond the end, nothing is asked. */
			if (wrong == SHORT && i > 0)
				continue;
			assert_int_equal(take_from(b, parts[i], wrong), -EBADMSG);
			if (!strstr(b->why.text, texts[wrong]))
				fail_msg("%s, %d: %s", parts[i], wrong, b->why.text);
			nothing_there(b);
		}
	}
	assert_int_equal(take_from(b, "head", OTHER_NODE), -EBADMSG);
	assert_int_equal(take_from(b, "head", OTHER_TURN), -EBADMSG);
	nothing_there(b);
	assert_int_equal(take_from(b, "", RIGHT), 0);
	/* Once more into what is there now: not touched. */
	assert_int_equal(take_from(b, "", RIGHT), -EEXIST);
	nothing_there_but(b, true);
}

/* Lines, anchors and notes that came since the first answer are of another size than it told. */
static void test_grown_meanwhile(void **state)
{
	struct ledger_check_report *report = calloc(1, sizeof(*report));
	static const char *const parts[] = {"events", "anchors", "notes"};
	struct bench *b = *state;
	char command[160];

	assert_non_null(report);
	snprintf(command, sizeof(command), "rm -r %s", b->to);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(take_from(b, parts[i], MORE), 0);
		assert_int_equal(ledger_check(fsio_system(), b->to, NULL, report, &b->why), 0);
		assert_int_equal(report->n_lines, b->n);
		assert_int_equal(ledger_check_result(report), LEDGER_CHECK_GOOD);
		assert_int_equal(system(command), 0);
	}
	free(report);
}

static int give_whole(void *ctx, const char *node, const char *query, struct buf *ret)
{
	struct buf *a = ctx;

	(void)node;
	assert_string_equal(query, "?part=head&incarnation=1");
	buf_put(ret, a->data, a->size);
	return 0;
}

/* A verifier of before knows of no parts, and gives all of it. */
static void test_of_a_verifier_of_before(void **state)
{
	struct buf a = {0}, origin = {0};
	struct remote_ledger_source s = {.get = give_whole, .ctx = &a, .incarnation = "1"};
	struct bench *b = *state;

	answer(b, b->n + 1, &a);
	assert_int_equal(remote_ledger_take(&s, b->node, b->to, &origin, &b->why), -EBADMSG);
	answer(b, b->n, &a);
	a.size--;
	assert_int_equal(remote_ledger_take(&s, b->node, b->to, &origin, &b->why), -EBADMSG);
	nothing_there(b);
	a.size++;
	assert_int_equal(remote_ledger_take(&s, b->node, b->to, &origin, &b->why), 0);
	assert_non_null(strstr((char *)origin.data, b->node));
	buf_done(&a);
	buf_done(&origin);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_a_whole_one_checks),
		T(test_whose_it_is),
		T(test_by_its_label),
		T(test_cut),
		T(test_wrong_counts),
		T(test_a_line_too_long),
		T(test_no_path_comes_from_it),
		T(test_other_members),
		T(test_a_changed_line_is_found_later),
		T(test_nowhere_to_write),
		T(test_pieces),
		T(test_grown_meanwhile),
		T(test_of_a_verifier_of_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
