/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reply.h: what a refusal looks like on the wire: {"error":"what is wrong and where","cure":"what to do"}. In: texts. Out: JSON, the status.
 */
#ifndef PLUMB_REPLY_H
#define PLUMB_REPLY_H

#include "buf.h"

/* Appends to ret and returns status, or < 0 when there is no memory. */
int reply_error(struct buf *ret, int status, const char *cure, const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
