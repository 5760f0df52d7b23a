/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inaccessible.h: what systemd mounts over a path to take it away from a service (ProtectHome=, InaccessiblePaths=): below /run/systemd/inaccessible,
 * objects that hold nothing. Who is shown one of them is shown no other files; which services run at a moment is no matter of a baseline.
 * In: mounts, as the kernel names them. Out: whether it is such an object, and holds nothing now.
 */
#ifndef PLUMB_INACCESSIBLE_H
#define PLUMB_INACCESSIBLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

const char *inaccessible_at(uint32_t i);	/* their paths; NULL: no more */
bool inaccessible_is(const char *path);	/* one of them, whatever it holds */
/* path: as a service manager names it to mount(2). root: below which /run lies; NULL: "". false also where it cannot be told. */
bool inaccessible_path(const char *root, const char *path);
/* The same of a mount of this file system (st_dev), whose root is inside: its own root is mounted at /run. */
bool inaccessible_mount(const char *root, dev_t dev, const char *inside);
/*
 * Is source path itself, by the name that it has while systemd puts a service's mounts together: the root is bound to a directory of /run, and
 * what is made read-only there (ProtectSystem=, ReadOnlyPaths=) is bound to itself by that name? Not if anything lies in that directory here.
 */
bool inaccessible_same(const char *root, const char *source, const char *path);

#endif
