/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sensors_files.h: all that looks at watched files, put together: fanotify, LSM's marks, mounts, the scan, and changes, where they meet.
 * In: what agent has. Out: lines to the sink, for each of them a claim "sensor:<name>". One that cannot be had does not stop the others.
 */
#ifndef PLUMB_SENSORS_FILES_H
#define PLUMB_SENSORS_FILES_H

#include <event2/event.h>
#include "file_set.h"
#include "proctab.h"
#include "scan_claims.h"
#include "sensor_bpf.h"

struct sensors_files;

struct sensors_files_options {
	struct file_set *files;		/* borrowed, as all here */
	struct proctab *proctab;
	const struct clock *clock;
	struct sensor_bpf *bpf;		/* NULL: there are no programs */
	struct scan_claims *claims;
	uint32_t rescan_ms;		/* as scan_files' */
	void (*measured)(void *ctx);	/* each file has a value */
	void (*scanned)(void *ctx);	/* what sensors_files_anew() asked for has ended */
	void *ctx;
};

/* -ENOTSUP: neither events nor a scan can be had. *ret is set early, so that records of marked files can be taken. */
int sensors_files_open(struct event_base *base, const struct sensors_files_options *o, const struct measure_sink *sink,
		       struct sensors_files **ret);
struct sensors_files *sensors_files_free(struct sensors_files *s);
void sensors_files_take(struct sensors_files *s, const union event_record *r);	/* of kind file, mount, or surface */
void sensors_files_now(struct sensors_files *s);	/* as scan_files_now() */
void sensors_files_anew(struct sensors_files *s);	/* as scan_files_anew() */

#endif
