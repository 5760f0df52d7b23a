/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * path.bpf.h: the absolute path of a file, walked from its dentry up through its mounts, in bounded steps.
 * In: a struct file. Out: a NUL-terminated path in a buffer of PLUMB_PATH_MAX bytes, every byte of which is written.
 * The path is that of the file's own mount namespace and ignores chroot. (bpf_d_path is not allowed in tracepoints.)
 */
#ifndef PLUMB_PATH_BPF_H
#define PLUMB_PATH_BPF_H

#include "core.bpf.h"

#define PATH_STEPS \
	96 /* names and mount points; more than that in 1,023 bytes is somebody's game, and told as cut */
#define PATH_NAME_MASK 255

/* Names are put from the back of the lower half; the upper half stays zero, so that one copy of a fixed size fills all. */
struct path_scratch {
	char bytes[2 * PLUMB_PATH_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct path_scratch);
} path_scratch SEC(".maps") __weak;

struct path_walk {
	struct dentry *dentry;
	struct mount *mount;
	__u32 at; /* where the path begins in the scratch */
};

/* The mount that a vfsmount lies in. */
static __always_inline struct mount *path_mount(struct vfsmount *mnt)
{
	return (struct mount *)((char *)mnt - bpf_core_field_offset(struct mount, mnt));
}

/* Puts "/name" before what stands. 0, or -1 when it does not fit. */
static __always_inline int path_put(struct path_scratch *s, struct path_walk *w)
{
	struct dentry *dentry =
		w->dentry; /* BPF_CORE_READ relocates every access inside it, also ours */
	const unsigned char *name = BPF_CORE_READ(dentry, d_name.name);
	__u32 len = BPF_CORE_READ(dentry, d_name.len);
	__u32 at = w->at;

	if (len > PATH_NAME_MASK || at < len + 1)
		return -1;
	at -= len;
	/* Without the barriers clang drops the masks that it can prove, and 5.10's verifier cannot. */
	asm volatile("" : "+r"(at), "+r"(len));
	at &= PLUMB_PATH_MAX - 1;
	len &= PATH_NAME_MASK;
	if (bpf_probe_read_kernel(&s->bytes[at], len, name) < 0)
		return -1;
	at = (at - 1) & (PLUMB_PATH_MAX - 1);
	asm volatile("" : "+r"(at));
	at &= PLUMB_PATH_MAX - 1;
	s->bytes[at] = '/';
	w->at = at;
	return 0;
}

/* One step up. 1: at the top, 0: go on, -1: it does not fit. */
static __always_inline int path_step(struct path_scratch *s, struct path_walk *w)
{
	struct dentry *dentry = w->dentry;
	struct mount *mount = w->mount;
	struct dentry *parent = BPF_CORE_READ(dentry, d_parent);
	struct mount *above;

	if (dentry == BPF_CORE_READ(mount, mnt.mnt_root)) {
		above = BPF_CORE_READ(mount, mnt_parent);
		if (above == mount)
			return 1;
		w->dentry = BPF_CORE_READ(mount, mnt_mountpoint);
		w->mount = above;
		return 0;
	}
	if (path_put(s, w) < 0)
		return -1;
	if (parent == dentry) /* a file without a directory: memfd */
		return 1;
	w->dentry = parent;
	return 0;
}

/* Writes all of ret and gives the bytes used with the NUL. *ret_cut is set when the front is missing. */
static __always_inline __u16 path_of_file(struct file *file, char *ret, __u32 *ret_cut)
{
	struct path_walk w = {.at = PLUMB_PATH_MAX - 1};
	struct path_scratch *s;
	__u32 zero = 0;
	int r = 0;

	*ret_cut = PLUMB_EVENT_PATH_CUT;
	s = bpf_map_lookup_elem(&path_scratch, &zero);
	if (!s) {
		bpf_probe_read_kernel(ret, PLUMB_PATH_MAX, 0); /* fails, and zeroes */
		return 1;
	}
	s->bytes[PLUMB_PATH_MAX - 1] = 0;
	w.dentry = file->f_path.dentry;
	w.mount = path_mount(file->f_path.mnt);
	for (int i = 0; i < PATH_STEPS; i++) {
		r = path_step(s, &w);
		if (r)
			break;
	}
	if (r == 1)
		*ret_cut = 0;
	w.at &= PLUMB_PATH_MAX - 1;
	bpf_probe_read_kernel(ret, PLUMB_PATH_MAX, &s->bytes[w.at]);
	return PLUMB_PATH_MAX - w.at;
}

/*
 * The same by the kernel's own d_path, for LSM programs where nothing may be read by address: as the root of the process has it, so
 * a chroot shortens it. The front is never missing: what does not fit gives no path.
 */
static __always_inline __u16 path_by_kernel(struct file *file, char *ret, __u32 *ret_cut)
{
	long n;

	for (int i = 0; i < PLUMB_PATH_MAX / 8; i++)
		((volatile __u64 *)ret)[i] = 0;
	n = bpf_d_path(&file->f_path, ret, PLUMB_PATH_MAX);
	*ret_cut = n > 0 ? 0 : PLUMB_EVENT_PATH_CUT;
	if (n <= 0 || n > PLUMB_PATH_MAX) {
		ret[0] = 0;
		return 1;
	}
	return n;
}

#endif
