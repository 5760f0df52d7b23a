/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroups.h: from a cgroup v2 id to its path, and from a path to the scope that it means.
 * In: ids from kernel records, the mounted cgroup2 tree. Out: path below the mount, "host" or "container:<64 hex>".
 */
#ifndef PLUMB_CGROUPS_H
#define PLUMB_CGROUPS_H

#include <stdint.h>
#include <sys/types.h>
#include "why.h"

#define CGROUPS_SCOPE_SIZE 80	/* "container:" and 64 digits */
#define CGROUPS_MAX 8192	/* directories remembered; beyond it the oldest is forgotten */

struct cgroups;

/* root NULL: where cgroup2 is mounted (/proc/self/mountinfo). -ENOENT: nowhere; then *ret is still a table that knows no id. */
int cgroups_open(const char *root, struct cgroups **ret, struct why *ret_why);
struct cgroups *cgroups_free(struct cgroups *c);
/* Path below the mount ("/system.slice/x.service"), NULL when unknown. Borrowed until the next call. */
const char *cgroups_path(struct cgroups *c, uint64_t id);
/* For v1 hierarchies: the first line of PROC/PID/cgroup that names a container, else the v2 or the systemd one. 0 or -errno. */
int cgroups_path_of_pid(uint32_t pid, char *ret, size_t size);
/* path NULL counts as host: what cannot be told is judged by the stricter rules. */
void cgroups_scope(const char *path, char ret[CGROUPS_SCOPE_SIZE]);

#endif
