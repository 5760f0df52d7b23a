/* SPDX-License-Identifier: Apache-2.0 */
/* Drift is derived from the lines alone; what the agent said of them, and what the ledger says of itself, is held against that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "appraise_drift.h"

#define TRUE_DIGEST "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define OTHER_DIGEST "sha256:0000000000000000000000000000000000000000000000000000000000000001"
#define BOOT "0f0e0d0c-0000-4000-8000-000000000001"
#define MINUTE 60000000000ull

struct place {
	struct baseline *b; /* version 3 */
	struct appraise_drift_state state;
	struct appraise_drift_in in;
	struct buf lines;
	uint64_t seq, bt;
	const char *boot;
	char got[4096];
	struct why why;
	int stop;
};

static int on_item(void *ctx, const struct appraise_drift_item *i)
{
	struct place *p = ctx;
	size_t used = strlen(p->got);

	snprintf(p->got + used, sizeof(p->got) - used, "%d %s %s|%s|%s%s\n", (int)i->seq,
		 terms_judgement_name(i->judgement), i->key, i->expected, i->found,
		 i->actor && i->actor->known ? "|who" : "");
	return p->stop;
}

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	assert_int_equal(baseline_open(fsio_system(), "tests/data/baseline/unsigned.jsonl", NULL, 0,
				       0, &p->b, NULL),
			 0);
	p->in.baseline = p->b;
	p->in.item = on_item;
	p->in.ctx = p;
	p->seq = 40;
	p->bt = 1000;
	p->boot = BOOT;
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	appraise_drift_state_done(&p->state);
	baseline_free(p->b);
	buf_done(&p->lines);
	free(p);
	return 0;
}

static void put(struct place *p, struct line l)
{
	l.seq = p->seq++;
	l.boot_ns = p->bt;
	l.boot = p->boot;
	l.src = "test";
	assert_int_equal(line_write(&l, &p->lines), 0);
	buf_puts(&p->lines, "\n");
}

static void put_record(struct place *p, enum plumb_type type, const char *body)
{
	put(p, (struct line){.type = type, .body = body});
}

/* As the agent would write it. */
static void put_exec(struct place *p, const char *found, enum plumb_judgement j, uint32_t jv,
		     uint64_t bv, const char *expected)
{
	put(p, (struct line){.type = PLUMB_TYPE_EXEC,
			     .scope = "host",
			     .key = "exec:/x",
			     .found = found,
			     .judgement = j,
			     .expected = expected,
			     .judge_version = jv,
			     .baseline_version = bv,
			     .has_actor = true,
			     .actor = {.known = true, .comm = "sh"}});
}

static void put_event(struct place *p, uint64_t ksess, uint32_t cpu, uint64_t kseq)
{
	put(p, (struct line){.type = PLUMB_TYPE_EXEC,
			     .scope = "image:none",
			     .key = "exec:/x",
			     .found = TRUE_DIGEST,
			     .judgement = PLUMB_JUDGE_UNJUDGED,
			     .judge_version = PLUMB_JUDGE_VERSION,
			     .baseline_version = 3,
			     .has_kernel = true,
			     .ksess = ksess,
			     .cpu = cpu,
			     .kseq = kseq});
}

static void put_counters(struct place *p, int ksess, int cpu, int attempts, int dropped,
			 int received)
{
	char body[256];

	snprintf(body, sizeof(body),
		 "\"session\":\"%016x\",\"on_cpu\":%d,\"attempts\":%d,\"submitted\":0,\"dropped\":%"
		 "d,"
		 "\"received\":%d",
		 (unsigned int)ksess, cpu, attempts, dropped, received);
	put_record(p, PLUMB_TYPE_COUNTERS, body);
}

/* Reads what was put, with the state going through its stored form; "" or the items without the unjudged events of put_event. */
static const char *read_all(struct place *p)
{
	struct appraise_drift_state again;
	struct buf b = {0};
	int r;

	assert_int_equal(appraise_drift_state_write(&p->state, &b), 0);
	assert_int_equal(appraise_drift_state_parse(b.data, b.size, &again), 0);
	appraise_drift_state_done(&p->state);
	p->state = again;
	buf_done(&b);
	for (size_t i = 0; i < p->lines.size; i++)
		p->in.n += p->lines.data[i] == '\n';
	p->in.from = p->seq - p->in.n;
	p->in.lines = (struct buf_view){p->lines.data, p->lines.size};
	p->got[0] = 0;
	r = appraise_drift(&p->in, &p->state, &p->why);
	p->in.n = 0;
	buf_clear(&p->lines);
	if (r != 0)
		snprintf(p->got, sizeof(p->got), "error %d: %s", r, p->why.text);
	for (char *at = p->got, *lf; (lf = strchr(at, '\n')); at = lf + 1)
		if (strstr(at, " unjudged exec:/x") && strstr(at, " unjudged exec:/x") < lf) {
			memmove(at, lf + 1, strlen(lf + 1) + 1);
			lf = at - 1;
		}
	return p->got;
}

static void test_derived_again(void **state)
{
	struct place *p = *state;

	put_exec(p, TRUE_DIGEST, PLUMB_JUDGE_OK, PLUMB_JUDGE_VERSION, 3, NULL);
	put_exec(p, OTHER_DIGEST, PLUMB_JUDGE_DRIFT, PLUMB_JUDGE_VERSION, 3, "listed");
	put(p, (struct line){.type = PLUMB_TYPE_UNKNOWN, .type_name = "from-the-future"});
	assert_string_equal(read_all(p), "40 ok exec:/x||" TRUE_DIGEST "|who\n"
					 "41 drift exec:/x|listed|" OTHER_DIGEST "|who\n");
}

static void test_lies_and_skew(void **state)
{
	struct place *p = *state;

	put_exec(p, OTHER_DIGEST, PLUMB_JUDGE_OK, PLUMB_JUDGE_VERSION, 3, NULL);
	assert_string_equal(
		read_all(p),
		"40 drift exec:/x|listed|" OTHER_DIGEST "|who\n"
		"40 drift finding:judge_lie|drift for exec:/x|ok, judge version 2|who\n");
	put_exec(p, OTHER_DIGEST, PLUMB_JUDGE_UNJUDGED, PLUMB_JUDGE_VERSION + 1, 3, NULL);
	assert_non_null(strstr(read_all(p), "finding:judge_skew|drift for exec:/x|unjudged"));
	put_exec(p, OTHER_DIGEST, PLUMB_JUDGE_DRIFT, PLUMB_JUDGE_VERSION, 3, "absent");
	assert_non_null(strstr(read_all(p), "finding:judge_lie"));
	put_exec(p, TRUE_DIGEST, PLUMB_JUDGE_DRIFT, PLUMB_JUDGE_VERSION, 3, "listed");
	assert_non_null(strstr(read_all(p), "finding:judge_lie|ok for exec:/x|drift"));
}

static void test_other_baselines(void **state)
{
	struct place *p = *state;

	put_exec(p, OTHER_DIGEST, PLUMB_JUDGE_OK, PLUMB_JUDGE_VERSION, 2, NULL);
	put_exec(p, OTHER_DIGEST, PLUMB_JUDGE_OK, PLUMB_JUDGE_VERSION, 2, NULL);
	/* Once an evidence; the drift itself is told by our baseline. */
	assert_string_equal(read_all(p), "40 drift exec:/x|listed|" OTHER_DIGEST "|who\n"
					 "40 drift finding:baseline|version 3|version 2|who\n"
					 "41 drift exec:/x|listed|" OTHER_DIGEST "|who\n");
	put_exec(p, TRUE_DIGEST, 0, 0, 0, NULL);
	assert_non_null(strstr(read_all(p), "finding:baseline|version 3|none"));
	p->in.baseline_under_way = true;
	put_exec(p, TRUE_DIGEST, 0, 0, 0, NULL);
	assert_null(strstr(read_all(p), "finding"));
	p->in.baseline_under_way = false;
	p->in.baseline = NULL;
	put_exec(p, TRUE_DIGEST, PLUMB_JUDGE_OK, PLUMB_JUDGE_VERSION, 3, NULL);
	assert_string_equal(read_all(p), "44 drift finding:baseline|none|version 3|who\n");
	put_exec(p, TRUE_DIGEST, 0, 0, 0, NULL);
	assert_string_equal(read_all(p), "");
}

static void put_gap(struct place *p, bool stopped)
{
	put_record(p, PLUMB_TYPE_START, "");
	put_record(p, PLUMB_TYPE_GAP,
		   stopped ? "\"from\":\"2026-11-24T00:00:00.000000000Z\",\"stopped\":true"
			   : "\"from\":\"2026-11-24T00:00:00.000000000Z\",\"stopped\":false");
}

static void test_gaps(void **state)
{
	const struct appraise_drift_restart orders[] = {{5, 1000 * MINUTE, 60000},
							{6, 1000 * MINUTE, 600000}};
	struct place *p = *state;

	put_gap(p, true);
	assert_non_null(strstr(read_all(p), "no order covers that"));
	p->in.restarts = orders;
	p->in.n_restarts = 2;
	p->in.now_ns = 999 * MINUTE;
	put_gap(p, true);
	assert_non_null(strstr(read_all(p), "finding:gap"));
	/* Each order covers one gap, and only that of an agent that had stopped. */
	p->in.now_ns = 1001 * MINUTE;
	put_gap(p, false);
	assert_non_null(strstr(read_all(p), "had not stopped in order"));
	put_gap(p, true);
	assert_string_equal(read_all(p), "");
	put_gap(p, true);
	assert_string_equal(read_all(p), "");
	put_gap(p, true);
	assert_non_null(strstr(read_all(p), "no order covers that"));
}

/* A stop that covered its gap covers the interval before the next quote too, which may come much later; and neither twice. */
static void test_ordered_interval(void **state)
{
	const struct appraise_drift_restart order = {5, 1000 * MINUTE, 60000};
	struct place *p = *state;

	p->in.now_ns = 1000 * MINUTE;
	assert_false(appraise_drift_ordered(&p->in, &p->state.unanchored_used));
	p->in.restarts = &order;
	p->in.n_restarts = 1;
	put_gap(p, true);
	assert_string_equal(read_all(p), "");
	assert_true(appraise_drift_ordered(&p->in, &p->state.unanchored_used));
	assert_int_equal(p->state.unanchored_used, 5);
	assert_false(appraise_drift_ordered(&p->in, &p->state.unanchored_used));
	p->state.unanchored_used = 4;
	p->in.now_ns = 1001 * MINUTE + p->in.slack_ns + 1;
	assert_false(appraise_drift_ordered(&p->in, &p->state.unanchored_used));
}

static void test_windows_end(void **state)
{
	const struct appraise_drift_restart order = {5, 1000 * MINUTE, 60000};
	struct place *p = *state;

	p->in.restarts = &order;
	p->in.n_restarts = 1;
	p->in.slack_ns = MINUTE;
	p->in.now_ns = 1002 * MINUTE + 1;
	put_gap(p, true);
	assert_non_null(strstr(read_all(p), "finding:gap"));
	p->in.now_ns--;
	put_gap(p, true);
	assert_string_equal(read_all(p), "");
}

static void test_starts_tell_gaps(void **state)
{
	struct place *p = *state;

	p->seq = 0;
	put_record(p, PLUMB_TYPE_LOG, "");
	put_record(p, PLUMB_TYPE_START, "");
	put_event(p, 7, 0, 1);
	assert_string_equal(read_all(p), "");
	p->seq = 10;
	put_record(p, PLUMB_TYPE_START, "");
	assert_string_equal(read_all(p), "");
	put_event(p, 8, 0, 1);
	assert_string_equal(read_all(p),
			    "11 drift finding:gap|a gap line|a start that tells no gap\n");
	p->boot = "0f0e0d0c-0000-4000-8000-000000000002";
	put_event(p, 8, 0, 2);
	assert_non_null(strstr(read_all(p), "another boot without a start"));
	put_event(p, 8, 0, 3);
	assert_string_equal(read_all(p), "");
}

static void test_losses(void **state)
{
	struct place *p = *state;

	put_record(p, PLUMB_TYPE_LOST, "\"of\":\"fanotify\",\"n\":0,\"what\":\"overflow\"");
	assert_non_null(
		strstr(read_all(p), "|events of fanotify, how many is not known: overflow\n"));
	p->seq = 40;
	put_record(p, PLUMB_TYPE_LOST, "\"of\":\"fanotify\",\"n\":12,\"what\":\"overflow\"");
	assert_string_equal(read_all(p),
			    "40 drift finding:loss|none lost|12 events of fanotify: overflow\n");
	/* Not events, but what this verifier had: it was put back from an older store. */
	put_record(p, PLUMB_TYPE_LOST,
		   "\"of\":\"verifier\",\"n\":3,\"what\":\"it went back from line 9\"");
	assert_string_equal(read_all(p), "41 drift finding:rollback|all that was cosigned|it went "
					 "back from line 9\n");
	p->seq = 41;
	put_counters(p, 7, 0, 100, 0, 100);
	put_counters(p, 7, 0, 120, 5, 115);
	put_counters(p, 7, 0, 130, 5, 125);
	assert_string_equal(read_all(p),
			    "42 drift finding:loss|none lost|5 events of bpf: the ring was full\n");
}

static const char *counters(struct place *p)
{
	static char text[256];
	const char *all = read_all(p), *at = strstr(all, "finding:counters|numbers that add up|");

	if (!at)
		return all;
	snprintf(text, sizeof(text), "%.*s", (int)strcspn(at + 37, "\n"), at + 37);
	return text;
}

static void test_numbers_per_cpu(void **state)
{
	struct place *p = *state;

	/* Known programs and forks write no line: numbers may jump, as far as the counters go. */
	put_event(p, 7, 0, 5);
	put_event(p, 7, 1, 900);
	put_counters(p, 7, 0, 80, 0, 80);
	put_counters(p, 7, 1, 900, 0, 900);
	put_event(p, 7, 0, 85);
	put_event(p, 7, 0, 84);
	put_counters(p, 7, 0, 85, 0, 85);
	assert_string_equal(counters(p), "");
	put_event(p, 7, 0, 85);
	assert_string_equal(counters(p), "event 85 of CPU 0 was told twice");
	put_event(p, 7, 0, 84);
	assert_string_equal(counters(p), "event 84 of CPU 0 comes after all up to 85 had arrived");
	put_event(p, 7, 1, 1000);
	put_counters(p, 7, 1, 950, 0, 950);
	assert_string_equal(counters(p),
			    "CPU 1 counted 950 events, and event 1000 was told before");
	put_event(p, 7, APPRAISE_COUNTERS_MAX_CPUS, 1);
	assert_string_equal(counters(p), "CPU 4096 is none");
}

/* Whoever lost a file event lost another thing than who lost a fork; foreign text stays within its bounds. */
static void test_drops_by_kind(void **state)
{
	struct place *p = *state;
	char body[1024], name[257];

	put_record(p, PLUMB_TYPE_COUNTERS,
		   "\"session\":\"0000000000000007\",\"on_cpu\":0,\"attempts\":100,\"submitted\":0,"
		   "\"dropped\":9,\"dropped_by\":{\"exec\":2,\"file\":7},\"received\":91");
	assert_non_null(strstr(read_all(p), "9 events of bpf: the ring was full (in all on this "
					    "CPU: exec 2, file 7)"));
	put_counters(p, 7, 0, 101, 10, 91);
	assert_non_null(strstr(read_all(p), "1 events of bpf: the ring was full\n"));
	memset(name, 'x', sizeof(name) - 1);
	name[256] = '\0';
	snprintf(body, sizeof(body),
		 "\"session\":\"0000000000000007\",\"on_cpu\":0,\"attempts\":103,"
		 "\"submitted\":0,\"dropped\":11,\"dropped_by\":{\"%s\":\"much\"},\"received\":92",
		 name);
	put_record(p, PLUMB_TYPE_COUNTERS, body);
	assert_non_null(strstr(read_all(p), "(in all on this CPU: xxxxxxxxxxxxxxxx 0)"));
}

static void test_counters_fall(void **state)
{
	struct place *p = *state;

	put_counters(p, 7, 0, 100, 3, 97);
	read_all(p);
	put_counters(p, 7, 0, 99, 3, 96);
	assert_string_equal(counters(p), "counters of CPU 0 went back");
	put_counters(p, 7, 0, 110, 2, 108);
	assert_string_equal(counters(p), "counters of CPU 0 went back");
	put_counters(p, 7, 0, 110, 3, 108);
	assert_string_equal(counters(p), "CPU 0: more arrived than was attempted");
}

/* The consumer's position was pushed ahead: events are counted, and never arrive. */
static void test_jammed_ring(void **state)
{
	struct place *p = *state;

	put_counters(p, 7, 0, 100, 0, 90);
	p->bt += 10000000000ull;
	put_counters(p, 7, 0, 200, 0, 120);
	p->bt += 25000000000ull;
	put_counters(p, 7, 0, 300, 0, 190);
	p->bt += 4000000000ull;
	put_counters(p, 7, 0, 400, 0, 190);
	assert_string_equal(counters(p), "");
	p->bt += 25000000000ull;
	put_counters(p, 7, 0, 500, 0, 190);
	assert_string_equal(counters(p),
			    "CPU 0: 10 of 200 events were neither received nor dropped");
	p->bt += 25000000000ull;
	put_counters(p, 7, 0, 500, 0, 500);
	assert_string_equal(counters(p), "");
}

static void test_loaded_anew(void **state)
{
	struct place *p = *state;

	put_event(p, 7, 0, 5);
	put_counters(p, 8, 0, 1, 0, 1);
	assert_string_equal(counters(p), "kernel programs were loaded anew (session "
					 "0000000000000008 after 0000000000000007) without a start "
					 "of the agent");
	p->in.now_ns = 1;
	p->in.restarts = &(const struct appraise_drift_restart){1, 0, 60000};
	p->in.n_restarts = 1;
	put_gap(p, true);
	put_event(p, 9, 0, 1);
	assert_string_equal(counters(p), "");
	put_event(p, 8, 0, 2);
	assert_non_null(strstr(counters(p), "without a start"));
}

static void test_no_lines(void **state)
{
	struct place *p = *state;

	put_exec(p, TRUE_DIGEST, 0, 0, 0, NULL);
	p->lines.data[0] = '[';
	assert_non_null(strstr(read_all(p), "error -74: line 40: "));
	put_exec(p, TRUE_DIGEST, 0, 0, 0, NULL);
	p->seq++;
	assert_non_null(strstr(read_all(p), "error -74: line 42 says that it is 41"));
	put_record(p, PLUMB_TYPE_COUNTERS, "\"session\":\"7\"");
	assert_non_null(strstr(read_all(p), "error -74: "));
	put_exec(p, TRUE_DIGEST, 0, 0, 0, NULL);
	buf_puts(&p->lines, "more");
	assert_non_null(strstr(read_all(p), "error -74: there is more"));
	put_exec(p, TRUE_DIGEST, 0, 0, 0, NULL);
	p->stop = 9;
	assert_non_null(strstr(read_all(p), "error 9"));
}

static void test_stored_state(void **state)
{
	struct place *p = *state;
	struct appraise_drift_state s;
	struct buf b = {0}, old = {0};

	p->state.restart_used = 3;
	p->state.unanchored_used = 4;
	put_record(p, PLUMB_TYPE_START, "");
	put_record(p, PLUMB_TYPE_GAP, "");
	put_counters(p, 7, 1, 100, 0, 90);
	read_all(p);
	assert_int_equal(appraise_drift_state_write(&p->state, &b), 0);
	for (size_t cut = 0; cut < b.size; cut++)
		assert_int_equal(appraise_drift_state_parse(b.data, cut, &s), -EBADMSG);
	buf_put_u8(&b, 0);
	assert_int_equal(appraise_drift_state_parse(b.data, b.size, &s), -EBADMSG);
	buf_cut(&b, b.size - 1);
	/* As it was written before it had the number of the second kind. */
	buf_put(&old, "\1", 1);
	buf_put(&old, b.data + 1, 8);
	buf_put(&old, b.data + 17, b.size - 17);
	assert_int_equal(appraise_drift_state_parse(old.data, old.size, &s), 0);
	assert_true(s.restart_used == p->state.restart_used && s.unanchored_used == 0);
	assert_string_equal(s.boot, p->state.boot);
	appraise_drift_state_done(&s);
	buf_done(&old);
	b.data[0]++;
	assert_int_equal(appraise_drift_state_parse(b.data, b.size, &s), -EBADMSG);
	buf_done(&b);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_derived_again), TEST(test_lies_and_skew),   TEST(test_other_baselines),
		TEST(test_gaps),	  TEST(test_windows_end),     TEST(test_starts_tell_gaps),
		TEST(test_losses),	  TEST(test_numbers_per_cpu), TEST(test_counters_fall),
		TEST(test_drops_by_kind), TEST(test_jammed_ring),     TEST(test_loaded_anew),
		TEST(test_no_lines),	  TEST(test_stored_state),    TEST(test_ordered_interval),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
