/* SPDX-License-Identifier: Apache-2.0 */
/*
 * claims_kernel.h: what was done to the running kernel's code, as claims: taint, probes, function tracing, live patches.
 * In: /proc, tracefs and debugfs below /sys. Out: key and value to put: "absent" is a kernel that has no such thing.
 */
#ifndef PLUMB_CLAIMS_KERNEL_H
#define PLUMB_CLAIMS_KERNEL_H

#include "claims_names.h"
#include "claims_source.h"

/* Each gives the sum of what put returned, or the first error. */
int claims_kernel_taint(const struct claims_source *s);		/* kernel:taint */
int claims_kernel_probes(const struct claims_source *s);	/* kernel:kprobes, kernel:kprobe_events, kernel:uprobe_events */
int claims_kernel_ftrace(const struct claims_source *s);	/* kernel:tracer, kernel:ftrace_filter, kernel:ftrace */
int claims_kernel_livepatch(const struct claims_source *s);	/* kernel:livepatch */

/* "4097" → "P,O": letters as the kernel prints them, "bit63" where it has none; 0 is "0". Pure. */
int claims_kernel_parse_taint(const char *text, size_t size, struct buf *ret);
/* The text of debugfs' kprobes/list: kind, place and flags of each; not whether it is optimised, which comes by itself a while later. Pure. */
int claims_kernel_parse_kprobes(const char *text, size_t size, struct claims_names *ret);
/*
 * The text of tracefs' enabled_functions: name, count and flags of each, without addresses. Those that BPF trampolines alone are attached to are
 * left out: their programs are claims of their own. Pure.
 */
int claims_kernel_parse_functions(const char *text, size_t size, struct claims_names *ret);

#endif
