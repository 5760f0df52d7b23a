/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sensor_netlink.h: the kernel's process connector as a second source of execs.
 * In: connector messages; execs that the kernel programs saw. Out: a claim "sensor:exec_divergence" for each exec that only one of
 * them saw within the window, losses (ENOBUFS, sequence gaps per CPU). A loss on either side silences the comparison for a window.
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
	bool compare;			/* false: no other source; execs then become measurements of their own, unmeasured */
	uint32_t window_ms;		/* 0: 1000 */
	uint32_t receive_size;		/* bytes of the socket's buffer; 0: 4 MiB */
};

/* -EPERM: not permitted; -ENOTSUP: the kernel has no process connector. */
int sensor_netlink_open(struct event_base *base, const struct sensor_netlink_options *o, const struct measure_sink *sink,
			struct sensor_netlink **ret, struct why *ret_why);
struct sensor_netlink *sensor_netlink_free(struct sensor_netlink *s);

/* What the other source saw and lost; fit struct sensor_bpf_options' exec_seen and exec_lost (ctx: the struct sensor_netlink). */
void sensor_netlink_exec_seen(void *ctx, uint32_t pid, uint64_t start_ns, uint64_t boot_ns);
void sensor_netlink_exec_lost(void *ctx, uint64_t n);

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
