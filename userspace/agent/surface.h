/* SPDX-License-Identifier: Apache-2.0 */
/*
 * surface.h: who reaches for the kernel itself, for other processes' memory, for a disk below its files: a line for each such deed by a
 * program, told again once in a while with how often; and the claims that the deed may have changed are read again at once, with its actor. A scan that
 * reads them before that asks here who it was.
 * In: surface records of the kernel programs, on the loop's thread. Out: lines of type surface, claims to scan_claims.
 */
#ifndef PLUMB_SURFACE_H
#define PLUMB_SURFACE_H

#include <event2/event.h>
#include "clock.h"
#include "measure.h"
#include "proctab.h"
#include "scan_claims.h"

#define SURFACE_READS 2

struct surface;

struct surface_options {
	struct scan_claims *claims;	/* borrowed, as all here */
	struct proctab *proctab;
	const struct clock *clock;
	const char *proc, *sys;		/* NULL: /proc, /sys */
	void (*flush)(void *ctx);	/* records that wait are taken, now: surface_take() is called from inside; NULL: there is nobody who could */
	void *ctx;
	uint32_t again_ms;		/* the same deed of one program is told again after this; 0: an hour */
	uint32_t read_ms[SURFACE_READS];	/* after the deed, when claims are read; 0: 20, 1000 */
};

int surface_open(struct event_base *base, const struct surface_options *o, const struct measure_sink *sink, struct surface **ret);
struct surface *surface_free(struct surface *s);	/* what was counted is told first */
void surface_take(struct surface *s, const union event_record *r);	/* of other kinds: nothing; s may be NULL */
/* Where each write of a sysctl has a record of its own, opens of its file say nothing more. bpf NULL: there are no programs; s may be NULL. */
void surface_bpf(struct surface *s, const struct sensor_bpf *bpf);
/*
 * A disk is open for writing already: as the kernel's record of its opening, but that what was told is not counted once more. dev as in records,
 * mode S_IFBLK or S_IFCHR. false: it is no deed yet, nothing on that disk being mounted.
 */
bool surface_open_disk(struct surface *s, uint32_t pid, uint64_t start_ns, uint32_t dev, uint16_t mode);
void surface_tick(struct surface *s);	/* tells what was counted and is due; also once a minute by itself */

#endif
