/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * surface.bpf.h: how a surface record is made, and which opens for writing are one: decided by the super block first, for every open for
 * writing comes by. In: a file as LSM hands it down. Out: a surface record in the ring. For LSM programs alone but for its beginning.
 */
#ifndef PLUMB_SURFACE_BPF_H
#define PLUMB_SURFACE_BPF_H

#include "mark.bpf.h"

#define SURFACE_S_IFCHR 0020000
#define SURFACE_S_IFBLK 0060000
#define SURFACE_PROC 0x9fa0
#define SURFACE_SYSFS 0x62656572
#define SURFACE_TRACEFS 0x74726163
#define SURFACE_DEBUGFS 0x64626720
#define SURFACE_SECURITYFS 0x73636673
#define SURFACE_SELINUXFS 0xf97cff8c
#define SURFACE_EFIVARFS 0xde5e81e4
#define SURFACE_CGROUP 0x0027e0eb

#define SURFACE_SG_IO 0x2285
#define SURFACE_NVME_SUBMIT_IO 0x40304e42
#define SURFACE_NVME_IO_CMD 0xc0484e43
#define SURFACE_NVME_IO64_CMD 0xc0504e48
#define SURFACE_NVME_IO64_CMD_VEC 0xc0504e49
#define SURFACE_NVME_SUBMIT_IO_32 0x402c4e42 /* of a 32-bit program */
#define SURFACE_NVME_ADMIN_CMD 0xc0484e41
#define SURFACE_NVME_ADMIN64_CMD 0xc0504e47
#define SURFACE_CDROM_SEND_PACKET 0x5393
#define SURFACE_SCSI_SEND_COMMAND 1
/* By io_uring: kind and number alone, from a command and its vectored form to the admin ones. */
#define SURFACE_NVME_URING_FIRST 0x4e80
#define SURFACE_NVME_URING_ADMIN 0x4e82
#define SURFACE_NVME_URING_LAST 0x4e83
#define SURFACE_SG_MAJOR 21
#define SURFACE_CAP_SYS_ADMIN (1u << 21)

/* A file system that is frozen, or shut down, holds up whoever writes to it: the agent's own ledger as well. */
#define SURFACE_FIFREEZE 0xc0045877
#define SURFACE_FITHAW 0xc0045878
#define SURFACE_SHUTDOWN 0x8004587d

#define SURFACE_QUIET_NS 1000000000ull

/* The same by the same process is told once a second, with how often it was not. */
struct surface_key {
	__u64 start_ns;
	__u64 of; /* the target's start, a reason, a device */
	__u32 pid;
	__u32 what;
};

struct surface_told {
	__u64 ns;
	__u64 skipped;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct surface_key);
	__type(value, struct surface_told);
} surface_told SEC(".maps") __weak;

/* All but the process. */
static __always_inline struct plumb_event_surface *surface_begin_empty(__u16 what)
{
	struct plumb_event_surface *e = maps_begin(PLUMB_KIND_SURFACE, sizeof(*e));

	if (!e)
		return 0;
	e->number = 0;
	e->other = 0;
	e->target_start_ns = 0;
	e->target_pid = 0;
	e->fs_magic = 0;
	e->what = what;
	e->skipped = 0;
	for (unsigned i = 0; i < (sizeof(e->text) + sizeof(e->before) + sizeof(e->after)) / 8; i++)
		((volatile __u64 *)e->text)[i] = 0;
	return e;
}

static __always_inline void surface_namespaces(struct plumb_event_surface *e)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id___core,
				       BPF_FUNC_get_current_task_btf___core)) {
		struct task_struct *task = (void *)bpf_get_current_task_btf();

		e->net_ns = task->nsproxy->net_ns->ns.inum;
		e->uts_ns = task->nsproxy->uts_ns->ns.inum;
		e->ipc_ns = task->nsproxy->ipc_ns->ns.inum;
	} else {
		struct task_struct *task = (void *)bpf_get_current_task();

		e->net_ns = BPF_CORE_READ(task, nsproxy, net_ns, ns.inum);
		e->uts_ns = BPF_CORE_READ(task, nsproxy, uts_ns, ns.inum);
		e->ipc_ns = BPF_CORE_READ(task, nsproxy, ipc_ns, ns.inum);
	}
}

static __always_inline struct plumb_event_surface *surface_begin(__u16 what)
{
	struct plumb_event_surface *e = surface_begin_empty(what);

	if (!e)
		return 0;
	maps_current(&e->task);
	surface_namespaces(e);
	return e;
}

/* NULL: told within the last second, and counted; or dropped, and counted elsewhere. */
static __always_inline struct plumb_event_surface *surface_begin_once(__u16 what, __u64 of)
{
	__u64 thread = bpf_get_current_pid_tgid(), now = bpf_ktime_get_ns(), skipped = 0;
	struct surface_key key = {.of = of, .pid = thread >> 32, .what = what};
	struct surface_told fresh = {.ns = now}, *told;
	struct plumb_event_surface *e;

	told = bpf_map_lookup_elem(&surface_told, &key);
	if (told && now - told->ns < SURFACE_QUIET_NS) {
		__sync_fetch_and_add(&told->skipped, 1);
		return 0;
	}
	if (told)
		skipped = told->skipped;
	bpf_map_update_elem(&surface_told, &key, &fresh, BPF_ANY);
	e = surface_begin(what);
	if (e)
		e->skipped = skipped > 65535 ? 65535 : skipped;
	return e;
}

static __always_inline void surface_names(struct plumb_event_surface *e, struct dentry *dentry)
{
	struct dentry *parent;

#pragma unroll
	for (int i = 0; i < PLUMB_SURFACE_NAMES; i++) {
		parent = dentry->d_parent;
		if (parent == dentry)
			return;
		mark_name(e->names[i], PLUMB_SURFACE_NAME, dentry);
		dentry = parent;
	}
}

/* The name right below the root, or what is PLUMB_SURFACE_NAMES above the file. */
static __always_inline struct dentry *surface_top(struct dentry *dentry)
{
	struct dentry *top = dentry;

#pragma unroll
	for (int i = 0; i < PLUMB_SURFACE_NAMES; i++) {
		struct dentry *parent = dentry->d_parent;

		if (parent == dentry)
			break;
		top = dentry;
		dentry = parent;
	}
	return top;
}

/*
 * What a node's daily life writes by the hundred is left out here: the kubelet's and the runtimes' oom_score_adj, uid_map and the like of
 * processes (but not their memory), udev's uevent, the control groups' files (but not who is called when a group is empty).
 */
static __always_inline int surface_is_daily(struct dentry *dentry, unsigned long magic)
{
	char first = mark_letter(dentry, 0), top;

	if (magic == SURFACE_CGROUP)
		return dentry->d_name.len != 13 || first != 'r'; /* release_agent */
	if (magic == SURFACE_SYSFS)
		return dentry->d_name.len == 6 && first == 'u'; /* uevent */
	if (magic != SURFACE_PROC)
		return 0;
	top = mark_letter(surface_top(dentry), 0);
	return top >= '0' && top <= '9' && !(dentry->d_name.len == 3 && first == 'm'); /* mem */
}

static __always_inline int surface_is_watched(unsigned long magic)
{
	return magic == SURFACE_PROC || magic == SURFACE_SYSFS || magic == SURFACE_TRACEFS ||
	       magic == SURFACE_DEBUGFS || magic == SURFACE_CGROUP || magic == SURFACE_SECURITYFS ||
	       magic == SURFACE_SELINUXFS || magic == SURFACE_EFIVARFS;
}

/* What is written to a SCSI generic device are commands for the disk. */
static __always_inline int surface_is_disk(unsigned short type, __u32 rdev)
{
	return type == SURFACE_S_IFBLK ||
	       (type == SURFACE_S_IFCHR && rdev >> 20 == SURFACE_SG_MAJOR);
}

/* Of a file that is opened for writing. */
static __always_inline void surface_opened(struct file *file)
{
	struct inode *inode = file->f_inode;
	unsigned long magic = inode->i_sb->s_magic;
	unsigned short type = inode->i_mode & MARK_S_IFMT;
	int is_disk = surface_is_disk(type, inode->i_rdev);
	struct plumb_event_surface *e;

	if (!is_disk &&
	    (!surface_is_watched(magic) || surface_is_daily(file->f_path.dentry, magic)))
		return;
	e = surface_begin(is_disk ? PLUMB_SURFACE_BLOCK : PLUMB_SURFACE_OPEN);
	if (!e)
		return;
	e->fs_magic = is_disk ? type : (__u32)magic;
	if (is_disk)
		e->number = inode->i_rdev;
	else
		surface_names(e, file->f_path.dentry);
	maps_end(e);
}

/* Their numbers mean something else to drivers of other things than disks. */
static __always_inline int surface_is_old_command(unsigned int cmd)
{
	return cmd == SURFACE_CDROM_SEND_PACKET || cmd == SURFACE_SCSI_SEND_COMMAND;
}

/* Commands that go to a disk past its driver's reads and writes: a descriptor that is open for reading is enough for root. */
static __always_inline int surface_is_command(unsigned int cmd)
{
	return cmd == SURFACE_SG_IO || cmd == SURFACE_NVME_SUBMIT_IO ||
	       cmd == SURFACE_NVME_IO_CMD || cmd == SURFACE_NVME_IO64_CMD ||
	       cmd == SURFACE_NVME_IO64_CMD_VEC || cmd == SURFACE_NVME_SUBMIT_IO_32 ||
	       surface_is_old_command(cmd);
}

static __always_inline int surface_is_admin(unsigned int cmd)
{
	return cmd == SURFACE_NVME_ADMIN_CMD || cmd == SURFACE_NVME_ADMIN64_CMD;
}

static __always_inline int surface_is_uring_command(unsigned int op)
{
	return (op & 0xffff) >= SURFACE_NVME_URING_FIRST &&
	       (op & 0xffff) <= SURFACE_NVME_URING_LAST;
}

/*
 * What those who look after disks ask them all day, and what changes nothing, by its opcode, the first byte: Get Log Page, Identify, Get
 * Features or Security Receive. Who changes the byte between this look and the kernel's is not told: no such command writes where it likes.
 */
static __always_inline int surface_is_asked(__u8 opcode)
{
	return opcode == 0x02 || opcode == 0x06 || opcode == 0x0a || opcode == 0x82;
}

/* Where nothing may be read by address nobody knows what is asked, and is asked all day. */
static __always_inline int surface_admin_asks(unsigned long arg)
{
	__u8 opcode = 0xff;

	if (!plumb_may_probe)
		return 1;
	bpf_probe_read_user(&opcode, sizeof(opcode), (const void *)arg);
	return surface_is_asked(opcode);
}

static __always_inline int surface_uring_asks(struct io_uring_cmd *command)
{
	__u64 first = 0xff;
	const void *before;

	if ((command->cmd_op & 0xffff) < SURFACE_NVME_URING_ADMIN)
		return 0;
	if (!plumb_may_probe)
		return 1;
	if (bpf_core_field_exists(command->sqe)) {
		first = BPF_CORE_READ(command, sqe, addr3);
	} else {
		before = BPF_CORE_READ(command, cmd);
		bpf_probe_read_kernel(&first, sizeof(first), before);
	}
	return surface_is_asked((__u8)first);
}

/* The kernel asks the hook before it asks whether this task may, and a pod that asks has done nothing. The capability is in the first of two words. */
static __always_inline int surface_may_command(struct super_block *sb)
{
	__u32 caps = 0;

	if (bpf_core_enum_value_exists(enum bpf_func_id___core,
				       BPF_FUNC_get_current_task_btf___core)) {
		struct task_struct *task = (void *)bpf_get_current_task_btf();
		const struct cred *cred = task->cred;

		caps = *(const volatile __u32 *)((const volatile char *)cred +
						 bpf_core_field_offset(struct cred, cap_effective));
		return (caps & SURFACE_CAP_SYS_ADMIN) &&
		       (cred->user_ns == sb->s_user_ns || cred->user_ns->level == 0);
	} else {
		struct task_struct *task = (void *)bpf_get_current_task();
		const struct cred *cred = BPF_CORE_READ(task, cred);

		bpf_core_read(&caps, sizeof(caps), &cred->cap_effective);
		return (caps & SURFACE_CAP_SYS_ADMIN) &&
		       (BPF_CORE_READ(cred, user_ns) == sb->s_user_ns ||
			BPF_CORE_READ(cred, user_ns, level) == 0);
	}
}

static __always_inline int surface_is_for_all(unsigned int cmd)
{
	return cmd == SURFACE_FIFREEZE || cmd == SURFACE_FITHAW || cmd == SURFACE_SHUTDOWN;
}

#endif
