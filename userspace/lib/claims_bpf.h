/* SPDX-License-Identifier: Apache-2.0 */
/*
 * claims_bpf.h: BPF programs and links that are loaded, by whomever, as claims. In: the kernel, one object a step (CAP_SYS_ADMIN). Out: keys and
 * values to put: by type, name and tag, which are the same after a reboot; the numbers that the kernel gives are not.
 *
 *   bpf:prog:<type>:<name>:<tag> = "loaded"      bpf:link:<type>:<where>:<name>:<tag of its program> = "attached"
 *   bpf:progs, bpf:links = "listed" | "absent" | "unknown <why>"      bpf:own = "<programs> <links>" of those that the caller says are its own
 */
#ifndef PLUMB_CLAIMS_BPF_H
#define PLUMB_CLAIMS_BPF_H

#include <stdbool.h>
#include "claims_source.h"

#define CLAIMS_BPF_MAX_OWN 256

struct claims_bpf;

struct claims_bpf_own {
	uint32_t progs[CLAIMS_BPF_MAX_OWN], links[CLAIMS_BPF_MAX_OWN];
	uint32_t n_progs, n_links;
};

int claims_bpf_open(const struct claims_source *s, const struct claims_bpf_own *own, struct claims_bpf **ret);	/* own copied; NULL: none */
struct claims_bpf *claims_bpf_free(struct claims_bpf *c);
int claims_bpf_step(struct claims_bpf *c, int *ret_put);	/* 1: there is more to do; 0: done, *ret_put is the sum of what put returned */
bool claims_bpf_is_whole(const struct claims_bpf *c);	/* after the last step: all could be read, so what was not put is not loaded */

#endif
