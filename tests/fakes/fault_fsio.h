/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault_fsio.h: a disk door that stops after so many calls: from then on every call fails and changes nothing, as after a crash
 * or on a full disk; a write at that moment may be half done. In: the real door. Out: a door that breaks when told.
 */
#ifndef PLUMB_FAULT_FSIO_H
#define PLUMB_FAULT_FSIO_H

#include <stdbool.h>
#include "fsio.h"

struct fault_fsio {
	struct fsio io;		/* hand &f.io on */
	long left;		/* calls that still work; negative: all */
	bool half;		/* the write at the fault leaves its first half */
	int error;		/* e.g. -EIO, -ENOSPC */
	long calls;
};

void fault_fsio_init(struct fault_fsio *f, long left, bool half, int error);

#endif
