/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loader_ring.h: reads the ring, and notices when somebody else moves the reader; sees libbpf, for loader alone.
 * In: the map of the ring. Out: records by callback; how often the reader's position was not where it was left.
 */
#ifndef PLUMB_LOADER_RING_H
#define PLUMB_LOADER_RING_H

#include <bpf/libbpf.h>
#include <stdint.h>
#include "ring_read.h"
#include "why.h"

struct loader_ring;

int loader_ring_open(const struct bpf_map *map, const struct ring_calls *calls, struct loader_ring **ret, struct why *ret_why);
struct loader_ring *loader_ring_free(struct loader_ring *r);
int loader_ring_fd(const struct loader_ring *r);
int loader_ring_consume(struct loader_ring *r);		/* as loader_consume() */
uint64_t loader_ring_n_moved(const struct loader_ring *r);

#endif
