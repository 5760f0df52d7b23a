/* SPDX-License-Identifier: Apache-2.0 */
/* What the sensors tell becomes lines: judged, once or each time, at once or in a batch; and the ledger's own records around them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cleanup.h"
#include "fake_tpm.h"
#include "ledger_check.h"
#include "ledger_writer.h"
#include "line.h"
#include "self_quote.h"

#define ORIGIN "test/node/0123/1"
#define KNOWN "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define UNKNOWN "sha256:00000000000000000000000000000000000000000000000000000000000000ff"
#define MAX_LINES 64

struct bench {
	char dir[64];
	struct event_base *base;
	struct ledger_writer *writer;
	const struct measure_sink *sink;
	struct baseline *baseline;
	struct tpm_queue *queue;
	bool exec_all;
	uint32_t n_news, n_again;
};

/* Lines on the disk at this moment: what is only appended is not there yet. */
struct lines {
	uint32_t n;
	char *text[MAX_LINES];
};

static int keep(void *ctx, uint64_t seq, const char *line, size_t size)
{
	struct lines *l = ctx;

	assert_int_equal(seq, l->n);
	assert_true(l->n < MAX_LINES);
	l->text[l->n++] = strndup(line, size);
	return 0;
}

static void read_lines(const struct bench *b, struct lines *ret)
{
	struct why why = {""};

	*ret = (struct lines){.n = 0};
	assert_int_equal(ledger_check_each(fsio_system(), b->dir, 0, keep, ret, &why), 0);
}

static void free_lines(struct lines *l)
{
	for (uint32_t i = 0; i < l->n; i++)
		free(l->text[i]);
}

/* How many lines on the disk have both texts. */
static uint32_t count(const struct bench *b, const char *one, const char *two)
{
	struct lines l;
	uint32_t n = 0;

	read_lines(b, &l);
	for (uint32_t i = 0; i < l.n; i++)
		n += strstr(l.text[i], one) && strstr(l.text[i], two);
	free_lines(&l);
	return n;
}

static void on_news(void *ctx, const struct line *l)
{
	assert_non_null(l->key);
	((struct bench *)ctx)->n_news++;
}

static void on_again(void *ctx)
{
	((struct bench *)ctx)->n_again++;
}

static int start(struct bench *b)
{
	const struct ledger_writer_options o = {.io = fsio_system(),
						.clock = clock_system(),
						.dir = b->dir,
						.origin = ORIGIN,
						.baseline = b->baseline,
						.batch_ms = 60000,
						.exec_all = b->exec_all,
						.drift = on_news,
						.again = on_again,
						.ctx = b};
	struct why why = {""};
	int r;

	b->base = event_base_new();
	r = ledger_writer_open(b->base, &o, &b->writer, &why);
	if (r < 0)
		print_message("# %s\n", why.text);
	else
		b->sink = ledger_writer_sink(b->writer);
	return r;
}

static void stop(struct bench *b)
{
	b->writer = ledger_writer_free(b->writer);
	event_base_free(b->base);
}

static void bench_init(struct bench *b)
{
	*b = (struct bench){.exec_all = false};
	strcpy(b->dir, "/tmp/plumb-test-writer-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
}

static void bench_done(struct bench *b)
{
	char command[128];

	baseline_free(b->baseline);
	snprintf(command, sizeof(command), "rm -rf %s", b->dir);
	assert_int_equal(system(command), 0);
}

static void tell(struct bench *b, enum plumb_type type, const char *scope, const char *key,
		 const char *found)
{
	const struct line l = {.type = type,
			       .src = "scan",
			       .scope = scope,
			       .key = key,
			       .found = found,
			       .op = type == PLUMB_TYPE_FILE ? "write" : NULL,
			       .has_actor = true};

	b->sink->measurement(b->sink->ctx, &l);
}

static void open_baseline(struct bench *b)
{
	struct why why = {""};

	assert_int_equal(baseline_open(fsio_system(), "tests/data/baseline/baseline.jsonl", NULL, 0,
				       0, &b->baseline, &why),
			 0);
}

static void test_start_and_gap(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	assert_int_equal(start(&b), 0);
	assert_int_equal(count(&b, "\"seq\":0,", "\"type\":\"log\",\"origin\":\"" ORIGIN "\""), 1);
	assert_int_equal(count(&b, "\"seq\":1,", "\"type\":\"start\""), 1);
	assert_int_equal(count(&b, "\"type\":\"gap\"", ""), 0);
	stop(&b); /* killed */
	assert_int_equal(start(&b), 0);
	assert_int_equal(count(&b, "\"type\":\"gap\",\"after\":1,", "\"stopped\":false"), 1);
	assert_int_equal(ledger_writer_stop(b.writer, "signal", 0), 0);
	assert_int_equal(count(&b, "\"type\":\"stop\"", "\"why\":\"signal\""), 1);
	stop(&b);
	assert_int_equal(start(&b), 0);
	assert_int_equal(count(&b, "\"type\":\"gap\"", "\"stopped\":true"), 1);
	assert_int_equal(ledger_writer_stop(b.writer, "signal", 0), 0);
	assert_int_equal(ledger_writer_record(b.writer, PLUMB_TYPE_QUOTE, "tpm", "\"size\":1"), 0);
	stop(&b); /* the quote that covers the stop */
	assert_int_equal(start(&b), 0);
	assert_int_equal(count(&b, "\"type\":\"gap\"", "\"stopped\":true"), 2);
	assert_int_equal(count(&b, "\"type\":\"log\"", ""), 1);
	stop(&b);
	bench_done(&b);
}

static void test_once(void **state)
{
	const struct plumb_counters counters = {.attempts = 9, .submitted = 9};
	struct bench b;

	(void)state;
	bench_init(&b);
	assert_int_equal(start(&b), 0);
	for (int i = 0; i < 5; i++)
		tell(&b, PLUMB_TYPE_EXEC, "host", "exec:/bin/a", KNOWN);
	tell(&b, PLUMB_TYPE_EXEC, "host", "exec:/bin/a", UNKNOWN);
	tell(&b, PLUMB_TYPE_EXEC, "host", "exec:/bin/b", KNOWN);
	tell(&b, PLUMB_TYPE_EXEC, "container:1", "exec:/bin/a", KNOWN);
	for (int i = 0; i < 3; i++) /* never taken for something seen before */
		tell(&b, PLUMB_TYPE_EXEC, "host", "exec:/bin/c", "unmeasured ESTALE");
	b.sink->counters(b.sink->ctx, 7, 0, &counters, 9);
	assert_int_equal(ledger_writer_stop(b.writer, "signal", 0), 0);
	assert_int_equal(count(&b, "\"type\":\"exec\"", "\"key\":\"exec:/bin/a\""), 3);
	assert_int_equal(count(&b, "\"type\":\"exec\"", "\"key\":\"exec:/bin/b\""), 1);
	assert_int_equal(count(&b, "\"type\":\"exec\"", "unmeasured"), 3);
	assert_int_equal(count(&b, "\"type\":\"counters\"", "\"exec_repeats\":4"), 1);
	assert_int_equal(count(&b, "\"type\":\"repeats\",\"runs\":4",
			       "\"key\":\"exec:/bin/a\",\"found\":\"" KNOWN "\",\"n\":4}"),
			 1);
	stop(&b);
	b.exec_all = true;
	assert_int_equal(start(&b), 0);
	for (int i = 0; i < 5; i++)
		tell(&b, PLUMB_TYPE_EXEC, "host", "exec:/bin/d", KNOWN);
	assert_int_equal(ledger_writer_stop(b.writer, "signal", 0), 0);
	assert_int_equal(count(&b, "\"type\":\"exec\"", "\"key\":\"exec:/bin/d\""), 5);
	stop(&b);
	bench_done(&b);
}

/* A known program run by another user or in another cgroup is news to a rule that asks for them; who runs again is not. */
static void test_once_by_whom(void **state)
{
	struct line l = {.type = PLUMB_TYPE_EXEC,
			 .src = "bpf",
			 .scope = "host",
			 .key = "exec:/bin/a",
			 .found = KNOWN,
			 .has_actor = true,
			 .actor = {.known = true, .cgroup = "/system.slice/x.service"}};
	struct bench b;

	(void)state;
	bench_init(&b);
	assert_int_equal(start(&b), 0);
	for (int i = 0; i < 6; i++) {
		l.actor.pid = 100 + (uint32_t)i;
		l.actor.uid = i % 2 ? 33 : 0;
		b.sink->measurement(b.sink->ctx, &l);
	}
	l.actor.cgroup = "/user.slice/user-0.slice/session-1.scope";
	b.sink->measurement(b.sink->ctx, &l);
	l.actor.cgroup = "/user.slice/user-0.slice/session-2.scope";
	b.sink->measurement(b.sink->ctx, &l);
	assert_int_equal(ledger_writer_stop(b.writer, "signal", 0), 0);
	assert_int_equal(count(&b, "\"type\":\"exec\"", "\"uid\":0"), 1);
	assert_int_equal(count(&b, "\"type\":\"exec\"", "\"uid\":33"), 2);
	assert_int_equal(count(&b, "\"type\":\"exec\"", "session-1.scope"), 1);
	assert_int_equal(count(&b, "\"type\":\"repeats\",\"runs\":5", ""), 1);
	stop(&b);
	bench_done(&b);
}

/* Judged with its baseline's version; and drift, files and modules do not wait for their batch. */
static void test_judged(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	open_baseline(&b);
	assert_int_equal(start(&b), 0);
	assert_int_equal(count(&b, "\"type\":\"baseline\",\"version\":3", "\"sha256\":"), 1);
	tell(&b, PLUMB_TYPE_EXEC, "host", "exec:/usr/bin/true", KNOWN);
	assert_int_equal(count(&b, "exec:/usr/bin/true", ""), 0); /* allowed: it can wait */
	tell(&b, PLUMB_TYPE_CLAIM, "host", "boot:release", "6.1.0-56-amd64");
	assert_int_equal(count(&b, "boot:release", ""), 0);
	tell(&b, PLUMB_TYPE_EXEC, "host", "exec:/tmp/x", UNKNOWN);
	assert_int_equal(count(&b, "exec:/tmp/x", "\"judge\":\"drift\""), 1); /* at once */
	assert_int_equal(count(&b, "exec:/usr/bin/true", "\"judge\":\"ok\""), 1);
	assert_int_equal(count(&b, "boot:release", "\"judge\":\"ok\""), 1);
	assert_int_equal(count(&b, "exec:/tmp/x", "\"jv\":2,\"bv\":3"), 1);
	tell(&b, PLUMB_TYPE_EXEC, "container:9", "exec:/tmp/y", UNKNOWN);
	assert_int_equal(count(&b, "exec:/tmp/y", ""), 0);
	tell(&b, PLUMB_TYPE_FILE, "host", "file:/etc/other", "absent");
	assert_int_equal(count(&b, "file:/etc/other", "\"judge\":\"unjudged\""), 1);
	assert_int_equal(count(&b, "exec:/tmp/y", "\"judge\":\"unjudged\""), 1);
	tell(&b, PLUMB_TYPE_MODULE, "host", "module:evil", "loaded");
	assert_int_equal(count(&b, "module:evil", "\"expected\":\"absent\""), 1);
	tell(&b, PLUMB_TYPE_CLAIM, "host", "boot:release", "9.9");
	assert_int_equal(count(&b, "\"found\":\"9.9\"", "\"expected\":\"6.1.0-56-amd64\""), 1);
	stop(&b);
	bench_done(&b);
}

/* Whoever waits whether it stays wrong must hear at once that it does not; but only once, and only of what was wrong. */
static void test_end_of_drift(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	open_baseline(&b);
	assert_int_equal(start(&b), 0);
	tell(&b, PLUMB_TYPE_CLAIM, "host", "boot:release", "6.1.0-56-amd64");
	assert_int_equal(b.n_news, 0);
	tell(&b, PLUMB_TYPE_CLAIM, "host", "boot:release", "9.9");
	assert_int_equal(b.n_news, 1);
	tell(&b, PLUMB_TYPE_CLAIM, "host", "boot:release", "6.1.0-56-amd64");
	assert_int_equal(b.n_news, 2);
	assert_int_equal(count(&b, "boot:release", "\"judge\":\"ok\""), 2); /* it did not wait */
	tell(&b, PLUMB_TYPE_CLAIM, "host", "boot:release", "6.1.0-56-amd64");
	assert_int_equal(b.n_news, 2);
	/* Nothing ends that a program ran. */
	tell(&b, PLUMB_TYPE_EXEC, "host", "exec:/usr/bin/true", UNKNOWN);
	assert_int_equal(b.n_news, 3);
	tell(&b, PLUMB_TYPE_EXEC, "host", "exec:/usr/bin/true", KNOWN);
	assert_int_equal(b.n_news, 3);
	stop(&b);
	bench_done(&b);
}

static void test_lost(void **state)
{
	CLEANUP_FREE char *huge = malloc(70001);
	struct bench b;

	(void)state;
	memset(huge, 'x', 70000);
	huge[70000] = 0;
	bench_init(&b);
	assert_int_equal(start(&b), 0);
	b.sink->lost(b.sink->ctx, "fanotify", 3, "queue \"overflow\"");
	tell(&b, PLUMB_TYPE_CLAIM, "host", "boot:cmdline", huge);
	tell(&b, PLUMB_TYPE_CLAIM, "host", "boot:cmdline", huge);
	tell(&b, PLUMB_TYPE_MODULE, "host", "module:x", "loaded");
	assert_int_equal(count(&b, "\"of\":\"fanotify\",\"n\":3", "queue \\\"overflow\\\""), 1);
	assert_int_equal(count(&b, "\"of\":\"ledger\",\"n\":", ""),
			 2); /* told before what came next */
	assert_int_equal(count(&b, "module:x", ""), 1);
	stop(&b);
	bench_done(&b);
}

/* Who names his programs so that no line could hold all their names gets a line all the same, and nothing is told anew for it. */
static void test_hostile_ancestors(void **state)
{
	char path[1024];
	struct line l = {.type = PLUMB_TYPE_MODULE,
			 .src = "bpf",
			 .scope = "host",
			 .key = "module:evil",
			 .found = "loaded",
			 .has_actor = true,
			 .actor = {.known = true, .exe = path, .n_ancestors = LINE_MAX_ANCESTORS}};
	CLEANUP(buf_done) struct buf words = {0};
	struct bench b;

	(void)state;
	memset(path, 1, sizeof(path));
	path[1022] = (char)0xff;
	path[1023] = 0;
	for (size_t i = 0; i < LINE_MAX_ANCESTORS; i++)
		l.actor.ancestors[i] = (struct line_ancestor){7, "x", path};
	assert_int_equal(line_ancestors(l.actor.ancestors, l.actor.n_ancestors, &words), 0);
	bench_init(&b);
	open_baseline(&b);
	assert_int_equal(start(&b), 0);
	for (int i = 0; i < 2; i++) {
		b.sink->measurement(b.sink->ctx, &l);
		/* As proctab has them, and as a sensor of its own. */
		l.actor.ancestors_text = (const char *)words.data;
		l.actor.ancestors_size = words.size;
	}
	tell(&b, PLUMB_TYPE_MODULE, "host", "module:x", "loaded");
	event_base_loop(b.base, EVLOOP_NONBLOCK);
	assert_int_equal(count(&b, "module:evil", "\"judge\":\"drift\""), 2);
	assert_int_equal(count(&b, "module:evil", "\"ancestors\":[]},\"left_out\":[\"ancestors\"]"),
			 2);
	assert_int_equal(count(&b, "\"type\":\"lost\"", ""), 0);
	assert_int_equal(b.n_again, 0);
	stop(&b);
	bench_done(&b);
}

static void settle(struct bench *b, struct self_quote *q)
{
	const struct timeval tick = {0, 2000};

	for (int i = 0; i < 1500 &&
			!(commit_is_idle(ledger_writer_commit(b->writer)) && self_quote_is_idle(q));
	     i++) {
		event_base_loopexit(b->base, &tick);
		event_base_loop(b->base, EVLOOP_ONCE);
	}
	assert_true(commit_is_idle(ledger_writer_commit(b->writer)));
	assert_true(self_quote_is_idle(q));
}

static void on_anchored(void *ctx, const struct checkpoint *head)
{
	struct self_quote **q = ctx;

	(void)head;
	if (*q)
		self_quote_anchored(*q);
}

/*
 * With a TPM: epoch line, anchors, a signed head, quotes that the offline check verifies with the node's own record; a second start
 * goes on; a quote over a register that somebody else changed is not written, and that is told.
 */
static void test_tpm(void **state)
{
	struct identity_options io = {
		.io = fsio_system(), .clock = clock_system(), .log_name = "test", .pcr_index = 15};
	struct ledger_writer_options o = {.io = fsio_system(),
					  .clock = clock_system(),
					  .batch_ms = 20,
					  .anchored = on_anchored};
	struct ledger_check_report report;
	struct self_quote *quote = NULL;
	struct self_quote_options qo = {.interval_ms = 0};
	struct identity id, again;
	struct why why = {""};
	struct fake_tpm *fake;
	char dir[80], state_dir[80];
	struct bench b;

	(void)state;
	bench_init(&b);
	snprintf(dir, sizeof(dir), "%s/l", b.dir);
	io.ledger_dir = o.dir = dir;
	io.state_dir = b.dir;
	assert_int_equal(fake_tpm_open(&fake), 0);
	for (int life = 0; life < 2; life++) {
		assert_int_equal(identity_open(&io, fake_tpm_door(fake), &id, &why), 0);
		b.base = event_base_new();
		assert_int_equal(tpm_queue_open(b.base, id.tpm, &b.queue), 0);
		o.origin = id.origin;
		o.queue = b.queue;
		o.now = &id.now;
		o.event_key = id.event_key;
		o.ctx = &quote;
		assert_int_equal(ledger_writer_open(b.base, &o, &b.writer, &why), 0);
		b.sink = ledger_writer_sink(b.writer);
		qo.queue = b.queue;
		qo.writer = b.writer;
		qo.identity = &id;
		assert_int_equal(self_quote_open(b.base, &qo, &quote), 0);
		self_quote_now(quote);
		settle(&b, quote);
		tell(&b, PLUMB_TYPE_CLAIM, "host", "boot:cmdline", "quiet"); /* not anchored yet */
		self_quote_now(quote);
		settle(&b, quote);
		assert_int_equal(ledger_check(fsio_system(), dir, NULL, &report, &why), 0);
		for (uint32_t i = 0; i < report.n_problems; i++)
			print_message("# %s\n", report.problems[i].text);
		assert_int_equal(report.n_problems, 0);
		assert_int_equal(report.n_quotes, 2 * (life + 1));
		assert_int_equal(report.quoted_size + 1, ledger_writer_size(b.writer));
		assert_int_equal(report.anchored_size, report.signed_size);
		if (life == 1) {
			memset(&fake_tpm_pcrs(fake)->values[15], 0xee, DIGEST_SIZE);
			self_quote_now(quote);
			settle(&b, quote);
			assert_int_equal(ledger_check(fsio_system(), dir, NULL, &report, &why), 0);
			assert_int_equal(report.n_problems, 0);
			assert_int_equal(report.n_foreign, 1);
			assert_int_equal(report.n_quotes, 5);
		}
		b.queue = tpm_queue_free(b.queue);
		quote = self_quote_free(quote);
		stop(&b);
		identity_done(&id);
	}
	fake_tpm_free(fake);
	assert_int_equal(fake_tpm_open(&fake), 0); /* another TPM: the ledger is not its own */
	snprintf(state_dir, sizeof(state_dir), "%s/s", b.dir);
	io.state_dir = state_dir;
	assert_int_equal(identity_open(&io, fake_tpm_door(fake), &id, &why), -EXDEV);
	assert_non_null(strstr(why.text, "another TPM"));
	assert_int_equal(identity_open(&io, NULL, &id, &why),
			 0); /* the machine id's name; its origin will not fit */
	assert_int_equal(identity_open(&io, NULL, &again, &why), -EALREADY);
	identity_done(&id);
	fake_tpm_free(fake);
	bench_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start_and_gap),	  cmocka_unit_test(test_once),
		cmocka_unit_test(test_once_by_whom),	  cmocka_unit_test(test_judged),
		cmocka_unit_test(test_end_of_drift),	  cmocka_unit_test(test_lost),
		cmocka_unit_test(test_hostile_ancestors), cmocka_unit_test(test_tpm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
