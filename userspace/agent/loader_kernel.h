/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loader_kernel.h: what this kernel has that the programs could use, besides what a trial load tells; sees libbpf, for loader alone.
 * In: BTF of the kernel, /sys, a trial of one instruction. Out: yes or no.
 */
#ifndef PLUMB_LOADER_KERNEL_H
#define PLUMB_LOADER_KERNEL_H

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdbool.h>

/* section as in SEC("…"): is there what the program wants to be attached to? Kinds of sections that are not known here: true. */
bool loader_kernel_has_hook(const struct btf *btf, const char *section);
bool loader_kernel_lists_bpf(void);	/* among the active security modules; who cannot look says true */
bool loader_kernel_fetch_add(void);	/* takes the atomic add that gives back the old value (5.12) */
void loader_kernel_make_plain(struct bpf_program *prog);	/* before the load: such adds become plain ones (maps_number()) */

#endif
