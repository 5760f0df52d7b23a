/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bolt.h: looks up one value in a bolt (bbolt) database, as containerd keeps its metadata in one, while its owner goes on writing. In: a file,
 * foreign bytes. Out: a value. Reads no lock and takes none: when the owner wrote meanwhile so that pages may be new ones, it looks again.
 */
#ifndef PLUMB_BOLT_H
#define PLUMB_BOLT_H

#include <stdint.h>
#include "buf.h"

#define BOLT_MAX_VALUE (1u << 20)
#define BOLT_MAX_KEYS 8u

struct bolt;

/* fd borrowed. -EBADMSG: no such database, or one of the other byte order; -EAGAIN: it is written all the time. */
int bolt_open(int fd, struct bolt **ret);
struct bolt *bolt_free(struct bolt *b);
/* keys: buckets, one in the other, and the key in the last of them; n of them. Appends. -ENOENT: there is none; -EBADMSG; -EAGAIN. */
int bolt_get(struct bolt *b, const char *const *keys, uint32_t n, struct buf *ret);

#endif
