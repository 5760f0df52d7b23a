/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sensor_uevent.h: the kernel's uevents of modules, as a second source of loads and the only one of unloads.
 * In: uevents (group 1, of the kernel itself); what the kernel programs told, through the tap. Out: module lines for what nobody else
 * told, and a claim "sensor:module_divergence" for each load that only one of them saw, "absent" ten
 * seconds later. A loss on either side silences the comparison.
 */
#ifndef PLUMB_SENSOR_UEVENT_H
#define PLUMB_SENSOR_UEVENT_H

#include <event2/event.h>
#include <stdbool.h>
#include "clock.h"
#include "measure.h"

#define SENSOR_UEVENT_NAME_SIZE 64	/* MODULE_NAME_LEN is 56 on 64 bits */

struct sensor_uevent;

struct sensor_uevent_options {
	const struct clock *clock;	/* borrowed */
	const char *sys;		/* NULL: /sys; borrowed */
	uint32_t window_ms;		/* 0: 2000 */
	uint32_t receive_size;		/* bytes of the socket's buffer; 0: 1 MiB */
	void (*loaded)(void *ctx);	/* some module was; may be NULL */
	void *ctx;
};

/* -EPERM, -ENOTSUP. Without comparison until sensor_uevent_compare(): each load is then told. */
int sensor_uevent_open(struct event_base *base, const struct sensor_uevent_options *o, const struct measure_sink *sink,
		       struct sensor_uevent **ret, struct why *ret_why);
struct sensor_uevent *sensor_uevent_free(struct sensor_uevent *s);

/* A sink for the other source: hands everything on to sink, and takes note of module loads and losses. Borrowed from s. */
const struct measure_sink *sensor_uevent_tap(struct sensor_uevent *s);
void sensor_uevent_compare(struct sensor_uevent *s, bool other_source_is_there);

void sensor_uevent_take(struct sensor_uevent *s, const void *data, size_t size);	/* one datagram of the kernel */

enum sensor_uevent_what { SENSOR_UEVENT_OTHER = 0, SENSOR_UEVENT_LOAD = 1, SENSOR_UEVENT_UNLOAD = 2 };

struct sensor_uevent_event {
	enum sensor_uevent_what what;
	char name[SENSOR_UEVENT_NAME_SIZE];
};

/*
 * One datagram: "add@/module/X", NUL, then KEY=value, NUL each. One that somebody wrote into /sys/module/X/uevent (SYNTH_UUID) is
 * none. 0, or -EBADMSG with why: not text that ends, an action or a device path that the header does not agree with, a name too long.
 */
int sensor_uevent_parse(const void *data, size_t size, struct sensor_uevent_event *ret, struct why *ret_why);

#endif
