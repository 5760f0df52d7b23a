/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * mark.bpf.h: the mark of an inode, how it is handed on, and how a file record is made.
 * In: inodes and names as LSM hands them down. Out: PLUMB_MARK_* bits; file records in the ring. For LSM programs alone.
 */
#ifndef PLUMB_MARK_BPF_H
#define PLUMB_MARK_BPF_H

#include "inode.bpf.h"
#include "maps.bpf.h"

#define MARK_S_IFMT 0170000
#define MARK_S_IFDIR 0040000
#define MARK_INLINE 32 /* bytes of a name that lies in the dentry itself, on all kernels */

/* Marks that could not be set for want of memory: from then on something is not seen, and the agent must mark all anew. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} mark_failures SEC(".maps") __weak;

/* For most files there is no entry, and the look-up ends at a null pointer in the inode. */
static __always_inline __u32 mark_of(struct inode *inode)
{
	struct plumb_inode *kept;

	if (!inode)
		return 0;
	kept = bpf_inode_storage_get(&inodes, inode, 0, 0);
	return kept ? kept->mark : 0;
}

/* The same, for what is about to be written to: a digest that was taken of it holds no longer. */
static __always_inline __u32 mark_of_written(struct inode *inode)
{
	struct plumb_inode *kept;

	if (!inode)
		return 0;
	kept = bpf_inode_storage_get(&inodes, inode, 0, 0);
	if (!kept)
		return 0;
	kept->hashed = 0;
	return kept->mark;
}

/* The same of what is opened for writing, and whether it was mapped executable since the last time. */
static __always_inline __u32 mark_of_opened(struct inode *inode, int *ret_mapped)
{
	struct plumb_inode *kept = bpf_inode_storage_get(&inodes, inode, 0, 0);

	*ret_mapped = 0;
	if (!kept)
		return 0;
	*ret_mapped = kept->mapped;
	kept->mapped = 0;
	kept->hashed = 0;
	return kept->mark;
}

static __always_inline int mark_is_dir(struct inode *inode)
{
	return (inode->i_mode & MARK_S_IFMT) == MARK_S_IFDIR;
}

/* What lies in a directory with this mark gets this one. */
static __always_inline __u32 mark_below(__u32 dir, struct inode *inode)
{
	__u32 is_dir, mark = 0;

	if (!(dir & (PLUMB_MARK_DIR | PLUMB_MARK_GUARD_DIR)))
		return 0;
	is_dir = mark_is_dir(inode);
	if (dir & PLUMB_MARK_GUARD_DIR)
		mark = is_dir ? PLUMB_MARK_GUARD | PLUMB_MARK_GUARD_DIR : PLUMB_MARK_GUARD;
	if (dir & PLUMB_MARK_DIR && !is_dir)
		mark |= PLUMB_MARK_FILE;
	if (dir & PLUMB_MARK_DIR && dir & PLUMB_MARK_TREE && is_dir)
		mark |= PLUMB_MARK_DIR | PLUMB_MARK_TREE;
	return mark;
}

/*
 * Whoever has it open for writing when it gets the mark of a watched file is seen by nobody while he writes: the agent has to look for him.
 * That of the file whose name it takes is not its own.
 */
static __always_inline __u32 mark_written(__u32 had, __u32 mark, struct inode *inode)
{
	mark &= ~PLUMB_MARK_WRITTEN;
	if (mark & PLUMB_MARK_FILE && !(had & PLUMB_MARK_FILE) && inode->i_writecount.counter > 0)
		mark |= PLUMB_MARK_WRITTEN;
	return mark;
}

static __always_inline void mark_add(struct inode *inode, __u32 mark)
{
	struct plumb_inode *kept;
	__u32 zero = 0;
	__u64 *failed;

	if (!mark)
		return;
	kept = bpf_inode_storage_get(&inodes, inode, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (kept) {
		kept->mark |= mark_written(kept->mark, mark, inode);
		return;
	}
	failed = bpf_map_lookup_elem(&mark_failures, &zero);
	if (failed)
		(*failed)++;
}

/*
 * Where nothing may be read by address, a name of more than 31 bytes stays "": the agent looks at the whole directory. By offset and byte
 * for byte: the array has another size on each kernel, and a load of it whole cannot be relocated.
 */
static __always_inline void mark_name_inline(char *ret, struct dentry *dentry)
{
	struct dentry___shortname *now = (void *)dentry;
	struct dentry___iname *old = (void *)dentry;
	const volatile char *from = (void *)dentry;

	if (dentry->d_name.len >= MARK_INLINE)
		return;
	if (bpf_core_field_exists(now->d_shortname))
		from += bpf_core_field_offset(now->d_shortname);
	else
		from += bpf_core_field_offset(old->d_iname);
#pragma unroll
	for (int i = 0; i < MARK_INLINE - 1; i++)
		ret[i] = from[i];
}

/* One byte of a name that lies in the dentry; 0 of a longer one. */
static __always_inline char mark_letter(struct dentry *dentry, int at)
{
	struct dentry___shortname *now = (void *)dentry;
	struct dentry___iname *old = (void *)dentry;
	const volatile char *from = (void *)dentry;

	if (dentry->d_name.len >= MARK_INLINE)
		return 0;
	if (bpf_core_field_exists(now->d_shortname))
		from += bpf_core_field_offset(now->d_shortname);
	else
		from += bpf_core_field_offset(old->d_iname);
	return from[at];
}

/* ret is zeroed by now. */
static __always_inline void mark_name(char *ret, __u32 size, struct dentry *dentry)
{
	if (!dentry)
		return;
	if (plumb_may_probe)
		bpf_probe_read_kernel_str(ret, size, dentry->d_name.name);
	else
		mark_name_inline(ret, dentry);
}

/* All but names and the other directory; NULL: dropped, and counted. */
static __always_inline struct plumb_event_file *mark_begin(__u16 op, struct inode *inode,
							   struct inode *dir, __u32 mark)
{
	struct plumb_event_file *e = maps_begin(PLUMB_KIND_FILE, sizeof(*e));

	if (!e)
		return 0;
	maps_current(&e->task);
	if (inode)
		inode_file(&e->file, inode);
	else
		__builtin_memset(&e->file, 0, sizeof(e->file));
	e->dir_ino = dir ? dir->i_ino : 0;
	e->dir_dev = dir ? dir->i_sb->s_dev : 0;
	e->other_dir_ino = 0;
	e->other_dir_dev = 0;
	e->mark = mark;
	e->op = op;
	e->reserved = 0;
	__builtin_memset(e->name, 0, sizeof(e->name));
	__builtin_memset(e->other_name, 0, sizeof(e->other_name));
	return e;
}

/* 0: dropped. */
static __always_inline int mark_tell(__u16 op, struct inode *inode, struct inode *dir,
				     struct dentry *name, __u32 mark)
{
	struct plumb_event_file *e = mark_begin(op, inode, dir, mark);

	if (!e)
		return 0;
	mark_name(e->name, sizeof(e->name), name);
	maps_end(e);
	return 1;
}

/* Who has it open for writing now, or mapped, was not told: the agent has to look for him. */
static __always_inline void mark_untold(struct inode *inode)
{
	struct plumb_inode *kept = bpf_inode_storage_get(&inodes, inode, 0, 0);

	if (kept)
		kept->mark |= PLUMB_MARK_WRITTEN;
}

#endif
