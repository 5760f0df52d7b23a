/* SPDX-License-Identifier: Apache-2.0 */
/*
 * raw_writes.h: who has had a block device open for writing below the file systems of watched files. In: the devices that the files lie on, and
 * the disks that these are parts of; inotify on their nodes. Out: a call when one was closed, once what was written to it
 * should be on the disk, and once more much later: how long that takes nobody waits for.
 * A node that somebody makes elsewhere is another inode: of that the open alone is heard, by LSM.
 */
#ifndef PLUMB_RAW_WRITES_H
#define PLUMB_RAW_WRITES_H

#include <event2/event.h>
#include <stdint.h>
#include "file_set.h"

#define RAW_WRITES_MAX 64	/* devices */

struct raw_writes;

struct raw_writes_options {
	const struct file_set *files;	/* borrowed */
	const char *sys, *dev;		/* NULL: /sys/dev/block, /dev */
	void (*written)(void *ctx, const char *node);	/* twice for what comes within settle_ms */
	void *ctx;
	uint32_t settle_ms;		/* 0: 200 */
	uint32_t sync_ms, late_ms;	/* from then to the first call, and to the second; 0: 1000, 30000 */
	uint32_t exchange_ms;	/* from one exchange to the next that is listened to; 0: 60000 */
};

int raw_writes_open(struct event_base *base, const struct raw_writes_options *o, struct raw_writes **ret, struct why *ret_why);
struct raw_writes *raw_writes_free(struct raw_writes *w);
void raw_writes_again(struct raw_writes *w);	/* files may lie on other devices now */
/* LSM has seen that it was opened, by whatever node: a close may never be heard of. dev as in records; one that nothing lies on is nothing. */
void raw_writes_opened(struct raw_writes *w, uint32_t dev);
/*
 * Blocks of some two files of that device's file system were exchanged, 0: of any. Whoever has files of his own there may ask for that all
 * day: what comes within exchange_ms is one, after that.
 */
void raw_writes_exchanged(struct raw_writes *w, uint32_t dev);
uint32_t raw_writes_n(const struct raw_writes *w);	/* nodes that are looked at */

#endif
