/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netlink_door.h: the door to netlink (libnl-3; the only room that sees it): multicast groups, requests and dumps.
 * In: datagrams of the kernel; those of other processes are left out. Out: their bytes and losses by callback, on the loop's thread.
 */
#ifndef PLUMB_NETLINK_DOOR_H
#define PLUMB_NETLINK_DOOR_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include "netlink_read.h"
#include "why.h"

#define NETLINK_DOOR_MAX_ANSWER (64u << 20)	/* bytes of one answer */

struct netlink_door;

struct netlink_door_options {
	const char *name;		/* for errors: "process connector"; static */
	int protocol;			/* NETLINK_ROUTE, … */
	uint32_t groups[12];		/* numbers of multicast groups; 0 ends them */
	uint32_t receive_size;		/* bytes of the socket's buffer; 0: 4 MiB */
	bool small;			/* no datagram has more than 256 bytes: they are read many at once */
	uint32_t rest_ms;		/* after all was taken nobody is woken for so long; 0: not at all */
	void (*datagram)(void *ctx, const void *data, size_t size);	/* borrowed for the call */
	void (*lost)(void *ctx, const char *what);	/* how many is not known: what was told so far is no longer the state */
	void *ctx;
};

/* base NULL: nothing is read but by netlink_door_take(). -EPERM; -ENOTSUP: the kernel has no such thing (now). */
int netlink_door_open(struct event_base *base, const struct netlink_door_options *o, struct netlink_door **ret,
		      struct why *ret_why);
struct netlink_door *netlink_door_free(struct netlink_door *d);

int netlink_door_fd(const struct netlink_door *d);
int netlink_door_take(struct netlink_door *d);	/* one reading. 1: something came; 0: nothing waits */
/* -EPERM; -ENOTSUP: the kernel takes no such message here. */
int netlink_door_send(struct netlink_door *d, uint16_t type, uint16_t flags, const void *data, size_t size);

struct netlink_door_question {
	uint16_t type, flags;		/* NLM_F_DUMP, or NLM_F_ACK */
	const void *data;
	size_t size;
	int (*message)(void *ctx, const struct netlink_read_message *m, struct why *ret_why);	/* < 0 ends it */
	void *ctx;
};

/*
 * A request and its whole answer, on a door without groups. Nothing is waited for: the kernel writes an answer inside the calls that ask for
 * it. -EAGAIN: what was read changed meanwhile; -EFBIG; -EPROTO: it broke off; or the kernel's error. After an error the door is of no use.
 */
int netlink_door_ask(struct netlink_door *d, const struct netlink_door_question *q, struct why *ret_why);

#endif
