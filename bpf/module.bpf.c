/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * module.bpf.c: kernel modules as they are loaded, and every file or memory that the kernel takes for itself: modules, firmware,
 * images for kexec. In: tracepoint module_load, which only a kernel with modules has; LSM's kernel_read_file and kernel_load_data
 * (init_module and kexec_load come with bytes and not with a file). Out: module and load records; decides
 * nothing, but on an isolated node.
 */
#include "hash.bpf.h"
#include "inode.bpf.h"
#include "isolate.bpf.h"
#include "maps.bpf.h"
#include "path.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tp_btf/module_load")
int BPF_PROG(plumb_module, struct module *mod)
{
	struct plumb_event_module *e;

	e = maps_begin(PLUMB_KIND_MODULE, sizeof(*e));
	if (!e)
		return 0;
	maps_current(&e->task);
	for (int i = 0; i < (int)sizeof(mod->name); i++)
		e->name[i] = mod->name[i];
	__builtin_memset(e->name + sizeof(mod->name), 0, sizeof(e->name) - sizeof(mod->name));
	e->taints = (__u32)mod->taints;
	e->reserved = 0;
	maps_end(e);
	return 0;
}

/* What a kernel does not know has no number there, and 0 is its "unknown". */
#define MODULE_IS(type, id, name)                       \
	(bpf_core_enum_value_exists(enum type, name) && \
	 (id) == (int)bpf_core_enum_value(enum type, name))
#define READS(id, name) MODULE_IS(kernel_read_file_id___core, id, READING_##name##___core)
#define LOADS(id, name) MODULE_IS(kernel_load_data_id___core, id, LOADING_##name##___core)

static __always_inline __u16 module_read_what(int id)
{
	if (READS(id, MODULE))
		return PLUMB_LOAD_MODULE;
	if (READS(id, MODULE_COMPRESSED))
		return PLUMB_LOAD_MODULE_COMPRESSED;
	if (READS(id, FIRMWARE))
		return PLUMB_LOAD_FIRMWARE;
	if (READS(id, KEXEC_IMAGE))
		return PLUMB_LOAD_KEXEC_IMAGE;
	if (READS(id, KEXEC_INITRAMFS))
		return PLUMB_LOAD_KEXEC_INITRAMFS;
	if (READS(id, POLICY))
		return PLUMB_LOAD_POLICY;
	if (READS(id, X509_CERTIFICATE))
		return PLUMB_LOAD_X509;
	return PLUMB_LOAD_OTHER;
}

static __always_inline __u16 module_data_what(int id)
{
	if (LOADS(id, MODULE))
		return PLUMB_LOAD_MODULE;
	if (LOADS(id, FIRMWARE))
		return PLUMB_LOAD_FIRMWARE;
	if (LOADS(id, KEXEC_IMAGE))
		return PLUMB_LOAD_KEXEC_IMAGE;
	if (LOADS(id, KEXEC_INITRAMFS))
		return PLUMB_LOAD_KEXEC_INITRAMFS;
	if (LOADS(id, POLICY))
		return PLUMB_LOAD_POLICY;
	if (LOADS(id, X509_CERTIFICATE))
		return PLUMB_LOAD_X509;
	return PLUMB_LOAD_OTHER;
}

SEC("lsm.s/kernel_read_file")
int BPF_PROG(plumb_kernel_read, struct file *file, int id)
{
	struct plumb_event_load *e;
	struct plumb_hash h;
	struct plumb_file f;
	__u32 cut;

	if (!file)
		return 0;
	inode_file(&f, file->f_inode);
	hash_file(&h, file, file->f_inode, &f);
	e = maps_begin(PLUMB_KIND_LOAD, sizeof(*e));
	if (!e)
		return isolate_load(module_read_what(id));
	maps_current(&e->task);
	__builtin_memcpy(&e->file, &f, sizeof(e->file));
	__builtin_memcpy(&e->hash, &h, sizeof(e->hash));
	e->what = module_read_what(id);
	e->from_memory = 0;
	e->kernel_id = id;
	e->path_size = plumb_may_probe ? path_of_file(file, e->path, &cut)
				       : path_by_kernel(file, e->path, &cut);
	e->event.flags = cut;
	maps_end(e);
	return isolate_load(module_read_what(id));
}

/* 5.10: see plumb_bprm_check__plain. */
SEC("lsm/kernel_read_file")
int BPF_PROG(plumb_kernel_read__plain, struct file *file, int id)
{
	struct plumb_event_load *e;
	__u32 cut;

	if (!file)
		return 0;
	e = maps_begin(PLUMB_KIND_LOAD, sizeof(*e));
	if (!e)
		return isolate_load(module_read_what(id));
	maps_current(&e->task);
	inode_file(&e->file, file->f_inode);
	__builtin_memset(&e->hash, 0, sizeof(e->hash));
	e->hash.error = -HASH_EOPNOTSUPP;
	e->what = module_read_what(id);
	e->from_memory = 0;
	e->kernel_id = id;
	e->path_size = path_of_file(file, e->path, &cut);
	e->event.flags = cut;
	maps_end(e);
	return isolate_load(module_read_what(id));
}

SEC("lsm/kernel_load_data")
int BPF_PROG(plumb_kernel_load, int id)
{
	struct plumb_event_load *e;

	e = maps_begin(PLUMB_KIND_LOAD, sizeof(*e));
	if (!e)
		return isolate_load(module_data_what(id));
	maps_current(&e->task);
	__builtin_memset(&e->file, 0, sizeof(e->file));
	__builtin_memset(&e->hash, 0, sizeof(e->hash));
	e->what = module_data_what(id);
	e->from_memory = 1;
	e->kernel_id = id;
	e->path_size = 1;
	e->path[0] = 0;
	maps_end(e);
	return isolate_load(module_data_what(id));
}
