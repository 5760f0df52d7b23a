/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bootlog_cover.h: is an event's data what was measured? A register holds digests alone: data, types and names are whatever somebody wrote
 * beside them, but where the digest can be made anew from the data. In: an event. Out: the bytes that its digest is over. Pure.
 */
#ifndef PLUMB_BOOTLOG_COVER_H
#define PLUMB_BOOTLOG_COVER_H

#include "bootlog.h"

enum bootlog_cover {
	BOOTLOG_COVERED = 1,		/* the digest is of these bytes */
	BOOTLOG_OF_ELSE,		/* it is of something that the log does not have: a file, a program, a table */
	BOOTLOG_LIE,			/* it must be of the data, by the event's type, and is not */
};

struct bootlog_covered {
	enum bootlog_cover cover;
	struct buf_view bytes;		/* where COVERED */
	bool extra;			/* one byte after them is not: old releases of shim */
	uint8_t prefix;			/* bytes before them that are not: "grub_cmd: " */
};

/* bank: of SHA-256. 0 or -EIO: no digest could be made. */
int bootlog_cover(const struct bootlog_event *e, uint32_t bank, struct bootlog_covered *ret);

#endif
