/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * guard.bpf.c: what is done to the agent's process, and to its maps, programs and links by their numbers.
 * In: LSM's hooks before the deed; the kernel's tracepoints where a hook is missing or cannot be had. Out: guard records, and -EPERM where
 * protection is enforced. What is done to its files is met in file.bpf.c and name.bpf.c, where their marks are looked at anyway.
 */
#include "guard.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define GUARD_SIGPIPE 13
#define GUARD_SIGCHLD 17
#define GUARD_SIGCONT 18
#define GUARD_SIGURG 23
#define GUARD_SIGWINCH 28
#define GUARD_MODE_ATTACH 2 /* PTRACE_MODE_ATTACH: to write; ps and its like only read */
#define GUARD_FMODE_WRITE 2

/* Those that end or stop a process which does not care for them. */
static __always_inline int guard_stops(int sig)
{
	return sig > 0 && sig != GUARD_SIGPIPE && sig != GUARD_SIGCHLD && sig != GUARD_SIGCONT &&
	       sig != GUARD_SIGURG && sig != GUARD_SIGWINCH;
}

/* The agent, or a child of it: it has one that holds programs before their first run. */
static __always_inline int guard_is_ours(struct task_struct *task)
{
	if ((__u32)task->tgid != plumb_guard_tgid &&
	    (__u32)task->real_parent->tgid != plumb_guard_tgid)
		return 0;
	return !guard_is_self();
}

/* The kernel's own signals are not asked about. */
SEC("lsm/task_kill")
int BPF_PROG(plumb_guard_kill, struct task_struct *task, struct kernel_siginfo *info, int sig)
{
	if (!guard_is_ours(task) || !guard_stops(sig))
		return 0;
	return guard_tell(PLUMB_GUARD_KILL, sig, 1);
}

/*
 * Without LSM: told when it was sent. info is 0 for a signal of a process without details and 1 for one of the kernel's: what the verifier
 * takes for a good pointer may be neither, so it is read by address, which fails harmlessly.
 */
SEC("tp_btf/signal_generate")
int BPF_PROG(plumb_guard_kill__told, int sig, struct kernel_siginfo *info, struct task_struct *task)
{
	int code = 0;

	if (!guard_is_ours(task) || !guard_stops(sig) || (unsigned long)info == 1)
		return 0;
	if (plumb_may_probe)
		code = BPF_CORE_READ(info, si_code);
	if (code > 0)
		return 0;
	return guard_tell(PLUMB_GUARD_KILL, sig, 0);
}

SEC("lsm/ptrace_access_check")
int BPF_PROG(plumb_guard_ptrace, struct task_struct *child, unsigned int mode)
{
	if (!(mode & GUARD_MODE_ATTACH) || !guard_is_ours(child))
		return 0;
	return guard_tell(PLUMB_GUARD_PTRACE, mode, 1);
}

/*
 * Told alone: the kernel asks this hook, too, for each process of a cgroup that gets the cpuset controller or is moved below one. A refusal
 * there would fail the service manager's or the kubelet's write for all of them.
 */
SEC("lsm/task_setscheduler")
int BPF_PROG(plumb_guard_scheduler, struct task_struct *task)
{
	return guard_is_ours(task) ? guard_tell(PLUMB_GUARD_SCHEDULER, 0, 0) : 0;
}

SEC("lsm/task_setnice")
int BPF_PROG(plumb_guard_nice, struct task_struct *task, int nice)
{
	return guard_is_ours(task) ? guard_tell(PLUMB_GUARD_NICE, (__u32)nice, 1) : 0;
}

SEC("lsm/task_setioprio")
int BPF_PROG(plumb_guard_ioprio, struct task_struct *task, int ioprio)
{
	return guard_is_ours(task) ? guard_tell(PLUMB_GUARD_IOPRIO, (__u32)ioprio, 1) : 0;
}

SEC("lsm/task_setrlimit")
int BPF_PROG(plumb_guard_rlimit, struct task_struct *task, unsigned int resource)
{
	return guard_is_ours(task) ? guard_tell(PLUMB_GUARD_RLIMIT, resource, 1) : 0;
}

/*
 * Each time that somebody gets a descriptor of a map. One that can only be read is daily life: lists of maps need it. But a program of his own
 * that is loaded with it may write there all the same, so where it is enforced nobody gets that either.
 */
SEC("lsm/bpf_map")
int BPF_PROG(plumb_guard_map, struct bpf_map *map, unsigned int fmode)
{
	struct plumb_event_guard *e;
	__u16 outcome;

	if ((!(fmode & GUARD_FMODE_WRITE) && !plumb_guard_enforce) || guard_is_self() ||
	    !guard_owns(PLUMB_GUARD_OWN_MAP, map->id))
		return 0;
	outcome = guard_outcome(1);
	e = guard_begin(PLUMB_GUARD_MAP, map->id, outcome);
	if (!e)
		return guard_hidden(outcome);
	for (int i = 0; i < (int)sizeof(map->name) - 1; i++)
		e->name[i] = map->name[i];
	maps_end(e);
	return guard_hidden(outcome);
}

/* A descriptor of a link can detach it, or have it run another program; one of a program can have another take its place (freplace). */
SEC("lsm/bpf")
int BPF_PROG(plumb_guard_bpf, int cmd, union bpf_attr *attr)
{
	int link = cmd == BPF_LINK_GET_FD_BY_ID;

	if (!link && cmd != BPF_PROG_GET_FD_BY_ID)
		return 0;
	/* All numbers that are asked for lie in the same place. */
	if (guard_is_self() ||
	    !guard_owns(link ? PLUMB_GUARD_OWN_LINK : PLUMB_GUARD_OWN_PROG, attr->map_id))
		return 0;
	return guard_hide(link ? PLUMB_GUARD_LINK : PLUMB_GUARD_PROG, attr->map_id);
}

SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(plumb_guard_moved, struct cgroup *to, const char *path, struct task_struct *task)
{
	if ((__u32)task->pid != plumb_guard_tgid)
		return 0;
	return guard_tell(PLUMB_GUARD_MOVED, to->kn->id, 0);
}

SEC("tp_btf/cgroup_freeze")
int BPF_PROG(plumb_guard_frozen, struct cgroup *cgroup)
{
	if (!guard_owns(PLUMB_GUARD_OWN_CGROUP, cgroup->kn->id))
		return 0;
	return guard_tell(PLUMB_GUARD_FROZEN, cgroup->kn->id, 0);
}
