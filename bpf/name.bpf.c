/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * name.bpf.c: names that come to marked directories and go from them, and marked inodes that are renamed, linked or removed.
 * In: LSM's hooks, before the deed is done, and d_instantiate, when the kernel ties a name to an inode. Out: file records; marks
 * on what takes a marked name or is looked up in a marked directory, so that they outlive the inode in memory.
 */
#include "guard.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Directories whose names are told. */
#define NAME_TOLD (PLUMB_MARK_DIR | PLUMB_MARK_NAMES)

static __always_inline int name_comes(__u16 op, struct inode *dir, struct dentry *dentry)
{
	__u32 mark = mark_of(dir);

	if (mark & NAME_TOLD)
		mark_tell(op, 0, dir, dentry, mark);
	return mark & PLUMB_MARK_GUARD_DIR ? guard_inode(op, 0, dir, dentry, mark) : 0;
}

SEC("lsm/inode_create")
int BPF_PROG(plumb_inode_create, struct inode *dir, struct dentry *dentry)
{
	return name_comes(PLUMB_FILE_CREATE, dir, dentry);
}

SEC("lsm/inode_mkdir")
int BPF_PROG(plumb_inode_mkdir, struct inode *dir, struct dentry *dentry)
{
	return name_comes(PLUMB_FILE_MKDIR, dir, dentry);
}

SEC("lsm/inode_mknod")
int BPF_PROG(plumb_inode_mknod, struct inode *dir, struct dentry *dentry)
{
	return name_comes(PLUMB_FILE_MKNOD, dir, dentry);
}

SEC("lsm/inode_symlink")
int BPF_PROG(plumb_inode_symlink, struct inode *dir, struct dentry *dentry)
{
	return name_comes(PLUMB_FILE_SYMLINK, dir, dentry);
}

/* A new name of a marked file, wherever it is, or of any file in a marked directory: that file is then marked, too. */
SEC("lsm/inode_link")
int BPF_PROG(plumb_inode_link, struct dentry *old_dentry, struct inode *dir,
	     struct dentry *new_dentry)
{
	struct inode *inode = old_dentry->d_inode;
	__u32 in = mark_of(dir), own = mark_of(inode);

	if (!((in & (NAME_TOLD | PLUMB_MARK_GUARD_DIR)) | (own & PLUMB_MARK_FILE)))
		return 0;
	if (inode)
		mark_add(inode, mark_below(in, inode));
	if ((in & NAME_TOLD) | (own & PLUMB_MARK_FILE))
		mark_tell(PLUMB_FILE_LINK, inode, dir, new_dentry, in | own);
	return in & PLUMB_MARK_GUARD_DIR
		       ? guard_inode(PLUMB_FILE_LINK, inode, dir, new_dentry, in | own)
		       : 0;
}

static __always_inline int name_goes(__u16 op, struct inode *dir, struct dentry *dentry)
{
	struct inode *inode = dentry->d_inode;
	__u32 in = mark_of(dir), own = mark_of(inode);

	if ((in & NAME_TOLD) | (own & PLUMB_MARK_WATCHED))
		mark_tell(op, inode, dir, dentry, in | own);
	return (in & PLUMB_MARK_GUARD_DIR) | (own & PLUMB_MARK_GUARD)
		       ? guard_inode(op, inode, dir, dentry, in | own)
		       : 0;
}

SEC("lsm/inode_unlink")
int BPF_PROG(plumb_inode_unlink, struct inode *dir, struct dentry *dentry)
{
	return name_goes(PLUMB_FILE_UNLINK, dir, dentry);
}

SEC("lsm/inode_rmdir")
int BPF_PROG(plumb_inode_rmdir, struct inode *dir, struct dentry *dentry)
{
	return name_goes(PLUMB_FILE_RMDIR, dir, dentry);
}

static __always_inline void name_moves(struct inode *inode, struct inode *old_dir,
				       struct dentry *old_dentry, struct inode *new_dir,
				       struct dentry *new_dentry, __u32 marks)
{
	struct plumb_event_file *e = mark_begin(PLUMB_FILE_RENAME, inode, old_dir, marks);

	if (!e)
		return;
	if (new_dir) {
		e->other_dir_ino = new_dir->i_ino;
		e->other_dir_dev = new_dir->i_sb->s_dev;
	}
	mark_name(e->name, sizeof(e->name), old_dentry);
	mark_name(e->other_name, sizeof(e->other_name), new_dentry);
	maps_end(e);
}

/*
 * The name that is taken, if that is ours, else the one that is left. taken: the inode that is written over, when it is marked; of others it
 * is not known here whether there is one, whatever the verifier takes for granted of a dentry.
 */
static __always_inline int name_guard_move(struct inode *inode, struct inode *old_dir,
					   struct dentry *old_dentry, struct inode *taken,
					   struct inode *new_dir, struct dentry *new_dentry,
					   __u32 to, __u32 marks)
{
	if (to & (PLUMB_MARK_GUARD_DIR | PLUMB_MARK_GUARD))
		return guard_inode(PLUMB_FILE_RENAME, taken, new_dir, new_dentry, marks);
	return guard_inode(PLUMB_FILE_RENAME, inode, old_dir, old_dentry, marks);
}

/* What takes a marked name is marked: it may be written to before the agent has looked. */
SEC("lsm/inode_rename")
int BPF_PROG(plumb_inode_rename, struct inode *old_dir, struct dentry *old_dentry,
	     struct inode *new_dir, struct dentry *new_dentry)
{
	struct inode *inode = old_dentry->d_inode, *target = new_dentry->d_inode;
	__u32 from = mark_of(old_dir), to = new_dir == old_dir ? from : mark_of(new_dir);
	__u32 own = mark_of(inode), taken = mark_of(target), all;

	all = from | to | own | taken;
	if (!all || !inode)
		return 0;
	/* The directories it comes from and goes to, and whoever is moved or written over. */
	mark_add(inode, mark_below(to, inode) | taken);
	if (((from | to) & NAME_TOLD) | ((own | taken) & PLUMB_MARK_WATCHED))
		name_moves(inode, old_dir, old_dentry, new_dir, new_dentry, all);
	if (((from | to) & PLUMB_MARK_GUARD_DIR) | ((own | taken) & PLUMB_MARK_GUARD))
		return name_guard_move(inode, old_dir, old_dentry, taken ? target : 0, new_dir,
				       new_dentry, to | taken, all);
	return 0;
}

/*
 * Runs when a name is looked up that was not in memory, and when one is made. Nothing goes through a struct file here, so storage
 * can be had on all kernels.
 */
SEC("lsm/d_instantiate")
int BPF_PROG(plumb_d_instantiate, struct dentry *dentry, struct inode *inode)
{
	struct dentry *parent;
	struct inode *dir;

	if (!inode)
		return 0;
	parent = dentry->d_parent;
	dir = parent->d_inode;
	if (!dir)
		return 0;
	mark_add(inode, mark_below(mark_of(dir), inode));
	return 0;
}
