/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sensor_route.h: interfaces, addresses and default routes of the agent's network namespace, which has to be the host's.
 * In: rtnetlink notifications, which are hints alone, and dumps. Out: claims net:links, net:link:<name>, net:addr:<name>, net:routes
 * (net_claims.h says which ones count), and losses, each answered by a dump.
 */
#ifndef PLUMB_SENSOR_ROUTE_H
#define PLUMB_SENSOR_ROUTE_H

#include <event2/event.h>
#include "clock.h"
#include "measure.h"

struct sensor_route;

struct sensor_route_options {
	const struct clock *clock;	/* borrowed */
	uint32_t interval_ms;		/* between dumps that nobody asked for; 0: 60000 */
	uint32_t receive_size;		/* bytes of the socket's buffer; 0: 4 MiB */
	int (*claim)(void *ctx, const struct line *l);	/* 1 told, 0 known, -errno */
	void (*lost)(void *ctx, const char *src, uint64_t n, const char *what);	/* as struct measure_sink's */
	void *ctx;
};

/* The first dump is done inside. -EPERM, -ENOTSUP. */
int sensor_route_open(struct event_base *base, const struct sensor_route_options *o, struct sensor_route **ret,
		      struct why *ret_why);
struct sensor_route *sensor_route_free(struct sensor_route *s);

#endif
