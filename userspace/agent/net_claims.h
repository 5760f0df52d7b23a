/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_claims.h: a node's interfaces, addresses and default routes as claims. Pure.
 * In: the messages of three rtnetlink dumps. Out: claims to put; for a notification, whether it concerns any of them.
 *
 * Only what an operator would write down is told. On a node with containers, interfaces, addresses and routes come and go all day long with
 * the pods, and that is not drift. So an interface counts when it is hardware or the loopback (the kernel gives those no "kind"), one of
 * those bound together (bond, team, vlan, ipoib), or has one of them as a port (a bridge for virtual machines): veth, cali…, cni0,
 * docker0, flannel.1 and tun0 do not. Of routes those with a prefix of less than 8 bits: 0.0.0.0/0, and the two halves that take its place. What
 * passes by itself (carrier, lifetimes, link-local and privacy addresses) is left out.
 */
#ifndef PLUMB_NET_CLAIMS_H
#define PLUMB_NET_CLAIMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "netlink_read.h"

#define NET_CLAIMS_MAX_LINKS 16384	/* in one dump: 110 pods have 110 */
#define NET_CLAIMS_MAX_ADDRS 16384	/* of interfaces that count */
#define NET_CLAIMS_MAX_ROUTES 4096	/* default ones, of all tables */
#define NET_CLAIMS_MAX_TOLD 256		/* interfaces with claims of their own; net:links has the names of all that count */
#define NET_CLAIMS_WIDE 8		/* bits */

struct net_claims;

struct net_claims_sink {
	int (*put)(void *ctx, const char *key, const char *value);	/* 1 new, 0 known, -errno */
	void *ctx;
};

int net_claims_open(struct net_claims **ret);
struct net_claims *net_claims_free(struct net_claims *n);

/* One reading: begin, each message of the dumps (links first), tell. -EBADMSG, -E2BIG: too many, -ENOMEM; then it is not told. */
void net_claims_begin(struct net_claims *n);
int net_claims_add(struct net_claims *n, const struct netlink_read_message *m, struct why *ret_why);
int net_claims_tell(struct net_claims *n, const struct net_claims_sink *sink);	/* sum of what put returned, or -errno */
/* Nothing is known: all claims that were told, and the general ones, are "unknown <why>". */
int net_claims_unknown(struct net_claims *n, const char *why, const struct net_claims_sink *sink);

/* Whether a notification may change a claim, by the last reading; true when in doubt. */
bool net_claims_concerns(const struct net_claims *n, const struct netlink_read_message *m);

/* Room for one more in a list of n, each of so many bytes; *room has so many. -E2BIG at max. */
int net_claims_grow(void **list, uint32_t n, uint32_t *room, uint32_t max, size_t size);

#endif
