/* SPDX-License-Identifier: Apache-2.0 */
/* surface.c: what reaches for the kernel itself, for another process's memory, for a disk below its files. Each puts back what it changed. */
#include <linux/nvme_ioctl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "deed.h"

#define SG_IO 0x2285

static int done(long r)
{
	return r < 0 ? -errno : 0;
}

static int opens(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int reads(char **argv)
{
	return opens(argv[0], O_RDONLY);
}

static int writes(char **argv)
{
	return opens(argv[0], O_WRONLY);
}

/* Into a file that is there: where lockdown keeps a file system empty, none is. */
static int puts_into(char **argv)
{
	int fd = open(argv[0], O_WRONLY | O_CLOEXEC), r;

	if (fd < 0)
		return -errno;
	r = done(write(fd, argv[1], strlen(argv[1])));
	close(fd);
	return r;
}

/* The first value, and the one of before again, in one breath. */
static int and_back(char **argv)
{
	int fd = open(argv[0], O_RDWR | O_CLOEXEC);
	char before[256];
	ssize_t n = fd < 0 ? -1 : read(fd, before, sizeof(before));

	if (n < 0 || pwrite(fd, argv[1], strlen(argv[1]), 0) < 0 ||
	    pwrite(fd, before, (size_t)n, 0) < 0)
		return -errno;
	close(fd);
	return 0;
}

/* It runs that program and sleeps: a busy machine measures it for longer than anybody would guess. */
static int waits(pid_t pid, const char *program)
{
	char path[64], is[256], state;
	ssize_t n;
	FILE *f;
	int got;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	n = readlink(path, is, sizeof(is) - 1);
	is[n < 0 ? 0 : n] = 0;
	if (strcmp(is, program) != 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	got = fscanf(f, "%*d (%*[^)]) %c", &state);
	fclose(f);
	return got == 1 && state == 'S';
}

/* A copy of busybox that waits, as whoever is to be reached. */
static pid_t target(const char *program)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl(program, "sleep", "60", NULL);
		_exit(1);
	}
	for (int i = 0; i < 200 && !waits(pid, program); i++)
		usleep(50000);
	return pid;
}

static int end(pid_t pid, int r)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}

static int attach(char **argv)
{
	pid_t pid = target(argv[0]);

	return end(pid, done(ptrace(PTRACE_SEIZE, pid, NULL, NULL)));
}

static int traceme(char **argv)
{
	pid_t pid = fork();
	int status = -1;

	(void)argv;
	if (pid == 0)
		_exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 ? errno : 0);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return -WEXITSTATUS(status);
}

/* Nothing is written: the other side's address is none. The kernel asks first. */
static int write_other(char **argv)
{
	pid_t pid = target(argv[0]);
	char byte = 0;
	const struct iovec here = {&byte, 1}, there = {(void *)8, 1};
	long r = process_vm_writev(pid, &here, 1, &there, 1, 0);

	return end(pid, r < 0 && errno != EFAULT ? -errno : 0);
}

static int memory(char **argv)
{
	char path[64];
	pid_t pid = target(argv[0]);

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	return end(pid, opens(path, O_RDWR));
}

static int user_namespace(char **argv)
{
	(void)argv;
	return done(unshare(CLONE_NEWUSER));
}

static int asks_for_module(char **argv)
{
	int fd = socket(atoi(argv[0]), SOCK_DGRAM, 0);

	if (fd >= 0)
		close(fd);
	return 0;
}

static int ports(char **argv)
{
	(void)argv;
	return done(ioperm(0x80, 1, 1));
}

/* argv: kprobe FUNCTION, or uprobe FILE. */
static int perf(char **argv)
{
	struct perf_event_attr attr = {.size = sizeof(attr), .sample_period = 1};
	char path[128], text[16] = "";
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/event_source/devices/%s/type", argv[0]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		return -errno;
	close(fd);
	attr.type = (uint32_t)atoi(text);
	attr.kprobe_func = (uintptr_t)argv[1];
	fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return done(fd);
}

/* What the disk's driver says to it is nothing here: the kernel asks before. */
static int command(char **argv)
{
	int fd = open(argv[0], O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	(void)ioctl(fd, SG_IO, NULL);
	close(fd);
	return 0;
}

/* NVME OPCODE: a command for the controller. What it says to it is its own. */
static int admin(char **argv)
{
	static uint8_t answer[4096];
	struct nvme_admin_cmd command = {.opcode = (uint8_t)strtoul(argv[1], NULL, 0),
					 .addr = (uintptr_t)answer,
					 .data_len = sizeof(answer),
					 .cdw10 = 1};
	int fd = open(argv[0], O_RDONLY | O_CLOEXEC), r;

	if (fd < 0)
		return -errno;
	r = done(ioctl(fd, NVME_IOCTL_ADMIN_CMD, &command));
	close(fd);
	return r;
}

static int command_32(char **argv)
{
	int fd = open(argv[0], O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	(void)deed_ioctl_32(fd, SG_IO, 0);
	close(fd);
	return 0;
}

/* Anybody's own terminal is asked for it, and knows nothing of it. */
static int command_tty(char **argv)
{
	int door = posix_openpt(O_RDWR | O_NOCTTY), fd;

	(void)argv;
	if (door < 0 || unlockpt(door) < 0)
		return -errno;
	fd = open(ptsname(door), O_RDWR | O_NOCTTY);
	if (fd < 0)
		return -errno;
	return ioctl(fd, SG_IO, NULL) < 0 && errno == ENOTTY ? 0 : -EEXIST;
}

static int set_clock(char **argv)
{
	struct timespec now;

	(void)argv;
	clock_gettime(CLOCK_REALTIME, &now);
	return done(clock_settime(CLOCK_REALTIME, &now));
}

int main(int argc, char **argv)
{
	static const struct deed deeds[] = {
		{"reads", reads, 1},
		{"writes", writes, 1},
		{"puts_into", puts_into, 2},
		{"and_back", and_back, 2},
		{"attach", attach, 1},
		{"traceme", traceme, 0},
		{"write_other", write_other, 1},
		{"memory", memory, 1},
		{"user_namespace", user_namespace, 0},
		{"asks_for_module", asks_for_module, 1},
		{"ports", ports, 0},
		{"perf", perf, 2},
		{"command", command, 1},
		{"command_32", command_32, 1},
		{"admin", admin, 2},
		{"command_tty", command_tty, 0},
		{"set_clock", set_clock, 0},
	};

	return deed_main(deeds, sizeof(deeds) / sizeof(deeds[0]), argc, argv);
}
