/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * hash.bpf.h: the digest of a file's bytes as the kernel (IMA) reads them, taken once for each version of it.
 * In: an open file, in a sleepable LSM program. Out: struct plumb_hash. The digest is kept at the inode and is good while size
 * and change time are the same and nobody has opened the file for writing since: the programs of file.bpf.c forget it then.
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

/* Fills all of h. f is what inode_file() says of the same file. */
static __always_inline void hash_file(struct plumb_hash *h, struct file *file, struct inode *inode,
				      const struct plumb_file *f)
{
	struct plumb_inode *kept;
	long r;

	__builtin_memset(h, 0, sizeof(*h));
	if (hash_is_foreign(f->fs_magic)) {
		h->error = overlay_is(inode) ? -overlay_error(inode) : -HASH_EREMOTE;
		return;
	}
	if (f->file_size > HASH_FILE_MAX) {
		h->error = -HASH_EFBIG;
		return;
	}
	kept = plumb_hash_keep ? bpf_inode_storage_get(&inodes, inode, 0, 0) : 0;
	if (kept && kept->hashed && kept->hash_ctime_ns == f->ctime_ns &&
	    kept->hash_file_size == f->file_size && inode->i_writecount.counter <= 0) {
		__builtin_memcpy(h->digest, kept->digest, sizeof(h->digest));
		h->src = PLUMB_HASH_IMA;
		return;
	}
	r = bpf_ima_file_hash(file, h->digest, sizeof(h->digest));
	if (r != HASH_ALGO_SHA256) {
		__builtin_memset(h->digest, 0, sizeof(h->digest));
		h->error = r < 0 ? r : -HASH_ETYPE;
		return;
	}
	h->src = PLUMB_HASH_IMA;
	hash_keep(inode, f, h);
}

#endif
