/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * isolate.bpf.h: what a node that is isolated refuses: programs outside its baseline, and all code that the kernel takes for itself. For the
 * programs that tell those deeds anyway. In: the deed, before it is done. Out: -EPERM and a guard record, or 0. Not the agent's own.
 */
#ifndef PLUMB_ISOLATE_BPF_H
#define PLUMB_ISOLATE_BPF_H

#include "guard.bpf.h"

/* The settings arm it. Set before the load, frozen after it: where it is 0 nothing of this is left in the programs. */
const volatile __u32 plumb_may_isolate __weak = 0;

/* It is in force. The agent alone has a descriptor that can write here. */
__u32 plumb_isolated __weak = 0;

static __always_inline int isolate_is_on(void)
{
	return plumb_may_isolate && *(const volatile __u32 *)&plumb_isolated;
}

static __always_inline int isolate_refuse(__u16 op, __u64 object, struct inode *inode,
					  struct dentry *name)
{
	struct plumb_event_guard *e = guard_begin(op, object, PLUMB_GUARD_DENIED);

	if (!e)
		return -GUARD_EPERM;
	if (inode) {
		e->ino = inode->i_ino;
		e->dev = inode->i_sb->s_dev;
	}
	mark_name(e->name, sizeof(e->name), name);
	maps_end(e);
	return -GUARD_EPERM;
}

/* The kernel is about to take code: modules, kernels to boot. Firmware, policies and keys it may still have. */
static __always_inline int isolate_load(__u16 what)
{
	if (!isolate_is_on() || guard_is_self())
		return 0;
	if (what != PLUMB_LOAD_MODULE && what != PLUMB_LOAD_MODULE_COMPRESSED &&
	    what != PLUMB_LOAD_KEXEC_IMAGE && what != PLUMB_LOAD_KEXEC_INITRAMFS)
		return 0;
	return isolate_refuse(PLUMB_GUARD_LOAD, what, 0, 0);
}

/* command: enum bpf_cmd; of those that load or attach. */
static __always_inline int isolate_bpf(__u32 command)
{
	if (!isolate_is_on() || guard_is_self())
		return 0;
	return isolate_refuse(PLUMB_GUARD_BPF, command, 0, 0);
}

#endif
