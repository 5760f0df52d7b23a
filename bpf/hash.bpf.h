/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * hash.bpf.h: the digest of a file's bytes as the kernel (IMA) reads them, taken once for each version of it.
 * In: an open file, in a sleepable LSM program. Out: struct plumb_hash. The digest is kept at the inode and is good while size
 * and change time are the same and nobody has opened the file for writing since: the programs of file.bpf.c forget it then. Of what may be
 * written to all the while it is taken, told with an error beside it, and never kept.
 */
#ifndef PLUMB_HASH_BPF_H
#define PLUMB_HASH_BPF_H

#include "inode.bpf.h"
#include "maps.bpf.h"
#include "overlay.bpf.h"

#define HASH_ALGO_SHA256 4 /* enum hash_algo, part of the kernel's ABI */
#define HASH_FILE_MAX \
	(256ull << 20) /* bytes; whoever runs more waits for the agent to read it, not for us */

/* errno values that a record's hash.error may have besides those of the helper */
#define HASH_ETXTBSY 26 /* with a digest: what it was then, and need not be what runs */
#define HASH_EFBIG 27
#define HASH_EREMOTE \
	66 /* the file is not (only) this kernel's: what it reads now need not be what it reads then */
#define HASH_EOPNOTSUPP 95
#define HASH_ETYPE 93 /* EPROTONOSUPPORT: IMA is set to another algorithm */

/* The loader says so when all that can write to a file is seen (file_open, setattr); frozen after the load. */
const volatile __u32 plumb_hash_keep __weak = 0;

/*
 * FUSE, NFS, 9p, CIFS, AFS: the other side may give other bytes at each read. Overlayfs: its inode does not show a change that
 * is made below it, so nothing could be kept, and a health check would cost a whole read each second. The agent reads these.
 */
static __always_inline int hash_is_foreign(__u32 magic)
{
	return magic == 0x65735546 || magic == 0x6969 || magic == 0x01021997 ||
	       magic == 0xff534d42 || magic == 0xfe534d42 || magic == 0x5346414f ||
	       magic == 0x794c7630;
}

#define HASH_TMPFS 0x01021994
#define HASH_HUGETLBFS 0x958458f6
#define HASH_SB_KERNMOUNT (1u << 22)
#define HASH_SEALS 0xa /* F_SEAL_SHRINK, F_SEAL_WRITE */

/* memfd, System V's and anonymous shared memory: files of a mount that the kernel made for itself. */
static __always_inline int hash_is_memory(const struct inode *inode)
{
	const struct super_block *sb = inode->i_sb;
	__u32 magic = (__u32)sb->s_magic;

	return (magic == HASH_TMPFS || magic == HASH_HUGETLBFS) && sb->s_flags & HASH_SB_KERNMOUNT;
}

/*
 * For good: seals are only added. Where nothing may be read by address, by what a seal does to the mapping; while it is still tried, for
 * somebody may hold a page, the inode is locked.
 */
static __always_inline int hash_is_sealed(struct inode *inode)
{
	struct shmem_inode_info *info;

	if (plumb_may_probe && bpf_core_field_exists(struct shmem_inode_info, seals)) {
		if ((__u32)inode->i_sb->s_magic != HASH_TMPFS)
			return 0;
		info = (void *)((char *)inode -
				bpf_core_field_offset(struct shmem_inode_info, vfs_inode));
		return (BPF_CORE_READ(info, seals) & HASH_SEALS) == HASH_SEALS;
	}
	return inode->i_mapping->i_mmap_writable.counter < 0 &&
	       (!bpf_core_field_exists(inode->i_rwsem.count) ||
		!(inode->i_rwsem.count.counter & 1));
}

/*
 * Nobody counts the first descriptor of such memory, and a store through a mapping changes no time: what is in it may be other at each look,
 * until it is sealed.
 */
static __always_inline int hash_is_loose(struct inode *inode)
{
	return hash_is_memory(inode) && !hash_is_sealed(inode);
}

static __always_inline void hash_keep(struct inode *inode, const struct plumb_file *f,
				      const struct plumb_hash *h)
{
	struct plumb_inode *kept;

	if (!plumb_hash_keep || inode->i_writecount.counter > 0 ||
	    inode_ctime(inode) != f->ctime_ns || (__u64)inode->i_size != f->file_size)
		return;
	kept = bpf_inode_storage_get(&inodes, inode, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!kept)
		return;
	kept->hash_ctime_ns = f->ctime_ns;
	kept->hash_file_size = f->file_size;
	__builtin_memcpy(kept->digest, h->digest, sizeof(kept->digest));
	kept->hashed = 1;
}

static __always_inline int hash_was_kept(struct plumb_hash *h, struct inode *inode,
					 const struct plumb_file *f)
{
	struct plumb_inode *kept;

	kept = plumb_hash_keep ? bpf_inode_storage_get(&inodes, inode, 0, 0) : 0;
	if (!kept || !kept->hashed || kept->hash_ctime_ns != f->ctime_ns ||
	    kept->hash_file_size != f->file_size || inode->i_writecount.counter > 0)
		return 0;
	__builtin_memcpy(h->digest, kept->digest, sizeof(h->digest));
	h->src = PLUMB_HASH_IMA;
	return 1;
}

/*
 * Fills all of h. f is what overlay_file() says of the same file. Sealed memory stays so, whoever has a file open for writing may have closed it
 * meanwhile: the one is asked before the digest is taken, the other before and after.
 */
static __always_inline void hash_file(struct plumb_hash *h, struct file *file, struct inode *inode,
				      const struct plumb_file *f)
{
	int written = hash_is_loose(inode);
	long r;

	__builtin_memset(h, 0, sizeof(*h));
	if (hash_is_foreign(f->fs_magic)) {
		h->error = overlay_is(inode) ? -overlay_error(inode) : -HASH_EREMOTE;
		return;
	}
	if (f->file_size > HASH_FILE_MAX) {
		h->error = written ? -HASH_ETXTBSY : -HASH_EFBIG;
		return;
	}
	if (!written && hash_was_kept(h, inode, f))
		return;
	written |= inode->i_writecount.counter > 0;
	r = bpf_ima_file_hash(file, h->digest, sizeof(h->digest));
	if (r != HASH_ALGO_SHA256) {
		__builtin_memset(h->digest, 0, sizeof(h->digest));
		h->error = r < 0 ? r : -HASH_ETYPE;
	} else {
		h->src = PLUMB_HASH_IMA;
	}
	if (written || inode->i_writecount.counter > 0)
		h->error = -HASH_ETXTBSY;
	else if (h->src == PLUMB_HASH_IMA)
		hash_keep(inode, f, h);
}

#endif
