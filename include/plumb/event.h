/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * event.h: one record from the kernel programs to the agent, as it lies in the ring buffer.
 * In: filled by the programs under bpf/. Out: read by the agent's event_check, which checks size, kind and version first.
 * BORDER: a change here is a commit of its own with a new example under tests/data/event.
 */
#ifndef PLUMB_EVENT_H
#define PLUMB_EVENT_H

#ifndef __bpf__
#include <linux/types.h>
#endif

#define PLUMB_EVENT_VERSION	3
#define PLUMB_PATH_MAX		1024	/* bytes of a path in a record, its NUL included; what lies behind the NUL means nothing */
#define PLUMB_PATH_AFTER	256	/* bytes that follow each path in its record: room that the kernel's verifier asks of a name put at its end */
#define PLUMB_COMM_SIZE		16

/* Kinds are numbered in blocks: 1 processes, 16 modules, 32 files, 48 the kernel's own surface, 64 the agent itself. */
enum plumb_kind {
	PLUMB_KIND_EXEC = 1,
	PLUMB_KIND_FORK = 2,
	PLUMB_KIND_EXIT = 3,
	PLUMB_KIND_SCRIPT = 4,	/* a file that is no ELF program is about to be run by an interpreter; the exec record follows */
	PLUMB_KIND_CODE = 5,	/* code that runs without an exec of its own */
	PLUMB_KIND_MODULE = 16,
	PLUMB_KIND_LOAD = 17,	/* the kernel takes a file, or bytes from memory, for itself */
	PLUMB_KIND_FILE = 32,	/* something is about to be done to a marked inode, or to a name in a marked directory */
	PLUMB_KIND_MOUNT = 48,	/* a mount on, or an unmount from, a marked inode */
	PLUMB_KIND_BPF = 49,	/* a BPF program is loaded, or attached */
	PLUMB_KIND_SURFACE = 50,	/* somebody reaches for the kernel itself, for other processes' memory, for a disk below its files */
	PLUMB_KIND_GUARD = 64,	/* something is done to the agent itself, or tried */
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
#define PLUMB_EVENT_ARGS	2u	/* exec: arguments follow the record (struct plumb_event_exec_args) */
#define PLUMB_ARGS_MAX		512u	/* bytes of arguments in a record */

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

/* SHA-256 of the file's bytes as the kernel itself took it. */
struct plumb_hash {
	__u32 src;		/* enum plumb_hash_src */
	__s32 error;		/* src none: why, a negative errno, or 0: nobody was asked; -ETXTBSY, of any source: it is open for writing, and what was read need not be what runs. Of an overlay's file: -ENODATA, nobody can write to it, whoever will changes its time, and file has the layer's size and time; -ESTALE, he need not; -EREMOTE, not known */
	__u8 digest[32];	/* zeros when src is none */
};

enum plumb_hash_src { PLUMB_HASH_NONE = 0, PLUMB_HASH_IMA = 1 };

struct plumb_event_exec {
	struct plumb_event event;
	struct plumb_task task;
	struct plumb_file file;
	struct plumb_hash hash;
	__u32 old_pid;		/* thread that called execve */
	__u16 path_size;	/* bytes in path with its NUL: the file's own path, walked in the kernel */
	__u16 name_size;	/* bytes in name with its NUL: what execve was given (the script of a #! line, not its interpreter) */
	char path[PLUMB_PATH_MAX];
	char name[PLUMB_PATH_AFTER];
};

/* What the new program was given, each ended by NUL, as the kernel has laid it out; the program may change it from its first instruction on. */
struct plumb_args {
	__u32 size;		/* bytes of all arguments */
	__u16 kept;		/* bytes in text: the first of them; what lies behind means nothing */
	__s16 error;		/* 0, or a negative errno: they could not be read */
	char text[PLUMB_ARGS_MAX];
};

/* Only where the agent's exec_args is on. */
struct plumb_event_exec_args {
	struct plumb_event_exec exec;
	struct plumb_args args;
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

struct plumb_event_script {
	struct plumb_event event;
	struct plumb_task task;
	struct plumb_file file;
	struct plumb_hash hash;
	__u32 reserved;
	__u16 path_size;
	__u16 reserved2;
	char path[PLUMB_PATH_MAX];
	char after[PLUMB_PATH_AFTER];	/* nothing */
};

enum plumb_code_what {
	PLUMB_CODE_MAP = 1,		/* a file is mapped executable; not the one that was executed */
	PLUMB_CODE_ANONYMOUS = 2,	/* memory of no file; told once for each process image, as the next one is */
	PLUMB_CODE_WRITTEN = 3,		/* pages of a file that were written to since they were mapped */
	PLUMB_CODE_SCRIPT = 4,		/* an interpreter opens a file that its arguments name */
	PLUMB_CODE_INTERPRETER = 5,	/* an interpreter begins, and not for a #! line: its arguments */
	PLUMB_CODE_BINFMT = 6,		/* a file of binfmt_misc is opened for writing */
};

#define PLUMB_CODE_ARGS 256		/* bytes of arguments in a record */
#define PLUMB_CODE_NAME 16		/* of an interpreter, up to its first digit: "python" */

struct plumb_event_code {
	struct plumb_event event;
	struct plumb_task task;
	struct plumb_file file;		/* anonymous, written, interpreter: the process's executable */
	struct plumb_hash hash;		/* script: what is kept at the inode, when it is good */
	__u16 what;			/* enum plumb_code_what */
	__u16 path_size;		/* with its NUL, so 1 for an empty one: of file */
	__u16 args_size;		/* interpreter: bytes in args, of which the last argument may be cut; else 0 */
	__u16 stdin_mode;		/* interpreter: st_mode of its standard input, 0: unknown */
	__u32 prot;			/* map, anonymous, written: PROT_* */
	__u32 map_flags;		/* map, anonymous: MAP_* */
	char path[PLUMB_PATH_MAX];
	char args[PLUMB_CODE_ARGS];	/* each ends with a NUL */
};

enum plumb_load_what {
	PLUMB_LOAD_OTHER = 0,
	PLUMB_LOAD_MODULE = 1,
	PLUMB_LOAD_MODULE_COMPRESSED = 2,	/* the digest is of the compressed file */
	PLUMB_LOAD_FIRMWARE = 3,
	PLUMB_LOAD_KEXEC_IMAGE = 4,
	PLUMB_LOAD_KEXEC_INITRAMFS = 5,
	PLUMB_LOAD_POLICY = 6,			/* of a security module */
	PLUMB_LOAD_X509 = 7,
};

struct plumb_event_load {
	struct plumb_event event;
	struct plumb_task task;
	struct plumb_file file;		/* zeros: from memory */
	struct plumb_hash hash;
	__u16 what;			/* enum plumb_load_what */
	__u16 from_memory;		/* 1: the caller gave bytes, there is no file: path is empty */
	__u16 path_size;		/* with its NUL, so 1 for an empty one */
	__u16 kernel_id;		/* the kernel's own number of what it takes */
	char path[PLUMB_PATH_MAX];
	char after[PLUMB_PATH_AFTER];	/* nothing */
};

/* Marks, by inode. Set by the agent; the programs copy them to what takes a marked name. */
#define PLUMB_MARK_FILE		1u	/* told: opening for write, attributes, its removal, mounts over it */
#define PLUMB_MARK_DIR		2u	/* also: names that come and go in it; what is looked up in it gets PLUMB_MARK_FILE */
#define PLUMB_MARK_TREE		4u	/* with DIR: directories below it get DIR and TREE, too */
#define PLUMB_MARK_ANCESTOR	8u	/* told: that it is moved or removed, and mounts over it */
#define PLUMB_MARK_NAMES	16u	/* told: names that come and go in it; nothing is handed on. A single watched file lies there, or is to */
#define PLUMB_MARK_WRITTEN	32u	/* with FILE, set by the programs: somebody may have it open for writing, or mapped, of whom no record tells */
#define PLUMB_MARK_WATCHED	255u	/* any of them: somebody's watched file or directory, or one above it */
/* The agent's own, told as PLUMB_KIND_GUARD unless it does it itself. */
#define PLUMB_MARK_GUARD	256u	/* its program, settings, state, ledger */
#define PLUMB_MARK_GUARD_DIR	512u	/* what is in it gets PLUMB_MARK_GUARD, directories this one as well */
#define PLUMB_MARK_GUARD_CGROUP	1024u	/* a control file of its cgroup, or of one above, that stops or kills */
#define PLUMB_MARK_GUARD_LIMIT	2048u	/* one that starves: told, and never denied */

/* One per inode, in the map "inodes" (inode storage): its mark, and the digest that was taken of it last. */
struct plumb_inode {
	__u32 mark;		/* PLUMB_MARK_*; 0: none */
	__u16 hashed;		/* 1: the rest is good while size and change time are these and nobody writes */
	__u16 mapped;		/* 1: it was mapped executable, and told so; nobody opened it for writing since */
	__u64 hash_ctime_ns;
	__u64 hash_file_size;
	__u64 life_ns;		/* since boot: when it was first mapped executable, since it came into memory; 0: not yet */
	__u8 digest[32];
};

enum plumb_file_op {
	PLUMB_FILE_OPEN_WRITE = 1,
	PLUMB_FILE_WRITE = 2,		/* through a descriptor that is older than the mark */
	PLUMB_FILE_MMAP = 3,		/* shared and writable */
	PLUMB_FILE_CREATE = 4,		/* of a regular file; name is its name in dir */
	PLUMB_FILE_MKDIR = 5,
	PLUMB_FILE_MKNOD = 6,
	PLUMB_FILE_SYMLINK = 7,
	PLUMB_FILE_LINK = 8,		/* file is the inode, name the new name in dir */
	PLUMB_FILE_UNLINK = 9,
	PLUMB_FILE_RMDIR = 10,
	PLUMB_FILE_RENAME = 11,		/* dir and name to other_dir and other_name; an exchange is two of them */
	PLUMB_FILE_SETATTR = 12,	/* mode, owner, size, times */
	PLUMB_FILE_XATTR = 13,
	PLUMB_FILE_IOCTL = 14,		/* a clone into it, or its flags */
};

struct plumb_event_file {
	struct plumb_event event;
	struct plumb_task task;
	struct plumb_file file;		/* the inode that it is done to; zeros when there is none yet */
	__u64 dir_ino;			/* of the directory that name is in; 0: unknown (an open by descriptor) */
	__u64 other_dir_ino;		/* rename */
	__u32 dir_dev;
	__u32 other_dir_dev;
	__u32 mark;			/* of the inode, of dir and of other_dir together */
	__u16 op;			/* enum plumb_file_op */
	__u16 reserved;
	char name[256];			/* last component; "" unknown */
	char other_name[256];		/* rename: the new one */
};

enum plumb_mount_op { PLUMB_MOUNT_MOUNT = 1, PLUMB_MOUNT_MOVE = 2, PLUMB_MOUNT_UMOUNT = 3 };

struct plumb_event_mount {
	struct plumb_event event;
	struct plumb_task task;
	struct plumb_file file;		/* the marked inode that is covered, or was */
	__u64 flags;			/* as mount(2) or umount2(2) had them */
	__u32 mark;
	__u16 op;			/* enum plumb_mount_op */
	__u16 reserved;
	char fstype[32];		/* "" not said */
	char source[256];
};

enum plumb_bpf_op { PLUMB_BPF_LOAD = 1, PLUMB_BPF_ATTACH = 2 };

struct plumb_event_bpf {
	struct plumb_event event;
	struct plumb_task task;
	__u32 command;			/* enum bpf_cmd */
	__u32 prog_type;		/* enum bpf_prog_type, or for ATTACH the attach type */
	__u16 op;			/* enum plumb_bpf_op */
	__u16 reserved;
	__u32 n_insns;
	char name[16];			/* as the loader named it; "" none, or not told */
};

enum plumb_guard_op {
	PLUMB_GUARD_KILL = 1,		/* object: the signal */
	PLUMB_GUARD_PTRACE = 2,		/* object: PTRACE_MODE_*; also /proc/PID/mem and pidfd_getfd */
	PLUMB_GUARD_SCHEDULER = 3,
	PLUMB_GUARD_NICE = 4,		/* object: the value */
	PLUMB_GUARD_IOPRIO = 5,		/* object: the value */
	PLUMB_GUARD_RLIMIT = 6,		/* object: RLIMIT_* */
	PLUMB_GUARD_MAP = 7,		/* a descriptor of a map of ours; object: its number */
	PLUMB_GUARD_PROG = 8,
	PLUMB_GUARD_LINK = 9,
	PLUMB_GUARD_FILE = 10,		/* file_op is done to a marked inode, or to a name in a marked directory */
	PLUMB_GUARD_MOVED = 11,		/* into another cgroup; object: its number */
	PLUMB_GUARD_FROZEN = 12,	/* its cgroup or one above; object: its number */
	PLUMB_GUARD_MOUNT = 13,		/* over a marked inode, or from it; object: the inode */
	/* What an isolated node refuses: */
	PLUMB_GUARD_EXEC = 14,		/* a program that its baseline does not list; ino, dev, name */
	PLUMB_GUARD_LOAD = 15,		/* object: enum plumb_load_what */
	PLUMB_GUARD_BPF = 16,		/* object: enum bpf_cmd */
};

enum plumb_guard_outcome { PLUMB_GUARD_SEEN = 0, PLUMB_GUARD_DENIED = 1, PLUMB_GUARD_ALLOWED = 2 /* an order is in force */ };

struct plumb_event_guard {
	struct plumb_event event;
	struct plumb_task task;
	__u64 object;
	__u64 ino;		/* FILE: the inode, 0: none yet */
	__u64 dir_ino;
	__u32 dev;
	__u32 dir_dev;
	__u32 mark;
	__u16 op;		/* enum plumb_guard_op */
	__u16 outcome;		/* enum plumb_guard_outcome */
	__u16 file_op;		/* FILE: enum plumb_file_op, else 0 */
	__u16 reserved;
	__u32 reserved2;
	char name[64];		/* FILE, EXEC: last component, MAP: its name; "" unknown */
};

/* What is ours, by the kernel's numbers: keys of the map "guard_own". */
enum plumb_guard_type { PLUMB_GUARD_OWN_MAP = 1, PLUMB_GUARD_OWN_PROG = 2, PLUMB_GUARD_OWN_LINK = 3, PLUMB_GUARD_OWN_CGROUP = 4 };

struct plumb_guard_own {
	__u32 type;		/* enum plumb_guard_type */
	__u32 reserved;
	__u64 id;
};

/* A version of a file that may still run on an isolated node: key and value of the map "isolate_files". */
struct plumb_isolate_file {
	__u64 ino;
	__u32 dev;		/* as plumb_file's */
	__u32 reserved;
};

struct plumb_isolate_version {
	__u64 ctime_ns;
	__u64 file_size;
	__u32 round;		/* the agent's: it is on the newest list */
	__u32 reserved;
};

struct plumb_event_module {
	struct plumb_event event;
	struct plumb_task task;
	char name[64];
	__u32 taints;
	__u32 reserved;
};

#define PLUMB_SURFACE_NAMES	8
#define PLUMB_SURFACE_NAME	48
#define PLUMB_SURFACE_VALUE	128

enum plumb_surface_what {
	PLUMB_SURFACE_LOCKDOWN = 1,	/* what lockdown would forbid is asked for; number: enum plumb_surface_reason */
	PLUMB_SURFACE_OPEN = 2,		/* a file of a kernel's own file system is opened for writing; names, fs_magic */
	PLUMB_SURFACE_BLOCK = 3,	/* a block device, or a SCSI generic one, is opened for writing; number: its dev_t, as plumb_file's dev; fs_magic: S_IFBLK or S_IFCHR */
	PLUMB_SURFACE_COMMAND = 4,	/* commands for a disk itself (SG_IO, NVMe), or for a file system (FIFREEZE, FITHAW, FS_IOC_SHUTDOWN); number as before, fs_magic: S_IFBLK or S_IFCHR; other: the ioctl */
	PLUMB_SURFACE_SYSCTL = 5,	/* a sysctl is written: text is its name with slashes; before, after */
	PLUMB_SURFACE_PERF = 6,		/* a perf event of a type that is made while the kernel runs; number: the type; text: function or file */
	PLUMB_SURFACE_REQUEST = 7,	/* the kernel asks for a module; text: its alias */
	PLUMB_SURFACE_USERNS = 8,	/* a user namespace is made */
	PLUMB_SURFACE_PTRACE = 9,	/* the target's memory or descriptors may be taken, as ptrace's attach may; number: the mode; text: its comm */
	PLUMB_SURFACE_TRACEME = 10,	/* the task lets itself be traced by the target, its parent */
	PLUMB_SURFACE_CLOCK = 11,	/* the clock is set */
	PLUMB_SURFACE_EXCHANGE = 12,	/* blocks of two files are exchanged, and which two the argument says; number: the file system's dev, 0: perhaps another one's; other: the ioctl */
};

enum plumb_surface_reason {
	PLUMB_REASON_OTHER = 0,
	PLUMB_REASON_DEV_MEM = 1,
	PLUMB_REASON_KCORE = 2,
	PLUMB_REASON_IOPORT = 3,
	PLUMB_REASON_MSR = 4,
	PLUMB_REASON_KPROBES = 5,
	PLUMB_REASON_PCI = 6,
	PLUMB_REASON_ACPI_TABLES = 7,
	PLUMB_REASON_MODULE_SIGNATURE = 8,
	PLUMB_REASON_MODULE_PARAMETERS = 9,
	PLUMB_REASON_KEXEC = 10,
	PLUMB_REASON_MMIOTRACE = 11,
	PLUMB_REASON_BPF_WRITE_USER = 12,
	PLUMB_REASON_EFI_TEST = 13,
};

struct plumb_event_surface {
	struct plumb_event event;
	struct plumb_task task;
	__u64 number;
	__u64 other;
	__u64 target_start_ns;
	__u32 target_pid;
	__u32 net_ns;			/* of the task; a sysctl may be of its network, name or message namespace alone */
	__u32 uts_ns;
	__u32 ipc_ns;
	__u32 fs_magic;
	__u16 what;			/* enum plumb_surface_what */
	__u16 skipped;			/* the same by the same process since its last record, 65535: or more */
	union {
		char names[PLUMB_SURFACE_NAMES][PLUMB_SURFACE_NAME];	/* from the last one upwards to the file system's root; "" from there on */
		char text[PLUMB_SURFACE_NAMES * PLUMB_SURFACE_NAME];
	};
	char before[PLUMB_SURFACE_VALUE];
	char after[PLUMB_SURFACE_VALUE];
};

#define PLUMB_DROPPED_KINDS	8

/* One per CPU, in the map "counters". attempts = submitted + dropped. */
struct plumb_counters {
	__u64 attempts;
	__u64 submitted;
	__u64 dropped;
	__u64 dropped_by_kind[PLUMB_DROPPED_KINDS];	/* by block: processes but fork and exit; fork; exit; modules; files; kernel; guard; others */
};

_Static_assert(sizeof(struct plumb_event) == 40, "border: event header");
_Static_assert(sizeof(struct plumb_task) == 72, "border: task");
_Static_assert(sizeof(struct plumb_file) == 48, "border: file");
_Static_assert(sizeof(struct plumb_hash) == 40, "border: hash");
_Static_assert(sizeof(struct plumb_inode) == 64, "border: inode");
_Static_assert(sizeof(struct plumb_event_exec) == 40 + 72 + 48 + 40 + 8 + 1024 + 256, "border: exec");
_Static_assert(sizeof(struct plumb_event_exec_args) == sizeof(struct plumb_event_exec) + 8 + 512, "border: exec with arguments");
_Static_assert(sizeof(struct plumb_event_script) == 40 + 72 + 48 + 40 + 8 + 1024 + 256, "border: script");
_Static_assert(sizeof(struct plumb_event_load) == 40 + 72 + 48 + 40 + 8 + 1024 + 256, "border: load");
_Static_assert(sizeof(struct plumb_event_code) == 40 + 72 + 48 + 40 + 16 + 1024 + 256, "border: code");
_Static_assert(sizeof(struct plumb_event_file) == 40 + 72 + 48 + 32 + 512, "border: file event");
_Static_assert(sizeof(struct plumb_event_mount) == 40 + 72 + 48 + 16 + 32 + 256, "border: mount");
_Static_assert(sizeof(struct plumb_event_bpf) == 40 + 72 + 16 + 16, "border: bpf");
_Static_assert(sizeof(struct plumb_event_guard) == 40 + 72 + 24 + 12 + 12 + 64, "border: guard");
_Static_assert(sizeof(struct plumb_guard_own) == 16, "border: guard's own");
_Static_assert(sizeof(struct plumb_isolate_file) == 16 && sizeof(struct plumb_isolate_version) == 24, "border: isolated node's files");
_Static_assert(sizeof(struct plumb_event_fork) == 40 + 72 + 16, "border: fork");
_Static_assert(sizeof(struct plumb_event_exit) == 40 + 72 + 8, "border: exit");
_Static_assert(sizeof(struct plumb_event_module) == 40 + 72 + 72, "border: module");
_Static_assert(sizeof(struct plumb_counters) == 24 + 8 * PLUMB_DROPPED_KINDS, "border: counters");
_Static_assert(sizeof(struct plumb_event_surface) == 40 + 72 + 48 + 384 + 256, "border: surface");

#endif
