/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * kernel.bpf.c: what changes the kernel itself besides modules: BPF programs as they are loaded and attached.
 * In: LSM's bpf, before it is done (a load that is refused later is told as well). Out: bpf records. Decides
 * nothing, but on an isolated node.
 */
#include "isolate.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* attr is the kernel's own copy; its layout is the kernel's ABI, so nothing needs to be relocated. */
SEC("lsm/bpf")
int BPF_PROG(plumb_bpf, int cmd, union bpf_attr *attr)
{
	struct plumb_event_bpf *e;

	if (cmd != BPF_PROG_LOAD && cmd != BPF_PROG_ATTACH && cmd != BPF_LINK_CREATE &&
	    cmd != BPF_LINK_UPDATE && cmd != BPF_RAW_TRACEPOINT_OPEN)
		return 0;
	e = maps_begin(PLUMB_KIND_BPF, sizeof(*e));
	if (!e)
		return isolate_bpf(cmd);
	maps_current(&e->task);
	e->command = cmd;
	e->op = cmd == BPF_PROG_LOAD ? PLUMB_BPF_LOAD : PLUMB_BPF_ATTACH;
	e->reserved = 0;
	e->prog_type = 0;
	e->n_insns = 0;
	__builtin_memset(e->name, 0, sizeof(e->name));
	if (cmd == BPF_PROG_LOAD) {
		e->prog_type = attr->prog_type;
		e->n_insns = attr->insn_cnt;
		for (int i = 0; i < (int)sizeof(e->name) - 1; i++)
			e->name[i] = attr->prog_name[i];
	} else if (cmd == BPF_PROG_ATTACH) {
		e->prog_type = attr->attach_type;
	} else if (cmd == BPF_LINK_CREATE) {
		e->prog_type = attr->link_create.attach_type;
	}
	maps_end(e);
	return isolate_bpf(cmd);
}
