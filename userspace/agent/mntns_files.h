/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mntns_files.h: what watched files are in another mount namespace, seen as a process there sees them: /proc/PID/root.
 * In: mounts that show other files, and who is in that namespace. Out: mountns:file:<path> = the value there, as file:<path> has it (several: comma
 * between), where it is other than here. Only names that are watched here, and files of less than 4 MiB: of others the mount itself is told.
 */
#ifndef PLUMB_MNTNS_FILES_H
#define PLUMB_MNTNS_FILES_H

#include <sys/types.h>
#include "claims_source.h"
#include "file_set.h"

#define MNTNS_FILES_MAX 1024	/* of all namespaces; more are not looked at, and that is said */

struct mntns_files;

int mntns_files_open(const struct claims_source *s, const struct file_set *files, struct mntns_files **ret);	/* borrowed */
struct mntns_files *mntns_files_free(struct mntns_files *m);
int mntns_files_add(struct mntns_files *m, const char *point, const char *pid, ino_t ns);	/* 0, -E2BIG, -ENOMEM */
int mntns_files_step(struct mntns_files *m);	/* measures one. 1: there is more to do; 0: done */
int mntns_files_put(struct mntns_files *m);	/* number of claims that were new, or -errno */

#endif
