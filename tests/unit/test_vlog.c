/* SPDX-License-Identifier: Apache-2.0 */
/* The verifier's own log: what is added comes back as it was, signed, after a restart too, and nothing that is no line gets in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "checkpoint.h"
#include "fault_fsio.h"
#include "jsonl.h"
#include "ledger_check.h"
#include "ledger_dir.h"
#include "store_sqlite.h"
#include "vlog.h"

struct place {
	char dir[64], log[96];
	struct sign_key *key;
	struct fault_fsio f;
	struct vlog *v;
	int told;
};

static uint64_t utc(void *ctx)
{
	(void)ctx;
	return 1764000000123456789ull;
}

static const struct clock clock_fixed = {utc, utc, NULL};

static int open_log(struct place *p)
{
	struct why why = {""};

	return vlog_open(&p->f.io, &clock_fixed, p->log, "test.example", p->key, &p->v, &why);
}

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	snprintf(p->dir, sizeof(p->dir), "/tmp/plumb-vlog-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->log, sizeof(p->log), "%s/log", p->dir);
	assert_int_equal(sign_key_generate(SIGN_ED25519, &p->key), 0);
	fault_fsio_init(&p->f, -1, false, -EIO);
	assert_int_equal(open_log(p), 0);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;
	char command[128];

	vlog_free(p->v);
	sign_key_free(p->key);
	snprintf(command, sizeof(command), "rm -rf %s", p->dir);
	assert_int_equal(system(command), 0);
	free(p);
	return 0;
}

static void add(struct place *p, const char *members)
{
	uint64_t before = vlog_size(p->v), seq = 4711;

	assert_int_equal(vlog_add(p->v, PLUMB_TYPE_TRANSITION, members, &seq), 0);
	assert_int_equal(seq, before);
	assert_int_equal(vlog_size(p->v), before + 1);
}

static const char *lines(struct place *p, uint64_t from, size_t max, uint64_t to)
{
	static char text[4096];
	struct buf b = {0};
	uint64_t at = 4711;
	int r = vlog_lines(p->v, from, max, &b, &at);

	if (r < 0)
		snprintf(text, sizeof(text), "%s", strerrorname_np(-r));
	else
		snprintf(text, sizeof(text), "%s", b.size ? (char *)b.data : "");
	assert_int_equal(b.size, r < 0 ? 0 : strlen(text));
	assert_int_equal(at, r < 0 ? 4711 : to);
	buf_done(&b);
	return text;
}

static void test_lines(void **state)
{
	struct place *p = *state;
	const char *text;
	size_t one;

	assert_string_equal(lines(p, 0, 1000, 0), "");
	add(p, "\"node\":\"aa\",\"to\":\"trusted\"");
	/* Followers see nothing that a power cut could take back. */
	assert_string_equal(lines(p, 0, 1000, 0), "");
	assert_string_equal(lines(p, 1, 1000, 0), "ERANGE");
	assert_int_equal(vlog_sync(p->v), 0);
	text = lines(p, 0, 1000, 1);
	one = strlen(text);
	assert_memory_equal(text, "{\"v\":1,\"seq\":0,\"t\":\"2025-11-24T16:00:00.123456789Z\"",
			    50);
	assert_non_null(strstr(text, "\"src\":\"verifier\",\"type\":\"transition\",\"node\":\"aa\","
				     "\"to\":\"trusted\"}\n"));
	for (int i = 0; i < 3; i++)
		add(p, "\"node\":\"aa\",\"to\":\"trusted\"");
	assert_int_equal(vlog_sync(p->v), 0);
	assert_int_equal(strlen(lines(p, 0, 2 * one, 2)), 2 * one);
	assert_int_equal(strlen(lines(p, 1, 3 * one - 1, 3)), 2 * one);
	assert_non_null(strstr(lines(p, 3, one, 4), "\"seq\":3"));
	assert_string_equal(lines(p, 0, one - 1, 0), "E2BIG");
	assert_string_equal(lines(p, 4, one, 4), "");
	assert_string_equal(lines(p, 5, one, 4), "ERANGE");
}

static void test_what_is_no_line(void **state)
{
	static const char *const bad[] = {"\"a\":1}\n{\"b\":2", "\"a\":1,",  "a",
					  "\"seq\":7",		"\"a\":1.5", "\"a\":\"\xff\""};
	struct place *p = *state;
	char *big = malloc(70000);
	uint64_t seq = 4711;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(vlog_add(p->v, PLUMB_TYPE_ACTION, bad[i], &seq), -EBADMSG);
	memset(big, 'x', 69999);
	memcpy(big, "\"a\":\"", 5);
	memcpy(big + 69998, "\"", 2);
	assert_int_equal(vlog_add(p->v, PLUMB_TYPE_ACTION, big, &seq), -EMSGSIZE);
	free(big);
	assert_int_equal(vlog_add(p->v, PLUMB_TYPE_EXEC, "\"a\":1", &seq), -EINVAL);
	assert_int_equal(vlog_size(p->v), 0);
	assert_int_equal(seq, 4711);
	add(p, "");
}

/* Every note is the key's signature over the tree at its size; the newest is the head's. */
static uint64_t newest_note(struct place *p)
{
	struct buf b = {0};
	struct ledger_note n;
	struct why why;
	char path[128], line[1024];
	uint64_t newest = 0;

	snprintf(path, sizeof(path), "%s/notes", p->log);
	if (fsio_read_file(fsio_system(), path, 65536, &b) < 0)
		return 0;
	for (char *at = (char *)b.data, *lf; (lf = strchr(at, '\n')); at = lf + 1) {
		struct checkpoint c = {.origin = "test.example/verifier"};

		assert_int_equal(ledger_dir_note_read(at, (size_t)(lf - at), &n, &why), 0);
		c.size = n.size;
		c.root = n.root;
		snprintf(line, sizeof(line), "\xe2\x80\x94 %.*s", (int)n.line_size, n.line);
		assert_int_equal(checkpoint_check(&c, CHECKPOINT_SIG_ED25519, c.origin, p->key,
						  line, strlen(line), NULL, &why),
				 0);
		newest = n.size;
	}
	buf_done(&b);
	return newest;
}

static void test_signed_and_whole(void **state)
{
	struct place *p = *state;
	struct ledger_check_report report;
	struct why why = {""};

	for (int i = 0; i < 5; i++) {
		add(p, "\"a\":1");
		assert_int_equal(newest_note(p), i);
		assert_int_equal(vlog_sync(p->v), 0);
		assert_int_equal(newest_note(p), i + 1);
	}
	assert_int_equal(ledger_check(fsio_system(), p->log, NULL, &report, &why), 0);
	assert_int_equal(report.n_problems, 0);
	assert_int_equal(report.n_lines, 5);
}

static void test_again(void **state)
{
	struct place *p = *state;
	struct why why = {""};
	struct vlog *other;

	add(p, "\"a\":1");
	assert_int_equal(vlog_sync(p->v), 0);
	add(p, "\"a\":2");
	p->v = vlog_free(p->v);
	assert_int_equal(open_log(p), 0);
	assert_int_equal(vlog_size(p->v), 1);
	add(p, "\"a\":3");
	assert_int_equal(vlog_sync(p->v), 0);
	assert_non_null(strstr(lines(p, 1, 1000, 2), "\"a\":3"));
	p->v = vlog_free(p->v);
	assert_int_equal(
		vlog_open(&p->f.io, &clock_fixed, p->log, "other.example", p->key, &other, &why),
		-EXDEV);
	assert_true(why.text[0] != 0);
}

/* The disk fails at each call in turn: what was told as synced is there afterwards, and its head gets its signature. */
static void test_faults(void **state)
{
	struct place *p = *state;
	uint64_t told, seq;

	for (long left = 0; left < 12; left++) {
		told = vlog_synced_size(p->v);
		fault_fsio_init(&p->f, left, true, -ENOSPC);
		if (vlog_add(p->v, PLUMB_TYPE_HEAD, "\"a\":1", &seq) >= 0 && vlog_sync(p->v) >= 0)
			told = vlog_synced_size(p->v);
		p->v = vlog_free(p->v);
		fault_fsio_init(&p->f, -1, false, -EIO);
		assert_int_equal(open_log(p), 0);
		assert_true(vlog_size(p->v) >= told);
		assert_int_equal(newest_note(p), vlog_size(p->v));
	}
	assert_true(vlog_size(p->v) > 2);
}

static void on_sync(void *ctx)
{
	struct place *p = ctx;

	p->told++;
	assert_int_equal(newest_note(p), vlog_size(p->v));
}

static void test_followers(void **state)
{
	struct place *p = *state;

	vlog_on_sync(p->v, on_sync, p);
	assert_int_equal(vlog_sync(p->v), 0);
	assert_int_equal(p->told, 0);
	add(p, "\"a\":1");
	assert_int_equal(p->told, 0);
	assert_int_equal(vlog_sync(p->v), 0);
	assert_int_equal(p->told, 1);
}

static void test_other_keys(void **state)
{
	struct place *p = *state;
	struct sign_key *key;
	struct vlog *v = NULL;
	struct why why = {""};

	assert_int_equal(sign_key_generate(SIGN_P256, &key), 0);
	assert_int_equal(vlog_open(&p->f.io, &clock_fixed, p->log, "x", key, &v, &why),
			 -EKEYREJECTED);
	assert_null(v);
	sign_key_free(key);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static void join(struct place *p, struct store *s)
{
	char path[96];
	struct why why = {""};

	snprintf(path, sizeof(path), "%s/store.db", p->dir);
	assert_int_equal(store_sqlite_open(path, s, &why), 0);
	assert_int_equal(vlog_join(p->v, s, &why), 0);
}

static void end(struct place *p, struct store *s)
{
	vlog_free(p->v);
	s->ops->close(s->ctx);
}

static void put_count(const struct store *s, unsigned int n)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", n);
	assert_int_equal(s->ops->setting_put(s->ctx, "n", text), 0);
}

static unsigned int get_count(const struct store *s)
{
	struct buf b = {0};
	unsigned int n = 0;

	if (s->ops->setting_get(s->ctx, "n", &b) >= 0)
		n = (unsigned int)strtoul((char *)b.data, NULL, 10);
	buf_done(&b);
	return n;
}

/* Lines that tell of a number and that no void line takes back. */
static unsigned int told(struct place *p)
{
	struct buf b = {0};
	uint64_t to = 0;
	unsigned int n = 0;
	bool taken[512] = {false};
	char *line, *rest;

	assert_int_equal(vlog_lines(p->v, 0, 1 << 20, &b, &to), 0);
	assert_true(to < 512);
	for (rest = (char *)b.data; (line = strsep(&rest, "\n")) != NULL;) {
		const char *from = strstr(line, "\"action\":\"void\"");

		from = from ? strstr(from, "\"from\":") : NULL;
		if (!from)
			continue;
		for (uint64_t i = strtoull(from + 7, NULL, 10);
		     i < strtoull(strstr(from, "\"to\":") + 5, NULL, 10); i++)
			taken[i] = true;
	}
	buf_clear(&b);
	assert_int_equal(vlog_lines(p->v, 0, 1 << 20, &b, &to), 0);
	rest = (char *)b.data;
	for (uint64_t i = 0; i < to && (line = strsep(&rest, "\n")) != NULL; i++)
		n += strstr(line, "\"n\":") && !taken[i];
	buf_done(&b);
	return n;
}

static void test_joined(void **state)
{
	struct place *p = *state;
	struct store s;
	uint64_t seq;

	vlog_on_sync(p->v, on_sync, p);
	join(p, &s);
	assert_int_equal(s.ops->begin(s.ctx), 0);
	add(p, "\"n\":1");
	add(p, "\"n\":2");
	assert_int_equal(vlog_sync(p->v), 0);
	assert_int_equal(vlog_synced_size(p->v), 0);
	s.ops->rollback(s.ctx);
	assert_int_equal(vlog_size(p->v), 0);
	assert_int_equal(p->told, 0);
	assert_int_equal(s.ops->begin(s.ctx), 0);
	add(p, "\"n\":3");
	assert_int_equal(s.ops->commit(s.ctx), 0);
	assert_int_equal(vlog_synced_size(p->v), 1);
	assert_int_equal(p->told, 1);
	/* One that tells of nothing leaves the log alone; a line without a transaction gets one. */
	assert_int_equal(s.ops->begin(s.ctx), 0);
	assert_int_equal(s.ops->commit(s.ctx), 0);
	assert_int_equal(p->told, 1);
	assert_int_equal(vlog_add(p->v, PLUMB_TYPE_ACTION, "\"n\":4", &seq), 0);
	assert_int_equal(seq, 1);
	assert_int_equal(vlog_sync(p->v), 0);
	assert_int_equal(vlog_synced_size(p->v), 2);
	end(p, &s);
	assert_int_equal(open_log(p), 0);
	join(p, &s);
	assert_int_equal(told(p), 2);
	assert_int_equal(vlog_size(p->v), 2);
	end(p, &s);
	p->v = NULL;
}

static void add_n(struct place *p)
{
	uint64_t seq;

	assert_int_equal(vlog_add(p->v, PLUMB_TYPE_ACTION, "\"n\":1", &seq), 0);
	assert_int_equal(seq, vlog_size(p->v) - 1);
}

/* The disk fails at each call of a commit in turn, and the process goes on or dies: what is told and not taken back is what is stored. */
static void test_joined_faults(void **state)
{
	struct place *p = *state;
	unsigned int stored = 0, failed = 0;
	struct store s;

	join(p, &s);
	for (int left = 0; left < 60; left++) {
		assert_int_equal(s.ops->begin(s.ctx), 0);
		add_n(p);
		put_count(&s, stored + 1);
		p->f.left = left / 2;
		p->f.half = left % 4 == 1;
		if (s.ops->commit(s.ctx) >= 0)
			stored++;
		else
			failed++;
		p->f.left = -1;
		if (left % 2) {
			end(p, &s);
			assert_int_equal(open_log(p), 0);
			join(p, &s);
		} else {
			/* A deadline that says nothing comes in between. */
			assert_int_equal(s.ops->begin(s.ctx), 0);
			assert_int_equal(s.ops->setting_put(s.ctx, "x", "y"), 0);
			assert_int_equal(s.ops->commit(s.ctx), 0);
		}
		assert_int_equal(s.ops->begin(s.ctx), 0);
		add_n(p);
		put_count(&s, ++stored);
		assert_int_equal(s.ops->commit(s.ctx), 0);
		assert_int_equal(get_count(&s), stored);
		assert_int_equal(told(p), stored);
	}
	assert_true(failed > 3 && failed < 50);
	end(p, &s);
	p->v = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_lines),
		TEST(test_what_is_no_line),
		TEST(test_signed_and_whole),
		TEST(test_again),
		TEST(test_faults),
		TEST(test_followers),
		TEST(test_other_keys),
		cmocka_unit_test_setup_teardown(test_joined, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_joined_faults, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
