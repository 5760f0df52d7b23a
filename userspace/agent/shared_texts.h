/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shared_texts.h: texts that many processes have alike (path of a program, path of a cgroup) are kept once, and counted.
 * In: texts. Out: shared ones. What ran lately is found again without memory being asked for: most runs are of a few programs.
 */
#ifndef PLUMB_SHARED_TEXTS_H
#define PLUMB_SHARED_TEXTS_H

#include <stdint.h>
#include "container_path.h"

#define SHARED_TEXTS_RECENT 64u	/* a power of two */

struct shared_text {
	uint32_t refs;
	uint32_t size;			/* without NUL */
	struct container_path container;	/* of a cgroup's path */
	char text[];
};

/* Zero-initialise. */
struct shared_texts {
	struct shared_text *recent[SHARED_TEXTS_RECENT];
};

void shared_texts_done(struct shared_texts *s);
/* The caller drops what he gets; NULL: out of memory, or no text. */
struct shared_text *shared_texts_get(struct shared_texts *s, const char *text);
struct shared_text *shared_text_cgroup(const char *path);
struct shared_text *shared_text_share(struct shared_text *t);
void shared_text_drop(struct shared_text *t);

#endif
