/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring_watch.h: is the reader's position in the ring where we left it? Whoever has a descriptor of the ring can map that page and push it
 * ahead: the kernel then finds no room, the reader finds nothing, and nobody is woken.
 * In: the two pages of positions. Out: whether somebody moved ours, which is put back.
 */
#ifndef PLUMB_RING_WATCH_H
#define PLUMB_RING_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct ring_watch {
	uint64_t *consumer;		/* we alone write it */
	const uint64_t *producer;	/* the kernel alone writes it */
	uint64_t size;			/* bytes of records that the ring holds */
	uint64_t expected;		/* where we left the reader */
};

int ring_watch_open(struct ring_watch *w, int map_fd, uint64_t size);	/* 0 or -errno; maps both pages */
void ring_watch_close(struct ring_watch *w);
/* Before reading. true: it was moved. It is put back, or, where records were written over meanwhile, to the newest. */
bool ring_watch_check(struct ring_watch *w);
void ring_watch_taken(struct ring_watch *w);		/* after reading: from here on it is to stay */
bool ring_watch_is_empty(const struct ring_watch *w);

#endif
