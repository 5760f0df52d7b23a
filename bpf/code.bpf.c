/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * code.bpf.c: interpreters as they begin, and what they are given: a script is run without an exec of its own.
 * In: the scheduler's tracepoint of an exec. Out: code records, and what file.bpf.c's program looks for when such a process opens a file.
 */
#include "code.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/*
 * Names of interpreters, up to the first digit; set by the agent. Value 1: it is a shell only under such a name (busybox). 2: ld.so, which opens
 * what it runs in its own process first, and that opens its script.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 96);
	__type(key, char[PLUMB_CODE_NAME]);
	__type(value, __u32);
} interpreters SEC(".maps");

/*
 * The first two letters of those names: bit (second & 31) of word first & 31, where no second or a digit is 0. Set before the load, frozen
 * after it. Of most programs that are executed this is all that is looked at.
 */
const volatile __u32 plumb_interpreter_letters[32] = {0};

/* A name that does not lie in the dentry has no letter here, and may be one. */
static __always_inline int code_may_interpret(struct dentry *dentry)
{
	unsigned char first = mark_letter(dentry, 0), second = mark_letter(dentry, 1);

	if (second >= '0' && second <= '9')
		second = 0;
	return !first || plumb_interpreter_letters[first & 31] >> (second & 31) & 1;
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
	overlay_file(&e->file, bprm->file->f_inode);
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
	__u32 tgid = task->tgid, *many, *slot;
	struct code_armed *armed;
	__u64 size;

	if (!code_may_interpret(dentry) || bprm->interp != bprm->filename)
		return 0;
	many = code_interpreter(dentry);
	if (!many)
		return 0;
	slot = code_slot(tgid);
	code_disarm(tgid); /* of the program before */
	if (!slot || bpf_map_update_elem(&code_armed, &tgid, &code_unarmed, BPF_ANY) < 0)
		return 0;
	code_count(slot, 1);
	armed = bpf_map_lookup_elem(&code_armed, &tgid);
	if (!armed)
		return 0;
	armed->exec_id = task->self_exec_id;
	size = code_args_size(task);
	if (bpf_probe_read_user(armed->args, size, (void *)task->mm->arg_start) < 0)
		size = 0;
	code_name_args(armed, size);
	armed->keeps = *many == CODE_LOADER;
	if (*many == CODE_MANY && !code_is_shell(armed, code_name_hash(dentry))) {
		code_disarm(tgid);
		return 0;
	}
	code_tell_interpreter(task, bprm, armed, size);
	return 0;
}
