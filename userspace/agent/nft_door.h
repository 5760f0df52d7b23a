/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nft_door.h: the door to libnftables; the only room that sees it. In: commands as JSON, of this process's network namespace.
 * Out: that the kernel took them, all or none; a table as text. It waits for nobody but the kernel.
 */
#ifndef PLUMB_NFT_DOOR_H
#define PLUMB_NFT_DOOR_H

#include "buf.h"
#include "why.h"

/* All: -EOPNOTSUPP: the kernel has no packet filter of this kind; what socket() gives, where it gives none; -EIO: refused, why says it in the library's words. */
int nft_door_run(const char *json, struct why *ret_why);
int nft_door_try(const char *json,
		 struct why *ret_why); /* the same, and nothing is done: would it be taken now */
int nft_door_list(const char *family, const char *table, struct buf *ret,
		  struct why *ret_why); /* without numbers that change; -ENOENT: there is none */

#endif
