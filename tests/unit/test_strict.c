/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's side of exec: strict, with a keeper that the test plays: a program may run when its line is in the PCR, and not before. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent_fixture.h"
#include "scratch.h"
#include "strict.h"
#include "strict_held.h"

struct bench {
	struct agent_fixture f;
	struct strict *strict;
	struct proctab *proctab;
	struct cgroups *cgroups;
	char groups[SCRATCH_SIZE];
	pid_t child;
	int keeper; /* its end */
	uint32_t n_states, last_id, n_leaves;
	bool attached;
	char why[256];
};

static void on_state(void *ctx, bool attached, const char *why)
{
	struct bench *b = ctx;

	b->n_states++;
	b->attached = attached;
	snprintf(b->why, sizeof(b->why), "%s", why);
}

static void on_anchored(void *ctx)
{
	struct bench *b = ctx;
	struct checkpoint head;

	commit_head(ledger_writer_commit(b->f.writer), &head);
	if (b->strict)
		strict_anchored(b->strict, &head);
}

/* What the agent said to the keeper since last time. */
static void listen_to_agent(struct bench *b)
{
	struct strict_msg m;

	while (recv(b->keeper, &m, sizeof(m), MSG_DONTWAIT) > 0) {
		if (m.kind != STRICT_ANCHORED)
			continue;
		b->last_id = m.id;
		b->n_leaves++;
	}
}

static void say(struct bench *b, struct strict_msg *m, const char *path)
{
	strcpy(m->path, path);
	assert_true(send(b->keeper, m, offsetof(struct strict_msg, path) + strlen(path) + 1, 0) >
		    0);
}

static void bench_open(struct bench *b)
{
	struct strict_parts parts = {.clock = clock_system(), .state = on_state, .ctx = b};
	struct why why = {""};
	int pair[2];

	memset(b, 0, sizeof(*b));
	agent_fixture_init(&b->f);
	b->f.anchored = on_anchored;
	b->f.ctx = b;
	agent_fixture_start(&b->f);
	scratch_open(b->groups, "cgroups");
	assert_int_equal(cgroups_open(b->groups, &b->cgroups, &why), 0);
	assert_int_equal(proctab_open(16, b->cgroups, &b->proctab), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	b->child = fork();
	if (b->child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves none behind */
		close(pair[0]);
		close(pair[1]);
		prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY); /* hold_back() */
		for (;;)
			pause();
	}
	assert_int_equal(strict_adopt(b->child, pair[0], 200, &b->strict), 0);
	b->keeper = pair[1];
	parts.writer = b->f.writer;
	parts.proctab = b->proctab;
	assert_int_equal(strict_go(b->strict, b->f.base, &parts), 0);
}

static void bench_done(struct bench *b)
{
	if (b->child)
		kill(b->child, SIGKILL);
	b->strict = strict_free(b->strict);
	close(b->keeper);
	agent_fixture_done(&b->f);
	proctab_free(b->proctab);
	cgroups_free(b->cgroups);
	scratch_done(b->groups);
}

static bool has_left(void *ctx)
{
	struct bench *b = ctx;

	listen_to_agent(b);
	return b->n_leaves > 0;
}

static bool has_state(void *ctx)
{
	return ((struct bench *)ctx)->n_states > 0;
}

static void turn(struct bench *b)
{
	const struct timeval tick = {0, 20000};

	for (int i = 0; i < 5; i++) {
		event_base_loopexit(b->f.base, &tick);
		event_base_loop(b->f.base, 0);
	}
}

static void test_measured(void **state)
{
	struct strict_msg m = {.kind = STRICT_READY, .n = 3};
	struct bench b;

	(void)state;
	bench_open(&b);
	say(&b, &m, "");
	agent_fixture_until(&b.f, has_state, &b, "ready");
	assert_true(b.attached);
	fake_tpm_faults(b.f.tpm)->fail = -EIO; /* the TPM does not answer */
	m = (struct strict_msg){.kind = STRICT_MEASURED, .id = 7, .pid = 4242};
	memset(m.digest.bytes, 0xaa, DIGEST_SIZE);
	say(&b, &m, "/tmp/program");
	turn(&b);
	listen_to_agent(&b);
	assert_int_equal(b.n_leaves, 0); /* its line is there, the PCR does not have it */
	assert_int_equal(ledger_sync(ledger_writer_ledger(b.f.writer)), 0);
	assert_int_equal(
		agent_fixture_count(&b.f, "\"key\":\"exec:/tmp/program\",\"found\":\"sha256:aaaa",
				    "\"op\":\"strict\""),
		1);
	assert_int_equal(agent_fixture_count(&b.f, "exec:/tmp/program", "\"judge\":\"drift\""), 1);
	fake_tpm_faults(b.f.tpm)->fail = 0;
	agent_fixture_until(&b.f, has_left, &b, "leave to run");
	assert_int_equal(b.last_id, 7);
	/* Again, as when its mark was lost: no second line, and leave at once. */
	b.n_leaves = 0;
	m.id = 8;
	say(&b, &m, "/tmp/program");
	agent_fixture_until(&b.f, has_left, &b, "leave to run again");
	assert_int_equal(b.last_id, 8);
	assert_int_equal(agent_fixture_count(&b.f, "exec:/tmp/program", ""), 1);
	/* What could not be measured is told so, and waits for the PCR as well. */
	b.n_leaves = 0;
	m.id = 9;
	m.error = -EFBIG;
	say(&b, &m, "/tmp/huge");
	agent_fixture_until(&b.f, has_left, &b, "leave for what was not measured");
	assert_int_equal(
		agent_fixture_count(&b.f, "exec:/tmp/huge", "\"found\":\"unmeasured too large\""),
		1);
	bench_done(&b);
}

#define ID "c0dec0dec0dec0dec0dec0dec0dec0dec0dec0dec0dec0dec0dec0dec0dec0de"

/* Where who is held was when it was forked, the table knows; where it is now it is asked itself. */
static void test_moved(void **state)
{
	struct strict_msg m = {.kind = STRICT_MEASURED, .id = 7, .pid = (uint32_t)getpid()};
	struct plumb_task t = {.pid = m.pid, .start_ns = 5, .comm = "test"};
	char path[SCRATCH_SIZE + 128];
	struct bench b;
	struct stat st;

	(void)state;
	bench_open(&b);
	snprintf(path, sizeof(path), "%s/docker-" ID ".scope", b.groups);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(stat(path, &st), 0);
	t.cgroup_id = st.st_ino;
	proctab_exec(b.proctab, &t, "/usr/bin/runc");
	say(&b, &m, "/tmp/program");
	agent_fixture_until(&b.f, has_left, &b, "leave to run");
	assert_int_equal(
		agent_fixture_count(&b.f, "exec:/tmp/program", "\"exe\":\"/usr/bin/runc\""), 1);
	assert_int_equal(agent_fixture_count(&b.f, "exec:/tmp/program", ID), 0);
	bench_done(&b);
}

static void test_time_out(void **state)
{
	struct strict_msg m = {
		.kind = STRICT_TIMEOUT, .pid = 1, .n = 3, .waited_ms = 200, .allowed = 1};
	struct bench b;

	(void)state;
	bench_open(&b);
	say(&b, &m, "/tmp/late");
	turn(&b);
	assert_int_equal(ledger_sync(ledger_writer_ledger(b.f.writer)), 0);
	assert_int_equal(agent_fixture_count(&b.f, "exec:/tmp/late",
					     "unmeasured strict: run after 200 ms, 3 in all"),
			 1);
	listen_to_agent(&b);
	assert_int_equal(b.n_leaves, 0);
	bench_done(&b);
}

/* A keeper that ends, that lies, that has nothing to hold: each is told, and its process is ended. */
static void test_gone(void **state)
{
	static const char *const whys[] = {"its keeper ended", "a message of kind 99",
					   "/x: Operation not supported"};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct strict_msg m = {.kind = i == 1 ? 99 : STRICT_READY,
				       .error = i == 2 ? -ENOTSUP : 0};
		struct bench b;
		int status = 0;

		bench_open(&b);
		if (i == 0)
			shutdown(b.keeper, SHUT_RDWR);
		else
			say(&b, &m, "/x");
		agent_fixture_until(&b.f, has_state, &b, "told that nothing is held");
		assert_false(b.attached);
		assert_string_equal(b.why, whys[i]);
		assert_int_equal(waitpid(b.child, &status, 0), b.child);
		assert_true(WIFSIGNALED(status));
		b.child = 0;
		bench_done(&b);
	}
}

/* Killed, but nobody's to reap as long as another one traces it: what a keeper looks like that the kernel waits in. 0: that may not be done here. */
static pid_t hold_back(pid_t pid)
{
	int pair[2];
	char c = 0;
	pid_t tracer;

	assert_int_equal(pipe(pair), 0);
	tracer = fork();
	if (tracer == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		c = ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0;
		if (write(pair[1], &c, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(pair[0], &c, 1), 1);
	close(pair[0]);
	close(pair[1]);
	if (c)
		return tracer;
	kill(tracer, SIGKILL);
	waitpid(tracer, NULL, 0);
	return 0;
}

static bool is_stuck(void *ctx)
{
	return strcmp(((struct bench *)ctx)->why, STRICT_STUCK) == 0;
}

static void test_stuck(void **state)
{
	struct strict_msg m = {.kind = STRICT_READY, .n = 3};
	struct bench b;
	pid_t tracer;

	(void)state;
	bench_open(&b);
	tracer = hold_back(b.child);
	if (!tracer) {
		bench_done(&b);
		skip();
	}
	say(&b, &m, "");
	agent_fixture_until(&b.f, has_state, &b, "ready");
	shutdown(b.keeper, SHUT_RDWR);
	agent_fixture_until(&b.f, is_stuck, &b, "told that who is held waits");
	assert_int_equal(b.n_states, 3);
	assert_false(b.attached);
	kill(tracer, SIGKILL);
	assert_int_equal(waitpid(tracer, NULL, 0), tracer);
	b.child = 0;
	bench_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_measured), cmocka_unit_test(test_moved),
		cmocka_unit_test(test_time_out), cmocka_unit_test(test_gone),
		cmocka_unit_test(test_stuck),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
