/* SPDX-License-Identifier: Apache-2.0 */
/* test_hash_cache.c: only the very file that was executed, unchanged, gets a digest. */
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
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../../userspace/agent/hash_cache.h"
#include "scratch.h"
#include "served.h"

#define NOBODY 4100000000u /* no process has this number */

static char path[64];

static void write_text(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0755);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* What the kernel programs would say of the file as it is now. */
static struct plumb_file as_seen(const char *name)
{
	struct stat st;

	assert_int_equal(stat(name, &st), 0);
	return (struct plumb_file){
		.ino = st.st_ino,
		.file_size = (uint64_t)st.st_size,
		.ctime_ns =
			(uint64_t)st.st_ctim.tv_sec * 1000000000ull + (uint64_t)st.st_ctim.tv_nsec,
		.dev = major(st.st_dev) << 20 | minor(st.st_dev),
		.fs_magic = 0xef53,
	};
}

static int setup(void **state)
{
	struct hash_cache *c = NULL;

	strcpy(path, "/tmp/plumb-test-hash-XXXXXX");
	close(mkstemp(path));
	write_text(path, "abc");
	assert_int_equal(hash_cache_open(2, 1 << 20, &c), 0);
	*state = c;
	return 0;
}

static int teardown(void **state)
{
	hash_cache_free(*state);
	unlink(path);
	return 0;
}

static void file_is_hashed(void **state)
{
	struct plumb_file f = as_seen(path);
	struct digest d, abc;
	struct why why = {""};

	assert_int_equal(hash_cache_exec(*state, NOBODY, path, &f, &d, &why), 0);
	assert_int_equal(digest_sha256("abc", 3, &abc), 0);
	assert_true(digest_equal(&d, &abc));
	assert_int_equal(hash_cache_n(*state), 0); /* too young to be remembered */
}

static void settled_file_is_remembered(void **state)
{
	struct plumb_file f = as_seen("/bin/sh");
	struct digest d, again;
	struct why why = {""};

	assert_int_equal(hash_cache_exec(*state, NOBODY, "/bin/sh", &f, &d, &why), 0);
	assert_int_equal(hash_cache_n(*state), 1);
	assert_int_equal(hash_cache_n_missed(*state), 1);
	/* Known by what the kernel said alone: the process and its file may be gone. */
	assert_int_equal(hash_cache_exec(*state, NOBODY, "/nonexistent", &f, &again, &why), 0);
	assert_true(digest_equal(&d, &again));
	assert_int_equal(hash_cache_n_missed(*state), 1);
	f.ctime_ns++;
	assert_int_equal(hash_cache_exec(*state, NOBODY, "/nonexistent", &f, &again, &why),
			 -ENOENT);
	assert_int_equal(hash_cache_n_missed(*state), 2);
}

static void changed_file_is_not_hashed(void **state)
{
	struct plumb_file f = as_seen(path);
	struct digest d;
	struct why why = {""};

	usleep(20000); /* past the grain of change times */
	write_text(path, "abd");
	assert_int_equal(hash_cache_exec(*state, NOBODY, path, &f, &d, &why), -ESTALE);
	assert_non_null(strstr(why.text, "changed"));
}

static void other_file_is_not_hashed(void **state)
{
	struct plumb_file f = as_seen(path);
	struct digest d;
	struct why why = {""};
	char other[80];

	snprintf(other, sizeof(other), "%s.new", path);
	write_text(other, "abc");
	assert_int_equal(rename(other, path), 0);
	assert_int_equal(hash_cache_exec(*state, NOBODY, path, &f, &d, &why), -EXDEV);
	/* The running process's own file is another one, and so is the one at the path. */
	assert_int_equal(hash_cache_exec(*state, (uint32_t)getpid(), path, &f, &d, &why), -EXDEV);
}

static void foreign_file_systems_are_not_hashed(void **state)
{
	struct plumb_file f = as_seen(path);
	struct digest d;
	struct why why = {""};

	f.fs_magic = 0x65735546;
	assert_int_equal(hash_cache_exec(*state, NOBODY, path, &f, &d, &why), -EREMOTE);
}

/*
 * Process 7 of a /proc of this test's own, whose program or root is where the file is; all mounts are of that type in its table and in ours.
 */
static void process(const char *top, const char *program, const char *fstype)
{
	scratch_run(
		top,
		"rm -rf proc && mkdir -p proc/7 proc/%d && cd proc && ln -s %d self && ln -s %s "
		"7/exe && ln -s / 7/root && sed 's/ - [^ ]* / - %s /' /proc/self/mountinfo | tee "
		"self/mountinfo >7/mountinfo",
		getpid(), getpid(), program, fstype);
}

/* The same inode number, size and change time on another device, as overlays have it: a server has those as it likes. */
static void served_files_are_not_opened(void **state)
{
	struct plumb_file f = as_seen(path);
	char top[SCRATCH_SIZE], proc[SCRATCH_SIZE + 8], cold[96];
	struct digest d;
	struct why why = {""};

	f.fs_magic = 0x794c7630;
	f.dev ^= 1u << 20;
	scratch_open(top, "hash");
	snprintf(proc, sizeof(proc), "%s/proc", top);
	hash_cache_use_proc(*state, proc);
	process(top, path, "nfs4");
	assert_int_equal(hash_cache_exec(*state, 7, NULL, &f, &d, &why), -EREMOTE);
	assert_string_equal(why.text, SERVED_WHY);
	/* Nor by its path, in our view or in the process's. */
	process(top, "/bin/sh", "fuse.sshfs");
	assert_int_equal(hash_cache_exec(*state, 7, path, &f, &d, &why), -EREMOTE);
	assert_int_equal(hash_cache_peer(*state, 7, path, &f, &d), -EREMOTE);
	/* That it is not there either is the server's to tell. */
	snprintf(cold, sizeof(cold), "%s.cold", path);
	assert_int_equal(hash_cache_exec(*state, 7, cold, &f, &d, &why), -EREMOTE);
	assert_int_equal(hash_cache_n_bytes(*state), 0);
	process(top, path, "ext4");
	assert_int_equal(hash_cache_exec(*state, 7, NULL, &f, &d, &why), 0);
	process(top, "/bin/sh", "overlay");
	assert_int_equal(hash_cache_exec(*state, 7, path, &f, &d, &why), 0);
	assert_int_equal(hash_cache_peer(*state, 7, path, &f, &d), 0);
	assert_int_equal(hash_cache_exec(*state, 7, cold, &f, &d, &why), -ENOENT);
	f.fs_magic = 0x6969;
	assert_int_equal(hash_cache_peer(*state, 7, path, &f, &d), -EREMOTE);
	scratch_done(top);
}

static void bounds_are_kept(void **state)
{
	struct hash_cache *small = NULL;
	struct plumb_file f = as_seen(path);
	struct digest d;
	struct stat st;
	struct why why = {""};
	const char *const names[] = {"/bin/sh", "/bin/true", "/bin/cat"};

	assert_int_equal(hash_cache_open(2, 2, &small), 0);
	assert_int_equal(hash_cache_exec(small, NOBODY, path, &f, &d, &why), -EFBIG);
	hash_cache_free(small);
	for (int i = 0; i < 3; i++) {
		int fd = open(names[i], O_RDONLY);

		assert_int_equal(hash_cache_fd(*state, fd, &d, &st), 0);
		close(fd);
	}
	assert_int_equal(hash_cache_n(*state), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(file_is_hashed, setup, teardown),
		cmocka_unit_test_setup_teardown(settled_file_is_remembered, setup, teardown),
		cmocka_unit_test_setup_teardown(changed_file_is_not_hashed, setup, teardown),
		cmocka_unit_test_setup_teardown(other_file_is_not_hashed, setup, teardown),
		cmocka_unit_test_setup_teardown(foreign_file_systems_are_not_hashed, setup,
						teardown),
		cmocka_unit_test_setup_teardown(served_files_are_not_opened, setup, teardown),
		cmocka_unit_test_setup_teardown(bounds_are_kept, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
