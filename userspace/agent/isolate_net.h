/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isolate_net.h: the packet filter of a node that is isolated, as commands of libnftables (JSON). Pure.
 * In: who may still be spoken with. Out: one transaction that puts our table in place of itself, and one that takes it away.
 *
 * Everything else is dropped: in, out, and what is forwarded for pods, IPv4 and IPv6; no state is asked, so flows that stand are cut as well.
 * What a bridge hands on between its ports never comes to those chains: a second table drops all of it.
 * Our chains come late, when others have rewritten what they do: a drop holds whatever other tables accept.
 */
#ifndef PLUMB_ISOLATE_NET_H
#define PLUMB_ISOLATE_NET_H

#include "buf.h"
#include "why.h"
#include <stdbool.h>
#include <stdint.h>

#define ISOLATE_NET_TABLE "plumbline_isolation" /* of either family */
#define ISOLATE_NET_INET "inet"
#define ISOLATE_NET_BRIDGE "bridge"
#define ISOLATE_NET_MAX_PEERS 128u
#define ISOLATE_NET_TEXT 64 /* of a peer, with its NUL */

struct isolate_net_peer {
	uint8_t address[16]; /* 4 of them are used where v4 */
	bool v4;
	uint8_t prefix; /* bits that count; all of them with a port */
	uint16_t port; /* of TCP and UDP, at the peer; 0: all there is, both ways */
};

struct isolate_net {
	struct isolate_net_peer peers[ISOLATE_NET_MAX_PEERS];
	uint32_t n_peers;
	bool conntrack; /* the kernel follows connections: one that was begun with a peer's address is let through when it was rewritten since (a service of Kubernetes) */
};

/* "10.0.0.1", "10.0.0.0/8", "10.0.0.1:443", "fd00::1", "fd00::/64", "[fd00::1]:443". -EINVAL. */
int isolate_net_peer(const char *text, struct isolate_net_peer *ret, struct why *ret_why);
void isolate_net_peer_text(const struct isolate_net_peer *p, char ret[ISOLATE_NET_TEXT]);
/* One that is there already is not added again. -E2BIG. */
int isolate_net_add(struct isolate_net *n, const struct isolate_net_peer *p);
int isolate_net_make(const struct isolate_net *n, struct buf *ret);
int isolate_net_make_bridge(struct buf *ret);
int isolate_net_unmake(const char *family, struct buf *ret);

#endif
