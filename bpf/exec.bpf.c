/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * exec.bpf.c: processes as they begin, become another program and end.
 * In: the scheduler's tracepoints with their types (BTF). Out: exec, fork and exit records. Decides nothing.
 */
#include "maps.bpf.h"
#include "path.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define NS_PER_S 1000000000ull
#define CTIME_NSEC_MASK \
	0x7fffffffu /* since 6.13 bit 31 says that somebody asked for the time (I_CTIME_QUERIED) */

static __always_inline __u64 exec_ctime(struct inode *inode)
{
	struct inode___private_ctime *middle = (void *)inode;
	struct inode___ctime *old = (void *)inode;

	if (bpf_core_field_exists(inode->i_ctime_sec))
		return (__u64)BPF_CORE_READ(inode, i_ctime_sec) * NS_PER_S +
		       (BPF_CORE_READ(inode, i_ctime_nsec) & CTIME_NSEC_MASK);
	if (bpf_core_field_exists(middle->__i_ctime))
		return (__u64)BPF_CORE_READ(middle, __i_ctime.tv_sec) * NS_PER_S +
		       (__u64)BPF_CORE_READ(middle, __i_ctime.tv_nsec);
	return (__u64)BPF_CORE_READ(old, i_ctime.tv_sec) * NS_PER_S +
	       (__u64)BPF_CORE_READ(old, i_ctime.tv_nsec);
}

static __always_inline void exec_file(struct plumb_file *f, struct file *file)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);

	f->ino = BPF_CORE_READ(inode, i_ino);
	f->file_size = (__u64)BPF_CORE_READ(inode, i_size);
	f->ctime_ns = exec_ctime(inode);
	f->dev = BPF_CORE_READ(inode, i_sb, s_dev);
	f->mode = BPF_CORE_READ(inode, i_mode);
	f->uid = BPF_CORE_READ(inode, i_uid.val);
	f->gid = BPF_CORE_READ(inode, i_gid.val);
	f->nlink = BPF_CORE_READ(inode, i_nlink);
	f->fs_magic = (__u32)BPF_CORE_READ(inode, i_sb, s_magic);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(plumb_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	struct plumb_event_exec *e;
	__u32 cut;
	long n;

	e = maps_begin(PLUMB_KIND_EXEC, sizeof(*e));
	if (!e)
		return 0;
	maps_task(&e->task, task);
	exec_file(&e->file, BPF_CORE_READ(bprm, file));
	__builtin_memset(&e->hash, 0, sizeof(e->hash));
	e->old_pid = old_pid;
	e->path_size = path_of_file(BPF_CORE_READ(bprm, file), e->path, &cut);
	e->event.flags = cut;
	__builtin_memset(e->name, 0, sizeof(e->name));
	n = bpf_probe_read_kernel_str(e->name, sizeof(e->name), BPF_CORE_READ(bprm, filename));
	e->name_size = n > 0 ? n : 1;
	maps_end(e);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(plumb_fork, struct task_struct *parent, struct task_struct *child)
{
	struct plumb_event_fork *e;

	if (child->pid != child->tgid) /* a thread */
		return 0;
	e = maps_begin(PLUMB_KIND_FORK, sizeof(*e));
	if (!e)
		return 0;
	maps_task(&e->parent, parent);
	e->child_pid = child->tgid;
	e->reserved = 0;
	e->child_start_ns = child->start_boottime;
	maps_end(e);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(plumb_exit, struct task_struct *task)
{
	struct plumb_event_exit *e;

	if (task->pid != task->tgid)
		return 0;
	e = maps_begin(PLUMB_KIND_EXIT, sizeof(*e));
	if (!e)
		return 0;
	maps_task(&e->task, task);
	e->exit_code = task->exit_code;
	e->reserved = 0;
	maps_end(e);
	return 0;
}
