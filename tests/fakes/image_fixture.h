/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_fixture.h: a file system in an image, with programs that changed long ago, in a mount namespace of the test's own; and what root does to
 * their bytes while it is not mounted. Out: paths that have the same device, inode, size and times before and after. Aborts on failure.
 */
#ifndef PLUMB_IMAGE_FIXTURE_H
#define PLUMB_IMAGE_FIXTURE_H

#include <stdbool.h>
#include "scratch.h"

#define IMAGE_FIXTURE_BYTES	"the bytes of a program"
#define IMAGE_FIXTURE_PATCHED	"The bytes of a program"

struct image_fixture {
	char top[SCRATCH_SIZE], device[64];
	char program[SCRATCH_SIZE + 16];	/* these bytes alone */
	char true_path[SCRATCH_SIZE + 16];	/* these bytes behind those of true(1): it runs */
};

/* Mounted. NULL, or why it cannot be had: not root, no loop device, no ext4. */
const char *image_fixture_open(struct image_fixture *i);
/* Unmounts it, changes a byte of each program in the image, mounts it again. false: somebody took the device meanwhile. */
bool image_fixture_patch(struct image_fixture *i);
/* Before a check may fail: the device is the machine's. */
void image_fixture_close(struct image_fixture *i);

#endif
