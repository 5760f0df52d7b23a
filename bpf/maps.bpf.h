/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * maps.bpf.h: the ring, the counters and the settings that all kernel programs share, and how a record is begun and ended.
 * In: a kind and a size. Out: a record in the ring, or a counted drop. Maps are weak, so that bpftool links all objects into one.
 */
#ifndef PLUMB_MAPS_BPF_H
#define PLUMB_MAPS_BPF_H

#include "core.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20); /* at 2,000 execs a second, 2.8 s of a stalled reader */
} ring SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct plumb_counters);
} counters SEC(".maps") __weak;

/*
 * Marks and digests, by inode; for LSM programs alone. They die with the inode in memory: the agent holds marked directories open,
 * and what is looked up in those is marked again. Needs a kernel with BPF LSM: the loader leaves it out where there is none.
 */
struct {
	__uint(type, BPF_MAP_TYPE_INODE_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct plumb_inode);
} inodes SEC(".maps") __weak;

/* Set before the load, frozen after it. */
const volatile __u64 plumb_ksess __weak = 0;

/* Place in dropped_by_kind. Constant for each caller, so the verifier sees an index within bounds. */
static __always_inline __u32 maps_kind_slot(__u16 kind)
{
	if (kind == PLUMB_KIND_FORK)
		return 1;
	if (kind == PLUMB_KIND_EXIT)
		return 2;
	switch (kind / 16) {
	case 0:
		return 0;
	case 1:
		return 3;
	case 2:
		return 4;
	case 3:
		return 5;
	case 4:
		return 6;
	default:
		return PLUMB_DROPPED_KINDS - 1;
	}
}

/* The kernel knows the atomic add that gives back the old value (5.12). Tried by the loader, frozen after the load. */
const volatile __u32 plumb_fetch_add __weak = 1;

/*
 * Programs that may sleep, and on some kernels all LSM programs, can be preempted on their CPU, so the number must be taken in one
 * step. The instruction is written as bytes: compilers make it only for a machine that 5.10's verifier follows less well. Where the
 * kernel refuses it the loader makes it a plain atomic add (loader_kernel_make_plain()), which leaves the 1 in its register; such kernels
 * have no sleepable program that takes numbers.
 */
static __always_inline __u64 maps_fetch_add(__u64 *to, __u64 by)
{
	register __u64 number asm("r1") = by;
	register __u64 *at asm("r2") = to;

	/* r1 = atomic_fetch_add((u64 *)(r2 + 0), r1) */
	asm volatile(".byte 0xdb, 0x12, 0, 0, 0x01, 0, 0, 0" : "+r"(number) : "r"(at) : "memory");
	return number;
}

static __always_inline __u64 maps_number(__u64 *attempts)
{
	__u64 before = maps_fetch_add(attempts, 1);

	return plumb_fetch_add ? before + 1 : *attempts;
}

/* The number of the attempt is taken before the place in the ring, so that a drop leaves a hole in the sequence. */
static __always_inline void *maps_begin(__u16 kind, __u32 size)
{
	struct plumb_counters *c;
	struct plumb_event *e;
	__u32 zero = 0;
	__u64 kseq;

	c = bpf_map_lookup_elem(&counters, &zero);
	if (!c)
		return 0;
	kseq = maps_number(&c->attempts);
	e = bpf_ringbuf_reserve(&ring, size, 0);
	if (!e) {
		__sync_fetch_and_add(&c->dropped, 1);
		__sync_fetch_and_add(&c->dropped_by_kind[maps_kind_slot(kind)], 1);
		return 0;
	}
	__builtin_memset(e, 0, sizeof(*e));
	e->size = size;
	e->kind = kind;
	e->version = PLUMB_EVENT_VERSION;
	e->cpu = bpf_get_smp_processor_id();
	e->kseq = kseq;
	e->ksess = plumb_ksess;
	e->boottime_ns = bpf_ktime_get_boot_ns();
	return e;
}

static __always_inline void maps_submitted(void)
{
	struct plumb_counters *c;
	__u32 zero = 0;

	c = bpf_map_lookup_elem(&counters, &zero);
	if (c)
		__sync_fetch_and_add(&c->submitted, 1);
}

/*
 * A quiet record does not wake the agent: it is taken with the next one that does, or within the agent's tick. The kernel itself wakes a
 * reader only at the record that he stands at, so behind a quiet one the wake-up must be forced. Behind more than twice what quiet ones
 * alone may fill somebody has forced one, and the kernel's own rule is enough again.
 */
#define MAPS_QUIET_BYTES 8192

/*
 * The agent has taken all, and looks again by itself in a few milliseconds: to wake it costs an interrupt a record, and wakes nobody. It
 * takes this back before it looks; whoever was told so by then has his place in the ring, and a place in the ring is waited for.
 */
__u32 plumb_reader_rests __weak = 0;

static __always_inline __u64 maps_unread(const void *record)
{
	return bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) -
	       ((const struct plumb_event *)record)->size;
}

static __always_inline int maps_reader_rests(void)
{
	return *(const volatile __u32 *)&plumb_reader_rests;
}

static __always_inline void maps_end(void *record)
{
	__u64 flags = BPF_RB_NO_WAKEUP;

	maps_submitted();
	if (!maps_reader_rests())
		flags = maps_unread(record) < 2 * MAPS_QUIET_BYTES ? BPF_RB_FORCE_WAKEUP : 0;
	bpf_ringbuf_submit(record, flags);
}

static __always_inline void maps_end_quiet(void *record)
{
	__u64 flags = BPF_RB_NO_WAKEUP;

	maps_submitted();
	if (!maps_reader_rests() && maps_unread(record) >= MAPS_QUIET_BYTES)
		flags = BPF_RB_FORCE_WAKEUP;
	bpf_ringbuf_submit(record, flags);
}

/* Reading by address is allowed: not so under lockdown=confidentiality. Tried by the loader, frozen after the load. */
const volatile __u32 plumb_may_probe __weak = 1;

/* All but the name. Each step is taken once: a load through a pointer of the kernel is checked where it is made, and costs as ten others. */
static __always_inline void maps_task_numbers(struct plumb_task *t, struct task_struct *task)
{
	struct task_struct *parent = task->real_parent;
	struct nsproxy *spaces = task->nsproxy;
	const struct cred *cred = task->cred;

	t->pid = task->tgid;
	t->tid = task->pid;
	t->ppid = parent->tgid;
	t->uid = cred->uid.val;
	t->gid = cred->gid.val;
	t->mnt_ns = spaces->mnt_ns->ns.inum;
	t->pid_ns = spaces->pid_ns_for_children->ns.inum;
	t->reserved = 0;
	t->start_ns = task->group_leader->start_boottime;
	t->parent_start_ns = parent->group_leader->start_boottime;
	t->cgroup_id = task->cgroups->dfl_cgrp->kn->id;
}

/* As numbers of eight bytes, by offset: a load of the array whole cannot be relocated, and the helper costs as much as all the rest. */
static __always_inline void maps_task_comm(struct plumb_task *t, struct task_struct *task)
{
	const volatile char *from =
		(const volatile char *)task + bpf_core_field_offset(struct task_struct, comm);
	__u64 *to = (__u64 *)t->comm;

	for (unsigned i = 0; i < PLUMB_COMM_SIZE / sizeof(*to); i++)
		to[i] = ((const volatile __u64 *)from)[i];
	t->comm[PLUMB_COMM_SIZE - 1] = 0;
}

/* task is the current one, as a pointer with a type. */
static __always_inline void maps_task(struct plumb_task *t, struct task_struct *task)
{
	maps_task_numbers(t, task);
	maps_task_comm(t, task);
}

/* The same by address, for kernels that give the current task without a type (before 5.11). */
static __always_inline void maps_task_numbers_probed(struct plumb_task *t)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	t->pid = BPF_CORE_READ(task, tgid);
	t->tid = BPF_CORE_READ(task, pid);
	t->ppid = BPF_CORE_READ(task, real_parent, tgid);
	t->uid = BPF_CORE_READ(task, cred, uid.val);
	t->gid = BPF_CORE_READ(task, cred, gid.val);
	t->mnt_ns = BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);
	t->pid_ns = BPF_CORE_READ(task, nsproxy, pid_ns_for_children, ns.inum);
	t->reserved = 0;
	t->start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	t->parent_start_ns = BPF_CORE_READ(task, real_parent, group_leader, start_boottime);
	t->cgroup_id = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
}

static __always_inline void maps_current_probed(struct plumb_task *t)
{
	maps_task_numbers_probed(t);
	bpf_get_current_comm(t->comm, sizeof(t->comm));
}

/* Where a hook does not hand the task down. */
static __always_inline void maps_current(struct plumb_task *t)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id___core,
				       BPF_FUNC_get_current_task_btf___core))
		maps_task(t, (void *)bpf_get_current_task_btf());
	else
		maps_current_probed(t);
}

#endif
