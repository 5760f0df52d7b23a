/* SPDX-License-Identifier: Apache-2.0 */
/* test_surface.c: deeds at the kernel's surface as lines and as claims that are read again; what is told once, and what never. */
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

#include "../../userspace/agent/surface.h"
#include "../../userspace/agent/surface_seen.h"
#include "../../userspace/lib/claims_kernel.h"
#include "../../userspace/lib/cleanup.h"
#include "../fakes/claims_fixture.h"

#define MAX_TOLD 64
#define NET_NS 4026531840u

struct told {
	enum plumb_type type;
	char key[1500], found[256], before[256], src[16], exe[64];
	uint32_t times;
	bool has_kernel;
};

struct bench {
	struct claims_fixture f;
	struct event_base *base;
	struct proctab *proctab;
	struct scan_claims *claims;
	struct surface *s;
	struct told told[MAX_TOLD];
	uint32_t n, lost;
	uint64_t kseq;
	const char *in_ring; /* a sysctl whose record waits there; NULL: none */
};

static void on_line(void *ctx, const struct line *l)
{
	struct bench *b = ctx;
	struct told *t;

	if (l->type == PLUMB_TYPE_CLAIM && strcmp(l->src, "scan") == 0)
		return;
	assert_true(b->n < MAX_TOLD);
	t = &b->told[b->n++];
	*t = (struct told){.type = l->type, .times = l->times, .has_kernel = l->has_kernel};
	snprintf(t->key, sizeof(t->key), "%s", l->key);
	snprintf(t->found, sizeof(t->found), "%s", l->found);
	snprintf(t->before, sizeof(t->before), "%s", l->before ? l->before : "");
	snprintf(t->src, sizeof(t->src), "%s", l->src);
	snprintf(t->exe, sizeof(t->exe), "%s", l->actor.exe ? l->actor.exe : "");
	assert_string_equal(l->scope, "host");
	assert_true(l->has_actor);
}

static void on_lost(void *ctx, const char *src, uint64_t n, const char *what)
{
	struct bench *b = ctx;

	(void)src;
	(void)what;
	b->lost += (uint32_t)n;
}

static struct plumb_task task(uint32_t pid)
{
	struct plumb_task t = {.pid = pid, .ppid = 1, .mnt_ns = 77, .start_ns = pid * 1000ull};

	snprintf(t.comm, sizeof(t.comm), "p%u", pid);
	return t;
}

static void link_to(struct bench *b, const char *name, const char *target)
{
	char path[512];

	scratch_run(b->f.top, "mkdir -p \"$(dirname '%s')\"", name);
	snprintf(path, sizeof(path), "%s/%s", b->f.top, name);
	assert_int_equal(symlink(target, path), 0);
}

static void written(struct bench *b, const char *name, const char *before, const char *after);

static void on_flush(void *ctx)
{
	struct bench *b = ctx;
	const char *name = b->in_ring;

	b->in_ring = NULL;
	if (name)
		written(b, name, "core", "|/tmp/x");
}

static void open_surface(struct bench *b, uint32_t again_ms)
{
	const struct measure_sink sink = {b, on_line, NULL, on_lost};
	const struct surface_options o = {.claims = b->claims,
					  .proctab = b->proctab,
					  .clock = clock_system(),
					  .proc = b->f.proc,
					  .sys = b->f.sys,
					  .flush = on_flush,
					  .ctx = b,
					  .again_ms = again_ms,
					  .read_ms = {1, 20}};

	assert_int_equal(surface_open(b->base, &o, &sink, &b->s), 0);
}

static int setup(void **state)
{
	static const char mounts[] =
		"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 22 253:0 / /data rw - xfs /dev/dm-0 rw\n";
	struct bench *b = calloc(1, sizeof(*b));
	const struct measure_sink sink = {b, on_line, NULL, on_lost};
	struct scan_claims_options claims = {.clock = clock_system()};
	struct why why = {""};
	struct plumb_task t = {.pid = 70, .ppid = 1, .start_ns = 70000, .comm = "p70"};

	assert_non_null(b);
	claims_fixture_open(&b->f);
	claims_fixture_text(&b->f, "proc/sys/kernel/core_pattern", "core\n");
	claims_fixture_text(&b->f, "proc/sys/kernel/tainted", "0\n");
	claims_fixture_text(&b->f, "proc/self/mountinfo", mounts);
	claims_fixture_text(&b->f, "proc/swaps", "Filename Type Size Used Priority\n");
	claims_fixture_text(&b->f, "sys/bus/event_source/devices/kprobe/type", "8\n");
	claims_fixture_text(&b->f, "sys/kernel/tracing/kprobe_events", "");
	claims_fixture_text(&b->f, "sys/devices/sda/sda1/partition", "1\n");
	claims_fixture_text(&b->f, "sys/devices/sda/sda1/dev", "8:1\n");
	claims_fixture_text(&b->f, "sys/devices/sda/queue/dev", "8:99\n");
	claims_fixture_text(&b->f, "sys/devices/sdb/holders/dm-0/dev", "253:0\n");
	claims_fixture_text(&b->f, "sys/devices/sdc/size", "9\n");
	link_to(b, "sys/dev/block/8:0", "../../devices/sda");
	link_to(b, "sys/dev/block/8:1", "../../devices/sda/sda1");
	link_to(b, "sys/dev/block/8:16", "../../devices/sdb");
	link_to(b, "sys/dev/block/8:32", "../../devices/sdc");
	b->base = event_base_new();
	claims.proc = b->f.proc;
	claims.sys = b->f.sys;
	assert_int_equal(proctab_open(0, NULL, &b->proctab), 0);
	proctab_exec(b->proctab, &t, "/usr/bin/gdb");
	proctab_exec(b->proctab, &(struct plumb_task){.pid = 71}, "/usr/sbin/sshd");
	assert_true(scan_claims_open(b->base, &claims, &sink, &b->claims, &why) >= 0);
	open_surface(b, 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	surface_free(b->s);
	scan_claims_free(b->claims);
	proctab_free(b->proctab);
	event_base_free(b->base);
	claims_fixture_done(&b->f);
	free(b);
	return 0;
}

static union event_record record(struct bench *b, uint16_t what)
{
	union event_record r = {
		.surface = {.event = {.kind = PLUMB_KIND_SURFACE}, .task = task(70), .what = what}};
	struct stat st;
	char path[300];

	r.event.kseq = ++b->kseq;
	snprintf(path, sizeof(path), "%s/self/ns/net", b->f.proc);
	r.surface.net_ns = stat(path, &st) == 0 ? (uint32_t)st.st_ino : 0;
	return r;
}

static void opened(struct bench *b, uint32_t magic, const char *leaf, const char *above)
{
	union event_record r = record(b, PLUMB_SURFACE_OPEN);

	r.surface.fs_magic = magic;
	snprintf(r.surface.names[0], PLUMB_SURFACE_NAME, "%s", leaf);
	snprintf(r.surface.names[1], PLUMB_SURFACE_NAME, "%s", above);
	surface_take(b->s, &r);
}

static void written(struct bench *b, const char *name, const char *before, const char *after)
{
	union event_record r = record(b, PLUMB_SURFACE_SYSCTL);

	snprintf(r.surface.text, sizeof(r.surface.text), "%s", name);
	snprintf(r.surface.before, sizeof(r.surface.before), "%s\n", before);
	snprintf(r.surface.after, sizeof(r.surface.after), "%s\n", after);
	surface_take(b->s, &r);
}

static void run(struct bench *b, uint32_t ms)
{
	const struct timeval tv = {0, ms * 1000};

	event_base_loopexit(b->base, &tv);
	event_base_dispatch(b->base);
}

static void is(const struct told *t, enum plumb_type type, const char *key, const char *found,
	       const char *before)
{
	assert_int_equal(t->type, type);
	assert_string_equal(t->key, key);
	assert_string_equal(t->found, found);
	assert_string_equal(t->before, before);
	assert_string_equal(t->exe, "/usr/bin/gdb");
}

static void told_as(const struct bench *b, uint32_t i, const char *key, const char *found,
		    const char *before)
{
	assert_int_equal(b->n, i + 1);
	is(&b->told[i], PLUMB_TYPE_SURFACE, key, found, before);
}

static void a_sysctl_that_is_a_claim_is_told_once_with_its_actor(void **state)
{
	struct bench *b = *state;

	written(b, "kernel/core_pattern", "core", "|/tmp/x");
	assert_int_equal(b->n, 0);
	assert_int_equal(proctab_peers(b->proctab, 77, 0, &(uint32_t){0}, 1), 1); /* as it says */
	claims_fixture_text(&b->f, "proc/sys/kernel/core_pattern", "|/tmp/x\n");
	run(b, 60);
	assert_int_equal(b->n, 1);
	is(&b->told[0], PLUMB_TYPE_CLAIM, "sysctl:kernel.core_pattern", "|/tmp/x", "core");
	assert_string_equal(b->told[0].src, "bpf");
	/* The scan finds nothing new. */
	assert_true(scan_claims_now(b->claims) >= 0);
	assert_int_equal(b->n, 1);
}

/* The scan reads it between the write and the reading for its record: it has to say who it was, or nobody will. */
static void a_scan_that_is_first_tells_who_it_was(void **state)
{
	struct bench *b = *state;

	claims_fixture_text(&b->f, "proc/sys/kernel/core_pattern", "|/tmp/x\n");
	b->in_ring = "kernel/core_pattern";
	assert_true(scan_claims_now(b->claims) >= 0);
	assert_int_equal(b->n, 1);
	is(&b->told[0], PLUMB_TYPE_CLAIM, "sysctl:kernel.core_pattern", "|/tmp/x", "core");
	/* What was told is not told again as a deed that nobody saw. */
	written(b, "kernel/core_pattern", "|/tmp/x", "core");
	claims_fixture_text(&b->f, "proc/sys/kernel/core_pattern", "core\n");
	run(b, 60);
	assert_int_equal(b->n, 2);
	is(&b->told[1], PLUMB_TYPE_CLAIM, "sysctl:kernel.core_pattern", "core", "|/tmp/x");
}

static void a_scan_does_not_take_anybody(void **state)
{
	struct bench *b = *state;

	/* Another sysctl than the one that was written, and one of which there is no record. */
	claims_fixture_text(&b->f, "proc/sys/kernel/tainted", "1\n");
	claims_fixture_text(&b->f, "proc/sys/kernel/core_pattern", "|/tmp/y\n");
	b->in_ring = "kernel/kptr_restrict";
	assert_true(scan_claims_now(b->claims) >= 0);
	assert_int_equal(b->n, 0);
}

static void a_scan_of_probes_tells_who_it_was(void **state)
{
	struct bench *b = *state;
	const struct claims_source scan = scan_claims_source(b->claims);

	assert_true(claims_kernel_probes(&scan) >= 0);
	opened(b, 0x74726163, "kprobe_events", "");
	b->n = 0;
	claims_fixture_text(&b->f, "sys/kernel/tracing/kprobe_events", "p:kprobes/x vfs_read\n");
	assert_true(claims_kernel_probes(&scan) >= 0);
	assert_int_equal(b->n, 1);
	is(&b->told[0], PLUMB_TYPE_CLAIM, "kernel:kprobe_events", "p:kprobes/x vfs_read", "none");
	assert_string_equal(b->told[0].src, "lsm");
}

static void what_is_put_back_before_it_is_read_is_told_as_a_deed(void **state)
{
	struct bench *b = *state;

	written(b, "kernel/core_pattern", "core", "|/tmp/x");
	written(b, "kernel/core_pattern", "|/tmp/x", "core");
	run(b, 60);
	told_as(b, 0, "surface:sysctl:kernel.core_pattern by /usr/bin/gdb", "|/tmp/x", "core");
}

static void a_sysctl_that_is_no_claim_is_told_with_both_values(void **state)
{
	struct bench *b = *state;

	written(b, "kernel/panic", "0", "7");
	told_as(b, 0, "surface:sysctl:kernel.panic by /usr/bin/gdb", "7", "0");
	assert_true(b->told[0].has_kernel);
	written(b, "kernel/panic_on_oops", " 1", "1"); /* the same */
	written(b, "net/ipv4/tcp_fastopen_key", "1-2-3-4", "5-6-7-8"); /* a secret */
	assert_int_equal(b->n, 2);
	is(&b->told[1], PLUMB_TYPE_SURFACE,
	   "surface:sysctl:net.ipv4.tcp_fastopen_key by "
	   "/usr/bin/gdb",
	   "another", "");
}

static void interfaces_and_other_namespaces_are_no_flood(void **state)
{
	struct bench *b = *state;
	union event_record r;

	written(b, "net/ipv4/conf/veth1/forwarding", "0", "1");
	written(b, "net/ipv4/conf/veth2/forwarding", "0", "1");
	assert_int_equal(b->n, 1);
	assert_string_equal(b->told[0].key,
			    "surface:sysctl:net.ipv4.conf.*.forwarding by /usr/bin/gdb");
	/* A claim of the node's is not what a pod has set for itself. */
	r = record(b, PLUMB_SURFACE_SYSCTL);
	r.surface.net_ns = NET_NS + 5;
	snprintf(r.surface.text, sizeof(r.surface.text), "net/ipv4/ip_forward");
	snprintf(r.surface.before, sizeof(r.surface.before), "0\n");
	snprintf(r.surface.after, sizeof(r.surface.after), "1\n");
	surface_take(b->s, &r);
	run(b, 60);
	assert_int_equal(b->n, 2);
	assert_string_equal(b->told[1].key,
			    "surface:sysctl-elsewhere:net.ipv4.ip_forward by /usr/bin/gdb");
}

static void opens_are_told_or_are_daily_life(void **state)
{
	static const struct {
		uint32_t magic;
		const char *leaf, *above, *key;
	} rows[] = {
		{0x74726163, "kprobe_events", "", "surface:tracefs:kprobe_events"},
		{0x74726163, "trace_marker", "", NULL},
		{0x64626720, "enabled", "kprobes", "surface:debugfs:kprobes/enabled"},
		{0x73636673, "lockdown", "", "surface:securityfs:lockdown"},
		{0x9fa0, "sysrq-trigger", "", "surface:proc:sysrq-trigger"},
		{0x9fa0, "cpu", "pressure", NULL},
		{0x62656572, "uevent_helper", "kernel", "surface:sysfs:kernel/uevent_helper"},
		{0x62656572, "rps_cpus", "queues", NULL},
		{0xf97cff8c, "enforce", "", "surface:selinux:enforce"},
		{0xf97cff8c, "access", "", NULL},
		{0x0027e0eb, "release_agent", "deep", "surface:cgroup:deep/release_agent"},
		{0xde5e81e4, "BootOrder-8be", "", "surface:efivars:BootOrder-8be"},
		{0x9fa0, "panic", "sys", "surface:sysctl:panic"},
		{0xef53, "file", "", NULL},
	};
	struct bench *b = *state;
	char key[256];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		b->n = 0;
		opened(b, rows[i].magic, rows[i].leaf, rows[i].above);
		assert_int_equal(b->n, rows[i].key != NULL);
		if (!rows[i].key)
			continue;
		snprintf(key, sizeof(key), "%s by /usr/bin/gdb", rows[i].key);
		is(&b->told[0], PLUMB_TYPE_SURFACE, key, "opened for writing", "");
		assert_string_equal(b->told[0].src, "lsm");
	}
}

static void probes_are_read_again_at_once(void **state)
{
	struct bench *b = *state;

	opened(b, 0x74726163, "kprobe_events", "");
	claims_fixture_text(&b->f, "sys/kernel/tracing/kprobe_events", "p:kprobes/x vfs_read\n");
	run(b, 60);
	for (uint32_t i = 1; i < b->n; i++)
		if (strcmp(b->told[i].key, "kernel:kprobe_events") == 0) {
			is(&b->told[i], PLUMB_TYPE_CLAIM, "kernel:kprobe_events",
			   "p:kprobes/x vfs_read", "");
			return;
		}
	fail_msg("kernel:kprobe_events is not among %u lines", b->n);
}

/* Whoever opens the file again and again does not put off that it is looked at. */
static void who_goes_on_and_on_is_seen(void **state)
{
	struct bench *b = *state;
	bool seen = false;

	claims_fixture_text(&b->f, "sys/kernel/tracing/kprobe_events", "p:kprobes/x vfs_read\n");
	for (int i = 0; i < 100; i++) {
		opened(b, 0x74726163, "kprobe_events", "");
		usleep(500);
		event_base_loop(b->base, EVLOOP_NONBLOCK);
	}
	for (uint32_t i = 0; i < b->n; i++)
		seen |= strcmp(b->told[i].key, "kernel:kprobe_events") == 0;
	assert_true(seen && b->n < 8);
}

static void the_same_is_counted_and_said(void **state)
{
	struct bench *b = *state;
	union event_record r = record(b, PLUMB_SURFACE_PTRACE);

	r.surface.target_pid = 71;
	r.surface.target_start_ns = 71000;
	for (int i = 0; i < 6; i++) {
		r.surface.skipped = i == 5 ? 100 : 0; /* and the kernel counted these */
		surface_take(b->s, &r);
	}
	told_as(b, 0, "surface:ptrace:/usr/sbin/sshd by /usr/bin/gdb", "may be attached", "");
	assert_int_equal(b->told[0].times, 1);
	b->s = surface_free(b->s);
	assert_int_equal(b->n, 2);
	assert_true(b->told[1].times == 105 && !b->told[1].has_kernel);
	assert_string_equal(b->told[1].key, b->told[0].key);
	open_surface(b, 1);
	surface_take(b->s, &r);
	surface_take(b->s, &r);
	usleep(3000);
	b->n = 0;
	surface_tick(b->s);
	assert_true(b->n <= 1); /* the second may have come a millisecond later */
}

static void who_is_traced_asks_and_the_other_did_it(void **state)
{
	struct bench *b = *state;
	union event_record r = record(b, PLUMB_SURFACE_TRACEME);

	r.surface.task = task(71);
	r.surface.target_pid = 70;
	r.surface.target_start_ns = 70000;
	surface_take(b->s, &r);
	told_as(b, 0, "surface:ptrace:a child by /usr/bin/gdb", "traced from its start", "");
}

static void block(struct bench *b, uint32_t minor, const char *object)
{
	union event_record r = record(b, PLUMB_SURFACE_BLOCK);
	char key[256];

	r.surface.number = 8u << 20 | minor;
	b->n = 0;
	surface_take(b->s, &r);
	assert_int_equal(b->n, object != NULL);
	snprintf(key, sizeof(key), "surface:block:%s by /usr/bin/gdb", object ? object : "");
	if (object)
		is(&b->told[0], PLUMB_TYPE_SURFACE, key, "opened for writing", "");
}

static void a_disk_is_told_when_it_carries_something(void **state)
{
	struct bench *b = *state;

	block(b, 1, "sda1 under /");
	block(b, 0, "sda under /"); /* the disk of that partition */
	block(b, 16, "sdb under /data"); /* what is built on it is mounted */
	block(b, 32, NULL);
	/* What could not be looked at is told; what was asked a moment ago is not looked at again. */
	claims_fixture_text(&b->f, "proc/self/mountinfo", "no mountinfo\n");
	block(b, 32, NULL);
	usleep(150000);
	block(b, 32, "sdc under EBADMSG");
}

static bool open_already(struct bench *b, uint32_t dev, uint16_t mode)
{
	const struct plumb_task t = task(70);

	b->n = 0;
	return surface_open_disk(b->s, t.pid, t.start_ns, dev, mode);
}

/* In the words of the opening, though nobody saw it; what was told is not told, nor counted, again. */
static void a_disk_that_is_open_already_is_told_once(void **state)
{
	struct bench *b = *state;

	assert_true(open_already(b, 8u << 20 | 1, S_IFBLK));
	told_as(b, 0, "surface:block:sda1 under / by /usr/bin/gdb", "opened for writing", "");
	assert_string_equal(b->told[0].src, "scan");
	assert_false(b->told[0].has_kernel);
	assert_true(open_already(b, 8u << 20 | 1, S_IFBLK));
	assert_int_equal(b->n, 0);
	assert_false(open_already(b, 8u << 20 | 32, S_IFBLK)); /* nothing is on it */
	assert_int_equal(b->n, 0);
	assert_true(open_already(b, 21u << 20 | 4, S_IFCHR));
	told_as(b, 0, "surface:block:21:4 by /usr/bin/gdb", "opened for writing", "");
	block(b, 16, "sdb under /data");
	assert_true(open_already(b, 8u << 20 | 16, S_IFBLK));
	assert_int_equal(b->n, 0);
	b->s = surface_free(b->s); /* nothing was counted that is to be told at the end */
	assert_int_equal(b->n, 0);
}

static void perf_events_are_told_by_type(void **state)
{
	struct bench *b = *state;
	union event_record r = record(b, PLUMB_SURFACE_PERF);

	r.surface.number = 17; /* another kind */
	surface_take(b->s, &r);
	assert_int_equal(b->n, 0);
	r.surface.number = 8;
	snprintf(r.surface.text, sizeof(r.surface.text), "vfs_read");
	surface_take(b->s, &r);
	told_as(b, 0, "surface:perf:kprobe:vfs_read by /usr/bin/gdb", "opened", "");
	r = record(b, PLUMB_SURFACE_LOCKDOWN);
	r.surface.number = PLUMB_REASON_DEV_MEM;
	b->n = 0;
	surface_take(b->s, &r);
	told_as(b, 0, "surface:lockdown:dev-mem by /usr/bin/gdb", "asked for", "");
}

/* Whoever has a terminal may ask it for what a disk does. What sysfs does not list otherwise stays told, as a disk of that number. */
static void commands_are_told_and_a_terminal_is_no_disk(void **state)
{
	struct bench *b = *state;
	union event_record r = record(b, PLUMB_SURFACE_COMMAND);

	r.surface.number = 8u << 20 | 1;
	r.surface.other = 0xc0045877; /* FIFREEZE */
	surface_take(b->s, &r);
	told_as(b, 0, "surface:filesystem:sda1 under / by /usr/bin/gdb", "frozen", "");
	r.surface.fs_magic = S_IFCHR;
	r.surface.other = 0x2285; /* SG_IO */
	for (uint32_t i = 136; i <= 144; i++) {
		assert_int_equal(b->n, 1);
		r.surface.number = i << 20;
		surface_take(b->s, &r);
	}
	told_as(b, 1, "surface:block:144:0 by /usr/bin/gdb", "commands of its own", "");
	r.surface.what = PLUMB_SURFACE_BLOCK; /* to SCSI generic ones they are written */
	surface_take(b->s, &r);
	told_as(b, 2, "surface:block:144:0 by /usr/bin/gdb", "opened for writing", "");
}

static void our_own_deeds_are_none(void **state)
{
	struct bench *b = *state;
	union event_record r = record(b, PLUMB_SURFACE_USERNS);

	r.surface.task = task((uint32_t)getpid());
	surface_take(b->s, &r);
	surface_take(NULL, &r);
	r = record(b, PLUMB_SURFACE_EXCHANGE); /* their files tell it */
	surface_take(b->s, &r);
	assert_int_equal(b->n, 0);
}

static void a_flood_of_objects_is_one_line_more(void **state)
{
	struct bench *b = *state;
	union event_record r = record(b, PLUMB_SURFACE_REQUEST);

	for (int i = 0; i < 3000; i++) {
		snprintf(r.surface.text, sizeof(r.surface.text), "fs-x%d", i);
		surface_take(b->s, &r);
	}
	told_as(b, SURFACE_SEEN_OBJECTS, "surface:module-request:* by /usr/bin/gdb", "several", "");
	b->s = surface_free(b->s);
	assert_int_equal(b->n, SURFACE_SEEN_OBJECTS + 2);
	assert_int_equal(b->told[b->n - 1].times, 3000 - SURFACE_SEEN_OBJECTS - 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_scan_that_is_first_tells_who_it_was),
		T(a_scan_does_not_take_anybody),
		T(a_scan_of_probes_tells_who_it_was),
		T(a_sysctl_that_is_a_claim_is_told_once_with_its_actor),
		T(what_is_put_back_before_it_is_read_is_told_as_a_deed),
		T(a_sysctl_that_is_no_claim_is_told_with_both_values),
		T(interfaces_and_other_namespaces_are_no_flood),
		T(opens_are_told_or_are_daily_life),
		T(probes_are_read_again_at_once),
		T(who_goes_on_and_on_is_seen),
		T(the_same_is_counted_and_said),
		T(who_is_traced_asks_and_the_other_did_it),
		T(a_disk_is_told_when_it_carries_something),
		T(a_disk_that_is_open_already_is_told_once),
		T(perf_events_are_told_by_type),
		T(commands_are_told_and_a_terminal_is_no_disk),
		T(our_own_deeds_are_none),
		T(a_flood_of_objects_is_one_line_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
