/* SPDX-License-Identifier: Apache-2.0 */
#include "ring_read.h"

#include <limits.h>
#include <linux/bpf.h>
#include <string.h>

#define CACHE_LINE 64u
#define AHEAD (6 * CACHE_LINE) /* of an exec with its path */
#define LENGTH (~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT))

/* The bytes of the record whose header stands at `at`: as they lie, or put together where they go around the end. */
static const void *whole(struct ring_read *r, uint64_t at, size_t size)
{
	uint64_t from = (at + BPF_RINGBUF_HDR_SZ) & (r->size - 1);
	size_t first;

	if (size == 0)
		return r->whole;
	if (from + size <= r->size)
		return r->data + from;
	first = (size_t)(r->size - from);
	memcpy(r->whole, r->data + from, first);
	memcpy(r->whole + first, r->data, size - first);
	return r->whole;
}

/* 1: one was taken, or none was meant to be seen; 0: it is still being written. */
static int take(struct ring_read *r, unsigned long *at, unsigned long to, int *n)
{
	const uint32_t *head = (const void *)(r->data + (*at & (r->size - 1) & ~7ul));
	uint32_t length = __atomic_load_n(head, __ATOMIC_ACQUIRE);
	size_t size = length & LENGTH;
	unsigned long next = *at + (size + BPF_RINGBUF_HDR_SZ + 7) / 8 * 8;
	const uint8_t *ahead = r->data + (next & (r->size - 1));
	int e = 0;

	/* Each record lies in memory that nobody on this core has read yet: the next one is fetched while this one is worked at. */
	for (size_t i = 0; next < to && i < AHEAD; i += CACHE_LINE)
		__builtin_prefetch(ahead + i);
	if (length & BPF_RINGBUF_BUSY_BIT)
		return 0;
	if (size > RING_READ_MAX || next > to || *at % 8) {
		size = 0;
		next = to;
		length = 0;
	}
	if (!(length & BPF_RINGBUF_DISCARD_BIT)) {
		e = r->calls.record(r->calls.ctx, whole(r, *at, size), size);
		++*n;
	}
	*at = next;
	__atomic_store_n(r->consumer, next, __ATOMIC_RELEASE);
	return e < 0 ? e : 1;
}

int ring_read_all(struct ring_read *r)
{
	unsigned long at = __atomic_load_n(r->consumer, __ATOMIC_ACQUIRE), to;
	int n = 0, e = 1;

	/* Looked at anew after each round: who writes wakes nobody while records wait. */
	while (e > 0 && at < (to = __atomic_load_n(r->producer, __ATOMIC_ACQUIRE))) {
		if (r->calls.round)
			r->calls.round(r->calls.ctx);
		while (e > 0 && at < to && n < INT_MAX)
			e = take(r, &at, to, &n);
	}
	return e < 0 ? e : n;
}
