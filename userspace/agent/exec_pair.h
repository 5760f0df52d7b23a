/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec_pair.h: the process connector, and audit, beside the kernel programs: opens the first, and has what they say of execs compared.
 * In: what the kernel programs saw and lost, and what audit told. Out: lines of the connector and of both comparisons, and the claim
 * "sensor:audit_exec". On the loop's thread.
 */
#ifndef PLUMB_EXEC_PAIR_H
#define PLUMB_EXEC_PAIR_H

#include <event2/event.h>
#include "clock.h"
#include "measure.h"
#include "proctab.h"
#include "scan_claims.h"
#include "sensor_bpf.h"

struct exec_pair;

struct exec_pair_options {
	struct proctab *proctab;	/* borrowed */
	const struct clock *clock;	/* borrowed */
	struct scan_claims *claims;	/* borrowed */
};

/* Before the kernel programs, so that it misses none of theirs. As sensor_netlink_open(). base borrowed; the rest copied. */
int exec_pair_open(struct event_base *base, const struct exec_pair_options *o, const struct measure_sink *sink, struct exec_pair **ret,
		   struct why *ret_why);
struct exec_pair *exec_pair_free(struct exec_pair *p);

/* Fit struct sensor_bpf_options' exec_seen and exec_lost (ctx: the struct exec_pair). */
void exec_pair_seen(void *ctx, uint32_t pid, uint64_t start_ns, uint64_t boot_ns);
void exec_pair_lost(void *ctx, uint64_t n);
/* Fits struct sensors_net_options' audit_exec. p may be NULL: nothing is compared, as the claim says. */
void exec_pair_audited(void *p, uint32_t pid, uint64_t utc_ns);
/* What to compare with, borrowed until exec_pair_free(). NULL: there is none, execs of the connector become lines of their own. */
int exec_pair_bpf(struct exec_pair *p, struct sensor_bpf *bpf, struct why *ret_why);

#endif
