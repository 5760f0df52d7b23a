/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route_read.h: one rtnetlink message: an interface, an address or a route. Pure.
 * In: a message's body (after the netlink header). Out: plain data; -EBADMSG with why when something does not fit.
 */
#ifndef PLUMB_ROUTE_READ_H
#define PLUMB_ROUTE_READ_H

#include <stdbool.h>
#include <stdint.h>
#include "netlink_read.h"

#define ROUTE_READ_NAME_SIZE 32		/* the kernel's have 15 bytes */
#define ROUTE_READ_MAC_SIZE 97		/* 32 bytes with colons, NUL */
#define ROUTE_READ_ADDR_SIZE 56		/* "2001:…/128" */
#define ROUTE_READ_HOPS_MAX 16

struct route_read_link {
	uint32_t index, master, mtu;	/* master 0: none */
	bool up, promisc, xdp;
	char name[ROUTE_READ_NAME_SIZE], kind[ROUTE_READ_NAME_SIZE];	/* kind "": hardware, or the loopback */
	char mac[ROUTE_READ_MAC_SIZE];	/* "" for none, or zeros */
};

struct route_read_addr {
	uint32_t index;
	bool passing;			/* made by the kernel for a while, or for its link alone: not what one would write down */
	char text[ROUTE_READ_ADDR_SIZE];	/* with its prefix */
};

struct route_read_hop {
	uint32_t index, weight;		/* index 0: no interface */
	char via[ROUTE_READ_ADDR_SIZE];	/* "" for none */
};

struct route_read_route {
	uint8_t family, prefix, protocol, type;
	uint32_t table, metric, next_hop_id;
	bool cached;			/* no entry of the table, but what was made of one */
	char to[ROUTE_READ_ADDR_SIZE], src[ROUTE_READ_ADDR_SIZE];
	uint32_t n_hops;
	bool more_hops;			/* than ROUTE_READ_HOPS_MAX */
	struct route_read_hop hops[ROUTE_READ_HOPS_MAX];
};

int route_read_link(struct buf_view body, struct route_read_link *ret, struct why *ret_why);
int route_read_addr(struct buf_view body, struct route_read_addr *ret, struct why *ret_why);
int route_read_route(struct buf_view body, struct route_read_route *ret, struct why *ret_why);

#endif
