/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * module.bpf.c: kernel modules as they are loaded.
 * In: tracepoint module_load, which only a kernel with modules has: without it this program is left out. Out: module records.
 */
#include "maps.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tp_btf/module_load")
int BPF_PROG(plumb_module, struct module *mod)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct plumb_event_module *e;

	e = maps_begin(PLUMB_KIND_MODULE, sizeof(*e));
	if (!e)
		return 0;
	maps_task(&e->task, task);
	__builtin_memset(e->name, 0, sizeof(e->name));
	bpf_probe_read_kernel_str(e->name, sizeof(e->name), &mod->name);
	e->taints = (__u32)BPF_CORE_READ(mod, taints);
	e->reserved = 0;
	maps_end(e);
	return 0;
}
