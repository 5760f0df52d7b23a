/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of a node at the moment: of a /proc of the test's own, hostile names and all; of this machine, bounded; kept by the ledger's line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "cleanup.h"
#include "jsonl.h"
#include "scratch.h"
#include "snapshot.h"
#include "snapshot_files.h"
#include "snapshot_sockets.h"

static json_t *taken(struct snapshot *s)
{
	struct buf b = {0};
	json_error_t e;
	json_t *o;

	assert_int_equal(snapshot_take(s, &b), 0);
	assert_int_equal(b.data[b.size - 1], '\n');
	o = json_loadb((char *)b.data, b.size, JSON_REJECT_DUPLICATES, &e);
	if (!o)
		fail_msg("%s at %d: %.200s", e.text, e.position, (char *)b.data);
	buf_done(&b);
	return o;
}

static const char *text(const json_t *o, const char *key)
{
	const char *t = json_string_value(json_object_get(o, key));

	return t ? t : "(none)";
}

#define STAT "S 1 7 7 0 -1 4 0 0 0 0 1 1 0 0 20 0 1 0 250 1 1\\n"

static void test_told(void **state)
{
	struct snapshot s = {.number = 9, .utc_ns = 1700000000000000000, .lines = 77, .boot = "b"};
	char dir[SCRATCH_SIZE];
	struct why why = {""};
	json_t *o, *p, *k;

	(void)state;
	scratch_open(dir, "proc");
	s.proc = dir;
	assert_int_equal(redact_open(NULL, 0, &s.redact, &why), 0);
	assert_int_equal(held_proc_open(NULL, &s.held), 0);
	scratch_run(dir,
		    "mkdir -p 7/fd 7/net 7/ns 8 self 9 && printf '7 (a) b \"x) " STAT
		    "' >7/stat && "
		    "printf 'Name:\\ta\\nUid:\\t5\\t6\\t5\\t5\\n' >7/status && "
		    "printf '1:x:/v1\\n0::/kubepods/one\\n' >7/cgroup && ln -s /bin/a 7/exe && "
		    "printf 'a\\0--password\\0hunter2\\0' >7/cmdline && touch 7/ns/net && "
		    "ln -s 'socket:[4711]' 7/fd/3 && ln -s /dev/null 7/fd/4 && "
		    "printf '8 no brackets' >8/stat");
	scratch_run(dir,
		    "printf '  sl  local_address rem_address\\n   0: 0100007F:0016 "
		    "0200000A:01BB 01 00000000:00000000 00:00000000 00000000  5 0 4711 1 0\\n"
		    "nonsense\\n' >7/net/tcp && "
		    "printf 'nf_tables 1 2 - Live 0xffffffffc0000000 (E)\\n' >modules && "
		    "printf '22 1 0:1 / / rw - ext4 /dev/a rw\\n23 1 0:2 / /x rw - tmpfs t rw\\n' "
		    ">self/mountinfo");
	o = taken(&s);
	assert_int_equal(json_integer_value(json_object_get(o, "number")), 9);
	assert_int_equal(json_integer_value(json_object_get(o, "ledger_lines")), 77);
	assert_int_equal(json_array_size(json_object_get(o, "processes")), 1);
	p = json_array_get(json_object_get(o, "processes"), 0);
	assert_int_equal(json_integer_value(json_object_get(p, "pid")), 7);
	assert_int_equal(json_integer_value(json_object_get(p, "ppid")), 1);
	assert_int_equal(json_integer_value(json_object_get(p, "start")),
			 250 * (1000000000 / sysconf(_SC_CLK_TCK)));
	assert_string_equal(text(p, "comm"), "a) b \"x");
	assert_int_equal(json_integer_value(json_object_get(p, "euid")), 6);
	assert_string_equal(text(p, "exe"), "/bin/a");
	assert_string_equal(text(p, "cgroup"), "/kubepods/one");
	assert_int_equal(json_array_size(json_object_get(p, "sockets")), 1);
	assert_string_equal(json_string_value(json_array_get(json_object_get(p, "args"), 2)),
			    "***");
	k = json_array_get(json_object_get(o, "sockets"), 0);
	assert_int_equal(json_array_size(json_object_get(o, "sockets")), 1);
	assert_string_equal(text(k, "kind"), "tcp");
	assert_string_equal(text(k, "local"), "127.0.0.1:22");
	assert_string_equal(text(k, "remote"), "10.0.0.2:443");
	assert_int_equal(json_integer_value(json_object_get(k, "inode")), 4711);
	assert_string_equal(json_string_value(json_array_get(json_object_get(o, "modules"), 0)),
			    "nf_tables 1 2 - Live");
	assert_int_equal(json_array_size(json_object_get(o, "mounts")), 2);
	assert_int_equal(json_array_size(json_object_get(o, "cut")), 0);
	json_decref(o);
	redact_free(s.redact);
	held_proc_free(s.held);
	scratch_done(dir);
}

/* A process that keeps its arguments, a pipe here, keeps nobody else's from being told. */
static void test_args_kept(void **state)
{
	struct snapshot s = {.number = 1};
	char dir[SCRATCH_SIZE], path[SCRATCH_SIZE + 16];
	struct why why = {""};
	json_t *o, *p;
	int fd;

	(void)state;
	scratch_open(dir, "proc");
	s.proc = dir;
	assert_int_equal(redact_open(NULL, 0, &s.redact, &why), 0);
	assert_int_equal(held_proc_open(NULL, &s.held), 0);
	scratch_run(dir, "mkdir 7 8 self && printf '7 (a) " STAT "' >7/stat && "
			 "printf '8 (b) " STAT "' >8/stat && mkfifo 7/cmdline && "
			 "printf 'b\\0' >8/cmdline");
	alarm(60);
	o = taken(&s);
	alarm(0);
	for (size_t i = 0; i < 2; i++) {
		p = json_array_get(json_object_get(o, "processes"), i);
		if (json_integer_value(json_object_get(p, "pid")) == 7) {
			assert_true(json_is_null(json_object_get(p, "args")));
			assert_true(strlen(text(p, "args_why")) > strlen("(none)"));
		} else {
			assert_int_equal(json_array_size(json_object_get(p, "args")), 1);
		}
	}
	json_decref(o);
	redact_free(s.redact);
	held_proc_free(s.held);
	snprintf(path, sizeof(path), "%s/7/cmdline", dir);
	fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd >= 0);
	close(fd);
	scratch_done(dir);
}

/* A program's digest is told where it is known, and nobody who serves the program is asked for it: he may be whom this is about. */
static void test_served(void **state)
{
	static const char *const fstypes[] = {"fuse.x", "ext4"};
	struct snapshot s = {.number = 1};
	char dir[SCRATCH_SIZE];
	struct digest d;
	struct stat st;
	json_t *o, *p;
	int fd;

	(void)state;
	scratch_open(dir, "proc");
	s.proc = dir;
	assert_int_equal(hash_cache_open(0, 0, &s.hashes), 0);
	fd = open("/bin/sh", O_RDONLY | O_CLOEXEC);
	assert_int_equal(hash_cache_fd(s.hashes, fd, &d, &st), 0);
	close(fd);
	for (size_t i = 0; i < ARRAY_SIZE(fstypes); i++) {
		scratch_run(
			dir,
			"rm -rf 7 self; mkdir 7 self && printf '7 (a) " STAT "' >7/stat && "
			"ln -s /bin/sh 7/exe && sed 's/ - [^ ]* / - %s /' /proc/self/mountinfo | "
			"tee self/mountinfo >7/mountinfo",
			fstypes[i]);
		o = taken(&s);
		p = json_array_get(json_object_get(o, "processes"), 0);
		assert_int_equal(strlen(text(p, "sha256")), i == 0 ? strlen("(none)") : 64);
		json_decref(o);
	}
	hash_cache_free(s.hashes);
	scratch_done(dir);
}

/* More than there is room for: whole, and it says what is missing. */
static void test_bounds(void **state)
{
	struct snapshot s = {.number = 1};
	char dir[SCRATCH_SIZE];
	json_t *o, *cut;

	(void)state;
	scratch_open(dir, "proc");
	s.proc = dir;
	scratch_run(dir, "mkdir self; for i in $(seq 4200); do mkdir $i; echo \"$i (x) " STAT
			 "\" >$i/stat; done; seq 3000 >self/mountinfo; "
			 "head -c 100000 /dev/zero | tr '\\0' m >modules");
	o = taken(&s);
	assert_int_equal(s.n_processes, SNAPSHOT_MAX_PROCESSES);
	assert_int_equal(s.n_mounts, SNAPSHOT_MAX_LINES);
	cut = json_object_get(o, "cut");
	assert_int_equal(json_array_size(cut), 2);
	assert_string_equal(json_string_value(json_array_get(cut, 0)), "processes");
	assert_string_equal(json_string_value(json_array_get(cut, 1)), "mounts");
	json_decref(o);
	scratch_done(dir);
}

static void test_here(void **state)
{
	struct snapshot s = {.number = 1};
	json_t *o, *p;
	bool found = false;
	size_t i;

	(void)state;
	o = taken(&s);
	json_array_foreach (json_object_get(o, "processes"), i, p)
		found |= json_integer_value(json_object_get(p, "pid")) == getpid() &&
			 strstr(text(p, "exe"), "test_snapshot");
	assert_true(found);
	assert_true(s.n_mounts > 0);
	json_decref(o);
}

static void test_sockets(void **state)
{
	struct snapshot_socket s;

	(void)state;
	assert_int_equal(
		snapshot_sockets_line("  12: 00000000000000000000000001000000:1F90 "
				      "B80D0120000000000000000007000000:0050 0A 00000000:00000000 "
				      "00:00000000 00000000  1000        0 99 1 x",
				      &s),
		0);
	assert_string_equal(s.local, "[::1]:8080");
	assert_string_equal(s.remote, "[2001:db8::7]:80");
	assert_int_equal(s.state, 10);
	assert_int_equal(s.uid, 1000);
	assert_int_equal(s.inode, 99);
	assert_int_equal(snapshot_sockets_line("", &s), -EBADMSG);
	assert_int_equal(snapshot_sockets_line("  0: 0100007F:0016 0100007F", &s), -EBADMSG);
	assert_int_equal(
		snapshot_sockets_line("  0: 0100:0016 0100007F:0000 0A 0:0 0:0 0 1 0 1", &s),
		-EBADMSG);
}

static void test_kept(void **state)
{
	char dir[SCRATCH_SIZE], name[SNAPSHOT_FILES_NAME];
	struct digest d, want;
	struct buf b = {0};

	(void)state;
	scratch_open(dir, "state");
	buf_puts(&b, "{}\n");
	assert_int_equal(digest_sha256("{}\n", 3, &want), 0);
	scratch_run(dir, "mkdir -p snapshots && touch snapshots/other snapshots/1.json");
	for (uint64_t line = 9; line < 20; line++) {
		assert_int_equal(snapshot_files_keep(fsio_system(), dir, line, &b, name, &d), 0);
		assert_true(digest_equal(&d, &want));
	}
	assert_string_equal(name, "00000000000000000019.json");
	scratch_run(dir, "test $(ls snapshots | wc -l) = 10 && test -e snapshots/other && "
			 "test ! -e snapshots/00000000000000000011.json && "
			 "test -e snapshots/00000000000000000012.json");
	scratch_done(dir);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_told),   cmocka_unit_test(test_args_kept),
		cmocka_unit_test(test_served), cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_here),   cmocka_unit_test(test_sockets),
		cmocka_unit_test(test_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
