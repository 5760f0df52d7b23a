/* SPDX-License-Identifier: Apache-2.0 */
/* Taint, probes, tracing and live patches: sorted, without addresses; not mounted is unknown, not configured is absent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "claims_fixture.h"
#include "claims_kernel.h"

static int setup(void **state)
{
	struct claims_fixture *f = calloc(1, sizeof(*f));

	claims_fixture_open(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	claims_fixture_done(*state);
	free(*state);
	return 0;
}

static void test_taint(void **state)
{
	static const struct {
		const char *text, *want;
	} table[] = {
		{"0\n", "0"},
		{"1\n", "P"},
		{"12289", "P,O,E"},
		{"524288\n", "J"},
		{"1048576\n", "bit20"},
		{"9223372036854775808\n", "bit63"},
		{"18446744073709551616\n", "unknown EBADMSG"},
		{"\n", "unknown EBADMSG"},
		{"", "unknown EBADMSG"},
		{"-1\n", "unknown EBADMSG"},
		{"1x\n", "unknown EBADMSG"},
		{"1\n2\n", "unknown EBADMSG"},
		{"00000000000000000000000000000000000000000000000000000000000000000000000001",
		 "unknown EFBIG"},
	};
	struct claims_fixture *f = *state;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		claims_fixture_text(f, "proc/sys/kernel/tainted", table[i].text);
		assert_true(claims_kernel_taint(&f->source) >= 0);
		assert_string_equal(claims_fixture_found(f, "kernel:taint"), table[i].want);
	}
}

static const char *probes(struct claims_fixture *f, const char *key)
{
	assert_true(claims_kernel_probes(&f->source) >= 0);
	return claims_fixture_found(f, key);
}

static void test_probes(void **state)
{
	struct claims_fixture *f = *state;

	assert_string_equal(probes(f, "kernel:kprobes"), "absent");
	assert_string_equal(probes(f, "kernel:kprobe_events"), "absent");
	scratch_run(f->top, "mkdir -p sys/kernel/debug sys/kernel/tracing");
	assert_string_equal(probes(f, "kernel:kprobes"), "unknown debugfs is not mounted");
	assert_string_equal(probes(f, "kernel:kprobe_events"), "unknown tracefs is not mounted");
	claims_fixture_text(f, "sys/kernel/debug/clear_warn_once", "");
	claims_fixture_text(f, "sys/kernel/tracing/current_tracer", "nop\n");
	assert_string_equal(probes(f, "kernel:kprobes"), "absent");
	assert_string_equal(probes(f, "kernel:kprobe_events"), "absent");
	claims_fixture_text(f, "sys/kernel/debug/kprobes/list", "");
	claims_fixture_text(f, "sys/kernel/tracing/kprobe_events",
			    "p:kprobes/b vfs_read\np:kprobes/a do_sys_open\n");
	claims_fixture_text(f, "sys/kernel/tracing/uprobe_events", "\n");
	assert_string_equal(probes(f, "kernel:kprobes"), "none");
	assert_string_equal(probes(f, "kernel:kprobe_events"),
			    "p:kprobes/a do_sys_open,p:kprobes/b vfs_read");
	assert_string_equal(probes(f, "kernel:uprobe_events"), "none");
	claims_fixture_text(f, "sys/kernel/debug/kprobes/list",
			    "ffffffff9b8  k  vfs_write+0x0    [FTRACE]\nffffffff9b7  r  "
			    "vfs_read+0x0    [DISABLED]\n");
	assert_string_equal(probes(f, "kernel:kprobes"),
			    "k vfs_write+0x0 [FTRACE],r vfs_read+0x0 [DISABLED]");
	/* Another boot, other addresses, another order. */
	claims_fixture_text(f, "sys/kernel/debug/kprobes/list",
			    "ffffffff017  r  vfs_read+0x0    [DISABLED]\nffffffff018  k  "
			    "vfs_write+0x0    [FTRACE]\n");
	assert_int_equal(claims_kernel_probes(&f->source), 0);
	/* Made faster by the kernel itself, a while after: the same probe. */
	claims_fixture_text(
		f, "sys/kernel/debug/kprobes/list",
		"ffffffff017  r  vfs_read+0x0    [DISABLED]\nffffffff018  k  vfs_write+0x0    "
		"[OPTIMIZED][FTRACE]\n");
	assert_int_equal(claims_kernel_probes(&f->source), 0);
}

static void test_too_much_is_no_answer(void **state)
{
	struct claims_fixture *f = *state;
	size_t size = (1u << 20) + 1;
	char *text = malloc(size);

	memset(text, 'x', size);
	for (size_t i = 99; i < size; i += 100)
		text[i] = '\n';
	claims_fixture_write(f, "sys/kernel/tracing/kprobe_events", text, size);
	assert_string_equal(probes(f, "kernel:kprobe_events"), "unknown EFBIG");
	/* Longer than a value may be: its digest and its size. */
	claims_fixture_write(f, "sys/kernel/tracing/kprobe_events", text, 99);
	assert_int_equal(strlen(probes(f, "kernel:kprobe_events")), 99);
	for (size_t i = 0; i < 9000; i++)
		text[i] = i % 10 == 9 ? '\n' : (char)('a' + i / 10 % 26);
	for (size_t i = 0; i < 900; i++)
		text[i * 10] = (char)('a' + i / 26 % 26);
	claims_fixture_write(f, "sys/kernel/tracing/kprobe_events", text, 9000);
	assert_memory_equal(probes(f, "kernel:kprobe_events"), "sha256:", 7);
	free(text);
}

static const char *ftrace(struct claims_fixture *f, const char *key)
{
	assert_true(claims_kernel_ftrace(&f->source) >= 0);
	return claims_fixture_found(f, key);
}

static void test_ftrace(void **state)
{
	struct claims_fixture *f = *state;

	assert_string_equal(ftrace(f, "kernel:ftrace"), "absent");
	/* The older place. */
	claims_fixture_text(f, "sys/kernel/debug/tracing/current_tracer", "function\n");
	claims_fixture_text(f, "sys/kernel/debug/tracing/set_ftrace_filter",
			    "#### all functions enabled ####\n");
	claims_fixture_text(
		f, "sys/kernel/debug/tracing/enabled_functions",
		"vfs_read (1)            R   \ttramp: 0xffffffffc0a0f000 (f+0x0/0x1) ->g+0x0/0x2\n"
		"bpf_lsm_file_open (1)   D   \n\tdirect-->bpf_trampoline_644251+0x0/0x84\n"
		"schedule (2)            D   \tops: f\n\tdirect-->bpf_trampoline_1+0x0/0x84\n"
		"vfs_open (1)            D   \n\tdirect-->evil+0x0/0x84\n");
	assert_string_equal(ftrace(f, "kernel:tracer"), "function");
	assert_string_equal(ftrace(f, "kernel:ftrace_filter"), "none");
	assert_string_equal(ftrace(f, "kernel:ftrace"),
			    "schedule (2) D,vfs_open (1) D,vfs_read (1) R");
	claims_fixture_text(f, "sys/kernel/debug/tracing/enabled_functions", "");
	assert_string_equal(ftrace(f, "kernel:ftrace"), "none");
	claims_fixture_text(f, "sys/kernel/debug/tracing/enabled_functions",
			    "\tdirect-->bpf_trampoline_1\n\n\t");
	assert_string_equal(ftrace(f, "kernel:ftrace"), "none");
}

static const char *livepatch(struct claims_fixture *f)
{
	assert_true(claims_kernel_livepatch(&f->source) >= 0);
	return claims_fixture_found(f, "kernel:livepatch");
}

static void test_livepatch(void **state)
{
	struct claims_fixture *f = *state;

	assert_string_equal(livepatch(f), "absent");
	scratch_run(f->top, "mkdir -p sys/kernel/livepatch");
	assert_string_equal(livepatch(f), "none");
	claims_fixture_text(f, "sys/kernel/livepatch/b_fix/enabled", "1\n");
	claims_fixture_text(f, "sys/kernel/livepatch/a_fix/enabled", "0\n");
	scratch_run(f->top, "mkdir -p sys/kernel/livepatch/c_fix");
	assert_string_equal(livepatch(f), "a_fix=0,b_fix=1,c_fix=ENOENT");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_taint),	T(test_probes),	   T(test_too_much_is_no_answer),
		T(test_ftrace), T(test_livepatch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
