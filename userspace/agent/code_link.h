/* SPDX-License-Identifier: Apache-2.0 */
/*
 * code_link.h: a script that an interpreter was given and that the kernel programs do not tell: one that is reached by a symbolic link, or, where
 * opens of files are not seen, any. In: a process, which may be gone, and a path from its arguments (foreign). Out: the path where it leads, its
 * digest in words.
 */
#ifndef PLUMB_CODE_LINK_H
#define PLUMB_CODE_LINK_H

#include <stdbool.h>

#include "buf.h"
#include "hash_cache.h"

/*
 * 1: path and found are written; 0: nothing is to be told: it is no link, no regular file, or there is none, or the process is gone; with any, that
 * is told as unmeasured, by the path in the arguments, and ret_cut says whether that is a relative one. So is always a relative path whose process
 * stands outside its own root, or where nothing is any more. What somebody serves is not read, and what he would have to be asked for is told as
 * unmeasured too. -errno.
 */
struct code_link {
	char path[PLUMB_PATH_MAX];
	bool cut;	/* its front is missing */
	struct buf found;
};

void code_link_done(struct code_link *l);
int code_link_read(struct hash_cache *c, uint32_t pid, const char *file, size_t size, bool any, struct code_link *ret);

#endif
