/* SPDX-License-Identifier: Apache-2.0 */
/* Each kind of code record as the line that it becomes; what nothing names, what is no file, what a symbolic link leads to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "code_lines.h"
#include "scratch.h"
#include "served.h"

#define DIGEST "sha256:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

struct bench {
	char top[SCRATCH_SIZE];
	struct proctab *proctab;
	struct hash_cache *hashes;
	struct code_lines *code;
	char line[8][512];
	uint32_t n;
	unsigned int n_binfmt;
};

static void on_line(void *ctx, const struct line *l)
{
	struct bench *b = ctx;

	assert_int_equal(l->type, PLUMB_TYPE_CODE);
	assert_string_equal(l->scope, "host");
	assert_true(l->has_kernel);
	assert_true(b->n < 8);
	snprintf(b->line[b->n++], sizeof(b->line[0]), "%s|%s|%s|%s", l->key, l->op, l->found,
		 l->hash_src ? l->hash_src : "-");
}

static void on_binfmt(void *ctx)
{
	((struct bench *)ctx)->n_binfmt++;
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	const struct measure_sink sink = {b, on_line, NULL, NULL};
	static const char *const interpreters[] = {"dash", "python"};
	struct code_lines_options o = {
		.interpreters = interpreters, .n_interpreters = 2, .binfmt = on_binfmt, .ctx = b};

	scratch_open(b->top, "code");
	assert_int_equal(proctab_open(0, NULL, &b->proctab), 0);
	assert_int_equal(hash_cache_open(0, 0, &b->hashes), 0);
	o.tables = (struct record_line_tables){b->proctab, b->hashes, NULL, clock_system()};
	assert_int_equal(code_lines_open(&o, &sink, &b->code), 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	code_lines_free(b->code);
	hash_cache_free(b->hashes);
	proctab_free(b->proctab);
	scratch_done(b->top);
	free(b);
	return 0;
}

static struct plumb_event_code record(uint16_t what, const char *path)
{
	struct plumb_event_code e = {.event = {.size = sizeof(e), .kind = PLUMB_KIND_CODE},
				     .task = {.pid = (uint32_t)getpid()},
				     .file = {.mode = S_IFREG | 0644},
				     .hash = {.src = PLUMB_HASH_IMA},
				     .what = what};

	for (uint8_t i = 0; i < sizeof(e.hash.digest); i++)
		e.hash.digest[i] = i;
	e.path_size = (uint16_t)(snprintf(e.path, sizeof(e.path), "%s", path) + 1);
	return e;
}

static void told(struct bench *b, const struct plumb_event_code *e, const char *expected)
{
	b->n = 0;
	code_lines_take(b->code, e);
	assert_int_equal(b->n, expected ? 1 : 0);
	if (expected)
		assert_string_equal(b->line[0], expected);
}

static void test_files(void **state)
{
	struct bench *b = *state;
	struct plumb_event_code e = record(PLUMB_CODE_MAP, "/usr/lib/x.so");

	told(b, &e, "code:/usr/lib/x.so|map|" DIGEST "|ima");
	e.what = PLUMB_CODE_SCRIPT;
	told(b, &e, "code:/usr/lib/x.so|script|" DIGEST "|ima");
	e.event.flags = PLUMB_EVENT_PATH_CUT;
	told(b, &e, "code:.../usr/lib/x.so|script|" DIGEST "|ima");
	/* A device that is mapped: whatever it would give now is not what runs. */
	e.event.flags = 0;
	e.file.mode = S_IFCHR | 0666;
	told(b, &e, "code:/usr/lib/x.so|script|unmeasured no regular file|none");
	e = record(PLUMB_CODE_MAP, "/plumb/no/such/file");
	e.task.pid = 4000000;
	e.hash.src = PLUMB_HASH_NONE;
	told(b, &e, "code:/plumb/no/such/file|map|unmeasured gone before it was read|none");
}

static void test_programs(void **state)
{
	struct bench *b = *state;
	struct plumb_event_code e = record(PLUMB_CODE_ANONYMOUS, "/usr/bin/node");

	told(b, &e, "memory:anonymous:/usr/bin/node|map|executable|-");
	e.what = PLUMB_CODE_WRITTEN;
	told(b, &e, "memory:written:/usr/bin/node|map|executable|-");
	e = record(PLUMB_CODE_ANONYMOUS, "");
	e.event.flags = PLUMB_EVENT_PATH_CUT;
	told(b, &e, "memory:anonymous:unknown|map|executable|-");
	/* What the kernel does not say the table of processes may know. */
	e.task.start_ns = 5;
	proctab_exec(b->proctab, &e.task, "/usr/bin/java");
	e.task.mnt_ns = 77; /* where it is now is what the record says */
	told(b, &e, "memory:anonymous:/usr/bin/java|map|executable|-");
	assert_int_equal(proctab_peers(b->proctab, 77, 0, &(uint32_t){0}, 1), 1);
	e = record(PLUMB_CODE_BINFMT, "/proc/sys/fs/binfmt_misc/register");
	told(b, &e, "binfmt:register|write|opened for writing|-");
	assert_int_equal(b->n_binfmt, 1);
}

static void interpret(struct bench *b, const char *path, const char *args, size_t size, uint16_t in,
		      const char *expected)
{
	struct plumb_event_code e = record(PLUMB_CODE_INTERPRETER, path);

	memcpy(e.args, args, size);
	e.args_size = (uint16_t)size;
	e.stdin_mode = in;
	told(b, &e, expected);
}

static void test_unnamed(void **state)
{
	struct bench *b = *state;

	interpret(b, "/bin/dash", "sh\0-c\0:", 8, S_IFCHR,
		  "unnamed:arguments:/bin/dash|text|run|-");
	interpret(b, "/bin/dash", "sh", 3, S_IFREG, "unnamed:stdin:/bin/dash|file|run|-");
	interpret(b, "/bin/dash", "sh", 3, S_IFIFO, "unnamed:stdin:/bin/dash|pipe|run|-");
	interpret(b, "/bin/dash", "sh", 3, S_IFSOCK, "unnamed:stdin:/bin/dash|socket|run|-");
	interpret(b, "/bin/dash", "sh", 3, 0, "unnamed:stdin:/bin/dash|unknown|run|-");
	interpret(b, "/bin/dash", "sh", 3, S_IFCHR, NULL);
	/* The version is no part of the name: -W takes a word for python alone. */
	interpret(b, "/usr/bin/python3.11", "p\0-W\0-c", 8, S_IFCHR, NULL);
	interpret(b, "/usr/bin/python3.11", "p\0-c\0pass", 10, S_IFCHR,
		  "unnamed:arguments:/usr/bin/python3.11|text|run|-");
	/* In ld.so's process; what it runs otherwise is mapped, and told so. */
	interpret(b, "/lib64/ld-linux-x86-64.so.2", "ld\0/bin/dash\0-c\0:", 18, S_IFCHR,
		  "unnamed:arguments:/lib64/ld-linux-x86-64.so.2|text|run|-");
	interpret(b, "/lib/ld-musl-x86_64.so.1", "ld\0--preload\0x\0/bin/python3", 28, S_IFIFO,
		  "unnamed:stdin:/lib/ld-musl-x86_64.so.1|pipe|run|-");
	interpret(b, "/lib/ld-2.31.so", "ld\0/bin/cat\0-c\0:", 17, S_IFREG, NULL);
	interpret(b, "/lib/ld-2.31.so", "ld\0--list\0/bin/dash", 19, S_IFREG, NULL);
}

/* The kernel programs tell a script by its name; a symbolic link has another. */
static void test_linked(void **state)
{
	struct bench *b = *state;
	char args[PLUMB_CODE_ARGS], expected[512];
	int n;

	scratch_run(b->top, "printf abc >script && ln -s script link && ln -s gone dangling");
	n = snprintf(args, sizeof(args), "sh%c%s/link", 0, b->top) + 1;
	snprintf(
		expected, sizeof(expected),
		"code:%s/script|script|sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410f"
		"f61f20015ad|user",
		b->top);
	interpret(b, "/bin/dash", args, (size_t)n, S_IFCHR, expected);
	n = snprintf(args, sizeof(args), "sh%c%s/script", 0, b->top) + 1;
	interpret(b, "/bin/dash", args, (size_t)n, S_IFCHR, NULL);
	n = snprintf(args, sizeof(args), "sh%c%s/dangling", 0, b->top) + 1;
	interpret(b, "/bin/dash", args, (size_t)n, S_IFCHR, NULL);
	/* As seen from where the process stands. */
	assert_int_equal(chdir(b->top), 0);
	interpret(b, "/bin/dash", "sh\0link", 8, S_IFCHR, expected);
	assert_int_equal(chdir("/"), 0);
	interpret(b, "/bin/dash", "sh\0link", 8, S_IFCHR, NULL);
}

/* Process 7, whose root and place are what these links say. */
static void stands(struct bench *b, const char *root, const char *cwd, const char *expected)
{
	struct plumb_event_code e = record(PLUMB_CODE_INTERPRETER, "/bin/dash");

	scratch_run(b->top,
		    "rm -rf proc && mkdir -p proc/7 proc/%d && cd proc && ln -s %d self && "
		    "ln -s %s/%s 7/root && ln -s %s/%s 7/cwd && "
		    "cp /proc/self/mountinfo self/ && cp /proc/self/mountinfo 7/",
		    getpid(), getpid(), b->top, root, b->top, cwd);
	e.task.pid = 7;
	memcpy(e.args, "sh\0link", 8);
	e.args_size = 8;
	e.stdin_mode = S_IFCHR;
	told(b, &e, expected);
}

/* A relative name is of where the process stands, below a root of its own as well. */
static void test_linked_below_a_root(void **state)
{
	struct bench *b = *state;
	char proc[SCRATCH_SIZE + 8], expected[512];

	scratch_run(b->top, "mkdir -p root/d && printf abc >root/d/script && ln -s /d/script "
			    "root/d/link && mkdir -p rootless/d");
	snprintf(proc, sizeof(proc), "%s/proc", b->top);
	hash_cache_use_proc(b->hashes, proc);
	snprintf(expected, sizeof(expected),
		 "code:%s/root/d/script|script|sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177"
		 "a9cb410ff61f20015ad|user",
		 b->top);
	stands(b, "root", "root/d", expected);
	stands(b, "root", "root", NULL); /* there is none */
	/* It stands where its root does not lead. */
	stands(b, "root", "rootless/d", "code:.../link|script|unmeasured below another root|none");
	stands(b, "root", "root/e\\ \\(deleted\\)",
	       "code:.../link|script|unmeasured below another root|none");
}

/* Where no kernel program sees what an interpreter opens. */
static void test_looked_for(void **state)
{
	struct bench *b = *state;
	struct plumb_event_code e = record(PLUMB_CODE_INTERPRETER, "/bin/dash");
	char args[PLUMB_CODE_ARGS], expected[512];
	int n;

	code_lines_look_for_scripts(b->code);
	scratch_run(b->top, "printf abc >script && mkdir dir");
	n = snprintf(args, sizeof(args), "sh%c%s/script", 0, b->top) + 1;
	snprintf(
		expected, sizeof(expected),
		"code:%s/script|script|sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410f"
		"f61f20015ad|user",
		b->top);
	interpret(b, "/bin/dash", args, (size_t)n, S_IFCHR, expected);
	n = snprintf(args, sizeof(args), "sh%c%s/dir", 0, b->top) + 1;
	interpret(b, "/bin/dash", args, (size_t)n, S_IFCHR, NULL);
	interpret(b, "/bin/dash", "sh\0/no/such", 12, S_IFCHR, NULL);
	/* Its process is gone: another's file of that name may be anything. */
	e.task.pid = 4000000;
	e.args_size = (uint16_t)n;
	memcpy(e.args, args, (size_t)n);
	snprintf(expected, sizeof(expected),
		 "code:%s/dir|script|unmeasured gone before it was read|none", b->top);
	told(b, &e, expected);
	e.args_size = 8;
	memcpy(e.args, "sh\0gone", 8);
	told(b, &e, "code:.../gone|script|unmeasured gone before it was read|none");
}

/* A /proc in which we are, and all that is mounted is of that type. */
static void mounted(struct bench *b, const char *fstype)
{
	scratch_run(b->top,
		    "rm -rf proc && mkdir -p proc/%d && cd proc && ln -s %d self && ln -s / "
		    "self/root && "
		    "sed 's/ - [^ ]* / - %s /' /proc/self/mountinfo >self/mountinfo",
		    getpid(), getpid(), fstype);
}

static void is_served(struct bench *b, const char *name, const char *seen_as)
{
	char args[PLUMB_CODE_ARGS], expected[512];
	int n = snprintf(args, sizeof(args), "sh%c%s/%s", 0, b->top, name) + 1;

	snprintf(expected, sizeof(expected), "code:%s/%s|script|unmeasured " SERVED_WHY "|none",
		 b->top, seen_as);
	interpret(b, "/bin/dash", args, (size_t)n, S_IFCHR, seen_as[0] ? expected : NULL);
}

/* What stands there its server would have to be asked for, or reads as he likes. */
static void test_served(void **state)
{
	struct bench *b = *state;
	char proc[SCRATCH_SIZE + 8];

	/* The link's own time of access is written by the first who follows it, and no look-up in memory does that. */
	scratch_run(b->top,
		    "printf abc >script && ln -s script link && sleep .01 && cat link >/dev/null");
	snprintf(proc, sizeof(proc), "%s/proc", b->top);
	hash_cache_use_proc(b->hashes, proc);
	mounted(b, "nfs4");
	is_served(b, "script", ""); /* the kernel programs tell it */
	is_served(b, "cold", "cold");
	is_served(b, "link", "script");
	code_lines_look_for_scripts(b->code);
	is_served(b, "script", "script");
	assert_int_equal(hash_cache_n_bytes(b->hashes), 0);
	mounted(b, "ext4");
	is_served(b, "cold", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_programs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unnamed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_linked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_linked_below_a_root, setup, teardown),
		cmocka_unit_test_setup_teardown(test_looked_for, setup, teardown),
		cmocka_unit_test_setup_teardown(test_served, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
