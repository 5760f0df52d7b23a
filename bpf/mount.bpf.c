/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * mount.bpf.c: mounts over marked files and directories, in whatever mount namespace, and unmounts from them.
 * In: LSM's sb_mount, move_mount and sb_umount, before the deed is done. Out: mount records.
 */
#include "guard.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline struct plumb_event_mount *mount_begin(__u16 op, struct inode *inode,
							     __u32 mark, __u64 flags)
{
	struct plumb_event_mount *e = maps_begin(PLUMB_KIND_MOUNT, sizeof(*e));

	if (!e)
		return 0;
	maps_current(&e->task);
	inode_file(&e->file, inode);
	e->flags = flags;
	e->mark = mark;
	e->op = op;
	e->reserved = 0;
	__builtin_memset(e->fstype, 0, sizeof(e->fstype));
	__builtin_memset(e->source, 0, sizeof(e->source));
	return e;
}

/* Over what is the agent's own, or from it. */
static __always_inline int mount_guard(struct inode *inode, __u32 mark)
{
	if (!(mark & (PLUMB_MARK_GUARD | PLUMB_MARK_GUARD_DIR)) || guard_is_self())
		return 0;
	return guard_tell(PLUMB_GUARD_MOUNT, inode->i_ino, 1);
}

SEC("lsm/sb_mount")
int BPF_PROG(plumb_sb_mount, const char *dev_name, struct path *path, const char *type,
	     unsigned long flags)
{
	struct inode *inode = path->dentry->d_inode;
	__u32 mark = mark_of(inode);
	struct plumb_event_mount *e;

	if (!(mark & PLUMB_MARK_WATCHED))
		return mark ? mount_guard(inode, mark) : 0;
	e = mount_begin(PLUMB_MOUNT_MOUNT, inode, mark, flags);
	if (!e)
		return mount_guard(inode, mark);
	if (plumb_may_probe) {
		bpf_probe_read_kernel_str(e->fstype, sizeof(e->fstype), type);
		bpf_probe_read_kernel_str(e->source, sizeof(e->source), dev_name);
	}
	maps_end(e);
	return mount_guard(inode, mark);
}

SEC("lsm/move_mount")
int BPF_PROG(plumb_move_mount, struct path *from_path, struct path *to_path)
{
	struct inode *inode = to_path->dentry->d_inode;
	__u32 mark = mark_of(inode);
	struct plumb_event_mount *e;

	if (!(mark & PLUMB_MARK_WATCHED))
		return mark ? mount_guard(inode, mark) : 0;
	e = mount_begin(PLUMB_MOUNT_MOVE, inode, mark, 0);
	if (e)
		maps_end(e);
	return mount_guard(inode, mark);
}

/* The root of the mount that goes: also that of another mount of a watched directory. */
SEC("lsm/sb_umount")
int BPF_PROG(plumb_sb_umount, struct vfsmount *mnt, int flags)
{
	struct inode *inode = mnt->mnt_root->d_inode;
	__u32 mark = mark_of(inode);
	struct plumb_event_mount *e;

	if (!(mark & PLUMB_MARK_WATCHED))
		return mark ? mount_guard(inode, mark) : 0;
	e = mount_begin(PLUMB_MOUNT_UMOUNT, inode, mark, flags);
	if (e)
		maps_end(e);
	return mount_guard(inode, mark);
}
