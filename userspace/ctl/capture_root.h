/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture_root.h: opens paths of this machine, or of an unpacked image as if its directory were the root: no link, .. or mount of proc leads out
 * of it. In: a directory's descriptor. Out: descriptors; names with all links followed.
 */
#ifndef PLUMB_CAPTURE_ROOT_H
#define PLUMB_CAPTURE_ROOT_H

#include <limits.h>

#define CAPTURE_ROOT_HOST (-1)

/* path is absolute, as seen from the root. A descriptor (O_CLOEXEC) or -errno. */
int capture_root_at(int root, const char *path, int flags);
int capture_root_real(int root, const char *path, char ret[PATH_MAX]);

#endif
