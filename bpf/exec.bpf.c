/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * exec.bpf.c: processes as they begin, become another program and end.
 * In: the scheduler's tracepoints with their types (BTF); where BPF LSM is there, also the check before an exec, for the digest of
 * what is about to run. Out: exec, script, fork and exit records. Decides nothing, but on
 * an isolated node, where only what its baseline lists may still run.
 */
#include "code.bpf.h"
#include "hash.bpf.h"
#include "inode.bpf.h"
#include "isolate.bpf.h"
#include "maps.bpf.h"
#include "path.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* From the check to the exec: which file a thread is about to become, and its digest. An exec that fails leaves its own behind, until the thread ends. */
struct exec_hash {
	struct plumb_file file;
	struct plumb_hash hash;
	__u64 first; /* the exec was asked for it, and not for what names it as its interpreter */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct exec_hash);
} exec_hashes SEC(".maps");

/*
 * Most execs find a place here, by their thread, at a tenth of what the map above costs. The place belongs to who
 * counted it up from 0, until he counts it down; nobody else writes there, and who finds it taken goes to the map. An exec that fails keeps
 * it, for the same thread's next one; the thread gives it back at its end.
 */
struct exec_place {
	__u64 claims;
	__u64 thread;
	struct exec_hash checked;
};

#define EXEC_PLACES_BITS 12
#define EXEC_PLACES (1 << EXEC_PLACES_BITS)
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, EXEC_PLACES);
	__type(key, __u32);
	__type(value, struct exec_place);
} exec_places SEC(".maps");

/* Whoever checks execs is there, and is asked. */
__u32 plumb_exec_checks __weak = 0;

/* Not its number: with an exec it takes that of its process, and if the exec then fails nobody knows the old one at its end. */
static __always_inline __u64 exec_thread(void)
{
	return bpf_get_current_task();
}

static __always_inline struct exec_place *exec_place_of(__u64 thread)
{
	__u32 key = thread * 0x9e3779b97f4a7c15ull >> (64 - EXEC_PLACES_BITS);

	return bpf_map_lookup_elem(&exec_places, &key);
}

static __always_inline void exec_keep(__u64 thread, const struct exec_hash *checked)
{
	struct exec_place *place = exec_place_of(thread);

	if (place && (place->thread == thread || maps_fetch_add(&place->claims, 1) == 0)) {
		place->thread = thread;
		place->checked = *checked;
		return;
	}
	if (place)
		maps_fetch_add(&place->claims, -1);
	bpf_map_update_elem(&exec_hashes, &thread, checked, BPF_ANY);
}

static __always_inline const struct exec_hash *exec_kept(__u64 thread)
{
	struct exec_place *place = exec_place_of(thread);

	return place && place->thread == thread ? &place->checked
						: bpf_map_lookup_elem(&exec_hashes, &thread);
}

static __always_inline void exec_forget(__u64 thread)
{
	struct exec_place *place = exec_place_of(thread);

	if (!place || place->thread != thread) {
		bpf_map_delete_elem(&exec_hashes, &thread);
		return;
	}
	place->thread = 0;
	maps_fetch_add(&place->claims, -1);
}

/* Can the agent, which is to read the file, not see that others may write to it? An errno for the record's hash. */
static __always_inline __s32 exec_error(struct inode *inode)
{
	if (overlay_is(inode))
		return -overlay_error(inode);
	return hash_is_loose(inode) || inode->i_writecount.counter > 0 ? -HASH_ETXTBSY : 0;
}

/*
 * What the check found is lost: others who start programs may have pushed it out, for as long as a server of files, or a lease, holds this exec back.
 * Where nothing checks nothing is asked, and the agent knows by that.
 */
static __always_inline void exec_unchecked(struct plumb_hash *h, struct inode *inode)
{
	__builtin_memset(h, 0, sizeof(*h));
	if (plumb_exec_checks)
		h->error = exec_error(inode);
}

static __always_inline void exec_fill(struct plumb_event_exec *e, struct task_struct *task,
				      struct linux_binprm *bprm)
{
	__u32 cut;
	long n;

	maps_task(&e->task, task);
	overlay_file(&e->file, bprm->file->f_inode);
	e->path_size = path_of_file(bprm->file, e->path, &cut);
	e->event.flags = cut;
	n = bpf_probe_read_kernel_str(e->name, sizeof(e->name), bprm->filename);
	if (n <= 0)
		e->name[0] = 0;
	e->name_size = n > 0 ? n : 1;
}

/* Arguments are told, too. Set before the load, frozen after it: where it is 0 nothing of this is left in the program. */
const volatile __u32 plumb_exec_args __weak = 0;

/* They lie in pages that the exec itself has just written. */
static __always_inline void exec_args(struct plumb_event_exec_args *e, struct task_struct *task)
{
	__u64 start = task->mm->arg_start, size = task->mm->arg_end - start;
	long r;

	e->exec.event.flags |= PLUMB_EVENT_ARGS;
	e->args.size = size;
	barrier_var(size); /* one register: the verifier follows the comparison */
	if (size > PLUMB_ARGS_MAX)
		size = PLUMB_ARGS_MAX;
	r = bpf_probe_read_user(e->args.text, size, (const void *)start);
	e->args.error = r < 0 ? r : 0;
	e->args.kept = r < 0 ? 0 : size;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(plumb_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	__u64 thread = exec_thread();
	const struct exec_hash *checked = exec_kept(thread);
	struct plumb_event_exec *e;

	e = maps_begin(PLUMB_KIND_EXEC,
		       plumb_exec_args ? sizeof(struct plumb_event_exec_args) : sizeof(*e));
	if (e) {
		exec_fill(e, task, bprm);
		if (plumb_exec_args)
			exec_args((struct plumb_event_exec_args *)e, task);
		e->old_pid = old_pid;
		if (checked && checked->file.ino == e->file.ino && checked->file.dev == e->file.dev)
			__builtin_memcpy(&e->hash, &checked->hash, sizeof(e->hash));
		else
			exec_unchecked(&e->hash, bprm->file->f_inode);
		maps_end(e);
	}
	if (checked)
		exec_forget(thread);
	return 0;
}

/*
 * The same where nothing may be read by address (lockdown=confidentiality): the kernel itself writes the path, as the process's
 * root has it. What execve was given is not known there.
 */
SEC("lsm.s/bprm_committed_creds")
int BPF_PROG(plumb_exec__locked, struct linux_binprm *bprm)
{
	struct task_struct *task = (void *)bpf_get_current_task_btf();
	struct plumb_event_exec *e;
	struct plumb_hash hash;
	struct plumb_file f;
	__u32 cut;

	/* Before there is a record: the ring's reader waits for each that is begun. */
	overlay_file(&f, bprm->file->f_inode);
	hash_file(&hash, bprm->file, bprm->file->f_inode, &f);
	e = maps_begin(PLUMB_KIND_EXEC, sizeof(*e));
	if (!e)
		return 0;
	maps_task(&e->task, task);
	e->old_pid = task->pid;
	__builtin_memcpy(&e->file, &f, sizeof(e->file));
	__builtin_memcpy(&e->hash, &hash, sizeof(e->hash));
	e->path_size = path_by_kernel(bprm->file, e->path, &cut);
	e->event.flags = cut;
	e->name[0] = 0;
	e->name_size = 1;
	maps_end(e);
	return 0;
}

/* Programs of another machine run by an interpreter that binfmt_misc names, and are data to it. */
static __always_inline int exec_is_of_this_machine(const struct linux_binprm *bprm)
{
	unsigned machine = (__u8)bprm->buf[18] | (__u8)bprm->buf[19] << 8;

#if defined(__TARGET_ARCH_x86)
	return machine == 62 || machine == 3 || machine == 6; /* EM_X86_64, EM_386, EM_486 */
#elif defined(__TARGET_ARCH_arm64)
	return machine == 183 || machine == 40; /* EM_AARCH64, EM_ARM */
#else
	return 1;
#endif
}

/* The kernel asks once for a script, then for its interpreter, and so on: the last one is what runs. */
static __always_inline int exec_is_elf(const struct linux_binprm *bprm)
{
	return bprm->buf[0] == 0x7f && bprm->buf[1] == 'E' && bprm->buf[2] == 'L' &&
	       bprm->buf[3] == 'F' && exec_is_of_this_machine(bprm);
}

static __always_inline void exec_script(struct linux_binprm *bprm, const struct plumb_file *f,
					const struct plumb_hash *h)
{
	struct plumb_event_script *e;
	__u32 cut;

	e = maps_begin(PLUMB_KIND_SCRIPT, sizeof(*e));
	if (!e)
		return;
	maps_current(&e->task);
	__builtin_memcpy(&e->file, f, sizeof(e->file));
	__builtin_memcpy(&e->hash, h, sizeof(e->hash));
	e->reserved = 0;
	e->reserved2 = 0;
	e->path_size = plumb_may_probe ? path_of_file(bprm->file, e->path, &cut)
				       : path_by_kernel(bprm->file, e->path, &cut);
	e->event.flags = cut;
	maps_end(e);
}

/*
 * A program of this machine, and binfmt_misc hands it to an interpreter all the same: what it is named in the exec, for the kernel has let its
 * file go. One that is itself an interpreter has no name there any more.
 */
static __always_inline void exec_handed_on(struct linux_binprm *bprm, const struct exec_hash *kept)
{
	struct plumb_event_script *e;
	long n = 0;

	e = maps_begin(PLUMB_KIND_SCRIPT, sizeof(*e));
	if (!e)
		return;
	maps_current(&e->task);
	__builtin_memcpy(&e->file, &kept->file, sizeof(e->file));
	__builtin_memcpy(&e->hash, &kept->hash, sizeof(e->hash));
	e->reserved = 0;
	e->reserved2 = 0;
	if (plumb_may_probe && kept->first)
		n = bpf_probe_read_kernel_str(e->path, sizeof(e->path), bprm->filename);
	if (n <= 0)
		e->path[0] = 0;
	e->path_size = n > 0 ? n : 1;
	e->event.flags = e->path[0] == '/' && n < PLUMB_PATH_MAX ? 0 : PLUMB_EVENT_PATH_CUT;
	maps_end(e);
}

/* The kernel asks for one file more of the same exec, or for the first of another: then what an exec left that failed is nothing. */
static __always_inline void exec_asked(struct linux_binprm *bprm, __u64 thread, __u64 first)
{
	const struct exec_hash *kept;

	if (first && exec_is_elf(bprm)) /* takes its place */
		return;
	kept = exec_kept(thread);
	if (!kept)
		return;
	if (!first)
		exec_handed_on(bprm, kept);
	exec_forget(thread);
}

/*
 * What may still run on an isolated node: by digest, where the kernel takes it; else a version of a file that the agent has read. They have
 * room for one each where the settings do not arm it.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u8[32]);
	__type(value, __u32);
} isolate_digests SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct plumb_isolate_file);
	__type(value, struct plumb_isolate_version);
} isolate_files SEC(".maps");

static __always_inline int isolate_exec(struct linux_binprm *bprm, const struct plumb_file *f,
					const struct plumb_hash *h)
{
	struct plumb_isolate_file file = {.ino = f->ino, .dev = f->dev};
	struct plumb_isolate_version *v;

	if (!isolate_is_on())
		return 0;
	/* Whoever can write to it may have listed bytes read and others run. */
	if (h->error == -HASH_ETXTBSY)
		return isolate_refuse(PLUMB_GUARD_EXEC, 0, bprm->file->f_inode,
				      bprm->file->f_path.dentry);
	if (h->src != PLUMB_HASH_NONE && bpf_map_lookup_elem(&isolate_digests, h->digest))
		return 0;
	v = bpf_map_lookup_elem(&isolate_files, &file);
	if (v && v->ctime_ns == f->ctime_ns && v->file_size == f->file_size)
		return 0;
	return isolate_refuse(PLUMB_GUARD_EXEC, 0, bprm->file->f_inode, bprm->file->f_path.dentry);
}

SEC("lsm.s/bprm_check_security")
int BPF_PROG(plumb_bprm_check, struct linux_binprm *bprm)
{
	__u64 thread = exec_thread();
	struct inode *inode = bprm->file->f_inode;
	struct exec_hash checked = {.first = bprm->interp == bprm->filename};

	if (!plumb_exec_checks)
		plumb_exec_checks = 1;
	overlay_file(&checked.file, inode);
	hash_file(&checked.hash, bprm->file, inode, &checked.file);
	if (isolate_exec(bprm, &checked.file, &checked.hash))
		return -GUARD_EPERM;
	exec_asked(bprm, thread, checked.first);
	if (!exec_is_elf(bprm)) {
		exec_script(bprm, &checked.file, &checked.hash);
		return 0;
	}
	exec_keep(thread, &checked);
	return 0;
}

/* 5.10: no digests in the kernel, and no ring in a program that may sleep. The agent reads the file. */
SEC("lsm/bprm_check_security")
int BPF_PROG(plumb_bprm_check__plain, struct linux_binprm *bprm)
{
	__u64 thread = exec_thread();
	struct plumb_event_script *e;
	struct exec_hash checked = {.hash = {.error = -HASH_EOPNOTSUPP},
				    .first = bprm->interp == bprm->filename};
	__u32 cut;

	if (!plumb_exec_checks)
		plumb_exec_checks = 1;
	if (overlay_is(bprm->file->f_inode))
		checked.hash.error = -overlay_error(bprm->file->f_inode);
	else if (hash_is_loose(bprm->file->f_inode))
		checked.hash.error = -HASH_ETXTBSY;
	overlay_file(&checked.file, bprm->file->f_inode);
	if (plumb_may_isolate && isolate_exec(bprm, &checked.file, &checked.hash))
		return -GUARD_EPERM;
	exec_asked(bprm, thread, checked.first);
	if (exec_is_elf(bprm)) {
		bpf_map_update_elem(&exec_hashes, &thread, &checked, BPF_ANY);
		return 0;
	}
	e = maps_begin(PLUMB_KIND_SCRIPT, sizeof(*e));
	if (!e)
		return 0;
	maps_current(&e->task);
	__builtin_memcpy(&e->file, &checked.file, sizeof(e->file));
	__builtin_memcpy(&e->hash, &checked.hash, sizeof(e->hash));
	e->reserved = 0;
	e->reserved2 = 0;
	e->path_size = path_of_file(bprm->file, e->path, &cut);
	e->event.flags = cut;
	maps_end(e);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(plumb_fork, struct task_struct *parent, struct task_struct *child)
{
	struct plumb_event_fork *e;

	if (child->pid != child->tgid) /* a thread */
		return 0;
	e = maps_begin(PLUMB_KIND_FORK, sizeof(*e));
	if (!e)
		return 0;
	maps_task(&e->parent, parent);
	e->child_pid = child->tgid;
	e->reserved = 0;
	e->child_start_ns = child->start_boottime;
	maps_end_quiet(e);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(plumb_exit, struct task_struct *task)
{
	struct plumb_event_exit *e;

	exec_forget(exec_thread());
	if (task->signal->live.counter > 0) /* other threads go on, whichever was the first */
		return 0;
	code_ended(task->tgid);
	e = maps_begin(PLUMB_KIND_EXIT, sizeof(*e));
	if (!e)
		return 0;
	maps_task(&e->task, task);
	e->exit_code = task->exit_code;
	e->reserved = 0;
	maps_end_quiet(e);
	return 0;
}
