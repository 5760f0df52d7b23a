/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_sensor_bpf.c: where the kernel lets us, the real thing: programs loaded, the canary seen, an exec measured with the
 * digest of its file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../userspace/agent/sensor_bpf.h"
#include "../fakes/image_fixture.h"

struct bench {
	char program[SCRATCH_SIZE + 16];
	char found[128], src[8];
	bool seen, actor_known;
	uint64_t received, attempts, submitted, dropped, lost;
	uint32_t ppid;
	char parent_exe[256];
};

static void on_line(void *ctx, const struct line *l)
{
	struct bench *b = ctx;

	if (l->type != PLUMB_TYPE_EXEC || strncmp(l->key, "exec:", 5) != 0 ||
	    strcmp(l->key + 5, b->program) != 0)
		return;
	b->seen = true;
	snprintf(b->found, sizeof(b->found), "%s", l->found);
	snprintf(b->src, sizeof(b->src), "%s", l->hash_src);
	b->actor_known = l->actor.known;
	b->ppid = l->actor.ppid;
	if (l->actor.n_ancestors > 0 && l->actor.ancestors[0].exe)
		snprintf(b->parent_exe, sizeof(b->parent_exe), "%s", l->actor.ancestors[0].exe);
}

static void on_counters(void *ctx, uint64_t ksess, uint32_t cpu, const struct plumb_counters *c,
			uint64_t received)
{
	struct bench *b = ctx;

	(void)ksess;
	(void)cpu;
	b->attempts += c->attempts;
	b->submitted += c->submitted;
	b->dropped += c->dropped;
	b->received += received;
	assert_int_equal(c->attempts, c->submitted + c->dropped);
}

static void on_lost(void *ctx, const char *src, uint64_t n, const char *what)
{
	struct bench *b = ctx;

	(void)src;
	(void)what;
	b->lost += n;
}

static void copy_program(const char *to)
{
	char command[256];

	snprintf(command, sizeof(command), "cp /bin/sleep %s && chmod 755 %s", to, to);
	assert_int_equal(system(command), 0);
}

static void run_it(struct sensor_bpf *s, struct bench *b)
{
	pid_t pid = fork();

	b->seen = false;
	if (pid == 0) {
		execl(b->program, b->program, NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	for (int i = 0; i < 100 && !b->seen; i++) {
		sensor_bpf_drain(s);
		usleep(b->seen ? 0 : 10000);
	}
}

/* What ran is asked of the file system that is mounted when it ran, not of the one whose bytes are remembered. */
static void remounted_file_is_measured_anew(void **state)
{
	struct bench b = {.program = ""};
	const struct measure_sink sink = {&b, on_line, on_counters, on_lost};
	struct sensor_bpf_options o = {.clock = clock_system()};
	struct event_base *base = event_base_new();
	char expected[128] = "sha256:", first[128] = "";
	bool mounted, seen, seen_again;
	struct sensor_bpf *s = NULL;
	struct image_fixture image;
	struct why why = {""};
	struct digest d;
	const char *no;
	int fd, r;

	(void)state;
	no = image_fixture_open(&image);
	if (no) {
		print_message("# %s\n", no);
		skip();
	}
	snprintf(b.program, sizeof(b.program), "%s", image.true_path);
	assert_int_equal(proctab_open(0, NULL, &o.proctab), 0);
	assert_int_equal(hash_cache_open(0, 0, &o.hash_cache), 0);
	r = sensor_bpf_open(base, &o, &sink, &s, &why);
	if (r < 0) {
		print_message("# %s\n", why.text);
		image_fixture_close(&image);
		skip();
	}
	/* All that runs later is known then: a file that has to be looked for is one more moment at which it would be noticed. */
	scratch_run(image.top, "umount none 2>/dev/null || true");
	run_it(s, &b);
	seen = b.seen;
	memcpy(first, b.found, sizeof(first));
	mounted = image_fixture_patch(&image);
	run_it(s, &b);
	seen_again = b.seen;
	fd = open(b.program, O_RDONLY);
	r = digest_fd(fd, 0, &d, NULL);
	close(fd);
	sensor_bpf_free(s);
	image_fixture_close(&image);
	proctab_free(o.proctab);
	hash_cache_free(o.hash_cache);
	event_base_free(base);
	assert_true(seen && mounted && seen_again);
	assert_int_equal(r, 0);
	digest_hex(&d, expected + 7);
	assert_string_equal(b.found, expected);
	assert_string_not_equal(first, expected);
	assert_int_equal(strncmp(first, "sha256:", 7), 0);
}

/* A program of its own name runs for a moment; its exec must come with the digest of its file. */
static void real_exec_is_measured(void **state)
{
	struct bench b = {.program = "/tmp/plumb-test-exec-XXXXXX"};
	const struct measure_sink sink = {&b, on_line, on_counters, on_lost};
	struct sensor_bpf_options o = {.clock = clock_system()};
	struct event_base *base = event_base_new();
	struct sensor_bpf *s = NULL;
	struct why why = {""};
	char expected[128] = "sha256:", exe[256] = "";
	struct digest d;
	int fd, r;
	pid_t pid;

	(void)state;
	fd = mkstemp(b.program);
	assert_true(fd >= 0);
	close(fd);
	copy_program(b.program);
	assert_int_equal(proctab_open(0, NULL, &o.proctab), 0);
	assert_int_equal(hash_cache_open(0, 0, &o.hash_cache), 0);
	r = sensor_bpf_open(base, &o, &sink, &s, &why);
	if (r < 0) {
		print_message("# %s\n", why.text);
		unlink(b.program);
		skip();
	}
	assert_string_equal(loader_tier(sensor_bpf_loader(s)), "observe");
	pid = fork();
	if (pid == 0) {
		execl(b.program, b.program, "0.5", NULL);
		_exit(127);
	}
	for (int i = 0; i < 40 && !b.seen; i++) {
		struct timeval tv = {0, 50000};

		event_base_loopexit(base, &tv);
		event_base_dispatch(base);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	b.attempts = b.submitted = b.dropped = b.received = 0;
	sensor_bpf_flush(s);
	assert_true(b.seen);
	fd = open(b.program, O_RDONLY);
	assert_int_equal(digest_fd(fd, 0, &d, NULL), 0);
	close(fd);
	digest_hex(&d, expected + 7);
	assert_string_equal(b.found, expected);
	assert_string_equal(b.src, "user");
	assert_true(b.actor_known);
	assert_int_equal(b.ppid, getpid());
	assert_true(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	assert_string_equal(b.parent_exe, exe);
	assert_int_equal(b.lost, 0);
	unlink(b.program);
	sensor_bpf_free(s);
	proctab_free(o.proctab);
	hash_cache_free(o.hash_cache);
	event_base_free(base);
}

static void canary_that_is_not_seen_fails_the_start(void **state)
{
	struct bench b = {.program = "none"};
	const struct measure_sink sink = {&b, on_line, on_counters, on_lost};
	struct sensor_bpf_options o = {.clock = clock_system(), .canary = "/nonexistent/true"};
	struct event_base *base = event_base_new();
	struct sensor_bpf *s = NULL;
	struct why why = {""};
	int r;

	(void)state;
	assert_int_equal(proctab_open(0, NULL, &o.proctab), 0);
	assert_int_equal(hash_cache_open(0, 0, &o.hash_cache), 0);
	r = sensor_bpf_open(base, &o, &sink, &s, &why);
	proctab_free(o.proctab);
	hash_cache_free(o.hash_cache);
	event_base_free(base);
	assert_null(s);
	assert_true(r < 0);
	if (r == -EPERM || r == -ENOTSUP)
		skip();
	assert_non_null(strstr(why.text, "canary"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_exec_is_measured),
		cmocka_unit_test(canary_that_is_not_seen_fails_the_start),
		cmocka_unit_test(remounted_file_is_measured_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
