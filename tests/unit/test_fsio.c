/* SPDX-License-Identifier: Apache-2.0 */
/* The disk door against a disk that writes short, is interrupted, is full, stands still, lies or stops in the middle. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cleanup.h"
#include "fault_fsio.h"
#include "fsio.h"

static char dir[] = "/tmp/plumb-fsio-XXXXXX";
static char file[128], temp[128];

static int setup(void **state)
{
	(void)state;
	memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
	if (!mkdtemp(dir))
		return -1;
	snprintf(file, sizeof(file), "%s/file", dir);
	snprintf(temp, sizeof(temp), "%s/file.new", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(file);
	unlink(temp);
	return rmdir(dir);
}

/* A door that misbehaves in the two calls whose answer is a count. */
struct bad_door {
	struct fsio_ops ops;
	struct fsio io;
	size_t most; /* bytes a call moves at most */
	int interrupts; /* so many calls first say -EINTR */
	size_t room; /* bytes until the disk is full */
	bool stands; /* says 0 */
	bool lies; /* says more than was asked */
	int close_error;
	int sync_dir_error;
	unsigned int calls, sync_dirs;
};

static ssize_t count(struct bad_door *d, size_t *size)
{
	d->calls++;
	if (d->interrupts > 0) {
		d->interrupts--;
		return -EINTR;
	}
	if (d->stands)
		return 0;
	if (d->lies)
		return (ssize_t)*size + 1;
	if (*size > d->most)
		*size = d->most;
	return 1;
}

static ssize_t bad_pwrite(void *ctx, int fd, const void *data, size_t size, uint64_t at)
{
	struct bad_door *d = ctx;
	ssize_t n = count(d, &size);

	if (n != 1)
		return n;
	if (d->room == 0)
		return -ENOSPC;
	if (size > d->room)
		size = d->room;
	d->room -= size;
	return fsio_system()->ops->pwrite(NULL, fd, data, size, at);
}

static ssize_t bad_pread(void *ctx, int fd, void *data, size_t size, uint64_t at)
{
	ssize_t n = count(ctx, &size);

	return n == 1 ? fsio_system()->ops->pread(NULL, fd, data, size, at) : n;
}

static int bad_close(void *ctx, int fd)
{
	struct bad_door *d = ctx;
	int r = fsio_system()->ops->close(NULL, fd);

	return d->close_error ? d->close_error : r;
}

static int bad_sync_dir(void *ctx, const char *path)
{
	struct bad_door *d = ctx;

	d->sync_dirs++;
	return d->sync_dir_error ? d->sync_dir_error : fsio_system()->ops->sync_dir(NULL, path);
}

static void bad_init(struct bad_door *d)
{
	*d = (struct bad_door){.ops = *fsio_system()->ops, .most = SIZE_MAX, .room = SIZE_MAX};
	d->ops.pwrite = bad_pwrite;
	d->ops.pread = bad_pread;
	d->ops.close = bad_close;
	d->ops.sync_dir = bad_sync_dir;
	d->io = (struct fsio){&d->ops, d};
}

static void assert_content(const char *path, const char *text)
{
	struct buf b = {0};

	assert_int_equal(fsio_read_file(fsio_system(), path, 65536, &b), 0);
	assert_string_equal((char *)b.data, text);
	buf_done(&b);
}

static int open_file(void)
{
	int fd = fsio_open(fsio_system(), file, O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	return fd;
}

static void test_system(void **state)
{
	const struct fsio *io = fsio_system();
	char got[16];
	size_t size;
	int fd = open_file();

	(void)state;
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fsio_write_all(io, fd, "0123456789", 10, 0), 0);
	assert_int_equal(fsio_write_all(io, fd, "AB", 2, 4), 0);
	assert_int_equal(fsio_write_all(io, fd, NULL, 0, 0), 0);
	assert_int_equal(fsio_sync(io, fd), 0);
	assert_int_equal(fsio_read_full(io, fd, got, 4, 2, &size), 0);
	assert_int_equal(size, 4);
	assert_memory_equal(got, "23AB", 4);
	assert_int_equal(fsio_read_full(io, fd, got, sizeof(got), 7, &size), 0);
	assert_int_equal(size, 3);
	assert_int_equal(fsio_truncate(io, fd, 5), 0);
	assert_int_equal(fsio_close(io, fd), 0);
	assert_content(file, "0123A");
	assert_int_equal(fsio_write_all(io, -1, "x", 1, 0), -EBADF);
	assert_int_equal(fsio_read_full(io, -1, got, 1, 0, &size), -EBADF);
	assert_int_equal(fsio_sync(io, -1), -EBADF);
	assert_int_equal(fsio_truncate(io, -1, 0), -EBADF);
	assert_int_equal(fsio_close(io, -1), -EBADF);
	assert_int_equal(fsio_open(io, temp, O_RDONLY, 0), -ENOENT);
	assert_int_equal(fsio_unlink(io, temp), -ENOENT);
	assert_int_equal(fsio_sync_dir(io, file), -ENOTDIR);
}

static void test_short(void **state)
{
	struct bad_door d;
	char got[10];
	size_t size;
	int fd = open_file();

	(void)state;
	bad_init(&d);
	d.most = 3;
	d.interrupts = 2;
	assert_int_equal(fsio_write_all(&d.io, fd, "0123456789", 10, 0), 0);
	assert_int_equal(d.calls, 2 + 4);
	assert_content(file, "0123456789");
	d.interrupts = 2;
	assert_int_equal(fsio_read_full(&d.io, fd, got, 10, 0, &size), 0);
	assert_int_equal(size, 10);
	assert_memory_equal(got, "0123456789", 10);
	close(fd);
}

static void test_no_progress(void **state)
{
	struct bad_door d;
	char got[8] = "before";
	size_t size = 99;
	int fd = open_file();

	(void)state;
	bad_init(&d);
	d.stands = true;
	assert_int_equal(fsio_write_all(&d.io, fd, "abc", 3, 0), -EIO);
	assert_int_equal(d.calls, 1);
	bad_init(&d);
	d.lies = true;
	assert_int_equal(fsio_write_all(&d.io, fd, "abc", 3, 0), -EIO);
	assert_int_equal(d.calls, 1);
	assert_int_equal(fsio_read_full(&d.io, fd, got, 4, 0, &size), -EIO);
	assert_int_equal(size, 99);
	bad_init(&d);
	d.room = 2;
	assert_int_equal(fsio_write_all(&d.io, fd, "abc", 3, 0), -ENOSPC);
	close(fd);
}

static void test_read_file(void **state)
{
	const struct fsio *io = fsio_system();
	static char big[40000];
	struct bad_door d;
	struct buf b = {0};

	(void)state;
	memset(big, 'q', sizeof(big));
	assert_int_equal(fsio_replace_file(io, file, big, sizeof(big), 0600), 0);
	buf_puts(&b, "kept");
	assert_int_equal(fsio_read_file(io, file, sizeof(big) - 1, &b), -EFBIG);
	assert_string_equal((char *)b.data, "kept");
	bad_init(&d);
	d.most = 777;
	assert_int_equal(fsio_read_file(&d.io, file, sizeof(big), &b), 0);
	assert_int_equal(b.size, 4 + sizeof(big));
	assert_memory_equal(b.data + 4, big, sizeof(big));
	buf_cut(&b, 4);
	assert_int_equal(fsio_replace_file(io, file, "", 0, 0600), 0);
	assert_int_equal(fsio_read_file(io, file, 0, &b), 0);
	assert_string_equal((char *)b.data, "kept");
	assert_int_equal(fsio_read_file(io, temp, 10, &b), -ENOENT);
	assert_int_equal(fsio_read_file(io, dir, 10, &b), -EISDIR);
	buf_done(&b);
}

static void test_replace(void **state)
{
	const struct fsio *io = fsio_system();
	char other[160];
	struct stat st;

	(void)state;
	snprintf(other, sizeof(other), "%s/other", dir);
	assert_int_equal(fsio_replace_file(io, file, "one", 3, 0600), 0);
	assert_int_equal(fsio_replace_file(io, file, "two", 3, 0600), 0);
	assert_content(file, "two");
	assert_int_equal(access(temp, F_OK), -1);
	/* What lies about of a crash, or was put there, gives neither its mode nor its place. */
	assert_int_equal(fsio_replace_file(io, other, "other", 5, 0666), 0);
	assert_int_equal(link(other, temp), 0);
	assert_int_equal(fsio_replace_file(io, file, "secret", 6, 0600), 0);
	assert_content(other, "other");
	assert_int_equal(symlink(other, temp), 0);
	assert_int_equal(fsio_replace_file(io, file, "again", 5, 0600), 0);
	assert_content(other, "other");
	assert_content(file, "again");
	assert_int_equal(lstat(file, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(unlink(other), 0);
	assert_int_equal(fsio_replace_file(io, dir, "x", 1, 0600), -EISDIR);
	snprintf(other, sizeof(other), "%s.new", dir);
	assert_int_equal(access(other, F_OK), -1);
}

/* Stopped at each of its calls: the old content or the new, never anything else, and what failed is told. */
static void test_replace_stopped(void **state)
{
	static const char old[] = "old content", fresh[] = "new content, longer";
	struct fault_fsio f;
	bool done = false;

	(void)state;
	for (long left = 0; !done; left++) {
		struct buf b = {0};
		int r;

		assert_true(left < 20);
		assert_int_equal(fsio_replace_file(fsio_system(), file, old, strlen(old), 0600), 0);
		fault_fsio_init(&f, left, true, -EROFS);
		r = fsio_replace_file(&f.io, file, fresh, strlen(fresh), 0600);
		assert_int_equal(fsio_read_file(fsio_system(), file, 100, &b), 0);
		done = r == 0;
		if (done) {
			assert_string_equal((char *)b.data, fresh);
		} else {
			assert_int_equal(r, -EROFS);
			/* The rename is the fourth call; the fifth syncs the directory. */
			assert_string_equal((char *)b.data, left < 4 ? old : fresh);
		}
		buf_done(&b);
	}
	assert_int_equal(f.calls, 5);
}

static void test_replace_full(void **state)
{
	struct bad_door d;

	(void)state;
	assert_int_equal(fsio_replace_file(fsio_system(), file, "old", 3, 0600), 0);
	bad_init(&d);
	d.room = 4;
	assert_int_equal(fsio_replace_file(&d.io, file, "new content", 11, 0600), -ENOSPC);
	assert_content(file, "old");
	assert_int_equal(access(temp, F_OK), -1);
	bad_init(&d);
	d.close_error = -EDQUOT;
	assert_int_equal(fsio_replace_file(&d.io, file, "new", 3, 0600), -EDQUOT);
	assert_content(file, "old");
	bad_init(&d);
	d.sync_dir_error = -EIO;
	assert_int_equal(fsio_replace_file(&d.io, file, "new", 3, 0600), -EIO);
	assert_int_equal(d.sync_dirs, 1);
}

static void test_mkdir(void **state)
{
	char path[200], part[160];
	struct bad_door d;
	struct stat st;

	(void)state;
	bad_init(&d);
	snprintf(part, sizeof(part), "%s/a", dir);
	snprintf(path, sizeof(path), "%s//b/", part);
	assert_int_equal(fsio_mkdir_all(&d.io, path, 0700), 0);
	/* One for each that is new. */
	assert_int_equal(d.sync_dirs, 2);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(fsio_mkdir_all(&d.io, path, 0700), 0);
	assert_int_equal(d.sync_dirs, 2);
	assert_int_equal(rmdir(path), 0);
	d.sync_dir_error = -EIO;
	assert_int_equal(fsio_mkdir_all(&d.io, path, 0700), -EIO);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(part), 0);
	close(open_file());
	snprintf(path, sizeof(path), "%s/below", file);
	assert_int_equal(fsio_mkdir_all(fsio_system(), path, 0700), -ENOTDIR);
	assert_int_equal(fsio_mkdir_all(fsio_system(), "/", 0700), 0);
	assert_true(fsio_mkdir_all(fsio_system(), "", 0700) < 0);
}

static void test_too_long(void **state)
{
	static char path[5000];

	(void)state;
	memset(path, 'p', sizeof(path) - 1);
	assert_int_equal(fsio_mkdir_all(fsio_system(), path, 0700), -ENAMETOOLONG);
	assert_int_equal(fsio_replace_file(fsio_system(), path, "", 0, 0600), -ENAMETOOLONG);
	path[4094] = 0;
	assert_int_equal(fsio_replace_file(fsio_system(), path, "", 0, 0600), -ENAMETOOLONG);
}

/* What lies in somebody else's directory: a link would be followed, and a FIFO waited for. */
static void test_plain(void **state)
{
	static const char *const make[] = {"ln -s file l", "mkfifo l", "mkdir l", "ln -s nothing l",
					   "ln -s l l"};
	CLEANUP(buf_done) struct buf b = {0};
	char command[2 * PATH_MAX], *path = command + PATH_MAX;

	(void)state;
	assert_int_equal(fsio_replace_file(fsio_system(), file, "abc", 3, 0600), 0);
	assert_int_equal(fsio_read_plain(fsio_system(), file, 3, &b), 0);
	assert_int_equal(b.size, 3);
	assert_int_equal(fsio_read_plain(fsio_system(), file, 2, &b), -EFBIG);
	snprintf(path, PATH_MAX, "%s/l", dir);
	assert_int_equal(fsio_read_plain(fsio_system(), path, 3, &b), -ENOENT);
	for (size_t i = 0; i < ARRAY_SIZE(make); i++) {
		snprintf(command, PATH_MAX, "cd %.200s && %s", dir, make[i]);
		assert_int_equal(system(command), 0);
		assert_int_equal(fsio_read_plain(fsio_system(), path, 3, &b), -EBADMSG);
		assert_int_equal(remove(path), 0);
	}
	assert_int_equal(b.size, 3);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_system),	 CASE(test_short),   CASE(test_no_progress),
		CASE(test_read_file),	 CASE(test_replace), CASE(test_replace_stopped),
		CASE(test_replace_full), CASE(test_mkdir),   CASE(test_too_long),
		CASE(test_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
