/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * overlay.bpf.h: what the agent, which reads an overlay's files itself, cannot see of them: can anybody write to one, and would that show?
 * In: the overlay's inode. Out: an errno for a record's hash. Who maps a file through an overlay and closes it is counted at the inode of the
 * layer alone, as a writer; and a store through a mapping changes no time while the page is dirty.
 */
#ifndef PLUMB_OVERLAY_BPF_H
#define PLUMB_OVERLAY_BPF_H

#include "core.bpf.h"
#include "maps.bpf.h"

#define OVERLAY_MAGIC 0x794c7630u
#define OVERLAY_TMPFS 0x01021994u

#define OVERLAY_ETXTBSY 26 /* somebody can write to it now */
#define OVERLAY_ENODATA 61 /* nobody can; whoever will changes its time */
#define OVERLAY_EREMOTE 66 /* not known */
#define OVERLAY_ESTALE 116 /* nobody can; whoever will need not change its time */

/* struct ovl_inode: the layer's dentry stands right behind the inode, in all versions since 4.13; the type itself is a module's. */
static __always_inline struct dentry *overlay_upper(struct inode *inode)
{
	struct dentry *upper = 0;

	bpf_probe_read_kernel(&upper, sizeof(upper),
			      (char *)inode + bpf_core_type_size(struct inode));
	return upper;
}

/*
 * A layer in memory is never written to a disk, after which a store would show again. Below an overlay that somebody mounted who is not root he can
 * write past it, to the lower layers too.
 */
static __always_inline int overlay_error(struct inode *inode)
{
	struct dentry *upper;
	struct inode *real;

	if (inode->i_writecount.counter > 0)
		return OVERLAY_ETXTBSY;
	if (!plumb_may_probe)
		return OVERLAY_EREMOTE;
	upper = overlay_upper(inode);
	if (!upper)
		return inode->i_sb->s_user_ns->level ? OVERLAY_ESTALE : OVERLAY_ENODATA;
	real = BPF_CORE_READ(upper, d_inode);
	if (BPF_CORE_READ(real, i_writecount.counter) > 0)
		return OVERLAY_ETXTBSY;
	return inode->i_sb->s_user_ns->level ||
			       (__u32)BPF_CORE_READ(real, i_sb, s_magic) == OVERLAY_TMPFS
		       ? OVERLAY_ESTALE
		       : OVERLAY_ENODATA;
}

static __always_inline int overlay_is(const struct inode *inode)
{
	return (__u32)inode->i_sb->s_magic == OVERLAY_MAGIC;
}

#endif
