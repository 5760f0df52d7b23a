/* SPDX-License-Identifier: Apache-2.0 */
/*
 * power_fsio.h: a disk door that remembers what was synced, and takes the rest away when the power is cut.
 * In: another door (fault_fsio, so that it can be cut at any call). Out: the same; power_fsio_cut() makes the directory what a disk may hold.
 */
#ifndef PLUMB_POWER_FSIO_H
#define PLUMB_POWER_FSIO_H

#include "buf.h"
#include "fsio.h"
#include <stdbool.h>

#define POWER_FSIO_MAX 256
#define POWER_FSIO_BLOCK 64	/* of a file system: small, as the lines of tests are */

struct power_fsio {
	struct fsio io; /* hand &p.io on */
	const struct fsio *below; /* borrowed */
	struct power_file {
		struct buf synced;
	} files[POWER_FSIO_MAX];
	uint32_t n_files;
	struct power_name {
		char path[256];
		int live, durable; /* numbers of files; -1: none */
	} names[POWER_FSIO_MAX];
	uint32_t n_names;
	int of_fd[1024]; /* number of the file, or -1 */
};

void power_fsio_init(struct power_fsio *p, const struct fsio *below);
void power_fsio_done(struct power_fsio *p);
enum power_cut {
	POWER_CUT_LOST,		/* names and bytes that were not synced are gone; what was removed without sync is there again */
	POWER_CUT_REMOVED,	/* the same, but what was removed stays so */
	POWER_CUT_ZEROS,	/* names and sizes as they were last; bytes that were not synced are zeros */
	POWER_CUT_HOLE,		/* the same, but of lines the last POWER_FSIO_BLOCK and less are there, and zeros before them */
};
void power_fsio_cut(struct power_fsio *p, enum power_cut how);

#endif
