/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * surface.bpf.c: who reaches for the kernel itself: what lockdown would forbid, sysctls, probes by perf, modules that the kernel is made to
 * ask for, user namespaces, other processes' memory, the clock. Opens for writing are told by file.bpf.c's program, by surface.bpf.h.
 * In: LSM's hooks before it is done, the root cgroup's sysctl program, a tracepoint. Out: surface records. Decides nothing.
 */
#include "surface.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define SURFACE_PTRACE_ATTACH 2
#define SURFACE_PERF_TYPES \
	6 /* PERF_TYPE_MAX: those below are of the ABI, and count hardware or known tracepoints */

/* What a kernel does not know has no number there. */
#define IS(id, name)                                                                          \
	(bpf_core_enum_value_exists(enum lockdown_reason___core, LOCKDOWN_##name##___core) && \
	 (id) == (int)bpf_core_enum_value(enum lockdown_reason___core, LOCKDOWN_##name##___core))

static __always_inline __u32 surface_reason(int id)
{
	if (IS(id, DEV_MEM))
		return PLUMB_REASON_DEV_MEM;
	if (IS(id, KCORE))
		return PLUMB_REASON_KCORE;
	if (IS(id, IOPORT))
		return PLUMB_REASON_IOPORT;
	if (IS(id, MSR))
		return PLUMB_REASON_MSR;
	if (IS(id, KPROBES))
		return PLUMB_REASON_KPROBES;
	if (IS(id, PCI_ACCESS))
		return PLUMB_REASON_PCI;
	if (IS(id, ACPI_TABLES))
		return PLUMB_REASON_ACPI_TABLES;
	if (IS(id, MODULE_SIGNATURE))
		return PLUMB_REASON_MODULE_SIGNATURE;
	if (IS(id, MODULE_PARAMETERS))
		return PLUMB_REASON_MODULE_PARAMETERS;
	if (IS(id, KEXEC))
		return PLUMB_REASON_KEXEC;
	if (IS(id, MMIOTRACE))
		return PLUMB_REASON_MMIOTRACE;
	if (IS(id, BPF_WRITE_USER))
		return PLUMB_REASON_BPF_WRITE_USER;
	if (IS(id, EFI_TEST))
		return PLUMB_REASON_EFI_TEST;
	return PLUMB_REASON_OTHER;
}

/* Asked whether or not lockdown is in force. Reading is asked for as well where it is no attempt at anything, by whoever monitors a node. */
SEC("lsm/locked_down")
int BPF_PROG(plumb_locked_down, int id)
{
	struct plumb_event_surface *e;

	if (IS(id, HIBERNATION) || IS(id, DEBUGFS) || IS(id, TRACEFS) || IS(id, BPF_READ_KERNEL) ||
	    IS(id, PERF))
		return 0;
	e = surface_begin_once(PLUMB_SURFACE_LOCKDOWN, id);
	if (!e)
		return 0;
	e->number = surface_reason(id);
	e->other = id;
	maps_end(e);
	return 0;
}

/* Same thread group: the kernel does not ask. */
SEC("lsm/ptrace_access_check")
int BPF_PROG(plumb_ptrace, struct task_struct *child, unsigned int mode)
{
	struct plumb_event_surface *e;
	__u64 start_ns;

	if (!(mode & SURFACE_PTRACE_ATTACH))
		return 0;
	start_ns = child->group_leader->start_boottime;
	e = surface_begin_once(PLUMB_SURFACE_PTRACE, start_ns);
	if (!e)
		return 0;
	e->number = mode;
	e->target_pid = child->tgid;
	e->target_start_ns = start_ns;
	for (int i = 0; i < PLUMB_COMM_SIZE - 1; i++)
		e->text[i] = child->comm[i];
	maps_end(e);
	return 0;
}

SEC("lsm/ptrace_traceme")
int BPF_PROG(plumb_traceme, struct task_struct *parent)
{
	struct plumb_event_surface *e;

	e = surface_begin_once(PLUMB_SURFACE_TRACEME, 0);
	if (!e)
		return 0;
	e->target_pid = parent->tgid;
	e->target_start_ns = parent->group_leader->start_boottime;
	for (int i = 0; i < PLUMB_COMM_SIZE - 1; i++)
		e->text[i] = parent->comm[i];
	maps_end(e);
	return 0;
}

/* The event is made by now, so its attributes are the kernel's own copy; kernels have asked with other arguments before that. */
SEC("lsm/perf_event_alloc")
int BPF_PROG(plumb_perf, struct perf_event *event)
{
	struct plumb_event_surface *e;
	__u32 type = event->attr.type;
	const char *name;

	if (type < SURFACE_PERF_TYPES)
		return 0;
	e = surface_begin_once(PLUMB_SURFACE_PERF, type);
	if (!e)
		return 0;
	e->number = type;
	name = (const char *)event->attr.kprobe_func;
	bpf_probe_read_user_str(e->text, 256, name);
	maps_end(e);
	return 0;
}

SEC("lsm/userns_create")
int BPF_PROG(plumb_userns, const struct cred *cred)
{
	struct plumb_event_surface *e = surface_begin_once(PLUMB_SURFACE_USERNS, 0);

	if (e)
		maps_end(e);
	return 0;
}

/* The time that it is set to may be none: the argument is not looked at. */
SEC("lsm/settime")
int BPF_PROG(plumb_settime)
{
	struct plumb_event_surface *e = surface_begin_once(PLUMB_SURFACE_CLOCK, 0);

	if (e)
		maps_end(e);
	return 0;
}

SEC("tp_btf/module_request")
int BPF_PROG(plumb_module_request, char *name)
{
	struct plumb_event_surface *e = surface_begin(PLUMB_SURFACE_REQUEST);

	if (!e)
		return 0;
	if (plumb_may_probe)
		bpf_probe_read_kernel_str(e->text, 64, name);
	maps_end(e);
	return 0;
}

/* No helper for the name of the process here, on older kernels. */
static __always_inline void surface_sysctl_task(struct plumb_task *t)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id___core,
				       BPF_FUNC_get_current_task_btf___core)) {
		struct task_struct *task = (void *)bpf_get_current_task_btf();

		maps_task(t, task);
	} else {
		struct task_struct *task = (void *)bpf_get_current_task();

		maps_task_numbers_probed(t);
		BPF_CORE_READ_INTO(&t->comm, task, comm);
	}
	t->comm[PLUMB_COMM_SIZE - 1] = 0;
}

/* Each write of a sysctl, in whatever namespaces, before it is done; attached to the root of cgroup v2. 1: it may be. */
SEC("cgroup/sysctl")
int plumb_sysctl(struct bpf_sysctl *ctx)
{
	struct plumb_event_surface *e;

	if (!ctx->write)
		return 1;
	e = surface_begin_empty(PLUMB_SURFACE_SYSCTL);
	if (!e)
		return 1;
	surface_sysctl_task(&e->task);
	surface_namespaces(e);
	bpf_sysctl_get_name(ctx, e->text, sizeof(e->text), 0);
	bpf_sysctl_get_current_value(ctx, e->before, sizeof(e->before));
	bpf_sysctl_get_new_value(ctx, e->after, sizeof(e->after));
	maps_end(e);
	return 1;
}
