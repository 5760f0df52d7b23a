/* SPDX-License-Identifier: Apache-2.0 */
/* tamper.c: what is done to an agent by somebody who is root: to its ring, counts and links by their numbers, and to its process. */
#include <dirent.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "deed.h"

#define MAX_CPUS 1024
#define RINGBUF "map_type:\t27\n"
#define PERCPU_ARRAY "map_type:\t6\n"

static int sys_bpf(int cmd, union bpf_attr *attr)
{
	int r = (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return r < 0 ? -errno : r;
}

/* The n-th number that stands behind `name` in the fdinfo of a descriptor of pid that has `has` as well; 0: there is none. */
static uint32_t number_of(const char *pid, const char *name, const char *has, int n)
{
	char path[300], text[4096];
	struct dirent *e;
	uint32_t id = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%s/fdinfo", pid);
	d = opendir(path);
	while (d && id == 0 && (e = readdir(d))) {
		const char *at;
		size_t size;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%s/fdinfo/%.200s", pid, e->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		size = fread(text, 1, sizeof(text) - 1, f);
		fclose(f);
		text[size] = '\0';
		at = strstr(text, name);
		if (at && strstr(text, has) && n-- == 0)
			id = (uint32_t)strtoul(at + strlen(name), NULL, 10);
	}
	if (d)
		closedir(d);
	return id;
}

static int by_id(int cmd, uint32_t id, uint32_t flags)
{
	union bpf_attr attr = {.map_id = id};

	attr.open_flags = flags;
	return id == 0 ? -ESRCH : sys_bpf(cmd, &attr);
}

/* The first of pid's that has `has` in its fdinfo. */
static int first_of(const char *pid, int cmd, const char *name, const char *has, uint32_t flags)
{
	return by_id(cmd, number_of(pid, name, has, 0), flags);
}

static int ring_of(const char *pid, uint32_t flags)
{
	return first_of(pid, BPF_MAP_GET_FD_BY_ID, "map_id:", RINGBUF, flags);
}

static int done(int r)
{
	return r < 0 ? r : 0;
}

/* PID: only a descriptor of its ring. */
static int tamper_ring(char **argv)
{
	return done(ring_of(argv[0], 0));
}

/* PID: only looks, as who lists maps does. */
static int tamper_look(char **argv)
{
	return done(ring_of(argv[0], BPF_F_RDONLY));
}

/* The page of the ring that says how far its reader is. */
static int consumer_of(const char *pid, uint64_t **ret)
{
	int fd = ring_of(pid, 0);

	if (fd < 0)
		return fd;
	*ret = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return *ret == MAP_FAILED ? -errno : 0;
}

static void jam(uint64_t *consumer)
{
	__atomic_store_n(consumer, 1ull << 60, __ATOMIC_SEQ_CST);
}

/* PID: pushes the reader's position ahead, so that the kernel finds no room and the reader nothing. */
static int tamper_jam(char **argv)
{
	uint64_t *consumer;
	int r = consumer_of(argv[0], &consumer);

	if (r >= 0)
		jam(consumer);
	return r;
}

/* PID: the same, again and again for ten seconds, faster than anybody can put it back. */
static int tamper_hold(char **argv)
{
	time_t until = time(NULL) + 10;
	uint64_t *consumer;
	int r = consumer_of(argv[0], &consumer);

	while (r >= 0 && time(NULL) < until)
		for (int i = 0; i < 100; i++) {
			jam(consumer);
			sched_yield();
		}
	return r;
}

static int info_of(int fd, void *ret, uint32_t size)
{
	union bpf_attr attr = {.map_type = 0};

	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = size;
	attr.info.info = (uintptr_t)ret;
	return sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
}

static int write_first(int map, const void *value)
{
	union bpf_attr attr = {.map_type = 0};
	uint32_t key = 0;

	attr.map_fd = (uint32_t)map;
	attr.key = (uintptr_t)&key;
	attr.value = (uintptr_t)value;
	return sys_bpf(BPF_MAP_UPDATE_ELEM, &attr);
}

static int detach(int link)
{
	union bpf_attr attr = {.map_type = 0};

	attr.link_detach.link_fd = (uint32_t)link;
	return link < 0 ? link : sys_bpf(BPF_LINK_DETACH, &attr);
}

/* A descriptor of the map of that kind and name. */
static int map_named(const char *pid, const char *kind, const char *name, struct bpf_map_info *ret)
{
	uint32_t id;

	for (int n = 0; (id = number_of(pid, "map_id:", kind, n)) != 0; n++) {
		int fd = by_id(BPF_MAP_GET_FD_BY_ID, id, BPF_F_RDONLY), r;

		if (fd < 0)
			return fd;
		memset(ret, 0, sizeof(*ret));
		r = info_of(fd, ret, sizeof(*ret));
		close(fd);
		if (r >= 0 && strcmp(ret->name, name) == 0)
			return by_id(BPF_MAP_GET_FD_BY_ID, id, 0);
	}
	return -ESRCH;
}

/* PID: nothing was ever counted. */
static int tamper_counters(char **argv)
{
	static const uint8_t zeros[1 << 20];
	struct bpf_map_info info;
	int fd = map_named(argv[0], PERCPU_ARRAY, "counters", &info);

	if (fd < 0)
		return fd;
	return info.value_size > sizeof(zeros) / MAX_CPUS ? -E2BIG : write_first(fd, zeros);
}

/* PID: a descriptor of one of its links, and off with it. */
static int tamper_link(char **argv)
{
	return detach(first_of(argv[0], BPF_LINK_GET_FD_BY_ID, "link_id:", "link_type:", 0));
}

/*
 * A descriptor of each that there is: numbers of programs and of links are alike, so one of either may be refused by chance. 0: all were given.
 */
static int each(const char *pid, int cmd, const char *name, const char *has)
{
	int n = 0, given = 0, r = 0;
	uint32_t id;

	while ((id = number_of(pid, name, has, n)) != 0) {
		int fd = by_id(cmd, id, 0);

		n++;
		given += fd >= 0;
		if (fd < 0)
			r = fd;
		else
			close(fd);
	}
	if (n == 0)
		return -ESRCH;
	return given == 0 || given == n ? r : -EXDEV;
}

/* PID: its programs, which another could take the place of */
static int tamper_programs(char **argv)
{
	return each(argv[0], BPF_PROG_GET_FD_BY_ID, "prog_id:", "prog_type:");
}

/* PID: its links, which could be given another program */
static int tamper_links(char **argv)
{
	return each(argv[0], BPF_LINK_GET_FD_BY_ID, "link_id:", "link_type:");
}

/* PID SIGNAL */
static int tamper_kill(char **argv)
{
	return kill(atoi(argv[0]), atoi(argv[1])) < 0 ? -errno : 0;
}

/* PID SIGNAL: by a descriptor of the process */
static int tamper_pidfd(char **argv)
{
	int fd = (int)syscall(SYS_pidfd_open, atoi(argv[0]), 0);

	return fd < 0 || syscall(SYS_pidfd_send_signal, fd, atoi(argv[1]), NULL, 0) < 0 ? -errno
											: 0;
}

/* PID: attaches, and lets go */
static int tamper_ptrace(char **argv)
{
	pid_t pid = atoi(argv[0]);

	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0)
		return -errno;
	(void)ptrace(PTRACE_DETACH, pid, NULL, NULL);
	return 0;
}

/* PID */
static int tamper_mem(char **argv)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/mem", argv[0]);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : 0;
}

/* PID */
static int tamper_vmread(char **argv)
{
	char byte;
	struct iovec to = {&byte, 1}, from = {(void *)(uintptr_t)4096, 1};

	if (process_vm_readv(atoi(argv[0]), &to, 1, &from, 1, 0) >= 0 || errno == EFAULT)
		return 0;
	return -errno;
}

/* PID: its first descriptor */
static int tamper_getfd(char **argv)
{
	int fd = (int)syscall(SYS_pidfd_open, atoi(argv[0]), 0);

	return fd < 0 || syscall(SYS_pidfd_getfd, fd, 0, 0) < 0 ? -errno : 0;
}

/* PID: only when nobody else wants the CPU */
static int tamper_sched(char **argv)
{
	const struct sched_param p = {.sched_priority = 0};

	return sched_setscheduler(atoi(argv[0]), SCHED_IDLE, &p) < 0 ? -errno : 0;
}

/* PID */
static int tamper_nice(char **argv)
{
	return setpriority(PRIO_PROCESS, (id_t)atoi(argv[0]), 19) < 0 ? -errno : 0;
}

/* PID */
static int tamper_ioprio(char **argv)
{
	return syscall(SYS_ioprio_set, 1, atoi(argv[0]), 3 << 13) < 0 ? -errno : 0;
}

/* PID: no core of it, as the first of what could be taken from it */
static int tamper_rlimit(char **argv)
{
	const struct rlimit none = {0, 0};

	return prlimit(atoi(argv[0]), RLIMIT_CORE, &none, NULL) < 0 ? -errno : 0;
}

/* PID N: it gets no descriptor from that number on */
static int tamper_nofile(char **argv)
{
	const struct rlimit few = {strtoul(argv[1], NULL, 10), 4096};

	return prlimit(atoi(argv[0]), RLIMIT_NOFILE, &few, NULL) < 0 ? -errno : 0;
}

/* Is `wanted` in the list that bpftool and its like make? They skip what has just gone, and end at any other refusal. */
static int is_listed(int next, int get, uint32_t wanted)
{
	union bpf_attr attr = {.start_id = 0};
	uint32_t id = 0;
	int fd;

	for (;;) {
		memset(&attr, 0, sizeof(attr));
		attr.start_id = id;
		if (sys_bpf(next, &attr) < 0)
			return -ESRCH;
		id = attr.next_id;
		fd = by_id(get, id, 0);
		if (fd < 0 && fd != -ENOENT)
			return fd;
		if (fd >= 0)
			close(fd);
		if (fd >= 0 && id == wanted)
			return 0;
	}
}

static int load_pass(void)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_CGROUP_SKB};

	attr.insns = (uintptr_t)insns;
	attr.insn_cnt = 2;
	attr.license = (uintptr_t) "GPL";
	return sys_bpf(BPF_PROG_LOAD, &attr);
}

/* A map of its own: made, listed, written through the descriptor that its number gives. */
static int neighbour_map(void)
{
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY};
	struct bpf_map_info info = {0};
	const uint32_t value = 7;
	int fd, r;

	attr.key_size = attr.value_size = 4;
	attr.max_entries = 1;
	fd = sys_bpf(BPF_MAP_CREATE, &attr);
	r = fd < 0 ? fd : info_of(fd, &info, sizeof(info));
	if (r >= 0)
		r = is_listed(BPF_MAP_GET_NEXT_ID, BPF_MAP_GET_FD_BY_ID, info.id);
	if (r >= 0)
		r = by_id(BPF_MAP_GET_FD_BY_ID, info.id, 0);
	return r < 0 ? r : write_first(r, &value);
}

/* CGROUP: what another user of BPF does: a map, a program, a link to that cgroup; lists of all; and the link is taken away by its number. */
static int tamper_neighbour(char **argv)
{
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	union bpf_attr attr = {.map_type = 0};
	struct bpf_prog_info prog = {0};
	struct bpf_link_info link = {0};
	int cgroup = open(argv[0], O_RDONLY | O_CLOEXEC), fd, r;

	/* Kernels before 5.11 charge programs to it. */
	(void)setrlimit(RLIMIT_MEMLOCK, &unlimited);
	r = cgroup < 0 ? -errno : neighbour_map();
	fd = r < 0 ? r : load_pass();
	r = fd < 0 ? fd : info_of(fd, &prog, sizeof(prog));
	if (r >= 0)
		r = is_listed(BPF_PROG_GET_NEXT_ID, BPF_PROG_GET_FD_BY_ID, prog.id);
	if (r < 0)
		return r;
	attr.link_create.prog_fd = (uint32_t)fd;
	attr.link_create.target_fd = (uint32_t)cgroup;
	attr.link_create.attach_type = BPF_CGROUP_INET_INGRESS;
	fd = sys_bpf(BPF_LINK_CREATE, &attr);
	r = fd < 0 ? fd : info_of(fd, &link, sizeof(link));
	if (r >= 0)
		r = is_listed(BPF_LINK_GET_NEXT_ID, BPF_LINK_GET_FD_BY_ID, link.id);
	if (r >= 0)
		r = by_id(BPF_LINK_GET_FD_BY_ID, link.id, 0);
	return detach(r);
}

/* FILE TEXT: opens it for writing, and writes */
static int tamper_write(char **argv)
{
	int fd = open(argv[0], O_WRONLY | O_CLOEXEC), r;

	if (fd < 0)
		return -errno;
	r = write(fd, argv[1], strlen(argv[1])) < 0 ? -errno : 0;
	close(fd);
	return r;
}

/* FILE */
static int tamper_unlink(char **argv)
{
	return unlink(argv[0]) < 0 ? -errno : 0;
}

/* FILE */
static int tamper_chmod(char **argv)
{
	return chmod(argv[0], 0777) < 0 ? -errno : 0;
}

/* FROM TO */
static int tamper_rename(char **argv)
{
	return rename(argv[0], argv[1]) < 0 ? -errno : 0;
}

/* SECONDS: sets the clock ahead by so much */
static int tamper_clock(char **argv)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	now.tv_sec += atoi(argv[0]);
	return clock_settime(CLOCK_REALTIME, &now) < 0 ? -errno : 0;
}

int main(int argc, char **argv)
{
	static const struct deed deeds[] = {
		{"ring", tamper_ring, 1},	    {"jam", tamper_jam, 1},
		{"hold", tamper_hold, 1},	    {"counters", tamper_counters, 1},
		{"look", tamper_look, 1},	    {"link", tamper_link, 1},
		{"kill", tamper_kill, 2},	    {"pidfd", tamper_pidfd, 2},
		{"ptrace", tamper_ptrace, 1},	    {"mem", tamper_mem, 1},
		{"vmread", tamper_vmread, 1},	    {"getfd", tamper_getfd, 1},
		{"sched", tamper_sched, 1},	    {"nice", tamper_nice, 1},
		{"ioprio", tamper_ioprio, 1},	    {"rlimit", tamper_rlimit, 1},
		{"write", tamper_write, 2},	    {"unlink", tamper_unlink, 1},
		{"chmod", tamper_chmod, 1},	    {"rename", tamper_rename, 2},
		{"clock", tamper_clock, 1},	    {"nofile", tamper_nofile, 2},
		{"neighbour", tamper_neighbour, 1}, {"programs", tamper_programs, 1},
		{"links", tamper_links, 1},
	};

	return deed_main(deeds, sizeof(deeds) / sizeof(deeds[0]), argc, argv);
}
