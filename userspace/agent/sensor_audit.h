/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sensor_audit.h: what the kernel's audit says about IMA, BPF and itself; auditd, if there is one, is left alone.
 * In: records of multicast group READLOG, which are sent in the host's network namespace alone. Out: lines of type audit, and losses: events
 * whose numbers did not come, a full buffer, more lines than SENSOR_AUDIT_MAX_A_SECOND. The execs that somebody's rules ask for, to whoever compares.
 */
#ifndef PLUMB_SENSOR_AUDIT_H
#define PLUMB_SENSOR_AUDIT_H

#include <event2/event.h>
#include <stdint.h>
#include "clock.h"
#include "measure.h"
#include "proctab.h"

#define SENSOR_AUDIT_MAX_A_SECOND 100	/* an IMA policy of "audit" everything must not fill the ledger */

struct sensor_audit;

struct sensor_audit_options {
	struct proctab *proctab;	/* borrowed */
	const struct clock *clock;	/* borrowed */
	uint32_t receive_size;		/* bytes of the socket's buffer; 0: 1 MiB */
	/* Each exec that audit tells, and when the call began; NULL: nobody compares. */
	void (*exec)(void *ctx, uint32_t pid, uint64_t utc_ns);
	void *ctx;
};

/* -EPERM: it takes CAP_AUDIT_READ; -ENOTSUP: a kernel without audit. */
int sensor_audit_open(struct event_base *base, const struct sensor_audit_options *o, const struct measure_sink *sink,
		      struct sensor_audit **ret, struct why *ret_why);
struct sensor_audit *sensor_audit_free(struct sensor_audit *s);

void sensor_audit_take(struct sensor_audit *s, const void *data, size_t size);	/* one datagram of the kernel */

struct sensor_audit_record {
	const char *key;		/* "audit:ima", …; static. NULL: of a kind that is left out */
	uint32_t serial;
	uint32_t pid;			/* 0: not said */
	uint64_t utc_ns;		/* of its event, by the timer's tick */
	struct buf_view text;		/* what follows the time and number; borrowed */
};

/* One record (a message's type and body, without NUL at its end). 0, or -EBADMSG with why. */
int sensor_audit_parse(uint16_t type, struct buf_view body, struct sensor_audit_record *ret, struct why *ret_why);

#endif
