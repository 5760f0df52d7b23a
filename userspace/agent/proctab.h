/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proctab.h: who is who: a bounded table of processes, so that each measurement can name its actor and the actor's ancestors.
 * In: a scan of /proc at the start, then exec, fork and exit records. Out: struct line_actor. What is not in the table is unknown.
 * An ended process stays until its place is needed (its last deeds may still arrive). When full, the process that ended first goes;
 * when none has ended, the one untouched for longest.
 */
#ifndef PLUMB_PROCTAB_H
#define PLUMB_PROCTAB_H

#include <stdbool.h>
#include <stdint.h>
#include "cgroups.h"
#include "held_proc.h"
#include "line.h"
#include "plumb/event.h"

#define PROCTAB_MAX 32768	/* entries, when the options say 0 */

struct proctab;

int proctab_open(uint32_t max, struct cgroups *cgroups, struct proctab **ret);	/* cgroups borrowed, may be NULL */
struct proctab *proctab_free(struct proctab *p);

int proctab_scan(struct proctab *p, const char *proc);	/* "/proc"; number of processes found, or -errno */
void proctab_exec(struct proctab *p, const struct plumb_task *t, const char *exe);	/* copied; exe NULL: unknown */
void proctab_fork(struct proctab *p, const struct plumb_task *parent, uint32_t child_pid, uint64_t child_start_ns);
void proctab_exit(struct proctab *p, uint32_t pid, uint64_t start_ns);
/*
 * A record of another kind, before its actor is asked for: where the process is now, for who is forked on the host may be moved into a container
 * before it runs anything. Its program stays that of its exec, or its parent's. Who is not known is put, the program unknown.
 */
void proctab_seen(struct proctab *p, const struct plumb_task *t);

/*
 * Fills *ret with what is known of (pid, start_ns); start_ns 0: the process that has this pid now. 0, or -ENOENT with *ret "unknown".
 * Strings are borrowed until the next call that changes the table.
 */
int proctab_actor(struct proctab *p, uint32_t pid, uint64_t start_ns, struct line_actor *ret);
/* Started by the kernel itself, for core_pattern, modprobe or a control group's release_agent: a child of kthreadd or of one of its workers. */
bool proctab_is_kernels(const struct line_actor *a);
/*
 * Scope of a process: "host", "container:<64 hex>"; "container:unknown" when its cgroup is not known and its mount namespace is not known
 * to be the host's: never judged by the host's rules, nor by an image's. One that is not in the table counts as host, the stricter.
 */
void proctab_scope(struct proctab *p, uint32_t pid, uint64_t start_ns, char ret[CGROUPS_SCOPE_SIZE]);
/* Processes that are alive in this mount namespace, the oldest first, without but_pid: through their roots its files can be opened. How many. */
uint32_t proctab_peers(const struct proctab *p, uint32_t mnt_ns, uint32_t but_pid, uint32_t *ret_pids, uint32_t max);
uint32_t proctab_n(const struct proctab *p);
struct held_proc *proctab_held(const struct proctab *p);	/* what their memory's lock may keep from the agent; of the table, so that all share it */

#endif
