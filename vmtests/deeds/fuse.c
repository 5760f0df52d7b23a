/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse.c: a file system whose server gives other bytes at each read, and a program that runs from it. `fuse run PROGRAM DIRECTORY` serves
 * PROGRAM with one more byte, the number of the read, as DIRECTORY/program. `fuse stuck …`: once it was executed, nothing is answered any more.
 * `fuse hung …`: the same, and the program goes on, as busybox's sleep; says "hung" then.
 * `fuse script FILE DIRECTORY`: a shell runs DIRECTORY/p.sh and is answered, as nobody else ever is; `fuse held …`: this process has it open and
 * mapped. These three stay until `fuse gone DIRECTORY`, five minutes at most: an agent has to start meanwhile.
 */
#include <linux/fuse.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "deed.h"

#define REQUEST_MAX (256u << 10)
#define ROOT 1
#define PROGRAM 2

struct server {
	int fd;
	uint8_t *bytes;
	size_t size;
	uint8_t n_reads;
	volatile pid_t *only; /* who is answered; NULL or 0: everybody */
};

static void answer(const struct server *s, uint64_t unique, int error, const void *data,
		   size_t size)
{
	static uint8_t out[REQUEST_MAX];
	struct fuse_out_header h = {
		.len = (uint32_t)(sizeof(h) + size), .error = error, .unique = unique};

	memcpy(out, &h, sizeof(h));
	if (size)
		memcpy(out + sizeof(h), data, size);
	if (write(s->fd, out, sizeof(h) + size) < 0 && errno != ENOENT)
		_exit(1);
}

static struct fuse_attr attributes(const struct server *s, uint64_t node)
{
	return (struct fuse_attr){.ino = node,
				  .size = node == PROGRAM ? s->size + 1 : 0,
				  .mode = node == PROGRAM ? S_IFREG | 0755 : S_IFDIR | 0755,
				  .nlink = 1,
				  .blksize = 4096};
}

static void read_some(struct server *s, uint64_t unique, const struct fuse_read_in *in)
{
	size_t size = in->offset < s->size + 1 ? s->size + 1 - in->offset : 0;

	s->bytes[s->size] = ++s->n_reads;
	answer(s, unique, 0, s->bytes + in->offset, size < in->size ? size : in->size);
}

static void serve_one(struct server *s, const struct fuse_in_header *h, const void *body)
{
	const struct fuse_init_in *init = body;
	struct fuse_init_out hello = {.major = FUSE_KERNEL_VERSION,
				      .minor = FUSE_KERNEL_MINOR_VERSION,
				      .max_write = 4096};
	struct fuse_entry_out entry = {.nodeid = PROGRAM, .attr = attributes(s, PROGRAM)};
	struct fuse_attr_out attr = {.attr = attributes(s, h->nodeid)};
	struct fuse_open_out opened = {.fh = 1};

	switch (h->opcode) {
	case FUSE_INIT:
		hello.minor = init->minor < hello.minor ? init->minor : hello.minor;
		answer(s, h->unique, 0, &hello, sizeof(hello));
		break;
	case FUSE_LOOKUP:
		answer(s, h->unique, 0, &entry, sizeof(entry));
		break;
	case FUSE_GETATTR:
		answer(s, h->unique, 0, &attr, sizeof(attr));
		break;
	case FUSE_OPEN:
		answer(s, h->unique, 0, &opened, sizeof(opened));
		break;
	case FUSE_READ:
		read_some(s, h->unique, body);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
		break;
	case FUSE_FLUSH:
	case FUSE_RELEASE:
		answer(s, h->unique, 0, NULL, 0);
		break;
	default:
		answer(s, h->unique, -ENOSYS, NULL, 0);
	}
}

static bool is_answered(const struct server *s, const struct fuse_in_header *h)
{
	return !s->only || *s->only == 0 || h->pid == 0 || h->opcode == FUSE_INIT ||
	       h->pid == (uint32_t)*s->only;
}

/* stop: as soon as its end says so, requests stay without an answer until the file system goes. */
static void serve(struct server *s, int stop)
{
	static uint8_t in[REQUEST_MAX] __attribute__((aligned(8)));
	bool stuck = false;
	char c;

	for (;;) {
		ssize_t n = read(s->fd, in, sizeof(in));

		if (n < (ssize_t)sizeof(struct fuse_in_header))
			_exit(0); /* it was unmounted */
		if (!stuck && read(stop, &c, 1) == 1)
			stuck = true;
		if (!stuck && is_answered(s, (void *)in))
			serve_one(s, (void *)in, in + sizeof(struct fuse_in_header));
	}
}

static int load(struct server *s, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	s->size = (size_t)st.st_size;
	s->bytes = malloc(s->size + 1);
	if (!s->bytes || read(fd, s->bytes, s->size) != st.st_size)
		return -EIO;
	close(fd);
	return 0;
}

static int execute(const char *dir)
{
	char path[256], name[] = "true", *argv[] = {name, NULL}, *envp[] = {NULL};
	pid_t pid;
	int status;

	snprintf(path, sizeof(path), "%s/program", dir);
	pid = fork();
	if (pid == 0) {
		execve(path, argv, envp);
		_exit(126);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) != 126 ? 0 : -EACCES;
}

/* The process that serves dir, or -errno. */
static pid_t serve_at(struct server *s, const char *program, const char *dir, int stop)
{
	char options[96];
	pid_t pid;
	int r;

	s->fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (s->fd < 0)
		return -errno;
	r = load(s, program);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", s->fd);
	if (r == 0 && mount("deed", dir, "fuse", MS_NOSUID, options) < 0)
		r = -errno;
	if (r < 0)
		return r;
	pid = fork();
	if (pid == 0)
		serve(s, stop);
	close(s->fd);
	return pid;
}

static int unmount(const char *dir)
{
	return umount2(dir, MNT_FORCE | MNT_DETACH) < 0 ? -errno : 0;
}

static int run(char **argv, bool then_stuck)
{
	struct server s = {.only = NULL};
	int stop[2], r;
	pid_t pid;

	if (pipe2(stop, O_NONBLOCK | O_CLOEXEC) < 0)
		return -errno;
	pid = serve_at(&s, argv[0], argv[1], stop[0]);
	if (pid < 0)
		return pid;
	r = execute(argv[1]);
	if (then_stuck && write(stop[1], "", 1) == 1)
		sleep(3);
	(void)unmount(argv[1]);
	return r;
}

/* Serves nobody but him who is put into *ret->only. */
static pid_t serve_one_alone(struct server *ret, char **argv)
{
	int stop[2];

	ret->only = mmap(NULL, sizeof(*ret->only), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (ret->only == MAP_FAILED || pipe2(stop, O_NONBLOCK | O_CLOEXEC) < 0)
		return -errno;
	*ret->only = getpid();
	return serve_at(ret, argv[0], argv[1], stop[0]);
}

static int stay(pid_t server, const char *dir)
{
	for (int i = 0; i < 3000 && waitpid(server, NULL, WNOHANG) == 0; i++)
		usleep(100000);
	(void)unmount(dir);
	return 0;
}

static int run_script(char **argv)
{
	struct server s = {.only = NULL};
	pid_t pid, server = serve_one_alone(&s, argv);
	char path[256];

	if (server < 0)
		return server;
	snprintf(path, sizeof(path), "%s/p.sh", argv[1]);
	pid = fork();
	if (pid == 0) {
		*s.only = getpid();
		execl("/bin/sh", "sh", path, (char *)NULL);
		_exit(126);
	}
	if (pid < 0 || waitpid(pid, NULL, 0) < 0)
		return -errno;
	return stay(server, argv[1]);
}

static int run_held(char **argv)
{
	struct server s = {.only = NULL};
	pid_t server = serve_one_alone(&s, argv);
	volatile uint8_t *mapped;
	char path[256];
	int fd;

	if (server < 0)
		return server;
	snprintf(path, sizeof(path), "%s/p.sh", argv[1]);
	fd = open(path, O_RDWR);
	mapped = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	if (mapped == MAP_FAILED)
		return -errno;
	(void)mapped[0];
	return stay(server, argv[1]);
}

/* Once argv[0] runs from there nothing is answered any more, and it goes on running. */
static int run_hung(char **argv)
{
	char path[256], name[] = "sleep", long_time[] = "1000", *args[] = {name, long_time, NULL},
			*envp[] = {NULL};
	struct server s = {.only = NULL};
	pid_t pid, server;
	int stop[2], told[2];
	char c;

	if (pipe2(stop, O_NONBLOCK | O_CLOEXEC) < 0)
		return -errno;
	server = serve_at(&s, argv[0], argv[1], stop[0]);
	if (server < 0)
		return server;
	if (pipe2(told, O_CLOEXEC) < 0)
		return -errno;
	snprintf(path, sizeof(path), "%s/program", argv[1]);
	pid = fork();
	if (pid == 0) {
		execve(path, args, envp);
		_exit(126);
	}
	close(told[1]);
	if (pid < 0 || read(told[0], &c, 1) != 0) /* closed by the exec */
		return -errno;
	sleep(1);
	if (write(stop[1], "", 1) != 1)
		return -errno;
	printf("hung\n");
	fflush(stdout);
	return stay(server, argv[1]);
}

static int run_gone(char **argv)
{
	return unmount(argv[0]);
}

static int run_from(char **argv)
{
	return run(argv, false);
}

static int run_stuck(char **argv)
{
	return run(argv, true);
}

int main(int argc, char **argv)
{
	static const struct deed deeds[] = {{"run", run_from, 2},      {"stuck", run_stuck, 2},
					    {"script", run_script, 2}, {"held", run_held, 2},
					    {"hung", run_hung, 2},     {"gone", run_gone, 1}};

	return deed_main(deeds, sizeof(deeds) / sizeof(deeds[0]), argc, argv);
}
