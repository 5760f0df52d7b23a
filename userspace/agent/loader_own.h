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
#include "why.h"

uint32_t loader_own_link(const struct bpf_link *link);	/* NULL: 0 */
void loader_own_programs(const struct bpf_object *obj, struct claims_bpf_own *ret);	/* adds those that are loaded */
int loader_own_put(const struct bpf_map *guard_own, uint32_t type, uint64_t id);	/* PLUMB_GUARD_OWN_*; 0 or -errno */
/* The link in place of that of number *id, of which either may be none (NULL, 0): one that comes and goes takes no more than one place. It stays attached when there is none. */
void loader_own_move(const struct bpf_map *guard_own, const struct bpf_link *link, uint32_t *id);
/* Tells the guard of all of them that there are now. */
int loader_own_guard(const struct bpf_map *guard_own, const struct bpf_object *obj, struct bpf_link *const *links, uint32_t n_links,
		     struct why *ret_why);

#endif
