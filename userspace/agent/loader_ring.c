/* SPDX-License-Identifier: Apache-2.0 */
#include "loader_ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ring_watch.h"

struct loader_ring {
	struct ring_buffer *ring;
	struct ring_watch reader;
	uint64_t n_moved;
};

int loader_ring_open(const struct bpf_map *map, int (*record)(void *ctx, void *data, size_t size),
		     void *ctx, struct loader_ring **ret, struct why *ret_why)
{
	struct loader_ring *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->ring = ring_buffer__new(bpf_map__fd(map), record, ctx, NULL);
	r = l->ring ? ring_watch_open(&l->reader, bpf_map__fd(map), bpf_map__max_entries(map))
		    : -errno;
	if (r < 0) {
		loader_ring_free(l);
		return why_set(ret_why, r, "ring buffer: %s", strerror(-r));
	}
	*ret = l;
	return 0;
}

struct loader_ring *loader_ring_free(struct loader_ring *r)
{
	if (!r)
		return NULL;
	ring_watch_close(&r->reader);
	ring_buffer__free(r->ring);
	free(r);
	return NULL;
}

int loader_ring_fd(const struct loader_ring *r)
{
	return ring_buffer__epoll_fd(r->ring);
}

int loader_ring_consume(struct loader_ring *r)
{
	int n;

	r->n_moved += ring_watch_check(&r->reader);
	n = ring_buffer__consume(r->ring);
	ring_watch_taken(&r->reader);
	return n;
}

uint64_t loader_ring_n_moved(const struct loader_ring *r)
{
	return r->n_moved;
}
