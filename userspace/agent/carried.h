/* SPDX-License-Identifier: Apache-2.0 */
/*
 * carried.h: does a block device carry a file system that is mounted, or swap: itself, a partition of it, or what is built on it (dm, md)?
 * In: mountinfo, /proc/swaps, /sys/dev/block. Out: yes or no, the device's name and what it carries.
 */
#ifndef PLUMB_CARRIED_H
#define PLUMB_CARRIED_H

#include <stdint.h>

struct carried_source {
	const char *proc, *sys;		/* "/proc", "/sys" */
};

struct carried {
	char name[64];		/* "sda1"; "8:1" when /sys does not name it */
	char what[256];		/* a mount point, or "swap" */
};

/* dev as the kernel has it: major << 20 | minor. 1, 0, or -errno: it could not be looked at. name is set in each case. */
int carried_by(const struct carried_source *s, uint32_t dev, struct carried *ret);
/* The name of a character device: "sg0". */
void carried_character(const struct carried_source *s, uint32_t dev, char ret[64]);

#endif
