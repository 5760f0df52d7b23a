/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * inode.bpf.h: what a record says of a file: numbers, size, change time, owner.
 * In: a struct inode with its type. Out: struct plumb_file, every byte of it.
 */
#ifndef PLUMB_INODE_BPF_H
#define PLUMB_INODE_BPF_H

#include "core.bpf.h"

#define NS_PER_S 1000000000ull
#define CTIME_NSEC_MASK \
	0x7fffffffu /* since 6.13 bit 31 says that somebody asked for the time (I_CTIME_QUERIED) */

static __always_inline __u64 inode_ctime(struct inode *inode)
{
	struct inode___private_ctime *middle = (void *)inode;
	struct inode___ctime *old = (void *)inode;

	if (bpf_core_field_exists(inode->i_ctime_sec))
		return (__u64)inode->i_ctime_sec * NS_PER_S +
		       (inode->i_ctime_nsec & CTIME_NSEC_MASK);
	if (bpf_core_field_exists(middle->__i_ctime))
		return (__u64)middle->__i_ctime.tv_sec * NS_PER_S +
		       (__u64)middle->__i_ctime.tv_nsec;
	return (__u64)old->i_ctime.tv_sec * NS_PER_S + (__u64)old->i_ctime.tv_nsec;
}

static __always_inline void inode_file(struct plumb_file *f, struct inode *inode)
{
	f->ino = inode->i_ino;
	f->file_size = (__u64)inode->i_size;
	f->ctime_ns = inode_ctime(inode);
	f->dev = inode->i_sb->s_dev;
	f->mode = inode->i_mode;
	f->uid = inode->i_uid.val;
	f->gid = inode->i_gid.val;
	f->nlink = inode->i_nlink;
	f->fs_magic = (__u32)inode->i_sb->s_magic;
}

#endif
