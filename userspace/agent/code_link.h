/* SPDX-License-Identifier: Apache-2.0 */
/*
 * code_link.h: is a script that an interpreter was given reached by a symbolic link, and what is it then? In: a process that lives, a path from
 * its arguments (foreign). Out: the path where it leads, its digest in words.
 */
#ifndef PLUMB_CODE_LINK_H
#define PLUMB_CODE_LINK_H

#include "buf.h"
#include "hash_cache.h"

/*
 * 1: it is one; path and found are written. 0: none, or nothing can be said: the process is gone, the path leads nowhere or has been cut, or it is
 * a relative one below another root than ours. -errno.
 */
int code_link_read(struct hash_cache *c, uint32_t pid, const char *file, size_t size, char ret_path[PLUMB_PATH_MAX], struct buf *ret_found);

#endif
