/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host_view.h: the host's own view of files and cgroups, for an agent that was started in a container's.
 * In: a process of the host, as its directory in /proc. Out: this process is in that one's mount and cgroup namespaces, so that no room needs to
 * know of a container; and paths by which files of the container are still found. Before any thread is started.
 */
#ifndef PLUMB_HOST_VIEW_H
#define PLUMB_HOST_VIEW_H

#include "why.h"

struct host_view;

/* -EINVAL: it is not another's view, or /proc there does not know us (no hostPID). Others: what could not be entered. */
int host_view_enter(const char *process, struct host_view **ret, struct why *ret_why);
/* Paths from host_view_own() lead nowhere afterwards. */
struct host_view *host_view_free(struct host_view *v);

/* In *path, an allocated absolute path of the container: one that leads there from now on. NULL stays. v NULL: nothing to do. -ENOMEM. */
int host_view_own(const struct host_view *v, char **path);

#endif
