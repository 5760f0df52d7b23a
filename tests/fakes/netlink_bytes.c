/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink_bytes.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>

static void pad(struct buf *b)
{
	while (b->size % 4)
		buf_put_u8(b, 0);
	if (buf_status(b) < 0)
		abort();
}

size_t netlink_bytes_message(struct buf *b, uint16_t type, const void *head, size_t size)
{
	const struct nlmsghdr h = {.nlmsg_type = type};
	size_t at = b->size;

	buf_put(b, &h, sizeof(h));
	buf_put(b, head, size);
	pad(b);
	return at;
}

void netlink_bytes_message_end(struct buf *b, size_t at)
{
	const uint32_t size = (uint32_t)(b->size - at);

	memcpy(b->data + at, &size, sizeof(size));
}

size_t netlink_bytes_nest(struct buf *b, uint16_t type)
{
	size_t at = b->size;

	netlink_bytes_put(b, type | NLA_F_NESTED, NULL, 0);
	return at;
}

void netlink_bytes_nest_end(struct buf *b, size_t at)
{
	const uint16_t size = (uint16_t)(b->size - at);

	memcpy(b->data + at, &size, sizeof(size));
}

void netlink_bytes_put(struct buf *b, uint16_t type, const void *data, size_t size)
{
	const struct nlattr a = {.nla_len = (uint16_t)(sizeof(a) + size), .nla_type = type};

	buf_put(b, &a, sizeof(a));
	if (size)
		buf_put(b, data, size);
	pad(b);
}

void netlink_bytes_text(struct buf *b, uint16_t type, const char *text)
{
	netlink_bytes_put(b, type, text, strlen(text) + 1);
}

void netlink_bytes_u32(struct buf *b, uint16_t type, uint32_t v)
{
	netlink_bytes_put(b, type, &v, sizeof(v));
}

void netlink_bytes_u32be(struct buf *b, uint16_t type, uint32_t v)
{
	v = htonl(v);
	netlink_bytes_put(b, type, &v, sizeof(v));
}
