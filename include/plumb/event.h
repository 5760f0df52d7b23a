/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * event.h: one record from the kernel programs to the agent, as it lies in the ring buffer.
 * In: filled by the programs under bpf/. Out: read by the agent's sensor_bpf, which checks size, kind and version first.
 * BORDER: a change here is a commit of its own with a new example under tests/data/event.
 */
#ifndef PLUMB_EVENT_H
#define PLUMB_EVENT_H

#ifndef __bpf__
#include <linux/types.h>
#endif

#define PLUMB_EVENT_VERSION	1
#define PLUMB_PATH_MAX		1024	/* bytes of a path in a record, its NUL included */
#define PLUMB_COMM_SIZE		16

/* Kinds are numbered in blocks: 1 processes, 16 modules, 32 files, 48 the kernel's own surface. */
enum plumb_kind {
	PLUMB_KIND_EXEC = 1,
	PLUMB_KIND_FORK = 2,
	PLUMB_KIND_EXIT = 3,
	PLUMB_KIND_MODULE = 16,
};

/* Every record starts so. All fields are in the byte order of the machine; records never leave it. */
struct plumb_event {
	__u32 size;		/* bytes of the whole record, this header included */
	__u16 kind;		/* enum plumb_kind */
	__u16 version;		/* PLUMB_EVENT_VERSION */
	__u32 cpu;		/* the CPU that made it */
	__u32 flags;		/* PLUMB_EVENT_*: */
	__u64 kseq;		/* number of the attempt on this CPU, from 1; one that is missing was dropped */
	__u64 ksess;		/* random number of this load of the programs */
	__u64 boottime_ns;	/* CLOCK_BOOTTIME */
};

#define PLUMB_EVENT_PATH_CUT	1u	/* the path did not fit and lacks its front */

/* Who did it. pid is the thread group's id in the initial namespace. */
struct plumb_task {
	__u32 pid;
	__u32 tid;
	__u32 ppid;
	__u32 uid;
	__u32 gid;
	__u32 mnt_ns;		/* inode number of the mount namespace */
	__u32 pid_ns;
	__u32 reserved;
	__u64 start_ns;		/* boot time at which the thread group's leader started */
	__u64 parent_start_ns;
	__u64 cgroup_id;	/* inode number of the cgroup v2 directory, 0: unknown */
	char comm[PLUMB_COMM_SIZE];
};

/* The file that an exec or a module load took its bytes from. */
struct plumb_file {
	__u64 ino;
	__u64 file_size;
	__u64 ctime_ns;		/* nanoseconds since the Unix epoch */
	__u32 dev;		/* the kernel's dev_t: major << 20 | minor */
	__u32 mode;		/* st_mode */
	__u32 uid;
	__u32 gid;
	__u32 nlink;
	__u32 fs_magic;		/* super block's s_magic */
};

struct plumb_event_exec {
	struct plumb_event event;
	struct plumb_task task;
	struct plumb_file file;
	__u32 old_pid;		/* thread that called execve */
	__u16 path_size;	/* bytes in path with its NUL: the file's own path, walked in the kernel */
	__u16 name_size;	/* bytes in name with its NUL: what execve was given (the script of a #! line, not its interpreter) */
	char path[PLUMB_PATH_MAX];
	char name[256];
};

struct plumb_event_fork {
	struct plumb_event event;
	struct plumb_task parent;
	__u32 child_pid;
	__u32 reserved;
	__u64 child_start_ns;
};

struct plumb_event_exit {
	struct plumb_event event;
	struct plumb_task task;
	__u32 exit_code;	/* as wait(2) gives it */
	__u32 reserved;
};

struct plumb_event_module {
	struct plumb_event event;
	struct plumb_task task;
	char name[64];
	__u32 taints;
	__u32 reserved;
};

/* One per CPU, in the map "counters". attempts = submitted + dropped. */
struct plumb_counters {
	__u64 attempts;
	__u64 submitted;
	__u64 dropped;
	__u64 dropped_by_kind[5];	/* exec, fork, exit, module, others */
};

_Static_assert(sizeof(struct plumb_event) == 40, "border: event header");
_Static_assert(sizeof(struct plumb_task) == 72, "border: task");
_Static_assert(sizeof(struct plumb_file) == 48, "border: file");
_Static_assert(sizeof(struct plumb_event_exec) == 40 + 72 + 48 + 8 + 1024 + 256, "border: exec");
_Static_assert(sizeof(struct plumb_event_fork) == 40 + 72 + 16, "border: fork");
_Static_assert(sizeof(struct plumb_event_exit) == 40 + 72 + 8, "border: exit");
_Static_assert(sizeof(struct plumb_event_module) == 40 + 72 + 72, "border: module");
_Static_assert(sizeof(struct plumb_counters) == 64, "border: counters");

#endif
