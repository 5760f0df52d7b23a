/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroups_v1.h: where a process is in the hierarchies of cgroup v1: each has controls of its own, some of which stop or starve.
 * In: /proc/PID/cgroup and mountinfo (foreign text: who may mount names the mounts). Out: for each hierarchy that is mounted, where, and the
 * path below that. Pure.
 */
#ifndef PLUMB_CGROUPS_V1_H
#define PLUMB_CGROUPS_V1_H

#include <stddef.h>

/*
 * root: the first mount of the hierarchy; path: "/a/b" below it, "/" its root. A hierarchy that is not mounted here, or only another part
 * of it, is left out. Number of calls; -EBADMSG: a line is none of that file's.
 */
int cgroups_v1_each(const char *cgroup, size_t cgroup_size, const char *mountinfo, size_t mountinfo_size,
		    void (*fn)(void *ctx, const char *root, const char *path), void *ctx);

#endif
