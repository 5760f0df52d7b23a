/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * core.bpf.h: the few kernel structs that the programs look into, relocated by name on the kernel where they run (CO-RE).
 * In: nothing. Out: structs. Only fields that are used stand here; their order and offsets mean nothing.
 * Pointers that have a type are read directly: cheaper, and allowed where lockdown forbids reading by address. BPF_CORE_READ
 * stands where a pointer is computed (struct mount from its vfsmount) or comes without a type (5.10's current task).
 */
#ifndef PLUMB_CORE_BPF_H
#define PLUMB_CORE_BPF_H

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "plumb/event.h"

/* BPF_PROG() gives each program a ctx that it need not use. */
#pragma clang diagnostic ignored "-Wunused-parameter"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	__u32 val;
} core_id; /* kuid_t and kgid_t */

struct core_counter {
	int counter;
}; /* atomic_t */

struct core_timespec {
	__s64 tv_sec;
	long tv_nsec;
};

struct ns_common {
	unsigned int inum;
};

struct mnt_namespace {
	struct ns_common ns;
};

struct pid_namespace {
	struct ns_common ns;
};

struct net {
	struct ns_common ns;
};

struct uts_namespace {
	struct ns_common ns;
};

struct ipc_namespace {
	struct ns_common ns;
};

struct nsproxy {
	struct uts_namespace *uts_ns;
	struct ipc_namespace *ipc_ns;
	struct net *net_ns;
	struct mnt_namespace *mnt_ns;
	struct pid_namespace *pid_ns_for_children;
};

struct kernfs_node {
	__u64 id;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct user_namespace {
	int level; /* 0: the first one */
};

typedef struct { /* 64 bits, as two words or as one number */
	__u32 cap[2];
} kernel_cap_t;

struct cred {
	core_id uid;
	core_id gid;
	kernel_cap_t cap_effective;
	struct user_namespace *user_ns;
};

struct signal_struct {
	int group_exit_code;
	struct core_counter live; /* threads that have not ended */
};

struct file;

struct mm_struct {
	struct file *exe_file;
	unsigned long arg_start;
	unsigned long arg_end;
};

struct fdtable {
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct vm_area_struct {
	unsigned long vm_flags;
	struct file *vm_file;
	void *anon_vma; /* there is one when pages of it were written to */
};

struct task_struct {
	int pid;
	int tgid;
	int exit_code;
	struct task_struct *group_leader;
	struct task_struct *real_parent;
	const struct cred *cred;
	struct nsproxy *nsproxy;
	struct css_set *cgroups;
	struct signal_struct *signal;
	struct mm_struct *mm;
	struct files_struct *files;
	__u64 self_exec_id; /* counted up by each exec */
	__u64 start_boottime;
	char comm[PLUMB_COMM_SIZE];
};

struct file;

struct io_uring_sqe {
	__u64 addr3; /* where a driver's own command begins */
};

struct io_uring_cmd {
	struct file *file;
	__u32 cmd_op;
	const struct io_uring_sqe *sqe; /* since 6.3 */
	const void *cmd; /* before */
};

struct super_block {
	__u32 s_dev;
	unsigned long s_flags;
	unsigned long s_magic;
	struct user_namespace *s_user_ns;
};

struct core_long_counter {
	__s64 counter;
}; /* atomic_long_t */

struct rw_semaphore {
	struct core_long_counter count; /* not where locks may sleep (PREEMPT_RT) */
};

struct address_space {
	struct core_counter i_mmap_writable; /* below 0: nobody may map it so that he can write */
};

struct inode {
	unsigned short i_mode;
	core_id i_uid;
	core_id i_gid;
	__u32 i_rdev;
	unsigned long i_ino;
	unsigned int i_nlink;
	__s64 i_size;
	struct super_block *i_sb;
	struct address_space *i_mapping;
	__s64 i_ctime_sec;
	__u32 i_ctime_nsec;
	void *i_private;
	struct core_counter i_writecount;
	struct rw_semaphore i_rwsem;
};

struct shmem_inode_info {
	unsigned int seals;
	struct inode vfs_inode;
};

/* How the change time lay in struct inode: up to 6.5 i_ctime, 6.6 to 6.10 __i_ctime. */
struct inode___ctime {
	struct core_timespec i_ctime;
};

struct inode___private_ctime {
	struct core_timespec __i_ctime;
};

struct qstr {
	__u32 len;
	const unsigned char *name;
};

struct dentry {
	struct dentry *d_parent;
	struct inode *d_inode;
	struct qstr d_name;
};

/* Where a short name lies: up to 6.13, and since. */
struct dentry___iname {
	unsigned char d_iname[32];
};

union core_shortname {
	unsigned char string[32];
};

struct dentry___shortname {
	union core_shortname d_shortname;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	struct path f_path;
	struct inode *f_inode;
	unsigned int f_mode;
};

struct linux_binprm {
	struct file *file;
	const char *filename;
	const char
		*interp; /* the same pointer, unless a script or binfmt_misc named another file */
	char buf[256];
};

struct perf_event_attr___core {
	__u32 type;
	__u64 kprobe_func;
};

struct perf_event {
	struct perf_event_attr___core attr;
};

struct bpf_map {
	__u32 id;
	char name[16];
};

/* Its fields lie in a struct without a name. */
struct kernel_siginfo {
	int si_code;
};

struct module {
	char name[56];
	unsigned long taints;
};

/* What the kernel takes for itself. Numbers of old names have moved, and new names came (compressed modules, 7.2). */
enum kernel_read_file_id___core {
	READING_FIRMWARE___core,
	READING_MODULE___core,
	READING_KEXEC_IMAGE___core,
	READING_KEXEC_INITRAMFS___core,
	READING_POLICY___core,
	READING_X509_CERTIFICATE___core,
	READING_MODULE_COMPRESSED___core,
};

enum kernel_load_data_id___core {
	LOADING_FIRMWARE___core,
	LOADING_MODULE___core,
	LOADING_KEXEC_IMAGE___core,
	LOADING_KEXEC_INITRAMFS___core,
	LOADING_POLICY___core,
	LOADING_X509_CERTIFICATE___core,
};

/* What lockdown knows; each version of the kernel puts new ones between the old. */
enum lockdown_reason___core {
	LOCKDOWN_MODULE_SIGNATURE___core,
	LOCKDOWN_DEV_MEM___core,
	LOCKDOWN_EFI_TEST___core,
	LOCKDOWN_KEXEC___core,
	LOCKDOWN_PCI_ACCESS___core,
	LOCKDOWN_IOPORT___core,
	LOCKDOWN_MSR___core,
	LOCKDOWN_ACPI_TABLES___core,
	LOCKDOWN_MODULE_PARAMETERS___core,
	LOCKDOWN_MMIOTRACE___core,
	LOCKDOWN_BPF_WRITE_USER___core,
	LOCKDOWN_KCORE___core,
	LOCKDOWN_KPROBES___core,
	LOCKDOWN_HIBERNATION___core,
	LOCKDOWN_DEBUGFS___core,
	LOCKDOWN_TRACEFS___core,
	LOCKDOWN_BPF_READ_KERNEL___core,
	LOCKDOWN_PERF___core,
};

enum bpf_func_id___core { BPF_FUNC_get_current_task_btf___core, BPF_FUNC_get_func_arg___core };

#pragma clang attribute pop

/*
 * Memory of no file is mapped: mmap_file's file is NULL. From 6.4 to the kernels that mark the argument as nullable the verifier takes a
 * hook's pointers for never NULL, drops a comparison with it, and the program reads at address 0. As a number it is compared; kernels that
 * have no helper for that compare the pointer.
 */
static __always_inline int core_no_file(void *ctx, const struct file *file)
{
	__u64 address = 0;

	if (!bpf_core_enum_value_exists(enum bpf_func_id___core, BPF_FUNC_get_func_arg___core))
		return !file;
	return bpf_get_func_arg(ctx, 0, &address) < 0 || !address;
}

#endif
