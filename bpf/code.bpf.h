/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * code.bpf.h: how a record of code that runs without an exec is made: of memory, once for each process image; and what is looked at when a file
 * is opened: is it what an interpreter was told to run, or a register of binfmt_misc. In: files as LSM hands them down. Out: code records.
 */
#ifndef PLUMB_CODE_BPF_H
#define PLUMB_CODE_BPF_H

#include "inode.bpf.h"
#include "maps.bpf.h"
#include "mark.bpf.h"
#include "overlay.bpf.h"
#include "path.bpf.h"

#define CODE_PROT_EXEC 4
#define CODE_S_IFREG 0100000
#define CODE_ETXTBSY 26
#define CODE_NAMES 8 /* arguments that are looked for, its own name among them; a power of two */
#define CODE_NAME_SIZE 256 /* of the longest name, which arguments are compared with whole */
#define CODE_OPENS_MAX 4096
#define CODE_BINFMT_MAGIC 0x42494e4du
#define CODE_MANY 1 /* values of the map of interpreters */
#define CODE_LOADER 2
#define CODE_HASH_START 0xcbf29ce484222325ull
#define CODE_HASH_STEP 0x100000001b3ull

/* An interpreter that has not opened what it was told to run: the last components of its arguments, its own name first, as hashes. */
struct code_armed {
	__u64 exec_id; /* it is still that program */
	__u64 names[CODE_NAMES];
	__u32 n_names;
	__u32 n_opens;
	__u32 keeps; /* stays armed: ld.so, of which more than one is told */
	__u32 reserved;
	char args[PLUMB_CODE_ARGS];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32); /* thread group */
	__type(value, struct code_armed);
} code_armed SEC(".maps") __weak;

/*
 * How many of the thread groups with this rest are armed, so that an open by any other costs no look-up in a hash. Never too few: who takes his
 * entry away had put it in; an entry that the map itself drops stays counted.
 */
#define CODE_SLOTS 16384 /* a power of two */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CODE_SLOTS);
	__type(key, __u32);
	__type(value, __u32);
} code_slots SEC(".maps") __weak;

static __always_inline __u32 *code_slot(__u32 tgid)
{
	__u32 key = tgid & (CODE_SLOTS - 1);

	return bpf_map_lookup_elem(&code_slots, &key);
}

/* Of all slots together: where it is 0, and mostly it is, an open is asked for nothing more. Never too few either. */
__u32 plumb_code_n_armed __weak = 0;

static __always_inline void code_count(__u32 *slot, int by)
{
	__sync_fetch_and_add(&plumb_code_n_armed, by);
	__sync_fetch_and_add(slot, by);
}

/* Of whoever has an entry. */
static __always_inline void code_disarm(__u32 tgid)
{
	__u32 *slot = code_slot(tgid);

	if (bpf_map_delete_elem(&code_armed, &tgid) == 0 && slot)
		code_count(slot, -1);
}

/* An interpreter that never opened what its arguments seemed to name. */
static __always_inline void code_ended(__u32 tgid)
{
	__u32 *slot;

	if (!plumb_code_n_armed)
		return;
	slot = code_slot(tgid);
	if (slot && *slot)
		code_disarm(tgid);
}

/* All but file, hash, path and arguments; NULL: dropped, and counted. */
static __always_inline struct plumb_event_code *code_begin(__u16 what)
{
	struct plumb_event_code *e = maps_begin(PLUMB_KIND_CODE, sizeof(*e));

	if (!e)
		return 0;
	maps_current(&e->task);
	__builtin_memset(&e->hash, 0, sizeof(e->hash));
	e->what = what;
	e->path_size = 1;
	e->path[0] = 0;
	e->args_size = 0;
	e->stdin_mode = 0;
	e->prot = 0;
	e->map_flags = 0;
	return e;
}

static __always_inline __u64 code_name_hash(struct dentry *dentry)
{
	char name[CODE_NAME_SIZE] = "";
	__u64 h = CODE_HASH_START;

	mark_name(name, sizeof(name), dentry);
	for (int i = 0; i < CODE_NAME_SIZE - 1; i++) {
		if (!name[i])
			break;
		h = (h ^ (unsigned char)name[i]) * CODE_HASH_STEP;
	}
	return h;
}

static __always_inline int code_is_named(const struct code_armed *armed, __u64 hash)
{
	int named = 0;

	for (int i = 0; i < CODE_NAMES; i++)
		named |= armed->names[i] == hash;
	return named;
}

/*
 * The digest that is kept at the inode; nothing can be read here, the file is not open yet. Of what somebody can write to, what is read later need
 * not be what the interpreter reads.
 */
static __always_inline void code_kept_hash(struct plumb_event_code *e, struct inode *inode)
{
	struct plumb_inode *kept = bpf_inode_storage_get(&inodes, inode, 0, 0);

	if (overlay_is(inode))
		e->hash.error = -overlay_error(inode);
	else if (inode->i_writecount.counter > 0)
		e->hash.error = -CODE_ETXTBSY;
	if (e->hash.error || !kept || !kept->hashed || kept->hash_ctime_ns != e->file.ctime_ns ||
	    kept->hash_file_size != e->file.file_size)
		return;
	__builtin_memcpy(e->hash.digest, kept->digest, sizeof(e->hash.digest));
	e->hash.src = PLUMB_HASH_IMA;
}

static __always_inline void code_tell_open(__u16 what, struct file *file)
{
	struct plumb_event_code *e = code_begin(what);
	__u32 cut;

	if (!e)
		return;
	overlay_file(&e->file, file->f_inode);
	if (what == PLUMB_CODE_SCRIPT)
		code_kept_hash(e, file->f_inode);
	if (what == PLUMB_CODE_MAP)
		e->hash.error = -CODE_ETXTBSY;
	e->path_size = plumb_may_probe ? path_of_file(file, e->path, &cut)
				       : path_by_kernel(file, e->path, &cut);
	e->event.flags = cut;
	maps_end(e);
}

static __always_inline __u64 code_exec_id(void)
{
	struct task_struct *task;

	if (bpf_core_enum_value_exists(enum bpf_func_id___core,
				       BPF_FUNC_get_current_task_btf___core)) {
		task = (void *)bpf_get_current_task_btf();
		return task->self_exec_id;
	}
	task = (void *)bpf_get_current_task();
	return BPF_CORE_READ(task, self_exec_id);
}

/* Of this image alone: the number above is inherited, and a process that comes later may have the same number as one that went. */
static __always_inline __u64 code_image_id(void)
{
	struct task_struct *task;

	if (bpf_core_enum_value_exists(enum bpf_func_id___core,
				       BPF_FUNC_get_current_task_btf___core)) {
		task = (void *)bpf_get_current_task_btf();
		return task->group_leader->start_boottime + task->self_exec_id;
	}
	task = (void *)bpf_get_current_task();
	return BPF_CORE_READ(task, group_leader, start_boottime) +
	       BPF_CORE_READ(task, self_exec_id);
}

/* Which version of a file was told of last in a mount namespace. What is pushed out is told once more; the agent writes one line all the same. */
struct code_place {
	__u64 ino;
	__u32 dev;
	__u32 mnt_ns;
};

/* A file system that is mounted again has the same numbers and times, and perhaps other bytes; the inode in memory is another one. */
struct code_version {
	__u64 ctime_ns;
	__u64 file_size;
	__u64 life_ns;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct code_place);
	__type(value, struct code_version);
} code_told SEC(".maps") __weak;

/* Of which process images executable memory was told: (thread group, what) to the image. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, __u64);
} code_images SEC(".maps") __weak;

/* Where the kernel does not give the current task with a type (5.10), all is read by address. */
static __always_inline struct file *code_exe(__u32 *ret_mnt_ns)
{
	struct task_struct *task;

	if (bpf_core_enum_value_exists(enum bpf_func_id___core,
				       BPF_FUNC_get_current_task_btf___core)) {
		task = (void *)bpf_get_current_task_btf();
		*ret_mnt_ns = task->nsproxy->mnt_ns->ns.inum;
		return task->mm->exe_file;
	}
	task = (void *)bpf_get_current_task();
	*ret_mnt_ns = BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);
	return BPF_CORE_READ(task, mm, exe_file);
}

static __always_inline void code_exe_file(struct plumb_file *f, struct file *exe)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id___core,
				       BPF_FUNC_get_current_task_btf___core)) {
		inode_file(f, exe->f_inode);
		return;
	}
	__builtin_memset(f, 0, sizeof(*f));
	f->ino = BPF_CORE_READ(exe, f_inode, i_ino);
	f->dev = BPF_CORE_READ(exe, f_inode, i_sb, s_dev);
	f->mode = BPF_CORE_READ(exe, f_inode, i_mode);
}

static __always_inline void code_put_told(const struct plumb_file *f, __u32 mnt_ns, __u64 life_ns)
{
	struct code_place place = {.ino = f->ino, .dev = f->dev, .mnt_ns = mnt_ns};
	struct code_version now = {
		.ctime_ns = f->ctime_ns, .file_size = f->file_size, .life_ns = life_ns};

	bpf_map_update_elem(&code_told, &place, &now, BPF_ANY);
}

/* What a record is made of: one place for all, for the kernel's verifier walks the path anew for each. */
struct code_found {
	struct file *file;
	struct plumb_file f;
	struct plumb_hash hash;
	__u64 life_ns; /* of the inode; 0: not known, then it is told each time */
	__u32 prot, flags;
	__u16 what; /* 0: nothing is to be told */
	__u16 walk; /* the path may be walked from it */
};

/* Once for each image. The digest is nobody's: the program was executed. */
static __always_inline void code_find_memory(struct code_found *c, __u16 what, struct file *exe)
{
	__u64 image = bpf_get_current_pid_tgid() >> 32 << 32 | what, id = code_image_id();
	__u64 *told = bpf_map_lookup_elem(&code_images, &image);

	if (told && *told == id)
		return;
	c->what = what;
	c->file = exe;
	code_exe_file(&c->f, exe);
	/* 5.10 knows it by its address alone: the agent has its path from the exec. */
	c->walk = bpf_core_enum_value_exists(enum bpf_func_id___core,
					     BPF_FUNC_get_current_task_btf___core);
}

static __always_inline void code_put_image(__u16 what)
{
	__u64 image = bpf_get_current_pid_tgid() >> 32 << 32 | what, id = code_image_id();

	bpf_map_update_elem(&code_images, &image, &id, BPF_ANY);
}

/* How a path may be had: walked, or of files by the kernel where nothing may be read by address; or in no other way than walked. */
enum code_path { CODE_PATH_IF_ALLOWED, CODE_PATH_OR_KERNEL, CODE_PATH_WALKED };

static __always_inline int code_tell(struct code_found *c, __u32 mnt_ns, enum code_path how)
{
	struct plumb_event_code *e;
	__u32 cut = PLUMB_EVENT_PATH_CUT;

	if (!c->what)
		return 0;
	e = code_begin(c->what);
	if (!e)
		return 0;
	/* Once there is a record: what was dropped is told by the next one. */
	if (c->what == PLUMB_CODE_MAP)
		code_put_told(&c->f, mnt_ns, c->life_ns);
	else
		code_put_image(c->what);
	__builtin_memcpy(&e->file, &c->f, sizeof(e->file));
	__builtin_memcpy(&e->hash, &c->hash, sizeof(e->hash));
	e->prot = c->prot;
	e->map_flags = c->flags;
	if ((plumb_may_probe || how == CODE_PATH_WALKED) && c->walk)
		e->path_size = path_of_file(c->file, e->path, &cut);
	else if (how == CODE_PATH_OR_KERNEL && c->what == PLUMB_CODE_MAP)
		e->path_size = path_by_kernel(c->file, e->path, &cut);
	e->event.flags = cut;
	maps_end(e);
	return 0;
}

/* Memory of no file is mapped executable. */
static __always_inline void code_anonymous(__u32 prot, __u32 flags)
{
	struct code_found c = {.prot = prot, .flags = flags};
	__u32 mnt_ns;

	code_find_memory(&c, PLUMB_CODE_ANONYMOUS, code_exe(&mnt_ns));
	code_tell(&c, mnt_ns, CODE_PATH_IF_ALLOWED);
}

/* Is it what an interpreter was told to run? Of almost all processes this ends at the look-up. Once for each run of one. */
static __always_inline int code_is_script(struct file *file)
{
	struct code_armed *armed;
	__u32 tgid, *slot;

	if (!plumb_code_n_armed)
		return 0;
	tgid = bpf_get_current_pid_tgid() >> 32;
	slot = code_slot(tgid);
	if (!slot || !*slot)
		return 0;
	armed = bpf_map_lookup_elem(&code_armed, &tgid);
	if (!armed)
		return 0;
	if (armed->exec_id != code_exec_id() || ++armed->n_opens > CODE_OPENS_MAX) {
		code_disarm(tgid);
		return 0;
	}
	if ((file->f_inode->i_mode & MARK_S_IFMT) != CODE_S_IFREG ||
	    !code_is_named(armed, code_name_hash(file->f_path.dentry)))
		return 0;
	if (!armed->keeps)
		code_disarm(tgid);
	return 1;
}

/* mapped: it was mapped executable, and is opened for writing now. */
static __always_inline void code_opened(struct file *file, int to_write, int mapped)
{
	__u16 what = 0;

	if (mapped)
		what = PLUMB_CODE_MAP;
	else if (to_write && (__u32)file->f_inode->i_sb->s_magic == CODE_BINFMT_MAGIC)
		what = PLUMB_CODE_BINFMT;
	else if (!to_write && code_is_script(file))
		what = PLUMB_CODE_SCRIPT;
	if (what)
		code_tell_open(what, file);
}

#endif
