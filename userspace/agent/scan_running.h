/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan_running.h: programs that ran already when the agent started, which no sensor saw begin.
 * In: /proc, a process a step. Out: running:<path> = "sha256:<hex>" | "unmeasured <why>" to put; of a process with another root than ours,
 * running:container:<id>:<path>, or running:elsewhere:<path> where its cgroup names no container. A path as /proc/PID/exe has it.
 * The agent's own program counts as that of another root when it lies in mounts that the agent has left (host_view.h).
 * Nothing is opened on a file system that somebody serves: who does may let a reader wait for ever.
 */
#ifndef PLUMB_SCAN_RUNNING_H
#define PLUMB_SCAN_RUNNING_H

#include "claims_source.h"
#include "hash_cache.h"

#define SCAN_RUNNING_MOUNTS 256	/* mounts that are remembered; of more, the table is read again */

struct scan_running;

int scan_running_open(const struct claims_source *s, struct hash_cache *cache, struct scan_running **ret);	/* borrowed */
struct scan_running *scan_running_free(struct scan_running *r);
int scan_running_step(struct scan_running *r, int *ret_put);	/* 1: there is more to do; 0: done, *ret_put is how many were new */

#endif
