/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sensor_netlink.h: the kernel's process connector as a second source of execs.
 * In: connector messages. Out: each exec to whoever compares, or as a measurement of its own; losses (ENOBUFS, sequence gaps per CPU), summed
 * up once a second.
 */
#ifndef PLUMB_SENSOR_NETLINK_H
#define PLUMB_SENSOR_NETLINK_H

#include <event2/event.h>
#include "clock.h"
#include "measure.h"
#include "proctab.h"

struct sensor_netlink;

struct sensor_netlink_options {
	struct proctab *proctab;	/* borrowed */
	const struct clock *clock;	/* borrowed */
	/* Each exec, by whoever compares; NULL: no other source. Execs then become measurements of their own, unmeasured. */
	void (*exec)(void *ctx, uint32_t pid, uint64_t at_ns);
	void (*lost)(void *ctx);	/* some were lost, or the clock jumped; with exec */
	void (*tick)(void *ctx);	/* four times a second; with exec */
	void *ctx;
	uint32_t receive_size;		/* bytes of the socket's buffer; 0: 8 MiB, which the kernel doubles: more execs than the ring holds */
};

/* -EPERM: not permitted; -ENOTSUP: the kernel has no process connector. */
int sensor_netlink_open(struct event_base *base, const struct sensor_netlink_options *o, const struct measure_sink *sink,
			struct sensor_netlink **ret, struct why *ret_why);
struct sensor_netlink *sensor_netlink_free(struct sensor_netlink *s);

bool sensor_netlink_drain(struct sensor_netlink *s);	/* takes what waits, now. True: nothing waits any more */

enum sensor_netlink_what { SENSOR_NETLINK_OTHER = 0, SENSOR_NETLINK_EXEC = 1, SENSOR_NETLINK_ACK = 2 };

struct sensor_netlink_event {
	enum sensor_netlink_what what;
	uint32_t cpu;
	uint32_t seq;		/* per CPU */
	uint32_t pid;		/* of the thread group */
	uint32_t error;		/* of an acknowledgement */
	uint64_t monotonic_ns;
};

/* The payload of one netlink message (struct cn_msg and what follows). 0 or -EBADMSG with why. */
int sensor_netlink_parse(const void *data, size_t size, struct sensor_netlink_event *ret, struct why *ret_why);

#endif
