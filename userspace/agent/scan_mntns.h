/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan_mntns.h: what is mounted over a watched path in a mount namespace other than our own, and so shows others there what we do not see.
 * In: /proc, a process a step. Out: mountns:<path> = "<fstype> <source> <root>" (several: comma between) to put, by path.
 *
 * Only namespaces whose root is our root count: a container has files of its own. What shows the same files as here (a bind mount of the
 * path on itself, as service managers make) is none, nor what takes it away (inaccessible.h). Namespaces that no process is in, or a thread alone, are not found.
 */
#ifndef PLUMB_SCAN_MNTNS_H
#define PLUMB_SCAN_MNTNS_H

#include <stdbool.h>
#include "claims_source.h"
#include "file_set.h"

#define SCAN_MNTNS_MAX 4096	/* namespaces; beyond it the list is not whole */

struct scan_mntns;

int scan_mntns_open(const struct claims_source *s, const struct file_set *files, struct scan_mntns **ret);	/* borrowed */
struct scan_mntns *scan_mntns_free(struct scan_mntns *m);
int scan_mntns_step(struct scan_mntns *m, int *ret_put);	/* 1: there is more to do; 0: done, *ret_put is the sum of what put returned */
/* After the last step: what was not put is in no namespace that could be read. kernel:mount_namespaces says whether all could. */
bool scan_mntns_is_whole(const struct scan_mntns *m);

#endif
