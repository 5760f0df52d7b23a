/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan_disks.h: descriptors of disks that are open for writing: of block devices, and of SCSI generic ones. It finds what was opened before there
 * was a sensor; where none can be attached it is all that there is. In: /proc/PID/fd, a process a step. Out: a call for each process and
 * disk that was not found in the pass before. What was mapped and closed, or is open for less than from one pass to the next, is not seen.
 */
#ifndef PLUMB_SCAN_DISKS_H
#define PLUMB_SCAN_DISKS_H

#include <stdbool.h>
#include <stdint.h>
#include "proctab.h"

#define SCAN_DISKS_KNOWN 256	/* processes and disks that are remembered; of more, each pass tells */
#define SCAN_DISKS_FDS (1u << 20)	/* descriptors of one process that are looked at */

struct scan_disks;

struct scan_disks_found {
	uint64_t start_ns;	/* 0: not known */
	uint32_t pid;
	uint32_t dev;		/* major << 20 | minor */
	uint16_t mode;		/* S_IFBLK or S_IFCHR */
};

struct scan_disks_options {
	const char *proc;	/* NULL: /proc */
	struct proctab *proctab;	/* borrowed */
	bool (*found)(void *ctx, const struct scan_disks_found *f);	/* false: it is nothing yet, and to be given again */
	void *ctx;
};

int scan_disks_open(const struct scan_disks_options *o, struct scan_disks **ret);
struct scan_disks *scan_disks_free(struct scan_disks *d);
int scan_disks_step(struct scan_disks *d);	/* 1: there is more; 0: the pass is over, and the next step begins another; -errno */
const char *scan_disks_blind(const struct scan_disks *d);	/* why the pass that is over could not look at all; NULL: it could */

#endif
