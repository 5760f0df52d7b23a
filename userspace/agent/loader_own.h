/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loader_own.h: by which numbers the kernel knows our programs, links and maps, and whether a link is still ours; sees libbpf, for loader alone.
 * In: libbpf's objects. Out: numbers; 0: it has none, or our descriptor leads to something else by now.
 */
#ifndef PLUMB_LOADER_OWN_H
#define PLUMB_LOADER_OWN_H

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stdint.h>
#include "claims_bpf.h"

uint32_t loader_own_link(const struct bpf_link *link);	/* NULL: 0 */
void loader_own_programs(const struct bpf_object *obj, struct claims_bpf_own *ret);	/* adds those that are loaded */
/* Calls put for the number of each map; stops at the first < 0, and returns it. */
int loader_own_maps(const struct bpf_object *obj, int (*put)(void *ctx, uint32_t id), void *ctx);

#endif
