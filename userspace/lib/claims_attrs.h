/* SPDX-License-Identifier: Apache-2.0 */
/*
 * claims_attrs.h: what a file has beside content, mode and owner, as one text: security.* (capabilities, labels, IMA), ACLs, and flags such as
 * immutable. In: a path, links not followed. Out: "acl=… capability=… flags=… selinux=…", names sorted, nothing where there is none of it.
 */
#ifndef PLUMB_CLAIMS_ATTRS_H
#define PLUMB_CLAIMS_ATTRS_H

#include <stddef.h>
#include "buf.h"

/* fd of the file at path, open for reading, or -1. Appends; 0 or -errno: it could not be read whole. */
int claims_attrs(int fd, const char *path, struct buf *ret);
/*
 * One attribute as "name=value" text. ACLs and capabilities in words; labels as they are; all else "sha256:<hex>". -EBADMSG: not of its
 * kind's form; 0 and nothing appended: not one that counts. Pure; bytes are foreign.
 */
int claims_attrs_one(const char *name, const void *value, size_t size, struct buf *ret);

#endif
