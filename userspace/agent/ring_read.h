/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring_read.h: takes records out of a BPF ring that is mapped once. (libbpf maps its bytes twice, so that no record is in two pieces, and
 * both count as the agent's memory.) Pure: no descriptor. In: the ring's memory, and the two positions. Out: records by callback.
 */
#ifndef PLUMB_RING_READ_H
#define PLUMB_RING_READ_H

#include <stddef.h>
#include <stdint.h>

#define RING_READ_MAX 8192u	/* bytes of a record */

struct ring_calls {
	/* One record; borrowed, 8-byte aligned. < 0 stops, the record counts as taken. */
	int (*record)(void *ctx, const void *data, size_t size);
	/* Before a round of records, if there are any, all of which were begun by now. NULL: nobody wants to know. */
	void (*round)(void *ctx);
	void *ctx;
};

struct ring_read {
	const uint8_t *data;		/* borrowed, as all that follows */
	uint64_t size;			/* of data; a power of two */
	unsigned long *consumer;	/* both grow without end */
	const unsigned long *producer;
	struct ring_calls calls;
	_Alignas(8) uint8_t whole[RING_READ_MAX];	/* of a record that goes around the end */
};

/*
 * What is there, up to the first record that is still being written: number of records, or what the callback said. Where a record cannot
 * be one (somebody moved the reader), the callback gets one of no bytes, and all that waits is passed over.
 */
int ring_read_all(struct ring_read *r);

#endif
