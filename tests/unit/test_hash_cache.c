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
#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../../userspace/agent/hash_cache.h"
#include "image_fixture.h"
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

static int take(struct hash_cache *c, uint32_t pid, const char *name, const struct plumb_file *f,
		struct digest *ret, struct why *why)
{
	const struct hash_cache_seen seen = {pid, name, f, -ENODATA};

	hash_cache_hear(c);
	return hash_cache_exec(c, &seen, ret, why);
}

static int take_by(struct hash_cache *c, uint32_t peer, const char *name,
		   const struct plumb_file *f, struct digest *ret)
{
	const struct hash_cache_seen seen = {NOBODY, name, f, -ENODATA};

	return hash_cache_peer(c, peer, &seen, ret);
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

	assert_int_equal(take(*state, NOBODY, path, &f, &d, &why), 0);
	assert_int_equal(digest_sha256("abc", 3, &abc), 0);
	assert_true(digest_equal(&d, &abc));
	assert_int_equal(hash_cache_n(*state), 0); /* too young to be remembered */
}

static void settled_file_is_remembered(void **state)
{
	struct plumb_file f = as_seen("/bin/sh");
	struct digest d, again;
	struct why why = {""};

	assert_int_equal(take(*state, NOBODY, "/bin/sh", &f, &d, &why), 0);
	assert_int_equal(hash_cache_n(*state), 1);
	assert_int_equal(hash_cache_n_missed(*state), 1);
	/* Known by what the kernel said alone: the process and its file may be gone. */
	assert_int_equal(take(*state, NOBODY, "/nonexistent", &f, &again, &why), 0);
	assert_true(digest_equal(&d, &again));
	assert_int_equal(hash_cache_n_missed(*state), 1);
	f.ctime_ns++;
	assert_int_equal(take(*state, NOBODY, "/nonexistent", &f, &again, &why), -ENOENT);
	assert_int_equal(hash_cache_n_missed(*state), 2);
}

static void changed_file_is_not_hashed(void **state)
{
	struct plumb_file f = as_seen(path);
	struct digest d;
	struct why why = {""};

	usleep(20000); /* past the grain of change times */
	write_text(path, "abd");
	assert_int_equal(take(*state, NOBODY, path, &f, &d, &why), -ESTALE);
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
	assert_int_equal(take(*state, NOBODY, path, &f, &d, &why), -EXDEV);
	/* The running process's own file is another one, and so is the one at the path. */
	assert_int_equal(take(*state, (uint32_t)getpid(), path, &f, &d, &why), -EXDEV);
}

static void foreign_file_systems_are_not_hashed(void **state)
{
	struct plumb_file f = as_seen(path);
	struct digest d;
	struct why why = {""};

	f.fs_magic = 0x65735546;
	assert_int_equal(take(*state, NOBODY, path, &f, &d, &why), -EREMOTE);
}

/* How often it is read when it is executed three times, the kernel programs saying so of it. */
static uint64_t n_read(uint32_t magic, int error, bool scanned)
{
	struct plumb_file f = as_seen(path);
	const struct hash_cache_seen seen = {NOBODY, path, &f, error};
	struct hash_cache *c = NULL;
	struct why why = {""};
	struct digest d;
	struct stat st;
	uint64_t n;

	f.fs_magic = magic;
	assert_int_equal(hash_cache_open(0, 0, &c), 0);
	if (scanned) {
		int fd = open(path, O_RDONLY);

		assert_int_equal(hash_cache_fd(c, fd, &d, &st), 0);
		assert_int_equal(hash_cache_fd(c, fd, &d, &st), 0);
		close(fd);
		assert_int_equal(hash_cache_n(c), 1);
		assert_int_equal(hash_cache_n_bytes(c), 3);
		fd = open(path, O_RDONLY);
		assert_int_equal(hash_cache_fd_sure(c, fd, &d, &st), 0);
		assert_int_equal(hash_cache_n_bytes(c), 6);
		close(fd);
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(hash_cache_exec(c, &seen, &d, &why), 0);
	n = hash_cache_n_missed(c);
	hash_cache_free(c);
	return n;
}

/* A page that is dirty can be stored to under the same change time; in memory it always can. */
static void what_was_perhaps_written_is_read_again(void **state)
{
	struct stat root, own;

	(void)state;
	assert_int_equal(stat("/", &root) + stat(path, &own), 0);
	usleep(1100000);
	assert_int_equal(n_read(0xef53, 0, false), 1);
	assert_int_equal(n_read(0x794c7630, -ENODATA, false), 1);
	assert_int_equal(n_read(0x794c7630, -EREMOTE, false), 3);
	assert_int_equal(n_read(0x794c7630, 0, false), 3);
	assert_int_equal(n_read(0x794c7630, -ESTALE, false), 3);
	assert_int_equal(n_read(0x01021994, 0, false), own.st_dev == root.st_dev ? 1 : 3);
	/* What a scan read is good for scans alone, so soon. */
	assert_int_equal(n_read(0xef53, 0, true), 1);
	assert_int_equal(n_read(0x794c7630, -ENODATA, true), 1);
	assert_int_equal(n_read(0x794c7630, -ESTALE, true), 3);
}

/* And what is on the disk by now, of an overlay too: it is looked at each time, and read once. */
static void old_files_are_remembered(void **state)
{
	struct plumb_file f = as_seen("/bin/sh");
	const struct hash_cache_seen unknown = {NOBODY, "/bin/sh", &f, -EREMOTE};
	struct digest d;
	struct why why = {""};

	f.fs_magic = 0x794c7630;
	for (int i = 0; i < 3; i++)
		assert_int_equal(hash_cache_exec(*state, &unknown, &d, &why), 0);
	assert_int_equal(hash_cache_n_missed(*state), 3);
	assert_int_equal(hash_cache_n_bytes(*state), f.file_size);
}

/* An overlay's own inode keeps the times that the file had when it was made, whatever is written to the layer. */
static void what_is_written_below_an_overlay_shows(void **state)
{
	struct plumb_file f = as_seen(path);
	struct hash_cache_seen seen = {NOBODY, path, &f, -EREMOTE};
	struct digest d, abd;
	struct why why = {""};

	f.fs_magic = 0x794c7630;
	usleep(1100000);
	/* Nobody could write to it then: it is remembered for good. */
	seen.error = -ENODATA;
	assert_int_equal(hash_cache_exec(*state, &seen, &d, &why), 0);
	write_text(path, "abd");
	seen.error = -EREMOTE;
	assert_int_equal(hash_cache_exec(*state, &seen, &d, &why), -ESTALE);
	assert_non_null(strstr(why.text, "changed"));
	/* Where the programs have the layer's time, it is another version. */
	f = as_seen(path);
	f.fs_magic = 0x794c7630;
	seen.error = -ENODATA;
	assert_int_equal(hash_cache_exec(*state, &seen, &d, &why), 0);
	assert_int_equal(digest_sha256("abd", 3, &abd), 0);
	assert_true(digest_equal(&d, &abd));
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
	assert_int_equal(take(*state, 7, NULL, &f, &d, &why), -EREMOTE);
	assert_string_equal(why.text, SERVED_WHY);
	/* Nor by its path, in our view or in the process's. */
	process(top, "/bin/sh", "fuse.sshfs");
	assert_int_equal(take(*state, 7, path, &f, &d, &why), -EREMOTE);
	assert_int_equal(take_by(*state, 7, path, &f, &d), -EREMOTE);
	/* That it is not there either is the server's to tell. */
	snprintf(cold, sizeof(cold), "%s.cold", path);
	assert_int_equal(take(*state, 7, cold, &f, &d, &why), -EREMOTE);
	assert_int_equal(hash_cache_n_bytes(*state), 0);
	process(top, path, "ext4");
	assert_int_equal(take(*state, 7, NULL, &f, &d, &why), 0);
	process(top, "/bin/sh", "overlay");
	assert_int_equal(take(*state, 7, path, &f, &d, &why), 0);
	assert_int_equal(take_by(*state, 7, path, &f, &d), 0);
	assert_int_equal(take(*state, 7, cold, &f, &d, &why), -ENOENT);
	f.fs_magic = 0x6969;
	assert_int_equal(take_by(*state, 7, path, &f, &d), -EREMOTE);
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
	assert_int_equal(take(small, NOBODY, path, &f, &d, &why), -EFBIG);
	hash_cache_free(small);
	for (int i = 0; i < 3; i++) {
		int fd = open(names[i], O_RDONLY);

		assert_int_equal(hash_cache_fd(*state, fd, &d, &st), 0);
		close(fd);
	}
	assert_int_equal(hash_cache_n(*state), 2);
}

static void digest_of_file(struct hash_cache *c, const char *name, struct digest *ret)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	struct stat st;

	assert_true(fd >= 0);
	assert_int_equal(hash_cache_fd(c, fd, ret, &st), 0);
	close(fd);
}

static void unmounted_files_are_forgotten(void **state)
{
	struct digest first, second, fd;
	struct plumb_file f, again;
	struct image_fixture i;
	struct why why = {""};
	const char *no;
	struct stat st;
	bool mounted, knew;
	uint64_t missed;
	uint32_t n;
	int r;

	no = image_fixture_open(&i);
	if (no) {
		print_message("# %s\n", no);
		skip();
	}
	digest_of_file(*state, "/bin/sh", &fd);
	f = as_seen(i.program);
	r = take(*state, NOBODY, i.program, &f, &first, &why);
	r |= take(*state, NOBODY, i.program, &f, &second, &why);
	missed = hash_cache_n_missed(*state);
	mounted = image_fixture_patch(&i);
	again = as_seen(i.program);
	knew = stat(i.program, &st) == 0 && hash_cache_knows(*state, &st);
	n = hash_cache_n(*state);
	r |= take(*state, NOBODY, i.program, &f, &second, &why);
	digest_of_file(*state, i.program, &fd);
	image_fixture_close(&i);
	assert_true(mounted);
	assert_int_equal(r, 0);
	assert_int_equal(missed, 1);
	assert_memory_equal(&f, &again, sizeof(f));
	assert_false(digest_equal(&first, &second));
	assert_true(digest_equal(&fd, &second));
	assert_int_equal(
		digest_sha256(IMAGE_FIXTURE_PATCHED, strlen(IMAGE_FIXTURE_PATCHED), &first), 0);
	assert_true(digest_equal(&first, &second));
	assert_false(knew);
	assert_int_equal(n, 1);
	/* What it took up is there for others. */
	assert_int_equal(hash_cache_n(*state), 2);
}

/* Nobody would say that it was unmounted. That the root is remembered without, test_fs_lives has. */
static void without_watches_nothing_is_remembered(void **state)
{
	struct rlimit all, few;
	struct hash_cache *c = NULL;
	struct digest d;
	int probe = dup(0);

	(void)state;
	assert_true(probe >= 0);
	close(probe);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &all), 0);
	few = (struct rlimit){(rlim_t)probe, all.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(hash_cache_open(0, 0, &c), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
	assert_int_equal(hash_cache_lives_error(c), -EMFILE);
	/* Not even the root could be held. */
	digest_of_file(c, "/bin/sh", &d);
	assert_int_equal(hash_cache_n(c), 0);
	hash_cache_free(c);
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
		cmocka_unit_test_setup_teardown(what_was_perhaps_written_is_read_again, setup,
						teardown),
		cmocka_unit_test_setup_teardown(old_files_are_remembered, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_written_below_an_overlay_shows, setup,
						teardown),
		cmocka_unit_test_setup_teardown(bounds_are_kept, setup, teardown),
		cmocka_unit_test(without_watches_nothing_is_remembered),
		cmocka_unit_test_setup_teardown(unmounted_files_are_forgotten, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
