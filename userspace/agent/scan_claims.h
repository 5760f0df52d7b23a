/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan_claims.h: facts about the node's live state as claim lines: all that are known, told when new or other than before; and those that
 * are read in a moment, on start and on schedule: boot, sysctls, modules, microcode, taint, sensors. In: /proc and /sys. Out: to the sink.
 * What takes longer is scan_slow's.
 */
#ifndef PLUMB_SCAN_CLAIMS_H
#define PLUMB_SCAN_CLAIMS_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include "claims_source.h"
#include "clock.h"
#include "measure.h"
#include "sensor_bpf.h"

#define SCAN_CLAIMS_MAX 8192	/* claims remembered; beyond it new ones are told as lost */

struct scan_claims;

struct scan_claims_options {
	const char *const *sysctls;	/* dotted names; NULL: a built-in list; copied */
	uint32_t n_sysctls;
	const char *proc;		/* NULL: /proc */
	const char *sys;		/* NULL: /sys */
	const char *root;		/* of the file system, for scan_claims_source(); NULL: "/"; borrowed */
	uint32_t interval_ms;		/* 0: 60000 */
	const struct clock *clock;	/* borrowed */
};

/* The first scan is done inside: the sink is called. */
int scan_claims_open(struct event_base *base, const struct scan_claims_options *o, const struct measure_sink *sink,
		     struct scan_claims **ret, struct why *ret_why);
struct scan_claims *scan_claims_free(struct scan_claims *s);
void scan_claims_binfmt_soon(void *s);	/* somebody is about to change binfmt_misc: it is read in a moment; a callback, so without its type */
int scan_claims_now(struct scan_claims *s);	/* number of claims told, or -errno */

void scan_claims_tell_all(struct scan_claims *s);	/* every claim that is known, again: another baseline judges */

/* Where facts are read and put here. Its strings live as long as s. */
struct claims_source scan_claims_source(struct scan_claims *s);
/*
 * Before what a scan found other than before is told: whoever has seen it being done puts src and actor into the line. One at a time; NULL:
 * nobody any more.
 */
void scan_claims_on_change(struct scan_claims *s, void (*who)(void *ctx, struct line *l), void *ctx);
/* Before and after all keys with this prefix are put: those that were not are "absent". Not called, when they could not be read. Number told. */
void scan_claims_begin(struct scan_claims *s, const char *prefix);
int scan_claims_gone(struct scan_claims *s, const char *prefix);

/* A claim that somebody else found; told when new or changed. 1 told, 0 same, -errno. */
int scan_claims_put(struct scan_claims *s, const char *key, const char *value);
const char *scan_claims_value(struct scan_claims *s, const char *key);	/* as it was told last; NULL: never. Until the next put */
/* The same with a line of its own (src, actor): only key, found and whether it is told are this room's. */
int scan_claims_take(struct scan_claims *s, const struct line *l);
/* What another room has told itself: a scan that does not find it tells that it is gone. 1 new or other than before, 0 same, -errno. */
int scan_claims_note(struct scan_claims *s, const char *key, const char *value);
/* "sensor:<name>" = "attached" or "absent <why>". */
int scan_claims_sensor(struct scan_claims *s, const char *name, bool attached, const char *absent_why);
/* The same, and the log says it, too, when r, which came of opening it, is < 0. */
void scan_claims_tell_sensor(struct scan_claims *s, const char *name, int r, const char *why);
/* "sensor:tier" and one claim for each kernel program; bpf NULL: tier "none", with why it is so. */
int scan_claims_bpf(struct scan_claims *s, const struct sensor_bpf *bpf, const char *absent_why);

#endif
