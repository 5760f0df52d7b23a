/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * path.bpf.h: the absolute path of a file, walked from its dentry up through its mounts, in bounded steps.
 * In: a struct file. Out: a NUL-terminated path in a buffer of PLUMB_PATH_MAX bytes with PLUMB_PATH_AFTER bytes of the same record
 * behind it; what lies behind the NUL is whatever the ring had there.
 * The path is that of the file's own mount namespace and ignores chroot. (bpf_d_path is not allowed in tracepoints.)
 * It is put together in the record itself: a buffer for each CPU would be shared by programs that may sleep, and so be preempted.
 */
#ifndef PLUMB_PATH_BPF_H
#define PLUMB_PATH_BPF_H

#include "core.bpf.h"

#define PATH_STEPS \
	96 /* names and mount points; more than that in 1,023 bytes is somebody's game, and told as cut */
#define PATH_NAME_MASK 255

struct path_walk {
	struct dentry *dentry;
	struct mount *mount;
	struct dentry *root; /* of the mount */
	__u32 at; /* where the path begins: names are put from the back */
};

/* What a step needs of a dentry, as it lies there on every kernel so far. */
struct path_look {
	struct dentry *parent;
	__u32 hash;
	__u32 len;
	const unsigned char *name;
};

/* The mount that a vfsmount lies in. */
static __always_inline struct mount *path_mount(struct vfsmount *mnt)
{
	return (struct mount *)((char *)mnt - bpf_core_field_offset(struct mount, mnt));
}

/* One reading where three would do the same: each is a call, and most of what a path costs. What cannot be read is NULL, "". */
static __always_inline void path_look(struct path_look *ret, struct dentry *dentry)
{
	const __u32 parent = bpf_core_field_offset(struct dentry, d_parent);

	if (bpf_core_field_offset(struct dentry, d_name.len) ==
		    parent + offsetof(struct path_look, len) &&
	    bpf_core_field_offset(struct dentry, d_name.name) ==
		    parent + offsetof(struct path_look, name)) {
		/* A failure fills with zeros. */
		bpf_probe_read_kernel(ret, sizeof(*ret), (char *)dentry + parent);
		return;
	}
	ret->parent = BPF_CORE_READ(dentry, d_parent);
	ret->len = BPF_CORE_READ(dentry, d_name.len);
	ret->name = BPF_CORE_READ(dentry, d_name.name);
}

/* Puts "/name" before what stands. 0, or -1 when it does not fit. */
static __always_inline int path_put(char *bytes, struct path_walk *w, const struct path_look *look)
{
	__u32 len = look->len;
	__u32 at = w->at;

	if (len > PATH_NAME_MASK || at < len + 1)
		return -1;
	at -= len;
	/* Without the barriers clang drops the masks that it can prove, and 5.10's verifier cannot. */
	asm volatile("" : "+r"(at), "+r"(len));
	at &= PLUMB_PATH_MAX - 1;
	len &= PATH_NAME_MASK;
	if (bpf_probe_read_kernel(&bytes[at], len, look->name) < 0)
		return -1;
	at = (at - 1) & (PLUMB_PATH_MAX - 1);
	asm volatile("" : "+r"(at));
	at &= PLUMB_PATH_MAX - 1;
	bytes[at] = '/';
	w->at = at;
	return 0;
}

/* One step up. 1: at the top, 0: go on, -1: it does not fit. */
static __always_inline int path_step(char *bytes, struct path_walk *w)
{
	struct dentry *dentry = w->dentry;
	struct mount *mount = w->mount;
	struct path_look look;

	if (dentry == w->root) {
		w->mount = BPF_CORE_READ(mount, mnt_parent);
		if (w->mount == mount)
			return 1;
		w->dentry = BPF_CORE_READ(mount, mnt_mountpoint);
		mount = w->mount;
		w->root = BPF_CORE_READ(mount, mnt.mnt_root);
		return 0;
	}
	path_look(&look, dentry);
	if (path_put(bytes, w, &look) < 0)
		return -1;
	if (look.parent == dentry) /* a file without a directory: memfd */
		return 1;
	w->dentry = look.parent;
	return 0;
}

/*
 * Gives the bytes used with the NUL. *ret_cut is set when the front is missing. The path is moved to the front at the end: the kernel copies
 * upwards, so that the two may overlap.
 */
static __always_inline __u16 path_of_file(struct file *file, char *ret, __u32 *ret_cut)
{
	struct path_walk w = {.at = PLUMB_PATH_MAX - 1};
	__u32 size;
	int r = 0;

	*ret_cut = PLUMB_EVENT_PATH_CUT;
	ret[PLUMB_PATH_MAX - 1] = 0;
	w.dentry = file->f_path.dentry;
	w.mount = path_mount(file->f_path.mnt);
	w.root = file->f_path.mnt->mnt_root;
	for (int i = 0; i < PATH_STEPS; i++) {
		r = path_step(ret, &w);
		if (r)
			break;
	}
	if (r == 1)
		*ret_cut = 0;
	w.at &= PLUMB_PATH_MAX - 1;
	size = PLUMB_PATH_MAX - w.at;
	if (bpf_probe_read_kernel(ret, size, &ret[w.at]) < 0) {
		ret[0] = 0;
		*ret_cut = PLUMB_EVENT_PATH_CUT;
		return 1;
	}
	return size;
}

/*
 * The same by the kernel's own d_path, for LSM programs where nothing may be read by address: as the root of the process has it, so
 * a chroot shortens it. The front is never missing: what does not fit gives no path.
 */
static __always_inline __u16 path_by_kernel(struct file *file, char *ret, __u32 *ret_cut)
{
	long n;

	n = bpf_d_path(&file->f_path, ret, PLUMB_PATH_MAX);
	*ret_cut = n > 0 ? 0 : PLUMB_EVENT_PATH_CUT;
	if (n <= 0 || n > PLUMB_PATH_MAX) {
		ret[0] = 0;
		return 1;
	}
	return n;
}

#endif
