/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * guard.bpf.h: is it the agent itself that is touched, by whom, and is it denied? For all programs that meet what is the agent's.
 * In: what is done, to which object. Out: guard records; 0, or -EPERM (-ENOENT by number) where protection is enforced and no order is in force.
 * By object alone: whoever leaves the agent's process, files, maps and links alone is not hindered in anything.
 */
#ifndef PLUMB_GUARD_BPF_H
#define PLUMB_GUARD_BPF_H

#include "mark.bpf.h"

#define GUARD_EPERM 1
#define GUARD_ENOENT 2

/* The agent, and whether what is done to it is denied. Set before the load, frozen after it. */
const volatile __u32 plumb_guard_tgid __weak = 0;
const volatile __u32 plumb_guard_enforce __weak = 0;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 512);
	__type(key, struct plumb_guard_own);
	__type(value, __u32);
} guard_own SEC(".maps") __weak;

/* Boot time until which an order lets everything through. The agent alone has a descriptor that can write here: it is one of its maps. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} guard_door SEC(".maps") __weak;

static __always_inline int guard_is_self(void)
{
	return (__u32)(bpf_get_current_pid_tgid() >> 32) == plumb_guard_tgid;
}

static __always_inline int guard_owns(__u32 type, __u64 id)
{
	struct plumb_guard_own key = {.type = type, .id = id};

	return bpf_map_lookup_elem(&guard_own, &key) != 0;
}

static __always_inline __u16 guard_outcome(int deniable)
{
	__u32 zero = 0;
	__u64 *until = bpf_map_lookup_elem(&guard_door, &zero);

	if (until && bpf_ktime_get_boot_ns() < *until)
		return PLUMB_GUARD_ALLOWED;
	return plumb_guard_enforce && deniable ? PLUMB_GUARD_DENIED : PLUMB_GUARD_SEEN;
}

/* All but what only files have; NULL: dropped, and counted. */
static __always_inline struct plumb_event_guard *guard_begin(__u16 op, __u64 object, __u16 outcome)
{
	struct plumb_event_guard *e = maps_begin(PLUMB_KIND_GUARD, sizeof(*e));

	if (!e)
		return 0;
	maps_current(&e->task);
	e->object = object;
	e->ino = 0;
	e->dir_ino = 0;
	e->dev = 0;
	e->dir_dev = 0;
	e->mark = 0;
	e->op = op;
	e->outcome = outcome;
	e->file_op = 0;
	e->reserved = 0;
	e->reserved2 = 0;
	__builtin_memset(e->name, 0, sizeof(e->name));
	return e;
}

static __always_inline int guard_verdict(__u16 outcome)
{
	return outcome == PLUMB_GUARD_DENIED ? -GUARD_EPERM : 0;
}

/*
 * For descriptors by number: whoever lists all maps, programs or links takes ENOENT for one that has just gone and goes on with the next;
 * any other refusal ends his list.
 */
static __always_inline int guard_hidden(__u16 outcome)
{
	return outcome == PLUMB_GUARD_DENIED ? -GUARD_ENOENT : 0;
}

/* A record that has no room is counted as dropped; what is denied is denied all the same. */
static __always_inline int guard_tell(__u16 op, __u64 object, int deniable)
{
	__u16 outcome = guard_outcome(deniable);
	struct plumb_event_guard *e = guard_begin(op, object, outcome);

	if (e)
		maps_end(e);
	return guard_verdict(outcome);
}

/* The same, for a number that is asked for. */
static __always_inline int guard_hide(__u16 op, __u64 object)
{
	return guard_tell(op, object, 1) ? -GUARD_ENOENT : 0;
}

/* inode may be NULL: a name that comes. mark: of the inode and of the directory together. */
static __always_inline int guard_inode(__u16 file_op, struct inode *inode, struct inode *dir,
				       struct dentry *name, __u32 mark)
{
	struct plumb_event_guard *e;
	__u16 outcome;

	if (guard_is_self())
		return 0;
	outcome = guard_outcome(!(mark & PLUMB_MARK_GUARD_LIMIT));
	e = guard_begin(PLUMB_GUARD_FILE, 0, outcome);
	if (!e)
		return guard_verdict(outcome);
	if (inode) {
		e->ino = inode->i_ino;
		e->dev = inode->i_sb->s_dev;
	}
	if (dir) {
		e->dir_ino = dir->i_ino;
		e->dir_dev = dir->i_sb->s_dev;
	}
	e->mark = mark;
	e->file_op = file_op;
	mark_name(e->name, sizeof(e->name), name);
	maps_end(e);
	return guard_verdict(outcome);
}

#endif
