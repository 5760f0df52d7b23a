/* SPDX-License-Identifier: Apache-2.0 */
/* test_sensor_netlink.c: connector messages, and (where permitted) real execs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../userspace/agent/sensor_netlink.h"

struct message {
	struct cn_msg cn;
	struct proc_event event;
};

static void sample(struct message *ret, uint32_t what)
{
	memset(ret, 0, sizeof(*ret));
	ret->cn.id.idx = CN_IDX_PROC;
	ret->cn.id.val = CN_VAL_PROC;
	ret->cn.seq = 9;
	ret->cn.len = sizeof(ret->event);
	ret->event.what = what;
	ret->event.cpu = 3;
	ret->event.timestamp_ns = 77;
	ret->event.event_data.exec.process_pid = 12;
	ret->event.event_data.exec.process_tgid = 11;
}

static void messages_are_read(void **state)
{
	struct message m;
	struct sensor_netlink_event e;
	struct why why = {""};
	size_t size = sizeof(m.cn) + sizeof(m.event);
	uint8_t data[256];

	(void)state;
	sample(&m, PROC_EVENT_EXEC);
	memcpy(data, &m.cn, sizeof(m.cn));
	memcpy(data + sizeof(m.cn), &m.event, sizeof(m.event));
	assert_int_equal(sensor_netlink_parse(data, size, &e, &why), 0);
	assert_int_equal(e.what, SENSOR_NETLINK_EXEC);
	assert_int_equal(e.pid, 11);
	assert_int_equal(e.cpu, 3);
	assert_int_equal(e.seq, 9);
	assert_int_equal(e.monotonic_ns, 77);
	for (size_t n = 0; n < size; n++)
		assert_int_equal(sensor_netlink_parse(data, n, &e, &why), -EBADMSG);
	data[0] ^= 2; /* another connector */
	assert_int_equal(sensor_netlink_parse(data, size, &e, &why), -EBADMSG);
	data[0] ^= 2;
	m.cn.len = UINT16_MAX;
	memcpy(data, &m.cn, sizeof(m.cn));
	assert_int_equal(sensor_netlink_parse(data, size, &e, &why), -EBADMSG);
	m.cn.len = offsetof(struct proc_event, event_data) + 4; /* an exec without its process */
	memcpy(data, &m.cn, sizeof(m.cn));
	assert_int_equal(sensor_netlink_parse(data, size, &e, &why), -EBADMSG);
}

struct bench {
	struct event_base *base;
	struct proctab *proctab;
	struct sensor_netlink *sensor;
	uint32_t execs, of_ours, gaps, ticks, losses, loss_lines;
	uint32_t ours;
	uint64_t ours_at;
	char exec_key[256], exec_found[128];
};

static void on_line(void *ctx, const struct line *l)
{
	struct bench *b = ctx;

	if (strstr(l->key, "/sleep") || strstr(l->key, "coreutils")) {
		b->execs++;
		snprintf(b->exec_key, sizeof(b->exec_key), "%s", l->key);
		snprintf(b->exec_found, sizeof(b->exec_found), "%s", l->found);
	}
}

static void on_lost_line(void *ctx, const char *src, uint64_t n, const char *what)
{
	struct bench *b = ctx;

	b->loss_lines++;
	b->gaps += n > 0;
	print_message("# lost %s %llu %s\n", src, (unsigned long long)n, what);
}

static void on_exec(void *ctx, uint32_t pid, uint64_t at_ns)
{
	struct bench *b = ctx;

	if (pid != b->ours)
		return;
	b->of_ours++;
	b->ours_at = at_ns;
}

static void on_lost(void *ctx)
{
	((struct bench *)ctx)->losses++;
}

static void on_tick(void *ctx)
{
	((struct bench *)ctx)->ticks++;
}

static void begin(struct bench *b, bool compare, uint32_t receive_size)
{
	const struct measure_sink sink = {b, on_line, NULL, on_lost_line};
	struct sensor_netlink_options o = {
		.clock = clock_system(),
		.exec = compare ? on_exec : NULL,
		.lost = compare ? on_lost : NULL,
		.tick = compare ? on_tick : NULL,
		.ctx = b,
		.receive_size = receive_size,
	};
	struct why why = {""};
	int r;

	memset(b, 0, sizeof(*b));
	b->base = event_base_new();
	assert_int_equal(proctab_open(0, NULL, &b->proctab), 0);
	o.proctab = b->proctab;
	r = sensor_netlink_open(b->base, &o, &sink, &b->sensor, &why);
	if (r < 0) {
		print_message("# %s\n", why.text);
		proctab_free(b->proctab);
		event_base_free(b->base);
		skip();
	}
}

static void run_ms(struct bench *b, int ms)
{
	struct timeval tv = {ms / 1000, ms % 1000 * 1000};

	event_base_loopexit(b->base, &tv);
	event_base_dispatch(b->base);
}

static void end(struct bench *b)
{
	sensor_netlink_free(b->sensor);
	proctab_free(b->proctab);
	event_base_free(b->base);
}

static pid_t run_sleep(const char *seconds)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl("/bin/sleep", "sleep", seconds, NULL);
		_exit(127);
	}
	return pid;
}

static void an_exec_is_handed_on_with_its_time(void **state)
{
	struct bench b;
	uint64_t before = clock_boot_ns(clock_system());
	pid_t pid;

	(void)state;
	begin(&b, true, 0);
	pid = run_sleep("0.1");
	b.ours = (uint32_t)pid;
	run_ms(&b, 600);
	assert_int_equal(b.of_ours, 1);
	assert_in_range(b.ours_at, before, clock_boot_ns(clock_system()));
	assert_true(b.ticks >= 2);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(sensor_netlink_drain(b.sensor));
	end(&b);
}

/* Each CPU numbers its own: how many were lost on one is seen by the next event of that one, so all of them come from it. */
static void stay_on_one_cpu(cpu_set_t *ret_before)
{
	cpu_set_t one;

	assert_int_equal(sched_getaffinity(0, sizeof(*ret_before), ret_before), 0);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
}

/* Hundreds of gaps behind one full buffer are one line, with their number. */
static void a_full_buffer_is_one_line_a_second(void **state)
{
	cpu_set_t before;
	struct bench b;

	(void)state;
	stay_on_one_cpu(&before);
	begin(&b, true, 4096);
	for (int i = 0; i < 100; i++)
		assert_true(waitpid(run_sleep("0"), NULL, 0) > 0);
	assert_true(sensor_netlink_drain(b.sensor));
	assert_true(waitpid(run_sleep("0"), NULL, 0) > 0);
	run_ms(&b, 1400);
	assert_true(b.losses >= 1);
	assert_in_range(b.loss_lines, 1, 2);
	assert_int_equal(b.gaps, b.loss_lines);
	end(&b);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
}

static void alone_it_tells_execs_as_unmeasured(void **state)
{
	struct bench b;
	pid_t pid;

	(void)state;
	begin(&b, false, 0);
	pid = run_sleep("0.3");
	run_ms(&b, 200);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(b.execs >= 1);
	assert_memory_equal(b.exec_found, "unmeasured ", 11);
	end(&b);
}

/* The kernel numbers its answer to whoever else starts listening among the events. */
static void another_listener_is_no_loss(void **state)
{
	struct bench b, other;

	(void)state;
	begin(&b, true, 0);
	for (int i = 0; i < 8; i++) {
		begin(&other, true, 0);
		assert_int_equal(waitpid(run_sleep("0.05"), NULL, 0) > 0, 1);
		run_ms(&b, 50);
		end(&other);
	}
	run_ms(&b, 1100);
	assert_int_equal(b.losses, 0);
	end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_are_read),
		cmocka_unit_test(an_exec_is_handed_on_with_its_time),
		cmocka_unit_test(a_full_buffer_is_one_line_a_second),
		cmocka_unit_test(another_listener_is_no_loss),
		cmocka_unit_test(alone_it_tells_execs_as_unmeasured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
