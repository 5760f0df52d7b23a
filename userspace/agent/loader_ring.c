/* SPDX-License-Identifier: Apache-2.0 */
#include "loader_ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ring_watch.h"

struct loader_ring {
	int fd;
	size_t page, size;
	void *position, *records; /* MAP_FAILED: not mapped */
	struct ring_read read;
	struct ring_watch reader;
	uint64_t n_moved;
};

/* A page with the reader's position, then, which only the kernel may write, one with the writer's and the records behind it. */
static int map_ring(struct loader_ring *l)
{
	l->page = (size_t)sysconf(_SC_PAGESIZE);
	l->records = MAP_FAILED;
	l->position = mmap(NULL, l->page, PROT_READ | PROT_WRITE, MAP_SHARED, l->fd, 0);
	if (l->position != MAP_FAILED)
		l->records =
			mmap(NULL, l->page + l->size, PROT_READ, MAP_SHARED, l->fd, (off_t)l->page);
	if (l->records == MAP_FAILED)
		return -errno;
	l->read.consumer = l->position;
	l->read.producer = l->records;
	l->read.data = (const uint8_t *)l->records + l->page;
	l->read.size = l->size;
	return 0;
}

int loader_ring_open(const struct bpf_map *map, const struct ring_calls *calls,
		     struct loader_ring **ret, struct why *ret_why)
{
	struct loader_ring *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->fd = bpf_map__fd(map);
	l->size = bpf_map__max_entries(map);
	l->read.calls = *calls;
	r = map_ring(l);
	if (r >= 0)
		r = ring_watch_open(&l->reader, l->fd, bpf_map__max_entries(map));
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
	if (r->records != MAP_FAILED)
		munmap(r->records, r->page + r->size);
	if (r->position != MAP_FAILED)
		munmap(r->position, r->page);
	free(r);
	return NULL;
}

int loader_ring_fd(const struct loader_ring *r)
{
	return r->fd;
}

int loader_ring_consume(struct loader_ring *r)
{
	int n;

	r->n_moved += ring_watch_check(&r->reader);
	n = ring_read_all(&r->read);
	ring_watch_taken(&r->reader);
	return n;
}

uint64_t loader_ring_n_moved(const struct loader_ring *r)
{
	return r->n_moved;
}
