/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loader_kernel.h: what this kernel has that the programs could use, besides what a trial load tells; sees libbpf, for loader alone.
 * In: BTF of the kernel, /sys, a trial of one instruction. Out: yes or no.
 */
#ifndef PLUMB_LOADER_KERNEL_H
#define PLUMB_LOADER_KERNEL_H

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include "why.h"

/* For libbpf_set_print(). */
int loader_kernel_print(enum libbpf_print_level level, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
/* section as in SEC("…"): is there what the program wants to be attached to? Kinds of sections that are not known here: true. */
bool loader_kernel_has_hook(const struct btf *btf, const char *section);
/*
 * The hook's first argument is a struct dentry: of inode_setattr (before 6.3), setxattr and removexattr (before 5.12) that is the old form,
 * without the id map. A program of the other form would load, and read the wrong argument.
 */
bool loader_kernel_hook_is_old(const struct btf *btf, const char *section);
bool loader_kernel_lists_bpf(void);	/* among the active security modules; who cannot look says true */
bool loader_kernel_fetch_add(void);	/* takes the atomic add that gives back the old value (5.12) */
void loader_kernel_make_plain(struct bpf_program *prog);	/* before the load: such adds become plain ones (maps_number()) */
/* Where its section says; a control group's program at the root of cgroup v2. NULL: errno says why. */
struct bpf_link *loader_kernel_attach(struct bpf_program *prog);
void loader_kernel_why(int error, const char *log, char *ret, size_t size);	/* why it refused one; log: the verifier's, or "" */

/* The first two letters of names, which have no digits: bit (second & 31) of ret[first & 31], no second is 0 (code_may_interpret()). */
void loader_kernel_letters(const char *const *names, uint32_t n, uint32_t ret[32]);
/* Names of interpreters into their map; busybox is one under a shell's name alone, ld.so runs any. -E2BIG: a name is too long. */
int loader_kernel_interpreters(struct bpf_map *map, const char *const *names, uint32_t n, struct why *ret_why);
/* Name of a program's type, or of what it is attached to; NULL: not known here. Static. */
const char *loader_kernel_type_name(uint32_t type, bool attach);

#endif
