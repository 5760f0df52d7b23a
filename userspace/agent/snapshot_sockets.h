/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot_sockets.h: a line of /proc/net/tcp and its like. In: the line. Out: who speaks with whom. Pure.
 */
#ifndef PLUMB_SNAPSHOT_SOCKETS_H
#define PLUMB_SNAPSHOT_SOCKETS_H

#include <stdint.h>

struct snapshot_socket {
	char local[64], remote[64];	/* "127.0.0.1:22", "[::1]:22" */
	uint32_t state, uid;		/* state: the kernel's number; 10: listens (TCP) */
	uint64_t inode;			/* 0: nobody's any more */
};

int snapshot_sockets_line(const char *line, struct snapshot_socket *ret);	/* -EBADMSG: it is none, as the heading */

#endif
