/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink_read.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>

/* What a header says and what is there; the padding behind the last one may be missing. */
static int take(struct buf_reader *r, size_t size, size_t head, struct buf_view *ret_body)
{
	size_t padded = (size + 3) & ~(size_t)3;

	ret_body->data = r->data + r->at + head;
	ret_body->size = size - head;
	r->at += padded < buf_left(r) ? padded : buf_left(r);
	return 1;
}

int netlink_read_message(struct buf_reader *r, struct netlink_read_message *ret,
			 struct why *ret_why)
{
	struct nlmsghdr h;

	if (buf_left(r) == 0)
		return 0;
	if (buf_left(r) < sizeof(h))
		return why_set(ret_why, -EBADMSG, "netlink: %zu bytes at %zu, a header has %zu",
			       buf_left(r), r->at, sizeof(h));
	memcpy(&h, r->data + r->at, sizeof(h));
	if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > buf_left(r))
		return why_set(ret_why, -EBADMSG, "netlink: message at %zu says %u bytes, has %zu",
			       r->at, h.nlmsg_len, buf_left(r));
	ret->type = h.nlmsg_type;
	ret->flags = h.nlmsg_flags;
	ret->seq = h.nlmsg_seq;
	ret->port = h.nlmsg_pid;
	return take(r, h.nlmsg_len, sizeof(h), &ret->body);
}

int netlink_read_attribute(struct buf_reader *r, struct netlink_read_attribute *ret,
			   struct why *ret_why)
{
	struct nlattr a;

	if (buf_left(r) == 0)
		return 0;
	if (buf_left(r) < sizeof(a))
		return why_set(ret_why, -EBADMSG, "netlink: %zu bytes at %zu are no attribute",
			       buf_left(r), r->at);
	memcpy(&a, r->data + r->at, sizeof(a));
	if (a.nla_len < sizeof(a) || a.nla_len > buf_left(r))
		return why_set(ret_why, -EBADMSG,
			       "netlink: attribute %u at %zu says %u bytes, has %zu",
			       a.nla_type & NLA_TYPE_MASK, r->at, a.nla_len, buf_left(r));
	ret->type = a.nla_type & NLA_TYPE_MASK;
	return take(r, a.nla_len, sizeof(a), &ret->data);
}

int netlink_read_u32(struct buf_view v, uint32_t *ret)
{
	if (v.size != sizeof(*ret))
		return -EBADMSG;
	memcpy(ret, v.data, sizeof(*ret));
	return 0;
}

int netlink_read_u32be(struct buf_view v, uint32_t *ret)
{
	struct buf_reader r = buf_reader_of(v.data, v.size);

	return v.size == sizeof(*ret) ? buf_read_u32be(&r, ret) : -EBADMSG;
}

int netlink_read_text(struct buf_view v, char *ret, size_t size)
{
	size_t n = v.size ? strnlen((const char *)v.data, v.size) : 0;

	if (n >= size)
		return -EBADMSG;
	for (size_t i = 0; i < n; i++)
		ret[i] = v.data[i] > ' ' && v.data[i] < 0x7f ? (char)v.data[i] : '?';
	ret[n] = '\0';
	return 0;
}
