/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor_route.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "dump_turns.h"
#include "log.h"
#include "net_claims.h"
#include "netlink_door.h"

#define TRIES 3 /* of a dump that changed while it was read, at once; then again later */
#define UNKNOWN_AFTER 5 /* readings in a row: until then the last known state stands */

struct sensor_route {
	struct sensor_route_options o;
	struct netlink_door *door;
	struct dump_turns *turns;
	struct net_claims *claims;
	uint32_t interrupted; /* readings in a row */
};

static int put(void *ctx, const char *key, const char *value)
{
	struct sensor_route *s = ctx;
	const struct line l = {
		.utc_ns = clock_utc_ns(s->o.clock),
		.boot_ns = clock_boot_ns(s->o.clock),
		.src = "rtnetlink",
		.type = PLUMB_TYPE_CLAIM,
		.scope = "host",
		.key = key,
		.found = value,
	};

	return s->o.claim(s->o.ctx, &l);
}

static int on_answer(void *ctx, const struct netlink_read_message *m, struct why *ret_why)
{
	return net_claims_add(((struct sensor_route *)ctx)->claims, m, ret_why);
}

/* Each family by itself: a dump of all of them has multicast routes and MPLS labels, which are other things. */
static int ask_all(struct sensor_route *s, struct netlink_door *door, struct why *ret_why)
{
	static const struct {
		uint16_t type;
		uint8_t family;
	} dumps[] = {{RTM_GETLINK, AF_UNSPEC},
		     {RTM_GETADDR, AF_INET},
		     {RTM_GETADDR, AF_INET6},
		     {RTM_GETROUTE, AF_INET},
		     {RTM_GETROUTE, AF_INET6}};
	int r = 0;

	net_claims_begin(s->claims);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(dumps); i++) {
		struct ifinfomsg h = {.ifi_family = dumps[i].family};
		/* The headers of addresses and routes are shorter than this one, and begin with the family, too. */
		struct netlink_door_question q = {.type = dumps[i].type,
						  .flags = NLM_F_DUMP,
						  .data = &h,
						  .size = sizeof(h),
						  .message = on_answer,
						  .ctx = s};

		r = netlink_door_ask(door, &q, ret_why);
	}
	return r;
}

static int dump(struct sensor_route *s, struct why *ret_why)
{
	const struct netlink_door_options o = {.name = "rtnetlink", .protocol = NETLINK_ROUTE};
	int r = -EAGAIN;

	for (int i = 0; r == -EAGAIN && i < TRIES; i++) {
		struct netlink_door *door;

		r = netlink_door_open(NULL, &o, &door, ret_why);
		if (r < 0)
			return r;
		r = ask_all(s, door, ret_why);
		netlink_door_free(door);
	}
	return r;
}

static int read_state(void *ctx)
{
	struct sensor_route *s = ctx;
	const struct net_claims_sink sink = {put, s};
	struct why why = {"out of memory"};
	int r = dump(s, &why);

	s->interrupted = r == -EAGAIN ? s->interrupted + 1 : 0;
	if (r == -EAGAIN && s->interrupted < UNKNOWN_AFTER)
		return r;
	if (r >= 0)
		return net_claims_tell(s->claims, &sink);
	log_warning("sensor=rtnetlink error=%s why=\"%s\" next=\"its claims are unknown, tried "
		    "again\"",
		    strerrorname_np(-r), why.text);
	/* What half a reading left must not say which notifications matter. */
	net_claims_begin(s->claims);
	(void)net_claims_unknown(s->claims, why.text, &sink);
	return r;
}

static void on_datagram(void *ctx, const void *data, size_t size)
{
	struct sensor_route *s = ctx;
	struct buf_reader reader = buf_reader_of(data, size);
	struct netlink_read_message m;
	struct why why = {""};
	int r;

	for (;;) {
		r = netlink_read_message(&reader, &m, &why);
		if (r == 0)
			return;
		if (r < 0) {
			s->o.lost(s->o.ctx, "rtnetlink", 1, why.text);
			dump_turns_hint(s->turns);
			return;
		}
		if (net_claims_concerns(s->claims, &m))
			dump_turns_hint(s->turns);
	}
}

static void on_lost(void *ctx, const char *what)
{
	struct sensor_route *s = ctx;

	log_warning("sensor=rtnetlink lost=unknown what=\"%s\" next=\"all is read again\"", what);
	s->o.lost(s->o.ctx, "rtnetlink", 0, what);
	dump_turns_hint(s->turns);
}

int sensor_route_open(struct event_base *base, const struct sensor_route_options *o,
		      struct sensor_route **ret, struct why *ret_why)
{
	struct netlink_door_options door = {
		.name = "rtnetlink",
		.protocol = NETLINK_ROUTE,
		.groups = {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
			   RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE},
		.receive_size = o->receive_size,
		.datagram = on_datagram,
		.lost = on_lost,
	};
	struct sensor_route *s = calloc(1, sizeof(*s));
	struct dump_turns_options turns = {
		.clock = o->clock, .interval_ms = o->interval_ms, .read = read_state, .ctx = s};
	int r;

	if (!s)
		return -ENOMEM;
	s->o = *o;
	door.ctx = s;
	/* Listening first: what changes during the first dump is told after it. */
	r = netlink_door_open(base, &door, &s->door, ret_why);
	if (r >= 0)
		r = net_claims_open(&s->claims);
	if (r >= 0)
		r = dump_turns_open(base, &turns, &s->turns);
	if (r < 0) {
		sensor_route_free(s);
		return r;
	}
	(void)dump_turns_now(s->turns); /* a failure is in the claims */
	*ret = s;
	return 0;
}

struct sensor_route *sensor_route_free(struct sensor_route *s)
{
	if (!s)
		return NULL;
	netlink_door_free(s->door);
	dump_turns_free(s->turns);
	net_claims_free(s->claims);
	free(s);
	return NULL;
}
