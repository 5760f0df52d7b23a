/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * map.bpf.c: what is mapped: marked files that can be written to through a mapping, files and memory that become executable.
 * In: LSM's mmap_file and file_mprotect. Out: file and code records. Decides nothing but what was told already: a version of a file once in a
 * mount namespace, memory once for a process image. One program at each hook: being called costs more than what most calls are looked at for.
 */
#include "code.bpf.h"
#include "hash.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define MAP_PROT_WRITE 2
#define MAP_TYPE_MASK 0x0f
#define MAP_TYPE_SHARED 1
#define MAP_TYPE_SHARED_VALIDATE 3
#define MAP_FMODE_WRITE 2
#define MAP_VM_EXEC 4
#define MAP_VM_MAYSHARE 0x80

/* Most mappings are neither, as the loader maps data. */
static __always_inline int map_is_shared(unsigned long flags)
{
	unsigned long type = flags & MAP_TYPE_MASK;

	return type == MAP_TYPE_SHARED || type == MAP_TYPE_SHARED_VALIDATE;
}

static __always_inline void map_shared(struct file *file, unsigned long prot)
{
	struct dentry *dentry = file->f_path.dentry;
	__u32 mark;

	/* What may not be written to yet may be after an mprotect, if the descriptor may. */
	if (!(prot & MAP_PROT_WRITE) && !(file->f_mode & MAP_FMODE_WRITE))
		return;
	mark = mark_of_written(file->f_inode);
	if (mark & PLUMB_MARK_FILE &&
	    !mark_tell(PLUMB_FILE_MMAP, file->f_inode, dentry->d_parent->d_inode, dentry, mark))
		mark_untold(file->f_inode);
}

/*
 * Memory, though a file stands for it. It can be written to by another mapping, as by compilers at run time that map twice: what was read of it
 * would say nothing. Who maps a memfd for himself alone, as a loader does, maps a file.
 */
static __always_inline int map_is_memory(struct file *file, int shared)
{
	struct inode *inode = file->f_inode;

	return hash_is_memory(inode) && (shared || (__u32)inode->i_sb->s_magic == HASH_HUGETLBFS);
}

/*
 * Is there a digest at the inode, or can there be none? Whoever opened the file for writing took it away, and then it is another version. Memory
 * that is not sealed is told as what can be written to, whatever is in it.
 */
static __always_inline int map_is_same(const struct plumb_inode *kept, struct inode *inode,
				       const struct plumb_file *f)
{
	if (!plumb_hash_keep || hash_is_foreign(f->fs_magic) || f->file_size > HASH_FILE_MAX)
		return 1;
	return (kept && kept->hashed) || hash_is_loose(inode);
}

static __always_inline int map_was_told(const struct plumb_file *f, __u64 life_ns, __u32 mnt_ns)
{
	struct code_place place = {.ino = f->ino, .dev = f->dev, .mnt_ns = mnt_ns};
	struct code_version *told = bpf_map_lookup_elem(&code_told, &place);

	return told && life_ns && told->life_ns == life_ns && told->ctime_ns == f->ctime_ns &&
	       told->file_size == f->file_size;
}

static __always_inline int map_is_exe(const struct inode *inode, struct file *exe)
{
	struct plumb_file f;

	code_exe_file(&f, exe);
	return f.ino == inode->i_ino && f.dev == inode->i_sb->s_dev;
}

/* What was read need not be what runs: whoever can write to it now can still do so when it is mapped. */
static __always_inline void map_is_written(struct code_found *c, struct inode *inode)
{
	if (overlay_is(inode))
		c->hash.error = -overlay_error(inode);
	if (inode->i_writecount.counter > 0 || hash_is_loose(inode))
		c->hash.error = -HASH_ETXTBSY;
}

/* Who opens it for writing from now on exchanges code that runs: file.bpf.c tells. The one before was told, and the mark taken from it. */
static __always_inline struct plumb_inode *map_keep_mapped(struct inode *inode)
{
	struct plumb_inode *kept =
		bpf_inode_storage_get(&inodes, inode, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!kept)
		return 0;
	kept->mapped = 1;
	if (!kept->life_ns)
		kept->life_ns = bpf_ktime_get_boot_ns();
	return kept;
}

static __always_inline void map_code(struct file *file, __u32 prot, __u32 flags, int may_hash)
{
	struct code_found c = {.prot = prot,
			       .flags = flags,
			       .file = file,
			       .what = PLUMB_CODE_MAP,
			       .walk = 1,
			       .hash = {.error = -HASH_EOPNOTSUPP}};
	struct plumb_inode *kept;
	__u32 mnt_ns;

	if (map_is_exe(file->f_inode, code_exe(&mnt_ns))) /* told by its exec */
		return;
	overlay_file(&c.f, file->f_inode);
	kept = map_keep_mapped(file->f_inode);
	c.life_ns = kept ? kept->life_ns : 0;
	if (map_was_told(&c.f, c.life_ns, mnt_ns) &&
	    (!may_hash || map_is_same(kept, file->f_inode, &c.f)))
		return;
	/* Before there is a record: the ring's reader waits for each that is begun. */
	if (may_hash)
		hash_file(&c.hash, file, file->f_inode, &c.f);
	map_is_written(&c, file->f_inode);
	code_tell(&c, mnt_ns, may_hash ? CODE_PATH_OR_KERNEL : CODE_PATH_IF_ALLOWED);
}

static __always_inline int map_file(void *ctx, struct file *file, unsigned long prot,
				    unsigned long flags, int may_hash)
{
	int shared = map_is_shared(flags);

	if (!shared && !(prot & CODE_PROT_EXEC))
		return 0;
	if (core_no_file(ctx, file) || !file || map_is_memory(file, shared)) {
		if (prot & CODE_PROT_EXEC)
			code_anonymous(prot, flags);
		return 0;
	}
	if (shared)
		map_shared(file, prot);
	if (prot & CODE_PROT_EXEC)
		map_code(file, prot, flags, may_hash);
	return 0;
}

SEC("lsm.s/mmap_file")
int BPF_PROG(plumb_mmap_file, struct file *file, unsigned long reqprot, unsigned long prot,
	     unsigned long flags)
{
	return map_file(ctx, file, prot, flags, 1);
}

/* 5.10: no digests in the kernel, and no ring in a program that may sleep. The agent reads the file. */
SEC("lsm/mmap_file")
int BPF_PROG(plumb_mmap_file__plain, struct file *file, unsigned long reqprot, unsigned long prot,
	     unsigned long flags)
{
	return map_file(ctx, file, prot, flags, 0);
}

/* Marks are what a kernel that refuses the other part still has. */
SEC("lsm/mmap_file")
int BPF_PROG(plumb_mmap_file__marks, struct file *file, unsigned long reqprot, unsigned long prot,
	     unsigned long flags)
{
	if (map_is_shared(flags) && !core_no_file(ctx, file) && file)
		map_shared(file, prot);
	return 0;
}

/* What was mapped without PROT_EXEC and gets it now. Where no path can be walked it is refused, and absent: the kernel writes none here. */
SEC("lsm/file_mprotect")
int BPF_PROG(plumb_code_mprotect, struct vm_area_struct *vma, unsigned long reqprot,
	     unsigned long prot)
{
	struct code_found c = {.prot = prot, .walk = 1, .hash = {.error = -HASH_EOPNOTSUPP}};
	struct plumb_inode *kept;
	struct file *exe, *file;
	__u32 mnt_ns;

	if (!(prot & CODE_PROT_EXEC) || vma->vm_flags & MAP_VM_EXEC)
		return 0;
	file = vma->vm_file;
	exe = code_exe(&mnt_ns);
	if (!file || map_is_memory(file, !!(vma->vm_flags & MAP_VM_MAYSHARE))) {
		code_find_memory(&c, PLUMB_CODE_ANONYMOUS, exe);
	} else if (vma->anon_vma) {
		code_find_memory(&c, PLUMB_CODE_WRITTEN, exe);
	} else {
		overlay_file(&c.f, file->f_inode);
		c.file = file;
		map_is_written(&c, file->f_inode);
		kept = map_keep_mapped(file->f_inode);
		c.life_ns = kept ? kept->life_ns : 0;
		if (!map_was_told(&c.f, c.life_ns, mnt_ns))
			c.what = PLUMB_CODE_MAP;
	}
	return code_tell(&c, mnt_ns, CODE_PATH_WALKED);
}
