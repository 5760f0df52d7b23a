/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * file.bpf.c: marked files as they are opened for writing, cloned into, or given other attributes; and, as the hooks are the same,
 * scripts that interpreters open, and who writes to binfmt_misc (code.bpf.h). (What is mapped: map.bpf.c.)
 * In: LSM's hooks, before the deed is done. Out: file records; a digest that is kept of what will be written to is forgotten.
 * The mark is the file's own: a struct file leads to no parent that storage can be had of on kernels since 6.18.
 */
#include "code.bpf.h"
#include "guard.bpf.h"
#include "surface.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define FILE_FMODE_WRITE 2
#define FILE_MAY_WRITE 2
#define FILE_FICLONE 0x40049409
#define FILE_FICLONERANGE 0x4020940d
#define FILE_SETFLAGS 0x40086602
#define FILE_SETFLAGS_32 0x40046602
#define FILE_FSSETXATTR 0x401c5820
/* Another file's blocks in place of its own, by a descriptor that may be open for long: nobody opens, and no write is told. */
#define FILE_EXT4_SWAP_BOOT 0x6611
/* Kind and number alone: their size is another one in a 32-bit program's. */
#define FILE_EXT4_MOVE_EXT_NR 0x660f
#define FILE_XFS_SWAPEXT_NR 0x586d
#define FILE_XFS_EXCHANGE_RANGE_NR 0x5881
#define FILE_XFS_COMMIT_RANGE_NR 0x5883
#define FILE_F2FS_MOVE_RANGE_NR 0xf509
#define FILE_EXT4 0xef53
#define FILE_XFS 0x58465342
#define FILE_F2FS 0xf2f52010

/* The name that it was done by, and the directory's number: read, not asked for its storage. */
static __always_inline int file_tell(__u16 op, struct file *file, __u32 mark)
{
	struct dentry *dentry = file->f_path.dentry;
	struct inode *dir = dentry->d_parent->d_inode;

	return mark_tell(op, file->f_inode, dir, dentry, mark);
}

/* What the agent's own file is opened for, unless by itself. */
static __always_inline int file_guard(__u16 op, struct file *file, __u32 mark)
{
	struct dentry *dentry = file->f_path.dentry;

	if (!(mark & (PLUMB_MARK_GUARD | PLUMB_MARK_GUARD_CGROUP | PLUMB_MARK_GUARD_LIMIT)))
		return 0;
	return guard_inode(op, file->f_inode, dentry->d_parent->d_inode, dentry, mark);
}

static __always_inline int file_open_to_write(struct file *file, int *ret_mapped)
{
	__u32 mark;

	*ret_mapped = 0;
	if (!(file->f_mode & FILE_FMODE_WRITE))
		return 0;
	mark = mark_of_opened(file->f_inode, ret_mapped);
	if (mark & PLUMB_MARK_FILE && !file_tell(PLUMB_FILE_OPEN_WRITE, file, mark))
		mark_untold(file->f_inode);
	surface_opened(file);
	return mark ? file_guard(PLUMB_FILE_OPEN_WRITE, file, mark) : 0;
}

SEC("lsm/file_open")
int BPF_PROG(plumb_file_open, struct file *file)
{
	int mapped, r = file_open_to_write(file, &mapped);

	code_opened(file, file->f_mode & FILE_FMODE_WRITE, mapped);
	return r;
}

/* Marks are what a kernel that refuses the other part still has. */
SEC("lsm/file_open")
int BPF_PROG(plumb_file_open__plain, struct file *file)
{
	int mapped;

	return file_open_to_write(file, &mapped);
}

/* Attached only while descriptors are open that are older than the marks: it runs at every read and write of everything. */
SEC("lsm/file_permission")
int BPF_PROG(plumb_file_permission, struct file *file, int mask)
{
	__u32 mark;

	if (!(mask & FILE_MAY_WRITE))
		return 0;
	mark = mark_of(file->f_inode);
	if (mark & PLUMB_MARK_FILE)
		file_tell(PLUMB_FILE_WRITE, file, mark);
	return 0;
}

static __always_inline void file_command(struct file *file, unsigned int cmd)
{
	struct inode *inode = file->f_inode;
	unsigned short type = inode->i_mode & MARK_S_IFMT;
	struct plumb_event_surface *e;

	if (type != SURFACE_S_IFBLK && type != SURFACE_S_IFCHR)
		return;
	if (surface_is_old_command(cmd) && !surface_is_disk(type, inode->i_rdev))
		return;
	e = surface_begin_once(PLUMB_SURFACE_COMMAND, inode->i_rdev);
	if (!e)
		return;
	e->number = inode->i_rdev;
	e->fs_magic = type;
	e->other = cmd;
	maps_end(e);
}

static __always_inline void file_system_command(struct file *file, unsigned int cmd)
{
	struct super_block *sb = file->f_inode->i_sb;
	__u32 dev = sb->s_dev;
	struct plumb_event_surface *e;

	if (!surface_may_command(sb))
		return;
	/* To thaw at once is another deed than to freeze. */
	e = surface_begin_once(PLUMB_SURFACE_COMMAND, (__u64)cmd << 32 | dev);
	if (!e)
		return;
	e->number = dev;
	e->fs_magic = SURFACE_S_IFBLK;
	e->other = cmd;
	maps_end(e);
}

static __always_inline int file_is_exchange(unsigned int cmd)
{
	__u32 nr = cmd & 0xffff;

	return nr == FILE_EXT4_MOVE_EXT_NR || nr == FILE_XFS_SWAPEXT_NR ||
	       nr == FILE_XFS_EXCHANGE_RANGE_NR || nr == FILE_XFS_COMMIT_RANGE_NR ||
	       nr == FILE_F2FS_MOVE_RANGE_NR;
}

/* Which the other file is stands in the argument, that may be another one when the kernel reads it: only where they lie is told. */
static __always_inline void file_exchange(struct file *file, unsigned int cmd)
{
	struct inode *inode = file->f_inode;
	unsigned short type = inode->i_mode & MARK_S_IFMT;
	/* XFS_IOC_SWAPEXT names both, and asks any file of any XFS. */
	__u32 dev = (cmd & 0xffff) == FILE_XFS_SWAPEXT_NR ? 0 : inode->i_sb->s_dev;
	struct plumb_event_surface *e;

	__u32 magic = inode->i_sb->s_magic;

	/* The kernel refuses it of all others. */
	if (type != CODE_S_IFREG || !(file->f_mode & FILE_FMODE_WRITE) ||
	    (magic != FILE_EXT4 && magic != FILE_XFS && magic != FILE_F2FS))
		return;
	e = surface_begin_once(PLUMB_SURFACE_EXCHANGE, dev);
	if (!e)
		return;
	e->number = dev;
	e->other = cmd;
	maps_end(e);
}

static __always_inline int file_changes_it(unsigned int cmd)
{
	return cmd == FILE_FICLONE || cmd == FILE_FICLONERANGE || cmd == FILE_SETFLAGS ||
	       cmd == FILE_SETFLAGS_32 || cmd == FILE_FSSETXATTR || cmd == FILE_EXT4_SWAP_BOOT ||
	       file_is_exchange(cmd);
}

static __always_inline int file_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	__u32 mark;

	if (surface_is_command(cmd) || (surface_is_admin(cmd) && !surface_admin_asks(arg))) {
		file_command(file, cmd);
		return 0;
	}
	if (surface_is_for_all(cmd)) {
		file_system_command(file, cmd);
		return 0;
	}
	if (file_is_exchange(cmd))
		file_exchange(file, cmd);
	if (!file_changes_it(cmd))
		return 0;
	mark = mark_of_written(file->f_inode);
	if (mark & (PLUMB_MARK_FILE | PLUMB_MARK_DIR))
		file_tell(PLUMB_FILE_IOCTL, file, mark);
	return file_guard(PLUMB_FILE_IOCTL, file, mark);
}

SEC("lsm/file_ioctl")
int BPF_PROG(plumb_file_ioctl, struct file *file, unsigned int cmd, unsigned long arg)
{
	return file_ioctl(file, cmd, arg);
}

/* A 32-bit program's have a hook of their own, where they have one (6.8, and stable ones before it). */
SEC("lsm/file_ioctl_compat")
int BPF_PROG(plumb_file_ioctl_compat, struct file *file, unsigned int cmd, unsigned long arg)
{
	return file_ioctl(file, cmd, arg);
}

/* Commands that io_uring hands to a driver itself. Since 6.0. */
SEC("lsm/uring_cmd")
int BPF_PROG(plumb_uring_cmd, struct io_uring_cmd *command)
{
	if (surface_is_uring_command(command->cmd_op) && !surface_uring_asks(command))
		file_command(command->file, command->cmd_op);
	return 0;
}

static __always_inline int file_attributes(__u16 op, struct dentry *dentry)
{
	struct inode *inode = dentry->d_inode;
	__u32 mark = mark_of_written(inode);

	if (mark & (PLUMB_MARK_FILE | PLUMB_MARK_DIR))
		mark_tell(op, inode, dentry->d_parent->d_inode, dentry, mark);
	if (mark & PLUMB_MARK_GUARD)
		return guard_inode(op, inode, dentry->d_parent->d_inode, dentry, mark);
	return 0;
}

/* Which form of a hook a kernel has is told by its BTF: the wrong one would load. */
SEC("lsm/inode_setattr")
int BPF_PROG(plumb_inode_setattr, void *idmap, struct dentry *dentry)
{
	return file_attributes(PLUMB_FILE_SETATTR, dentry);
}

SEC("lsm/inode_setattr")
int BPF_PROG(plumb_inode_setattr__old, struct dentry *dentry)
{
	return file_attributes(PLUMB_FILE_SETATTR, dentry);
}

SEC("lsm/inode_setxattr")
int BPF_PROG(plumb_inode_setxattr, void *idmap, struct dentry *dentry)
{
	return file_attributes(PLUMB_FILE_XATTR, dentry);
}

SEC("lsm/inode_setxattr")
int BPF_PROG(plumb_inode_setxattr__old, struct dentry *dentry)
{
	return file_attributes(PLUMB_FILE_XATTR, dentry);
}

SEC("lsm/inode_removexattr")
int BPF_PROG(plumb_inode_removexattr, void *idmap, struct dentry *dentry)
{
	return file_attributes(PLUMB_FILE_XATTR, dentry);
}

SEC("lsm/inode_removexattr")
int BPF_PROG(plumb_inode_removexattr__old, struct dentry *dentry)
{
	return file_attributes(PLUMB_FILE_XATTR, dentry);
}

/* Since 6.2 access control lists do not pass setxattr. */
SEC("lsm/inode_set_acl")
int BPF_PROG(plumb_inode_set_acl, void *idmap, struct dentry *dentry)
{
	return file_attributes(PLUMB_FILE_XATTR, dentry);
}

/* Since 6.17 flags that are set by file_setattr(2). */
SEC("lsm/inode_file_setattr")
int BPF_PROG(plumb_inode_file_setattr, struct dentry *dentry)
{
	return file_attributes(PLUMB_FILE_IOCTL, dentry);
}
