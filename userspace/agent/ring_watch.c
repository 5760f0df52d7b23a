/* SPDX-License-Identifier: Apache-2.0 */
#include "ring_watch.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

static uint64_t load(const uint64_t *at)
{
	return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

int ring_watch_open(struct ring_watch *w, int map_fd, uint64_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
	void *producer;
	int r;

	if (consumer == MAP_FAILED)
		return -errno;
	producer = mmap(NULL, page, PROT_READ, MAP_SHARED, map_fd, (off_t)page);
	if (producer == MAP_FAILED) {
		r = -errno;
		munmap(consumer, page);
		return r;
	}
	*w = (struct ring_watch){.consumer = consumer, .producer = producer, .size = size};
	ring_watch_taken(w);
	return 0;
}

void ring_watch_close(struct ring_watch *w)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (!w->consumer)
		return;
	munmap(w->consumer, page);
	munmap((void *)(uintptr_t)w->producer, page);
	*w = (struct ring_watch){.consumer = NULL};
}

bool ring_watch_check(struct ring_watch *w)
{
	uint64_t produced;

	if (!w->consumer || load(w->consumer) == w->expected)
		return false;
	produced = load(w->producer);
	if (produced - w->expected > w->size)
		w->expected = produced;
	__atomic_store_n(w->consumer, w->expected, __ATOMIC_RELEASE);
	return true;
}

void ring_watch_taken(struct ring_watch *w)
{
	if (w->consumer)
		w->expected = load(w->consumer);
}

bool ring_watch_is_empty(const struct ring_watch *w)
{
	return !w->consumer || load(w->producer) == w->expected;
}
