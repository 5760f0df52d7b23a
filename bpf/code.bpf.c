/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * code.bpf.c: code that runs without an exec: files that are mapped executable, memory that becomes so, interpreters and what they are given.
 * In: LSM's mmap_file and file_mprotect, the scheduler's tracepoint of an exec. Out: code records. Decides nothing but what was told already:
 * a version of a file once in a mount namespace, memory once for a process image. (Memory that is mapped so: file.bpf.c.)
 */
#include "code.bpf.h"
#include "hash.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define CODE_VM_EXEC 4

/* Names of interpreters, up to the first digit; set by the agent. Value 1: it is a shell only under such a name (busybox). */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, char[PLUMB_CODE_NAME]);
	__type(value, __u32);
} interpreters SEC(".maps");

/* Is there a digest at the inode, or can there be none? Whoever opened the file for writing took it away, and then it is another version. */
static __always_inline int code_is_same(struct inode *inode, const struct plumb_file *f)
{
	struct plumb_inode *kept;

	if (!plumb_hash_keep || hash_is_foreign(f->fs_magic) || f->file_size > HASH_FILE_MAX)
		return 1;
	kept = bpf_inode_storage_get(&inodes, inode, 0, 0);
	return kept && kept->hashed;
}

static __always_inline int code_was_told(struct inode *inode, const struct plumb_file *f,
					 __u32 mnt_ns)
{
	struct code_place place = {.ino = f->ino, .dev = f->dev, .mnt_ns = mnt_ns};
	struct code_version *told = bpf_map_lookup_elem(&code_told, &place);

	return told && told->ctime_ns == f->ctime_ns && told->file_size == f->file_size &&
	       (!inode || code_is_same(inode, f));
}

static __always_inline int code_is_exe(const struct inode *inode, struct file *exe)
{
	struct plumb_file f;

	code_exe_file(&f, exe);
	return f.ino == inode->i_ino && f.dev == inode->i_sb->s_dev;
}

static __always_inline int code_map(struct file *file, __u32 prot, __u32 flags, int may_hash)
{
	struct code_found c = {.prot = prot,
			       .flags = flags,
			       .file = file,
			       .what = PLUMB_CODE_MAP,
			       .walk = 1,
			       .hash = {.error = -HASH_EOPNOTSUPP}};
	__u32 mnt_ns;

	if (code_is_exe(file->f_inode, code_exe(&mnt_ns))) /* told by its exec */
		return 0;
	inode_file(&c.f, file->f_inode);
	if (code_was_told(may_hash ? file->f_inode : 0, &c.f, mnt_ns))
		return 0;
	/* Before there is a record: the ring's reader waits for each that is begun. */
	if (may_hash)
		hash_file(&c.hash, file, file->f_inode, &c.f);
	return code_tell(&c, mnt_ns, may_hash);
}

SEC("lsm.s/mmap_file")
int BPF_PROG(plumb_code_map, struct file *file, unsigned long reqprot, unsigned long prot,
	     unsigned long flags)
{
	if (!(prot & CODE_PROT_EXEC) || core_no_file(ctx, file) || !file)
		return 0;
	return code_map(file, prot, flags, 1);
}

/* 5.10: no digests in the kernel, and no ring in a program that may sleep. The agent reads the file. */
SEC("lsm/mmap_file")
int BPF_PROG(plumb_code_map__plain, struct file *file, unsigned long reqprot, unsigned long prot,
	     unsigned long flags)
{
	if (!(prot & CODE_PROT_EXEC) || core_no_file(ctx, file) || !file)
		return 0;
	return code_map(file, prot, flags, 0);
}

/* What was mapped without PROT_EXEC and gets it now. */
SEC("lsm/file_mprotect")
int BPF_PROG(plumb_code_mprotect, struct vm_area_struct *vma, unsigned long reqprot,
	     unsigned long prot)
{
	struct code_found c = {.prot = prot, .walk = 1, .hash = {.error = -HASH_EOPNOTSUPP}};
	struct file *exe, *file = vma->vm_file;
	__u32 mnt_ns;

	if (!(prot & CODE_PROT_EXEC) || vma->vm_flags & CODE_VM_EXEC)
		return 0;
	exe = code_exe(&mnt_ns);
	if (!file || vma->anon_vma) {
		code_find_memory(&c, file ? PLUMB_CODE_WRITTEN : PLUMB_CODE_ANONYMOUS, exe);
	} else {
		inode_file(&c.f, file->f_inode);
		c.file = file;
		if (!code_was_told(0, &c.f, mnt_ns))
			c.what = PLUMB_CODE_MAP;
	}
	return code_tell(&c, mnt_ns, 0);
}

/* Too large for the stack. */
const char code_unarmed[sizeof(struct code_armed)] = {0};

/* "python3.11" is python: what follows the first digit is a version. NULL: none; else what the agent said of it. */
static __always_inline __u32 *code_interpreter(struct dentry *dentry)
{
	char name[PLUMB_CODE_NAME] = "";
	int ended = 0;

	mark_name(name, sizeof(name), dentry);
	for (int i = 0; i < PLUMB_CODE_NAME; i++) {
		ended |= !name[i] || (name[i] >= '0' && name[i] <= '9');
		if (ended)
			name[i] = 0;
	}
	return bpf_map_lookup_elem(&interpreters, name);
}

/*
 * Hashes of the last component of each argument, its own name, too. The number of them stands in the map's memory: for the kernel's
 * verifier it is then any number, and each turn of the loop the same as the last.
 */
static __always_inline void code_name_args(struct code_armed *armed, __u32 size)
{
	__u64 h = CODE_HASH_START;

	for (__u32 i = 0; i < PLUMB_CODE_ARGS; i++) {
		unsigned char c = armed->args[i];

		if (i >= size)
			break;
		if (c && c != '/') {
			h = (h ^ c) * CODE_HASH_STEP;
			continue;
		}
		if (!c && armed->n_names < CODE_NAMES)
			armed->names[armed->n_names++ & (CODE_NAMES - 1)] = h;
		h = CODE_HASH_START;
	}
}

#define CODE_HASH_1(h, c) (((h) ^ (c)) * CODE_HASH_STEP)
#define CODE_HASH_SH CODE_HASH_1(CODE_HASH_1(CODE_HASH_START, 's'), 'h')
#define CODE_HASH_ASH CODE_HASH_1(CODE_HASH_1(CODE_HASH_1(CODE_HASH_START, 'a'), 's'), 'h')

/* One program that is many: which, its name says, or, called by its own name, its first argument. */
static __always_inline int code_is_shell(const struct code_armed *armed, __u64 own)
{
	__u64 applet = armed->names[0] == own ? armed->names[1] : armed->names[0];

	return applet == CODE_HASH_SH || applet == CODE_HASH_ASH;
}

static __always_inline __u64 code_args_size(struct task_struct *task)
{
	__u64 size = task->mm->arg_end - task->mm->arg_start;

	if (size > PLUMB_CODE_ARGS)
		size = PLUMB_CODE_ARGS;
	asm volatile("" : "+r"(size)); /* else the bound is put on a copy */
	size &= 2 * PLUMB_CODE_ARGS - 1;
	return size > PLUMB_CODE_ARGS ? 0 : size;
}

static __always_inline void code_tell_interpreter(struct task_struct *task,
						  struct linux_binprm *bprm,
						  const struct code_armed *armed, __u32 size)
{
	struct plumb_event_code *e = code_begin(PLUMB_CODE_INTERPRETER);
	__u32 cut = PLUMB_EVENT_PATH_CUT;
	struct file **fds, *in = 0;

	if (!e)
		return;
	inode_file(&e->file, bprm->file->f_inode);
	__builtin_memcpy(e->args, armed->args, sizeof(e->args));
	e->args_size = size;
	if (plumb_may_probe) {
		fds = BPF_CORE_READ(task, files, fdt, fd);
		bpf_probe_read_kernel(&in, sizeof(in), fds);
		e->stdin_mode = BPF_CORE_READ(in, f_inode, i_mode);
		/* The exec's own record may come after this one. */
		e->path_size = path_of_file(bprm->file, e->path, &cut);
	}
	e->event.flags = cut;
	maps_end(e);
}

/* The kernel has read a #! line when it names another file than it was given: that script is told by its own record. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(plumb_code_interpreter, struct task_struct *task, int old_pid,
	     struct linux_binprm *bprm)
{
	struct dentry *dentry = bprm->file->f_path.dentry;
	__u32 tgid = bpf_get_current_pid_tgid() >> 32, *many, *slot;
	struct code_armed *armed;
	__u64 size;

	if (bprm->interp != bprm->filename)
		return 0;
	many = code_interpreter(dentry);
	if (!many)
		return 0;
	slot = code_slot(tgid);
	code_disarm(tgid); /* of the program before */
	if (!slot || bpf_map_update_elem(&code_armed, &tgid, &code_unarmed, BPF_ANY) < 0)
		return 0;
	__sync_fetch_and_add(slot, 1);
	armed = bpf_map_lookup_elem(&code_armed, &tgid);
	if (!armed)
		return 0;
	armed->exec_id = task->self_exec_id;
	size = code_args_size(task);
	if (bpf_probe_read_user(armed->args, size, (void *)task->mm->arg_start) < 0)
		size = 0;
	code_name_args(armed, size);
	if (*many && !code_is_shell(armed, code_name_hash(dentry))) {
		code_disarm(tgid);
		return 0;
	}
	code_tell_interpreter(task, bprm, armed, size);
	return 0;
}
