/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroups.h: from a cgroup v2 id, or a process, to the path of its cgroup; container_path.h reads it.
 * In: ids from kernel records, the mounted cgroup2 tree, /proc. Out: path below the mount.
 */
#ifndef PLUMB_CGROUPS_H
#define PLUMB_CGROUPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "container_path.h"
#include "why.h"

#define CGROUPS_SCOPE_SIZE 80	/* of a scope: "container:" or "image:sha256:" and 64 digits */
#define CGROUPS_MAX 8192	/* directories remembered; beyond it the oldest is forgotten */

struct cgroups;

/* root NULL: where cgroup2 is mounted (/proc/self/mountinfo). -ENOENT: nowhere; then *ret is still a table that knows no id. */
int cgroups_open(const char *root, struct cgroups **ret, struct why *ret_why);
struct cgroups *cgroups_free(struct cgroups *c);
/*
 * Path below the mount ("/system.slice/x.service"), NULL when unknown. Borrowed until the next call. Where the kernel does not say which directory
 * has an id, all are walked, for a tenth of the time at most: more are not known then.
 */
const char *cgroups_path(struct cgroups *c, uint64_t id);
uint64_t cgroups_n_walks(const struct cgroups *c);	/* so far */
/* Are there v1 hierarchies? Then a process in v2's root may be in a container all the same. */
bool cgroups_has_v1(const struct cgroups *c);
const char *cgroups_root(const struct cgroups *c);	/* where cgroup2 is mounted; NULL: nowhere. Borrowed */
int cgroups_v2_path(uint32_t pid, char ret[CONTAINER_PATH_MAX]);	/* below that, as /proc/PID/cgroup says; -ENOENT: in no v2 hierarchy */
/* What /proc/PID/cgroup says: container_path.h. 0 or -errno. */
int cgroups_path_of_pid(uint32_t pid, char ret[CONTAINER_PATH_MAX]);
uint32_t cgroups_host_mnt_ns(void);	/* inode number; 0: not known */

#endif
