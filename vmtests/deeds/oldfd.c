/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oldfd.c: changes through a descriptor, or a mapping, that was there before the sensor: no open(2) of the file anywhere.
 * The first argument is the descriptor's number, as the shell that did `exec N>>file` left it.
 */
#include <linux/aio_abi.h>
#include <linux/falloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "deed.h"

static const char text[] = "changed\n";

static int done(long r)
{
	return r < 0 ? -errno : 0;
}

static int write_here(char **argv)
{
	return done(write(atoi(argv[0]), text, 8));
}

static int splice_to(char **argv)
{
	int p[2];
	loff_t at = 0;

	if (pipe(p) < 0 || write(p[1], text, 8) != 8)
		return -errno;
	return done(splice(p[0], NULL, atoi(argv[0]), &at, 8, 0));
}

static int sendfile_to(char **argv)
{
	int from = open(argv[1], O_RDONLY | O_CLOEXEC);

	return from < 0 ? -errno : done(sendfile(atoi(argv[0]), from, NULL, 8));
}

static int copy_range(char **argv)
{
	int from = open(argv[1], O_RDONLY | O_CLOEXEC);
	loff_t in = 0, out = 0;

	return from < 0 ? -errno : done(copy_file_range(from, &in, atoi(argv[0]), &out, 4, 0));
}

/* At least two blocks, so that there is one to take out. */
static int fallocate_with(int fd, int mode)
{
	return done(fallocate(fd, mode, 0, 4096));
}

static int punch(char **argv)
{
	return fallocate_with(atoi(argv[0]), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
}

static int collapse(char **argv)
{
	return fallocate_with(atoi(argv[0]), FALLOC_FL_COLLAPSE_RANGE);
}

static int zero(char **argv)
{
	return fallocate_with(atoi(argv[0]), FALLOC_FL_ZERO_RANGE);
}

static int cut(char **argv)
{
	return done(ftruncate(atoi(argv[0]), 1));
}

/* Another process gets the descriptor by a socket. */
static int passed(char **argv)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {{0}};
	char c = 0;
	struct iovec v = {&c, 1};
	struct msghdr m = {.msg_iov = &v,
			   .msg_iovlen = 1,
			   .msg_control = control.bytes,
			   .msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	int fd = atoi(argv[0]), pair[2], status;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return -errno;
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &fd, sizeof(fd));
	if (sendmsg(pair[0], &m, 0) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		close(fd);
		m.msg_controllen = sizeof(control.bytes);
		if (recvmsg(pair[1], &m, 0) != 1 || !CMSG_FIRSTHDR(&m))
			_exit(1);
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
		_exit(write(fd, text, 8) != 8);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -errno;
	return status == 0 ? 0 : -EIO;
}

/* Taken out of the parent, which has it, without its help. */
static int taken(char **argv)
{
	int pidfd, fd = atoi(argv[0]);

	close(fd);
	pidfd = (int)syscall(SYS_pidfd_open, getppid(), 0);
	if (pidfd < 0)
		return -errno;
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	return fd < 0 ? -errno : done(write(fd, text, 8));
}

static int aio_write(char **argv)
{
	aio_context_t context = 0;
	struct iocb one = {.aio_lio_opcode = IOCB_CMD_PWRITE,
			   .aio_fildes = (uint32_t)atoi(argv[0]),
			   .aio_buf = (uintptr_t)text,
			   .aio_nbytes = 8},
		    *list = &one;
	struct io_event event;

	if (syscall(SYS_io_setup, 1, &context) < 0 ||
	    syscall(SYS_io_submit, context, 1, &list) != 1 ||
	    syscall(SYS_io_getevents, context, 1, 1, &event, NULL) != 1)
		return -errno;
	return event.res == 8 ? 0 : (int)event.res;
}

static int store_at(char *at)
{
	*at = '#';
	return done(msync(at, 1, MS_SYNC));
}

/* Mapped when it may only be read, and made writable after that. */
static int map_later(char **argv)
{
	char *at = mmap(NULL, 1, PROT_READ, MAP_SHARED, atoi(argv[0]), 0);

	if (at == MAP_FAILED || mprotect(at, 4096, PROT_READ | PROT_WRITE) < 0)
		return -errno;
	return store_at(at);
}

/* FILE FIFO: maps it, and stores when it may read from the pipe. */
static int map_and_wait(char **argv)
{
	int fd = open(argv[0], O_RDWR | O_CLOEXEC), wait;
	char *at, c;

	if (fd < 0)
		return -errno;
	at = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (at == MAP_FAILED)
		return -errno;
	*at = 'o'; /* so that the page is there, and writable, by now */
	wait = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (wait < 0 || read(wait, &c, 1) < 0)
		return -errno;
	*at = '#';
	sleep(60); /* who unmaps it is told as who closes it */
	return 0;
}

int main(int argc, char **argv)
{
	static const struct deed deeds[] = {
		{"write", write_here, 1},
		{"splice", splice_to, 1},
		{"sendfile", sendfile_to, 2},
		{"copy", copy_range, 2},
		{"punch", punch, 1},
		{"collapse", collapse, 1},
		{"zero", zero, 1},
		{"cut", cut, 1},
		{"passed", passed, 1},
		{"taken", taken, 1},
		{"aio", aio_write, 1},
		{"map_later", map_later, 1},
		{"map_and_wait", map_and_wait, 2},
	};

	return deed_main(deeds, sizeof(deeds) / sizeof(deeds[0]), argc, argv);
}
