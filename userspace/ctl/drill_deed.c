/* SPDX-License-Identifier: Apache-2.0 */
#include "drill_deed.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "fsio.h"

#define PROGRAM "/bin/true"
#define MAX_PROGRAM (16u << 20)
#define MAX_FILE (16u << 20)

/* What is written behind a file's end; a comment in most of them. */
static const char mark[] = "\n# plumbctl drill: this goes again in a moment\n";

int drill_kind_from_name(const char *name)
{
	static const char *const names[] = {NULL, "exec", "file", "module"};

	for (int i = 1; i < (int)ARRAY_SIZE(names); i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return 0;
}

static int failed(const char *path, int error, struct why *ret_why)
{
	return why_set(ret_why, -error, "%.200s: %s", path, strerror(error));
}

/* A name that nobody has used: no baseline lists it, no cache knows it. */
static int make_ours(struct drill_deed *d, const char *dir, const void *data, size_t size,
		     struct why *ret_why)
{
	uint64_t random = 0;
	struct stat st;
	char real[PATH_MAX];
	int r;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return failed("random", EIO, ret_why);
	if (!realpath(dir, real) || stat(real, &st) < 0)
		return failed(dir, errno, ret_why);
	if (!S_ISDIR(st.st_mode))
		return why_set(ret_why, -EINVAL, "%.200s is no directory", dir);
	if (snprintf(d->path, sizeof(d->path), "%s/plumb-drill-%016llx", real,
		     (unsigned long long)random) >= (int)sizeof(d->path))
		return failed(dir, ENAMETOOLONG, ret_why);
	r = fsio_replace_file(fsio_system(), d->path, data, size, 0700);
	if (r < 0)
		return failed(d->path, -r, ret_why);
	d->ours = true;
	return 0;
}

/* A copy of a program that does nothing, with bytes behind it: its digest is nobody's. */
static int prepare_exec(struct drill_deed *d, const char *dir, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf b = {0};
	uint8_t random[16];
	int r = fsio_read_file(fsio_system(), PROGRAM, MAX_PROGRAM, &b);

	if (r < 0)
		return failed(PROGRAM, -r, ret_why);
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return failed("random", EIO, ret_why);
	buf_put(&b, random, sizeof(random));
	if (buf_status(&b) < 0)
		return failed(PROGRAM, ENOMEM, ret_why);
	r = make_ours(d, dir, b.data, b.size, ret_why);
	if (r >= 0)
		snprintf(d->key, sizeof(d->key), "exec:%s", d->path);
	return r;
}

static int prepare_module(struct drill_deed *d, const char *dir, struct why *ret_why)
{
	int r = make_ours(d, dir, mark, sizeof(mark) - 1, ret_why);

	if (r >= 0)
		snprintf(d->key, sizeof(d->key), "load:module:%s", d->path);
	return r;
}

static int prepare_file(struct drill_deed *d, const char *path, struct why *ret_why)
{
	struct stat st;

	if (!realpath(path, d->path))
		return failed(path, errno, ret_why);
	d->fd = open(d->path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (d->fd < 0 || fstat(d->fd, &st) < 0)
		return failed(path, errno, ret_why);
	if (!S_ISREG(st.st_mode) || st.st_size > MAX_FILE)
		return why_set(ret_why, -EINVAL, "%.200s: no plain file of at most %u MiB", path,
			       MAX_FILE >> 20);
	d->size = (uint64_t)st.st_size;
	snprintf(d->key, sizeof(d->key), "file:%s", d->path);
	return 0;
}

int drill_deed_prepare(enum drill_kind kind, const char *where, struct drill_deed *ret,
		       struct why *ret_why)
{
	int r;

	*ret = (struct drill_deed){.kind = kind, .fd = -1};
	r = kind == DRILL_EXEC	   ? prepare_exec(ret, where, ret_why)
	    : kind == DRILL_MODULE ? prepare_module(ret, where, ret_why)
				   : prepare_file(ret, where, ret_why);
	if (r < 0)
		drill_deed_undo(ret, NULL);
	return r;
}

static int run(const struct drill_deed *d, struct why *ret_why)
{
	char *const argv[] = {(char *)d->path, NULL}, *const env[] = {NULL};
	int status = 0, r;
	pid_t pid;

	r = posix_spawn(&pid, d->path, NULL, NULL, argv, env);
	if (r != 0)
		return failed(d->path, r, ret_why);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return failed(d->path, errno, ret_why);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0
		       ? 0
		       : why_set(ret_why, -EIO, "%.200s: it ended with %d", d->path, status);
}

/* It is text: the kernel reads it, tells that it did, and refuses it. */
static int load(const struct drill_deed *d, struct why *ret_why)
{
	CLEANUP_CLOSE int fd = open(d->path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return failed(d->path, errno, ret_why);
	if (syscall(SYS_finit_module, fd, "", 0) == 0)
		return why_set(ret_why, -EIO, "%.200s: the kernel took it for a module", d->path);
	return errno == ENOEXEC || errno == EPERM || errno == EKEYREJECTED || errno == EBADMSG
		       ? 0
		       : failed(d->path, errno, ret_why);
}

int drill_deed_do(struct drill_deed *d, struct why *ret_why)
{
	if (d->kind == DRILL_EXEC)
		return run(d, ret_why);
	if (d->kind == DRILL_MODULE)
		return load(d, ret_why);
	if (write(d->fd, mark, sizeof(mark) - 1) != (ssize_t)sizeof(mark) - 1 || fsync(d->fd) < 0)
		return failed(d->path, errno ? errno : EIO, ret_why);
	return 0;
}

/* Bytes that somebody else wrote behind ours meanwhile would go with them: then all stays, and it is said. */
static int cut(struct drill_deed *d, struct why *ret_why)
{
	struct stat st;

	if (fstat(d->fd, &st) < 0)
		return failed(d->path, errno, ret_why);
	if ((uint64_t)st.st_size != d->size && (uint64_t)st.st_size != d->size + sizeof(mark) - 1)
		return why_set(ret_why, -EBUSY,
			       "%.200s: somebody else wrote to it; take out the line that says "
			       "\"plumbctl drill\"",
			       d->path);
	if ((uint64_t)st.st_size != d->size &&
	    (ftruncate(d->fd, (off_t)d->size) < 0 || fsync(d->fd) < 0))
		return failed(d->path, errno, ret_why);
	return 0;
}

int drill_deed_undo(struct drill_deed *d, struct why *ret_why)
{
	int r = 0;

	if (d->ours && unlink(d->path) < 0)
		r = failed(d->path, errno, ret_why);
	d->ours = false;
	if (d->fd >= 0) {
		if (d->key[0])
			r = cut(d, ret_why);
		close(d->fd);
		d->fd = -1;
	}
	return r;
}
