/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netlink_bytes.h: netlink messages as the kernel writes them, for tests. In: types and values. Out: bytes in a buf. Aborts on failure.
 */
#ifndef PLUMB_NETLINK_BYTES_H
#define PLUMB_NETLINK_BYTES_H

#include <stdint.h>
#include "buf.h"

/* Each begin returns where its length stands; end takes that. Nested attributes: begin, what is in them, end. */
size_t netlink_bytes_message(struct buf *b, uint16_t type, const void *head, size_t size);
void netlink_bytes_message_end(struct buf *b, size_t at);
size_t netlink_bytes_nest(struct buf *b, uint16_t type);
void netlink_bytes_nest_end(struct buf *b, size_t at);

void netlink_bytes_put(struct buf *b, uint16_t type, const void *data, size_t size);
void netlink_bytes_text(struct buf *b, uint16_t type, const char *text);
void netlink_bytes_u32(struct buf *b, uint16_t type, uint32_t v);
void netlink_bytes_u32be(struct buf *b, uint16_t type, uint32_t v);

#endif
