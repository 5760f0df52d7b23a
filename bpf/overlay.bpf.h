/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * overlay.bpf.h: what the agent, which reads an overlay's files itself, cannot see of them: can anybody write to one, and would that show?
 * In: the overlay's inode. Out: an errno for a record's hash. Who maps a file through an overlay and closes it is counted at the inode of the
 * layer alone, as a writer; and a store through a mapping changes no time while the page is dirty. What is written past the overlay changes the
 * time and size of the layer's inode alone; the overlay's own have a copy of the day when it was made. So a record has the layer's, as stat does.
 */
#ifndef PLUMB_OVERLAY_BPF_H
#define PLUMB_OVERLAY_BPF_H

#include "core.bpf.h"
#include "inode.bpf.h"
#include "maps.bpf.h"

#define OVERLAY_MAGIC 0x794c7630u
#define OVERLAY_TMPFS 0x01021994u

#define OVERLAY_ETXTBSY 26 /* somebody can write to it now */
#define OVERLAY_ENODATA 61 /* nobody can; whoever will changes its time */
#define OVERLAY_EREMOTE 66 /* not known */
#define OVERLAY_ESTALE 116 /* nobody can; whoever will need not change its time */

static __always_inline int overlay_is(const struct inode *inode)
{
	return (__u32)inode->i_sb->s_magic == OVERLAY_MAGIC;
}

/* struct ovl_inode: the layer's dentry stands right behind the inode, in all versions since 4.13; the type itself is a module's. */
static __always_inline struct dentry *overlay_upper(struct inode *inode)
{
	struct dentry *upper = 0;

	bpf_probe_read_kernel(&upper, sizeof(upper),
			      (char *)inode + bpf_core_type_size(struct inode));
	return upper;
}

/*
 * The layer's inode, or NULL: not known. That of a file without an upper copy is what the overlay finds its own inode by (ovl_inode_set, since 4.14);
 * one with several names is not found again, and has none. What lies below it is in a place that is another in each version.
 */
static __always_inline struct inode *overlay_real(struct inode *inode)
{
	struct dentry *upper = overlay_upper(inode);

	return upper ? BPF_CORE_READ(upper, d_inode) : inode->i_private;
}

/* inode_ctime() of an inode that is only an address. */
static __always_inline __u64 overlay_ctime(struct inode *real)
{
	struct inode___private_ctime *middle = (void *)real;
	struct inode___ctime *old = (void *)real;

	if (bpf_core_field_exists(real->i_ctime_sec))
		return (__u64)BPF_CORE_READ(real, i_ctime_sec) * NS_PER_S +
		       (BPF_CORE_READ(real, i_ctime_nsec) & CTIME_NSEC_MASK);
	if (bpf_core_field_exists(middle->__i_ctime))
		return (__u64)BPF_CORE_READ(middle, __i_ctime.tv_sec) * NS_PER_S +
		       (__u64)BPF_CORE_READ(middle, __i_ctime.tv_nsec);
	return (__u64)BPF_CORE_READ(old, i_ctime.tv_sec) * NS_PER_S +
	       (__u64)BPF_CORE_READ(old, i_ctime.tv_nsec);
}

/* inode_file() of what is executed or mapped. */
static __always_inline void overlay_file(struct plumb_file *f, struct inode *inode)
{
	struct inode *real;

	inode_file(f, inode);
	if (!plumb_may_probe || !overlay_is(inode))
		return;
	real = overlay_real(inode);
	if (!real)
		return;
	f->file_size = (__u64)BPF_CORE_READ(real, i_size);
	f->ctime_ns = overlay_ctime(real);
}

/*
 * A layer in memory is never written to a disk, after which a store would show again. Below an overlay that somebody mounted who is not root he can
 * write past it, to the lower layers too. A layer that is an overlay's has no times to go by either.
 */
static __always_inline int overlay_error(struct inode *inode)
{
	struct inode *real;
	__u32 magic;

	if (inode->i_writecount.counter > 0)
		return OVERLAY_ETXTBSY;
	if (!plumb_may_probe)
		return OVERLAY_EREMOTE;
	real = overlay_real(inode);
	if (real && BPF_CORE_READ(real, i_writecount.counter) > 0)
		return OVERLAY_ETXTBSY;
	if (inode->i_sb->s_user_ns->level)
		return OVERLAY_ESTALE;
	magic = real ? (__u32)BPF_CORE_READ(real, i_sb, s_magic) : OVERLAY_MAGIC;
	if (magic == OVERLAY_MAGIC)
		return OVERLAY_EREMOTE;
	return magic == OVERLAY_TMPFS ? OVERLAY_ESTALE : OVERLAY_ENODATA;
}

#endif
