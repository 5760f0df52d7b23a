/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sensors_net.h: the sensors that listen to netlink, beside the process connector: modules, network, packet filter, audit.
 * In: what agent has. Out: their lines to the sink, their claims through scan_claims, and for each a claim "sensor:<name>". One that
 * cannot be had does not stop the others.
 */
#ifndef PLUMB_SENSORS_NET_H
#define PLUMB_SENSORS_NET_H

#include <event2/event.h>
#include "clock.h"
#include "measure.h"
#include "proctab.h"
#include "scan_claims.h"
#include "sensor_bpf.h"

struct sensors_net;

struct sensors_net_options {
	struct scan_claims *claims;	/* borrowed */
	struct proctab *proctab;	/* borrowed */
	const struct clock *clock;	/* borrowed */
	uint32_t interval_ms;		/* between dumps that nobody asked for; 0: 60000 */
	uint32_t receive_size;		/* bytes of sockets' buffers; 0: as each likes */
	void (*audit_exec)(void *ctx, uint32_t pid, uint64_t utc_ns);	/* as sensor_audit's exec */
	void *audit_ctx;
};

/* NULL when there is no memory, which is told as each one's absence; the other functions take it, too. */
struct sensors_net *sensors_net_open(struct event_base *base, const struct sensors_net_options *o,
				     const struct measure_sink *sink);
struct sensors_net *sensors_net_free(struct sensors_net *s);	/* after sensor_bpf_free(), before scan_claims_free() */

/* What sensor_bpf is to write to instead of sink, so that its module loads are compared: borrowed. */
const struct measure_sink *sensors_net_tap(struct sensors_net *s, const struct measure_sink *sink);
void sensors_net_bpf(struct sensors_net *s, const struct sensor_bpf *bpf);	/* it is there; NULL: it is not */

#endif
