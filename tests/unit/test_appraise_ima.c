/* SPDX-License-Identifier: Apache-2.0 */
/* test_appraise_ima.c: IMA's entries against lines: what has one, what is owed, what was lost meanwhile, and lists that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "appraise_ima.h"
#include "line.h"

#define S 1000000000ull
#define MAX_LINES 16384

struct place {
	struct appraise_ima_state state;
	char *lines[MAX_LINES];
	uint64_t n, bt, passes;
	const char *boot;
	struct buf list; /* entries that go with the next evidence */
	uint64_t from, cursor;
	char got[4096];
	uint32_t n_got;
	struct why why;
};

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	p->boot = "5eb63bbb-e01e-4ed0-93cb-22bb8f5acdc3";
	p->bt = 100 * S;
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	for (uint64_t i = 0; i < p->n; i++)
		free(p->lines[i]);
	appraise_ima_state_done(&p->state);
	buf_done(&p->list);
	free(p);
	return 0;
}

static void put(struct place *p, struct line l)
{
	struct buf b = {0};

	l.seq = p->n;
	l.boot_ns = p->bt;
	l.boot = p->boot;
	l.src = "test";
	assert_int_equal(line_write(&l, &b), 0);
	assert_true(p->n < MAX_LINES);
	p->lines[p->n++] = buf_take(&b);
}

static void put_record(struct place *p, enum plumb_type type, const char *body)
{
	put(p, (struct line){.type = type, .body = body});
}

static void put_ready(struct place *p, const char *body)
{
	put_record(p, PLUMB_TYPE_START, "\"agent\":\"0.1.0\"");
	put_record(p, PLUMB_TYPE_GAP, "\"after\":1");
	put_record(p, PLUMB_TYPE_START, body);
	put_record(p, PLUMB_TYPE_START, "\"phase\":\"measured\",\"files\":2");
}

static void digest_of(uint8_t n, struct digest *ret)
{
	memset(ret->bytes, n, DIGEST_SIZE);
}

static void put_exec(struct place *p, const char *key, uint8_t n)
{
	char found[80] = "unmeasured gone", hex[DIGEST_HEX_SIZE];
	struct digest d;

	digest_of(n, &d);
	digest_hex(&d, hex);
	if (n)
		snprintf(found, sizeof(found), "sha256:%s", hex);
	put(p, (struct line){.type = PLUMB_TYPE_EXEC, .scope = "host", .key = key, .found = found});
}

static void put_u32le(struct buf *b, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		buf_put_u8(b, (uint8_t)(v >> 8 * i));
}

/* As the kernel writes an entry of ima-ng, its template digest apart. */
static void measure(struct place *p, const char *name, uint8_t n, const char *algorithm)
{
	uint8_t template_digest[20];
	struct digest d;
	uint32_t size = (uint32_t)strlen(name) + 1, a = (uint32_t)strlen(algorithm) + 2 + 32;

	memset(template_digest, 7, sizeof(template_digest));
	digest_of(n, &d);
	put_u32le(&p->list, 10);
	buf_put(&p->list, template_digest, 20);
	put_u32le(&p->list, 6);
	buf_puts(&p->list, "ima-ng");
	put_u32le(&p->list, 4 + a + 4 + size);
	put_u32le(&p->list, a);
	buf_puts(&p->list, algorithm);
	buf_put(&p->list, ":", 2);
	buf_put(&p->list, d.bytes, 32);
	put_u32le(&p->list, size);
	buf_put(&p->list, name, size);
	p->cursor++;
}

static int each_line(void *ctx, uint64_t from, uint64_t to, appraise_ima_line_fn fn, void *fn_ctx)
{
	struct place *p = ctx;
	int r = 0;

	p->passes++;
	assert_true(from <= to && to <= p->n);
	for (uint64_t i = from; i < to && r == 0; i++) {
		size_t size = strlen(p->lines[i]);
		char *copy = malloc(size ? size : 1); /* no NUL behind it */

		assert_non_null(copy);
		memcpy(copy, p->lines[i], size);
		r = fn(fn_ctx, i, copy, size);
		free(copy);
	}
	return r;
}

static int on_found(void *ctx, const char *text)
{
	struct place *p = ctx;
	size_t used = strlen(p->got);

	p->n_got++;
	snprintf(p->got + used, sizeof(p->got) - used, "%s\n", text);
	return 0;
}

/* One evidence, with the state going through its stored form. */
static int evidence(struct place *p)
{
	const struct appraise_ima_in in = {.head = p->n,
					   .from = p->from,
					   .cursor = p->cursor,
					   .entries = {p->list.data, p->list.size},
					   .lines = each_line,
					   .found = on_found,
					   .ctx = p};
	struct appraise_ima_state again;
	struct buf b = {0};
	int r;

	assert_int_equal(appraise_ima_state_write(&p->state, &b), 0);
	for (size_t cut = 0; cut < b.size; cut += 7)
		assert_int_equal(appraise_ima_state_parse(b.data, cut, &again), -EBADMSG);
	assert_int_equal(appraise_ima_state_parse(b.data, b.size, &again), 0);
	appraise_ima_state_done(&p->state);
	p->state = again;
	buf_done(&b);
	p->got[0] = 0;
	p->n_got = 0;
	p->why.text[0] = 0;
	r = appraise_ima(&in, &p->state, &p->why);
	buf_clear(&p->list);
	p->from = p->cursor;
	return r;
}

static void later(struct place *p, uint64_t s)
{
	p->bt += s * S;
	put_record(p, PLUMB_TYPE_COUNTERS, "\"session\":\"7\"");
}

#define READY "\"phase\":\"ready\",\"ima\":2,\"ima_measures\":\"programs\""

static void test_all_have_lines(void **state)
{
	struct place *p = *state;

	put_ready(p, READY);
	measure(p, "boot_aggregate", 1, "sha256");
	measure(p, "/sbin/init", 2, "sha256"); /* before the agent */
	measure(p, "/bin/a", 3, "sha256");
	measure(p, "/bin/gone", 5, "sha256");
	put_exec(p, "exec:/other/name", 3); /* what counts is the digest */
	put_exec(p, "exec:/bin/gone", 0); /* no digest, but the path */
	assert_int_equal(evidence(p), 0);
	assert_string_equal(p->got, "");
	assert_int_equal(p->state.n_owed, 0);
	assert_int_equal(p->state.cursor, 4);
	later(p, 100);
	p->passes = 0;
	assert_int_equal(evidence(p), 0);
	assert_string_equal(p->got, "");
	assert_int_equal(p->passes, 1); /* nothing to look for: only the new lines are read */
}

/* A node that told many lines: what is new is looked for among the new, and a program that ran early still has its line. */
static void test_newest_first(void **state)
{
	struct place *p = *state;

	put_ready(p, READY);
	p->from = p->cursor = 2;
	snprintf(p->state.boot, sizeof(p->state.boot), "%s", p->boot);
	p->state.cursor = 2;
	put_exec(p, "exec:/bin/early", 4);
	for (int i = 0; i < 10000; i++)
		later(p, 0);
	put_exec(p, "exec:/bin/a", 3);
	measure(p, "/bin/a", 3, "sha256");
	assert_int_equal(evidence(p), 0);
	assert_int_equal(p->state.n_owed, 0);
	assert_int_equal(p->passes, 2);
	measure(p, "/bin/early", 4, "sha256");
	assert_int_equal(evidence(p), 0);
	assert_int_equal(p->state.n_owed, 0);
	assert_int_equal(p->passes, 2 + 3);
	measure(p, "/bin/none", 5, "sha256");
	assert_int_equal(evidence(p), 0);
	assert_int_equal(p->state.n_owed, 1);
}

static void test_one_without_a_line(void **state)
{
	struct place *p = *state;

	put_ready(p, READY);
	p->from = p->cursor = 2;
	p->state.cursor = 2;
	snprintf(p->state.boot, sizeof(p->state.boot), "%s", p->boot);
	measure(p,
		"/tmp/\xff"
		"evil",
		9, "sha256");
	assert_int_equal(evidence(p), 0);
	assert_string_equal(p->got, "");
	assert_int_equal(p->state.n_owed, 1);
	later(p, 5);
	assert_int_equal(evidence(p), 0);
	assert_int_equal(p->state.n_owed, 1);
	later(p, 6);
	assert_int_equal(evidence(p), 0);
	assert_string_equal(p->got,
			    "/tmp/?evil sha256:0909090909090909090909090909090909090909090909"
			    "090909090909090909 is in IMA's list and in no line\n");
	later(p, 60);
	assert_int_equal(evidence(p), 0);
	assert_string_equal(p->got, "");
}

static void test_a_line_that_comes_later(void **state)
{
	struct place *p = *state;

	put_ready(p, READY);
	p->from = p->cursor = 2;
	snprintf(p->state.boot, sizeof(p->state.boot), "%s", p->boot);
	p->state.cursor = 2;
	measure(p, "/bin/a", 3, "sha256");
	assert_int_equal(evidence(p), 0);
	assert_int_equal(p->state.n_owed, 1);
	put_exec(p, "exec:/bin/a", 3);
	later(p, 30);
	assert_int_equal(evidence(p), 0);
	assert_string_equal(p->got, "");
	assert_int_equal(p->state.n_owed, 0);
}

static void test_what_a_loss_explains(void **state)
{
	static const struct {
		enum plumb_type type;
		const char *body;
		bool explains;
	} records[] = {
		{PLUMB_TYPE_LOST, "\"of\":\"bpf\",\"n\":1,\"what\":\"x\"", true},
		{PLUMB_TYPE_COUNTERS, "\"dropped\":1,\"dropped_by\":{\"exec\":1}", true},
		{PLUMB_TYPE_COUNTERS, "\"dropped\":0", false},
		{PLUMB_TYPE_ORDER, "\"text\":\"\\\"type\\\":\\\"lost\\\"\"", false},
	};
	struct place *p = *state;

	put_ready(p, READY);
	p->cursor = 2;
	for (uint8_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		p->from = p->cursor;
		p->state.cursor = p->cursor;
		snprintf(p->state.boot, sizeof(p->state.boot), "%s", p->boot);
		measure(p, "/bin/a", (uint8_t)(20 + i), "sha256");
		put_record(p, records[i].type, records[i].body);
		later(p, 1);
		assert_int_equal(evidence(p), 0);
		assert_int_equal(p->state.n_owed, records[i].explains ? 0 : 1);
		later(p, 20);
		assert_int_equal(evidence(p), 0);
		assert_int_equal(p->n_got, records[i].explains ? 0 : 1);
	}
}

static void test_what_is_not_compared(void **state)
{
	static const char *const ready[] = {
		"\"phase\":\"ready\",\"ima\":0,\"ima_measures\":\"unknown\"",
		"\"phase\":\"ready\",\"ima\":0,\"ima_measures\":\"other\"",
		"\"phase\":\"ready\",\"ima\":0,\"ima_measures\":\"unseen\"",
		"\"phase\":\"ready\"",
	};
	struct place *p = *state;

	for (size_t i = 0; i < sizeof(ready) / sizeof(ready[0]); i++) {
		put_ready(p, ready[i]);
		measure(p, "/bin/a", 3, "sha256");
		assert_int_equal(evidence(p), 0);
		later(p, 20);
		assert_int_equal(evidence(p), 0);
		assert_string_equal(p->got, "");
		assert_int_equal(p->state.n_owed, 0);
	}
	put_ready(p, "\"phase\":\"ready\",\"ima\":0,\"ima_measures\":\"programs\"");
	measure(p, "/bin/a", 3, "sm3"); /* of 32 bytes, too */
	assert_int_equal(evidence(p), 0);
	assert_int_equal(p->state.n_owed, 0);
	measure(p, "/bin/a", 3, "sha256");
	assert_int_equal(evidence(p), 0);
	assert_int_equal(p->state.n_owed, 1);
}

/* What a watched file holds now is told with the same digest, and is no exec of it. */
static void test_a_file_of_these_bytes_is_no_exec(void **state)
{
	struct place *p = *state;
	char found[80], hex[DIGEST_HEX_SIZE];
	struct digest d;

	digest_of(9, &d);
	digest_hex(&d, hex);
	snprintf(found, sizeof(found), "sha256:%s", hex);
	put_ready(p, READY);
	measure(p, "boot_aggregate", 1, "sha256");
	measure(p, "/usr/bin/init", 2, "sha256");
	measure(p, "/etc/cron.daily/x", 9, "sha256");
	put(p, (struct line){.type = PLUMB_TYPE_FILE,
			     .scope = "host",
			     .key = "file:/etc/cron.daily/x",
			     .found = found});
	put(p, (struct line){.type = PLUMB_TYPE_CLAIM,
			     .scope = "host",
			     .key = "file:/etc/cron.daily/x",
			     .found = found});
	assert_int_equal(evidence(p), 0);
	assert_int_equal(p->state.n_owed, 1);
	later(p, 20);
	assert_int_equal(evidence(p), 0);
	assert_non_null(strstr(p->got, "/etc/cron.daily/x sha256:0909"));
}

/* The kernel gives a file that no mount of its own shows by its last name: whoever calls it as the first entry is called has no other right. */
static void test_the_first_entry_alone_is_boot_aggregate(void **state)
{
	struct place *p = *state;

	put_ready(p, "\"phase\":\"ready\",\"ima\":0,\"ima_measures\":\"programs\"");
	measure(p, "boot_aggregate", 1, "sha256");
	measure(p, "boot_aggregate", 9, "sha256");
	assert_int_equal(evidence(p), 0);
	assert_int_equal(p->state.n_owed, 1);
	later(p, 20);
	assert_int_equal(evidence(p), 0);
	assert_int_equal(p->n_got, 1);
	assert_non_null(strstr(p->got, "boot_aggregate sha256:0909"));
}

/* A start says from which entry on lines are owed. Whoever says so without having begun, or of more than there are, would never owe one. */
static void test_a_start_hides_nothing(void **state)
{
	struct place *p = *state;

	put_ready(p, READY);
	measure(p, "boot_aggregate", 1, "sha256");
	measure(p, "/usr/bin/init", 2, "sha256");
	assert_int_equal(evidence(p), 0);
	assert_int_equal(p->n_got, 0);
	measure(p, "/tmp/evil", 9, "sha256");
	put_record(p, PLUMB_TYPE_START, "\"phase\":\"ready\",\"ima\":3,\"ima_measures\":\"other\"");
	assert_int_equal(evidence(p), 0);
	assert_non_null(strstr(p->got, "says that it is ready, and it did not begin"));
	assert_int_equal(p->state.n_owed, 1);
	later(p, 20);
	assert_int_equal(evidence(p), 0);
	assert_non_null(strstr(p->got, "/tmp/evil sha256:0909"));
	/* One that began, and says more than the list has: what comes after the list's end is owed a line. */
	put_ready(p, "\"phase\":\"ready\",\"ima\":1000000,\"ima_measures\":\"programs\"");
	assert_int_equal(evidence(p), 0);
	assert_non_null(strstr(p->got, "1000000 entries stood in IMA's list when the agent was "
				       "ready, it says, and the list has 3"));
	measure(p, "/tmp/worse", 8, "sha256");
	assert_int_equal(evidence(p), 0);
	assert_int_equal(p->n_got, 0);
	later(p, 20);
	assert_int_equal(evidence(p), 0);
	assert_non_null(strstr(p->got, "/tmp/worse sha256:0808"));
	/* The beginning may come with one evidence, and that it is ready with the next. */
	put_record(p, PLUMB_TYPE_START, "\"agent\":\"0.1.0\"");
	assert_int_equal(evidence(p), 0);
	put_record(p, PLUMB_TYPE_START,
		   "\"phase\":\"ready\",\"ima\":4,\"ima_measures\":\"programs\"");
	assert_int_equal(evidence(p), 0);
	assert_int_equal(p->n_got, 0);
}

/* A release before this one did not keep whether the agent had begun: it may have. */
static void test_state_of_before(void **state)
{
	const size_t at = 1 + sizeof(((struct appraise_ima_state *)0)->boot) + 5 * 8 + 1;
	struct appraise_ima_state s = {.skip_to = 7, .programs = true}, again;
	struct buf b = {0};

	(void)state;
	assert_int_equal(appraise_ima_state_write(&s, &b), 0);
	assert_int_equal(b.data[0], 2);
	assert_int_equal(appraise_ima_state_parse(b.data, b.size, &again), 0);
	assert_false(again.starting);
	memmove(b.data + at, b.data + at + 1, b.size - at - 1);
	b.data[0] = 1;
	assert_int_equal(appraise_ima_state_parse(b.data, b.size - 1, &again), 0);
	assert_true(again.starting && again.programs && again.skip_to == 7 && again.n_owed == 0);
	buf_done(&b);
}

/* An entry whose template is said to be another one: its data are what they were. */
static void measure_as(struct place *p, const char *template, const char *text, uint8_t n)
{
	uint8_t digest[20] = {7};
	uint32_t size = (uint32_t)strlen(text) + 1;
	struct digest d;

	digest_of(n, &d);
	put_u32le(&p->list, 10);
	buf_put(&p->list, digest, 20);
	put_u32le(&p->list, (uint32_t)strlen(template));
	buf_puts(&p->list, template);
	put_u32le(&p->list, 4 + 40 + 4 + size);
	put_u32le(&p->list, 40);
	buf_put(&p->list, "sha256:", 8);
	buf_put(&p->list, d.bytes, 32);
	put_u32le(&p->list, size);
	buf_put(&p->list, text, size);
	p->cursor++;
}

/* What is in a buffer field is a buffer when the digest is of it; a digest without a name is one of something. */
static void test_another_template_hides_nothing(void **state)
{
	static const char *const templates[] = {"d-ng|buf", "d-ng|evmsig", "d-ng|sig"};
	struct place *p = *state;
	struct digest d;

	put_ready(p, READY);
	measure(p, "boot_aggregate", 1, "sha256");
	measure(p, "/usr/bin/init", 2, "sha256");
	for (size_t i = 0; i < sizeof(templates) / sizeof(templates[0]); i++)
		measure_as(p, templates[i], "/tmp/evil", (uint8_t)(9 + i));
	assert_int_equal(evidence(p), 0);
	assert_int_equal(p->state.n_owed, 3);
	later(p, 20);
	assert_int_equal(evidence(p), 0);
	assert_int_equal(p->n_got, 3);
	/* A buffer that is one. */
	measure_as(p, "d-ng|buf", "root=/dev/sda1", 9);
	assert_int_equal(digest_sha256("root=/dev/sda1", 15, &d), 0);
	memcpy(p->list.data + p->list.size - 15 - 4 - 32, d.bytes, 32);
	assert_int_equal(evidence(p), 0);
	assert_int_equal(p->state.n_owed, 0);
}

static void test_another_boot(void **state)
{
	struct place *p = *state;

	put_ready(p, READY);
	measure(p, "boot_aggregate", 1, "sha256");
	measure(p, "/sbin/init", 2, "sha256");
	measure(p, "/bin/a", 3, "sha256");
	assert_int_equal(evidence(p), 0);
	assert_int_equal(p->state.n_owed, 1);
	p->boot = "00000000-e01e-4ed0-93cb-22bb8f5acdc3";
	p->bt = S;
	put_ready(p, READY);
	put_exec(p, "exec:/bin/b", 4);
	p->from = p->cursor = 0;
	measure(p, "boot_aggregate", 1, "sha256");
	measure(p, "/sbin/init", 2, "sha256");
	measure(p, "/bin/c", 6,
		"sha256"); /* what is owed of the other boot, and its numbers, are none of this one's */
	measure(p, "/bin/b", 4, "sha256");
	assert_int_equal(evidence(p), 0);
	assert_int_equal(p->state.cursor, 4);
	assert_int_equal(p->state.n_owed, 1);
	later(p, 11);
	assert_int_equal(evidence(p), 0);
	assert_int_equal(p->n_got, 1);
	assert_memory_equal(p->got, "/bin/c ", 7);
}

static void test_numbers(void **state)
{
	struct place *p = *state;

	put_ready(p, READY);
	p->from = p->cursor = 5;
	measure(p, "/bin/a", 3, "sha256");
	put_exec(p, "exec:/bin/a", 3);
	assert_int_equal(evidence(p), 0);
	assert_string_equal(p->got, "entries 0 to 5 of IMA's list were never sent\n");
	/* A new agent begins again; what came before is not looked at twice. */
	p->from = p->cursor = 0;
	for (uint8_t i = 0; i < 6; i++)
		measure(p, "/bin/unknown", (uint8_t)(30 + i), "sha256");
	assert_int_equal(evidence(p), 0);
	assert_string_equal(p->got, "");
	assert_int_equal(p->state.n_owed, 0);
	measure(p, "/bin/a", 3, "sha256");
	p->cursor++; /* one that is not there */
	assert_int_equal(evidence(p), -EBADMSG);
	assert_non_null(strstr(p->why.text, "not the entries from 6 to 8"));
	p->from = p->cursor = 6;
	measure(p, "/bin/a", 3, "sha256");
	measure(p, "/bin/a", 3, "sha256");
	p->cursor--;
	assert_int_equal(evidence(p), -EBADMSG);
	p->from = p->cursor = 6;
	measure(p, "/bin/a", 3, "sha256");
	p->list.size--;
	assert_int_equal(evidence(p), -EBADMSG);
}

static void test_too_many(void **state)
{
	struct place *p = *state;
	char name[32];

	put_ready(p, "\"phase\":\"ready\",\"ima\":0,\"ima_measures\":\"programs\"");
	for (uint32_t i = 0; i < APPRAISE_IMA_MAX_OWED + 4; i++) {
		snprintf(name, sizeof(name), "/bin/%u", i);
		measure(p, name, (uint8_t)(i % 250 + 1), "sha256");
	}
	assert_int_equal(evidence(p), 0);
	assert_string_equal(p->got, "4 entries of IMA's list came too fast to be compared\n");
	assert_int_equal(p->state.n_owed, APPRAISE_IMA_MAX_OWED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_all_have_lines),
		TEST(test_newest_first),
		TEST(test_one_without_a_line),
		TEST(test_a_line_that_comes_later),
		TEST(test_what_a_loss_explains),
		TEST(test_what_is_not_compared),
		TEST(test_a_file_of_these_bytes_is_no_exec),
		TEST(test_the_first_entry_alone_is_boot_aggregate),
		TEST(test_another_template_hides_nothing),
		TEST(test_a_start_hides_nothing),
		TEST(test_state_of_before),
		TEST(test_another_boot),
		TEST(test_numbers),
		TEST(test_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
