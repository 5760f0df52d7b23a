/* SPDX-License-Identifier: Apache-2.0 */
#include "route_read.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define MAC_MAX 32

static int bad(struct why *ret_why, const char *what, unsigned int type)
{
	return why_set(ret_why, -EBADMSG, "rtnetlink: %s: attribute %u has a wrong size", what,
		       type);
}

static int begin(struct buf_view body, void *ret_head, size_t size, const char *what,
		 struct buf_reader *ret_rest, struct why *ret_why)
{
	size_t padded = (size + 3) & ~(size_t)3;

	if (body.size < size)
		return why_set(ret_why, -EBADMSG, "rtnetlink: %s has %zu bytes, a header has %zu",
			       what, body.size, size);
	memcpy(ret_head, body.data, size);
	*ret_rest = buf_reader_of(body.data, body.size);
	ret_rest->at = padded < body.size ? padded : body.size;
	return 0;
}

static int mac_text(struct buf_view v, char ret[ROUTE_READ_MAC_SIZE])
{
	bool any = false;

	if (v.size > MAC_MAX)
		return -EBADMSG;
	ret[0] = '\0';
	for (size_t i = 0; i < v.size; i++) {
		snprintf(ret + 3 * i, 4, "%02x%s", v.data[i], i + 1 < v.size ? ":" : "");
		any |= v.data[i] != 0;
	}
	if (!any)
		ret[0] = '\0';
	return 0;
}

static int read_kind(struct buf_view v, struct route_read_link *l, struct why *ret_why)
{
	struct buf_reader r = buf_reader_of(v.data, v.size);
	struct netlink_read_attribute a;
	int n;

	for (;;) {
		n = netlink_read_attribute(&r, &a, ret_why);
		if (n <= 0)
			return n;
		if (a.type == IFLA_INFO_KIND &&
		    netlink_read_text(a.data, l->kind, sizeof(l->kind)) < 0)
			return bad(ret_why, "kind", a.type);
	}
}

static int read_xdp(struct buf_view v, struct route_read_link *l, struct why *ret_why)
{
	struct buf_reader r = buf_reader_of(v.data, v.size);
	struct netlink_read_attribute a;
	int n;

	for (;;) {
		n = netlink_read_attribute(&r, &a, ret_why);
		if (n <= 0)
			return n;
		if (a.type == IFLA_XDP_ATTACHED && a.data.size != 1)
			return bad(ret_why, "xdp", a.type);
		if (a.type == IFLA_XDP_ATTACHED)
			l->xdp = a.data.data[0] != XDP_ATTACHED_NONE;
	}
}

static int link_attribute(const struct netlink_read_attribute *a, struct route_read_link *l,
			  struct why *ret_why)
{
	uint32_t n = 0;
	int r = 0;

	switch (a->type) {
	case IFLA_IFNAME:
		r = netlink_read_text(a->data, l->name, sizeof(l->name));
		break;
	case IFLA_ADDRESS:
		r = mac_text(a->data, l->mac);
		break;
	case IFLA_MTU:
		r = netlink_read_u32(a->data, &l->mtu);
		break;
	case IFLA_MASTER:
		r = netlink_read_u32(a->data, &l->master);
		break;
	case IFLA_PROMISCUITY:
		r = netlink_read_u32(a->data, &n);
		l->promisc |= n != 0;
		break;
	case IFLA_LINKINFO:
		return read_kind(a->data, l, ret_why);
	case IFLA_XDP:
		return read_xdp(a->data, l, ret_why);
	default:
		break;
	}
	return r < 0 ? bad(ret_why, "link", a->type) : 0;
}

int route_read_link(struct buf_view body, struct route_read_link *ret, struct why *ret_why)
{
	struct route_read_link l = {0};
	struct netlink_read_attribute a;
	struct ifinfomsg h;
	struct buf_reader rest;
	int r = begin(body, &h, sizeof(h), "link", &rest, ret_why);

	while (r >= 0) {
		r = netlink_read_attribute(&rest, &a, ret_why);
		if (r == 0)
			break;
		if (r > 0)
			r = link_attribute(&a, &l, ret_why);
	}
	if (r < 0)
		return r;
	if (h.ifi_index <= 0 || l.name[0] == '\0')
		return why_set(ret_why, -EBADMSG, "rtnetlink: link without number or name");
	l.index = (uint32_t)h.ifi_index;
	l.up = h.ifi_flags & IFF_UP;
	l.promisc |= (h.ifi_flags & IFF_PROMISC) != 0;
	*ret = l;
	return 0;
}

static size_t addr_size(uint8_t family)
{
	return family == AF_INET ? 4 : family == AF_INET6 ? 16 : 0;
}

/* prefix < 0: without one. */
static int addr_text(uint8_t family, struct buf_view v, int prefix, char ret[ROUTE_READ_ADDR_SIZE])
{
	char text[INET6_ADDRSTRLEN];

	if (v.size != addr_size(family) || v.size == 0 ||
	    !inet_ntop(family, v.data, text, sizeof(text)))
		return -EBADMSG;
	if (prefix < 0)
		snprintf(ret, ROUTE_READ_ADDR_SIZE, "%s", text);
	else
		snprintf(ret, ROUTE_READ_ADDR_SIZE, "%s/%d", text, prefix);
	return 0;
}

int route_read_addr(struct buf_view body, struct route_read_addr *ret, struct why *ret_why)
{
	struct buf_view local = {0}, remote = {0};
	struct route_read_addr addr = {0};
	struct netlink_read_attribute a;
	struct ifaddrmsg h;
	struct buf_reader rest;
	uint32_t flags = 0;
	int r = begin(body, &h, sizeof(h), "address", &rest, ret_why);

	while (r >= 0) {
		r = netlink_read_attribute(&rest, &a, ret_why);
		if (r == 0)
			break;
		if (r > 0 && a.type == IFA_LOCAL)
			local = a.data;
		else if (r > 0 && a.type == IFA_ADDRESS)
			remote = a.data;
		else if (r > 0 && a.type == IFA_FLAGS && netlink_read_u32(a.data, &flags) < 0)
			r = bad(ret_why, "address", a.type);
	}
	if (r < 0)
		return r;
	/* On a point-to-point link IFA_ADDRESS is the other end's. */
	if (addr_text(h.ifa_family, local.data ? local : remote, h.ifa_prefixlen, addr.text) < 0)
		return bad(ret_why, "address", IFA_LOCAL);
	flags |= h.ifa_flags;
	addr.index = h.ifa_index;
	addr.passing = h.ifa_scope == RT_SCOPE_LINK ||
		       (h.ifa_family == AF_INET6 && (flags & IFA_F_TEMPORARY));
	*ret = addr;
	return 0;
}

/* RTA_VIA: a gateway of another family than the route's. */
static int via_text(struct buf_view v, char ret[ROUTE_READ_ADDR_SIZE])
{
	struct buf_view addr;
	uint16_t family;

	if (v.size < sizeof(family))
		return -EBADMSG;
	memcpy(&family, v.data, sizeof(family));
	addr = (struct buf_view){v.data + sizeof(family), v.size - sizeof(family)};
	return family > UINT8_MAX ? -EBADMSG : addr_text((uint8_t)family, addr, -1, ret);
}

static int hop_attribute(const struct netlink_read_attribute *a, uint8_t family,
			 struct route_read_hop *h)
{
	switch (a->type) {
	case RTA_OIF:
		return netlink_read_u32(a->data, &h->index);
	case RTA_GATEWAY:
		return addr_text(family, a->data, -1, h->via);
	case RTA_VIA:
		return via_text(a->data, h->via);
	default:
		return 0;
	}
}

static int read_hop(struct buf_view v, struct route_read_route *route, struct why *ret_why)
{
	struct route_read_hop *h = &route->hops[route->n_hops];
	struct buf_reader rest = buf_reader_of(v.data, v.size);
	struct netlink_read_attribute a;
	struct rtnexthop n;
	int r;

	if (route->n_hops == ROUTE_READ_HOPS_MAX) {
		route->more_hops = true;
		return 0;
	}
	memcpy(&n, v.data, sizeof(n));
	rest.at = sizeof(n);
	*h = (struct route_read_hop){.index = (uint32_t)n.rtnh_ifindex,
				     .weight = (uint32_t)n.rtnh_hops + 1};
	route->n_hops++;
	for (;;) {
		r = netlink_read_attribute(&rest, &a, ret_why);
		if (r <= 0)
			return r;
		if (hop_attribute(&a, route->family, h) < 0)
			return bad(ret_why, "next hop", a.type);
	}
}

static int read_hops(struct buf_view v, struct route_read_route *route, struct why *ret_why)
{
	struct rtnexthop n;
	size_t at = 0;
	int r = 0;

	while (r >= 0 && at < v.size) {
		struct buf_view one;

		if (v.size - at < sizeof(n))
			return bad(ret_why, "next hops", RTA_MULTIPATH);
		memcpy(&n, v.data + at, sizeof(n));
		if (n.rtnh_len < sizeof(n) || n.rtnh_len > v.size - at)
			return bad(ret_why, "next hops", RTA_MULTIPATH);
		one = (struct buf_view){v.data + at, n.rtnh_len};
		r = read_hop(one, route, ret_why);
		at += RTNH_ALIGN(n.rtnh_len);
	}
	return r;
}

static int route_attribute(const struct netlink_read_attribute *a, struct route_read_route *route,
			   struct route_read_hop *single, struct why *ret_why)
{
	int r = 0;

	switch (a->type) {
	case RTA_DST:
		r = addr_text(route->family, a->data, route->prefix, route->to);
		break;
	case RTA_PREFSRC:
		r = addr_text(route->family, a->data, -1, route->src);
		break;
	case RTA_TABLE:
		r = netlink_read_u32(a->data, &route->table);
		break;
	case RTA_PRIORITY:
		r = netlink_read_u32(a->data, &route->metric);
		break;
	case RTA_NH_ID:
		r = netlink_read_u32(a->data, &route->next_hop_id);
		break;
	case RTA_MULTIPATH:
		return read_hops(a->data, route, ret_why);
	default:
		r = hop_attribute(a, route->family, single);
		break;
	}
	return r < 0 ? bad(ret_why, "route", a->type) : 0;
}

int route_read_route(struct buf_view body, struct route_read_route *ret, struct why *ret_why)
{
	struct route_read_route route = {0};
	struct route_read_hop single = {0};
	struct netlink_read_attribute a;
	struct rtmsg h;
	struct buf_reader rest;
	int r = begin(body, &h, sizeof(h), "route", &rest, ret_why);

	if (r < 0)
		return r;
	if (addr_size(h.rtm_family) == 0)
		return why_set(ret_why, -EBADMSG, "rtnetlink: route of family %u", h.rtm_family);
	route.family = h.rtm_family;
	route.prefix = h.rtm_dst_len;
	route.protocol = h.rtm_protocol;
	route.type = h.rtm_type;
	route.table = h.rtm_table;
	route.cached = h.rtm_flags & RTM_F_CLONED;
	snprintf(route.to, sizeof(route.to), "%s/%u",
		 h.rtm_family == AF_INET ? "0.0.0.0" : "::", h.rtm_dst_len);
	while (r >= 0) {
		r = netlink_read_attribute(&rest, &a, ret_why);
		if (r == 0)
			break;
		if (r > 0)
			r = route_attribute(&a, &route, &single, ret_why);
	}
	if (r < 0)
		return r;
	if (route.n_hops == 0 && (single.index != 0 || single.via[0] != '\0'))
		route.hops[route.n_hops++] = single;
	*ret = route;
	return 0;
}
