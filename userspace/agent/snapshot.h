/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot.h: what a responder wants to know of a node at the moment it was isolated: processes, open sockets, modules, mounts, where the ledger
 * stands. In: /proc. Out: one JSON object (docs/ledger.md), bounded; what was cut is named. Reads no memory and no file's content.
 */
#ifndef PLUMB_SNAPSHOT_H
#define PLUMB_SNAPSHOT_H

#include "buf.h"
#include "hash_cache.h"
#include "held_proc.h"
#include "redact.h"

#define SNAPSHOT_MAX (8u << 20)		/* bytes */
#define SNAPSHOT_MAX_PROCESSES 4096u
#define SNAPSHOT_MAX_SOCKETS 8192u
#define SNAPSHOT_MAX_LINES 2048u	/* modules, mounts: of each */
#define SNAPSHOT_MAX_NETNS 64u		/* network namespaces whose sockets are listed */

struct snapshot {
	const char *proc;		/* NULL: "/proc" */
	struct hash_cache *hashes;	/* digests of programs that are known; NULL: none. Borrowed */
	struct held_proc *held;		/* by which arguments are read; NULL: they are not told. Borrowed */
	struct redact *redact;		/* what is hidden of arguments; NULL: they are not told. Borrowed */
	uint64_t number, utc_ns, lines;	/* of the isolation; now; in the ledger */
	const char *boot;		/* boot id */
	/* Out: */
	uint32_t n_processes, n_sockets, n_modules, n_mounts;
	bool cut[4];			/* the same four */
};

/* Appends. -E2BIG: not even what was cut has room. */
int snapshot_take(struct snapshot *s, struct buf *ret);

#endif
