/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cost.c: what a few operations cost, in nanoseconds of the guest's clock, which counts instructions under -icount.
 * `cost all PID` (0: no agent): a line "<operation> <ns>" each, the least of many batches, without the time that the agent's own
 * threads ran; "<operation>_agent <ns>" is that time. `cost programs`: a line "<name> <runs> <ns>" for each BPF program that has run.
 * `cost beside DIRECTORY PID`: "beside", to read and write a file there that nobody watches. `cost inotify DIRECTORY FILE`: the same while
 * somebody watches FILE by inotify.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "deed.h"

/*
 * What is measured is a batch that the kernel's clock did not break into: with the tick come its callbacks, which free what the batches
 * before had unlinked. So all but exec, which the agent's work is part of, are shorter than half a tick of 4 ms, and there are many.
 */
#define BATCHES 48
#define FILE_NAME "/tmp/cost/file"
#define NEW_NAME "/tmp/cost/new"

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Time that all threads of the agent have run. */
static uint64_t agent_ns(const char *pid)
{
	char path[320], text[64];
	uint64_t sum = 0;
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%s/task", pid);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		ssize_t n;
		int fd;

		snprintf(path, sizeof(path), "/proc/%s/task/%s/schedstat", pid, e->d_name);
		fd = e->d_name[0] == '.' ? -1 : open(path, O_RDONLY);
		if (fd < 0)
			continue;
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
		text[n > 0 ? n : 0] = '\0';
		sum += strtoull(text, NULL, 10);
	}
	if (d)
		closedir(d);
	return sum;
}

static int do_open(int fd)
{
	(void)fd;
	fd = open(FILE_NAME, O_RDONLY);
	return fd < 0 ? -errno : close(fd);
}

static int do_exec(int fd)
{
	char name[] = "cost", *argv[] = {name, NULL}, *envp[] = {NULL};
	pid_t pid = vfork();
	int status;

	(void)fd;
	if (pid == 0) {
		execve("/proc/self/exe", argv, envp);
		_exit(126);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -errno;
	return 0;
}

static int do_write(int fd)
{
	static const char text[4096];
	int r;

	(void)fd;
	fd = open(NEW_NAME, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || write(fd, text, sizeof(text)) < 0 || rename(NEW_NAME, FILE_NAME) < 0)
		return -errno;
	r = close(fd);
	return r;
}

static int do_rw(int fd)
{
	char c = 0;

	return pwrite(fd, &c, 1, 0) == 1 && pread(fd, &c, 1, 0) == 1 ? 0 : -errno;
}

static int measure_on(const char *file, const char *name, int (*op)(int fd), int n,
		      const char *agent)
{
	int fd = open(file, O_RDWR | O_CREAT, 0644), r = 0;
	uint64_t least = UINT64_MAX, of_agent = 0;

	if (fd < 0)
		return -errno;
	for (int b = 0; b < BATCHES && r >= 0; b++) {
		uint64_t theirs = agent_ns(agent), start = now_ns(), took;

		for (int i = 0; i < n && r >= 0; i++)
			r = op(fd);
		took = now_ns() - start;
		theirs = agent_ns(agent) - theirs;
		if (took - theirs >= least)
			continue;
		least = took - theirs;
		of_agent = theirs;
	}
	close(fd);
	printf("%s %.1f\n%s_agent %.1f\n", name, (double)least / n, name, (double)of_agent / n);
	return r;
}

static int measure(const char *name, int (*op)(int fd), int n, const char *agent)
{
	return measure_on(FILE_NAME, name, op, n, agent);
}

static int cost_all(char **argv)
{
	int r = mkdir("/tmp/cost", 0755) < 0 && errno != EEXIST ? -errno : 0;

	if (r >= 0)
		r = measure("open", do_open, 200, argv[0]);
	if (r >= 0)
		r = measure("exec", do_exec, 40, argv[0]);
	if (r >= 0)
		r = measure("write", do_write, 40, argv[0]);
	if (r >= 0)
		r = measure("rw", do_rw, 400, argv[0]);
	return r;
}

static int cost_beside(char **argv)
{
	char file[320];

	snprintf(file, sizeof(file), "%s/unwatched", argv[0]);
	return measure_on(file, "beside", do_rw, 400, argv[1]);
}

static int cost_inotify(char **argv)
{
	char none[] = "0", *beside[] = {argv[0], none, NULL};
	int fd = inotify_init1(IN_CLOEXEC), r;

	if (fd < 0 || inotify_add_watch(fd, argv[1], IN_MODIFY) < 0)
		return -errno;
	r = cost_beside(beside);
	close(fd);
	return r;
}

static int cost_programs(char **argv)
{
	union bpf_attr a = {.start_id = 0};

	(void)argv;
	while (syscall(SYS_bpf, BPF_PROG_GET_NEXT_ID, &a, sizeof(a)) == 0) {
		struct bpf_prog_info info = {.id = 0};
		union bpf_attr by_id = {.prog_id = a.next_id}, of = {.start_id = 0};
		int fd = (int)syscall(SYS_bpf, BPF_PROG_GET_FD_BY_ID, &by_id, sizeof(by_id));

		a.start_id = a.next_id;
		if (fd < 0)
			continue;
		of.info.bpf_fd = (uint32_t)fd;
		of.info.info_len = sizeof(info);
		of.info.info = (uint64_t)(uintptr_t)&info;
		if (syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &of, sizeof(of)) == 0 && info.run_cnt)
			printf("%s %llu %llu\n", info.name, (unsigned long long)info.run_cnt,
			       (unsigned long long)info.run_time_ns);
		close(fd);
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct deed deeds[] = {{"all", cost_all, 1},
					    {"programs", cost_programs, 0},
					    {"beside", cost_beside, 2},
					    {"inotify", cost_inotify, 2}};

	if (argc == 1) /* what is executed to measure it */
		return 0;
	return deed_main(deeds, sizeof(deeds) / sizeof(deeds[0]), argc, argv);
}
