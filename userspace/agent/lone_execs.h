/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lone_execs.h: execs that one source told and another did not, until a line says so. In: each of them. Out: words, the first few by name.
 */
#ifndef PLUMB_LONE_EXECS_H
#define PLUMB_LONE_EXECS_H

#include <stdint.h>
#include "buf.h"

#define LONE_EXECS_NAMED 3u	/* that one line names; the rest is a number */

struct lone_execs {		/* zeros: there is none */
	uint64_t n;
	uint32_t named;
	struct {
		uint32_t pid;
		uint64_t start_ns;	/* 0: not known */
	} names[LONE_EXECS_NAMED];
};

void lone_execs_note(struct lone_execs *l, uint32_t pid, uint64_t start_ns);
/* Adds "only <source> saw <n>: pid …, …", behind "; " if there is something already; nothing if there is none. proc NULL: /proc. */
void lone_execs_text(const struct lone_execs *l, const char *source, const char *proc, struct buf *b);

#endif
