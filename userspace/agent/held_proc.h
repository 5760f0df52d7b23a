/* SPDX-License-Identifier: Apache-2.0 */
/*
 * held_proc.h: what /proc gives only under a lock of the process's memory: maps, map_files, arguments. A process may hold it for ever, and
 * need not even mean to: a page of it lies on a server that does not answer. So a thread reads, and the loop asks again.
 * In: names below /proc. Out: a text, or a descriptor of O_PATH; or that it is held. On the loop's thread alone.
 */
#ifndef PLUMB_HELD_PROC_H
#define PLUMB_HELD_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "buf.h"

#define HELD_PROC_MAX 32	/* threads; ordinarily there is one, which waits for nobody */
#define HELD_PROC_NAME 64	/* bytes of a name below /proc/PID */

struct held_proc;

struct held_proc_options {
	uint32_t wait_us;	/* one call waits so long at most; 0: 2000 */
	uint32_t patience_ms;	/* until it is held; 0: 5000 */
	uint32_t rest_ms;	/* until a process that held it is asked again, twice as long each time, up to HELD_PROC_REST_MAX; 0: 30000 */
};

#define HELD_PROC_REST_MAX 5	/* times doubled */

struct held_proc_want {
	const char *proc;	/* NULL: /proc */
	uint32_t pid;
	const char *name;	/* below its directory */
	size_t max;		/* bytes of a text */
};

int held_proc_open(const struct held_proc_options *o, struct held_proc **ret);	/* o NULL: the defaults. No thread is made before it is asked */
struct held_proc *held_proc_free(struct held_proc *h);	/* a thread that waits for somebody is left to itself */
/* What one of a process's descriptors stands for. */
struct held_proc_fd {
	uint64_t ino;
	uint32_t fd, mode;	/* the kind alone: S_IFMT */
	uint32_t dev, rdev;	/* as the kernel has them: major << 20 | minor */
};

/*
 * The text, appended, 0; a descriptor, which the caller closes. -EINPROGRESS: nothing yet, ask for the same again. -ETIMEDOUT: the process holds it,
 * or did lately, and is asked again by itself; -EBUSY: so do HELD_PROC_MAX others. Both are "could not be looked at". -EFBIG: more than max
 * bytes. -errno.
 */
int held_proc_text(struct held_proc *h, const struct held_proc_want *w, struct buf *ret);
int held_proc_path(struct held_proc *h, const struct held_proc_want *w);
/*
 * Of the directory "fd": its files and devices, each a struct held_proc_fd in ret. Who serves them is not asked, but a file system may ask
 * him all the same (9p): so a thread looks here as well.
 */
int held_proc_fds(struct held_proc *h, const struct held_proc_want *w, struct buf *ret);
bool held_proc_fd_writes(const char *proc, uint32_t pid, uint32_t fd);	/* it was opened for writing, or that cannot be told; waits for nobody */
const char *held_proc_why(int r);	/* in words, of -ETIMEDOUT and -EBUSY; NULL: it was something else */

#endif
