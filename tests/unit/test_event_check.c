/* SPDX-License-Identifier: Apache-2.0 */
/* test_event_check.c: records of the kernel programs byte for byte as on file, and their broken twins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../../userspace/agent/event_check.h"

static size_t load(const char *name, void *ret, size_t room)
{
	char path[256];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "tests/data/event/%s-v3.bin", name);
	f = fopen(path, "rb");
	assert_non_null(f);
	n = fread(ret, 1, room, f);
	fclose(f);
	return n;
}

static struct plumb_event_exec sample(void)
{
	struct plumb_event_exec e = {
		.event = {.size = sizeof(e),
			  .kind = PLUMB_KIND_EXEC,
			  .version = PLUMB_EVENT_VERSION,
			  .cpu = 1,
			  .kseq = 42,
			  .ksess = 0x1122334455667788ull,
			  .boottime_ns = 9479342012490ull},
		.task = {.pid = 17330,
			 .tid = 17330,
			 .ppid = 17317,
			 .uid = 1000,
			 .gid = 1001,
			 .mnt_ns = 4026531841u,
			 .pid_ns = 4026531836u,
			 .start_ns = 9479341507867ull,
			 .parent_start_ns = 9478000000000ull,
			 .cgroup_id = 12,
			 .comm = "true"},
		.file = {.ino = 131090,
			 .file_size = 35664,
			 .ctime_ns = 1700000000123456789ull,
			 .dev = 8u << 20 | 1,
			 .mode = 0100755,
			 .nlink = 1,
			 .fs_magic = 0xef53},
		.hash = {.src = PLUMB_HASH_IMA},
		.old_pid = 17330,
		.path_size = 14,
		.name_size = 10,
		.path = "/usr/bin/true",
		.name = "/bin/true",
	};

	for (uint8_t i = 0; i < sizeof(e.hash.digest); i++)
		e.hash.digest[i] = i;
	return e;
}

static void exec_is_as_on_file(void **state)
{
	struct plumb_event_exec e = sample();
	union event_record r;
	struct why why = {""};
	uint8_t data[2048];

	(void)state;
	assert_int_equal(load("exec", data, sizeof(data)), sizeof(e));
	assert_memory_equal(data, &e, sizeof(e));
	memset(&r, 0x5a, sizeof(r));
	assert_int_equal(event_check(data, sizeof(e), &r, &why), 0);
	assert_memory_equal(&r.exec, &e, offsetof(struct plumb_event_exec, path));
	assert_string_equal(r.exec.path, e.path);
	assert_string_equal(r.exec.name, e.name);
	/* What lies behind their ends means nothing, and is not even looked at. */
	data[offsetof(struct plumb_event_exec, path) + e.path_size] = 'x';
	data[sizeof(e) - 1] = 'x';
	assert_int_equal(event_check(data, sizeof(e), &r, &why), 0);
	assert_string_equal(r.exec.path, e.path);
}

static void other_kinds_are_as_on_file(void **state)
{
	union event_record r;
	struct why why = {""};
	uint8_t data[2048];
	size_t n;

	(void)state;
	n = load("fork", data, sizeof(data));
	assert_int_equal(event_check(data, n, &r, &why), 0);
	assert_int_equal(r.fork.child_pid, 17331);
	assert_int_equal(r.fork.child_start_ns, 9479350000000ull);
	n = load("exit", data, sizeof(data));
	assert_int_equal(event_check(data, n, &r, &why), 0);
	assert_int_equal(r.exit.exit_code, 256);
	n = load("module", data, sizeof(data));
	assert_int_equal(event_check(data, n, &r, &why), 0);
	assert_string_equal(r.module.name, "nf_tables");
}

/* With arguments behind it: as on file, and its twins. */
static void exec_args_are_as_on_file(void **state)
{
	struct plumb_event_exec_args e = {.exec = sample(), .args = {.size = 10, .kept = 10}};
	struct plumb_event_exec_args bad;
	union event_record r;
	struct why why = {""};
	uint8_t data[4096];

	(void)state;
	e.exec.event.size = sizeof(e);
	e.exec.event.flags = PLUMB_EVENT_ARGS;
	memcpy(e.args.text, "true\0-abc", 10);
	assert_int_equal(load("exec-args", data, sizeof(data)), sizeof(e));
	assert_memory_equal(data, &e, sizeof(e));
	assert_int_equal(event_check(data, sizeof(e), &r, &why), 0);
	assert_memory_equal(&r.exec_args, &e, offsetof(struct plumb_event_exec, path));
	assert_string_equal(r.exec.path, e.exec.path);
	assert_string_equal(r.exec.name, e.exec.name);
	assert_memory_equal(&r.exec_args.args, &e.args, sizeof(e.args));
	bad = e;
	bad.args.kept = 11; /* more than there are */
	assert_int_equal(event_check(&bad, sizeof(bad), &r, &why), -EBADMSG);
	bad.args.size = 1000;
	bad.args.kept = PLUMB_ARGS_MAX + 1;
	assert_int_equal(event_check(&bad, sizeof(bad), &r, &why), -EBADMSG);
	bad = e;
	bad.args.error = 1;
	assert_int_equal(event_check(&bad, sizeof(bad), &r, &why), -EBADMSG);
	bad = e;
	bad.exec.event.flags = 0; /* too large for one without */
	assert_int_equal(event_check(&bad, sizeof(bad), &r, &why), -EBADMSG);
	bad.exec.event.size = sizeof(bad.exec);
	bad.exec.event.flags = PLUMB_EVENT_ARGS; /* too small for one with */
	assert_int_equal(event_check(&bad, sizeof(bad.exec), &r, &why), -EBADMSG);
}

static union event_record on_file(const char *name)
{
	union event_record r;
	struct why why = {""};
	uint8_t data[2048];
	size_t n = load(name, data, sizeof(data));

	if (event_check(data, n, &r, &why) != 0)
		fail_msg("%s: %s", name, why.text);
	return r;
}

static void kinds_of_the_full_tier_are_as_on_file(void **state)
{
	union event_record r;

	(void)state;
	r = on_file("script");
	assert_string_equal(r.script.path, "/opt/run.sh");
	assert_int_equal(r.script.hash.error, -EOPNOTSUPP);
	r = on_file("load");
	assert_string_equal(r.load.path, "/lib/modules/n.ko");
	assert_int_equal(r.load.what, PLUMB_LOAD_MODULE);
	assert_int_equal(r.load.hash.digest[31], 31);
	r = on_file("code");
	assert_string_equal(r.code.path, "/usr/lib/x/y.so");
	assert_int_equal(r.code.what, PLUMB_CODE_MAP);
	assert_int_equal(r.code.prot, 5);
	assert_int_equal(r.code.hash.digest[31], 31);
	r = on_file("file");
	assert_int_equal(r.file.op, PLUMB_FILE_RENAME);
	assert_int_equal(r.file.other_dir_ino, 2001);
	assert_string_equal(r.file.other_name, "sshd_config");
	assert_int_equal(r.file.mark, PLUMB_MARK_FILE | PLUMB_MARK_DIR);
	r = on_file("mount");
	assert_int_equal(r.mount.op, PLUMB_MOUNT_MOUNT);
	assert_int_equal(r.mount.flags, 4096);
	assert_string_equal(r.mount.source, "/tmp/other");
	r = on_file("bpf");
	assert_int_equal(r.bpf.command, 5);
	assert_int_equal(r.bpf.n_insns, 12);
	assert_string_equal(r.bpf.name, "foreign");
	r = on_file("surface");
	assert_int_equal(r.surface.what, PLUMB_SURFACE_SYSCTL);
	assert_int_equal(r.surface.net_ns, 4026531840u);
	assert_string_equal(r.surface.text, "kernel/core_pattern");
	assert_string_equal(r.surface.after, "|/tmp/x %p\n");
	r = on_file("guard");
	assert_int_equal(r.guard.op, PLUMB_GUARD_FILE);
	assert_int_equal(r.guard.file_op, PLUMB_FILE_CREATE);
	assert_int_equal(r.guard.outcome, PLUMB_GUARD_DENIED);
	assert_int_equal(r.guard.dir_ino, 2001);
	assert_int_equal(r.guard.mark, PLUMB_MARK_GUARD | PLUMB_MARK_GUARD_DIR);
	assert_string_equal(r.guard.name, "events-00000000000000000000.jsonl");
}

static void refused(const void *data, size_t size, int expected, const char *says)
{
	union event_record r;
	struct why why = {""};

	assert_int_equal(event_check(data, size, &r, &why), expected);
	if (!strstr(why.text, says))
		fail_msg("\"%s\" does not say \"%s\"", why.text, says);
}

static void broken_surface_records_are_refused(void **state)
{
	struct plumb_event_surface e = on_file("surface").surface;

	(void)state;
	e.what = 0;
	refused(&e, sizeof(e), -EBADMSG, "surface of 0");
	e.what = PLUMB_SURFACE_EXCHANGE + 1;
	refused(&e, sizeof(e), -EBADMSG, "surface of 13");
	e = on_file("surface").surface;
	memset(e.text, 't', sizeof(e.text));
	refused(&e, sizeof(e), -EBADMSG, "text");
	/* Of names each ends in its own place. */
	e = on_file("surface").surface;
	e.what = PLUMB_SURFACE_OPEN;
	memset(e.names[3], 'n', sizeof(e.names[3]));
	refused(&e, sizeof(e), -EBADMSG, "name");
	e = on_file("surface").surface;
	memset(e.before, 'b', sizeof(e.before));
	refused(&e, sizeof(e), -EBADMSG, "before");
	e = on_file("surface").surface;
	memset(e.after, 'a', sizeof(e.after));
	refused(&e, sizeof(e), -EBADMSG, "after");
}

static void short_records_are_refused(void **state)
{
	struct plumb_event_exec e = sample();

	(void)state;
	for (size_t n = 0; n < sizeof(e); n++)
		refused(&e, n, -EBADMSG, "bytes");
	/* Also when the header agrees with the cut. */
	e.event.size = sizeof(e) - 1;
	refused(&e, sizeof(e) - 1, -EBADMSG, "kind 1 has");
}

static void wrong_sizes_are_refused(void **state)
{
	struct {
		struct plumb_event_exec e;
		uint8_t more[8];
	} big = {.e = sample()};

	(void)state;
	big.e.event.size = UINT32_MAX;
	refused(&big, sizeof(big.e), -EBADMSG, "says 4294967295");
	big.e.event.size = sizeof(big);
	refused(&big, sizeof(big), -EBADMSG, "kind 1 has");
	big.e = sample();
	refused(&big, sizeof(big), -EBADMSG, "says");
	/* A sound record under another kind's number. */
	big.e.event.kind = PLUMB_KIND_FORK;
	refused(&big, sizeof(big.e), -EBADMSG, "kind 2 has");
}

static void unknown_versions_and_kinds_are_told_apart(void **state)
{
	struct plumb_event_exec e = sample();

	(void)state;
	e.event.version = PLUMB_EVENT_VERSION + 1;
	refused(&e, sizeof(e), -ENOTSUP, "version 4");
	e.event.version = PLUMB_EVENT_VERSION - 1;
	refused(&e, sizeof(e), -ENOTSUP, "version 2");
	e = sample();
	e.event.kind = 99;
	refused(&e, sizeof(e), -ENOTSUP, "kind 99");
}

static void broken_texts_are_refused(void **state)
{
	struct plumb_event_exec e = sample();

	(void)state;
	memset(e.path, 'a', sizeof(e.path));
	e.path_size = sizeof(e.path);
	refused(&e, sizeof(e), -EBADMSG, "path");
	e = sample();
	e.path_size = 0;
	refused(&e, sizeof(e), -EBADMSG, "path");
	e.path_size = 15; /* past the NUL */
	refused(&e, sizeof(e), -EBADMSG, "path");
	e.path_size = 5; /* before it */
	refused(&e, sizeof(e), -EBADMSG, "path");
	e.path_size = UINT16_MAX;
	refused(&e, sizeof(e), -EBADMSG, "path");
	e = sample();
	e.name_size = 257;
	refused(&e, sizeof(e), -EBADMSG, "name");
	e = sample();
	memset(e.task.comm, 'c', sizeof(e.task.comm));
	refused(&e, sizeof(e), -EBADMSG, "comm");
}

/* One wrong thing in a record that is else as on file. */
static void full_tier_twins_are_refused(void **state)
{
	union event_record r;

	(void)state;
	r = on_file("code");
	r.code.what = PLUMB_CODE_BINFMT + 1;
	refused(&r, sizeof(r.code), -EBADMSG, "code 7");
	r.code.what = 0;
	refused(&r, sizeof(r.code), -EBADMSG, "code 0");
	r = on_file("code");
	r.code.args_size = PLUMB_CODE_ARGS + 1;
	refused(&r, sizeof(r.code), -EBADMSG, "257 bytes");
	r = on_file("code");
	r.code.path_size = 15;
	refused(&r, sizeof(r.code), -EBADMSG, "path");
	r = on_file("code");
	r.code.hash.src = PLUMB_HASH_NONE;
	refused(&r, sizeof(r.code), -EBADMSG, "nobody took");
	r = on_file("exec");
	r.exec.hash.src = 2;
	refused(&r, sizeof(r.exec), -EBADMSG, "hash of source 2");
	r.exec.hash.src = PLUMB_HASH_NONE;
	refused(&r, sizeof(r.exec), -EBADMSG, "nobody took");
	r = on_file("script");
	r.script.path_size++;
	refused(&r, sizeof(r.script), -EBADMSG, "path is not 13");
	r = on_file("load");
	r.load.what = PLUMB_LOAD_X509 + 1;
	refused(&r, sizeof(r.load), -EBADMSG, "load of 8");
	r = on_file("load");
	r.load.from_memory = 2;
	refused(&r, sizeof(r.load), -EBADMSG, "from memory 2");
	r = on_file("file");
	r.file.op = 0;
	refused(&r, sizeof(r.file), -EBADMSG, "file op 0");
	r.file.op = PLUMB_FILE_IOCTL + 1;
	refused(&r, sizeof(r.file), -EBADMSG, "file op 15");
	r = on_file("file");
	memset(r.file.other_name, 'x', sizeof(r.file.other_name));
	refused(&r, sizeof(r.file), -EBADMSG, "other name");
	r = on_file("mount");
	r.mount.op = 4;
	refused(&r, sizeof(r.mount), -EBADMSG, "mount op 4");
	r = on_file("mount");
	memset(r.mount.source, 'x', sizeof(r.mount.source));
	refused(&r, sizeof(r.mount), -EBADMSG, "source");
	r = on_file("bpf");
	r.bpf.op = 3;
	refused(&r, sizeof(r.bpf), -EBADMSG, "bpf op 3");
	r = on_file("bpf");
	memset(r.bpf.name, 'x', sizeof(r.bpf.name));
	refused(&r, sizeof(r.bpf), -EBADMSG, "name");
	r = on_file("guard");
	r.guard.op = PLUMB_GUARD_BPF + 1;
	refused(&r, sizeof(r.guard), -EBADMSG, "guard op 17");
	r.guard.op = PLUMB_GUARD_KILL;
	refused(&r, sizeof(r.guard), -EBADMSG, "file op 4");
	r = on_file("guard");
	r.guard.file_op = 0;
	refused(&r, sizeof(r.guard), -EBADMSG, "file op 0");
	r = on_file("guard");
	r.guard.outcome = 3;
	refused(&r, sizeof(r.guard), -EBADMSG, "outcome 3");
	r = on_file("guard");
	memset(r.guard.name, 'x', sizeof(r.guard.name));
	refused(&r, sizeof(r.guard), -EBADMSG, "name");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exec_is_as_on_file),
		cmocka_unit_test(exec_args_are_as_on_file),
		cmocka_unit_test(other_kinds_are_as_on_file),
		cmocka_unit_test(kinds_of_the_full_tier_are_as_on_file),
		cmocka_unit_test(broken_surface_records_are_refused),
		cmocka_unit_test(short_records_are_refused),
		cmocka_unit_test(wrong_sizes_are_refused),
		cmocka_unit_test(unknown_versions_and_kinds_are_told_apart),
		cmocka_unit_test(broken_texts_are_refused),
		cmocka_unit_test(full_tier_twins_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
