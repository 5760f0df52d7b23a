/* SPDX-License-Identifier: Apache-2.0 */
/* test_scan_claims.c: claims from a /proc and a /sys of its own: told when new, told when changed, silent when not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../userspace/agent/scan_claims.h"

struct bench {
	char top[64], proc[80], sys[80];
	struct event_base *base;
	struct scan_claims *scan;
	char keys[64][128], founds[64][256];
	uint32_t n;
};

static void on_line(void *ctx, const struct line *l)
{
	struct bench *b = ctx;

	assert_true(b->n < 64);
	assert_int_equal(l->type, PLUMB_TYPE_CLAIM);
	snprintf(b->keys[b->n], sizeof(b->keys[0]), "%s", l->key);
	snprintf(b->founds[b->n++], sizeof(b->founds[0]), "%s", l->found);
}

static void on_lost(void *ctx, const char *src, uint64_t n, const char *what)
{
	(void)ctx;
	(void)src;
	(void)n;
	(void)what;
}

static void put(const char *top, const char *name, const char *text)
{
	char path[256], command[300];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", top, name);
	snprintf(command, sizeof(command), "mkdir -p $(dirname %s)", path);
	assert_int_equal(system(command), 0);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static const char *found(struct bench *b, const char *key)
{
	for (uint32_t i = b->n; i > 0; i--) {
		if (strcmp(b->keys[i - 1], key) == 0)
			return b->founds[i - 1];
	}
	return "(not told)";
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	strcpy(b->top, "/tmp/plumb-test-claims-XXXXXX");
	assert_non_null(mkdtemp(b->top));
	snprintf(b->proc, sizeof(b->proc), "%s/proc", b->top);
	snprintf(b->sys, sizeof(b->sys), "%s/sys", b->top);
	put(b->proc, "sys/kernel/random/boot_id", "0c1f0a2e-0000-4000-8000-000000000001\n");
	put(b->proc, "sys/kernel/osrelease", "6.1.0-1-amd64\n");
	put(b->proc, "sys/kernel/kptr_restrict", "1\n");
	put(b->proc, "cmdline", "BOOT_IMAGE=/vmlinuz  ro\tquiet\n");
	put(b->proc, "modules", "nf_tables 1 0 - Live 0x0\next4 2 1 nf, Live 0x0\n");
	put(b->proc, "cpuinfo",
	    "processor\t: 0\nmicrocode\t: 0x2b\n\nprocessor\t: 1\nmicrocode\t: "
	    "0x1a\n\nmicrocode\t: 0x2b\n");
	put(b->sys, "kernel/security/lockdown", "none [integrity] confidentiality\n");
	put(b->sys, "kernel/security/lsm", "lockdown,yama,bpf");
	put(b->sys, "module/ext4/srcversion", "ABCDEF0123\n");
	b->base = event_base_new();
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	char command[128];

	scan_claims_free(b->scan);
	event_base_free(b->base);
	snprintf(command, sizeof(command), "rm -rf %s", b->top);
	assert_int_equal(system(command), 0);
	free(b);
	return 0;
}

static int begin(struct bench *b, const char *sysctl, struct why *why)
{
	const char *sysctls[] = {sysctl, "kernel.absent_one"};
	const struct measure_sink sink = {b, on_line, NULL, on_lost};

	return scan_claims_open(b->base,
				&(struct scan_claims_options){.sysctls = sysctls,
							      .n_sysctls = 2,
							      .proc = b->proc,
							      .sys = b->sys,
							      .clock = clock_system()},
				&sink, &b->scan, why);
}

static void first_scan_tells_all(void **state)
{
	struct bench *b = *state;
	struct why why = {""};

	assert_int_equal(begin(b, "kernel.kptr_restrict", &why), 0);
	assert_string_equal(found(b, "boot:id"), "0c1f0a2e-0000-4000-8000-000000000001");
	assert_string_equal(found(b, "boot:release"), "6.1.0-1-amd64");
	assert_string_equal(found(b, "boot:cmdline"), "BOOT_IMAGE=/vmlinuz ro quiet");
	assert_string_equal(found(b, "boot:lockdown"), "integrity");
	assert_string_equal(found(b, "boot:lsm"), "lockdown,yama,bpf");
	assert_string_equal(found(b, "sysctl:kernel.kptr_restrict"), "1");
	assert_memory_equal(found(b, "sysctl:kernel.absent_one"), "unknown ", 8);
	assert_string_equal(found(b, "module:nf_tables"), "loaded");
	assert_string_equal(found(b, "module:ext4"), "loaded srcversion=ABCDEF0123");
	assert_string_equal(found(b, "cpu:microcode"), "0x1a,0x2b");
}

static void later_scans_tell_only_changes(void **state)
{
	struct bench *b = *state;
	struct why why = {""};

	assert_int_equal(begin(b, "kernel.kptr_restrict", &why), 0);
	b->n = 0;
	assert_int_equal(scan_claims_now(b->scan), 0);
	assert_int_equal(b->n, 0);
	put(b->proc, "sys/kernel/kptr_restrict", "0\n");
	put(b->proc, "modules", "ext4 2 1 nf, Live 0x0\nevil 3 0 - Live 0x0\n");
	assert_int_equal(scan_claims_now(b->scan), 3);
	assert_string_equal(found(b, "sysctl:kernel.kptr_restrict"), "0");
	assert_string_equal(found(b, "module:evil"), "loaded");
	assert_string_equal(found(b, "module:nf_tables"), "absent");
	b->n = 0;
	assert_int_equal(scan_claims_now(b->scan), 0);
	put(b->sys, "kernel/security/lockdown", "garbage\n");
	assert_int_equal(scan_claims_now(b->scan), 1);
	assert_memory_equal(found(b, "boot:lockdown"), "unknown ", 8);
}

/* No list and no switch: a kernel without modules. The switch alone: somebody hides the list, and nothing of it is called gone. */
static void a_hidden_list_of_modules_is_no_list(void **state)
{
	struct bench *b = *state;
	struct why why = {""};
	char path[160];

	put(b->proc, "sys/kernel/modules_disabled", "0\n");
	assert_int_equal(begin(b, "kernel.kptr_restrict", &why), 0);
	snprintf(path, sizeof(path), "%s/modules", b->proc);
	assert_int_equal(unlink(path), 0);
	b->n = 0;
	assert_int_equal(scan_claims_now(b->scan), 1);
	assert_string_equal(found(b, "boot:modules"), "unknown ENOENT");
	assert_string_equal(found(b, "module:ext4"), "(not told)");
	snprintf(path, sizeof(path), "%s/sys/kernel/modules_disabled", b->proc);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(scan_claims_now(b->scan), 3);
	assert_string_equal(found(b, "boot:modules"), "none");
	assert_string_equal(found(b, "module:ext4"), "absent");
}

static void put_claims_are_told_once(void **state)
{
	struct bench *b = *state;
	struct why why = {""};

	assert_int_equal(begin(b, "kernel.kptr_restrict", &why), 0);
	assert_int_equal(scan_claims_sensor(b->scan, "fanotify", false, "not permitted"), 1);
	assert_string_equal(found(b, "sensor:fanotify"), "absent not permitted");
	assert_int_equal(scan_claims_sensor(b->scan, "fanotify", true, NULL), 1);
	assert_int_equal(scan_claims_sensor(b->scan, "fanotify", true, NULL), 0);
	assert_string_equal(found(b, "sensor:fanotify"), "attached");
	assert_int_equal(scan_claims_bpf(b->scan, NULL, "no BTF"), 1);
	assert_string_equal(found(b, "sensor:tier"), "none");
	assert_string_equal(found(b, "sensor:bpf"), "absent no BTF");
}

static void names_that_leave_the_tree_are_refused(void **state)
{
	struct bench *b = *state;
	struct why why = {""};

	assert_int_equal(begin(b, "kernel/../../../etc/shadow", &why), -EINVAL);
	assert_non_null(strstr(why.text, "sysctl"));
	assert_null(b->scan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(first_scan_tells_all, setup, teardown),
		cmocka_unit_test_setup_teardown(later_scans_tell_only_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(a_hidden_list_of_modules_is_no_list, setup,
						teardown),
		cmocka_unit_test_setup_teardown(put_claims_are_told_once, setup, teardown),
		cmocka_unit_test_setup_teardown(names_that_leave_the_tree_are_refused, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
