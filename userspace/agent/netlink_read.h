/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netlink_read.h: messages in a netlink datagram, and attributes in a message. Pure.
 * In: bytes of a netlink socket. Out: one message or attribute a call, borrowed; -EBADMSG with why for what does not fit in what holds it.
 */
#ifndef PLUMB_NETLINK_READ_H
#define PLUMB_NETLINK_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "buf.h"
#include "why.h"

struct netlink_read_message {
	uint16_t type, flags;
	uint32_t seq, port;
	struct buf_view body;		/* after the header */
};

struct netlink_read_attribute {
	uint16_t type;			/* without the bits for "nested" and "network order" */
	struct buf_view data;
};

/* 1: the next one; 0: there is none; -EBADMSG. */
int netlink_read_message(struct buf_reader *r, struct netlink_read_message *ret, struct why *ret_why);
int netlink_read_attribute(struct buf_reader *r, struct netlink_read_attribute *ret, struct why *ret_why);

/* Values: exactly so many bytes, in the machine's order or the network's; -EBADMSG. */
int netlink_read_u32(struct buf_view v, uint32_t *ret);
int netlink_read_u32be(struct buf_view v, uint32_t *ret);
/* Text of at most size - 1 bytes, with or without its NUL; without control bytes, blanks and what is not ASCII, which become '?'. */
int netlink_read_text(struct buf_view v, char *ret, size_t size);

#endif
