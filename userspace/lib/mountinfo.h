/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mountinfo.h: a line of the kernel's table of mounts, whose names are chosen by whoever mounts. In: its bytes. Out: its fields. Pure.
 */
#ifndef PLUMB_MOUNTINFO_H
#define PLUMB_MOUNTINFO_H

#include <stddef.h>
#include <stdint.h>
#include "buf.h"
#include "why.h"

#define MOUNTINFO_MAX_SIZE (16u << 20)	/* bytes of a table that are read */

/* One line of mountinfo, octal escapes undone. Strings are in the entry itself. */
struct mountinfo_entry {
	uint32_t id, parent_id, major, minor;
	char root[4096];
	char point[4096];
	char fstype[64];	/* cut there: FUSE lets whoever mounts put any name behind its own */
	char source[4096];	/* cut there, and no more than mount(2) takes */
	const char *super;	/* the file system's own options, borrowed from text: escapes are still in them */
	size_t super_size;
};

/* size without LF. 0, or -EBADMSG with why. */
int mountinfo_parse(const char *text, size_t size, struct mountinfo_entry *ret, struct why *ret_why);

/* As in a claim: "<fstype> <source> <root>". Appends. */
int mountinfo_value(const struct mountinfo_entry *e, struct buf *ret);

#endif
